package release

import (
	"context"
	"time"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/internal/ledger"
)

// Shown is a plan and what it would change, for people, in the order in which it is to be read. What the plan's digest
// covers stands in Plan alone.
type Shown struct {
	Plan    *Plan  `json:"plan"`
	Digest  string `json:"plan_digest"`
	Nothing bool   `json:"nothing_to_do"` // the plan is empty, and nothing drifted

	Rules    *RulesChange       `json:"rules,omitempty"`  // nil: as in force
	Judges   []string           `json:"judges,omitempty"` // gates whose notebook changes
	Files    []artifacts.Change `json:"files"`            // as deployed, bindings filled in
	Config   []artifacts.Change `json:"config"`
	Models   []ShownModel       `json:"models"`
	Jobs     []JobChange        `json:"jobs"`
	Slots    []SlotChange       `json:"slots"`
	Grants   []ShownGrant       `json:"grants"`
	Bindings []ShownBinding     `json:"bindings"`
	Stays    Stays              `json:"stays"`
	Gates    []ShownGate        `json:"gates"`
	Waived   []Waiver           `json:"waived,omitempty"` // what counts without its evidence
	Upload   int                `json:"upload"`           // files to send; 0: the folder is there whole
	Drift    []Drift            `json:"drift"`            // of the champion
	Champion ledger.Release     `json:"champion,omitzero"`
	Next     string             `json:"next,omitempty"` // the command to type next
}

// What is to become of a gate.
const (
	GateAsked  = "asked"
	GateStands = "stands" // there is evidence that counts
	GateWaived = "waived"
)

// ShownGate is a gate that the promotion asks, or does not have to.
type ShownGate struct {
	Gate    string     `json:"gate"`
	How     string     `json:"how"`
	Attempt int        `json:"attempt,omitempty"` // of the evidence that stands
	Until   *time.Time `json:"until,omitempty"`
}

// Plan shows what a promotion would change. It changes nothing.
func (w *World) Plan(ctx context.Context, r Request) (*Shown, error) {
	p, c, err := w.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	s, err := p.state(ctx)
	if err != nil {
		return nil, err
	}
	again := p.renamed(c, s)
	plan, err := p.plan(ctx, c, s)
	if err != nil {
		return nil, err
	}
	out := &Shown{
		Plan: plan.Plan, Digest: plan.digest, Champion: s.Champion.Release, Files: []artifacts.Change{}, Config: []artifacts.Change{},
		Models: []ShownModel{}, Jobs: []JobChange{}, Slots: []SlotChange{}, Grants: []ShownGrant{}, Bindings: []ShownBinding{},
		Gates: []ShownGate{}, Drift: []Drift{},
	}
	if err := p.drifted(ctx, s, plan, out); err != nil {
		return nil, err
	}
	recorded, err := p.recordedPlan(ctx, s.Champion.Plan)
	if err != nil {
		return nil, err
	}
	out.Rules = rulesChange(s, plan.brings)
	out.Next = promoting(c.Release, p.name)
	if again && (len(out.Drift) > 0 || plan.sets(s, recorded)) {
		out.Nothing = len(out.Drift) == 0
		return out, nil
	}
	out.judges(recorded)
	out.pointers(s, plan.Plan)
	out.besides(recorded, plan)
	if err := p.files(ctx, s, plan, recorded, out); err != nil {
		return nil, err
	}
	if err := p.models(ctx, c, s, out); err != nil {
		return nil, err
	}
	if err := p.gates(ctx, c, plan, s, out); err != nil {
		return nil, err
	}
	if out.Upload, err = p.site.Missing(ctx, plan.folder); err != nil {
		return nil, err
	}
	return out, p.next(ctx, c, plan, s, r, out)
}

// drifted tells what of the champion is not as the ledger says.
func (p *place) drifted(ctx context.Context, s ledger.State, plan *prepared, out *Shown) error {
	if s.Seq == 0 || s.Flight != nil {
		return nil
	}
	at, err := p.addresses(ctx, s, plan.Plan)
	if err != nil {
		return err
	}
	drifted, err := p.settledDrift(ctx, s, at)
	out.Drift = append(out.Drift, drifted...)
	return err
}

// gates tells which gates would be asked, and which need not be.
func (p *place) gates(ctx context.Context, c *candidate, plan *prepared, s ledger.State, out *Shown) error {
	var err error
	if out.Waived, err = p.waivers(ctx, s, c.Artifact); err != nil {
		return err
	}
	for _, g := range plan.environment.Gates {
		shown := ShownGate{Gate: g.Name, How: GateAsked}
		if _, waived := p.waiver(s, "gate:"+g.Name, c.Artifact); waived {
			shown.How = GateWaived
			out.Gates = append(out.Gates, shown)
			continue
		}
		how, err := p.asking(ctx, c, plan, s, g)
		if err != nil {
			return err
		}
		champion, err := p.compared(ctx, s, how.Gate)
		if err != nil {
			return err
		}
		wanted, err := p.wanted(ctx, c.Artifact, how.rules, champion.id)
		if err != nil {
			return err
		}
		if e, ok := p.standing(ctx, s, g.Name, wanted); ok {
			shown.How, shown.Attempt, shown.Until = GateStands, e.Attempt, e.ExpiresAt
		}
		out.Gates = append(out.Gates, shown)
	}
	return nil
}

// next is the promotion's command, or where something stands in its way that no run decides, the one that tells it all.
func (p *place) next(ctx context.Context, c *candidate, plan *prepared, s ledger.State, r Request, out *Shown) error {
	if s.Flight != nil {
		out.Next = "barge resume --env " + p.name
		return nil
	}
	a, err := p.admission(ctx, c, plan, s, r)
	if err != nil {
		return err
	}
	if len(out.Drift) > 0 || len(a.reasons(s, false)) > 0 {
		out.Next = "barge why-not " + c.Release.String() + " --to " + p.name
	}
	return nil
}
