package release

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bargeml/barge/internal/ledger"
)

// Promoted is what a promotion did.
type Promoted struct {
	Environment string         `json:"environment"`
	Release     ledger.Release `json:"release"`
	Replaced    ledger.Release `json:"replaced,omitzero"`
	Plan        string         `json:"plan_digest,omitempty"`
	Outcome     string         `json:"outcome"`          // done, nothing-to-do, mended; with an error see ended
	Live        int            `json:"live"`             // number of the ledger's entry
	Rules       *RulesChange   `json:"rules,omitempty"`  // that it brought, with whose approval; nil: they stay
	Waived      []Waiver       `json:"waived,omitempty"` // what counted without its evidence
	Gates       []GateResult   `json:"gates,omitempty"`
	Scorings    []ScoreResult  `json:"scorings,omitempty"`
}

// Request is what a promotion is asked for.
type Request struct {
	Release     string // a name or an id; "" chooses
	Environment string
	// Head gives the release of HEAD, for an environment that follows nothing gated.
	Head func(context.Context) (string, error)
	// Plan, when set, is the only plan that may be carried out.
	Plan       *Saved
	AllowOlder bool
	RerunGates bool
	NoWait     bool
}

// Promote makes a release the champion of an environment: it plans, prepares, asks whether it may, switches, judges.
// Interrupted before the switch it stops, and nothing live was changed; a switch comes to its end first.
func (w *World) Promote(ctx context.Context, r Request) (*Promoted, error) {
	done, err := w.promote(ctx, r)
	done.ended(err)
	return done, interrupted(ctx, err, "barge promote again goes on where it stopped", "promoting to %s: nothing live was changed", r.Environment)
}

// ended says what became of a promotion that ended with an error.
func (d *Promoted) ended(err error) {
	switch {
	case d == nil || err == nil:
	case errors.Is(err, ErrPartial):
		d.Outcome = "partial"
	case errors.Is(err, ErrRolledBack) && d.Live == 0:
		d.Outcome = "turned-back"
	case errors.Is(err, ErrRolledBack):
		d.Outcome = "rolled-back"
	case d.Live == 0:
		d.Outcome = "stopped" // before anything was live
	case !errors.Is(err, ErrGateFailed): // a failure that keeps it is a judgement, too
		d.Outcome = "unproven"
	}
}

func (w *World) promote(ctx context.Context, r Request) (*Promoted, error) {
	p, c, err := w.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	s, err := p.genesis(ctx, c)
	if err != nil {
		return nil, err
	}
	p.correctStore(ctx, s)
	plan, again, err := p.toDo(ctx, c, s, r)
	if again != nil || err != nil {
		return again, err
	}
	w.Note("promoting %s to %s over %s (plan %.19s)", c.Release, p.name, s.Champion.Release, plan.digest)
	done := &Promoted{Environment: p.name, Release: c.Release, Replaced: s.Champion.Release, Plan: plan.digest, Outcome: "done"}

	if f := s.Flight; f != nil && f.Plan != plan.digest {
		return nil, p.busy(s)
	}
	if done.Live, err = p.underWay(ctx, s, plan); err != nil || done.Live != 0 {
		done.Outcome = "nothing-to-do"
		return done, err
	}
	if err := p.admit(ctx, c, plan, s, r, done); err != nil {
		return nil, err
	}
	if done.Gates, err = p.prepare(ctx, c, plan, s, r); err != nil {
		return done, err
	}
	o, err := p.start(ctx, c, plan, r)
	if errors.Is(err, errBegun) {
		done.Outcome = "nothing-to-do"
		if s, err = p.state(ctx); err == nil {
			done.Live, err = p.underWay(ctx, s, plan)
		}
		return done, err
	}
	if err != nil {
		return done, err
	}
	// From here on the pointers are ours, for seconds: an interrupt lets the switch come to an end.
	now, err := o.finish(ctx)
	if err != nil {
		return done, err
	}
	done.Live = now.Champion.Live
	p.tellStore(ctx, now)
	w.Note("live: %s is the champion of %s", c.Release, p.name)
	done.Scorings, err = p.judge(ctx, now, r.NoWait)
	return done, err
}

// admit refuses what would be refused whatever the gates say, and what could not be switched to or back from. It notes by
// whose word the rest goes.
func (p *place) admit(ctx context.Context, c *candidate, plan *prepared, s ledger.State, r Request, done *Promoted) error {
	asked, err := p.admission(ctx, c, plan, s, r)
	if err != nil {
		return err
	}
	if err := asked.refuse(s, false); err != nil {
		return err
	}
	done.Rules = rulesChange(s, plan.brings)
	if done.Waived, err = p.waivers(ctx, s, c.Artifact); err != nil {
		return err
	}
	return p.ready(ctx, c, plan, s)
}

// genesis makes sure that the ledger has its first entry: what the first plan's pointers hold before barge came.
func (p *place) genesis(ctx context.Context, c *candidate) (ledger.State, error) {
	s, err := p.state(ctx)
	if err != nil || s.Seq > 0 {
		return s, err
	}
	plan, err := p.plan(ctx, c, s)
	if err != nil {
		return s, err
	}
	found, err := p.find(ctx, s, plan.Pointers, sorted(plan.Values))
	if err != nil {
		return s, err
	}
	if err := p.recordPlan(ctx, c, plan); err != nil {
		return s, err
	}
	genesis := p.Source
	genesis.Project, genesis.Environment, genesis.Plan = p.Project.Name, p.key(), plan.digest
	if genesis.Where, err = p.where(plan.Plan); err != nil {
		return s, err
	}
	entry, err := p.book.Append(ctx, func(s ledger.State) (ledger.Body, error) {
		if s.Seq > 0 {
			return nil, nil // somebody else was first
		}
		return ledger.Live{Values: found, Genesis: &genesis}, nil
	})
	if err != nil {
		return s, fmt.Errorf("beginning the ledger of %s: %w", p.name, err)
	}
	return entry.State, nil
}

