package release

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/ledger"
)

// RulesChange is rules that are not those in force; First says that none are yet.
type RulesChange struct {
	InForce  string                    `json:"in_force,omitempty"` // digest
	Now      string                    `json:"now"`
	First    bool                      `json:"first,omitempty"`
	Changes  []environments.RuleChange `json:"changes,omitempty"`
	Approved *Approval                 `json:"approved,omitempty"` // of exactly these rules; nil: nobody did
}

// Approval is a person's yes to rules, as the ledger has it.
type Approval struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Via     string    `json:"via"`
	Entry   int       `json:"entry"`
	Release string    `json:"release,omitempty"` // that was looked at
	Comment string    `json:"comment,omitempty"`
}

func approval(a ledger.Placed[ledger.Approved]) Approval {
	return Approval{By: a.Said.Principal, At: a.At, Via: a.Said.Via, Entry: a.Seq, Release: a.Said.Release, Comment: a.Said.Comment}
}

func (a Approval) String() string {
	text := fmt.Sprintf("approved by %s at %s (entry %d)", a.By, a.At.UTC().Format(time.RFC3339), a.Entry)
	if a.Comment != "" {
		text += ": " + a.Comment
	}
	return text
}

// rulesChange tells how rules differ from those in force; nil: they do not.
func rulesChange(s ledger.State, now environments.Rules) *RulesChange {
	c := &RulesChange{InForce: s.Rules.Digest, Now: now.Digest(), First: s.Rules.Digest == ""}
	if c.Now == c.InForce {
		return nil
	}
	if c.First {
		return c
	}
	if said, ok := s.RulesApproval(c.Now); ok {
		a := approval(said)
		c.Approved = &a
	}
	inForce, err := environments.RulesFromJSON(s.Rules.Text)
	if err != nil { // rules that only a newer barge knows
		c.Changes = []environments.RuleChange{{Rule: "every rule", Change: environments.RuleEdited, Before: c.InForce, After: c.Now}}
		return c
	}
	c.Changes = inForce.Diff(now)
	return c
}

// pending tells whether nothing may be started under the rules before somebody approves them.
func (c *RulesChange) pending() bool { return c != nil && !c.First && c.Approved == nil }

// rules are those that a release brings here: barge.hcl's, and the notebook that it has for every gate, of this
// environment and of those followed, whose notebook is pinned.
func (p *place) rules(ctx context.Context, c *candidate) (environments.Rules, error) {
	rules, diags := p.Project.Rules(p.name)
	if diags.HasErrors() {
		return environments.Rules{}, diags
	}
	if c.artifact == nil {
		return rules.Pinned(p.key(), p.pinnedNow(ctx))
	}
	return rules.Pinned(p.key(), func(environment, gate string) (environments.Pin, error) { return c.pin(ctx, environment, gate) })
}

// pin is the release's notebook for a gate of barge.hcl, with what the environment binds in it: that changes it, too.
func (c *candidate) pin(ctx context.Context, environment, gate string) (environments.Pin, error) {
	e := c.project.ByKey(environment)
	notebook := e.Gate(gate).Notebook
	if notebook == "" {
		return environments.Pin{}, fmt.Errorf("gate %s of %s pins its notebook, and release %s names none for it: build it anew", gate, environment, c.Release)
	}
	graph, err := c.calls(ctx)
	if err != nil {
		return environments.Pin{}, err
	}
	pin := environments.Pin{Notebook: notebook, Bind: map[string]string{}}
	if pin.Digest, err = graph.NotebookDigest(c.artifact.Manifest, notebook); err != nil {
		return pin, fmt.Errorf("gate %s of %s pins its notebook: %w", gate, environment, err)
	}
	if len(e.Deploy.Bind) == 0 {
		return pin, nil
	}
	reached := map[string]bool{}
	for _, path := range graph.Reaches(notebook) {
		reached[path] = true
	}
	for content, err := range c.artifact.Notebooks(ctx) {
		if err != nil {
			return pin, err
		}
		for text, bound := range e.Deploy.Bind {
			if reached[content.Path] && bytes.Contains(content.Body, []byte(content.Written(text))) {
				pin.Bind[text] = bound
			}
		}
	}
	return pin, nil
}

// notebook is the digest of one of the release's notebooks with all that it reaches by %run.
func (c *candidate) notebook(ctx context.Context, notebook string) (string, error) {
	graph, err := c.calls(ctx)
	if err != nil {
		return "", err
	}
	return graph.NotebookDigest(c.artifact.Manifest, notebook)
}

// calls says which of the release's notebooks brings in which; they are read once.
func (c *candidate) calls(ctx context.Context) (*artifacts.Graph, error) {
	if c.graph == nil {
		graph, err := c.artifact.Graph(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the notebooks of %s: %w", c.Release, err)
		}
		c.graph = &graph
	}
	return c.graph, nil
}

// unapproved is the reason that other rules than those in force give; the first ones need no approval.
func (a *admission) unapproved(s ledger.State) []Reason {
	change := rulesChange(s, a.plan.brings)
	if !change.pending() {
		return nil
	}
	approve := "barge approve --rules --env " + a.name + " " + a.c.Release.String()
	return []Reason{{
		Why: ErrPending, Brief: "rules not approved", Text: fmt.Sprintf("it would change the rules in force in %s, which nobody approved", a.name),
		Changes: change.Changes, Clear: approve, Who: writersOf(a.name), Run: approve,
	}}
}
