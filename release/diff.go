package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/ledger"
)

// Side is one of two releases that are compared; Environment where its champion was asked for.
type Side struct {
	Asked       string         `json:"asked"`
	Environment string         `json:"environment,omitempty"`
	Release     ledger.Release `json:"release"`

	artifact *artifacts.Artifact
	project  *environments.Project // as it counts for the release
	at       *place                // of Environment
	state    ledger.State
}

func (s Side) String() string {
	if s.Environment != "" {
		return s.Release.String() + " (champion of " + s.Environment + ")"
	}
	return s.Release.String()
}

// Difference is what is not the same in two releases.
type Difference struct {
	Before    Side                       `json:"before"`
	After     Side                       `json:"after"`
	Same      bool                       `json:"same"` // one artifact, maybe under two names
	Notebooks []artifacts.FileChange     `json:"notebooks"`
	Config    []artifacts.FileChange     `json:"config"`
	Models    []ModelDifference          `json:"models"`
	Recorded  []artifacts.RecordedChange `json:"recorded"` // of jobs, schedules, parameters, compute, bindings, slots
	Rules     []RulesApart               `json:"rules"`
}

// RulesApart are an environment's rules in force where barge.hcl has others.
type RulesApart struct {
	Environment string `json:"environment"`
	*RulesChange
}

// Diff compares two releases, each by name or as the champion of an environment. An environment's name means the
// environment. It changes nothing.
func (w *World) Diff(ctx context.Context, before, after string) (*Difference, error) {
	d := &Difference{Models: []ModelDifference{}, Rules: []RulesApart{}}
	for _, side := range []struct {
		asked string
		into  *Side
	}{{before, &d.Before}, {after, &d.After}} {
		found, err := w.side(ctx, side.asked)
		if err != nil {
			return nil, err
		}
		*side.into = *found
	}
	a, b := d.Before.artifact, d.After.artifact
	d.Same = a.ID() == b.ID()
	var err error
	if d.Notebooks, d.Config, err = artifacts.DiffContents(ctx, a, b); err != nil {
		return nil, err
	}
	if d.Recorded, err = artifacts.DiffRecorded(a.Manifest, b.Manifest); err != nil {
		return nil, err
	}
	if err := w.diffModels(ctx, d); err != nil {
		return nil, err
	}
	return d, d.rules(ctx)
}

// side finds what somebody means by a word: an environment's champion, else a release.
func (w *World) side(ctx context.Context, asked string) (*Side, error) {
	s := &Side{Asked: asked}
	if w.Project.Environment(asked) == nil {
		c, err := w.open(ctx, asked)
		if err != nil {
			return nil, w.orEnvironment(asked, err)
		}
		s.Release, s.artifact, s.project = c.Release, c.artifact, c.project
		return s, nil
	}
	p, err := w.place(asked)
	if err != nil {
		return nil, err
	}
	if s.state, err = p.state(ctx); err != nil {
		return nil, err
	}
	s.Environment, s.at, s.Release = asked, p, s.state.Champion.Release
	if s.Release.Artifact == "" {
		return nil, fmt.Errorf("%s has no champion that barge brought: there is nothing to compare with; barge promote --to %s makes one", asked, asked)
	}
	c, err := w.open(ctx, s.Release.Artifact)
	if err != nil {
		return nil, fmt.Errorf("the champion of %s: %w", asked, err)
	}
	s.artifact, s.project = c.artifact, c.project
	return s, nil
}

// orEnvironment adds to the error of a release that is not found the environment that was maybe meant.
func (w *World) orEnvironment(asked string, err error) error {
	if _, diags := w.Project.Resolve(asked); len(diags) > 0 && strings.HasPrefix(diags[0].Hint, "did you mean ") {
		return fmt.Errorf("%w; %s: %s", err, diags[0].Summary, diags[0].Hint)
	}
	return err
}

// rules tells where the rules in force in an environment that was asked about are not those of barge.hcl.
func (d *Difference) rules(ctx context.Context) error {
	for _, s := range []Side{d.Before, d.After} {
		asked := slices.ContainsFunc(d.Rules, func(r RulesApart) bool { return r.Environment == s.Environment })
		if s.at == nil || asked {
			continue
		}
		now, err := s.at.rules(ctx, &candidate{})
		if err != nil {
			return err
		}
		if c := rulesChange(s.state, now); c != nil {
			d.Rules = append(d.Rules, RulesApart{s.Environment, c})
		}
	}
	return nil
}

// Empty says whether nothing that ships is another.
func (d *Difference) Empty() bool {
	return len(d.Notebooks) == 0 && len(d.Config) == 0 && len(d.Models) == 0 && len(d.Recorded) == 0 && len(d.Rules) == 0
}
