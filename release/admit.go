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
	Brief string    // in a few words: "on hold"
	Text  string    // what, and why
	Clear string    // what clears it
	Who   string    // who can clear it
	Run   string    // the command with which they do; "": there is none
	At    time.Time // when it clears by itself; zero: never

	Changes []environments.RuleChange // of the rules, where they are the reason
}

// writersOf are those who can say things in an environment's ledger.
func writersOf(environment string) string { return "whoever may write the ledger of " + environment }

// promotersTo are those who can change an environment.
func promotersTo(environment string) string { return "whoever may promote to " + environment }

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
	no := func(why Reason, format string, args ...any) (time.Time, []Reason, error) {
		why.Why, why.Text = ErrPending, fmt.Sprintf(format, args...)
		return since, []Reason{why}, nil
	}
	promote, history := promoting(c.Release, up), "barge history --env "+up
	unbar := "barge unbar " + c.Release.String() + " --env " + up + " --reason TEXT"
	switch bar, barred := s.Barred(c.Release); {
	case known.Live == 0:
		return no(Reason{Brief: "never in " + up, Clear: promote, Who: promotersTo(up), Run: promote}, "%s was never the champion of %s", c.Release, up)
	case known.Removed > 0 && !barred:
		return no(Reason{Brief: "rolled back in " + up, Clear: history, Who: promotersTo(up), Run: promote}, "%s was rolled back in %s (entry %d)", c.Release, up, known.Removed)
	case known.Removed > 0:
		return no(Reason{Brief: "rolled back in " + up, Clear: history, Who: writersOf(up), Run: unbar}, "%s was rolled back in %s (entry %d)", c.Release, up, known.Removed)
	case barred:
		return no(Reason{Brief: "barred in " + up, Clear: history, Who: writersOf(up), Run: unbar}, "%s is barred in %s: %s", c.Release, up, bar.Said.Reason)
	case known.Proven == 0:
		return no(Reason{Brief: "not proven in " + up, Clear: promote, Who: promotersTo(up), Run: promote}, "%s is not proven in %s", c.Release, up)
	case known.Since.IsZero() && p.soaking():
		return no(Reason{Brief: "not proven again in " + up, Clear: promote, Who: promotersTo(up), Run: promote},
			"%s was rolled back in %s and has not been proven there since: its soak has not begun", c.Release, up)
	}
	e, diags := p.Project.Resolve(up)
	if diags.HasErrors() {
		return since, nil, diags
	}
	rules, err := u.rules(ctx, c)
	if err != nil {
		return since, nil, err
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
	ask := "barge gate " + c.Release.String() + " --env " + p.name
	now := p.site.Now()
	if _, waived := s.Waiver("gate:"+g.Name, c.Artifact, now); waived {
		return nil, nil
	}
	e, err := p.evidenceOf(ctx, s, g.Name, c.Artifact)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return []Reason{{
			Why: ErrPending, Brief: "gate " + g.Name + " of " + p.name + " has no evidence", Text: fmt.Sprintf("gate %s of %s has no passed evidence about %s", g.Name, p.name, c.Release),
			Clear: ask, Who: promotersTo(p.name), Run: ask,
		}}, nil
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
		reasons = append(reasons, Reason{
			Why: ErrPending, Brief: "gate " + g.Name + " of " + p.name + ": " + m.Field, Text: p.name + ": " + m.Text,
			Clear: ask + " --rerun", Who: promotersTo(p.name), Run: ask + " --rerun",
		})
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
	return []Reason{{
		Why: ErrConflict, Brief: "older than " + champion.String(), Text: fmt.Sprintf("%s is older than the champion %s", c.Release, champion), Clear: "--allow-older, or barge rollback --env " + p.name,
		Who: promotersTo(p.name), Run: promoting(c.Release, p.name) + " --allow-older",
	}}, nil
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

// soaking tells whether releases must have been proven for a while upstream before they come here.
func (p *place) soaking() bool { return p.Project.Environment(p.name).Soak.Or(0) > 0 }

// soaks tells how much of the environment's soak is left: it begins with the first proof upstream.
func (a *admission) soaks() []Reason {
	soak := a.plan.environment.Soak.Or(0)
	if soak == 0 || a.proven.IsZero() {
		return nil
	}
	if over := a.proven.Add(soak); a.site.Now().Before(over) {
		until := "soaks until " + over.UTC().Format(time.RFC3339)
		return []Reason{{
			Why: ErrPending, Brief: until, Text: a.c.Release.String() + " " + until, Clear: "promote again after that", At: over,
			Who: "nobody: it passes by itself",
		}}
	}
	return nil
}

// reasons are all reasons why not, as of the state s: pure, so that it can decide at the append. The own gates count
// only once they have been asked.
func (a *admission) reasons(s ledger.State, asked bool) []Reason {
	var all []Reason
	promote := promoting(a.c.Release, a.name)
	if bar, barred := s.Barred(a.c.Release); barred {
		unbar := "barge unbar " + a.c.Release.String() + " --env " + a.name + " --reason TEXT"
		all = append(all, Reason{
			Why: ErrPending, Brief: "barred", Text: fmt.Sprintf("%s is barred in %s: %s", a.c.Release, a.name, bar.Said.Reason), Clear: "a release that mends it, or " + unbar,
			Who: writersOf(a.name), Run: unbar,
		})
	}
	if bound := s.Named(a.c.Name); bound != "" && bound != a.c.Artifact {
		all = append(all, Reason{
			Why: ErrConflict, Brief: "its name is taken", Text: fmt.Sprintf("in %s the name %s is bound for ever to another artifact, %.19s", a.name, a.c.Name, bound), Clear: "tag the commit with a name of its own and build again",
			Who: "the release's author: a build under another name", Run: "barge build",
		})
	}
	if h := s.Hold; h != nil {
		unhold := "barge unhold --env " + a.name + " --reason TEXT"
		all = append(all, Reason{
			Why: ErrPending, Brief: "on hold", Text: fmt.Sprintf("%s is on hold since %s: %s", a.name, h.At.Format(time.RFC3339), h.Said.Reason), Clear: unhold,
			Who: writersOf(a.name), Run: unhold,
		})
	}
	if !s.IsProven() && s.Seq > 0 {
		all = append(all, unproven(a.name, s))
	}
	all = append(all, a.unapproved(s)...)
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
func unproven(environment string, s ledger.State) Reason {
	waive := ""
	if judges := s.Champion.Judges; len(judges) > 0 {
		waive = fmt.Sprintf("; barge waive score:%s %s --env %s --reason TEXT lets it be", judges[0], s.Champion.Release, environment)
	}
	return Reason{
		Why:   ErrPending,
		Brief: "champion not proven",
		Text:  fmt.Sprintf("the champion %s of %s is not proven: its first scoring (%s) has not passed", s.Champion.Release, environment, strings.Join(s.Champion.Judges, ", ")),
		Clear: "barge resume --env " + environment + " judges it; barge rollback --env " + environment + " takes it back" + waive,
		Who:   promotersTo(environment), Run: "barge resume --env " + environment,
	}
}

// unanswered tells what is missing of one own gate.
func (a *admission) unanswered(s ledger.State, gate, promote string) []Reason {
	w, who := a.wanted[gate], promotersTo(a.name)+": a promotion asks the gate"
	ask := "barge gate " + a.c.Release.String() + " --env " + a.name
	if _, waived := s.Waiver("gate:"+gate, a.c.Artifact, w.Now); waived {
		return nil
	}
	e, ok := a.evidence[gate]
	if !ok || s.Known[a.c.Artifact].Evidence[gate] == 0 { // another answer may have come since
		return []Reason{{
			Why: ErrPending, Brief: "gate " + gate + " has no evidence yet", Text: fmt.Sprintf("gate %s has no passed evidence about %s", gate, a.c.Release), Clear: promote,
			Who: who, Run: ask,
		}}
	}
	var reasons []Reason
	for _, m := range e.Matches(w) {
		reasons = append(reasons, Reason{Why: ErrPending, Brief: "gate " + gate + ": " + m.Field, Text: m.Text, Clear: promote, Who: who, Run: ask})
	}
	return reasons
}

// refuse makes one error of all reasons; nil for none. The first reason's kind and way out stand for all.
func (a *admission) refuse(s ledger.State, asked bool) error {
	reasons := a.reasons(s, asked)
	if len(reasons) == 0 {
		return nil
	}
	texts, lines, obstacles := make([]string, len(reasons)), "", make([]Obstacle, len(reasons))
	for i, r := range reasons {
		texts[i], obstacles[i] = r.Text, r.obstacle()
		for _, change := range r.Changes {
			lines += "\n" + change.String()
		}
	}
	return &Stop{
		Why: reasons[0].Why, Next: reasons[0].Clear, Obstacles: obstacles,
		Message: fmt.Sprintf("promoting %s to %s is refused: %s%s", a.c.Release, a.name, strings.Join(texts, "; "), lines),
	}
}
