package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// Wait is how long resume and rollback wait, unless told otherwise, for an owner that may still be alive: as long as the
// slowest switch may go on, and well beyond the minute of silence after which an owner is gone.
const Wait = 10 * time.Minute

// Resumption is what a resume is asked for.
type Resumption struct {
	Environment string
	TurnBack    bool          // turn a start back instead of finishing it
	Wait        time.Duration // how long at most to wait for an owner that may still be alive
}

// Resumed is what a resume found and did.
type Resumed struct {
	Environment string         `json:"environment"`
	Outcome     string         `json:"outcome"` // nothing-to-do, finished, turned-back, judged, rolled-back, unproven
	Found       string         `json:"found"`   // what was open, in words
	Release     ledger.Release `json:"release"` // the champion now
	Live        int            `json:"live"`
	Scorings    []ScoreResult  `json:"scorings,omitempty"`
}

// Resume goes on with what somebody left open: it finishes a switch whose owner is gone by the recorded plan, or turns
// it back, and judges a release whose first scoring nobody judged. It says what it found, and a second call does
// nothing. Without a result nothing was done.
func (w *World) Resume(ctx context.Context, r Resumption) (*Resumed, error) {
	done, err := w.resume(ctx, r)
	return done, interrupted(ctx, err, "barge resume --env "+r.Environment, "resuming in %s: nothing was done", r.Environment)
}

func (w *World) resume(ctx context.Context, r Resumption) (*Resumed, error) {
	p, err := w.place(r.Environment)
	if err != nil {
		return nil, err
	}
	s, err := p.state(ctx)
	if err != nil {
		return nil, err
	}
	done := &Resumed{Environment: p.name, Outcome: "nothing-to-do", Found: "nothing is open"}
	if s.Flight != nil {
		if s, err = p.goOn(ctx, s, r, done); err != nil {
			return nil, err
		}
	}
	p.correctStore(ctx, s)
	done.Release, done.Live = s.Champion.Release, s.Champion.Live
	if s.IsProven() || s.Seq == 0 {
		return done, nil
	}
	if done.Outcome == "nothing-to-do" {
		if r.TurnBack {
			return nil, stop(ErrConflict, "barge rollback --env "+p.name+" takes it back",
				"turning back in %s: nothing is in flight; %s is live and its first scoring was not judged", p.name, s.Champion.Release)
		}
		done.Outcome, done.Found = "judged", fmt.Sprintf("%s is live and its first scoring was not judged", s.Champion.Release)
		p.Note("%s: %s; judging it", p.name, done.Found)
	}
	return done, p.judgeOpen(ctx, s, done)
}

// judgeOpen judges what is live and not proven, and says what came of it.
func (p *place) judgeOpen(ctx context.Context, s ledger.State, done *Resumed) (err error) {
	done.Scorings, err = p.judge(ctx, s, false)
	switch {
	case errors.Is(err, ErrRolledBack):
		now, reading := p.state(context.WithoutCancel(ctx))
		if reading != nil {
			return errors.Join(err, reading)
		}
		done.Outcome, done.Release, done.Live = "rolled-back", now.Champion.Release, now.Champion.Live
	case err != nil && !errors.Is(err, ErrGateFailed): // a failure that keeps it is a judgement, too
		done.Outcome = "unproven"
	}
	return err
}

