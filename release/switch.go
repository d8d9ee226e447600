package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

var (
	errLost    = errors.New("another barge has taken over")
	errExpired = errors.New("the right to change pointers has run out and is renewed first")
	errMoved   = errors.New("a pointer was changed by somebody else")
)

// owner is this process while it has the right to change an environment's pointers.
type owner struct {
	*place
	state    ledger.State // up to and with its last Begun
	right    ledger.Right
	at       []effects.Address // where its pointers stand
	pointers []effects.Pointer // every pointer of Flight.To, in the order of the switch
	sent     *ledger.Unanswered
}

// begin appends a Begun and so makes this process the owner. decide sees the fold that the Begun is appended to, and
// refuses by an error; what it returns gets the values found in new pointers, as they were read after that fold. After
// an interrupt nothing is begun, and a Begun that is on its way is waited for: nobody would go on with it.
func (p *place) begin(ctx context.Context, at []effects.Address, decide func(ledger.State) (ledger.Begun, error)) (*owner, error) {
	defer p.step("the entry that begins the switch of %s is on its way and waited for", p.name)()
	found, read := ledger.Values{}, 0 // read: the entry after which they were
	for {
		var missing []string
		right := ledger.NoteRight(p.Terms, p.Clocks)
		entry, err := p.book.Append(context.WithoutCancel(ctx), func(s ledger.State) (ledger.Body, error) {
			b, err := decide(s)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return nil, err
			}
			b.Run, b.Found, missing = p.Run, ledger.Values{}, fresh(s, b.To)
			if len(missing) > 0 && read != s.Seq {
				return nil, nil // read them first, then decide again
			}
			for _, id := range missing {
				b.Found[id] = found[id]
			}
			missing = nil
			return b, p.reachable(s, at, b.To)
		})
		if errors.Is(err, ledger.ErrForbidden) {
			return nil, &Stop{Why: ErrConflict, Err: err, Message: "changing " + p.name, Next: "barge status --env " + p.name}
		}
		if err != nil {
			return nil, err
		}
		if len(missing) == 0 {
			return p.own(entry.State, right, at)
		}
		if found, err = p.find(ctx, entry.State, at, missing); err != nil {
			return nil, err
		}
		read = entry.Seq
	}
}

// fresh are the pointers that are not ours yet.
func fresh(s ledger.State, to ledger.Values) []string {
	ours := s.Ours()
	return slices.DeleteFunc(sorted(to), func(id string) bool { return slices.Contains(ours, id) })
}

// reachable makes sure that every pointer can be made, before it is begun to set them.
func (p *place) reachable(s ledger.State, at []effects.Address, to ledger.Values) error {
	for id := range to {
		if _, err := p.pointer(s, at, id); err != nil {
			return err
		}
	}
	return nil
}

