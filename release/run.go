package release

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/internal/effects"
)

// order is one notebook run of a release: what is run, told what, on what.
func (p *place) order(
	project *environments.Project, f *effects.Folder, told gates.Task, notebook, compute string, parameters map[string]string, run string,
) (effects.Task, error) {
	told.Run = run
	return task(project, f, notebook, compute, parameters, told.Told())
}

// task is a notebook of a folder with all that it is told: its own parameters, and over them what barge tells it.
func task(project *environments.Project, f *effects.Folder, notebook, compute string, parameters, told map[string]string) (effects.Task, error) {
	at, err := f.Notebook(notebook)
	if err != nil {
		return effects.Task{}, err
	}
	c, err := computeOf(project, compute)
	if err != nil {
		return effects.Task{}, err
	}
	widgets := map[string]string{}
	maps.Copy(widgets, parameters)
	maps.Copy(widgets, told)
	return effects.Task{Notebook: at, Parameters: widgets, Compute: effects.Compute(c), Libraries: effects.Libraries(c)}, nil
}

// computeOf finds a compute by name; no name is serverless.
func computeOf(project *environments.Project, name string) (*environments.Compute, error) {
	if name == "" {
		return nil, nil
	}
	c := project.Compute(name)
	if c == nil {
		return nil, fmt.Errorf("compute %q is not defined in the release", name)
	}
	return c, nil
}

// answered is a run's end as the gates judge it.
func answered(o effects.Outcome) gates.Run {
	return gates.Run{
		ID: o.ID, URL: o.URL, Result: o.Result, Message: o.Message, Error: o.Error, Answer: o.Answer, Truncated: o.Truncated,
	}
}

// numbers are metrics as they are shown.
func numbers(metrics map[string]json.Number) map[string]float64 {
	all := map[string]float64{}
	for name, n := range metrics {
		all[name], _ = n.Float64() // who judges them reads the text
	}
	return all
}

// told are the versions that a notebook is told, by label.
func told(t gates.Task) map[string]string {
	versions := map[string]string{}
	for label, m := range t.Models {
		versions[label] = m.Version
	}
	return versions
}

// errCancelled says that a run was begun and cancelled, since the command that waited for it was interrupted.
var errCancelled = errors.New("the run was cancelled")

// runOnce starts a one-off run, waits for it, and cancels it when the command is interrupted.
func (p *place) runOnce(ctx context.Context, o effects.Order) (gates.Run, error) {
	if err := ctx.Err(); err != nil {
		return gates.Run{}, err
	}
	defer p.step("cancelling the run %s", o.Name)()
	whole := context.WithoutCancel(ctx)
	run, err := p.site.Start(whole, o) // cut short it might be a run that nobody knows of
	if err != nil {
		return gates.Run{}, err
	}
	out, err := p.site.Await(ctx, run, "", func(page string) { p.Note("  running %s: %s", o.Name, page) })
	if err != nil && ctx.Err() != nil {
		return gates.Run{}, errors.Join(fmt.Errorf("%w: %s (run %d): %w", errCancelled, o.Name, run, ctx.Err()), p.site.Workspace.CancelRun(whole, run))
	}
	return answered(out), err
}

// runOfItsOwn is a token that nobody shares: the run is asked for by hand, and asked for again is another one. A call
// that is repeated for want of an answer repeats the token.
func runOfItsOwn(what string) string { return gates.Token(what, rand.Text(), 1) }

// sorted are the keys of a map, sorted.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
