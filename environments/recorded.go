package environments

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Recorded is what an artifact carries of the project: everything that is neither where nor a rule, as canonical JSON,
// in an order that does not depend on that of the blocks. Defaults are not in it.
func (p *Project) Recorded() (json.RawMessage, Diagnostics) {
	if diags := p.whole(); diags.HasErrors() {
		return nil, diags
	}
	raw, err := Canonical(p.recorded())
	if err != nil {
		return nil, broken("recording the project: "+err.Error(), "")
	}
	return raw, nil
}

// FromRecorded reads what an artifact carries. The project has neither where nor rules; see WithArtifact.
func FromRecorded(raw []byte) (*Project, error) {
	var p Project
	if err := strict(raw, &p); err != nil {
		return nil, fmt.Errorf("reading what the artifact records of its project: %w", err)
	}
	return &p, nil
}

// recorded is a copy that holds only what the artifact carries.
func (p *Project) recorded() Project {
	r := Project{Artifact: p.Artifact.recorded()}
	for _, registry := range p.Registries {
		registry.Workspace, registry.Host, registry.Token = "", "", ""
		if registry.Remote != nil {
			remote := *registry.Remote
			remote.Token = ""
			registry.Remote = &remote
		}
		r.Registries = append(r.Registries, registry)
	}
	r.Computes = slices.Clone(p.Computes)
	for _, e := range p.Environments {
		r.Environments = append(r.Environments, e.recorded())
	}
	slices.SortFunc(r.Registries, func(a, b Registry) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Computes, func(a, b Compute) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Environments, func(a, b Environment) int { return cmp.Compare(a.Name, b.Name) })
	return r
}

func (a *Artifact) recorded() *Artifact {
	if a == nil {
		return nil
	}
	r := *a
	r.Models = slices.Clone(a.Models)
	slices.SortFunc(r.Models, func(a, b Model) int { return cmp.Compare(a.Label, b.Label) })
	return &r
}

func (e Environment) recorded() Environment {
	r := Environment{Name: e.Name, Deploy: e.Deploy, Models: slices.Clone(e.Models)}
	for _, g := range e.Gates {
		r.Gates = append(r.Gates, Gate{Name: g.Name, Notebook: g.Notebook, Compute: g.Compute, Timeout: g.Timeout, Retries: g.Retries})
	}
	for _, s := range e.Scores {
		s.FirstRun, s.OnFailure, s.Expects = "", "", nil
		r.Scores = append(r.Scores, s)
	}
	slices.SortFunc(r.Models, func(a, b ModelUse) int { return cmp.Compare(a.Label, b.Label) })
	slices.SortFunc(r.Gates, func(a, b Gate) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Scores, func(a, b Score) int { return cmp.Compare(a.Name, b.Name) })
	return r
}

// WithArtifact is this project's where and rules with everything else from an artifact's (FromRecorded). Environments
// are this project's. A gate is there when the rules have it, without a notebook when the artifact has none for it; a
// score is there when the artifact has it.
func (p *Project) WithArtifact(artifact *Project) *Project {
	whole := *p
	whole.Artifact, whole.Computes = artifact.Artifact, artifact.Computes
	whole.Registries = nil
	for _, r := range artifact.Registries {
		if mine := p.Registry(r.Name); mine != nil {
			r.Workspace, r.Host, r.Token = mine.Workspace, mine.Host, mine.Token
			if r.Remote != nil && mine.Remote != nil {
				remote := *r.Remote
				remote.Token = mine.Remote.Token
				r.Remote = &remote
			}
		}
		whole.Registries = append(whole.Registries, r)
	}
	whole.holes = slices.DeleteFunc(slices.Clone(p.holes), func(h hole) bool { return h.part == rest })
	whole.Environments = nil
	for _, e := range p.Environments {
		whole.Environments = append(whole.Environments, e.with(artifact.carriedFor(e)))
	}
	return &whole
}

func (e Environment) with(carried Environment) Environment {
	e.Deploy, e.Models = carried.Deploy, carried.Models
	e.Gates = slices.Clone(e.Gates)
	for i, g := range e.Gates {
		theirs := orZero(carried.Gate(g.Name))
		g.Notebook, g.Compute, g.Timeout, g.Retries = theirs.Notebook, theirs.Compute, theirs.Timeout, theirs.Retries
		e.Gates[i] = g
	}
	var scores []Score
	for _, s := range carried.Scores {
		mine := orZero(e.Score(s.Name))
		s.FirstRun, s.OnFailure, s.Expects = mine.FirstRun, mine.OnFailure, mine.Expects
		scores = append(scores, s)
	}
	e.Scores = scores
	return e
}
