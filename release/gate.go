package release

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// GateResult is what became of one gate.
type GateResult struct {
	Gate     string                 `json:"gate"`
	Outcome  string                 `json:"outcome"` // passed, failed, errored, inconclusive; waived
	How      string                 `json:"how"`     // run, recorded (evidence that stands), waived
	Attempt  int                    `json:"attempt,omitempty"`
	Reasons  []string               `json:"reasons,omitempty"`
	Champion string                 `json:"champion,omitempty"` // the artifact it was compared with, or none, or unknown
	Metrics  map[string]float64     `json:"metrics,omitempty"`
	Expects  []gates.Expected       `json:"expects,omitempty"`
	Run      string                 `json:"run,omitempty"` // its page
	Output   any                    `json:"output,omitempty"`
	Model    map[string]gates.Exact `json:"model,omitempty"`
	Judge    string                 `json:"judge,omitempty"`  // the release whose notebook ran, where it is not the candidate's
	Waived   *Waiver                `json:"waived,omitempty"` // whose word stands for the answer
}

// judgedBy adds whose notebook judged, where it was a pinned one of another release.
func (r GateResult) judgedBy(how asking, c *candidate) GateResult {
	if how.by != c {
		r.Judge = how.by.String()
	}
	return r
}

// prepare puts everything beside what is live that the plan needs, and asks the gates. It has no right to the
// pointers, and any number may do it at once: folders are immutable, and runs carry the plan's token.
func (p *place) prepare(ctx context.Context, c *candidate, plan *prepared, s ledger.State, r Request) ([]GateResult, error) {
	if err := p.sameModels(ctx, c, plan.environment); err != nil {
		return nil, err
	}
	if err := p.deploy(ctx, c, plan.folder, plan.environment); err != nil {
		return nil, err
	}
	if err := p.recordPlan(ctx, c, plan); err != nil {
		return nil, err
	}
	return p.ask(ctx, c, plan, s, plan.environment.Gates, r.RerunGates)
}

