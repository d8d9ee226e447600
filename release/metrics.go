package release

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/internal/ledger"
)

// ShownModel is a model before and after, with metrics of both, each from one source.
type ShownModel struct {
	Label   string             `json:"label"`
	Before  *ledger.Model      `json:"before,omitempty"`
	After   *ledger.Model      `json:"after,omitempty"`
	Metrics map[string]float64 `json:"metrics,omitempty"`
	From    string             `json:"metrics_from,omitempty"`     // where they are from, in words
	Old     map[string]float64 `json:"champion_metrics,omitempty"` // of the champion's
	OldFrom string             `json:"champion_metrics_from,omitempty"`
}

// models lists the models that change, with metrics: of the runs that made them where their registry's tracking has
// both, else of the newest gate evidence about the two releases.
func (p *place) models(ctx context.Context, c *candidate, s ledger.State, out *Shown) error {
	was := s.Champion.Release
	labels := slices.Compact(slices.Sorted(slices.Values(append(sorted(c.Models), sorted(was.Models)...))))
	for _, label := range labels {
		before, had := was.Models[label]
		after, has := c.Models[label]
		if had && has && before == after {
			continue
		}
		m := ShownModel{Label: label}
		if had {
			m.Before = &before
			m.Old, m.OldFrom = p.trained(ctx, c, label, before)
		}
		if has {
			m.After = &after
			m.Metrics, m.From = p.trained(ctx, c, label, after)
		}
		if has && len(m.Metrics) == 0 || had && len(m.Old) == 0 {
			p.answeredOf(ctx, c.Artifact, &m.Metrics, &m.From)
			p.answeredOf(ctx, was.Artifact, &m.Old, &m.OldFrom)
		}
		out.Models = append(out.Models, m)
	}
	return ctx.Err()
}

// trained are the metrics of the run that made a version; none where the registry does not tell.
func (p *place) trained(ctx context.Context, c *candidate, label string, m ledger.Model) (map[string]float64, string) {
	pin, ok := c.artifact.Manifest.Model(label)
	if !ok || pin.InGit() {
		return nil, ""
	}
	r, err := p.site.Registries(pin.Registry)
	if err != nil {
		return nil, ""
	}
	v, err := r.Resolve(ctx, m.Name, m.Version)
	if err != nil {
		return nil, ""
	}
	run, err := p.ran(ctx, r, v, trainedIn(c.project, label))
	if err != nil {
		return nil, ""
	}
	return run.metrics, run.from
}

// answeredOf puts the metrics of the newest gate evidence about an artifact in the place of others, where there is any:
// of this environment's ledger and those of all that it follows, as far as they may be read.
func (p *place) answeredOf(ctx context.Context, artifact string, metrics *map[string]float64, from *string) {
	var at time.Time
	for _, name := range append([]string{p.name}, p.above(p.name)...) {
		u, err := p.place(name)
		if err != nil {
			continue
		}
		s, err := u.state(ctx)
		if err != nil {
			continue
		}
		for _, e := range u.answers(ctx, s, artifact) {
			if len(e.Metrics) == 0 || !e.At.After(at) {
				continue
			}
			at = e.At
			*metrics, *from = resultOf(e, "").Metrics, fmt.Sprintf("gate %s of %s at %s", e.Gate, name, e.At.UTC().Format(time.RFC3339))
		}
	}
}

// answers are the gates' evidence about an artifact that the ledger's state knows.
func (p *place) answers(ctx context.Context, s ledger.State, artifact string) []gates.Evidence {
	var all []gates.Evidence
	for _, gate := range slices.Sorted(maps.Keys(s.Known[artifact].Evidence)) {
		if e, err := p.evidence(ctx, s, gate, artifact); err == nil {
			all = append(all, e)
		}
	}
	for _, said := range s.Evidence {
		if said.Artifact != artifact {
			continue
		}
		if e, err := gates.ParseEvidence(said.Statement); err == nil { // a scoring's is none
			all = append(all, e)
		}
	}
	return all
}

// above are all environments that one follows, directly or not, in the order of barge.hcl.
func (w *World) above(name string) []string {
	var all []string
	for _, e := range w.Project.Environments {
		if e.Path != "" && w.follows(name, e.Name, map[string]bool{}) {
			all = append(all, e.Name)
		}
	}
	return all
}
