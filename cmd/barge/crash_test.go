//go:build unix

package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/ledger"
)

var everyCrash = flag.Bool("crash", false, "crash at every call and go on in every way, not at a sample of them")

// sample is how many crash points lie between two that are tried without -crash: with the race detector on, each one
// takes a second of a busy machine.
const sample = 61

// TestCrash proves that a promotion and a rollback converge when the process dies. Each scenario is run once
// undisturbed; then, for each of its calls, the real command is killed right before and right after the server has
// carried that call out, and others go on from there. What stands in the end must be what stands undisturbed.
func TestCrash(t *testing.T) {
	t.Parallel()
	points, good := make([]int, len(scenarios)), make([]int, len(scenarios))
	inYards(t, *everyCrash, func(t *testing.T, y *yard, i int) {
		points[i], good[i] = y.crash(t, scenarios[i])
	})
	sum, converged := 0, 0
	for i := range scenarios {
		sum, converged = sum+points[i], converged+good[i]
	}
	fmt.Printf("crash points: %d of %d converged\n", converged, sum)
	if *everyCrash && sum < 120 {
		t.Errorf("there were %d crash points only", sum)
	}
}

// scenario is a command that is interrupted, and how others go on.
type scenario struct {
	name    string
	first   bool // nothing was ever promoted to prod
	fails   bool // the first scoring of 1.2.0 fails
	command []string
	ways    []way
	also    string // a call that the sample has, too
}

// way is how somebody goes on after the crash: what is run, and what it comes to.
type way struct {
	name     string
	commands [][]string
	// wants names the undisturbed commands that end where this way does, by how far the crash let the command come.
	wants func(phase) []string
}

// phase is how far a command had come when it died.
type phase int

const (
	prepared0 phase = iota // nothing was begun
	flying                 // its switch was in flight
	unproven               // it was live and not judged
	rolling                // its own rollback was in flight
	over                   // it had nothing left to decide
)

var (
	promote  = words("promote 1.2.0 --to prod")
	other    = words("promote 1.3.0 --to prod")
	rollback = words("rollback --env prod")
	resume   = words("resume --env prod")
)

func words(s string) []string { return strings.Fields(s) }

// The commands that an undisturbed run is made of.
const (
	itself = "itself" // the scenario's command
	thenIt = "way"    // the way's last command
)

func always(all ...string) func(phase) []string { return func(phase) []string { return all } }

// ifBegun wants the way's command alone where nothing was begun, else the scenario's with it after.
func ifBegun(p phase) []string {
	if p == prepared0 {
		return []string{thenIt}
	}
	return []string{itself, thenIt}
}

// undone is a rollback after a promotion that rolls back by itself: until that is done it is the same rollback.
func undone(p phase) []string {
	if p == flying || p == unproven || p == rolling {
		return []string{itself}
	}
	return ifBegun(p)
}

// another is the same rollback without a name after the first is done: it takes another step. resumed is another
// after a resume, which finishes what is in flight.
func another(p phase) []string {
	if p == over {
		return []string{itself, thenIt}
	}
	return []string{itself}
}

func resumed(p phase) []string {
	if p == rolling {
		p = over
	}
	return another(p)
}

var scenarios = []scenario{
	{
		name: "the first promotion", first: true, command: words("promote 1.0.0 --to prod"),
		also: "PATCH /api/2.0/permissions/jobs/", // the job is in the ledger, and operators have no right on it yet
		ways: []way{
			{"the same command", [][]string{words("promote 1.0.0 --to prod")}, always(itself)},
			{"resume, then the same command", [][]string{resume, words("promote 1.0.0 --to prod")}, always(itself)},
			{"rollback", [][]string{rollback}, ifBegun},
			{"another release", [][]string{other}, ifBegun},
		},
	},
	{
		name: "a promotion", command: promote, ways: []way{
			{"the same command", [][]string{promote}, always(itself)},
			{"resume, then the same command", [][]string{resume, promote}, always(itself)},
			{"rollback", [][]string{rollback}, ifBegun},
			{"another release", [][]string{other}, ifBegun},
		},
	},
	{
		name: "a promotion whose first scoring fails", fails: true, command: promote, ways: []way{
			{"the same command", [][]string{promote}, always(itself)},
			{"resume, then the same command", [][]string{resume, promote}, always(itself)},
			{"rollback", [][]string{rollback}, undone},
			{"another release", [][]string{other}, ifBegun},
		},
	},
	{
		name: "a rollback", command: rollback, ways: []way{
			{"the same command", [][]string{rollback}, another},
			{"resume, then the same command", [][]string{resume, rollback}, resumed},
			{"rollback to the release by name", [][]string{words("rollback 1.0.0 --env prod")}, always(itself)},
			{"another release", [][]string{other}, ifBegun},
		},
	},
}

// inYards does something for every scenario, and returns when all is done: each in a yard of its own at the same time,
// or, as long as there is little to do, all in one.
func inYards(t *testing.T, much bool, do func(t *testing.T, y *yard, scenario int)) {
	t.Helper()
	t.Run("scenarios", func(t *testing.T) {
		var y *yard
		if !much {
			y = openYard(t)
		}
		for i, sc := range scenarios {
			t.Run(sc.name, func(t *testing.T) {
				y := y
				if much {
					t.Parallel()
					y = openYard(t)
				}
				do(t, y, i)
			})
		}
	})
}

