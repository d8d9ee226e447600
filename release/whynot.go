package release

import (
	"context"
	"errors"
	"time"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/ledger"
)

// Obstacle is one reason why a release does not go into an environment, for people and programs.
type Obstacle struct {
	Text     string    `json:"text"`
	Brief    string    `json:"brief"`             // in a few words
	Clear    string    `json:"clear"`             // what clears it
	Who      string    `json:"who"`               // who can clear it
	Command  string    `json:"command,omitempty"` // with which they do
	Earliest time.Time `json:"earliest,omitzero"` // when it clears by itself; zero: never

	Changes []environments.RuleChange `json:"changes,omitempty"` // of the rules, where they are the reason
}

// WhyNot is everything that keeps a release out of an environment.
type WhyNot struct {
	Environment string         `json:"environment"`
	Release     ledger.Release `json:"release"`
	Champion    ledger.Release `json:"champion"`
	Plan        string         `json:"plan_digest"`
	Obstacles   []Obstacle     `json:"obstacles"`
	Waived      []Waiver       `json:"waived,omitempty"`    // what is no obstacle by somebody's word
	NextAt      time.Time      `json:"next_at,omitzero"`    // when it can go if everybody only waits; zero: never
	NotBefore   time.Time      `json:"not_before,omitzero"` // the earliest time it could go, whatever people clear; zero: now
	Command     string         `json:"command"`             // to run when nothing is in the way
}

// WhyNot asks everything that a promotion would ask, runs no gate, and changes nothing.
func (w *World) WhyNot(ctx context.Context, r Request) (*WhyNot, error) {
	p, c, err := w.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	s, err := p.state(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := p.plan(ctx, c, s)
	if err != nil {
		return nil, err
	}
	out := &WhyNot{
		Environment: p.name, Release: c.Release, Champion: s.Champion.Release, Plan: plan.digest, Obstacles: []Obstacle{},
		Command: promoting(c.Release, p.name),
	}
	if c.Artifact == s.Champion.Release.Artifact {
		return out, nil
	}
	var drifted []Drift
	if s.Flight == nil && s.Seq > 0 {
		at, err := p.addresses(ctx, s, plan.Plan)
		if err != nil {
			return nil, err
		}
		if drifted, err = p.settledDrift(ctx, s, at); err != nil {
			return nil, err
		}
	}
	a, err := p.admission(ctx, c, plan, s, r)
	if err != nil {
		return nil, err
	}
	out.Obstacles = append(out.Obstacles, a.obstacles(s, drifted)...)
	if out.Waived, err = p.waivers(ctx, s, c.Artifact); err != nil {
		return nil, err
	}
	out.Command = a.command()
	out.NextAt, out.NotBefore = earliest(out.Obstacles)
	return out, nil
}

func promoting(r ledger.Release, environment string) string {
	return "barge promote " + r.String() + " --to " + environment
}

// command promotes the candidate when nothing is in the way any more.
func (a *admission) command() string {
	if len(a.older) > 0 {
		return a.older[0].Run
	}
	return promoting(a.c.Release, a.name)
}

func (r Reason) obstacle() Obstacle {
	return Obstacle{r.Text, r.Brief, r.Clear, r.Who, r.Run, r.At, r.Changes}
}

// obstacles are all that keep the candidate out: what is in flight, what has drifted, and the reasons of admission.
func (a *admission) obstacles(s ledger.State, drifted []Drift) []Obstacle {
	var reasons []Reason
	switch {
	case s.Flight != nil:
		reasons = append(reasons, a.flying(s))
	case len(drifted) > 0:
		reasons = append(reasons, drifting(a.name, s, drifted))
	}
	var all []Obstacle
	for _, r := range append(reasons, a.reasons(s, true)...) {
		all = append(all, r.obstacle())
	}
	return all
}

// flying is what is in flight, as a reason to keep out.
func (p *place) flying(s ledger.State) Reason {
	r := Reason{
		Why: ErrConflict, Brief: "a " + string(s.Flight.Kind) + " is in flight", Run: "barge resume --env " + p.name,
		Who: "who began it (" + s.Flight.Actor + "), or once that barge is gone " + promotersTo(p.name),
	}
	var busy *Stop
	if errors.As(p.busy(s), &busy) {
		r.Text, r.Clear = busy.Message, busy.Next
	}
	return r
}

// earliest tells when all obstacles will have passed by themselves, zero when some never do, and before which time the
// last of those that do will not have.
func earliest(all []Obstacle) (byItself, notBefore time.Time) {
	people := false
	for _, o := range all {
		if o.Earliest.IsZero() {
			people = true
		}
		if o.Earliest.After(notBefore) {
			notBefore = o.Earliest
		}
	}
	if people {
		return time.Time{}, notBefore
	}
	return notBefore, notBefore
}
