package environments

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Rules are what must hold before an environment changes. They are changed by approval alone, and recorded in full.
//
// Environments are called by their keys. Of Gates and Scores only what is a rule is set: of a gate its name, parameters, valid_for, against, compare, pinned,
// models and expects; of a score its name, first_run, on_failure and expects. Lists are sorted, so that the order of
// blocks is no rule.
type Rules struct {
	Follows   []string         `json:"follows,omitempty"`
	Operators []string         `json:"operators,omitempty"`
	Soak      Duration         `json:"soak,omitempty"`
	Gates     []Gate           `json:"gates,omitempty"`
	Scores    []Score          `json:"scores,omitempty"`
	Pins      map[string]Pin   `json:"pins,omitempty"`     // by gate whose notebook is pinned, see Pinned
	Upstream  map[string]Rules `json:"upstream,omitempty"` // of every environment followed
}

// Pin is a gate's notebook that is itself a rule.
type Pin struct {
	Notebook string            `json:"notebook"`
	Digest   string            `json:"digest"`         // of the notebook with all that it reaches by %run
	Bind     map[string]string `json:"bind,omitempty"` // the environment's bindings of text that stands in it
}

// Same tells whether both are the same notebook, with the same text bound in it.
func (p Pin) Same(other Pin) bool {
	return p.Notebook == other.Notebook && p.Digest == other.Digest && maps.Equal(p.Bind, other.Bind)
}

// Pinned are these rules with the notebook of every gate that is pinned, the environment's own and those upstream.
// notebook gives a release's notebook for a gate; its error is returned.
func (r Rules) Pinned(environment string, notebook func(environment, gate string) (Pin, error)) (Rules, error) {
	r.Pins, r.Upstream = nil, maps.Clone(r.Upstream)
	for _, g := range r.Gates {
		if !g.Pinned {
			continue
		}
		pin, err := notebook(environment, g.Name)
		if err != nil {
			return Rules{}, err
		}
		if r.Pins == nil {
			r.Pins = map[string]Pin{}
		}
		r.Pins[g.Name] = pin
	}
	for _, name := range sorted(r.Upstream) {
		var err error
		if r.Upstream[name], err = r.Upstream[name].Pinned(name, notebook); err != nil {
			return Rules{}, err
		}
	}
	return r, nil
}

// Gate returns what is a rule of the gate of that name, nil when there is none.
func (r Rules) Gate(name string) *Gate {
	return find(r.Gates, func(g *Gate) string { return g.Name }, name)
}

// Rules are those of barge.hcl for an environment, with those of every environment that it follows.
func (p *Project) Rules(environment string) (Rules, Diagnostics) {
	e := p.Environment(environment)
	if e == nil {
		return Rules{}, broken(fmt.Sprintf("there is no environment %q", environment), "")
	}
	var diags Diagnostics
	r := p.rulesOf(*e)
	for _, up := range e.Follows {
		upstream, more := p.Rules(up)
		if diags = append(diags, more...); r.Upstream == nil {
			r.Upstream = map[string]Rules{}
		}
		r.Upstream[p.keyOf(up)] = upstream
	}
	diags = append(diags, p.missing(func(h hole) bool { return h.part == rule && h.owner == "environment."+environment })...)
	return r, tidy(diags)
}

// rulesOf are the environment's own, without those upstream. Other environments have their keys in it, so that to
// rename one changes no rule.
func (p *Project) rulesOf(e Environment) Rules {
	var follows []string
	for _, up := range e.Follows {
		follows = append(follows, p.keyOf(up))
	}
	r := Rules{Follows: inNameOrder(follows), Operators: inNameOrder(e.Operators), Soak: e.Soak}
	for _, g := range e.Gates {
		r.Gates = append(r.Gates, Gate{
			Name: g.Name, Parameters: g.Parameters, ValidFor: g.ValidFor, Against: p.keyOf(g.Against),
			Compare: g.Compare, Pinned: g.Pinned, Models: inNameOrder(g.Models), Expects: expectsInOrder(g.Expects),
		})
	}
	for _, s := range e.Scores {
		r.Scores = append(r.Scores, Score{Name: s.Name, FirstRun: s.FirstRun, OnFailure: s.OnFailure, Expects: expectsInOrder(s.Expects)})
	}
	slices.SortFunc(r.Gates, func(a, b Gate) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Scores, func(a, b Score) int { return cmp.Compare(a.Name, b.Name) })
	return r
}

// Digest is the sha256 of the rules' canonical JSON.
func (r Rules) Digest() string {
	digest, err := Digest(r)
	if err != nil {
		panic("environments: rules are plain data: " + err.Error())
	}
	return digest
}

// RulesFromJSON reads rules as they are recorded. A rule that this barge does not know is an error: it must not be
// left out of account.
func RulesFromJSON(raw []byte) (Rules, error) {
	var r Rules
	if err := strict(raw, &r); err != nil {
		return Rules{}, fmt.Errorf("reading recorded rules: %w", err)
	}
	return r, nil
}

func strict(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if dec.More() {
		return fmt.Errorf("more than one JSON value")
	}
	return nil
}

// inNameOrder is a sorted copy; nil stays nil, empty stays empty.
func inNameOrder(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return names
}

func expectsInOrder(expects []Expect) []Expect {
	expects = slices.Clone(expects)
	slices.SortFunc(expects, func(a, b Expect) int { return cmp.Compare(a.Name, b.Name) })
	return expects
}
