package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bargeml/barge/environments"
)

// mayBegin tells why the rules forbid a Begun after this state; nil when they do not.
func (s *State) mayBegin(e Entry, b Begun) error {
	if err := s.mayFollow(e, b); err != nil {
		return err
	}
	if err := s.completes(b); err != nil {
		return err
	}
	switch b.Why {
	case Start:
		return s.mayStart(b)
	case Rollback:
		return s.mayReturn(b)
	case Mend:
		return s.mayMend(b)
	case TurnBack:
		return s.mayTurnBack(b)
	}
	return s.mayGoOn(b)
}

// mayFollow checks a Begun against what is in flight, and a decision against the decision it was made against.
func (s *State) mayFollow(e Entry, b Begun) error {
	decides := b.Why == Start || b.Why == Rollback || b.Why == Mend
	switch {
	case !decides && b.Why != TurnBack && !b.Why.GoesOn():
		return fmt.Errorf("%q is no reason to begin", b.Why)
	case s.Flight == nil && b.Replaces != 0:
		return fmt.Errorf("it replaces Begun %d, and nothing is in flight", b.Replaces)
	case s.Flight == nil && !decides:
		return fmt.Errorf("%s goes on with what is in flight, and nothing is", b.Why)
	case s.Flight != nil && (b.Why == Start || b.Why == Mend):
		return fmt.Errorf("Begun %d of %s is in flight", s.Flight.Seq, s.Flight.By)
	case s.Flight != nil && b.Replaces != s.Flight.Seq:
		return fmt.Errorf("it replaces Begun %d, and the last one is %d", b.Replaces, s.Flight.Seq)
	case decides && b.Seen != s.Decision:
		return fmt.Errorf("it was made against decision %d, and the decision is %d", b.Seen, s.Decision)
	case len(b.Bars) > 0 && b.Why != Rollback:
		return errors.New("only a rollback bars what it removes")
	case (b.Why == Renew || b.Why == Made) && !s.Owns(e.By):
		return fmt.Errorf("its author does not own Begun %d", s.Flight.Seq)
	}
	return nil
}

// completes checks that every pointer of ours has a value, that what new ones held is recorded, and that what is
// given back is what was found.
func (s *State) completes(b Begun) error {
	ours := s.Ours()
	for _, id := range ours {
		if _, ok := b.To[id]; !ok {
			return fmt.Errorf("%s is ours and has no value in it", id)
		}
		if _, ok := b.Found[id]; ok {
			return fmt.Errorf("%s is ours already: what it held before is recorded", id)
		}
	}
	for id := range b.To {
		if _, ok := b.Found[id]; !ok && !slices.Contains(ours, id) {
			return fmt.Errorf("%s is new, and what it held is not recorded", id)
		}
	}
	for id := range b.Found {
		if _, ok := b.To[id]; !ok {
			return fmt.Errorf("%s has no value in it, only a found one", id)
		}
	}
	for _, id := range b.Back {
		if found, ok := s.Found[id]; !ok || b.To[id] != found {
			return fmt.Errorf("%s is not given back what was found in it", id)
		}
	}
	if len(b.Back) > 0 && (b.Why == Start || b.Why == Mend) {
		return fmt.Errorf("a %s gives no pointer back", b.Why)
	}
	return nil
}

func (s *State) mayStart(b Begun) error {
	r := b.Release
	if r.Artifact == "" || b.Plan == "" {
		return errors.New("artifact or plan is missing")
	}
	if s.Hold != nil {
		return fmt.Errorf("on hold since entry %d: %s", s.Hold.Seq, s.Hold.Said.Reason)
	}
	if !s.IsProven() {
		return fmt.Errorf("the champion %s (Live %d) is not proven", s.Champion.Release, s.Champion.Live)
	}
	if slices.Contains(s.Plans, b.Plan) {
		return errors.New("its plan was begun before")
	}
	if bound := s.Named(r.Name); r.Name != "" && bound != "" && bound != r.Artifact {
		return fmt.Errorf("the name %s is bound to another artifact, %s", r.Name, bound)
	}
	if err := s.mayRule(b.Rules); err != nil {
		return err
	}
	return s.mayBring(r)
}

// mayRule checks that a start brings the rules in force, or others that were approved; the first ones come by
// themselves.
func (s *State) mayRule(r Rules) error {
	if len(r.Text) > 0 {
		if is, err := environments.Digest(r.Text); err != nil || is != r.Digest {
			return fmt.Errorf("its rules are not those of digest %s", r.Digest)
		}
	}
	if _, approved := s.RulesApproval(r.Digest); s.Rules.Digest == "" || r.Digest == s.Rules.Digest || approved {
		return nil
	}
	return fmt.Errorf("the rules in force are %s, and nobody approved %s", s.Rules.Digest, cmp.Or(r.Digest, "none"))
}

func (s *State) mayReturn(b Begun) error {
	r := b.Release
	if r.Artifact != "" && s.Known[r.Artifact].Live == 0 {
		return fmt.Errorf("%s was never live here", r)
	}
	if b.Start != 0 && !s.mayHaveBrought(b.Start, r) {
		return fmt.Errorf("the start with Live %d did not bring %s", b.Start, r)
	}
	return s.mayBring(r)
}

// mayHaveBrought tells whether the start with that Live can have brought the release: of one that is older than all that
// is kept nothing is known here.
func (s *State) mayHaveBrought(live int, r Release) bool {
	if p, kept := s.past(live); kept {
		return p.Release.Artifact == r.Artifact
	}
	return len(s.Past) > 1 && live < s.Past[1].Live
}

func (s *State) mayMend(b Begun) error {
	if s.Hold != nil {
		return fmt.Errorf("on hold since entry %d: %s", s.Hold.Seq, s.Hold.Said.Reason)
	}
	if b.Release.Artifact != s.Champion.Release.Artifact || !maps.Equal(b.To, s.Champion.Values) {
		return fmt.Errorf("a mend sets the values of the champion %s, no others", s.Champion.Release)
	}
	return s.mayBring(b.Release)
}

func (s *State) mayTurnBack(b Begun) error {
	if s.Flight.Kind != Start {
		return fmt.Errorf("a %s is in flight: only a start is turned back", s.Flight.Kind)
	}
	if b.Release.Artifact != s.Champion.Release.Artifact {
		return fmt.Errorf("it turns back to %s, and the champion is %s", b.Release, s.Champion.Release)
	}
	to, back, _ := s.Return(s.Champion.Values)
	if !maps.Equal(b.To, to) || !sameSet(b.Back, back) {
		return errors.New("its values are neither the champion's nor found ones")
	}
	return nil
}

// mayGoOn checks that who goes on follows the recorded plan.
func (s *State) mayGoOn(b Begun) error {
	f := s.Flight
	if b.Release.Artifact != f.Release.Artifact || b.Plan != f.Plan || !maps.Equal(b.To, f.To) || !sameSet(b.Back, f.Back) {
		return fmt.Errorf("it does not go on with the plan of Begun %d", f.Seq)
	}
	if b.Why == Made && len(b.Jobs) == 0 {
		return errors.New("it names no job that was made")
	}
	if b.Why == TakeOver && f.Kind == Start {
		return s.mayBring(f.Release)
	}
	return nil
}

func (s *State) mayBring(r Release) error {
	if bar, barred := s.Barred(r); barred {
		return fmt.Errorf("%s is barred since entry %d: %s", r, bar.Seq, bar.Said.Reason)
	}
	return nil
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
