//go:build unix

package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// turns lets the calls of two processes through one by one, in an order that a seed draws. A process that does not call
// for a while, since it computes or sleeps, is passed over.
type turns struct {
	mu      sync.Mutex
	rng     *rand.Rand
	stay    float64 // how likely the next call is again of who had the last one
	begun   bool    // until both have begun nobody is held up
	waiting map[string][]chan struct{}
	busy    bool // a call is let through and has not happened
	last    string
	over    map[string]bool
	order   []string
	changes int // how often the turn went from one to the other
	epoch   int // counts what happened, so that a pause knows whether it was one
}

// pause is how long a process that may call next is waited for.
const pause = 40 * time.Millisecond

func takeTurns(seed uint64) *turns {
	rng := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // the same numbers for the same seed
	return &turns{
		rng: rng, stay: []float64{0.3, 0.5, 0.7, 0.9}[rng.IntN(4)], waiting: map[string][]chan struct{}{}, over: map[string]bool{},
	}
}

func (t *turns) comes(s *sent) {
	mine := make(chan struct{})
	t.mu.Lock()
	s.turn = t.begun
	if s.turn {
		t.waiting[s.by] = append(t.waiting[s.by], mine)
		t.next(false)
	} else {
		close(mine)
	}
	t.mu.Unlock()
	<-mine
}

// next lets a call through: any that waits when both do, the only one when the other has ended or pauses.
func (t *turns) next(paused bool) {
	if t.busy || len(t.waiting) == 0 {
		return
	}
	if len(t.waiting) < 2 && !paused && len(t.over) == 0 {
		t.epoch++
		epoch := t.epoch
		time.AfterFunc(pause, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			if t.epoch == epoch {
				t.next(true)
			}
		})
		return
	}
	t.epoch++
	t.busy = true
	who := t.draw()
	if who != t.last {
		t.changes++
	}
	t.last = who
	close(t.waiting[who][0])
	if t.waiting[who] = t.waiting[who][1:]; len(t.waiting[who]) == 0 {
		delete(t.waiting, who)
	}
}

// draw says whose call is next.
func (t *turns) draw() string {
	stays := t.rng.Float64() < t.stay && t.waiting[t.last] != nil
	for _, name := range slices.Sorted(maps.Keys(t.waiting)) {
		if len(t.waiting) == 1 || (name == t.last) == stays {
			return name
		}
	}
	return ""
}

func (t *turns) happened(s sent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.turn {
		t.order = append(t.order, s.by+" "+s.request)
		t.busy = false
		t.next(false)
	}
}

func (t *turns) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun = true
}

func (t *turns) ended(who string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over[who] = true
	t.next(false)
}

// meeting is a promotion to Test and one to Prod at once, on one model.
type meeting struct {
	name       string
	first      string // what Prod runs before
	test, prod string
}

// Releases 1.0.0 to 1.3.0 bring versions 1 to 4 of the model. 1.4.0 has the version of 1.3.0 and other code, 1.5.0
// version 5, 1.6.0 that of 1.5.0.
var meetings = []meeting{
	{"Prod takes the version that Test runs, Test goes on", "1.1.0", "1.3.0", "1.2.0"},
	{"a code-only release to Test with the version that Prod promotes", "1.1.0", "1.4.0", "1.3.0"},
	{"the same, of a version that Prod would take after it", "1.3.0", "1.6.0", "1.5.0"},
	{"a code-only release to Test with the version that Prod runs and leaves", "1.3.0", "1.4.0", "1.5.0"},
	{"a code-only release with the version that Prod runs, to both", "1.3.0", "1.4.0", "1.4.0"},
	{"a release to both", "1.1.0", "1.3.0", "1.3.0"},
}

// twoEnvironments promotes to Test and to Prod at once, in another order of calls each time: from both Begun entries on,
// which process calls next is drawn.
func (y *yard) twoEnvironments(t *testing.T) {
	bases := y.meetingPlaces(t)
	n := several(50, 2)
	orders, exits, good, mixed := map[string]bool{}, map[int]int{}, 0, 0
	for i := range n {
		m := meetings[i%len(meetings)]
		if !*everyMany {
			m = meetings[i+1] // with code-only releases
		}
		y.back(t, bases[m.first])
		g := y.meet(t, m, uint64(i)) //nolint:gosec // never negative
		orders[strings.Join(g.turns.order, "\n")] = true
		mixed += g.turns.changes
		bad := g.lost + y.undrifted(t, "test") + y.undrifted(t, "prod") + strings.Join(y.stands(t).Broken, "\n")
		for _, e := range g.ends {
			exits[e.code]++
			if e.code != 0 {
				bad += e.String()
			}
		}
		if bad == "" {
			good++
		} else {
			t.Errorf("%s (seed %d):\n%s\n%s", m.name, i, bad, strings.Join(g.turns.order, "\n"))
		}
	}
	fmt.Printf("two environments: %d of %d interleavings left Production its version at every moment; %d different orders of calls, with %d changes of turn; exits: %s\n",
		good, n, len(orders), mixed, counts(exits))
}

// meetingPlaces are moments at which Prod runs each of the releases that a meeting begins with.
func (y *yard) meetingPlaces(t *testing.T) map[string]berth {
	t.Helper()
	y.back(t, y.used)
	y.release(t, "1.4.0", false)
	y.release(t, "1.5.0", true)
	y.release(t, "1.6.0", false)
	bases := map[string]berth{"1.1.0": y.keep(t)}
	y.must(t, words("promote 1.3.0 --to prod")...)
	bases["1.3.0"] = y.keep(t)
	return bases
}

// met is how a meeting went.
type met struct {
	turns *turns
	ends  []end
	lost  string // when Production did not hold Prod's version though nothing was in flight there
}

func (y *yard) meet(t *testing.T, m meeting, seed uint64) met {
	t.Helper()
	g := gather(2, sent.begins)
	out := met{turns: takeTurns(seed)}
	g.then = out.turns.begin
	y.crowd.Store(&crowd{
		yard: y,
		comes: func(s *sent) {
			g.comes(s)
			out.turns.comes(s)
		},
		happened: func(s sent) {
			if s.writes() && out.lost == "" {
				out.lost = y.production(t, s)
			}
			out.turns.happened(s)
		},
	})
	defer y.crowd.Store(nil)
	hands := []*hand{
		y.send(t, "test", "promote", m.test, "--to", "test", "--allow-older"),
		y.send(t, "prod", "promote", m.prod, "--to", "prod", "--allow-older"),
	}
	var all sync.WaitGroup
	out.ends = make([]end, len(hands))
	for i, h := range hands {
		all.Go(func() {
			out.ends[i] = h.wait()
			g.note(h.name)
			out.turns.ended(h.name)
		})
	}
	all.Wait()
	return out
}

// production tells what is wrong with the stage Production after a call, as long as nothing is in flight in Prod.
func (y *yard) production(t *testing.T, s sent) string {
	t.Helper()
	head := y.head(t)
	if head.Flight != nil {
		return ""
	}
	want := head.Champion.Release.Models["diabetes"].Version
	stages, err := y.bench.versions()
	if err != nil {
		t.Error(err)
	}
	if stages[want] == "Production" {
		return ""
	}
	return fmt.Sprintf("after %s %s version %s, Prod's since entry %d, stands in %s\n", s.by, s.request, want, head.Champion.Live, stages[want])
}
