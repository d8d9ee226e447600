package release_test

import (
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/release"
)

var hasty = ledger.Terms{L: 3 * time.Second, D: 600 * time.Millisecond, TTL: 4 * time.Second}

// TestEveryLostAnswer lets each call that changes something be answered wrongly once: the promotion ends as without.
func TestEveryLostAnswer(t *testing.T) {
	t.Parallel()
	calls := map[string]sandbox.Fault{
		"the model's tag":  {Method: http.MethodPost, Path: "/api/2.0/mlflow/registered-models/set-tag", BodyContains: "barge.env.prod"},
		"the stage":        {Path: "/api/2.0/mlflow/databricks/model-versions/transition-stage"},
		"the job's making": {Path: "/api/2.2/jobs/create"},
		"the job":          {Path: "/api/2.2/jobs/reset"},
		"the ledger":       {Method: http.MethodPost, Path: "/api/2.0/workspace-files/import-file/Barge/p/ledger/**", BodyContains: `"type":"Live"`},
	}
	wrong := map[string]sandbox.Fault{
		"reset before": {Action: sandbox.FaultResetBefore}, "reset after": {Action: sandbox.FaultResetAfter},
		"500": {Action: sandbox.FaultStatus, Status: 500}, "502 after": {Action: sandbox.FaultStatusAfter, Status: 502},
		"429": {Action: sandbox.FaultStatus, Status: 429, Headers: map[string]string{"Retry-After": "1"}},
	}
	for call, at := range calls {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.terms = hasty
			name := b.build("1.0.0", b.register(), testEnvironment+prodEnvironment)
			b.promoted(name, "test")
			for how, fault := range wrong {
				fault.Method, fault.Path, fault.BodyContains = at.Method, at.Path, at.BodyContains
				for _, twin := range []string{"prod", "registry"} {
					if err := b.twins.Twin(twin).Fault(fault); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := b.promote("ci", name, "prod"); err != nil {
					t.Fatalf("%s: %v\n%s", how, err, b.story())
				}
				if s := b.state("prod"); s.Champion.Release.Name != name || !s.IsProven() || s.Flight != nil {
					t.Errorf("%s: the champion is %+v", how, s.Champion)
				}
				if drifted := b.drift("prod"); len(drifted) > 0 {
					t.Errorf("%s: %v", how, drifted)
				}
				b.twins.Twin("prod").ClearFaults()
				b.twins.Twin("registry").ClearFaults()
				if _, err := b.rollback("ci", release.Return{Environment: "prod", Fault: "data"}); err != nil {
					t.Fatal(err)
				}
			}
			b.intact("prod")
		})
	}
}

// TestAServiceThatNeverAnswersIsNotAskedForEver lets a service stand still: for as long as a promotion asks it, and for
// ever. One pointer that cannot be given back keeps no other from being.
func TestAServiceThatNeverAnswersIsNotAskedForEver(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		times int
		why   error
		open  bool // something stays in flight
	}{
		"for a while": {times: 5, why: release.ErrRolledBack},
		"for ever":    {times: -1, why: release.ErrPartial, open: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.terms = ledger.Terms{L: 2 * time.Second, D: 150 * time.Millisecond, TTL: 3 * time.Second}
			name := b.build("1.0.0", b.register(), testEnvironment+prodEnvironment)
			b.promoted(name, "test")
			hang := sandbox.Fault{Path: "/api/2.2/jobs/reset", Action: sandbox.FaultHang, Times: row.times}
			if err := b.twins.Twin("prod").Fault(hang); err != nil {
				t.Fatal(err)
			}
			_, err := b.promote("ci", name, "prod")
			if !errors.Is(err, row.why) {
				t.Fatalf("%v\n%s", err, b.story())
			}
			if s := b.state("prod"); s.Champion.Release.Artifact != "" || (s.Flight != nil) != row.open {
				t.Errorf("the champion is %s, in flight: %v", s.Champion.Release, s.Flight)
			}
			if got := b.standing("Production"); got != "" {
				t.Errorf("Production holds %q", got)
			}
		})
	}
}

// TestAnsweredAndNotDone lets a service say yes and do nothing, twice: there is no Live, and the champion is back.
func TestAnsweredAndNotDone(t *testing.T) {
	t.Parallel()
	for twin, at := range map[string]string{
		"prod": "/api/2.2/jobs/reset", "registry": "/api/2.0/mlflow/databricks/model-versions/transition-stage",
	} {
		t.Run(twin, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			first := b.build("1.0.0", b.register(), testEnvironment+prodEnvironment)
			b.promoted(first, "test")
			b.promoted(first, "prod")
			second := b.build("1.1.0", b.register(), testEnvironment+prodEnvironment)
			b.promoted(second, "test")
			if err := b.twins.Twin(twin).Fault(sandbox.Fault{Path: at, Action: sandbox.FaultIgnore, Times: 2}); err != nil {
				t.Fatal(err)
			}
			_, err := b.promote("ci", second, "prod")
			if !errors.Is(err, release.ErrRolledBack) || !strings.Contains(err.Error(), "it does not hold what was set") {
				t.Errorf("%v", err)
			}
			if s := b.state("prod"); s.Champion.Release.Name != first || s.Champion.By != ledger.TurnBack || !s.IsProven() {
				t.Errorf("the champion is %+v", s.Champion)
			}
			if drifted := b.drift("prod"); len(drifted) > 0 {
				t.Error(drifted)
			}
			b.promoted(second, "prod") // the same release by a new plan
			b.intact("prod")
		})
	}
}

