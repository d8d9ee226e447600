package ledger_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/ledger"
)

func TestGenesis(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	if c := st.s.Champion; c.Live != 1 || c.Proven != ledger.AsGenesis || c.Release.Artifact != "" || !st.s.IsProven() {
		t.Errorf("the champion is %+v", c)
	}
	st.refuses("is Genesis", alice, ledger.Live{Genesis: &ledger.Genesis{}})
	empty := &story{t: t}
	empty.refuses("is Genesis", alice, ledger.Held{})
	empty.refuses("is Genesis", alice, ledger.Live{})
}

func TestAStartGoesLiveAndIsProven(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	begun := st.plan("1.0.0", ledger.Values{job: value(t, "j"), slot: value(t, "v2")})
	st.by(alice, begun)
	if st.s.InFlight() != ledger.Start || st.s.Decision != 2 || !st.s.Owns(alice) || st.s.Owns(bob) || st.s.Champion.Live != 1 {
		t.Fatalf("after Begun: %+v", st.s)
	}
	made := st.goOn(ledger.Made)
	made.Jobs = map[string]int64{job: 11}
	st.by(alice, made)
	st.live(alice)
	want := ledger.Champion{
		Release: begun.Release, Values: begun.To, Live: 4, At: st.s.Champion.At, By: ledger.Start, Plan: begun.Plan,
		Judges: []string{"nightly"}, Start: 4,
	}
	if diff := cmp.Diff(want, st.s.Champion); diff != "" {
		t.Errorf("after Live (-want +got):\n%s", diff)
	}
	if st.s.InFlight() != "" || st.s.Rules.Digest != "sha256:rules-1" || st.s.Job(job) != 11 || st.s.Named("1.0.0") != "sha256:1.0.0" {
		t.Errorf("after Live: %+v", st.s)
	}
	st.by(bob, ledger.Proven{Live: 2, How: ledger.Judged})
	if st.s.IsProven() {
		t.Error("a Proven for another than the last Live counts")
	}
	st.proven()
	if k := st.s.Known["sha256:1.0.0"]; st.s.Champion.Proven != ledger.Judged || k.Proven != 4 || !k.Since.Equal(noon.Add(6*60e9)) {
		t.Errorf("proven %q, known %+v", st.s.Champion.Proven, k)
	}
	st.by(bob, ledger.Proven{Live: 4, How: ledger.Waiver})
	if st.s.Champion.Proven != ledger.Judged {
		t.Error("proven a second time")
	}
	st.refuses("does not prove", bob, ledger.Proven{Live: 4, How: ledger.Unjudged})
}

func TestWithoutAFirstRunALiveIsProven(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	b := st.plan("1.0.0", ledger.Values{job: ledger.Off})
	b.Judges = nil
	st.by(alice, b)
	st.live(alice)
	if st.s.Champion.Proven != ledger.Unjudged || st.s.Champion.Values[slot] != ledger.Off {
		t.Errorf("%+v", st.s.Champion)
	}
}