// crash interrupts a scenario at its calls, and gives the number of points and of those that converged.
func (y *yard) crash(t *testing.T, sc scenario) (points, converged int) {
	t.Helper()
	y.fail(sc.fails)
	base := y.base(sc)
	y.back(t, base)
	head := y.head(t)
	calls := y.barge(t, sc.command...).calls
	u := &undisturbed{yard: y, base: base, sc: sc, known: map[string]standing{}}
	for point := range 2 * len(calls) {
		ways := sc.ways
		switch {
		case *everyCrash:
		case sc.also != "" && strings.Contains(calls[point/2], sc.also):
			ways = ways[:1]
		case point%sample != 0:
			continue
		default:
			ways = ways[point/sample%len(ways):][:1]
		}
		points++
		if y.crashAt(t, u, point, head.Seq, ways) {
			converged++
		}
	}
	fmt.Printf("crash points: %d of %d converged (%s, %d calls)\n", converged, points, sc.name, len(calls))
	return points, converged
}

// crashAt kills the command at one point and goes on in every way.
func (y *yard) crashAt(t *testing.T, u *undisturbed, point, before int, ways []way) bool {
	t.Helper()
	y.back(t, u.base)
	p := &passage{dies: point/2 + 1, after: point%2 == 1}
	died := y.pass(t, p, u.sc.command...)
	where := fmt.Sprintf("%s call %d", map[bool]string{false: "before", true: "after"}[p.after], p.dies)
	if !died.died {
		t.Errorf("%s: the command made %d calls only: %v", where, len(died.calls), died)
		return false
	}
	where += " (" + died.calls[len(died.calls)-1] + ")"
	far, converged := y.far(t, before), true
	var crashed berth
	if len(ways) > 1 {
		crashed = y.keep(t)
		defer y.forget(t, crashed)
	}
	for i, w := range ways {
		if i > 0 {
			y.back(t, crashed)
		}
		told := y.goOn(t, w.commands)
		got := y.stands(t)
		want := u.after(t, far, w)
		beside := []standing{want}
		if w.name != u.sc.ways[0].name && w.name != u.sc.ways[1].name {
			beside = u.beside(t, w, want)
		}
		if diff := got.differs(want, beside...); diff != "" || !told.fine {
			converged = false
			t.Errorf("killed %s, then %s: it does not converge\n%s\n%s", where, w.name, diff, told.text)
		}
	}
	return converged
}

// far tells how far the command had come.
func (y *yard) far(t *testing.T, before int) phase {
	t.Helper()
	begun := false
	for e, err := range y.ledger().History(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		b, begins := e.Body.(ledger.Begun)
		begun = begun || e.Seq > before && begins && (b.Why == ledger.Start || b.Why == ledger.Rollback)
	}
	s := y.head(t)
	switch {
	case !begun:
		return prepared0
	case s.InFlight() == ledger.Start:
		return flying
	case s.Flight != nil:
		return rolling
	case !s.IsProven():
		return unproven
	}
	return over
}

// told is what commands said, and whether they ended as such commands may.
type toldAll struct {
	text string
	fine bool
}

var resumeHint = regexp.MustCompile(`barge resume --env prod`)

// goOn runs commands. One that stops because of what is open must name the command that clears it, and is run again
// after that.
func (y *yard) goOn(t *testing.T, commands [][]string) toldAll {
	t.Helper()
	all := toldAll{fine: true}
	for _, c := range commands {
		e := y.barge(t, c...)
		all.text += e.String()
		if (e.code == 5 || e.code == 8) && resumeHint.MatchString(e.out) {
			r := y.barge(t, resume...)
			e = y.barge(t, c...)
			all.text += r.String() + e.String()
		}
		switch e.code {
		case 0, 5, 6, 8:
		default:
			all.fine = false
		}
	}
	return all
}

// undisturbed are the ends of commands that nothing interrupts, from the base on.
type undisturbed struct {
	*yard
	base  berth
	sc    scenario
	known map[string]standing
}

// beside are bounds of what may lie beside after a way that leaves what the scenario's command had prepared: at least
// what lay there before, at most what both commands leave, one after the other or each over the base.
func (u *undisturbed) beside(t *testing.T, w way, want standing) []standing {
	t.Helper()
	it := w.commands[len(w.commands)-1]
	none, first, second := u.stands(t, nil), u.stands(t, [][]string{u.sc.command}), u.stands(t, [][]string{it})
	both := standing{Beside: maps.Clone(first.Beside)}
	for what, n := range second.Beside {
		both.Beside[what] += n - none.Beside[what]
	}
	return []standing{none, want, both, u.stands(t, [][]string{u.sc.command, it})}
}

