package release_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	seeds = flag.Int("seeds", 70, "how many seeds TestProperties plays")
	seed  = flag.Int("seed", -1, "the one seed that TestProperties plays; negative: all")
	first = flag.Bool("first", false, "TestProperties ends with the first seed that fails")
	tell  = flag.Int("tell", 400, "how much of its story a seed tells that fails: the last lines")
)

// TestProperties holds the rules of promotions, rollbacks, take-overs and slots over whole processes: real ones of
// this package, over services that lose answers, apply calls late and show old things, in virtual time. Processes die
// and stand still at any call, and their clocks go wrong. A seed always plays the same.
func TestProperties(t *testing.T) {
	t.Parallel()
	if *seed >= 0 {
		t.Log(counted(play(t, uint64(*seed)).counts))
		return
	}
	var mu sync.Mutex
	total, failed := map[string]int{}, false
	t.Run("seeds", func(t *testing.T) {
		for n := range uint64(*seeds) { //nolint:gosec // it is not negative
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				mu.Lock()
				over := *first && failed
				mu.Unlock()
				if over {
					t.Skip("a seed has failed")
				}
				t.Cleanup(func() {
					mu.Lock()
					defer mu.Unlock()
					failed = failed || t.Failed()
				})
				counts := play(t, n).counts // does not return where it fails
				mu.Lock()
				defer mu.Unlock()
				for what, times := range counts {
					total[what] += times
				}
			})
		}
	})
	t.Logf("seeds: %d, %s", *seeds, counted(total))
	for _, what := range []string{
		"start", "rollback", "turn-back", "mend", "take-over", "renew", "made", "takeovers", "seen dead", "left", "proven", "crashes", "stops",
		"sleeps", "clock jumps", "outages", "late calls", "old reads", "faults", "exit 5", "exit 6", "exit 7", "exit 8", "done",
	} {
		if total[what] == 0 {
			t.Errorf("nothing of the kind %q happened", what)
		}
	}
}

// TestASeedPlaysTheSame is what makes a seed that failed worth its number.
func TestASeedPlaysTheSame(t *testing.T) {
	t.Parallel()
	for n := uint64(1); n < 4; n++ {
		var stories [2][]string
		for i := range stories {
			for _, line := range play(t, n).story {
				if !strings.Contains(line, " ends: ") { // which tells addresses
					stories[i] = append(stories[i], line)
				}
			}
		}
		if diff := cmp.Diff(stories[0], stories[1]); diff != "" {
			t.Errorf("seed %d, played twice (-first +second):\n%.2000s", n, diff)
		}
	}
}

func counted(counts map[string]int) string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s: %d", what, counts[what]))
	}
	return strings.Join(parts, ", ")
}
