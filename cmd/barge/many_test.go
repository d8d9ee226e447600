//go:build unix

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/ledger"
)

var everyMany = flag.Bool("many", false, "let many processes meet in every way, not in a sample of them")

// TestMany proves what happens where several processes of the real command work on one environment, or on one model, at
// once: some fast, some stopped for a while, some whose calls arrive long after everybody has gone on.
func TestMany(t *testing.T) {
	t.Parallel()
	y := openYard(t)
	t.Run("one plan", y.onePlan)
	t.Run("many plans", y.manyPlans)
	t.Run("latecomers", y.latecomers)
	t.Run("two environments", y.twoEnvironments)
	if *everyMany {
		t.Run("overtaken", y.overtaken)
	}
	t.Run("stopped owners", y.stoppedOwners)
	t.Run("late calls", y.lateCalls)
}

// several is how much is done with -many, and how much without.
func several(all, sample int) int {
	if *everyMany {
		return all
	}
	return sample
}

// moments are where the processes of a round wait for each other.
var moments = []func(sent) bool{
	func(s sent) bool { return s.entry() != nil },
	sent.begins,
	func(sent) bool { return true },
}

// onePlan lets many processes promote one release at once: it happens once.
func (y *yard) onePlan(t *testing.T) {
	rounds, n := several(20, 1), several(20, 6)
	y.back(t, y.used)
	y.must(t, promote...)
	want, exits, good := y.stands(t), map[int]int{}, 0
	for round := range rounds {
		y.back(t, y.used)
		fine := true
		for _, e := range y.together(t, moments[round%len(moments)], slices.Repeat([][]string{promote}, n)...) {
			exits[e.code]++
			if e.code != 0 && e.code != 5 {
				fine = false
				t.Error(e)
			}
		}
		if diff := y.stands(t).differs(want, want); diff != "" {
			fine = false
			t.Error(diff)
		}
		if fine {
			good++
		}
	}
	fmt.Printf("one plan: %d rounds of %d processes: %d of %d happened once; exits: %s\n", rounds, n, good, rounds, counts(exits))
}

// counts tells how often each exit code came.
func counts(exits map[int]int) string {
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(exits)) {
		parts = append(parts, fmt.Sprintf("%d × %d", code, exits[code]))
	}
	return strings.Join(parts, ", ")
}

// manyPlans lets many processes promote releases of their own at once: each is told what became of its release.
func (y *yard) manyPlans(t *testing.T) {
	rounds, n := several(20, 1), several(20, 4)
	y.back(t, y.used)
	releases := y.releases(t, n)
	base := y.keep(t)
	exits, told, good := map[int]int{}, map[string]int{}, 0
	for round := range rounds {
		if round > 0 {
			y.back(t, base)
		}
		var commands [][]string
		for _, r := range releases {
			commands = append(commands, words("promote "+r+" --to prod"))
		}
		before := y.head(t).Seq
		ends := y.together(t, moments[round%len(moments)], commands...)
		if diff := y.oneByOne(t, before, releases, ends, told); diff != "" {
			t.Error(diff)
			continue
		}
		good++
		for _, e := range ends {
			exits[e.code]++
		}
	}
	fmt.Printf("many plans: %d rounds of %d processes: %d of %d ended with one champion; exits: %s\n", rounds, n, good, rounds, counts(exits))
	for _, message := range slices.Sorted(maps.Keys(told)) {
		fmt.Printf("  %d × %s\n", told[message], message)
	}
}

// oneByOne tells what is wrong after promotions of different releases: who ended well was champion, in an order that
// the ledger has, who did not was told why, and the pointers are those of the last.
func (y *yard) oneByOne(t *testing.T, before int, releases []string, ends []end, told map[string]int) string {
	t.Helper()
	diff := strings.Join(y.stands(t).Broken, "\n")
	champions := map[string]int{}
	last := ""
	for e, err := range y.ledger().History(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if _, live := e.Body.(ledger.Live); live && e.Seq > before {
			last = e.State.Champion.Release.Name
			champions[last]++
			if e.State.Champion.By != ledger.Start {
				diff += fmt.Sprintf("%s became champion by a %s\n", last, e.State.Champion.By)
			}
		}
	}
	if len(champions) == 0 {
		diff += "nobody became champion\n"
	}
	for i, e := range ends {
		switch {
		case e.code == 0 && champions[releases[i]] != 1:
			diff += fmt.Sprintf("%s was champion %d times: %s", releases[i], champions[releases[i]], e)
		case e.code != 0 && champions[releases[i]] > 0:
			diff += "it was champion all the same: " + e.String()
		case e.code == 5 || e.code == 8:
			why := reasonOf(e.out)
			if why == "" {
				diff += "it does not say what happened: " + e.String()
			}
			told[why]++
		case e.code != 0:
			diff += e.String()
		}
	}
	return diff + y.undrifted(t, "prod")
}

// what happened to those who lost, and the parts of it that are never the same.
var (
	reasons  = regexp.MustCompile(`(?m)^.*(is in flight, begun by|became the champion of prod meanwhile|is older than the champion|is not proven).*$`)
	changing = regexp.MustCompile(`process \d+ \([0-9a-f]+\)|\d{4}-\d\d-\d\dT[0-9:]+Z|entry \d+|\d+\.\d+\.\d+`)
)

func reasonOf(out string) string { return changing.ReplaceAllString(reasons.FindString(out), "…") }

// releases builds new releases, each from a commit of its own, every other with a model of its own.
func (y *yard) releases(t *testing.T, n int) []string {
	t.Helper()
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("2.%d.0", i))
		y.release(t, names[i], i%2 == 0)
	}
	return names
}

// release builds a release from a new commit, with a new version of the model or the latest that there is.
func (y *yard) release(t *testing.T, name string, model bool) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(y.dir, "conf", "prod.yml"), []byte("release: "+name+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if model {
		if _, err := y.bench.register(map[string]string{"model.pkl": name}, nil); err != nil {
			t.Fatal(err)
		}
	}
	y.git(t, "commit", "-qam", name)
	y.git(t, "tag", "v"+name)
	y.must(t, "build")
}

// drift are the pointers that status names as not what the ledger says.
func (y *yard) drift(t *testing.T, environment string) []string {
	t.Helper()
	e := y.barge(t, "status", "--env", environment, "-o", "json")
	var status struct {
		Environments []struct {
			Drift []struct{ Pointer string }
		}
	}
	if err := json.Unmarshal([]byte(e.out), &status); err != nil || e.code != 0 || len(status.Environments) != 1 {
		t.Fatalf("%v\n%s", err, e)
	}
	names := []string{}
	for _, d := range status.Environments[0].Drift {
		names = append(names, d.Pointer)
	}
	return names
}

func (y *yard) undrifted(t *testing.T, environment string) string {
	t.Helper()
	if drifted := y.drift(t, environment); len(drifted) > 0 {
		return fmt.Sprintf("%s has drifted: %v\n", environment, drifted)
	}
	return ""
}
