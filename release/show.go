package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/ledger"
)

// Shown is a plan and what it would change, for people. What the plan's digest covers stands in Plan alone.
type Shown struct {
	Plan    *Plan  `json:"plan"`
	Digest  string `json:"plan_digest"`
	Nothing bool   `json:"nothing_to_do"` // the release is the champion and nothing drifted

	Rules    *RulesChange       `json:"rules,omitempty"`  // nil: as in force
	Judges   []string           `json:"judges,omitempty"` // gates whose notebook changes
	Files    []artifacts.Change `json:"files"`
	Config   []artifacts.Change `json:"config"`
	Models   []ShownModel       `json:"models"`
	Pointers []ShownPointer     `json:"pointers"`
	Gates    []string           `json:"gates"`  // that are asked, or have evidence that stands
	Upload   int                `json:"upload"` // files to send; 0: the folder is there
	Drift    []Drift            `json:"drift"`  // of the champion
	Champion ledger.Release     `json:"champion,omitzero"`
}

// RulesChange is rules that are not those in force; First says that none are yet.
type RulesChange struct {
	InForce string `json:"in_force,omitempty"`
	Now     string `json:"now"`
	First   bool   `json:"first,omitempty"`
}

// ShownModel is a model before and after.
type ShownModel struct {
	Label   string             `json:"label"`
	Before  *ledger.Model      `json:"before,omitempty"`
	After   *ledger.Model      `json:"after,omitempty"`
	Metrics map[string]float64 `json:"metrics,omitempty"`          // of the run that made it
	Old     map[string]float64 `json:"champion_metrics,omitempty"` // of the champion's
}

// ShownPointer is what a pointer holds by the ledger, and what the plan gives it. An empty Before is a new pointer.
type ShownPointer struct {
	ID     string       `json:"id"`
	Before ledger.Value `json:"before,omitempty"`
	After  ledger.Value `json:"after"`
}

// Plan shows what a promotion would change. It changes nothing.
func (w *World) Plan(ctx context.Context, r Request) (*Shown, error) {
	p, c, plan, s, err := w.planned(ctx, r)
	if err != nil {
		return nil, err
	}
	out := &Shown{
		Plan: plan.Plan, Digest: plan.digest, Champion: s.Champion.Release, Files: []artifacts.Change{}, Config: []artifacts.Change{},
		Models: []ShownModel{}, Pointers: []ShownPointer{}, Gates: []string{}, Drift: []Drift{},
	}
	if s.Seq > 0 && s.Flight == nil {
		at, err := p.addresses(ctx, s, plan.Plan)
		if err != nil {
			return nil, err
		}
		drifted, err := p.drift(ctx, s, at)
		if err != nil {
			return nil, err
		}
		out.Drift = append(out.Drift, drifted...)
	}
	if c.Artifact == s.Champion.Release.Artifact {
		out.Nothing = len(out.Drift) == 0
		return out, nil
	}
	if s.Rules.Digest != plan.Rules {
		out.Rules = &RulesChange{InForce: s.Rules.Digest, Now: plan.Rules, First: s.Rules.Digest == ""}
	}
	for _, g := range plan.environment.Gates {
		out.Gates = append(out.Gates, g.Name)
	}
	if there, err := p.site.Deployed(ctx, plan.Folder); err != nil {
		return nil, err
	} else if !there {
		out.Upload = plan.folder.Len()
	}
	out.pointers(s, plan.Plan)
	if err := p.compare(ctx, c, s, plan.environment, out); err != nil {
		return nil, err
	}
	return out, p.compareModels(ctx, c, s, out)
}

// pointers lists every pointer whose value changes, and those that the release does not have any more.
func (out *Shown) pointers(s ledger.State, plan *Plan) {
	to, _ := s.To(plan.Values)
	for _, id := range sorted(to) {
		if before := s.Champion.Values[id]; before != to[id] {
			out.Pointers = append(out.Pointers, ShownPointer{id, before, to[id]})
		}
	}
}

// compare holds the artifact against the champion's: files by their lines, and gates by their notebooks.
func (p *place) compare(ctx context.Context, c *candidate, s ledger.State, e *environments.Environment, out *Shown) error {
	champion, err := p.champion(ctx, s)
	if err != nil || champion == nil {
		return err
	}
	d, err := artifacts.DiffArtifacts(ctx, champion.artifact, c.artifact)
	if err != nil {
		return err
	}
	out.Files, out.Config = append(out.Files, d.Notebooks...), append(out.Config, d.Config...)
	for _, g := range e.Gates {
		same, err := sameNotebook(ctx, champion.artifact, c.artifact, g.Notebook)
		if err != nil {
			return err
		}
		if !same {
			out.Judges = append(out.Judges, g.Name)
		}
	}
	return nil
}

