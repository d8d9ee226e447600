package release

import (
	"context"
	"fmt"

	"github.com/bargeml/barge/internal/ledger"
)

// RulesApproved is what became of approving the rules that a release brings.
type RulesApproved struct {
	Environment string         `json:"environment"`
	Release     ledger.Release `json:"release,omitzero"`
	Outcome     string         `json:"outcome"`         // done, nothing-to-do
	What        string         `json:"what"`            // in words
	Rules       *RulesChange   `json:"rules,omitempty"` // against those in force; nil: none are, or these
}

// ApproveRules says yes to the rules that a release would bring, as barge.hcl has them here and now: to exactly these,
// so that another edit needs another yes. There are no approvals blocks yet, so whoever may write the ledger may.
func (w *World) ApproveRules(ctx context.Context, r Request, comment string) (*RulesApproved, error) {
	p, err := w.place(r.Environment)
	if err != nil {
		return nil, err
	}
	s, err := p.state(ctx)
	if err != nil {
		return nil, err
	}
	done := &RulesApproved{Environment: p.name, Outcome: "nothing-to-do"}
	if s.Rules.Digest == "" {
		done.What = "no rules are in force yet: the first promotion brings the first ones, without an approval"
		return done, nil
	}
	_, c, err := w.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	done.Release = c.Release
	rules, err := p.rules(ctx, c)
	if err != nil {
		return nil, err
	}
	principal, err := p.site.Principal(ctx)
	if err != nil {
		return nil, err
	}
	entry, err := p.book.Append(ctx, func(s ledger.State) (ledger.Body, error) {
		done.Outcome = "nothing-to-do"
		if !rulesChange(s, rules).pending() {
			return nil, nil
		}
		done.Outcome = "done"
		return ledger.Approved{Rules: rules.Digest(), Release: c.Name, Principal: principal, Via: "barge", Comment: comment}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("approving the rules of %s for %s: %w", c.Release, p.name, err)
	}
	done.Rules = rulesChange(entry.State, rules)
	done.What = fmt.Sprintf("the rules of %s are those in force", c.Release)
	if done.Rules != nil {
		done.What = done.Rules.Approved.String()
	}
	return done, nil
}

// approving says in words what an approval is of.
func approving(a ledger.Approved) string {
	what, digest := "rules", a.Rules
	if digest == "" {
		what, digest = "plan", a.Plan
	}
	text := fmt.Sprintf("%s %.19s approved", what, digest)
	if a.Release != "" {
		text += " for " + a.Release
	}
	if a.Comment != "" {
		text += ": " + a.Comment
	}
	return text
}
