package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/internal/ledger"
)

// ScoreResult is what a scoring said of the champion.
type ScoreResult struct {
	Score    string                 `json:"score"`
	Outcome  gates.Outcome          `json:"outcome"`
	Reasons  []string               `json:"reasons,omitempty"`
	Findings []environments.Finding `json:"findings,omitempty"`
	Output   any                    `json:"output,omitempty"`
	Run      string                 `json:"run"` // its page
}

// judge runs the first scoring of a Live that is not proven yet, and says by it whether the release stays. It needs
// no right: anyone may judge, and the run's token makes it one run. Interrupted it leaves the run alone, which writes
// what production reads: whoever judges next finds it.
func (p *place) judge(ctx context.Context, s ledger.State, noWait bool) ([]ScoreResult, error) {
	if s.IsProven() {
		return nil, nil
	}
	defer p.step("%s is live in %s, and its first scoring is not waited for", s.Champion.Release, p.name)()
	results, err := p.scoreFirst(ctx, s, noWait)
	return results, interrupted(ctx, err, "barge resume --env "+p.name+" judges it, barge rollback --env "+p.name+" takes it back",
		"%s is live in %s, and its first scoring was not waited for", s.Champion.Release, p.name)
}

func (p *place) scoreFirst(ctx context.Context, s ledger.State, noWait bool) ([]ScoreResult, error) {
	e, scores, err := p.scores(ctx, s)
	if err != nil {
		return nil, err
	}
	var results []ScoreResult
	how := ledger.Waiver
	for _, score := range scores {
		if _, waived := s.Waiver(scoreGate(score.Name), s.Champion.Release.Artifact, p.site.Now()); waived {
			continue
		}
		how = ledger.Judged
		if noWait {
			run, err := p.startScoring(ctx, s, score, s.Attempt(scoreGate(score.Name), s.Champion.Release.Artifact, s.Rules.Digest, ""))
			if err != nil {
				return nil, err
			}
			return nil, stop(ErrPending, "barge resume --env "+p.name+" waits for it and judges it",
				"%s is live in %s, and its first scoring (%s, run %d) is not over", s.Champion.Release, p.name, score.Name, run)
		}
		result, err := p.firstScoring(ctx, s, e, score)
		if err != nil {
			return results, err
		}
		results = append(results, result)
		if result.Outcome != gates.Passed {
			return results, p.condemn(ctx, s, score, result)
		}
		p.Note("scored: %s", told1(result))
	}
	return results, p.prove(ctx, s, how, results)
}

func told1(r ScoreResult) string {
	out, ok := r.Output.(map[string]any)
	if !ok {
		return r.Score
	}
	var parts []string
	for _, key := range sorted(out) {
		parts = append(parts, fmt.Sprintf("%s %v", key, out[key]))
	}
	return r.Score + ": " + strings.Join(parts, ", ")
}

// scores are the champion's scores whose first run proves it, and its environment, as its artifact says.
func (p *place) scores(ctx context.Context, s ledger.State) (*environments.Environment, []environments.Score, error) {
	e, err := p.championed(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	var scores []environments.Score
	for _, name := range s.Champion.Judges {
		score := e.Score(name)
		if score == nil {
			return nil, nil, fmt.Errorf("score %s of environment %s is no more in barge.hcl and the release", name, p.name)
		}
		scores = append(scores, *score)
	}
	return e, scores, nil
}

// carried is the environment as it counts for a release, by the manifest that is kept beside the ledger, else by the store.
func (p *place) carried(ctx context.Context, r ledger.Release) (*environments.Environment, error) {
	manifest, err := p.manifest(ctx, r.Artifact)
	if err != nil {
		c, missing := p.open(ctx, r.Artifact)
		if missing != nil {
			return nil, errors.Join(err, missing)
		}
		return c.project.Environment(p.name), nil
	}
	recorded, err := environments.FromRecorded(manifest.Recorded)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of %s: %w", r, err)
	}
	return p.Project.WithArtifact(recorded).Environment(p.name), nil
}

// championed is the environment as it counts for its champion: by the manifest that is kept beside the ledger.
func (p *place) championed(ctx context.Context, s ledger.State) (*environments.Environment, error) {
	manifest, err := p.manifest(ctx, s.Champion.Release.Artifact)
	if err != nil {
		return nil, err
	}
	recorded, err := environments.FromRecorded(manifest.Recorded)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of %s: %w", s.Champion.Release, err)
	}
	e, diags := p.Project.WithArtifact(recorded).Resolve(p.name)
	if diags.HasErrors() {
		return nil, diags
	}
	return e, nil
}

// scoreGate names a first scoring among the evidence of a ledger.
func scoreGate(score string) string { return "score:" + score }

// noteErrored records a first scoring that said nothing of the release, so that who judges next starts another run.
func (p *place) noteErrored(ctx context.Context, s ledger.State, score environments.Score, attempt int, r ScoreResult) error {
	statement, err := json.Marshal(r)
	if err != nil {
		return err
	}
	token := scoreToken(s, score, attempt)
	_, err = p.book.Append(ctx, func(now ledger.State) (ledger.Body, error) {
		if _, noted := now.Evidence[token]; noted || now.Champion.Live != s.Champion.Live {
			return nil, nil
		}
		return ledger.Evidence{
			Token: token, Gate: scoreGate(score.Name), Release: s.Champion.Release.Name, Artifact: s.Champion.Release.Artifact,
			Outcome: r.Outcome.String(), Attempt: attempt, Rules: s.Rules.Digest, Statement: statement,
		}, nil
	})
	if err != nil {
		return fmt.Errorf("recording the scoring %s: %w", score.Name, err)
	}
	return nil
}

