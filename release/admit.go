package release

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/internal/ledger"
)

// Reason is one thing that keeps a release out of an environment.
type Reason struct {
	Why   error     // ErrPending, ErrConflict, …
	Text  string    // what, and why
	Clear string    // what clears it
	At    time.Time // when it clears by itself; zero: never
}

// admission is what has been gathered from outside the environment's own ledger about one plan.
type admission struct {
	*place
	c        *candidate
	plan     *prepared
	upstream []Reason
	older    []Reason
	proven   time.Time                 // when the last of the environments followed proved it
	evidence map[string]gates.Evidence // own gates' evidence, by gate
	wanted   map[string]gates.Wanted
}

// admission reads the ledgers of the environments followed, and what the store and this ledger hold as evidence.
func (p *place) admission(ctx context.Context, c *candidate, plan *prepared, s ledger.State, r Request) (*admission, error) {
	a := &admission{place: p, c: c, plan: plan, evidence: map[string]gates.Evidence{}, wanted: map[string]gates.Wanted{}}
	for _, up := range p.World.upstream(p.name) {
		since, reasons, err := p.provenUpstream(ctx, up, c, s)
		if err != nil {
			return nil, err
		}
		a.upstream = append(a.upstream, reasons...)
		if since.After(a.proven) {
			a.proven = since
		}
	}
	if !r.AllowOlder {
		older, err := p.notOlder(c, s)
		if err != nil {
			return nil, err
		}
		a.older = older
	}
	for _, g := range plan.environment.Gates {
		champion, err := p.compared(ctx, s, g)
		if err != nil {
			return nil, err
		}
		if a.wanted[g.Name], err = p.wanted(ctx, c.Artifact, plan.Rules, champion.id); err != nil {
			return nil, err
		}
		e, err := p.evidenceOf(ctx, s, g.Name, c.Artifact)
		if err != nil {
			return nil, err
		}
		if e != nil {
			a.evidence[g.Name] = *e
		}
	}
	return a, nil
}

// evidenceOf is evidence, with nil for none.
func (p *place) evidenceOf(ctx context.Context, s ledger.State, gate, artifact string) (*gates.Evidence, error) {
	e, err := p.evidence(ctx, s, gate, artifact)
	if errors.Is(err, errNoEvidence) {
		return nil, nil
	}
	return &e, err
}

// provenUpstream tells what keeps an environment that is followed from vouching for the release.
func (p *place) provenUpstream(ctx context.Context, up string, c *candidate, own ledger.State) (since time.Time, reasons []Reason, err error) {
	u, err := p.place(up)
	if err != nil {
		return since, nil, err
	}
	s, err := u.state(ctx)
	if err != nil {
		return since, nil, err
	}
	known := s.Known[c.Artifact]
	no := func(clear, format string, args ...any) (time.Time, []Reason, error) {
		return since, []Reason{{Why: ErrPending, Text: fmt.Sprintf(format, args...), Clear: clear}}, nil
	}
	promote, history := "barge promote "+c.Release.String()+" --to "+up, "barge history --env "+up
	switch bar, barred := s.Barred(c.Release); {
	case known.Live == 0:
		return no(promote, "%s was never the champion of %s", c.Release, up)
	case known.Removed > 0:
		return no(history, "%s was rolled back in %s (entry %d)", c.Release, up, known.Removed)
	case barred:
		return no(history, "%s is barred in %s: %s", c.Release, up, bar.Said.Reason)
	case known.Proven == 0:
		return no(promote, "%s is not proven in %s", c.Release, up)
	}
	e, diags := p.Project.Resolve(up)
	if diags.HasErrors() {
		return since, nil, diags
	}
	rules, diags := p.Project.Rules(up)
	if diags.HasErrors() {
		return since, nil, diags
	}
	for _, g := range e.Gates {
		more, err := u.vouches(ctx, s, g, c, rules.Digest(), p.name, own)
		if err != nil {
			return since, nil, err
		}
		reasons = append(reasons, more...)
	}
	return known.Since, reasons, nil
}

// vouches holds an upstream gate's evidence against what it must be about. The champion is compared only where it is
// the promoted environment's own: that ledger knows it.
func (p *place) vouches(
	ctx context.Context, s ledger.State, g environments.Gate, c *candidate, rules, promoted string, own ledger.State,
) ([]Reason, error) {
	promote := "barge promote " + c.Release.String() + " --to " + p.name
	now := p.site.Now()
	if _, waived := s.Waiver("gate:"+g.Name, c.Artifact, now); waived {
		return nil, nil
	}
	e, err := p.evidenceOf(ctx, s, g.Name, c.Artifact)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return []Reason{{Why: ErrPending, Text: fmt.Sprintf("gate %s of %s has no passed evidence about %s", g.Name, p.name, c.Release), Clear: promote}}, nil
	}
	champion := e.Champion.Artifact
	if g.Against == promoted {
		champion = orNone(own.Champion.Release.Artifact)
	}
	w, err := p.wanted(ctx, c.Artifact, rules, champion)
	if err != nil {
		return nil, err
	}
	var reasons []Reason
	for _, m := range e.Matches(w) {
		reasons = append(reasons, Reason{Why: ErrPending, Text: p.name + ": " + m.Text, Clear: "barge gate " + c.Release.String() + " --env " + p.name + " --rerun"})
	}
	return reasons, nil
}

