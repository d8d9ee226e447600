package release

import (
	"context"
	"fmt"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// asking is how a gate is asked: whose notebook judges, and to which rules its evidence is bound.
type asking struct {
	environments.Gate
	by     *candidate // whose notebook and compute it is
	folder *effects.Folder
	rules  string // digest
	apart  string // what its runs are called beside those of the candidate's own notebook
}

// step names one of its runs within a plan.
func (a asking) step(what string) string { return what + ":" + a.Name + a.apart }

// asking is how a candidate is asked. Its own notebook judges it, but where it changes one that is pinned and nobody
// approved that: then the gate is asked as the rules in force have it.
func (p *place) asking(ctx context.Context, c *candidate, plan *prepared, s ledger.State, g environments.Gate) (asking, error) {
	own := asking{Gate: g, by: c, folder: plan.folder, rules: plan.Rules}
	if !rulesChange(s, plan.brings).pending() {
		return own, nil
	}
	inForce, err := environments.RulesFromJSON(s.Rules.Text)
	if err != nil {
		return own, fmt.Errorf("asking gate %s of %s: %w", g.Name, p.name, err)
	}
	pin, pinned := inForce.Pins[g.Name]
	gate := inForce.Gate(g.Name)
	if !pinned || gate == nil || len(s.Past) == 0 {
		return own, nil
	}
	if now, err := c.pin(ctx, p.name, g.Name); err != nil || now.Same(pin) {
		return own, err
	}
	return p.askingInForce(ctx, s, *gate, c)
}

// askingInForce asks a gate under the rules in force: by the notebook of the release that brought them, from that
// release's folder.
func (p *place) askingInForce(ctx context.Context, s ledger.State, g environments.Gate, c *candidate) (asking, error) {
	brought := s.Past[len(s.Past)-1].Release
	fail := func(err error) (asking, error) {
		return asking{}, fmt.Errorf("asking gate %s of %s by its pinned notebook, which %s brought: %w", g.Name, p.name, brought, err)
	}
	by, err := p.open(ctx, brought.Artifact)
	if err != nil {
		return fail(err)
	}
	e, diags := by.project.Resolve(p.name)
	if diags.HasErrors() {
		return fail(diags)
	}
	folder, _, err := p.render(ctx, by, e)
	if err != nil {
		return fail(err)
	}
	if err := p.deploy(ctx, by, folder, e); err != nil {
		return fail(err)
	}
	theirs := e.Gate(g.Name)
	g.Notebook, g.Compute, g.Timeout, g.Retries = theirs.Notebook, theirs.Compute, theirs.Timeout, theirs.Retries
	p.Note("gate %s: %s changes its pinned notebook, which nobody approved: that of %s is run", g.Name, c.Release, brought)
	return asking{Gate: g, by: by, folder: folder, rules: s.Rules.Digest, apart: " under " + s.Rules.Digest}, nil
}
