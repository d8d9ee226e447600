package release_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/release"
)

// dies does something as a process that dies when it notes something with that text in it.
func (b *bench) dies(text string, do func(*release.World)) {
	b.t.Helper()
	w := b.world("dies")
	note := w.Note
	died := make(chan bool, 2)
	w.Note = func(format string, args ...any) {
		note(format, args...)
		if strings.Contains(format, text) {
			died <- true
			runtime.Goexit()
		}
	}
	go func() {
		do(w)
		died <- false
	}()
	if !<-died {
		b.t.Fatalf("it came to its end\n%s", b.story())
	}
}

// TestResumeFromEveryState leaves prod with 1.0.0 live and something open, and looks at what resume makes of it.
func TestResumeFromEveryState(t *testing.T) {
	t.Parallel()
	promote := func(b *bench) { b.crash("dies", "1.1.0", "prod", "  set ") }
	unjudged := func(b *bench) { b.crash("dies", "1.1.0", "prod", "live: ") }
	failing := func(jobs.Attempt) jobs.Outcome {
		return jobs.Outcome{Result: jobs.Failed, Error: "AssertionError: no rows"}
	}
	for what, c := range map[string]struct {
		open     func(*bench)
		turnBack bool
		found    string
		want     []any // outcome, champion, kind of its Live, how it is proven
		err      error
	}{
		"nothing": {func(*bench) {}, false, "nothing is open", []any{"nothing-to-do", "1.0.0", ledger.Start, ledger.Judged}, nil},
		"a start": {promote, false, "a start of 1.1.0 is in flight, begun by user:dies", []any{"finished", "1.1.0", ledger.Start, ledger.Judged}, nil},
		"a start, given up": {
			promote, true, "a start of 1.1.0 is in flight", []any{"turned-back", "1.0.0", ledger.TurnBack, ledger.Before}, nil,
		},
		"a barred start": {func(b *bench) {
			promote(b)
			if _, err := b.world("on call").Bar(b.t.Context(), "prod", "1.1.0", "artifact", "a leak"); err != nil {
				b.t.Fatal(err)
			}
		}, false, "a start of 1.1.0 is in flight", []any{"turned-back", "1.0.0", ledger.TurnBack, ledger.Before}, nil},
		"a rollback": {func(b *bench) {
			b.promoted("1.1.0", "prod")
			b.dies("  set ", func(w *release.World) { _, _ = w.Rollback(b.t.Context(), release.Return{Environment: "prod"}) })
		}, false, "a rollback to 1.0.0 is in flight", []any{"finished", "1.0.0", ledger.Rollback, ledger.Before}, nil},
		"a rollback, given up": {func(b *bench) {
			b.promoted("1.1.0", "prod")
			b.dies("  set ", func(w *release.World) { _, _ = w.Rollback(b.t.Context(), release.Return{Environment: "prod"}) })
		}, true, "", []any{"", "1.1.0", ledger.Start, ledger.Judged}, release.ErrConflict},
		"a mend": {func(b *bench) {
			b.stage("1", "Archived")
			b.dies("  set ", func(w *release.World) {
				_, _ = w.Promote(b.t.Context(), release.Request{Release: "1.0.0", Environment: "prod"})
			})
		}, false, "a mend of 1.0.0 is in flight", []any{"finished", "1.0.0", ledger.Mend, ledger.Before}, nil},
		"live, not judged": {unjudged, false, "1.1.0 is live and its first scoring was not judged", []any{"judged", "1.1.0", ledger.Start, ledger.Judged}, nil},
		"live, not judged, and bad": {func(b *bench) {
			unjudged(b)
			b.on("score", failing)
		}, false, "1.1.0 is live and its first scoring was not judged", []any{"rolled-back", "1.0.0", ledger.Rollback, ledger.Before}, release.ErrRolledBack},
		"live, not judged, and no answer": {func(b *bench) {
			unjudged(b)
			b.on("score", func(jobs.Attempt) jobs.Outcome { return jobs.Outcome{Result: jobs.InternalError} })
		}, false, "1.1.0 is live and its first scoring was not judged", []any{"unproven", "1.1.0", ledger.Start, ledger.How("")}, release.ErrInconclusive},
		"live, not judged, given up": {unjudged, true, "", []any{"", "1.1.0", ledger.Start, ledger.How("")}, release.ErrConflict},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.terms = ledger.Terms{L: time.Second, D: 600 * time.Millisecond, TTL: 1800 * time.Millisecond}
			b.promoted(b.build("1.0.0", b.register(), alone), "prod")
			b.build("1.1.0", b.register(), alone)
			c.open(b)
			done, err := b.world("on call").Resume(t.Context(), release.Resumption{Environment: "prod", Wait: time.Minute, TurnBack: c.turnBack})
			if !errors.Is(err, c.err) || err != nil && c.err == nil {
				t.Fatalf("%v\n%s", err, b.story())
			}
			if done == nil {
				done = &release.Resumed{}
			}
			s := b.state("prod")
			if diff := cmp.Diff(c.want, []any{done.Outcome, s.Champion.Release.Name, s.Champion.By, s.Champion.Proven}); diff != "" {
				t.Errorf("outcome, champion, by, proven (-want +got):\n%s\n%s", diff, b.story())
			}
			if !strings.HasPrefix(done.Found, c.found) {
				t.Errorf("found: %s", done.Found)
			}
			if done.Outcome == "" {
				return
			}
			if done.Release.Name != s.Champion.Release.Name || done.Live != s.Champion.Live {
				t.Errorf("it says that %s is live (%d), and the ledger %s (%d)", done.Release, done.Live, s.Champion.Release, s.Champion.Live)
			}
			if drifted := b.drift("prod"); len(drifted) > 0 {
				t.Error(drifted)
			}
			if again, err := b.world("on call").Resume(t.Context(), release.Resumption{Environment: "prod"}); s.IsProven() && (err != nil || again.Outcome != "nothing-to-do") {
				t.Errorf("a second time: %+v, %v", again, err)
			}
			b.intact("prod")
		})
	}
}
