package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// compared is the champion that a gate compares with.
type compared struct {
	environment string
	id          string // its artifact, gates.NoChampion or gates.UnknownChampion
	called      string // as the ledger calls it, where that was read: an artifact may have several names
}

func (c compared) known() bool { return c.id != gates.NoChampion && c.id != gates.UnknownChampion }

// compared finds the champion of the environment that the gate is against: from that environment's ledger where it may
// be read, else from the store's tag.
func (p *place) compared(ctx context.Context, s ledger.State, g environments.Gate) (compared, error) {
	name, key := g.Against, g.Against
	if e := p.Project.ByKey(g.Against); e != nil {
		name, key = e.Name, e.Key()
	}
	c := compared{environment: name}
	if name == "" || name == p.name {
		c.environment, c.id, c.called = p.name, orNone(s.Champion.Release.Artifact), s.Champion.Release.Name
		return c, nil
	}
	c.id = gates.UnknownChampion
	other, unreadable := p.place(name)
	if unreadable == nil {
		var theirs ledger.State
		if theirs, unreadable = other.state(ctx); unreadable == nil {
			c.id, c.called = orNone(theirs.Champion.Release.Artifact), theirs.Champion.Release.Name
		}
		if theirs.Seq > 0 {
			return c, nil
		}
	}
	if p.Store == nil {
		return c, nil
	}
	if id, known, err := p.Store.Live(ctx, key); err != nil {
		return c, fmt.Errorf("asking the store what is live in %s: %w", name, err)
	} else if known {
		c.id = orNone(id)
	}
	return c, ctx.Err()
}

func orNone(artifact string) string { return cmp.Or(artifact, gates.NoChampion) }

// incomparable is a champion whose facts cannot be had: it says nothing of the candidate.
type incomparable struct{ err error }

func (i *incomparable) Error() string { return i.err.Error() }
func (i *incomparable) Unwrap() error { return i.err }

// championFacts are what the champion answers to the same gate: run from its own folder with its own model, or as
// recorded. Nil without a champion.
func (p *place) championFacts(ctx context.Context, plan *prepared, g asking, champion compared, attempt int) (*environments.Facts, string, error) {
	if !champion.known() {
		return nil, "", nil
	}
	if g.Comparison() == "recorded" {
		s, err := p.state(ctx)
		if err != nil {
			return nil, "", err
		}
		e, err := p.evidence(ctx, s, g.Name, champion.id)
		if err != nil {
			return nil, "", &incomparable{fmt.Errorf("comparing with what is recorded of the champion %.19s: %w", champion.id, err)}
		}
		facts := e.Facts(e.Name)
		return &facts, "recorded", nil
	}
	c, err := p.open(ctx, champion.id)
	if errors.Is(err, artifacts.ErrNoRelease) {
		return nil, "", &incomparable{fmt.Errorf("running the champion: %w; compare = \"recorded\" in gate %s takes its recorded evidence instead", err, g.Name)}
	}
	if err != nil {
		return nil, "", err
	}
	e, diags := c.project.Resolve(p.name)
	if diags.HasErrors() {
		return nil, "", diags
	}
	folder, task, err := p.render(ctx, c, e)
	if err != nil {
		return nil, "", err
	}
	if err := p.deploy(ctx, c, folder, e); err != nil {
		return nil, "", err
	}
	notebook, compute := g.Notebook, g.Compute
	if own := e.Gate(g.Name); own != nil && own.Notebook != "" { // the candidate may have other names for both
		notebook, compute = own.Notebook, own.Compute
	}
	token := gates.Token(plan.digest, g.step("champion"), attempt)
	order, err := p.order(c.project, folder, task, notebook, compute, g.Parameters, token)
	if err != nil {
		return nil, "", err
	}
	called := cmp.Or(champion.called, c.Release.String())
	run, err := p.runOnce(ctx, effects.Order{Name: "gate " + g.Name + " of the champion " + called, Token: token, Task: order, Timeout: g.RunTimeout()})
	if err != nil {
		return nil, "", err
	}
	facts, err := gates.Question{Told: told(task), Models: g.Models}.Facts(run, called)
	if err != nil {
		return nil, "", &incomparable{err}
	}
	return &facts, "rerun", nil
}
