package release

import (
	"context"
	"errors"
	"time"

	"github.com/bargeml/barge/internal/ledger"
)

// Obstacle is one reason why a release does not go into an environment, for people and programs.
type Obstacle struct {
	Text     string    `json:"text"`
	Clear    string    `json:"clear"`             // what clears it: a command, or who
	Earliest time.Time `json:"earliest,omitzero"` // when it clears by itself; zero: never
}

// WhyNot is everything that keeps a release out of an environment.
type WhyNot struct {
	Environment string         `json:"environment"`
	Release     ledger.Release `json:"release"`
	Champion    ledger.Release `json:"champion"`
	Plan        string         `json:"plan_digest"`
	Obstacles   []Obstacle     `json:"obstacles"`
	NextAt      time.Time      `json:"next_at,omitzero"` // the earliest time it could go; zero: not by waiting
	Command     string         `json:"command"`          // to run when nothing is in the way
}

// WhyNot asks everything that a promotion would ask, runs no gate, and changes nothing.
func (w *World) WhyNot(ctx context.Context, r Request) (*WhyNot, error) {
	p, c, plan, s, err := w.planned(ctx, r)
	if err != nil {
		return nil, err
	}
	out := &WhyNot{
		Environment: p.name, Release: c.Release, Champion: s.Champion.Release, Plan: plan.digest, Obstacles: []Obstacle{},
		Command: "barge promote " + c.Release.String() + " --to " + p.name,
	}
	if c.Artifact == s.Champion.Release.Artifact {
		return out, nil
	}
	if s.Flight != nil {
		out.add(p.busy(s))
	} else if s.Seq > 0 {
		at, err := p.addresses(ctx, s, plan.Plan)
		if err != nil {
			return nil, err
		}
		out.add(p.undrifted(ctx, s, at))
	}
	a, err := p.admission(ctx, c, plan, s, r)
	if err != nil {
		return nil, err
	}
	for _, reason := range a.reasons(s, true) {
		o := Obstacle{Text: reason.Text, Clear: reason.Clear, Earliest: reason.At}
		if reason.At.After(out.NextAt) {
			out.NextAt = reason.At
		}
		out.Obstacles = append(out.Obstacles, o)
	}
	for _, o := range out.Obstacles {
		if o.Earliest.IsZero() {
			out.NextAt = time.Time{} // waiting alone does not help
		}
	}
	return out, nil
}

func (w *WhyNot) add(err error) {
	var s *Stop
	switch {
	case err == nil:
	case errors.As(err, &s):
		w.Obstacles = append(w.Obstacles, Obstacle{Text: s.Error(), Clear: s.Next})
	default:
		w.Obstacles = append(w.Obstacles, Obstacle{Text: err.Error()})
	}
}

// planned makes the plan that a promotion would make, and nothing else.
func (w *World) planned(ctx context.Context, r Request) (*place, *candidate, *prepared, ledger.State, error) {
	fail := func(err error) (*place, *candidate, *prepared, ledger.State, error) {
		return nil, nil, nil, ledger.State{}, err
	}
	p, c, err := w.asked(ctx, r)
	if err != nil {
		return fail(err)
	}
	s, err := p.state(ctx)
	if err != nil {
		return fail(err)
	}
	plan, err := p.plan(ctx, c, s)
	if err != nil {
		return fail(err)
	}
	return p, c, plan, s, nil
}
