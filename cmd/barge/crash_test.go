//go:build unix

package main

import (
	"flag"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bargeml/barge/internal/ledger"
)

var everyCrash = flag.Bool("crash", false, "crash at every call and go on in every way, not at a sample of them")

// Without -crash every so many points one is tried, in one way: with the race detector on, each one takes a second of a
// busy machine. The first is not at a scenario's very beginning.
const (
	sample      = 83
	firstSample = 40
)

// shards is in how many yards the points of one scenario are tried at the same time, when all are: most of the time
// is spent waiting until somebody's silence has been long enough.
const shards = 5

// elsewhere is the host of whoever goes on after a crash: nobody there sees that a process here is dead.
const elsewhere = "elsewhere"

// TestCrash proves that promotions, rollbacks and resumes converge when the process dies. Each scenario is run once
// undisturbed; then, for each of its calls, the real command is killed right before and right after the server has
// carried that call out, and others go on from there, on another host. What stands in the end must be what stands
// undisturbed.
func TestCrash(t *testing.T) {
	t.Parallel()
	all := slices.Concat(scenarios, takeOvers, whileRunning)
	var c tally
	inYards(t, *everyCrash, all, func(t *testing.T, y *yard, sc scenario, shard, shards int) {
		y.terms = crashTerms
		if sc.during == "" {
			y.crash(t, sc, shard, shards, &c)
		} else {
			y.crashRunning(t, sc, shard, shards, &c)
		}
	})
	for _, sc := range all {
		fmt.Printf("crash points: %s (%s)\n", c.of(sc.name), sc.name)
	}
	fmt.Printf("crash points: %s\n", c.of(""))
	fmt.Printf("after a crash it went on %d times on another host, %d times on the same\n", c.tried[elsewhere], c.tried[here])
	if points := c.tried[""]; *everyCrash && points < 120 {
		t.Errorf("there were %d crash points only", points)
	}
}

// here is the host of the command that dies.
const here = "here"

// tally is how many were tried, and of how many all was well, by name; "" sums them up.
type tally struct {
	mu          sync.Mutex
	tried, good map[string]int
}

func (c *tally) count(name string, good bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tried == nil {
		c.tried, c.good = map[string]int{}, map[string]int{}
	}
	c.tried[name]++
	if good {
		c.good[name]++
	}
}

func (c *tally) of(name string) string {
	return fmt.Sprintf("%d of %d converged", c.good[name], c.tried[name])
}

// inYards does something for every scenario, and returns when all is done: each in yards of its own at the same time,
// or, as long as there is little to do, all in one.
func inYards(t *testing.T, much bool, all []scenario, do func(t *testing.T, y *yard, sc scenario, shard, shards int)) {
	t.Helper()
	t.Run("scenarios", func(t *testing.T) {
		if !much {
			y := openYard(t)
			for _, sc := range all {
				t.Run(sc.name, func(t *testing.T) { do(t, y, sc, 0, 1) })
			}
			return
		}
		for shard := range shards {
			for _, sc := range all {
				t.Run(fmt.Sprintf("%s %d", sc.name, shard+1), func(t *testing.T) {
					t.Parallel()
					do(t, openYard(t), sc, shard, shards)
				})
			}
		}
	})
}

// crash interrupts a scenario at those of its calls that are this shard's.
func (y *yard) crash(t *testing.T, sc scenario, shard, shards int, c *tally) {
	t.Helper()
	y.fail(sc.fails)
	u := y.undisturbed(t, sc)
	base := sc.base(t, y)
	y.back(t, base)
	calls := y.pass(t, &passage{host: here, rested: sc.rested}, sc.command...).calls
	points, converged := 0, 0
	for point := shard; point < 2*len(calls); point += shards {
		ways := sc.ways
		switch {
		case *everyCrash:
		case sc.also != "" && strings.Contains(calls[point/2], sc.also):
			ways = ways[:1]
		case point%sample != firstSample:
			continue
		default:
			ways = ways[c.tried[""]%len(ways):][:1]
		}
		good := y.crashAt(t, u, base, point, ways, c)
		c.count(sc.name, good)
		c.count("", good)
		if points++; good {
			converged++
		}
	}
	t.Logf("%d of %d points converged, of %d calls", converged, points, len(calls))
}

