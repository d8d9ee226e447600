package ledger_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/ledger"
)

const extra = "slot:shared/diabetes/Staging"

func TestATurnBackGivesNewPointersBack(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	st.promote("1.0.0")
	champion := st.s.Champion
	begun := st.plan("1.1.0", ledger.Values{job: value(t, "j"), extra: value(t, "9")})
	if begun.To[slot] != ledger.Off {
		t.Errorf("%s is ours and not in the plan: it is to be %s, want off", slot, begun.To[slot])
	}
	st.by(alice, begun)
	back := st.turnBack()
	if want := value(t, "found in "+extra); back.To[extra] != want || back.To[job] != champion.Values[job] {
		t.Errorf("it sets %v, want what was found, and the champion's", back.To)
	}
	st.by(bob, back)
	st.live(bob)
	want := champion
	want.Live, want.At, want.By, want.Plan, want.Proven = 7, st.s.Champion.At, ledger.TurnBack, "", ledger.Before
	if diff := cmp.Diff(want, st.s.Champion); diff != "" {
		t.Errorf("the champion (-want +got):\n%s", diff)
	}
	if _, ours := st.s.Found[extra]; ours || len(st.s.Since) != 0 {
		t.Errorf("%s is still ours: found %v, since %v", extra, st.s.Found, st.s.Since)
	}
	if _, fresh := st.s.To(begun.To); !cmp.Equal(fresh, []string{extra}) {
		t.Errorf("new for whoever names it next: %v, want %s", fresh, extra)
	}
	if k := st.s.Known["sha256:1.1.0"]; k.Live != 0 || k.Removed != 0 {
		t.Errorf("what was turned back is known as %+v", k)
	}
}

func TestARollbackGivesBackWhatItsTargetDidNotHave(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	st.promote("1.0.0")
	st.by(alice, st.plan("1.1.0", ledger.Values{job: value(t, "j"), slot: value(t, "v"), extra: value(t, "9")}))
	st.live(alice)
	st.proven()
	st.by(alice, st.plan("1.2.0", ledger.Values{job: value(t, "k"), slot: value(t, "w")})) // extra is off
	st.live(alice)
	if st.s.Champion.Values[extra] != ledger.Off {
		t.Fatalf("%v", st.s.Champion.Values)
	}
	st.proven()
	st.by(bob, st.rollback("1.0.0"))
	if to := st.s.Flight.To; to[extra] != value(t, "found in "+extra) {
		t.Errorf("it sets %v", to)
	}
	st.live(bob)
	if _, ours := st.s.Champion.Values[extra]; ours || st.s.Champion.Proven != ledger.Before || st.s.Champion.Start != 3 {
		t.Errorf("the champion is %+v", st.s.Champion)
	}
	// What was given back is new again for a rollback to who had it.
	st.by(bob, ledger.Unbarred{Bar: ledger.Bar{Artifact: "sha256:1.2.0"}})
	again := st.rollback("1.1.0")
	if again.Found[extra] == "" {
		t.Errorf("what %s holds is not recorded: %+v", extra, again)
	}
	st.by(bob, again)
	st.live(bob)
	if st.s.Champion.Values[extra] != value(t, "9") {
		t.Errorf("the champion is %+v", st.s.Champion)
	}
}

func TestSlotsRememberWhatWasPut(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	st.promote("1.0.0", "1.1.0")
	st.by(bob, st.rollback(""))
	st.live(bob)
	st.by(bob, st.rollback("")) // to Genesis: what it recorded is not ours
	st.live(bob)
	want := map[string][]ledger.Value{slot: {value(t, "version of 1.0.0"), value(t, "version of 1.1.0")}}
	if diff := cmp.Diff(want, st.s.Slots); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c := st.s.Champion; c.Proven != ledger.AsGenesis || c.Start != 1 || c.Values[slot] != value(t, "1") {
		t.Errorf("the champion is %+v", c)
	}
}