// notOlder tells whether the candidate is older than the champion.
func (p *place) notOlder(c *candidate, s ledger.State) ([]Reason, error) {
	if s.Champion.Release.Artifact == "" {
		return nil, nil
	}
	champion := s.Champion.Release
	if c.Commit == "" || champion.Commit == "" {
		return nil, nil
	}
	age, err := p.Age(c.Commit, champion.Commit)
	if err != nil {
		return nil, err
	}
	if age == artifacts.Same && c.Artifact != champion.Artifact {
		age = byModels(c.Release, champion)
	}
	if age != artifacts.Older {
		return nil, nil
	}
	return []Reason{{Why: ErrConflict, Text: fmt.Sprintf("%s is older than the champion %s", c.Release, s.Champion.Release), Clear: "--allow-older, or barge rollback --env " + p.name}}, nil
}

// byModels orders two releases of one commit: the model registered later makes the newer one.
func byModels(a, b ledger.Release) artifacts.Order {
	order := artifacts.Same
	for _, label := range sorted(a.Models) {
		mine, errMine := strconv.Atoi(a.Models[label].Version)
		theirs, errTheirs := strconv.Atoi(b.Models[label].Version)
		switch {
		case errMine != nil || errTheirs != nil || mine == theirs:
		case mine > theirs:
			return artifacts.Newer
		default:
			order = artifacts.Older
		}
	}
	return order
}

// soaks tells how much of the environment's soak is left: it begins with the first proof upstream.
func (a *admission) soaks() []Reason {
	soak := a.plan.environment.Soak.Or(0)
	if soak == 0 || a.proven.IsZero() {
		return nil
	}
	if over := a.proven.Add(soak); a.site.Now().Before(over) {
		return []Reason{{Why: ErrPending, Text: fmt.Sprintf("%s soaks until %s", a.c.Release, over.UTC().Format(time.RFC3339)), Clear: "promote again after that", At: over}}
	}
	return nil
}

// reasons are all reasons why not, as of the state s: pure, so that it can decide at the append. The own gates count
// only once they have been asked.
func (a *admission) reasons(s ledger.State, asked bool) []Reason {
	var all []Reason
	promote := "barge promote " + a.c.Release.String() + " --to " + a.name
	if bar, barred := s.Barred(a.c.Release); barred {
		all = append(all, Reason{Why: ErrPending, Text: fmt.Sprintf("%s is barred in %s: %s", a.c.Release, a.name, bar.Said.Reason), Clear: "a release that mends it, or barge unbar " + a.c.Release.String() + " --env " + a.name + " --reason TEXT"})
	}
	if bound := s.Named(a.c.Name); bound != "" && bound != a.c.Artifact {
		all = append(all, Reason{
			Why: ErrConflict, Text: fmt.Sprintf("in %s the name %s is bound for ever to another artifact, %.19s", a.name, a.c.Name, bound), Clear: "tag the commit with a name of its own and build again",
		})
	}
	if h := s.Hold; h != nil {
		all = append(all, Reason{Why: ErrPending, Text: fmt.Sprintf("%s is on hold since %s: %s", a.name, h.At.Format(time.RFC3339), h.Said.Reason), Clear: "barge unhold --env " + a.name + " --reason TEXT"})
	}
	if !s.IsProven() && s.Seq > 0 {
		all = append(all, a.unproven(s))
	}
	all = append(all, a.upstream...)
	all = append(all, a.older...)
	all = append(all, a.soaks()...)
	if asked {
		for _, g := range a.plan.environment.Gates {
			all = append(all, a.unanswered(s, g.Name, promote)...)
		}
	}
	return all
}

// unproven tells that the champion's first scoring has not passed, and the three ways out.
func (a *admission) unproven(s ledger.State) Reason {
	waive := ""
	if judges := s.Champion.Judges; len(judges) > 0 {
		waive = fmt.Sprintf("; barge waive score:%s %s --env %s --reason TEXT lets it be", judges[0], s.Champion.Release, a.name)
	}
	return Reason{
		Why:   ErrPending,
		Text:  fmt.Sprintf("the champion %s of %s is not proven: its first scoring (%s) has not passed", s.Champion.Release, a.name, strings.Join(s.Champion.Judges, ", ")),
		Clear: "barge resume --env " + a.name + " judges it; barge rollback --env " + a.name + " takes it back" + waive,
	}
}

// unanswered tells what is missing of one own gate.
func (a *admission) unanswered(s ledger.State, gate, promote string) []Reason {
	w := a.wanted[gate]
	if _, waived := s.Waiver("gate:"+gate, a.c.Artifact, w.Now); waived {
		return nil
	}
	e, ok := a.evidence[gate]
	if !ok {
		return []Reason{{Why: ErrPending, Text: fmt.Sprintf("gate %s has no passed evidence about %s", gate, a.c.Release), Clear: promote}}
	}
	var reasons []Reason
	for _, m := range e.Matches(w) {
		reasons = append(reasons, Reason{Why: ErrPending, Text: m.Text, Clear: promote})
	}
	return reasons
}

// refuse makes one error of all reasons; nil for none. The first reason's kind and way out stand for all.
func (a *admission) refuse(s ledger.State, asked bool) error {
	reasons := a.reasons(s, asked)
	if len(reasons) == 0 {
		return nil
	}
	texts := make([]string, len(reasons))
	for i, r := range reasons {
		texts[i] = r.Text
	}
	return stop(reasons[0].Why, reasons[0].Clear, "promoting %s to %s is refused: %s", a.c.Release, a.name, strings.Join(texts, "; "))
}
