package release

import (
	"context"
	"fmt"
	"strings"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/internal/ledger"
)

// Scored is what `barge score` found.
type Scored struct {
	Environment string         `json:"environment"`
	Release     ledger.Release `json:"release"`
	Scorings    []ScoreResult  `json:"scorings"`
}

// Score starts the champion's jobs (one score, or all with "") by hand and judges what they answer. It changes no
// pointer and proves nothing: every call is a run of its own.
func (w *World) Score(ctx context.Context, environment, only string) (*Scored, error) {
	p, err := w.place(environment)
	if err != nil {
		return nil, err
	}
	s, err := p.state(ctx)
	if err != nil {
		return nil, err
	}
	if s.Champion.Release.Artifact == "" {
		return nil, stop(ErrConflict, "barge promote --to "+environment, "scoring in %s: no release is live there", environment)
	}
	e, scores, err := p.champions(ctx, s, only)
	if err != nil {
		return nil, err
	}
	done := &Scored{Environment: environment, Release: s.Champion.Release}
	for _, score := range scores {
		number := s.Job(ledger.JobPrefix + score.Name)
		if number == 0 {
			return done, fmt.Errorf("starting score %s: the ledger of %s knows no job of it", score.Name, environment)
		}
		run, err := p.site.StartJob(ctx, number, runOfItsOwn("score "+score.Name))
		if err != nil {
			return done, fmt.Errorf("starting score %s: %w", score.Name, err)
		}
		result, err := p.weighScoring(ctx, s, e, score, run)
		if err != nil {
			return done, err
		}
		done.Scorings = append(done.Scorings, result)
		if result.Outcome != gates.Passed {
			return done, stop(verdict(result.Outcome.String()), "see the run's page "+result.Run, "score %s of %s in %s %s: %s", score.Name, s.Champion.Release, environment, result.Outcome, strings.Join(result.Reasons, "; "))
		}
	}
	return done, nil
}

// champions are the scores of the champion's artifact: the one named, or all.
func (p *place) champions(ctx context.Context, s ledger.State, only string) (*environments.Environment, []environments.Score, error) {
	e, err := p.championed(ctx, s)
	switch {
	case err != nil:
		return nil, nil, err
	case only != "" && e.Score(only) == nil:
		return nil, nil, fmt.Errorf("environment %s has no score %q", p.name, only)
	case only != "":
		return e, []environments.Score{*e.Score(only)}, nil
	case len(e.Scores) == 0:
		return nil, nil, fmt.Errorf("environment %s has no score", p.name)
	}
	return e, e.Scores, nil
}