// find reads what new pointers hold.
func (p *place) find(ctx context.Context, s ledger.State, at []effects.Address, ids []string) (ledger.Values, error) {
	found := ledger.Values{}
	for _, id := range ids {
		pointer, err := p.pointer(s, at, id)
		if err != nil {
			return nil, err
		}
		if found[id], err = pointer.Read(ctx); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// own makes the owner of what is in flight.
func (p *place) own(s ledger.State, right ledger.Right, at []effects.Address) (*owner, error) {
	o := &owner{place: p, state: s, right: right, at: at}
	for _, id := range order(s.Flight) {
		pointer, err := p.pointer(s, at, id)
		if err != nil {
			return nil, err
		}
		o.pointers = append(o.pointers, pointer)
	}
	return o, nil
}

// order is that of the switch. First what is switched off or given back: the model's tag that a slot leaves must be the
// next slot's. Then slots before jobs: a schedule never runs what the slot does not name yet.
func order(f *ledger.Flight) []string {
	rank := func(id string) int {
		switch {
		case f.To[id] == ledger.Off, slices.Contains(f.Back, id):
			return 0
		case strings.HasPrefix(id, ledger.SlotPrefix):
			return 1
		}
		return 2
	}
	ids := sorted(f.To)
	slices.SortStableFunc(ids, func(a, b string) int { return rank(a) - rank(b) })
	return ids
}

// pointer makes the pointer of that id as the ledger remembers it.
func (p *place) pointer(s ledger.State, at []effects.Address, id string) (effects.Pointer, error) {
	i := slices.IndexFunc(at, func(a effects.Address) bool { return a.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("pointer %s of environment %s: no recorded plan says where it stands", id, p.name)
	}
	m := effects.Memory{Job: s.Job(id), Ever: s.Slots[id]}
	for _, values := range append([]ledger.Values{s.Champion.Values}, s.Since...) {
		if v, ok := values[id]; ok {
			m.Recent = append(m.Recent, v)
		}
	}
	if f := s.Flight; f != nil {
		m.Back = slices.Contains(f.Back, id) || f.Release.Artifact == ""
		if f.Kind != ledger.Start && f.Kind != ledger.Mend {
			m.Out = m.Recent
		}
	}
	return p.site.Pointer(at[i], m)
}

// switchPointers sets every pointer of what is in flight and reads each back. A start ends with the first that cannot be
// set, and is turned back; on every way back one that cannot be set keeps no other from being.
func (o *owner) switchPointers(ctx context.Context) error {
	var failed []error
	for _, p := range o.pointers {
		err := o.switchOne(ctx, p)
		switch {
		case err == nil:
			o.Note("  set %s", p.ID())
		case o.state.Flight.Kind == ledger.Start, errors.Is(err, errLost), errors.Is(err, ledger.ErrUnanswered):
			return err
		default:
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	return o.readBack(ctx)
}

func (o *owner) switchOne(ctx context.Context, p effects.Pointer) error {
	if err := o.makeJob(ctx, p); err != nil {
		return err
	}
	if err := o.checkUnmoved(ctx, p); err != nil {
		return err
	}
	return o.set(ctx, p)
}

// want is what a pointer shall hold.
func (o *owner) want(p effects.Pointer) ledger.Value { return o.state.Flight.To[p.ID()] }

// goOn appends a Begun that goes on with what is in flight.
func (o *owner) goOn(ctx context.Context, why ledger.Why, jobs map[string]int64) error {
	right := ledger.NoteRight(o.Terms, o.Clocks)
	entry, err := o.book.Append(ctx, func(s ledger.State) (ledger.Body, error) {
		if !s.Owns(o.book.By()) {
			return nil, errLost
		}
		f := s.Flight
		return ledger.Begun{
			Why: why, Plan: f.Plan, Release: f.Release, To: f.To, Back: f.Back, Replaces: f.Seq, Seen: s.Decision,
			Rules: f.Rules, Judges: f.Judges, Jobs: jobs, Run: o.Run,
		}, nil
	})
	if err != nil {
		return err
	}
	o.state, o.right = entry.State, right
	return nil
}

// reads is how often the pointers are read back before one counts as wrong: a read may be old.
const reads = 6

// readBack reads all pointers until all are right at once. One that stays wrong is set once more: another environment
// may have moved a version after us, by what it had read before, or a call may have arrived late.
func (o *owner) readBack(ctx context.Context) error {
	seen := map[string]int{} // how often each was wrong
	for {
		p, err := o.wrong(ctx)
		if err != nil || p == nil {
			return err
		}
		seen[p.ID()]++
		n := seen[p.ID()]
		if n == reads {
			return fmt.Errorf("reading back %s: it does not hold what was set, though the service said so", p.ID())
		}
		if err := o.Sleep(ctx, time.Duration(n)*200*time.Millisecond); err != nil {
			return err
		}
		if n == reads/2 {
			if err := o.set(ctx, p); err != nil {
				return err
			}
		}
	}
}

// wrong is the first pointer that does not hold what it shall; nil when all do.
func (o *owner) wrong(ctx context.Context) (effects.Pointer, error) {
	for _, p := range o.pointers {
		if held, err := p.Holds(ctx, o.want(p)); err != nil {
			return nil, fmt.Errorf("reading back %s: %w", p.ID(), err)
		} else if !held {
			return p, nil
		}
	}
	return nil, nil //nolint:nilnil // all is right
}

// live finishes the switch. When the ledger does not answer it asks once more: that finds out what became of the entry.
func (o *owner) live(ctx context.Context) (ledger.State, error) {
	mine := o.state.Flight
	decide := func(s ledger.State) (ledger.Body, error) {
		switch {
		case s.Flight == nil && s.Champion.Live > mine.Seq && s.Champion.Plan == mine.Plan:
			return nil, nil // it was written
		case !s.Owns(o.book.By()):
			return nil, errLost
		}
		return ledger.Live{Of: s.Flight.Seq, Values: s.LiveValues()}, nil
	}
	entry, err := o.book.Append(ctx, decide)
	if errors.Is(err, ledger.ErrUnanswered) {
		entry, err = o.book.Append(ctx, decide)
	}
	return entry.State, err
}

// turnBack begins to give the environment its champion's recorded values again, where the champion's plan has them.
func (o *owner) turnBack(ctx context.Context) (*owner, error) {
	champion, err := o.recordedPlan(ctx, o.state.Champion.Plan)
	if err != nil {
		return nil, err
	}
	at := o.at
	if champion != nil {
		at = append(slices.Clone(champion.Pointers), at...)
	}
	return o.begin(ctx, at, func(s ledger.State) (ledger.Begun, error) {
		if !s.Owns(o.book.By()) {
			return ledger.Begun{}, errLost
		}
		c := s.Champion
		to, given, _ := s.Return(c.Values)
		return ledger.Begun{
			Why: ledger.TurnBack, Plan: c.Plan, Release: c.Release, To: to, Back: given, Replaces: s.Flight.Seq, Seen: s.Decision,
		}, nil
	})
}

// leave gives the right back; nothing unanswered may be younger than D then.
func (o *owner) leave(ctx context.Context, why error) error {
	if err := o.settle(ctx); err != nil {
		return err
	}
	_, err := o.book.Append(ctx, func(s ledger.State) (ledger.Body, error) {
		if !s.Owns(o.book.By()) {
			return nil, nil
		}
		return ledger.Left{Of: s.Flight.Seq, Reason: why.Error()}, nil
	})
	return err
}
