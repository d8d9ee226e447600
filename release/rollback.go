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

// Return is what a rollback is asked for.
type Return struct {
	Environment string
	Release     string // a name or an id; "" steps back
	Fault       string // what is barred: "artifact" (also ""), "model" or "data" (nothing)
	Reason      string
	LetFinish   bool          // do not cancel runs of what is removed
	Wait        time.Duration // how long at most to wait for an owner that may still be alive
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
	done, err := w.rollBack(ctx, r)
	return done, interrupted(ctx, err, "barge rollback --env "+r.Environment, "rolling %s back: nothing was done", r.Environment)
}

func (w *World) rollBack(ctx context.Context, r Return) (*RolledBack, error) {
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

// rollback decides on the state s, whatever happens meanwhile. judged is the Live whose first scoring failed; 0 when a
// person asks.
func (p *place) rollback(ctx context.Context, s ledger.State, r Return, judged int) (*RolledBack, error) {
	removed, plan, err := p.removed(ctx, s)
	if err != nil {
		return nil, err
	}
	bars, err := bars(removed, r)
	if err != nil {
		return nil, err
	}
	target, err := p.target(ctx, s, r.Release, removed, bars)
	if err != nil {
		return nil, &Stop{Why: ErrConflict, Err: err, Message: "rolling " + p.name + " back", Next: "barge history --env " + p.name + " lists what was live"}
	}
	done := &RolledBack{Environment: p.name, Release: target.Release, Removed: removed, Live: s.Champion.Live, Outcome: "nothing-to-do", Bars: bars}
	now := s
	if s.Flight != nil {
		if judged != 0 {
			return nil, p.busy(s)
		}
		if k := s.InFlight(); k == ledger.Rollback || k == ledger.TurnBack {
			return p.joinRollback(ctx, s, r, done)
		}
		if now, _, err = p.awaitGone(ctx, s, r.Wait); err != nil {
			return nil, err
		}
	}
	if now.Flight == nil && target.Release.Artifact == now.Champion.Release.Artifact {
		p.correctStore(ctx, now)
		done.Live = now.Champion.Live
		if healed, err := p.restore(ctx, now, target, done); healed || err != nil {
			return done, err
		}
		if removed.Artifact == target.Release.Artifact {
			done.Bars = nil // nothing was removed
		}
		return done, p.bar(ctx, done.Bars, now.Champion.Release)
	}
	if now, err = p.returnTo(ctx, s, now, target, done.Bars, judged); err != nil {
		return nil, err
	}
	done.Outcome, done.Live = "done", now.Champion.Live
	p.Note("live: %s is the champion of %s again", target.Release, p.name)
	if !r.LetFinish {
		if done.Cancelled, err = p.cancelRuns(context.WithoutCancel(ctx), plan, now); err != nil {
			p.Note("warning: runs of %s may still be going on: %s", removed, err)
		}
	}
	return done, nil
}

// removed is what a rollback takes away, and its plan: the champion, or a promotion in flight, also one whose taking
// back is in flight already.
func (p *place) removed(ctx context.Context, s ledger.State) (ledger.Release, string, error) {
	f, c := s.Flight, s.Champion
	switch {
	case f == nil || f.Kind != ledger.Start && f.Release.Artifact != c.Release.Artifact:
		return c.Release, c.Plan, nil
	case f.Kind == ledger.Start:
		return f.Release, f.Plan, nil
	}
	back, err := p.begun(ctx, f.First)
	if err != nil || back.Replaces == 0 { // what drifted is mended
		return c.Release, c.Plan, err
	}
	start, err := p.begun(ctx, back.Replaces)
	return start.Release, start.Plan, err
}

// begun reads the Begun of that number.
func (p *place) begun(ctx context.Context, seq int) (ledger.Begun, error) {
	entry, err := p.book.Entry(ctx, seq)
	if err != nil {
		return ledger.Begun{}, err
	}
	b, ok := entry.Body.(ledger.Begun)
	if !ok {
		return b, fmt.Errorf("ledger entry %d of %s is no Begun", seq, p.name)
	}
	return b, nil
}

// target is what is returned to. Where the state does not reach back so far, the ledger does.
func (p *place) target(ctx context.Context, s ledger.State, named string, removed ledger.Release, bars []ledger.Bar) (ledger.Past, error) {
	for {
		t, err := target(s, named, removed, bars)
		if !errors.Is(err, ledger.ErrTooOld) {
			return t, err
		}
		older, more, reading := p.book.Older(ctx, s)
		if reading != nil || !more {
			return t, errors.Join(err, reading)
		}
		s = older
	}
}

// target leaves out what is removed even where it was live twice, and what shares the fault that is barred.
func target(s ledger.State, named string, removed ledger.Release, bars []ledger.Bar) (ledger.Past, error) {
	if named != "" {
		if t, err := s.RollbackTarget(named); err != nil || t.Release.Artifact == s.Champion.Release.Artifact {
			return t, err
		}
	}
	if removed.Artifact != "" {
		bars = append(slices.Clip(bars), ledger.Bar{Artifact: removed.Artifact, Reason: "it is what is removed"})
	}
	s.Bars = slices.Clip(s.Bars)
	for _, bar := range bars {
		s.Bars = append(s.Bars, ledger.Placed[ledger.Bar]{Said: bar, Seq: s.Seq})
	}
	return s.RollbackTarget(named)
}

// restore puts back what stood in a Genesis that drifted: there is no release to promote that would mend it.
func (p *place) restore(ctx context.Context, s ledger.State, target ledger.Past, done *RolledBack) (bool, error) {
	if s.Champion.Release.Artifact != "" {
		return false, nil
	}
	at, err := p.returnAddresses(ctx, s, target)
	if err != nil {
		return false, err
	}
	drifted, err := p.drift(ctx, s, at)
	if err != nil || len(drifted) == 0 {
		return false, err
	}
	now, err := p.returnTo(ctx, s, s, target, nil, 0)
	if err == nil {
		done.Outcome, done.Live = "done", now.Champion.Live
	}
	return true, err
}

// returnTo begins the rollback, over what is in flight in the state now when its owner is gone, and switches.
func (p *place) returnTo(ctx context.Context, s, now ledger.State, target ledger.Past, bars []ledger.Bar, judged int) (ledger.State, error) {
	at, err := p.returnAddresses(ctx, now, target)
	if err != nil {
		return now, err
	}
	replaces := 0
	if now.Flight != nil {
		if err := p.readable(ctx, now, at); err != nil {
			return now, err
		}
		replaces = now.Flight.Seq
	}
	if err := p.present(ctx, target.Release.Artifact, target.Plan); ctx.Err() != nil {
		return now, err
	} else if err != nil {
		return now, &Stop{
			Why: ErrConflict, Err: err, Next: "put it back, or name another release: barge history --env " + p.name + " lists what was live",
			Message: fmt.Sprintf("rolling %s back to %s: it is no more whole, nothing was done", p.name, target.Release),
		}
	}
	p.Note("rolling %s back to %s", p.name, target.Release)
	o, err := p.begin(ctx, at, func(now ledger.State) (ledger.Begun, error) {
		inFlight := 0
		if now.Flight != nil {
			inFlight = now.Flight.Seq
		}
		if now.Decision != s.Decision || inFlight != replaces || judged != 0 && (now.Champion.Live != judged || now.IsProven()) {
			return ledger.Begun{}, stop(ErrConflict, "barge status --env "+p.name, "rolling %s back: it has moved meanwhile, nothing was done", p.name)
		}
		if bar, barred := now.Barred(target.Release); barred {
			return ledger.Begun{}, stop(ErrConflict, "barge history --env "+p.name, "rolling %s back to %s: it is barred since entry %d: %s", p.name, target.Release, bar.Seq, bar.Said.Reason)
		}
		to, back, _ := now.Return(target.Values)
		return ledger.Begun{
			Why: ledger.Rollback, Plan: target.Plan, Release: target.Release, To: to, Back: back, Bars: bars, Replaces: replaces, Seen: now.Decision,
			Start: target.Live, Judges: target.Judges,
		}, nil
	})
	if err != nil {
		return now, err
	}
	now, err = o.finish(ctx)
	if err == nil {
		p.tellStore(ctx, now)
	}
	return now, err
}

// joinRollback is a rollback asked for while one is in flight: that is the rollback. It is waited for, or finished when
// its owner is gone, and this command adds its own bars.
func (p *place) joinRollback(ctx context.Context, s ledger.State, r Return, done *RolledBack) (*RolledBack, error) {
	now, err := p.goOn(ctx, s, Resumption{Environment: p.name, Wait: r.Wait}, &Resumed{})
	if err != nil {
		return nil, err
	}
	done.Outcome, done.Release, done.Live = "done", now.Champion.Release, now.Champion.Live
	return done, p.bar(context.WithoutCancel(ctx), done.Bars, now.Champion.Release)
}

// bar appends bars that are not there yet. What is live again is never barred by its own return.
func (p *place) bar(ctx context.Context, bars []ledger.Bar, live ledger.Release) error {
	for _, bar := range bars {
		_, err := p.book.Append(ctx, func(s ledger.State) (ledger.Body, error) {
			there := slices.ContainsFunc(s.Bars, func(b ledger.Placed[ledger.Bar]) bool {
				return b.Said.Artifact == bar.Artifact && b.Said.Model == bar.Model
			})
			if there || bar.Artifact != "" && bar.Artifact == live.Artifact {
				return nil, nil
			}
			return ledger.Barred{Bar: bar}, nil
		})
		if err != nil {
			return fmt.Errorf("barring what was removed from %s: %w", p.name, err)
		}
	}
	return nil
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
func (p *place) cancelRuns(ctx context.Context, removed string, now ledger.State) ([]string, error) {
	plan, err := p.recordedPlan(ctx, removed)
	if err != nil || plan == nil {
		return nil, err
	}
	var pages []string
	for id := range plan.Values {
		number := now.Job(id)
		if number == 0 || !strings.HasPrefix(id, ledger.JobPrefix) {
			continue
		}
		runs, err := p.site.Cancel(ctx, number, plan.Folder, plan.Release.Name)
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