// deploy makes a release's notebooks runnable in the environment: files, rights, and the registries' secrets.
func (p *place) deploy(ctx context.Context, c *candidate, folder *effects.Folder, e *environments.Environment) error {
	sent, err := p.site.Deploy(ctx, folder)
	if err != nil {
		return err
	}
	if sent > 0 {
		p.Note("deployed %d files to %s", sent, folder.Path)
	}
	for _, at := range folder.Paths() {
		if err := p.site.Grant(ctx, at, e.Deploy.Permissions); err != nil {
			return err
		}
	}
	operators := map[string]string{}
	for _, o := range e.Operators {
		operators[o] = "CAN_MANAGE"
	}
	if err := p.site.Grant(ctx, p.site.Path, operators); err != nil {
		return err
	}
	given := map[string]bool{}
	for _, use := range e.Models {
		if pin, ok := c.artifact.Manifest.Model(use.Label); ok && !pin.InGit() && !given[pin.Registry] {
			given[pin.Registry] = true
			if err := p.site.Provision(ctx, pin.Registry); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask asks gates in their order; the first that does not pass ends it.
func (p *place) ask(ctx context.Context, c *candidate, plan *prepared, s ledger.State, all []environments.Gate, rerun bool) ([]GateResult, error) {
	var results []GateResult
	for _, g := range all {
		result, err := p.gate(ctx, c, plan, s, g, rerun)
		if err != nil {
			return results, err
		}
		results = append(results, result)
		if result.Outcome != waivedOutcome && result.Outcome != gates.Passed.String() {
			return results, result.refusal(p.name, c.Release)
		}
		p.Note("gate %s: %s (%s)", g.Name, result.Outcome, result.How)
	}
	return results, nil
}

func (r GateResult) refusal(environment string, release ledger.Release) error {
	next := "barge inspect " + release.String() + " shows the model and its metrics"
	if r.Run != "" {
		next = "see the run's page " + r.Run
	}
	return stop(verdict(r.Outcome), next, "gate %s of %s %s: %s; %s is not changed", r.Gate, release, r.Outcome, gates.Figures(strings.Join(r.Reasons, "; ")), environment)
}

// gate takes evidence that stands, or makes it. errored is tried again as often as the gate says, failed is not.
func (p *place) gate(ctx context.Context, c *candidate, plan *prepared, s ledger.State, g environments.Gate, rerun bool) (GateResult, error) {
	if w, waived := p.waiver(s, "gate:"+g.Name, c.Artifact); waived {
		return GateResult{Gate: g.Name, Outcome: waivedOutcome, How: waivedOutcome, Reasons: []string{w.Reason}, Waived: &w}, nil
	}
	how, err := p.asking(ctx, c, plan, s, g)
	if err != nil {
		return GateResult{}, err
	}
	champion, err := p.compared(ctx, s, how.Gate)
	if err != nil {
		return GateResult{}, err
	}
	wanted, err := p.wanted(ctx, c.Artifact, how.rules, champion.id)
	if err != nil {
		return GateResult{}, err
	}
	if !rerun {
		if e, ok := p.standing(ctx, s, g.Name, wanted); ok {
			return resultOf(e, "recorded").judgedBy(how, c), p.attach(ctx, c, e) // who made it may have died before
		}
	}
	first := nextAttempt(s, ledger.Evidence{Gate: g.Name, Artifact: c.Artifact, Rules: how.rules, Champion: champion.id}, rerun)
	for attempt := first; ; attempt++ {
		e, err := p.weigh(ctx, c, plan, how, champion, wanted, attempt)
		if errors.Is(err, errCancelled) {
			return GateResult{}, errors.Join(err, p.noteCancelled(ctx, c, e, how.Gate))
		}
		if err != nil {
			return GateResult{}, err
		}
		if err := p.keep(ctx, c, e); err != nil {
			return GateResult{}, err
		}
		if e.Outcome != gates.Errored || attempt-first >= how.Retries {
			return resultOf(e, "run").judgedBy(how, c), nil
		}
		p.Note("  gate %s errored: %s; trying again", g.Name, strings.Join(e.Reasons, "; "))
	}
}

// noteCancelled records an attempt that an interrupt ended: the next one must not find its run by the token.
func (p *place) noteCancelled(ctx context.Context, c *candidate, e gates.Evidence, g environments.Gate) error {
	e.At = p.site.Now()
	v := gates.Verdict{Outcome: gates.Errored, Reasons: []string{"its run was cancelled, since the command that waited for it was interrupted"}}
	return p.keep(context.WithoutCancel(ctx), c, e.Weighed(v, g.Expects))
}

// nextAttempt numbers the next run about what e is about: its token must find no run that was judged already. One that
// asked for a person is found again, but on a rerun: nobody shops for another answer.
func nextAttempt(s ledger.State, e ledger.Evidence, rerun bool) int {
	last := 0
	for _, was := range s.Evidence {
		same := was.Gate == e.Gate && was.Artifact == e.Artifact && was.Rules == e.Rules && was.Champion == e.Champion
		if same && (rerun || was.Outcome != gates.Inconclusive.String()) {
			last = max(last, was.Attempt)
		}
	}
	return last + 1
}

func resultOf(e gates.Evidence, how string) GateResult {
	return GateResult{
		Gate: e.Gate, Outcome: e.Outcome.String(), How: how, Attempt: e.Attempt, Reasons: e.Reasons, Champion: e.Champion.Artifact,
		Metrics: numbers(e.Metrics), Expects: e.Expects, Run: e.Run.URL, Output: e.Output, Model: e.Models,
	}
}

// wanted is what evidence must be about to count here.
func (p *place) wanted(ctx context.Context, artifact, rules, champion string) (gates.Wanted, error) {
	id, err := p.site.Workspace.ID(ctx)
	if err != nil {
		return gates.Wanted{}, err
	}
	return gates.Wanted{
		Artifact: artifact, Rules: rules, Champion: champion, Now: p.site.Now(),
		Environment: gates.Environment{Name: p.key(), Host: p.site.Workspace.Host(), WorkspaceID: strconv.FormatInt(id, 10)},
	}, nil
}

// standing finds evidence in the ledger that counts as it is.
func (p *place) standing(ctx context.Context, s ledger.State, gate string, w gates.Wanted) (gates.Evidence, bool) {
	e, err := p.evidence(ctx, s, gate, w.Artifact)
	return e, err == nil && len(e.Matches(w)) == 0
}

var errNoEvidence = errors.New("there is no evidence")

// evidence reads the latest passed evidence of a gate about an artifact from this environment's ledger.
func (p *place) evidence(ctx context.Context, s ledger.State, gate, artifact string) (gates.Evidence, error) {
	seq := s.Known[artifact].Evidence[gate]
	if seq == 0 {
		return gates.Evidence{}, errNoEvidence
	}
	entry, err := p.book.Entry(ctx, seq)
	if err != nil {
		return gates.Evidence{}, err
	}
	body, ok := entry.Body.(ledger.Evidence)
	if !ok {
		return gates.Evidence{}, fmt.Errorf("ledger entry %d of %s is no evidence", seq, p.name)
	}
	return gates.ParseEvidence(body.Statement)
}

// weigh runs the gate for the candidate and, where it compares, for the champion, and judges.
func (p *place) weigh(
	ctx context.Context, c *candidate, plan *prepared, g asking, champion compared, w gates.Wanted, attempt int,
) (gates.Evidence, error) {
	token := gates.Token(plan.digest, g.step("gate"), attempt)
	e := gates.Evidence{
		Subject: c.Artifact, Name: p.Project.Name + " " + c.Release.String(), Gate: g.Name, Attempt: attempt, Environment: w.Environment,
		Rules: g.rules, Champion: gates.Champion{Environment: champion.environment, Artifact: champion.id},
		Models: map[string]gates.Exact{}, Run: gates.RunOf{Token: token}, At: p.site.Now(),
	}
	for label, m := range c.Models {
		e.Models[label] = gates.Exact{Version: m.Version, Digest: m.Digest}
	}
	var err error
	if e.Notebook, err = g.by.notebook(ctx, g.Notebook); err != nil {
		return e, err
	}
	q := gates.Question{Told: told(plan.task), Models: g.Models, Expects: g.Expects}
	facts, how, err := p.championFacts(ctx, plan, g, champion, attempt)
	var cannot *incomparable
	switch {
	case errors.As(err, &cannot):
		return e.Weighed(gates.Verdict{Outcome: gates.Errored, Reasons: []string{err.Error()}}, g.Expects), nil
	case err != nil:
		return e, err
	}
	q.Champion, e.Champion.How = facts, how
	task, err := p.order(g.by.project, g.folder, plan.task, g.Notebook, g.Compute, g.Parameters, token)
	if err != nil {
		return e, err
	}
	run, err := p.runOnce(ctx, effects.Order{Name: "gate " + g.Name + " of " + c.Release.String(), Token: token, Task: task, Timeout: g.RunTimeout()})
	if err != nil {
		return e, err
	}
	e.Run.ID, e.Run.URL, e.At = run.ID, run.URL, p.site.Now()
	expires := e.At.Add(g.Validity())
	e.ExpiresAt = &expires
	return e.Weighed(gates.Judge(q, run), g.Expects), nil
}

// keep writes evidence into the ledger and attaches it to the artifact, with which it travels.
func (p *place) keep(ctx context.Context, c *candidate, e gates.Evidence) error {
	statement, err := e.Encode()
	if err != nil {
		return err
	}
	err = p.count(ctx, ledger.Evidence{
		Token: e.Run.Token, Gate: e.Gate, Release: c.Name, Artifact: c.Artifact, Outcome: e.Outcome.String(), Attempt: e.Attempt,
		Rules: e.Rules, Champion: e.Champion.Artifact, ExpiresAt: e.ExpiresAt, Statement: statement,
	})
	if err != nil {
		return fmt.Errorf("recording the evidence of gate %s: %w", e.Gate, err)
	}
	return p.attach(ctx, c, e)
}

// attach puts evidence beside the artifact in the store, once.
func (p *place) attach(ctx context.Context, c *candidate, e gates.Evidence) error {
	statement, err := e.Encode()
	if err == nil {
		err = p.Store.Attach(ctx, c.Artifact, artifacts.Attachment{MediaType: gates.MediaType, PredicateType: gates.PredicateType, Body: statement})
	}
	if err != nil {
		return fmt.Errorf("attaching the evidence of gate %s: %w", e.Gate, err)
	}
	return nil
}

// count appends evidence, once for its token: also where a Live came meanwhile, since which the state tells none of
// the tokens before it.
func (p *place) count(ctx context.Context, e ledger.Evidence) error {
	for known := 0; ; { // the entry of the latest passed evidence that is not this one
		last := known
		_, err := p.book.Append(ctx, func(s ledger.State) (ledger.Body, error) {
			if _, counted := s.Evidence[e.Token]; counted {
				return nil, nil
			}
			if last = s.Known[e.Artifact].Evidence[e.Gate]; last != known {
				return nil, nil // look at that one first
			}
			return e, nil
		})
		if err != nil || last == known {
			return err
		}
		entry, err := p.book.Entry(ctx, last)
		if err != nil {
			return err
		}
		if was, is := entry.Body.(ledger.Evidence); is && was.Token == e.Token {
			return nil
		}
		known = last
	}
}

// Gated is what `barge gate` found.
type Gated struct {
	Environment string         `json:"environment"`
	Release     ledger.Release `json:"release"`
	Gates       []GateResult   `json:"gates"`
}

// Gate asks an environment's gates (one, or all with "") about a release and changes nothing that is live.
func (w *World) Gate(ctx context.Context, r Request, only string) (*Gated, error) {
	p, c, err := w.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	s, err := p.genesis(ctx, c)
	if err != nil {
		return nil, err
	}
	plan, err := p.plan(ctx, c, s)
	if err != nil {
		return nil, err
	}
	all := plan.environment.Gates
	if only != "" {
		g := plan.environment.Gate(only)
		if g == nil {
			return nil, fmt.Errorf("environment %s has no gate %q", p.name, only)
		}
		all = []environments.Gate{*g}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("environment %s has no gate", p.name)
	}
	if err := p.sameModels(ctx, c, plan.environment); err != nil {
		return nil, err
	}
	if err := p.deploy(ctx, c, plan.folder, plan.environment); err != nil {
		return nil, err
	}
	done := &Gated{Environment: p.name, Release: c.Release}
	done.Gates, err = p.ask(ctx, c, plan, s, all, r.RerunGates)
	return done, err
}
