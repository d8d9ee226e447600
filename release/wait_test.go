package release_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/release"
)

// TestHowLongAnOwnerIsWaitedFor counts on clocks that move by sleeping alone.
func TestHowLongAnOwnerIsWaitedFor(t *testing.T) {
	t.Parallel()
	for what, do := range map[string]func(*release.World, time.Duration) error{
		"resume": func(w *release.World, wait time.Duration) error {
			_, err := w.Resume(t.Context(), release.Resumption{Environment: "prod", Wait: wait})
			return err
		},
		"rollback": func(w *release.World, wait time.Duration) error {
			_, err := w.Rollback(t.Context(), release.Return{Environment: "prod", Wait: wait})
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.promoted(b.build("1.0.0", b.register(), alone), "prod")
			b.run = "https://ci.example/runs/7001"
			b.crash("dies", b.build("1.1.0", b.register(), alone), "prod", "  set ")
			begun := b.state("prod").Flight.At.Format(time.RFC3339)
			w := b.world("on call")
			w.Terms = ledger.DefaultTerms
			var slept time.Duration
			w.Clocks = func() ledger.Reading { return ledger.Reading{Wall: time.Unix(0, 0).Add(slept), Mono: slept} }
			w.Sleep = func(_ context.Context, d time.Duration) error {
				slept += d
				return nil
			}
			for _, wait := range []time.Duration{0, 20 * time.Second} {
				slept = 0
				err := do(w, wait)
				if !errors.Is(err, release.ErrConflict) || slept < wait || slept > wait+2*time.Second {
					t.Errorf("after %s, and it was to wait for %s: %v", slept, wait, err)
				}
				for _, named := range []string{"a start of 1.1.0 is in flight", "user:dies", "https://ci.example/runs/7001", "last sign of life was at " + begun} {
					if err != nil && !strings.Contains(err.Error(), named) {
						t.Errorf("%q is not in: %v", named, err)
					}
				}
			}
			slept = 0
			if err := do(w, release.Wait); err != nil || slept < w.Terms.TTL {
				t.Errorf("after %s: %v", slept, err)
			}
			if s := b.state("prod"); s.Flight != nil {
				t.Errorf("in flight: %+v", s.Flight)
			}
			b.intact("prod")
		})
	}
}