// champion opens the champion's artifact; nil when there is none, or the store does not have it.
func (p *place) champion(ctx context.Context, s ledger.State) (*candidate, error) {
	if s.Champion.Release.Artifact == "" {
		return nil, nil //nolint:nilnil // no champion is no error
	}
	c, err := p.open(ctx, s.Champion.Release.Artifact)
	if errors.Is(err, artifacts.ErrNoRelease) {
		p.Note("the store has no artifact of the champion %s: files are not compared", s.Champion.Release)
		return nil, nil //nolint:nilnil // told above
	}
	return c, err
}

// sameNotebook tells whether a notebook, with all that it brings in, is the same in two artifacts.
func sameNotebook(ctx context.Context, a, b *artifacts.Artifact, notebook string) (bool, error) {
	if _, ok := a.Manifest.Notebook(notebook); !ok {
		return false, nil
	}
	digests := make([]string, 2)
	for i, x := range []*artifacts.Artifact{a, b} {
		g, err := x.Graph(ctx)
		if err != nil {
			return false, err
		}
		if digests[i], err = g.NotebookDigest(x.Manifest, notebook); err != nil {
			return false, err
		}
	}
	return digests[0] == digests[1], nil
}

// compareModels lists the models that change, with the metrics of the runs that made them.
func (p *place) compareModels(ctx context.Context, c *candidate, s ledger.State, out *Shown) error {
	labels := append(sorted(c.Models), sorted(s.Champion.Release.Models)...)
	slices.Sort(labels)
	for _, label := range slices.Compact(labels) {
		before, had := s.Champion.Release.Models[label]
		after, has := c.Models[label]
		if had && has && before == after {
			continue
		}
		m := ShownModel{Label: label}
		if had {
			m.Before, m.Old = &before, p.metrics(ctx, c, label, before)
		}
		if has {
			m.After, m.Metrics = &after, p.metrics(ctx, c, label, after)
		}
		out.Models = append(out.Models, m)
	}
	return ctx.Err()
}

// metrics are those of the run that made a version; none where the registry does not tell.
func (p *place) metrics(ctx context.Context, c *candidate, label string, m ledger.Model) map[string]float64 {
	pin, ok := c.artifact.Manifest.Model(label)
	if !ok || pin.InGit() {
		return nil
	}
	r, err := p.site.Registries(pin.Registry)
	if err != nil {
		return nil
	}
	v, err := r.Resolve(ctx, m.Name, m.Version)
	if err != nil {
		return nil
	}
	metrics, err := r.Metrics(ctx, v)
	if err != nil {
		return nil
	}
	return metrics
}

// Saved is a plan as a file: what `barge plan --out` writes and `barge promote --plan` holds to.
type Saved struct {
	FormatVersion int    `json:"format_version"`
	Digest        string `json:"plan_digest"`
	Plan          *Plan  `json:"plan"`
}

// ReadPlan reads a saved plan, which must be what its digest says.
func ReadPlan(b []byte) (*Saved, error) {
	var s Saved
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	if s.FormatVersion != 1 || s.Plan == nil || s.Plan.Format != planFormat {
		return nil, fmt.Errorf("reading the plan: this barge reads plans of format %s, version 1", planFormat)
	}
	digest, err := s.Plan.Digest()
	if err != nil {
		return nil, err
	}
	if digest != s.Digest {
		return nil, fmt.Errorf("reading the plan: it was changed by hand: its digest is %s and it says %s", digest, s.Digest)
	}
	return &s, nil
}

// moved says what differs between the plan that was asked for and the one that could be carried out now.
func (p *Plan) moved(now *Plan) string {
	switch {
	case p.Environment != now.Environment:
		return "it is a plan for " + p.Environment
	case p.Release.Artifact != now.Release.Artifact:
		return fmt.Sprintf("it puts %s (%.19s), and this is %s (%.19s)", p.Release, p.Release.Artifact, now.Release, now.Release.Artifact)
	case p.Over.Live != now.Over.Live:
		return fmt.Sprintf("it was made over %s (entry %d), and the champion is %s (entry %d)", p.Over.Release, p.Over.Live, now.Over.Release, now.Over.Live)
	case p.Rules != now.Rules:
		return fmt.Sprintf("it was made under rules %.19s, and barge.hcl has %.19s", p.Rules, now.Rules)
	case p.Folder != now.Folder:
		return "the files differ by their bindings"
	}
	for _, id := range sorted(now.Values) {
		if p.Values[id] != now.Values[id] {
			return id + " would get another value"
		}
	}
	return "rights or pointers differ"
}