// after is what a way comes to.
func (u *undisturbed) after(t *testing.T, far phase, w way) standing {
	t.Helper()
	var commands [][]string
	for _, name := range w.wants(far) {
		if name == itself {
			commands = append(commands, u.sc.command)
		} else {
			commands = append(commands, w.commands[len(w.commands)-1])
		}
	}
	return u.stands(t, commands)
}

// stands runs commands from the base on, once. The yard is then anywhere.
func (u *undisturbed) stands(t *testing.T, commands [][]string) standing {
	t.Helper()
	key := fmt.Sprint(commands)
	if s, ok := u.known[key]; ok {
		return s
	}
	u.back(t, u.base)
	if told := u.goOn(t, commands); !told.fine {
		t.Fatalf("undisturbed:\n%s", told.text)
	}
	s := u.yard.stands(t)
	if len(s.Broken) > 0 {
		t.Fatalf("undisturbed, %v: %v", commands, s.Broken)
	}
	u.known[key] = s
	return s
}

// fail makes the first scoring of 1.2.0 fail, or not.
func (y *yard) fail(fails bool) {
	y.bench.notebooks.mu.Lock()
	defer y.bench.notebooks.mu.Unlock()
	y.bench.notebooks.told = nil
	if fails {
		y.bench.notebooks.told = []told{{notebook: "batch-scoring", version: "3", what: "with", text: `{"output": {"rows_out": 0}}`}}
	}
}

func (y *yard) base(sc scenario) berth {
	if sc.first {
		return y.fresh
	}
	return y.used
}

// openYard makes a project with four releases, of which prod has seen none (fresh) or two (used).
func openYard(t *testing.T) *yard {
	t.Helper()
	y := &yard{dir: filepath.Join(t.TempDir(), "project"), terms: "5s,200ms,6s", registry: &taped{}}
	y.bench.notebooks.bench = &y.bench
	y.registry.play(t, nil)
	t.Cleanup(func() { y.down(t) })
	for name, text := range yardFiles {
		file := filepath.Join(y.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	y.up(t)
	y.git(t, "init", "-q", "-b", "main")
	for i, name := range []string{"1.0.0", "1.1.0", "1.2.0", "1.3.0"} {
		if err := os.WriteFile(filepath.Join(y.dir, "conf", "prod.yml"), []byte("release: "+name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := y.bench.register(map[string]string{"model.pkl": name}, nil); err != nil {
			t.Fatal(err)
		}
		y.git(t, "add", ".")
		y.git(t, "commit", "-qm", name)
		y.git(t, "tag", "v"+name)
		y.must(t, "build")
		if i == 2 {
			y.must(t, "promote", name, "--to", "test")
		}
	}
	y.fresh = y.keep(t)
	y.must(t, "promote", "1.0.0", "--to", "prod")
	y.must(t, "promote", "1.1.0", "--to", "prod")
	y.used = y.keep(t)
	return y
}

var yardFiles = map[string]string{
	"conf/prod.yml":              "",
	".gitignore":                 ".barge/\n",
	"notebooks/test-model.py":    "# Databricks notebook source\n# is the model good enough?\n",
	"notebooks/batch-scoring.py": "# Databricks notebook source\n# score everything\n",
	"notebooks/lib/tables.py":    "# Databricks notebook source\nTABLE = \"scores\"\n",
	"barge.hcl": `project "diabetes" {
  store = "oci-layout:.barge/store"
}

artifact {
  notebooks {
    from    = "notebooks"
    include = ["**/*.py"]
  }
  config {
    from = "conf"
  }
  model "diabetes" {
    registry = registry.shared
    version  = "latest"
  }
}

workspace "test" {
  host = "https://adb-2.2.azuredatabricks.net"
}

workspace "prod" {
  host = "https://adb-3.3.azuredatabricks.net"
}

workspace "registry" {
  host = "https://adb-4.4.azuredatabricks.net"
}

registry "shared" {
  kind      = "workspace"
  workspace = workspace.registry
  remote "rmr" {
    scope  = "rmr"
    prefix = "rmr"
    token  = secret("env:REGISTRY_TOKEN")
  }
}

compute "ml" {
  spark_version = "15.4.x-cpu-ml-scala2.12"
  node_type     = "Standard_DS3_v2"
  num_workers   = 1
}

environment "test" {
  workspace = workspace.test
  path      = "/Barge/diabetes"

  model "diabetes" {
    stage            = "Staging"
    archive_existing = true
  }
}

environment "prod" {
  follows   = [environment.test]
  workspace = workspace.prod
  path      = "/Barge/diabetes"
  operators = ["group:on-call"]

  deploy {
    config      = "conf/prod.yml"
    permissions = { "group:data-scientists" = "CAN_RUN" }
  }
  model "diabetes" {
    stage            = "Production"
    archive_existing = true
  }
  gate "test-model" {
    notebook = "test-model"
    compute  = compute.ml

    expect "accurate enough" {
      that = metrics.accuracy >= 0.77
    }
  }
  score "nightly" {
    notebook = "batch-scoring"
    compute  = compute.ml
    schedule = { cron = "0 0 2 * * ?", timezone = "Europe/London" }

    expect "every row scored" {
      that = output.rows_in > 0 && output.rows_out == output.rows_in
    }
  }
}
`,
}
