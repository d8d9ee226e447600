package release

import (
	"context"
	"fmt"
	"time"

	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// Resumption is what a resume is asked for.
type Resumption struct {
	Environment string
	TurnBack    bool          // turn a start back instead of finishing it
	Wait        time.Duration // how long at most to wait for an owner that may still be alive
}

// Resumed is what a resume found and did.
type Resumed struct {
	Environment string         `json:"environment"`
	Outcome     string         `json:"outcome"` // nothing-to-do, finished, turned-back, judged
	Found       string         `json:"found"`   // what was open, in words
	Release     ledger.Release `json:"release"` // the champion now
	Live        int            `json:"live"`
	Scorings    []ScoreResult  `json:"scorings,omitempty"`
}

// Resume goes on with what somebody left open: it finishes a switch whose owner is gone by the recorded plan, or turns
// it back, and judges a release whose first scoring nobody judged. It says what it found, and a second call does
// nothing.
func (w *World) Resume(ctx context.Context, r Resumption) (*Resumed, error) {
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
			return done, err
		}
	}
	done.Release, done.Live = s.Champion.Release, s.Champion.Live
	if s.IsProven() || s.Seq == 0 {
		return done, nil
	}
	if done.Outcome == "nothing-to-do" {
		done.Outcome, done.Found = "judged", fmt.Sprintf("%s is live and its first scoring was not judged", s.Champion.Release)
		p.Note("%s: %s", p.name, done.Found)
	}
	done.Scorings, err = p.judge(ctx, s, false)
	return done, err
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
	done.Found = fmt.Sprintf("a %s of %s, begun by %s (%s) at %s: %s", f.Kind, f.Release, f.Actor, f.By, f.At.Format(time.RFC3339), why)
	p.Note("%s: %s", p.name, done.Found)
	_, barred := s.Barred(f.Release)
	back := f.Kind == ledger.Start && (r.TurnBack || barred)
	if back {
		p.Note("turning back to %s", s.Champion.Release)
	} else {
		p.Note("finishing it by its recorded plan")
	}
	o, err := p.takeOver(ctx, s, back)
	if err != nil {
		return s, err
	}
	done.Outcome = "finished"
	if back {
		done.Outcome = "turned-back"
	}
	whole := context.WithoutCancel(ctx)
	s, err = o.finish(whole)
	if err == nil {
		p.tellStore(whole, s)
	}
	return s, err
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
			f := s.Flight
			return s, "", stop(ErrConflict, "barge resume --env "+p.name+" --wait 10m waits for it, or takes it over when its owner is gone",
				"a %s of %s to %s is in flight, begun by %s (%s); its last sign of life was at %s", f.Kind, f.Release, p.name, f.Actor, f.By, f.At.Format(time.RFC3339))
		}
		if !told {
			p.Note("a %s of %s to %s is in flight, begun by %s (%s); waiting until it ends or its owner is gone", s.Flight.Kind, s.Flight.Release, p.name, s.Flight.Actor, s.Flight.By)
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