func TestTheRulesOfBegun(t *testing.T) {
	t.Parallel()
	fresh := func() *story {
		st := newStory(t)
		st.promote("1.0.0", "1.1.0")
		return st
	}
	values := ledger.Values{job: value(t, "j"), slot: value(t, "v")}
	for name, c := range map[string]struct {
		before func(*story)
		begun  func(*story) ledger.Begun
		by     ledger.Author
		why    string // "": allowed
	}{
		"a start":             {begun: func(st *story) ledger.Begun { return st.plan("2.0.0", values) }},
		"for no reason":       {begun: func(st *story) ledger.Begun { b := st.plan("2.0.0", values); b.Why = "because"; return b }, why: "no reason to begin"},
		"without an artifact": {begun: func(st *story) ledger.Begun { b := st.plan("2.0.0", values); b.Release.Artifact = ""; return b }, why: "artifact or plan is missing"},
		"without a plan":      {begun: func(st *story) ledger.Begun { b := st.plan("2.0.0", values); b.Plan = ""; return b }, why: "artifact or plan is missing"},
		"on hold":             {before: func(st *story) { st.by(bob, ledger.Held{Reason: "audit"}) }, begun: func(st *story) ledger.Begun { return st.plan("2.0.0", values) }, why: "on hold since entry 8: audit"},
		"no longer on hold":   {before: func(st *story) { st.by(bob, ledger.Held{}); st.by(bob, ledger.Unheld{}) }, begun: func(st *story) ledger.Begun { return st.plan("2.0.0", values) }},
		"over an older champion": {
			begun: func(st *story) ledger.Begun { b := st.plan("2.0.0", values); b.Seen = 2; return b }, why: "made against decision 2, and the decision is 5",
		},
		"over one not proven": {before: func(st *story) { st.start("1.2.0") }, begun: func(st *story) ledger.Begun { return st.plan("2.0.0", values) }, why: "the champion 1.2.0 (Live 9) is not proven"},
		"barred by artifact":  {before: func(st *story) { st.by(bob, ledger.Barred{Bar: ledger.Bar{Artifact: "sha256:2.0.0", Reason: "bad"}}) }, begun: func(st *story) ledger.Begun { return st.plan("2.0.0", values) }, why: "2.0.0 is barred since entry 8: bad"},
		"barred by model":     {before: func(st *story) { st.by(bob, ledger.Barred{Bar: ledger.Bar{Model: "sha256:model-2.0.0"}}) }, begun: func(st *story) ledger.Begun { return st.plan("2.0.0", values) }, why: "2.0.0 is barred"},
		"no longer barred": {
			before: func(st *story) {
				st.by(bob, ledger.Barred{Bar: ledger.Bar{Model: "sha256:model-2.0.0"}})
				st.by(bob, ledger.Unbarred{Bar: ledger.Bar{Model: "sha256:model-2.0.0"}})
			}, begun: func(st *story) ledger.Begun { return st.plan("2.0.0", values) },
		},
		"a name of another artifact": {begun: func(st *story) ledger.Begun { b := st.plan("2.0.0", values); b.Release.Name = "1.0.0"; return b }, why: "the name 1.0.0 is bound to another artifact"},
		"another name of an artifact": {begun: func(st *story) ledger.Begun {
			b := st.plan("1.0.0", values)
			b.Release.Name, b.Plan = "1.0.1", "sha256:p"
			return b
		}},
		"a plan for the second time": {before: func(st *story) {
			st.by(alice, st.plan("2.0.0", values))
			st.by(alice, st.turnBack())
			st.live(alice)
		}, begun: func(st *story) ledger.Begun {
			b := st.plan("2.0.0", values)
			b.Plan = "sha256:plan-2.0.0-6"
			return b
		}, why: "begun before"},
		"a pointer of ours left out": {begun: func(st *story) ledger.Begun { b := st.plan("2.0.0", values); delete(b.To, job); return b }, why: "job:nightly is ours and has no value"},
		"a new pointer not read": {begun: func(st *story) ledger.Begun {
			b := st.plan("2.0.0", values)
			b.To = ledger.Values{job: values[job], slot: values[slot], "job:new": ledger.Off}
			return b
		}, why: "job:new is new, and what it held is not recorded"},
		"found again": {begun: func(st *story) ledger.Begun {
			b := st.plan("2.0.0", values)
			b.Found = ledger.Values{job: ledger.Off}
			return b
		}, why: "job:nightly is ours already"},
		"found and not set": {begun: func(st *story) ledger.Begun {
			b := st.plan("2.0.0", values)
			b.Found = ledger.Values{"x": ledger.Off}
			return b
		}, why: "x has no value in it"},
		"a start that gives back": {begun: func(st *story) ledger.Begun { b := st.plan("2.0.0", values); b.Back = []string{job}; return b }, why: "not given back what was found"},
		"a start that bars": {begun: func(st *story) ledger.Begun {
			b := st.plan("2.0.0", values)
			b.Bars = []ledger.Bar{{Artifact: "x"}}
			return b
		}, why: "only a rollback bars"},
		"a start that replaces":     {begun: func(st *story) ledger.Begun { b := st.plan("2.0.0", values); b.Replaces = 5; return b }, why: "nothing is in flight"},
		"a renewal of nothing":      {begun: func(st *story) ledger.Begun { b := st.plan("2.0.0", values); b.Why = ledger.Renew; return b }, why: "nothing is"},
		"a turn-back of nothing":    {begun: func(st *story) ledger.Begun { b := st.plan("2.0.0", values); b.Why = ledger.TurnBack; return b }, why: "nothing is"},
		"a rollback":                {begun: func(st *story) ledger.Begun { return st.rollback("") }},
		"a rollback on hold":        {before: func(st *story) { st.by(bob, ledger.Held{}) }, begun: func(st *story) ledger.Begun { return st.rollback("") }},
		"a rollback seen too early": {begun: func(st *story) ledger.Begun { b := st.rollback(""); b.Seen = 2; return b }, why: "made against decision 2"},
		"a rollback to what was never live": {
			begun: func(st *story) ledger.Begun { b := st.rollback(""); b.Release = release("9"); return b }, why: "9 was never live here",
		},
		"a rollback to what is barred": {
			begun: func(st *story) ledger.Begun {
				b := st.rollback("")
				st.by(bob, ledger.Barred{Bar: ledger.Bar{Artifact: b.Release.Artifact}})
				return b
			}, why: "1.0.0 is barred",
		},
		"a bar on nothing": {begun: func(st *story) ledger.Begun { b := st.rollback(""); b.Bars = []ledger.Bar{{}}; return b }, why: "a bar names"},
		"a mend": {begun: func(st *story) ledger.Begun {
			return ledger.Begun{Why: ledger.Mend, Release: st.s.Champion.Release, To: st.s.Champion.Values, Seen: st.s.Decision}
		}},
		"a mend on hold": {before: func(st *story) { st.by(bob, ledger.Held{}) }, begun: func(st *story) ledger.Begun {
			return ledger.Begun{Why: ledger.Mend, Release: st.s.Champion.Release, To: st.s.Champion.Values, Seen: st.s.Decision}
		}, why: "on hold"},
		"a mend of what is barred": {before: func(st *story) { st.by(bob, ledger.Barred{Bar: ledger.Bar{Artifact: "sha256:1.1.0"}}) }, begun: func(st *story) ledger.Begun {
			return ledger.Begun{Why: ledger.Mend, Release: st.s.Champion.Release, To: st.s.Champion.Values, Seen: st.s.Decision}
		}, why: "1.1.0 is barred"},
		"a mend with other values": {begun: func(st *story) ledger.Begun {
			return ledger.Begun{Why: ledger.Mend, Release: st.s.Champion.Release, To: values, Seen: st.s.Decision}
		}, why: "the values of the champion"},
		"a mend with another release": {begun: func(st *story) ledger.Begun {
			return ledger.Begun{Why: ledger.Mend, Release: release("1.0.0"), To: st.s.Champion.Values, Seen: st.s.Decision}
		}, why: "the champion 1.1.0"},
	} {
		st := fresh()
		if c.before != nil {
			c.before(st)
		}
		b := c.begun(st)
		if c.why != "" {
			t.Run(name, func(t *testing.T) { st.t = t; st.refuses(c.why, alice, b) })
			continue
		}
		if _, err := st.try(alice, b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheRulesInFlight(t *testing.T) {
	t.Parallel()
	fresh := func() *story {
		st := newStory(t)
		st.promote("1.0.0")
		st.by(alice, st.plan("1.1.0", ledger.Values{job: value(t, "j"), slot: value(t, "v"), "job:new": value(t, "n")}))
		return st
	}
	bar := func(st *story) { st.by(bob, ledger.Barred{Bar: ledger.Bar{Artifact: "sha256:1.1.0", Reason: "bad"}}) }
	left := func(st *story) { st.by(alice, ledger.Left{Of: st.s.Flight.Seq}) }
	for name, c := range map[string]struct {
		before func(*story)
		body   func(*story) ledger.Body
		by     ledger.Author
		why    string
	}{
		"another start":               {body: func(st *story) ledger.Body { return st.plan("2.0.0", nil) }, by: bob, why: "Begun 5 of process 1 (a11ce) is in flight"},
		"a mend":                      {body: func(st *story) ledger.Body { b := st.goOn(ledger.Mend); return b }, by: bob, why: "is in flight"},
		"a renewal":                   {body: func(st *story) ledger.Body { return st.goOn(ledger.Renew) }, by: alice},
		"a stranger's renewal":        {body: func(st *story) ledger.Body { return st.goOn(ledger.Renew) }, by: bob, why: "does not own Begun 5"},
		"a renewal of an older Begun": {before: func(st *story) { st.by(alice, st.goOn(ledger.Renew)) }, body: func(st *story) ledger.Body { b := st.goOn(ledger.Renew); b.Replaces = 5; return b }, by: alice, why: "replaces Begun 5, and the last one is 6"},
		"a renewal after leaving":     {before: left, body: func(st *story) ledger.Body { return st.goOn(ledger.Renew) }, by: alice, why: "does not own"},
		"a renewal with other values": {body: func(st *story) ledger.Body {
			b := st.goOn(ledger.Renew)
			b.To = maps.Clone(b.To)
			b.To[job] = ledger.Off
			return b
		}, by: alice, why: "does not go on with the plan of Begun 5"},
		"a renewal of another plan":    {body: func(st *story) ledger.Body { b := st.goOn(ledger.Renew); b.Plan = "x"; return b }, by: alice, why: "does not go on"},
		"a renewal of another release": {body: func(st *story) ledger.Body { b := st.goOn(ledger.Renew); b.Release = release("3"); return b }, by: alice, why: "does not go on"},
		"made, and no job":             {body: func(st *story) ledger.Body { return st.goOn(ledger.Made) }, by: alice, why: "names no job"},
		"a stranger's job":             {body: func(st *story) ledger.Body { b := st.goOn(ledger.Made); b.Jobs = map[string]int64{job: 1}; return b }, by: bob, why: "does not own"},
		"a take-over":                  {body: func(st *story) ledger.Body { return st.goOn(ledger.TakeOver) }, by: bob},
		"a take-over of what is barred": {
			before: bar, body: func(st *story) ledger.Body { return st.goOn(ledger.TakeOver) }, by: bob, why: "1.1.0 is barred since entry 6: bad",
		},
		"a turn-back":                   {body: func(st *story) ledger.Body { return st.turnBack() }, by: alice},
		"a turn-back of what is barred": {before: bar, body: func(st *story) ledger.Body { return st.turnBack() }, by: bob},
		"a turn-back to another":        {body: func(st *story) ledger.Body { b := st.turnBack(); b.Release = release("3"); return b }, by: alice, why: "the champion is 1.0.0"},
		"a turn-back to other values": {body: func(st *story) ledger.Body {
			b := st.turnBack()
			b.To = maps.Clone(b.To)
			b.To[job] = ledger.Off
			return b
		}, by: alice, why: "neither the champion's nor found"},
		"a turn-back that keeps what is new": {
			body: func(st *story) ledger.Body { b := st.turnBack(); b.Back = nil; return b }, by: alice, why: "neither the champion's nor found",
		},
		"a turn-back of a rollback": {
			before: func(st *story) { st.by(bob, st.rollback("")) }, body: func(st *story) ledger.Body { return st.turnBack() }, by: bob, why: "only a start is turned back",
		},
		"a rollback":                      {body: func(st *story) ledger.Body { return st.rollback("") }, by: bob},
		"a rollback that follows nothing": {body: func(st *story) ledger.Body { b := st.rollback(""); b.Replaces = 0; return b }, by: bob, why: "replaces Begun 0, and the last one is 5"},
		"a Live":                          {body: func(st *story) ledger.Body { return ledger.Live{Of: 5, Values: st.s.LiveValues()} }, by: alice},
		"a stranger's Live":               {body: func(st *story) ledger.Body { return ledger.Live{Of: 5, Values: st.s.LiveValues()} }, by: bob, why: "does not own"},
		"a Live after leaving":            {before: left, body: func(st *story) ledger.Body { return ledger.Live{Of: 5, Values: st.s.LiveValues()} }, by: alice, why: "does not own"},
		"a Live of an older Begun":        {before: func(st *story) { st.by(alice, st.goOn(ledger.Renew)) }, body: func(st *story) ledger.Body { return ledger.Live{Of: 5, Values: st.s.LiveValues()} }, by: alice, why: "finishes Begun 5, and the last one is 6"},
		"a Live with other values":        {body: func(st *story) ledger.Body { return ledger.Live{Of: 5, Values: st.s.Champion.Values} }, by: alice, why: "not those of Begun 5"},
		"leaving":                         {body: func(*story) ledger.Body { return ledger.Left{Of: 5} }, by: alice},
		"a stranger leaving":              {body: func(*story) ledger.Body { return ledger.Left{Of: 5} }, by: bob, why: "does not own"},
		"leaving twice":                   {before: left, body: func(*story) ledger.Body { return ledger.Left{Of: 5} }, by: alice, why: "does not own"},
		"a Live of nothing":               {before: func(st *story) { st.live(alice) }, body: func(*story) ledger.Body { return ledger.Live{Of: 5} }, by: alice, why: "nothing is in flight"},
		"leaving nothing":                 {before: func(st *story) { st.live(alice) }, body: func(*story) ledger.Body { return ledger.Left{Of: 5} }, by: alice, why: "does not own"},
		"what nobody knows":               {body: func(*story) ledger.Body { return ledger.Unknown{Kind: "Danced"} }, by: alice, why: "only a newer barge"},
		"evidence without a token":        {body: func(*story) ledger.Body { return ledger.Evidence{Gate: "g", Artifact: "a"} }, by: alice, why: "token, gate or artifact is missing"},
	} {
		st := fresh()
		if c.before != nil {
			c.before(st)
		}
		b := c.body(st)
		if c.why != "" {
			t.Run(name, func(t *testing.T) { st.t = t; st.refuses(c.why, c.by, b) })
			continue
		}
		if _, err := st.try(c.by, b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFoldKeepsWhatItWasGiven(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	st.promote("1.0.0")
	before := st.s
	copyOf := newStory(t)
	copyOf.promote("1.0.0")
	for _, b := range []ledger.Body{
		st.plan("1.1.0", ledger.Values{job: value(t, "j"), "job:new": ledger.Off}),
		ledger.Evidence{Token: "t", Gate: "g", Artifact: "sha256:1.0.0", Outcome: "passed"},
		ledger.Barred{Bar: ledger.Bar{Artifact: "x"}},
		st.rollback(""),
		ledger.Approved{Plan: "p"},
		ledger.Waived{What: "gate:g"},
	} {
		if _, err := st.try(alice, b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(copyOf.s, before); diff != "" {
			t.Fatalf("folding a %s changed the state before (-want +got):\n%s", b.Type(), diff)
		}
	}
}
