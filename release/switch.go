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
// refuses by an error; what it returns gets the values found in new pointers.
func (p *place) begin(ctx context.Context, at []effects.Address, decide func(ledger.State) (ledger.Begun, error)) (*owner, error) {
	found := ledger.Values{}
	for {
		var missing []string
		right := ledger.NoteRight(p.Terms, p.Clocks)
		entry, err := p.book.Append(ctx, func(s ledger.State) (ledger.Body, error) {
			b, err := decide(s)
			if err != nil {
				return nil, err
			}
			b.Found, missing = ledger.Values{}, nil
			ours := s.Ours()
			for id := range b.To {
				if slices.Contains(ours, id) {
					continue
				}
				if v, read := found[id]; read {
					b.Found[id] = v
				} else {
					missing = append(missing, id)
				}
			}
			if len(missing) > 0 {
				return nil, nil // read them first, then decide again
			}
			return b, nil
		})
		if err != nil {
			return nil, err
		}
		if len(missing) == 0 {
			return p.own(entry.State, right, at)
		}
		if err := p.find(ctx, entry.State, at, missing, found); err != nil {
			return nil, err
		}
	}
}

// find reads what new pointers hold.
func (p *place) find(ctx context.Context, s ledger.State, at []effects.Address, ids []string, found ledger.Values) error {
	for _, id := range ids {
		pointer, err := p.pointer(s, at, id)
		if err != nil {
			return err
		}
		if found[id], err = pointer.Read(ctx); err != nil {
			return err
		}
	}
	return nil
}

// own makes the owner of what is in flight.
func (p *place) own(s ledger.State, right ledger.Right, at []effects.Address) (*owner, error) {
	o := &owner{place: p, state: s, right: right, at: at}
	ids := make([]string, 0, len(s.Flight.To))
	for id := range s.Flight.To {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, inOrder)
	for _, id := range ids {
		pointer, err := p.pointer(s, at, id)
		if err != nil {
			return nil, err
		}
		o.pointers = append(o.pointers, pointer)
	}
	return o, nil
}

// inOrder switches slots before jobs: a schedule never runs what the slot does not name yet.
func inOrder(a, b string) int {
	slot := func(id string) int {
		if strings.HasPrefix(id, ledger.SlotPrefix) {
			return 0
		}
		return 1
	}
	if d := slot(a) - slot(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

// pointer makes the pointer of that id as the ledger remembers it.
func (p *place) pointer(s ledger.State, at []effects.Address, id string) (effects.Pointer, error) {
	i := slices.IndexFunc(at, func(a effects.Address) bool { return a.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("pointer %s of environment %s: no recorded plan says where it stands", id, p.name)
	}
	m := effects.Memory{Job: s.Job(id), Ever: s.Slots[id]}
	if f := s.Flight; f != nil && f.Kind != ledger.Start && f.Kind != ledger.Mend {
		if v, ok := s.Champion.Values[id]; ok {
			m.Out = append(m.Out, v)
		}
		for _, values := range s.Since {
			if v, ok := values[id]; ok {
				m.Out = append(m.Out, v)
			}
		}
	}
	return p.site.Pointer(at[i], m)
}

// switchPointers sets every pointer of what is in flight and reads each back.
func (o *owner) switchPointers(ctx context.Context) error {
	for i := range o.pointers {
		if err := o.makeJob(ctx, i); err != nil {
			return err
		}
		if err := o.checkUnmoved(ctx, o.pointers[i]); err != nil {
			return err
		}
		if err := o.set(ctx, o.pointers[i]); err != nil {
			return err
		}
		o.Note("  set %s", o.pointers[i].ID())
	}
	return o.readBack(ctx)
}

// want is what a pointer shall hold.
func (o *owner) want(p effects.Pointer) ledger.Value { return o.state.Flight.To[p.ID()] }

// makeJob gives a score without a job one, and records its id before it is ever active.
func (o *owner) makeJob(ctx context.Context, i int) error {
	job, ok := o.pointers[i].(*effects.Job)
	if !ok || job.Number() != 0 || o.want(job) == ledger.Off || o.want(job) == ledger.Absent {
		return nil
	}
	if err := o.renewed(ctx); err != nil {
		return err
	}
	number, err := job.Make(ctx)
	if err != nil {
		return err
	}
	if err := o.goOn(ctx, ledger.Made, map[string]int64{job.ID(): number}); err != nil {
		return err
	}
	job.Use(number)
	if e := o.Project.Environment(o.name); e != nil {
		return o.site.GrantJob(ctx, number, e.Operators)
	}
	return nil
}

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
			Rules: f.Rules, Judges: f.Judges, Jobs: jobs,
		}, nil
	})
	if err != nil {
		return err
	}
	o.state, o.right = entry.State, right
	return nil
}

