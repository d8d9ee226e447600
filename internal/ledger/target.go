package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// What a rollback's target can fail by.
var (
	// ErrBarred is wrapped when the release that was named is barred.
	ErrBarred = errors.New("it is barred")
	// ErrNeverLive is wrapped when the release that was named was never live here.
	ErrNeverLive = errors.New("it was never live here")
	// ErrTooOld is wrapped when the target is older than what the state keeps; Ledger.Older has it.
	ErrTooOld = fmt.Errorf("it is older than the last %d champions", keptPast)
)

// RollbackTarget returns what a rollback that starts now returns to. A name, an artifact's id or nothing chooses it.
//
// Without a choice: while a start is in flight the champion, otherwise the champion that the present release's start
// replaced; from there the same step back over what is not proven, is barred, or was itself taken away by a rollback,
// at last Genesis. While a rollback or a turn-back is in flight, that is the rollback, and its target the answer.
func (s State) RollbackTarget(choice string) (Past, error) {
	if choice != "" {
		return s.chosen(choice)
	}
	if k := s.InFlight(); k == Rollback || k == TurnBack {
		p, _ := s.brought(s.Flight.Release, s.LiveValues())
		p.Release, p.Values = s.Flight.Release, s.LiveValues()
		return p, nil
	}
	here, ok := s.past(s.Champion.Start)
	if s.InFlight() == Start {
		if c := s.Champion; s.returnable(c.Release) {
			here.Live, here.Plan, here.Release, here.Values, here.Judges = c.Start, c.Plan, c.Release, c.Values, c.Judges
			return here, nil
		}
	} else if ok && here.Replaced != 0 {
		here, ok = s.past(here.Replaced)
	}
	for ok && here.Replaced != 0 && !s.returnable(here.Release) {
		here, ok = s.past(here.Replaced)
	}
	if !ok {
		return Past{}, fmt.Errorf("stepping back from %s: %w: name the release to return to", s.Champion.Release, ErrTooOld)
	}
	return here, nil
}

// Older adds to a state the champions that stood before the oldest that it keeps, some at a time, so that a rollback's
// target is found among them; without more there is nothing older. Such a state is for choosing, not for the rules.
func (l *Ledger) Older(ctx context.Context, s State) (_ State, more bool, err error) {
	if len(s.Past) < 2 {
		return s, false, nil
	}
	before, err := l.await(ctx, s.Past[1].Live-1)
	if err != nil || len(before.State.Past) < 2 {
		return s, false, err
	}
	s.Past = slices.Concat(before.State.Past, s.Past[1:]) // both begin with Genesis
	return s, true, nil
}

// past finds the record of the start whose Live has that number.
func (s State) past(live int) (Past, bool) {
	i := slices.IndexFunc(s.Past, func(p Past) bool { return p.Live == live })
	if i < 0 {
		return Past{}, false
	}
	return s.Past[i], true
}

// returnable tells whether a rollback returns to the release by itself.
func (s State) returnable(r Release) bool {
	known := s.Known[r.Artifact]
	_, barred := s.Barred(r)
	return known.Proven > 0 && known.Removed == 0 && !barred
}

func (s State) chosen(choice string) (Past, error) {
	artifact := s.Named(choice)
	if artifact == "" {
		artifact = choice
	}
	if s.Known[artifact].Live == 0 {
		return Past{}, fmt.Errorf("returning to %s: %w", choice, ErrNeverLive)
	}
	p, ok := s.brought(Release{Artifact: artifact}, nil)
	if !ok {
		return Past{}, fmt.Errorf("returning to %s: %w", choice, ErrTooOld)
	}
	if bar, barred := s.Barred(p.Release); barred {
		return Past{}, fmt.Errorf("returning to %s: %w since entry %d: %s", choice, ErrBarred, bar.Seq, bar.Said.Reason)
	}
	return p, nil
}