// start appends Begun(start), when everything that speaks against it has been asked once more.
func (p *place) start(ctx context.Context, c *candidate, plan *prepared, r Request) (*owner, error) {
	s, err := p.state(ctx)
	if err != nil {
		return nil, err
	}
	at, err := p.addresses(ctx, s, plan.Plan)
	if err != nil {
		return nil, err
	}
	if err := p.undrifted(ctx, s, at); err != nil {
		return nil, err
	}
	asked, err := p.admission(ctx, c, plan, s, r)
	if err != nil {
		return nil, err
	}
	where, err := p.where(plan.Plan)
	if err != nil {
		return nil, err
	}
	return p.begin(ctx, at, func(s ledger.State) (ledger.Begun, error) {
		if err := p.inTheWay(s, plan); err != nil {
			return ledger.Begun{}, err
		}
		if err := asked.refuse(s, true); err != nil {
			return ledger.Begun{}, err
		}
		to, _ := s.To(plan.Values)
		return ledger.Begun{
			Why: ledger.Start, Plan: plan.digest, Release: c.Release, To: to, Seen: s.Decision,
			Rules: plan.rules, Judges: plan.Judges, Where: where,
		}, nil
	})
}

// errBegun says that another barge has begun the very same plan.
var errBegun = errors.New("the same plan was begun by another barge")

// underWay waits for a plan that another barge has begun, and gives the Live it came to; 0 when nobody has. One whose
// owner is gone is not taken over by a promotion: that is for resume or rollback, whichever a person wants.
func (p *place) underWay(ctx context.Context, s ledger.State, plan *prepared) (int, error) {
	told := false
	waited, watch := p.Clocks(), p.watch()
	for {
		f := s.Flight
		gone, why, left := watch.Gone(s)
		switch {
		case s.Champion.Plan == plan.digest && f == nil:
			p.Note("%s was promoted to %s by another barge (entry %d)", s.Champion.Release, p.name, s.Champion.Live)
			return s.Champion.Live, nil
		case f == nil && slices.Contains(s.Plans, plan.digest):
			return 0, stop(ErrConflict, "barge history --env "+p.name, "another barge began this very plan for %s and did not finish it: %s is the champion", p.name, s.Champion.Release)
		case f == nil || f.Plan != plan.digest:
			return 0, nil
		case gone:
			return 0, stop(ErrConflict, "barge resume --env "+p.name+" finishes it, barge rollback --env "+p.name+" takes it back",
				"%s: %s; %s", p.name, InFlight(*f), why)
		case p.Clocks.Least(waited) > p.Terms.TTL:
			return 0, p.busy(s)
		}
		if !told {
			p.Note("%s: %s, by the same plan; waiting for it", p.name, InFlight(*f))
			told = true
		}
		if err := p.Sleep(ctx, min(left, p.Terms.TTL/120)); err != nil {
			return 0, err
		}
		var err error
		if s, err = p.state(ctx); err != nil {
			return 0, err
		}
	}
}

// inTheWay tells what keeps a plan from being begun: something in flight, or another champion than it was made over.
func (p *place) inTheWay(s ledger.State, plan *prepared) error {
	if f := s.Flight; f != nil && f.Plan == plan.digest || s.Champion.Plan == plan.digest {
		return errBegun
	}
	if s.Flight != nil {
		return p.busy(s)
	}
	if s.Champion.Live != plan.Over.Live {
		return stop(ErrConflict, "barge promote again makes a new plan",
			"%s became the champion of %s meanwhile (entry %d): this plan was made over %s", s.Champion.Release, p.name, s.Champion.Live, plan.Over.Release)
	}
	return nil
}

// finish switches and ends with Live, or turns back. An interrupt does not end it.
func (o *owner) finish(ctx context.Context) (ledger.State, error) {
	release, champion, kind := o.state.Flight.Release, o.state.Champion.Release, o.state.Flight.Kind
	ctx = context.WithoutCancel(ctx)
	defer o.step("the switch of %s to %s comes to its end first; after a second one barge resume --env %s goes on", o.name, release, o.name)()
	now, err := o.end(ctx)
	if err == nil || kind != ledger.Start || errors.Is(err, errLost) || errors.Is(err, ledger.ErrUnanswered) {
		return now, o.stranded(ctx, err)
	}
	o.Note("  cannot go on: %s", err)
	o.Note("turning back to %s", champion)
	back, failing := o.turnBack(ctx)
	if failing != nil {
		return now, o.stranded(ctx, errors.Join(err, failing))
	}
	if now, failing = back.end(ctx); failing != nil {
		return now, back.stranded(ctx, errors.Join(err, failing))
	}
	o.tellStore(ctx, now)
	return now, &Stop{
		Why: ErrRolledBack, Err: err, Next: "barge status shows every pointer",
		Message: fmt.Sprintf("promoting %s to %s failed and was turned back to %s", release, o.name, champion),
	}
}

// end sets every pointer and says that it is live.
func (o *owner) end(ctx context.Context) (ledger.State, error) {
	if err := o.switchPointers(ctx); err != nil {
		return ledger.State{}, err
	}
	return o.live(ctx)
}