// crash promotes as a process that dies when it notes something with that text in it.
func (b *bench) crash(process, name, to, text string) {
	b.t.Helper()
	w := b.world(process)
	ended := make(chan error, 1)
	note := w.Note
	w.Note = func(format string, args ...any) {
		note(format, args...)
		if strings.Contains(format, text) {
			ended <- nil
			runtime.Goexit()
		}
	}
	go func() {
		_, err := w.Promote(b.t.Context(), release.Request{Release: name, Environment: to})
		ended <- errors.Join(err, errors.New("it came to its end"))
	}()
	if err := <-ended; err != nil {
		b.t.Fatalf("%v\n%s", err, b.story())
	}
}

func TestACrashInTheMiddle(t *testing.T) {
	t.Parallel()
	for how, c := range map[string]struct {
		open     func(*bench, string) error
		champion string
	}{
		"rolled back": {func(b *bench, _ string) error {
			_, err := b.rollback("on call", release.Return{Environment: "prod", Wait: time.Minute})
			return err
		}, "1.0.0"},
		"resumed": {func(b *bench, _ string) error {
			_, err := b.world("on call").Resume(b.t.Context(), release.Resumption{Environment: "prod", Wait: time.Minute})
			return err
		}, "1.1.0"},
		"turned back": {func(b *bench, _ string) error {
			_, err := b.world("on call").Resume(b.t.Context(), release.Resumption{Environment: "prod", Wait: time.Minute, TurnBack: true})
			return err
		}, "1.0.0"},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.terms = ledger.Terms{L: time.Second, D: 600 * time.Millisecond, TTL: 1800 * time.Millisecond}
			first := b.build("1.0.0", b.register(), testEnvironment+prodEnvironment)
			b.promoted(first, "test")
			b.promoted(first, "prod")
			second := b.build("1.1.0", b.register(), testEnvironment+prodEnvironment)
			b.promoted(second, "test")
			b.crash("dies", second, "prod", "  set ")
			s := b.state("prod")
			if s.InFlight() != ledger.Start || s.Champion.Release.Name != first {
				t.Fatalf("in flight: %+v", s.Flight)
			}
			_, err := b.promote("other", second, "prod")
			if !errors.Is(err, release.ErrConflict) || !strings.Contains(err.Error(), "user:dies") {
				t.Errorf("while it is in flight: %v", err)
			}
			if err := c.open(b, second); err != nil {
				t.Fatalf("%v\n%s", err, b.story())
			}
			s = b.state("prod")
			if diff := cmp.Diff([]any{c.champion, ledger.Why("")}, []any{s.Champion.Release.Name, s.InFlight()}); diff != "" {
				t.Errorf("champion, in flight (-want +got):\n%s", diff)
			}
			if drifted := b.drift("prod"); len(drifted) > 0 {
				t.Error(drifted)
			}
			if barred := len(s.Bars) > 0 && s.Bars[0].Said.Name == second; barred != (how == "rolled back") {
				t.Errorf("bars: %v", s.Bars)
			}
			b.intact("prod")
		})
	}
}

// TestOldReads lets reads of pointers and of the ledger be old for a while: it changes nothing.
func TestOldReads(t *testing.T) {
	t.Parallel()
	for what, at := range map[string]struct{ twin, path string }{
		"the job":     {"prod", "/api/2.2/jobs/get"},
		"the version": {"registry", "/api/2.0/mlflow/model-versions/get"},
		"the ledger":  {"prod", "/api/2.0/workspace/export"},
		"its listing": {"prod", "/api/2.0/workspace/list"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.promoted(b.build("1.0.0", b.register(), alone), "prod")
			name := b.build("1.1.0", b.register(), alone)
			for skip := range 3 {
				old := sandbox.Fault{Method: http.MethodGet, Path: at.path, Action: sandbox.FaultStale, Skip: 4 * skip, Times: 3}
				if err := b.twins.Twin(at.twin).Fault(old); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := b.promote("ci", name, "prod"); err != nil {
				t.Fatalf("%v\n%s", err, b.story())
			}
			b.twins.Twin(at.twin).ClearFaults()
			if s := b.state("prod"); s.Champion.Release.Name != name || !s.IsProven() || len(b.drift("prod")) > 0 {
				t.Errorf("the champion is %+v, drift %v", s.Champion, b.drift("prod"))
			}
			b.intact("prod")
		})
	}
}
