package release

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/ledger"
)

// Candidate is a release that could go to an environment next: the champion of one that it follows.
type Candidate struct {
	Release   ledger.Release `json:"release"`
	From      []string       `json:"from"`      // the environments whose champion it is
	Waits     []Obstacle     `json:"waits_for"` // as far as the ledgers say; why-not asks its artifact, too
	NextAt    time.Time      `json:"next_at,omitzero"`
	NotBefore time.Time      `json:"not_before,omitzero"`
	Waivers   []Waiver       `json:"waivers,omitempty"` // in force for it, also where it comes from
	Command   string         `json:"command"`
}

// weighed is a candidate with what the ledgers have about its admission.
type weighed struct {
	*admission
	from   []string
	waived []Waiver
}

// candidates are the champions of the environments followed that are not this environment's.
func (p *place) candidates(ctx context.Context, s ledger.State) ([]weighed, error) {
	var all []weighed
	for _, up := range p.World.upstream(p.name) {
		u, err := p.World.place(up)
		if err != nil {
			return nil, err
		}
		theirs, err := u.state(ctx)
		if err != nil {
			return nil, err
		}
		r := theirs.Champion.Release
		if r.Artifact == "" || r.Artifact == s.Champion.Release.Artifact {
			continue
		}
		i := slices.IndexFunc(all, func(w weighed) bool { return w.c.Artifact == r.Artifact })
		if i >= 0 {
			all[i].from = append(all[i].from, up)
			continue
		}
		a, err := p.unopened(ctx, r, s)
		if err != nil {
			return nil, fmt.Errorf("asking what %s waits for: %w", r, err)
		}
		waived, err := p.waivers(ctx, s, r.Artifact)
		if err != nil {
			return nil, err
		}
		all = append(all, weighed{a, []string{up}, waived})
	}
	return all, nil
}

// unopened gathers what the ledgers say about admitting a release whose artifact is not at hand. Its rules are taken
// to have the notebooks that the rules in force pin.
func (p *place) unopened(ctx context.Context, r ledger.Release, s ledger.State) (*admission, error) {
	c := &candidate{Release: r, project: p.Project}
	e, diags := p.Project.Resolve(p.name)
	if diags.HasErrors() {
		return nil, diags
	}
	rules, err := p.rules(ctx, c)
	if err != nil {
		return nil, err
	}
	return p.admission(ctx, c, &prepared{Plan: &Plan{Rules: rules.Digest()}, environment: e, brings: rules}, s, Request{})
}

// pinnedNow is the notebook that the rules in force in an environment pin for one of its gates; none is no error.
func (w *World) pinnedNow(ctx context.Context) func(environment, gate string) (environments.Pin, error) {
	return func(environment, gate string) (environments.Pin, error) {
		p, err := w.place(w.Project.ByKey(environment).Name)
		if err != nil {
			return environments.Pin{}, err
		}
		s, err := p.state(ctx)
		if err != nil {
			return environments.Pin{}, err
		}
		rules, err := recordedRules(s.Rules.Text)
		return rules.Pins[gate], err
	}
}

// candidate says what it waits for, when that is how far the environment has drifted.
func (w weighed) candidate(s ledger.State, drifted []Drift) Candidate {
	c := Candidate{
		Release: w.c.Release, From: w.from, Waits: append([]Obstacle{}, w.obstacles(s, drifted)...),
		Waivers: w.waived, Command: w.command(),
	}
	c.NextAt, c.NotBefore = earliest(c.Waits)
	return c
}