// goOn finishes or turns back what is in flight, once its owner is gone.
func (p *place) goOn(ctx context.Context, s ledger.State, r Resumption, done *Resumed) (ledger.State, error) {
	s, why, err := p.awaitGone(ctx, s, r.Wait)
	if err != nil {
		return s, err
	}
	f := s.Flight
	if f == nil {
		done.Found = "what was in flight came to its end while this command waited"
		return s, nil
	}
	done.Found = InFlight(*f)
	if !f.Left { // which that says
		done.Found += "; " + why
	}
	p.Note("%s: %s", p.name, done.Found)
	if r.TurnBack && f.Kind != ledger.Start {
		return s, stop(ErrConflict, "barge resume --env "+p.name+" finishes it", "turning back in %s: a %s is in flight, and only a promotion is turned back", p.name, f.Kind)
	}
	bar, barred := s.Barred(f.Release)
	back := f.Kind == ledger.Start && (r.TurnBack || barred)
	switch {
	case back && barred:
		p.Note("%s is barred (%s): turning back to %s", f.Release, bar.Said.Reason, s.Champion.Release)
	case back:
		p.Note("turning back to %s", s.Champion.Release)
	default:
		p.Note("finishing it by its recorded plan")
	}
	o, err := p.takeOver(ctx, s, back)
	if err != nil {
		return s, err
	}
	if s, err = o.finish(ctx); err != nil {
		return s, err
	}
	done.Outcome = "finished"
	if back {
		done.Outcome = "turned-back"
	}
	p.tellStore(ctx, s)
	return s, nil
}

// takeOver appends the Begun that makes this process the owner of what is in flight. Every pointer is read first: when
// one cannot be, nothing is appended.
func (p *place) takeOver(ctx context.Context, s ledger.State, back bool) (*owner, error) {
	var plan *Plan // whose addresses come first
	if !back {
		var err error
		if plan, err = p.recordedPlan(ctx, s.Flight.Plan); err != nil {
			return nil, err
		}
	}
	at, err := p.addresses(ctx, s, plan)
	if err != nil {
		return nil, err
	}
	if err := p.readable(ctx, s, at); err != nil {
		return nil, err
	}
	replaced := s.Flight.Seq
	return p.begin(ctx, at, func(s ledger.State) (ledger.Begun, error) {
		f := s.Flight
		if f == nil || f.Seq != replaced {
			return ledger.Begun{}, stop(ErrConflict, "barge status --env "+p.name, "somebody else goes on with %s", p.name)
		}
		if back {
			to, given, _ := s.Return(s.Champion.Values)
			return ledger.Begun{
				Why: ledger.TurnBack, Plan: s.Champion.Plan, Release: s.Champion.Release, To: to, Back: given, Replaces: f.Seq, Seen: s.Decision,
			}, nil
		}
		return ledger.Begun{
			Why: ledger.TakeOver, Plan: f.Plan, Release: f.Release, To: f.To, Back: f.Back, Replaces: f.Seq, Seen: s.Decision,
			Rules: f.Rules, Judges: f.Judges,
		}, nil
	})
}

// readable reads every pointer of what is in flight.
func (p *place) readable(ctx context.Context, s ledger.State, at []effects.Address) error {
	for _, id := range sorted(s.Flight.To) {
		pointer, err := p.pointer(s, at, id)
		if err != nil {
			return err
		}
		if _, err := pointer.Read(ctx); err != nil {
			return fmt.Errorf("taking over in %s: %s cannot be read, so nothing was begun: %w", p.name, id, err)
		}
	}
	return nil
}

// awaitGone waits until the owner of what is in flight is gone, or what is in flight has ended. The state it gives has
// the Begun whose owner is gone, and why is how that is known.
func (p *place) awaitGone(ctx context.Context, s ledger.State, wait time.Duration) (_ ledger.State, why string, err error) {
	watch := p.watch()
	began, told := p.Clocks(), false
	for {
		if s.Flight == nil {
			return s, "", nil
		}
		gone, why, left := watch.Gone(s)
		if gone {
			return s, why, nil
		}
		if p.Clocks.Least(began) >= wait {
			return s, "", p.busy(s)
		}
		if !told {
			p.Note("%s: %s; waiting until it ends or its owner is gone", p.name, InFlight(*s.Flight))
			told = true
		}
		if err := p.Sleep(ctx, min(left, p.Terms.TTL/60)); err != nil {
			return s, "", err
		}
		if s, err = p.state(ctx); err != nil {
			return s, "", err
		}
	}
}
