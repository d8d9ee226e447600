package release

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// Return is what a rollback is asked for.
type Return struct {
	Environment string
	Release     string // a name or an id; "" steps back
	Fault       string // what is barred: "artifact" (also ""), "model" or "data" (nothing)
	Reason      string
	LetFinish   bool // do not cancel runs of what is removed
}

// RolledBack is what a rollback did.
type RolledBack struct {
	Environment string         `json:"environment"`
	Release     ledger.Release `json:"release"` // what is live again
	Removed     ledger.Release `json:"removed"`
	Outcome     string         `json:"outcome"` // done, nothing-to-do
	Live        int            `json:"live"`
	Bars        []ledger.Bar   `json:"bars,omitempty"`
	Cancelled   []string       `json:"cancelled_runs,omitempty"` // pages of runs that may have written something
}

// Rollback makes an earlier champion the champion again, from the ledger alone: nothing is uploaded and nothing run.
// No approval, gate, soak, freeze or hold stands in its way.
func (w *World) Rollback(ctx context.Context, r Return) (*RolledBack, error) {
	p, err := w.place(r.Environment)
	if err != nil {
		return nil, err
	}
	s, err := p.state(ctx)
	if err != nil {
		return nil, err
	}
	if s.Seq == 0 {
		return nil, stop(ErrConflict, "barge status", "rolling %s back: nothing was ever promoted there", p.name)
	}
	return p.rollback(ctx, s, r, 0)
}

// rollback decides on the state s. judged is the Live whose first scoring failed; 0 when a person asks.
func (p *place) rollback(ctx context.Context, s ledger.State, r Return, judged int) (*RolledBack, error) {
	if f := s.Flight; f != nil {
		return nil, stop(ErrConflict, "barge status shows when it is over; then roll back",
			"a %s of %s in %s is in flight, begun by %s (%s) at %s", f.Kind, f.Release, p.name, f.Actor, f.By, f.At.Format("15:04:05 MST"))
	}
	target, err := s.RollbackTarget(r.Release)
	if err != nil {
		return nil, &Stop{Why: ErrConflict, Err: err, Message: "rolling " + p.name + " back", Next: "barge history --env " + p.name + " lists what was live"}
	}
	done := &RolledBack{Environment: p.name, Release: target.Release, Removed: s.Champion.Release, Live: s.Champion.Live, Outcome: "nothing-to-do"}
	if target.Release.Artifact == s.Champion.Release.Artifact && target.Live == s.Champion.Start {
		return done, nil
	}
	if done.Bars, err = bars(s.Champion.Release, r); err != nil {
		return nil, err
	}
	at, err := p.returnAddresses(ctx, s, target)
	if err != nil {
		return nil, err
	}
	p.Note("rolling %s back from %s to %s", p.name, s.Champion.Release, target.Release)
	o, err := p.begin(ctx, at, func(now ledger.State) (ledger.Begun, error) {
		if now.Decision != s.Decision || now.Flight != nil || judged != 0 && (now.Champion.Live != judged || now.IsProven()) {
			return ledger.Begun{}, stop(ErrConflict, "barge status --env "+p.name, "rolling %s back: it has moved meanwhile, nothing was done", p.name)
		}
		if bar, barred := now.Barred(target.Release); barred {
			return ledger.Begun{}, stop(ErrConflict, "barge history --env "+p.name, "rolling %s back to %s: it is barred since entry %d: %s", p.name, target.Release, bar.Seq, bar.Said.Reason)
		}
		to, back, _ := now.Return(target.Values)
		return ledger.Begun{
			Why: ledger.Rollback, Plan: target.Plan, Release: target.Release, To: to, Back: back, Bars: done.Bars, Seen: now.Decision,
		}, nil
	})
	if err != nil {
		return nil, err
	}
	whole := context.WithoutCancel(ctx)
	if err := o.switchPointers(whole); err != nil {
		return nil, errors.Join(o.stranded(target.Release, err), o.leave(whole, err))
	}
	now, err := o.live(whole)
	if err != nil {
		return nil, err
	}
	done.Outcome, done.Live = "done", now.Champion.Live
	p.tellStore(whole, now)
	p.Note("live: %s is the champion of %s again", target.Release, p.name)
	if !r.LetFinish {
		done.Cancelled, err = p.cancelRuns(whole, s, now)
	}
	return done, err
}

// bars says what a rollback keeps from coming back by itself.
func bars(removed ledger.Release, r Return) ([]ledger.Bar, error) {
	reason := r.Reason
	if reason == "" {
		reason = "rolled back from " + r.Environment
	}
	switch {
	case removed.Artifact == "" || r.Fault == "data":
		return nil, nil
	case r.Fault == "" || r.Fault == "artifact":
		return []ledger.Bar{{Artifact: removed.Artifact, Name: removed.Name, Reason: reason}}, nil
	case r.Fault != "model":
		return nil, fmt.Errorf("--fault %q: write artifact, model or data", r.Fault)
	}
	var out []ledger.Bar
	for _, label := range sorted(removed.Models) {
		out = append(out, ledger.Bar{Model: removed.Models[label].Digest, Name: removed.Name, Reason: reason})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("--fault model: release %s has no model", removed)
	}
	return out, nil
}

// returnAddresses says where the pointers of the champion and of the target stand.
func (p *place) returnAddresses(ctx context.Context, s ledger.State, target ledger.Past) ([]effects.Address, error) {
	plan, err := p.recordedPlan(ctx, target.Plan)
	if err != nil {
		return nil, err
	}
	return p.addresses(ctx, s, plan)
}

// cancelRuns ends what the removed release had started on the jobs, and names it.
func (p *place) cancelRuns(ctx context.Context, before, now ledger.State) ([]string, error) {
	plan, err := p.recordedPlan(ctx, before.Champion.Plan)
	if err != nil || plan == nil {
		return nil, err
	}
	var pages []string
	for id := range before.Champion.Values {
		number := now.Job(id)
		if number == 0 || !strings.HasPrefix(id, "job:") {
			continue
		}
		runs, err := p.site.Cancel(ctx, number, plan.Folder)
		for _, run := range runs {
			p.Note("  cancelled %s: it may have written something", run)
		}
		pages = append(pages, runs...)
		if err != nil {
			return pages, err
		}
	}
	return pages, nil
}
