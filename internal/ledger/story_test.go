package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/ledger"
)

const (
	job  = "job:nightly"
	slot = "slot:shared/diabetes/Production"
)

var (
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	alice = ledger.Author{Random: "a11ce", PID: 1}
	bob   = ledger.Author{Random: "b0b", PID: 2}
)

// release is a release with its own artifact and model digest.
func release(name string) ledger.Release {
	return ledger.Release{
		Name: name, Artifact: "sha256:" + name,
		Models: map[string]ledger.Model{"m": {Name: "diabetes", Version: "7", Digest: "sha256:model-" + name}},
	}
}

func value(t *testing.T, v any) ledger.Value {
	t.Helper()
	canonical, err := ledger.ValueOf(v)
	if err != nil {
		t.Fatal(err)
	}
	return canonical
}

// story folds entries one after another.
type story struct {
	t *testing.T
	s ledger.State
}

// newStory begins with a Genesis that holds job and slot.
func newStory(t *testing.T) *story {
	st := &story{t: t}
	st.by(alice, ledger.Live{
		Values:  ledger.Values{job: ledger.Absent, slot: value(t, "1")},
		Genesis: &ledger.Genesis{Project: "diabetes", Environment: "prod"},
	})
	return st
}

// try folds a body without keeping it.
func (st *story) try(author ledger.Author, b ledger.Body) (ledger.State, error) {
	seq := st.s.Seq + 1
	return ledger.Fold(st.s, ledger.Entry{
		Format: 1, Seq: seq, ID: fmt.Sprint("id", seq), By: author, At: noon.Add(time.Duration(seq) * time.Minute), Body: b,
	})
}

func (st *story) by(author ledger.Author, b ledger.Body) {
	st.t.Helper()
	s, err := st.try(author, b)
	if err != nil {
		st.t.Fatal(err)
	}
	st.s = s
}

func (st *story) refuses(why string, author ledger.Author, b ledger.Body) {
	st.t.Helper()
	if _, err := st.try(author, b); err == nil || !strings.Contains(err.Error(), why) {
		st.t.Errorf("%s by %s: %v, want it refused: %s", b.Type(), author.Random, err, why)
	}
}

// plan is the Begun(start) of a release with values for some pointers.
func (st *story) plan(name string, values ledger.Values) ledger.Begun {
	to, fresh := st.s.To(values)
	b := ledger.Begun{
		Why: ledger.Start, Plan: fmt.Sprintf("sha256:plan-%s-%d", name, st.s.Champion.Live), Release: release(name), To: to,
		Seen: st.s.Decision, Rules: ledger.Rules{Digest: "sha256:rules-1"}, Judges: []string{"nightly"},
	}
	for _, id := range fresh {
		if b.Found == nil {
			b.Found = ledger.Values{}
		}
		b.Found[id] = value(st.t, "found in "+id)
	}
	return b
}

// start brings a release live, with a job and a slot of its own; it is not proven yet.
func (st *story) start(name string) {
	st.t.Helper()
	st.by(alice, st.plan(name, ledger.Values{job: value(st.t, "job of "+name), slot: value(st.t, "version of "+name)}))
	st.live(alice)
}

func (st *story) live(author ledger.Author) {
	st.t.Helper()
	st.by(author, ledger.Live{Of: st.s.Flight.Seq, Values: st.s.LiveValues()})
}

func (st *story) proven() {
	st.t.Helper()
	st.by(bob, ledger.Proven{Live: st.s.Champion.Live, How: ledger.Judged})
}

// promote starts and proves releases one after another.
func (st *story) promote(names ...string) {
	st.t.Helper()
	for _, name := range names {
		st.start(name)
		st.proven()
	}
}

// rollback is the Begun(rollback) to where RollbackTarget says.
func (st *story) rollback(choice string) ledger.Begun {
	st.t.Helper()
	target, err := st.s.RollbackTarget(choice)
	if err != nil {
		st.t.Fatal(err)
	}
	to, back, fresh := st.s.Return(target.Values)
	b := ledger.Begun{
		Why: ledger.Rollback, Release: target.Release, To: to, Back: back, Seen: st.s.Decision,
		Bars: []ledger.Bar{{Artifact: st.s.Champion.Release.Artifact, Reason: "bad scores"}},
	}
	if st.s.Flight != nil {
		b.Replaces = st.s.Flight.Seq
		b.Bars[0].Artifact = st.s.Flight.Release.Artifact
	}
	for _, id := range fresh {
		b.Found = ledger.Values{id: value(st.t, "found again in "+id)}
	}
	return b
}

// turnBack is the Begun(turn-back) of what is in flight.
func (st *story) turnBack() ledger.Begun {
	to, back, _ := st.s.Return(st.s.Champion.Values)
	return ledger.Begun{
		Why: ledger.TurnBack, Release: st.s.Champion.Release, To: to, Back: back, Replaces: st.s.Flight.Seq, Seen: st.s.Decision,
	}
}

// goOn is a Begun that goes on with what is in flight.
func (st *story) goOn(why ledger.Why) ledger.Begun {
	f := st.s.Flight
	return ledger.Begun{Why: why, Plan: f.Plan, Release: f.Release, To: f.To, Back: f.Back, Replaces: f.Seq, Seen: st.s.Decision}
}
