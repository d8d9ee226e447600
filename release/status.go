package release

import (
	"context"
	"fmt"
	"time"

	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// Drift is a pointer that is not what the ledger says.
type Drift struct {
	Pointer string       `json:"pointer"`
	Want    ledger.Value `json:"want"`
	Holds   ledger.Value `json:"holds"`
}

func (d Drift) String() string {
	return fmt.Sprintf("%s holds %.80s, and the ledger says %.80s", d.Pointer, d.Holds, d.Want)
}

// drift reads every pointer of the champion.
func (p *place) drift(ctx context.Context, s ledger.State, at []effects.Address) ([]Drift, error) {
	var out []Drift
	for _, id := range sorted(s.Champion.Values) {
		want := s.Champion.Values[id]
		pointer, err := p.pointer(s, at, id)
		if err != nil {
			return nil, err
		}
		held, err := pointer.Holds(ctx, want)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", id, err)
		}
		if held {
			continue
		}
		now, err := pointer.Read(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", id, err)
		}
		out = append(out, Drift{id, want, now})
	}
	return out, nil
}

// undrifted refuses a promotion over pointers that are not the champion's.
func (p *place) undrifted(ctx context.Context, s ledger.State, at []effects.Address) error {
	if s.Flight != nil {
		return nil // what is in flight is told first
	}
	drifted, err := p.drift(ctx, s, at)
	if err != nil || len(drifted) == 0 {
		return err
	}
	next := "barge promote " + s.Champion.Release.Name + " --to " + p.name + " mends it"
	if s.Champion.Release.Artifact == "" {
		next = "barge rollback --env " + p.name + " puts back what stood there"
	}
	return stop(ErrConflict, next, "%s has drifted: %s", p.name, drifted[0])
}

// Status is what one environment looks like.
type Status struct {
	Environment string           `json:"environment"`
	Title       string           `json:"title,omitempty"`
	Workspace   string           `json:"workspace"`
	Release     ledger.Release   `json:"release"`
	Live        int              `json:"live"`
	Since       time.Time        `json:"since,omitzero"`
	By          ledger.Why       `json:"by,omitempty"`
	Proven      ledger.How       `json:"proven,omitempty"`
	InFlight    *ledger.Flight   `json:"in_flight,omitempty"`
	Hold        *ledger.Hold     `json:"hold,omitempty"`
	Bars        []ledger.Bar     `json:"bars,omitempty"`
	Drift       []Drift          `json:"drift"`
	Problem     string           `json:"problem,omitempty"` // why nothing more can be said
	Pointers    ledger.Values    `json:"pointers,omitempty"`
	Jobs        map[string]int64 `json:"jobs,omitempty"`
}

// Status reads environments, those named or all that have a path, in the order of barge.hcl. An environment that
// cannot be read says why and does not keep the others from being told.
func (w *World) Status(ctx context.Context, only string) ([]Status, error) {
	if only != "" {
		if _, err := w.place(only); err != nil {
			return nil, err
		}
	}
	var all []Status
	for _, e := range w.Project.Environments {
		if only != "" && e.Name != only {
			continue
		}
		st := Status{Environment: e.Name, Title: e.Title, Workspace: e.Workspace, Drift: []Drift{}}
		if err := w.status(ctx, &st); err != nil {
			if ctx.Err() != nil || only != "" {
				return nil, err
			}
			st.Problem = err.Error()
		}
		all = append(all, st)
	}
	return all, nil
}

func (w *World) status(ctx context.Context, st *Status) error {
	p, err := w.place(st.Environment)
	if err != nil {
		return err
	}
	s, err := p.state(ctx)
	if err != nil {
		return err
	}
	c := s.Champion
	st.Release, st.Live, st.Since, st.By, st.Proven = c.Release, c.Live, c.At, c.By, c.Proven
	st.InFlight, st.Hold, st.Pointers = s.Flight, s.Hold, c.Values
	for _, b := range s.Bars {
		st.Bars = append(st.Bars, b.Said)
	}
	st.Jobs = map[string]int64{}
	for id := range s.Jobs {
		st.Jobs[id] = s.Job(id)
	}
	if s.Seq == 0 || s.Flight != nil {
		return nil // between two champions pointers are on their way
	}
	at, err := p.addresses(ctx, s, nil)
	if err != nil {
		return err
	}
	if c.Plan == "" {
		return nil // Genesis: what stood there before is not ours to watch
	}
	drifted, err := p.drift(ctx, s, at)
	if len(drifted) > 0 {
		st.Drift = drifted
	}
	return err
}