func TestTheLastJobIsTheOneInUse(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	st.by(alice, st.plan("1.0.0", ledger.Values{job: value(t, "j")}))
	for _, id := range []int64{11, 12, 11, 13, 11} {
		made := st.goOn(ledger.Made)
		made.Jobs = map[string]int64{job: id}
		st.by(alice, made)
	}
	if diff := cmp.Diff(map[string][]int64{job: {12, 13, 11}}, st.s.Jobs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if st.s.Job(job) != 11 || st.s.Job("job:other") != 0 {
		t.Errorf("in use: %d, %d", st.s.Job(job), st.s.Job("job:other"))
	}
}

func TestARollbackTakesTheSoakAway(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	st.promote("1.0.0", "1.1.0")
	first := st.s.Known["sha256:1.0.0"].Since
	if first.IsZero() {
		t.Fatal("a superseded release has lost its soak")
	}
	st.by(bob, st.rollback(""))
	if k := st.s.Known["sha256:1.1.0"]; k.Removed != st.s.Seq || !k.Since.IsZero() {
		t.Errorf("at the rollback's Begun, what it removes is known as %+v", k)
	}
	if _, barred := st.s.Barred(release("1.1.0")); !barred {
		t.Error("what a rollback removes is not barred at its Begun")
	}
	st.live(bob)
	if k := st.s.Known["sha256:1.0.0"]; !k.Since.Equal(first) || k.Removed != 0 {
		t.Errorf("what it brings back is known as %+v, want its soak since %s", k, first)
	}
	st.by(bob, ledger.Unbarred{Bar: ledger.Bar{Artifact: "sha256:1.1.0"}})
	b := st.plan("1.1.0", ledger.Values{job: value(t, "j")})
	b.Plan = "sha256:again"
	st.by(alice, b)
	st.live(alice)
	if st.s.IsProven() {
		t.Error("a start is proven by what was before")
	}
	st.proven()
	if k := st.s.Known["sha256:1.1.0"]; k.Since.Before(st.s.Champion.At) || k.Proven >= st.s.Champion.Live {
		t.Errorf("its soak began before it was proven again: %+v", k)
	}
}

func TestAMendInheritsProof(t *testing.T) {
	t.Parallel()
	for _, proven := range []bool{true, false} {
		st := newStory(t)
		st.start("1.0.0")
		if proven {
			st.proven()
		}
		rules := st.s.Rules
		st.by(alice, ledger.Begun{Why: ledger.Mend, Release: st.s.Champion.Release, To: st.s.Champion.Values, Seen: st.s.Decision})
		st.live(alice)
		c := st.s.Champion
		if st.s.IsProven() != proven || c.By != ledger.Mend || c.Start != 3 || len(c.Judges) != 1 || !cmp.Equal(rules, st.s.Rules) || st.s.Decision != 2 {
			t.Errorf("proven before: %v; the champion is %+v", proven, c)
		}
	}
}

func TestApprovals(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	st.by(bob, ledger.Approved{Plan: "sha256:plan-1.0.0-1", Principal: "user:b"})
	st.by(bob, ledger.Approved{Rules: "sha256:rules-2", Principal: "user:b"})
	st.by(bob, ledger.Rejected{Plan: "x", Reason: "no"})
	st.start("1.0.0")
	if len(st.s.Approvals) != 0 || len(st.s.Rejections) != 0 {
		t.Errorf("after a switch that brought other rules: %+v, %+v", st.s.Approvals, st.s.Rejections)
	}
	st.by(bob, ledger.Approved{Plan: "p"})
	st.by(bob, ledger.Approved{Rules: "sha256:rules-2"})
	st.by(alice, ledger.Begun{Why: ledger.Mend, Release: st.s.Champion.Release, To: st.s.Champion.Values, Seen: st.s.Decision})
	st.live(alice)
	if len(st.s.Approvals) != 1 || st.s.Approvals[0].Said.Rules != "sha256:rules-2" {
		t.Errorf("after a mend: %+v, want the rules' approval alone", st.s.Approvals)
	}
}

func TestEvidenceCountsOnce(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	say := func(token, outcome, champion string) {
		st.by(bob, ledger.Evidence{
			Token: token, Gate: "g", Artifact: "sha256:a", Outcome: outcome, Rules: "r", Champion: champion,
		})
	}
	attempt := func() int { return st.s.Attempt("g", "sha256:a", "r", "c") }
	if attempt() != 1 {
		t.Errorf("the first attempt is %d", attempt())
	}
	say("t1", "failed", "c")
	say("t1", "passed", "c")
	say("t2", "errored", "c")
	say("t3", "inconclusive", "c")
	say("t4", "failed", "another")
	if attempt() != 3 || st.s.Evidence["t1"].Outcome != "failed" || len(st.s.Known) != 0 {
		t.Errorf("attempt %d, evidence %+v, known %+v", attempt(), st.s.Evidence, st.s.Known)
	}
	say("t5", "passed", "c")
	if got := st.s.Known["sha256:a"].Evidence["g"]; got != st.s.Seq {
		t.Errorf("passed evidence stands in entry %d, want %d", got, st.s.Seq)
	}
	known := func() int { return st.s.Known["sha256:a"].Evidence["g"] }
	passed := st.s.Seq
	say("t6", "errored", "c")
	say("t7", "failed", "another")
	if known() != passed {
		t.Errorf("evidence that says nothing of it took it away: %d", known())
	}
	for token, outcome := range map[string]string{"t8": "failed", "t9": "inconclusive"} {
		say(token, outcome, "c")
		if known() != 0 {
			t.Errorf("after a later answer (%s) the earlier one stands: %d", outcome, known())
		}
		say(token+" again", "passed", "c")
		if known() != st.s.Seq {
			t.Errorf("passed again: %d", known())
		}
	}
	st.start("1.0.0")
	if attempt() != 1 || len(st.s.Evidence) != 0 || st.s.Known["sha256:a"].Evidence["g"] == 0 {
		t.Errorf("after a Live: attempt %d, evidence %+v, known %+v", attempt(), st.s.Evidence, st.s.Known)
	}
}

func TestWaivers(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	until := noon.Add(time.Hour)
	st.by(bob, ledger.Waived{What: "gate:g", Artifact: "a", Reason: "known", ExpiresAt: &until})
	for _, c := range []struct {
		what, artifact string
		at             time.Time
		want           bool
	}{
		{"gate:g", "a", noon, true}, {"gate:g", "a", until, false}, {"gate:g", "b", noon, false}, {"score:g", "a", noon, false},
	} {
		if _, got := st.s.Waiver(c.what, c.artifact, c.at); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestOnlyTheLastChampionsAreKept(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	for i := range 30 {
		st.promote(fmt.Sprint("1.", i))
	}
	if len(st.s.Past) != 21 || st.s.Past[0].Live != 1 || st.s.Past[1].Release.Name != "1.10" || st.s.Past[20].Release.Name != "1.29" {
		t.Errorf("%d kept: the first %+v", len(st.s.Past), st.s.Past[:2])
	}
	if st.s.Named("1.3") != "sha256:1.3" {
		t.Error("a name is bound for ever, and was forgotten")
	}
	if _, err := st.s.RollbackTarget("1.3"); !errors.Is(err, ledger.ErrTooOld) {
		t.Errorf("returning to what fell out: %v", err)
	}
}