// crashAt kills the command at one point and goes on in every way on another host, and in one of them on the same.
func (y *yard) crashAt(t *testing.T, u *undisturbed, base berth, point int, ways []way, c *tally) bool {
	t.Helper()
	y.back(t, base)
	p := &passage{host: here, rested: u.sc.rested, dies: point/2 + 1, after: point%2 == 1}
	died := y.pass(t, p, u.sc.command...)
	where := fmt.Sprintf("%s call %d", map[bool]string{false: "before", true: "after"}[p.after], p.dies)
	if !died.died {
		t.Errorf("%s: the command made %d calls only: %v", where, len(died.calls), died)
		return false
	}
	where += " (" + died.calls[len(died.calls)-1] + ")"
	far, open := y.far(t, u.before), y.head(t).Flight != nil
	converged, crashed := true, y.keep(t)
	for i, w := range ways {
		hosts := []string{elsewhere}
		switch { // nobody asks for the host of an owner where there is none
		case open && *everyCrash && point/2%len(ways) == i:
			hosts = append(hosts, here)
		case open && !*everyCrash && c.tried[""]%2 == 0:
			hosts[0] = here
		}
		for _, host := range hosts {
			y.back(t, crashed)
			told := y.goOn(t, host, w.commands)
			diff := u.differs(t, w, far, y.stands(t))
			good := diff == "" && told.fine
			c.count(host, good)
			if !good {
				converged = false
				t.Errorf("killed %s, then %s, %s: it does not converge\n%s\n%s", where, w.name, host, diff, told.text)
			}
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
		begun = begun || e.Seq > before && begins && !b.Why.GoesOn() && b.Why != ledger.Mend
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

// goOn runs commands on a host. One that stops because of what is open must name the command that clears it, and is
// run again after that.
func (y *yard) goOn(t *testing.T, host string, commands [][]string) toldAll {
	t.Helper()
	all := toldAll{fine: true}
	run := func(command []string) end {
		e := y.pass(t, &passage{host: host, asked: y.letGo}, command...)
		all.text += e.String()
		return e
	}
	for _, command := range commands {
		e := run(command)
		if (e.code == 5 || e.code == 8) && resumeHint.MatchString(e.out) {
			run(resume)
			e = run(command)
		}
		switch e.code {
		case 0, 5, 6, 8:
		default:
			all.fine = false
		}
	}
	return all
}

// undisturbed are the ends of commands that nothing interrupts.
type undisturbed struct {
	*yard
	sc     scenario
	base   berth
	itself []string
	before int // the last entry of prod's ledger there
	known  map[string]standing
}

func (y *yard) undisturbed(t *testing.T, sc scenario) *undisturbed {
	t.Helper()
	u := &undisturbed{yard: y, sc: sc, known: map[string]standing{}}
	u.base, u.itself = sc.begins(t, y)
	y.back(t, u.base)
	u.before = y.head(t).Seq
	return u
}

// differs tells how what stands after a way differs from what should. Beside may lie, after a way that leaves what the
// scenario's command had prepared: at least what lay there before, at most what both commands leave, one after the
// other or each over the base.
func (u *undisturbed) differs(t *testing.T, w way, far phase, got standing) string {
	t.Helper()
	it := w.commands[len(w.commands)-1]
	var wanted [][]string
	for _, name := range w.wants(far) {
		wanted = append(wanted, map[string][]string{itself: u.itself, thenIt: it, resumes: resume}[name])
	}
	want := u.stands(t, wanted)
	if w.exact {
		return got.differs(want, want)
	}
	none, first, second := u.stands(t, nil), u.stands(t, [][]string{u.itself}), u.stands(t, [][]string{it})
	both := standing{Beside: maps.Clone(first.Beside)}
	for what, n := range second.Beside {
		both.Beside[what] += n - none.Beside[what]
	}
	return got.differs(want, none, want, both, u.stands(t, [][]string{u.itself, it}))
}

// stands runs commands from the base on, once. The yard is then anywhere.
func (u *undisturbed) stands(t *testing.T, commands [][]string) standing {
	t.Helper()
	key := fmt.Sprint(commands)
	if s, ok := u.known[key]; ok {
		return s
	}
	u.back(t, u.base)
	if told := u.goOn(t, here, commands); !told.fine {
		t.Fatalf("undisturbed:\n%s", told.text)
	}
	s := u.yard.stands(t)
	if len(s.Broken) > 0 && len(commands) > 0 {
		t.Fatalf("undisturbed, %v: %v", commands, s.Broken)
	}
	u.known[key] = s
	return s
}
