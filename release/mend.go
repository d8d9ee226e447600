package release

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"github.com/bargeml/barge/internal/ledger"
)

// renamed gives the champion's own artifact the champion's name, whatever name it was asked for by: one artifact may have
// many, and another name changes nothing. It tells whether it is the champion's.
func (p *place) renamed(c *candidate, s ledger.State) bool {
	champion := s.Champion.Release
	if s.Flight != nil || c.Artifact != champion.Artifact {
		return false
	}
	if c.Name != champion.Name && !byID(c.Artifact, c.Name) {
		p.Note("%s is the artifact of the champion %s under another name", c.Release, champion)
	}
	c.Release = champion
	return true
}

// toDo is the plan to carry out, or what became of promoting the champion's own artifact where that was all.
func (p *place) toDo(ctx context.Context, c *candidate, s ledger.State, r Request) (*prepared, *Promoted, error) {
	champion := p.renamed(c, s)
	plan, failing := p.plan(ctx, c, s)
	if failing == nil {
		if err := r.fits(plan, s); err != nil {
			return nil, nil, err
		}
	}
	if champion && (failing == nil || r.Plan == nil) {
		if done, err := p.again(ctx, s, plan, failing); done != nil || err != nil {
			return nil, done, err
		}
	}
	return plan, nil, failing
}

// again promotes the champion's own artifact: what drifted is mended and what is not proven is judged, by the ledger alone.
// Otherwise it is done where the plan, which failing says could not be made, would set nothing else. Nil: the plan is to
// be carried out as any other.
func (p *place) again(ctx context.Context, s ledger.State, plan *prepared, failing error) (*Promoted, error) {
	done, err := p.mend(ctx, s)
	if err != nil || done.Outcome != "nothing-to-do" || !s.IsProven() {
		return done, err
	}
	if failing != nil {
		return nil, failing
	}
	recorded, err := p.recordedPlan(ctx, s.Champion.Plan)
	if err != nil || plan.sets(s, recorded) {
		return done, err
	}
	p.Note("barge.hcl says other things of %s than when %s was switched: promoting it again", p.name, s.Champion.Release)
	return nil, nil //nolint:nilnil // said above
}

// mend promotes the champion itself: nothing drifted, nothing done; else its recorded values are set again.
func (p *place) mend(ctx context.Context, s ledger.State) (*Promoted, error) {
	done := &Promoted{Environment: p.name, Release: s.Champion.Release, Plan: s.Champion.Plan, Outcome: "nothing-to-do", Live: s.Champion.Live}
	at, err := p.addresses(ctx, s, nil)
	if err != nil {
		return nil, err
	}
	drifted, err := p.drift(ctx, s, at)
	if err != nil {
		return nil, err
	}
	if len(drifted) > 0 {
		p.Note("mending %s: %d pointers are not what the ledger says", p.name, len(drifted))
		o, err := p.begin(ctx, at, func(s ledger.State) (ledger.Begun, error) {
			if s.Flight != nil || s.Champion.Live != done.Live {
				return ledger.Begun{}, stop(ErrConflict, "barge status", "%s has moved meanwhile", p.name)
			}
			if s.Hold != nil {
				return ledger.Begun{}, stop(ErrPending, "barge unhold --env "+p.name, "%s is on hold: %s", p.name, s.Hold.Said.Reason)
			}
			c := s.Champion
			return ledger.Begun{Why: ledger.Mend, Plan: c.Plan, Release: c.Release, To: c.Values, Seen: s.Decision}, nil
		})
		if err != nil {
			return nil, err
		}
		if s, err = o.finish(ctx); err != nil {
			return nil, err
		}
		done.Outcome, done.Live = "mended", s.Champion.Live
	}
	p.tellStore(ctx, s)
	if s.IsProven() {
		return done, nil
	}
	done.Scorings, err = p.judge(ctx, s, false)
	return done, err
}

// sets tells whether a plan of the champion's own artifact would set what is set already, as the plan that was carried
// out recorded it: what barge.hcl says of where, and the rights of operators, may have changed since. Rules are not
// counted: they change nothing that is live.
func (p *prepared) sets(s ledger.State, recorded *Plan) bool {
	if recorded == nil {
		return false
	}
	to, _ := s.To(p.Values)
	for id := range p.Values {
		if !reflect.DeepEqual(addresses(p.Plan)[id], addresses(recorded)[id]) {
			return false
		}
	}
	return maps.Equal(to, s.Champion.Values) && p.Folder == recorded.Folder && slices.Equal(p.Grants, recorded.Grants)
}