func scoreToken(s ledger.State, score environments.Score, attempt int) string {
	return gates.Token(s.Champion.Plan, fmt.Sprintf("score:%s:%d", score.Name, s.Champion.Live), attempt)
}

func (p *place) startScoring(ctx context.Context, s ledger.State, score environments.Score, attempt int) (int64, error) {
	number := s.Job(ledger.JobPrefix + score.Name)
	if number == 0 {
		return 0, fmt.Errorf("starting score %s: the ledger of %s knows no job of it", score.Name, p.name)
	}
	return p.site.StartJob(ctx, number, scoreToken(s, score, attempt))
}

func (p *place) firstScoring(ctx context.Context, s ledger.State, e *environments.Environment, score environments.Score) (ScoreResult, error) {
	first := s.Attempt(scoreGate(score.Name), s.Champion.Release.Artifact, s.Rules.Digest, "")
	for attempt := first; ; attempt++ {
		run, err := p.startScoring(ctx, s, score, attempt)
		if err != nil && ctx.Err() != nil {
			return ScoreResult{}, err
		}
		if err != nil {
			return ScoreResult{}, &Stop{
				Why: ErrInconclusive, Err: err, Next: "barge resume --env " + p.name + " judges again",
				Message: fmt.Sprintf("%s is live in %s, and its first scoring could not be started", s.Champion.Release, p.name),
			}
		}
		result, err := p.weighScoring(ctx, s, e, score, run)
		if err != nil && ctx.Err() == nil {
			return result, &Stop{
				Why: ErrInconclusive, Err: err, Next: "barge resume --env " + p.name + " judges it",
				Message: fmt.Sprintf("%s is live in %s and not proven", s.Champion.Release, p.name),
			}
		}
		if err != nil || result.Outcome != gates.Errored {
			return result, err
		}
		if err := p.noteErrored(ctx, s, score, attempt, result); err != nil || attempt-first >= score.Retries {
			return result, err
		}
		p.Note("  score %s errored: %s; trying again", score.Name, strings.Join(result.Reasons, "; "))
	}
}

func (p *place) weighScoring(ctx context.Context, s ledger.State, e *environments.Environment, score environments.Score, run int64) (ScoreResult, error) {
	answers, err := score.Answers()
	if err != nil {
		return ScoreResult{}, fmt.Errorf("judging score %s: %w", score.Name, err)
	}
	out, err := p.site.Await(ctx, run, answers, func(page string) { p.Note("  running score %s: %s", score.Name, page) })
	if err != nil {
		return ScoreResult{}, fmt.Errorf("waiting for score %s: %w", score.Name, err)
	}
	versions := map[string]string{}
	for _, use := range e.Models {
		versions[use.Label] = s.Champion.Release.Models[use.Label].Version
	}
	v := gates.Judge(gates.Question{Told: versions, Expects: score.Expects, Optional: len(score.Expects) == 0}, answered(out))
	return ScoreResult{
		Score: score.Name, Outcome: v.Outcome, Reasons: v.Reasons, Findings: v.Findings, Output: v.Answer.Output, Run: out.URL,
	}, nil
}

// condemn acts on a first scoring that did not pass.
func (p *place) condemn(ctx context.Context, s ledger.State, score environments.Score, r ScoreResult) error {
	release, why := s.Champion.Release, strings.Join(r.Reasons, "; ")
	switch {
	case r.Outcome == gates.Failed && score.KeepsOnFailure():
		if err := p.prove(ctx, s, ledger.Kept, []ScoreResult{r}); err != nil {
			return err
		}
		return stop(ErrGateFailed, "barge rollback --env "+p.name+" takes it back", "%s stays in %s though score %s failed: %s", release, p.name, score.Name, why)
	case r.Outcome == gates.Failed:
		p.Note("score %s failed: %s", score.Name, why)
		scored := fmt.Sprintf("score %s of %s in %s failed: %s", score.Name, release, p.name, why)
		back, err := p.rollback(ctx, s, Return{Environment: p.name, Reason: "first scoring " + score.Name + " failed: " + why}, s.Champion.Live)
		if err != nil {
			return p.notTakenBack(ctx, s, scored, err)
		}
		return stop(ErrRolledBack, "see the run's page "+r.Run, "%s; %s is back", scored, back.Release)
	}
	return stop(ErrInconclusive, "barge resume --env "+p.name+" judges again; barge rollback --env "+p.name+" takes it back",
		"%s is live in %s and not proven: score %s %s: %s", release, p.name, score.Name, r.Outcome, why)
}

// prove ends the judging of a Live, when every pointer still reads right and the Live is still the last.
func (p *place) prove(ctx context.Context, s ledger.State, how ledger.How, results []ScoreResult) error {
	at, err := p.addresses(ctx, s, nil)
	if err != nil {
		return err
	}
	drifted, err := p.drift(ctx, s, at)
	if err != nil {
		return err
	}
	if len(drifted) > 0 {
		return stop(ErrConflict, "barge promote --to "+p.name, "%s scored well in %s, but is not proven: %s", s.Champion.Release, p.name, drifted[0])
	}
	findings, err := json.Marshal(results)
	if err != nil {
		return err
	}
	_, err = p.book.Append(ctx, func(now ledger.State) (ledger.Body, error) {
		if now.Champion.Live != s.Champion.Live {
			return nil, stop(ErrConflict, "barge status --env "+p.name, "%s is no more the champion of %s", s.Champion.Release, p.name)
		}
		if now.IsProven() {
			return nil, nil
		}
		return ledger.Proven{Live: s.Champion.Live, How: how, Findings: findings}, nil
	})
	return err
}
