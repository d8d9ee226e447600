package release_test

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/release"
)

// begun is held at every Begun.
func (s *simulation) begun(c *simCall, b *simBook, was ledger.State, body ledger.Begun) {
	s.counts[string(body.Why)]++
	s.begunFollows(c, b, was, body)
	s.foundIsForeign(b, was, body)
	b.begun = time.Now()
	switch body.Why {
	case ledger.Start:
		s.mayStart(c, b, was, body)
	case ledger.Rollback:
		s.mayRollBack(c, b, was, body)
	case ledger.TurnBack:
		s.mayTurnBack(c, was, body)
	case ledger.Mend:
		if c.p.oldReads == 0 && !slices.ContainsFunc(b.driftedSince(s, c.p.began), func(bool) bool { return true }) {
			s.wrong("same release, nothing drifted: nothing done", "%s mends", c.p)
		}
	}
	for id, v := range body.To {
		if !slices.Contains(body.Back, id) && v != ledger.Off && v != ledger.Absent {
			b.set[id+string(v)] = true
		}
	}
}

// driftedSince has one element when a pointer may have been wrong at some moment since then.
func (b *simBook) driftedSince(s *simulation, at time.Time) []bool {
	if b.unsure || b.moved || s.profile.beyond || b.flown.After(at) || s.other(b.environment).flown.After(at) || len(s.wrongPointers(b.environment)) > 0 {
		return []bool{true}
	}
	return nil
}

// begunFollows: a Begun follows "nothing in flight", or replaces exactly the last Begun, by its owner or by right of
// rule 10.
func (s *simulation) begunFollows(c *simCall, b *simBook, was ledger.State, body ledger.Begun) {
	f := was.Flight
	switch {
	case f == nil && body.Replaces != 0, f != nil && body.Replaces != f.Seq:
		s.wrong("a Begun follows or replaces the last", "%s replaces %d, in flight %+v", body.Why, body.Replaces, f)
	case f == nil || f.By == c.p.author():
		return
	}
	s.counts["takeovers"]++
	silent := time.Since(b.times[f.Seq-1])
	owner := s.processes[slices.IndexFunc(s.processes, func(p *process) bool { return p.id == f.By.PID })]
	dead := owner.crashed.Load() && owner.host == c.p.host && time.Since(owner.died) > promised.D
	if dead && silent < promised.TTL {
		s.counts["seen dead"]++
	}
	if !f.Left && silent < promised.TTL && !dead {
		s.wrong("a right is taken over by rule 10 alone", "%s from %s after %s", c.p, owner, silent)
	}
}

// foundIsForeign: `found` is never a value that this ledger had set.
func (s *simulation) foundIsForeign(b *simBook, was ledger.State, body ledger.Begun) {
	for id, v := range body.Found {
		if b.set[id+string(v)] {
			s.wrong("found is never a value that this ledger had set", "%s: %s", id, v)
		}
		if slices.Contains(was.Ours(), id) {
			s.wrong("only new pointers are found", "%s", id)
		}
	}
}

// mayStart: a plan is in at most one Begun(start), and is begun over the Live it was made over, which is proven; no
// start of what is barred, or on hold, or without passed, fresh, matching evidence or a waiver for every gate.
func (s *simulation) mayStart(c *simCall, b *simBook, was ledger.State, body ledger.Begun) {
	for _, e := range b.entries[:len(b.entries)-1] {
		if earlier, is := e.Body.(ledger.Begun); is && earlier.Why == ledger.Start && earlier.Plan == body.Plan {
			s.wrong("a plan is in at most one Begun(start)", "%s: %s was begun by entry %d", c.p, body.Plan, e.Seq)
		}
	}
	var plan release.Plan
	f := s.cloud().files[b.environment+":/Barge/p/plans/"+strings.TrimPrefix(body.Plan, "sha256:")+".json"]
	if err := json.Unmarshal(f.body, &plan); err != nil || plan.Over.Live != was.Champion.Live {
		s.wrong("a plan is begun over the Live it was made over", "%s: made over %d, begun over %d (%v)", c.p, plan.Over.Live, was.Champion.Live, err)
	}
	if _, barred := was.Barred(body.Release); barred || was.Hold != nil || !was.IsProven() {
		s.wrong("a start needs a proven champion, no bar and no hold", "%s: barred %v, hold %v, proven %v", c.p, barred, was.Hold, was.IsProven())
	}
	if b.environment == "test" && !s.gated(b, was, body) {
		s.wrong("no start without evidence", "%s begins %s", c.p, body.Release)
	}
	if known := s.books["test"].state.Known[body.Release.Artifact]; b.environment == "prod" && known.Live == 0 {
		s.wrong("no start without evidence", "%s begins %s, which test never had", c.p, body.Release)
	}
}

func (s *simulation) gated(b *simBook, was ledger.State, body ledger.Begun) bool {
	champion := was.Champion.Release.Artifact
	if champion == "" {
		champion = "none"
	}
	return slices.ContainsFunc(b.entries, func(e ledger.Entry) bool {
		said, is := e.Body.(ledger.Evidence)
		return is && said.Gate == "good" && said.Artifact == body.Release.Artifact && said.Outcome == "passed" && said.Champion == champion && said.Rules == body.Rules.Digest
	})
}

// mayRollBack: a rollback's `seen` is the decision at its append, which is the one it was decided on; its target is
// not barred; without a name it brings back nothing that a rollback removed; a waived or proven Live is not taken back
// by a judge.
func (s *simulation) mayRollBack(c *simCall, b *simBook, was ledger.State, body ledger.Begun) {
	p := c.p
	if body.Seen != was.Decision {
		s.wrong("a rollback's seen is the decision at its append", "%s: %d, and the decision is %d", p, body.Seen, was.Decision)
	}
	mends := body.Release.Artifact == was.Champion.Release.Artifact // at a drifted Genesis, whoever rolled back to it
	if p.does.verb == "rollback" && p.firstHead > 0 && !mends {
		if decided := b.entries[p.firstHead-1].State.Decision; decided != was.Decision {
			s.wrong("a rollback fixes its decision when it starts", "%s: decision %d, by now %d", p, decided, was.Decision)
		}
	}
	if _, barred := was.Barred(body.Release); barred {
		s.wrong("a barred artifact is no rollback target", "%s returns to %s", p, body.Release)
	}
	if known := was.Known[body.Release.Artifact]; p.does.release == "" && known.Removed > 0 && was.Champion.Release.Artifact != body.Release.Artifact {
		s.wrong("no rollback without a name brings back what a rollback removed", "%s returns to %s", p, body.Release)
	}
	if p.does.verb != "rollback" && was.IsProven() {
		s.wrong("a waived or proven Live is not taken back by a judge", "%s takes back %s", p, was.Champion.Release)
	}
}

// mayTurnBack: a turn-back's values are the last Live's, or found. No environment turns back for what another did.
func (s *simulation) mayTurnBack(c *simCall, was ledger.State, body ledger.Begun) {
	for id, v := range body.To {
		held, champions := was.Champion.Values[id]
		found, new := was.Found[id]
		if (!champions || v != held) && (!new || v != found) {
			s.wrong("a turn-back's values are the last Live's, or found", "%s gets %s", id, v)
		}
	}
	if s.profile.name == "calm" && !s.other(c.p.environment).moved && was.Flight.By == c.p.author() {
		s.wrong("no environment turns back for what another did", "%s turns back to %s", c.p, body.Release)
	}
}
