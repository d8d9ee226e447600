package release_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/release"
)

// meanwhile promotes, and does something the first time that a pointer has been set.
func (b *bench) meanwhile(name, to string, do func()) error {
	w := b.world("ci")
	note, done := w.Note, false
	w.Note = func(format string, args ...any) {
		note(format, args...)
		if !done && strings.HasPrefix(format, "  set ") {
			done = true
			do()
		}
	}
	_, err := w.Promote(b.t.Context(), release.Request{Release: name, Environment: to})
	return err
}

func TestARightThatRunsOutIsRenewed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.terms = ledger.Terms{L: 800 * time.Millisecond, D: 600 * time.Millisecond, TTL: 2 * time.Second}
	b.promoted(b.build("1.0.0", b.register(), alone), "prod")
	name := b.build("1.1.0", b.register(), alone)
	if err := b.meanwhile(name, "prod", func() { time.Sleep(900 * time.Millisecond) }); err != nil {
		t.Fatalf("%v\n%s", err, b.story())
	}
	renewed := false
	book, _ := b.world("reader").Ledger("prod")
	for e, err := range book.History(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		body, is := e.Body.(ledger.Begun)
		renewed = renewed || is && body.Why == ledger.Renew
	}
	if !renewed {
		t.Error("it went on without a right")
	}
	b.intact("prod")
}

// TestAnOwnerThatWasTakenOver stands still for longer than TTL, is rolled back by another, and goes on: it changes
// nothing any more.
func TestAnOwnerThatWasTakenOver(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.terms = ledger.Terms{L: time.Second, D: 600 * time.Millisecond, TTL: 1800 * time.Millisecond}
	first := b.build("1.0.0", b.register(), alone)
	b.promoted(first, "prod")
	second := b.build("1.1.0", b.register(), alone)
	err := b.meanwhile(second, "prod", func() {
		if _, err := b.rollback("on call", release.Return{Environment: "prod", Wait: time.Minute}); err != nil {
			t.Errorf("%v\n%s", err, b.story())
		}
		b.twins.Twin("prod").ClearLog()
		b.twins.Twin("registry").ClearLog()
	})
	if !errors.Is(err, release.ErrConflict) || errors.Is(err, release.ErrPartial) {
		t.Errorf("the old owner: %v", err)
	}
	if sets := append(writes(b, "prod", "/api/2.2/"), writes(b, "registry", "/api/2.0/mlflow/")...); len(sets) > 0 {
		t.Errorf("the old owner sent %v", sets)
	}
	if s := b.state("prod"); s.Champion.Release.Name != first || s.Flight != nil {
		t.Errorf("the champion is %s, in flight %+v", s.Champion.Release, s.Flight)
	}
	if drifted := b.drift("prod"); len(drifted) > 0 {
		t.Error(drifted)
	}
	b.intact("prod")
}

// TestAPointerMovedByHand changes the job between the drift check and its Set: the promotion turns back.
func TestAPointerMovedByHand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.build("1.0.0", b.register(), alone)
	b.promoted(first, "prod")
	job := b.state("prod").Job("job:nightly")
	second := b.build("1.1.0", b.register(), alone)
	err := b.meanwhile(second, "prod", func() {
		b.api("prod", http.MethodPost, "/api/2.2/jobs/update", map[string]any{"job_id": job, "new_settings": map[string]any{
			"schedule": map[string]any{"quartz_cron_expression": "0 0 5 * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"},
		}}, nil)
	})
	if !errors.Is(err, release.ErrRolledBack) || !strings.Contains(err.Error(), "job:nightly: a pointer was changed by somebody else") {
		t.Errorf("%v", err)
	}
	if s := b.state("prod"); s.Champion.Release.Name != first || len(b.drift("prod")) > 0 {
		t.Errorf("the champion is %s, drift %v", s.Champion.Release, b.drift("prod"))
	}
}

// TestWhatNobodyCanFinish fails the switch and the way back: the right is given back, and resume ends it later.
func TestWhatNobodyCanFinish(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.build("1.0.0", b.register(), alone)
	b.promoted(first, "prod")
	second := b.build("1.1.0", b.register(), alone)
	refuse := sandbox.Fault{Path: "/api/2.2/jobs/reset", Action: sandbox.FaultStatus, Status: 403, Times: -1}
	if err := b.twins.Twin("prod").Fault(refuse); err != nil {
		t.Fatal(err)
	}
	_, err := b.promote("ci", second, "prod")
	if !errors.Is(err, release.ErrPartial) {
		t.Fatalf("%v", err)
	}
	if s := b.state("prod"); s.InFlight() != ledger.TurnBack || !s.Flight.Left {
		t.Errorf("in flight: %+v", s.Flight)
	}
	b.twins.Twin("prod").ClearFaults()
	for _, outcome := range []string{"finished", "nothing-to-do"} {
		done, err := b.world("on call").Resume(t.Context(), release.Resumption{Environment: "prod"})
		if err != nil || done.Outcome != outcome || done.Release.Name != first {
			t.Errorf("%+v, %v; want %s", done, err, outcome)
		}
	}
	if drifted := b.drift("prod"); len(drifted) > 0 {
		t.Error(drifted)
	}
	b.intact("prod")
}
