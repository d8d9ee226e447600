package environments

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// hole is a value that was unknown when the project was loaded: a variable or env() that is not set.
type hole struct {
	owner string // the block at the top that has it: "workspace.prod"
	part  part
	diag  Diagnostic
}

// toTwins says whether the sandbox knows better what is missing: how to reach a workspace or a registry.
func (h hole) toTwins() bool {
	kind, _, _ := strings.Cut(h.owner, ".")
	return h.part == where && (kind == "workspace" || kind == "registry")
}

// part says whose copy of a value counts.
type part int

const (
	rest  part = iota // the artifact's
	where             // what is read where barge runs
	rule              // what is changed by approval alone
)

// Resolve is the environment of that name. The diagnostics say what is not set of all that it refers to: its workspace,
// its computes, and the registries of its models with their workspaces; another environment's variables may be missing.
// It is nil when there is no such environment.
func (p *Project) Resolve(environment string) (*Environment, Diagnostics) {
	e := p.Environment(environment)
	if now := p.renamed(environment); e == nil && now != nil {
		return nil, broken(fmt.Sprintf("environment %q is called %q now", environment, now.Name), "did you mean "+now.Name+"?")
	}
	if e == nil {
		var names []string
		for _, other := range p.Environments {
			names = append(names, other.Name)
		}
		return nil, broken(fmt.Sprintf("there is no environment %q", environment), didYouMean(environment, "%s", names))
	}
	owners := map[string]bool{"project." + p.Name: true, "environment." + e.Name: true, "workspace." + e.Workspace: true}
	for _, g := range e.Gates {
		owners["compute."+g.Compute] = true
	}
	for _, s := range e.Scores {
		owners["compute."+s.Compute] = true
	}
	for _, use := range e.Models {
		if m := p.Artifact.Model(use.Label); m != nil && m.Registry != "" {
			owners["registry."+m.Registry] = true
			owners["workspace."+orZero(p.Registry(m.Registry)).Workspace] = true
		}
	}
	return e, p.missing(func(h hole) bool { return owners[h.owner] })
}

// Workspace is the workspace of that name. The diagnostics say what is not set of its host and of how to sign in. It is
// nil when there is no such workspace.
func (p *Project) Workspace(name string) (*Workspace, Diagnostics) {
	w := find(p.Workspaces, func(w *Workspace) string { return w.Name }, name)
	if w == nil {
		var names []string
		for _, other := range p.Workspaces {
			names = append(names, other.Name)
		}
		return nil, broken(fmt.Sprintf("there is no workspace %q", name), didYouMean(name, "%s", names))
	}
	return w, p.missing(func(h hole) bool { return h.owner == "workspace."+name })
}

// whole says what is not set of what the artifact records.
func (p *Project) whole() Diagnostics {
	return p.missing(func(h hole) bool { return h.part == rest })
}

// missing are the holes that matter, as errors; a variable that is not set is named once.
func (p *Project) missing(matters func(hole) bool) Diagnostics {
	var diags Diagnostics
	said := map[string]bool{}
	for _, h := range p.holes {
		if matters(h) && !said[h.diag.Summary] {
			said[h.diag.Summary] = true
			diags = append(diags, h.diag)
		}
	}
	return tidy(diags)
}

// sorted are the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// prefixed puts a suffix to each of the words.
func prefixed(words []string, suffix string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w + suffix
	}
	return out
}