// renewed makes sure that the right to set pointers has not run out.
func (o *owner) renewed(ctx context.Context) error {
	if o.right.Holds() {
		return nil
	}
	return o.goOn(ctx, ledger.Renew, nil)
}

// mayStillSend is asked right before every call that changes something.
func (o *owner) mayStillSend() error {
	if !o.right.Holds() {
		return errExpired
	}
	u := ledger.NoteSending(o.Terms, o.Clocks)
	o.sent = &u
	return nil
}

// checkUnmoved reads a pointer before a promotion's Set: a value that nobody recorded means that somebody else moved
// it. A slot is not asked: another environment may move it too. Rollback, turn-back and mend overwrite.
func (o *owner) checkUnmoved(ctx context.Context, p effects.Pointer) error {
	if o.state.Flight.Kind != ledger.Start || strings.HasPrefix(p.ID(), ledger.SlotPrefix) {
		return nil
	}
	known := []ledger.Value{o.want(p)}
	for _, values := range append([]ledger.Values{o.state.Champion.Values, o.state.Found}, o.state.Since...) {
		if v, ok := values[p.ID()]; ok {
			known = append(known, v)
		}
	}
	for _, v := range known {
		if held, err := p.Holds(ctx, v); err != nil || held {
			return err
		}
	}
	return fmt.Errorf("%s: %w", p.ID(), errMoved)
}

// set sets one pointer until it is definitely answered. After a call without an answer nothing is done before it can
// no longer take effect.
func (o *owner) set(ctx context.Context, p effects.Pointer) error {
	for {
		if err := o.renewed(ctx); err != nil {
			return err
		}
		o.sent = nil
		err := o.setOnce(ctx, p)
		switch {
		case errors.Is(err, errExpired):
			continue
		case err == nil, o.sent == nil, effects.Definite(err):
			o.sent = nil
			return wrap("setting "+p.ID(), err)
		}
		o.Note("  no answer while setting %s; waiting until the call can no longer take effect", p.ID())
		if err := o.Sleep(ctx, max(0, o.sent.Left())); err != nil {
			return err
		}
	}
}

// setOnce bounds a Set by D: what is not answered by then is not waited for any longer, nor repeated below.
func (o *owner) setOnce(ctx context.Context, p effects.Pointer) error {
	ctx, cancel := context.WithTimeout(ctx, o.Terms.D)
	defer cancel()
	return p.Set(ctx, o.want(p), o.mayStillSend)
}

// wrap says what was attempted; nil stays nil.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// reads is how often a pointer is read back before it counts as wrong: a read may be old.
const reads = 6

func (o *owner) readBack(ctx context.Context) error {
	for _, p := range o.pointers {
		for n := 1; ; n++ {
			held, err := p.Holds(ctx, o.want(p))
			if err != nil {
				return fmt.Errorf("reading back %s: %w", p.ID(), err)
			}
			if held {
				break
			}
			if n == reads {
				return fmt.Errorf("reading back %s: it does not hold what was set, though the service said so", p.ID())
			}
			if err := o.Sleep(ctx, time.Duration(n)*200*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// live finishes the switch.
func (o *owner) live(ctx context.Context) (ledger.State, error) {
	entry, err := o.book.Append(ctx, func(s ledger.State) (ledger.Body, error) {
		if !s.Owns(o.book.By()) {
			return nil, errLost
		}
		return ledger.Live{Of: s.Flight.Seq, Values: s.LiveValues()}, nil
	})
	return entry.State, err
}

// turnBack gives the environment its champion's recorded values again.
func (o *owner) turnBack(ctx context.Context) (ledger.State, error) {
	back, err := o.begin(ctx, o.at, func(s ledger.State) (ledger.Begun, error) {
		if !s.Owns(o.book.By()) {
			return ledger.Begun{}, errLost
		}
		c := s.Champion
		to, given, _ := s.Return(c.Values)
		return ledger.Begun{
			Why: ledger.TurnBack, Plan: c.Plan, Release: c.Release, To: to, Back: given, Replaces: s.Flight.Seq, Seen: s.Decision,
		}, nil
	})
	if err != nil {
		return ledger.State{}, err
	}
	if err := back.switchPointers(ctx); err != nil {
		return ledger.State{}, errors.Join(err, back.leave(ctx, err))
	}
	return back.live(ctx)
}

// leave gives the right back; nothing unanswered may be younger than D then.
func (o *owner) leave(ctx context.Context, why error) error {
	if o.sent != nil {
		if err := o.Sleep(ctx, max(0, o.sent.Left())); err != nil {
			return err
		}
	}
	_, err := o.book.Append(ctx, func(s ledger.State) (ledger.Body, error) {
		if !s.Owns(o.book.By()) {
			return nil, nil
		}
		return ledger.Left{Of: s.Flight.Seq, Reason: why.Error()}, nil
	})
	return err
}
