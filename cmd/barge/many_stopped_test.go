//go:build unix

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// takingOver is how others go on with what a stopped owner has in flight.
var takingOver = []struct {
	name     string
	commands [][]string
	codes    []int
}{
	{"another promotion, which is refused, then resume", [][]string{other, resume}, []int{5, 0}},
	{"rollback", [][]string{rollback}, []int{0}},
	{"resume --turn-back", [][]string{words("resume --env prod --turn-back")}, []int{0}},
}

// stops are promotions whose owner is stopped: over a champion, and the first one, which makes a job. Without -many it is
// stopped after the calls of sample, and taken over in the way given there.
var stops = []struct {
	name   string
	base   func(*yard) berth
	args   []string
	sample map[int]int
}{
	{"a promotion", func(y *yard) berth { return y.used }, promote, map[int]int{8: 0}},                         // in the middle of a Set
	{"the first", func(y *yard) berth { return y.fresh }, words("promote 1.0.0 --to prod"), map[int]int{6: 1}}, // before it makes a job
}

// stoppedOwners stops the owner of a promotion between any two calls of its switch for longer than others wait, lets
// others take over, and lets it go on: it changes nothing any more, and says why.
func (y *yard) stoppedOwners(t *testing.T) {
	terms := y.terms
	y.terms = "2s,400ms,2700ms"
	defer func() { y.terms = terms }()
	var all []end
	good := 0
	for _, st := range stops {
		for after, more := 1, true; more && (*everyMany || after <= 8); after++ {
			for i, way := range takingOver {
				if sampled, is := st.sample[after]; !more || !*everyMany && (!is || sampled != i) {
					continue
				}
				var e end
				var bad string
				y.back(t, st.base(y))
				if e, bad, more = y.stopped(t, after, st.args, way.commands, way.codes); !more {
					break
				}
				all = append(all, e)
				if bad == "" {
					good++
				} else {
					t.Errorf("%s stopped after call %d, then %s:\n%s\n%s", st.name, after, way.name, bad, e)
				}
			}
		}
	}
	if len(all) < len(stops) {
		t.Errorf("%d owners were stopped", len(all))
	}
	exits, told := map[int]int{}, map[string]int{}
	for _, e := range all {
		exits[e.code]++
		told[lastError(e.out)]++
	}
	fmt.Printf("stopped owners: %d of %d changed nothing; exits: %s\n", good, len(all), counts(exits))
	for _, message := range slices.Sorted(maps.Keys(told)) {
		fmt.Printf("  %d × %s\n", told[message], message)
	}
}

// stopped is one owner, stopped after a call of its switch and taken over by commands; more is false when its switch has
// not so many calls.
func (y *yard) stopped(t *testing.T, after int, args []string, commands [][]string, codes []int) (e end, bad string, more bool) {
	t.Helper()
	owner := y.stop(t, after, args)
	defer y.crowd.Store(nil)
	if owner == nil {
		return e, "", false
	}
	for i, c := range commands {
		if e := y.barge(t, c...); e.code != codes[i] {
			bad += e.String()
		}
	}
	before, head := y.stands(t), y.head(t).Seq
	owner.signal(t, syscall.SIGCONT)
	e = owner.wait()
	bad += y.stands(t).differs(before, before) + y.undrifted(t, "prod")
	if now := y.head(t).Seq; now != head {
		bad += fmt.Sprintf("the ledger has grown from %d to %d\n", head, now)
	}
	if lost := strings.Contains(lastError(e.out), "another barge has taken over"); e.code != 0 && (e.code != 5 || !lost) {
		bad += "it does not say what happened\n"
	}
	return e, bad, true
}

// lastError is what a command says went wrong.
func lastError(out string) string {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "barge: error:") {
			return changing.ReplaceAllString(strings.TrimSpace(line), "…")
		}
	}
	return "no error"
}

// stop starts a command and stops it when so many calls of its switch have taken effect, from the Begun on, and before
// it sees the answer of the last; nil when there are not so many. The crowd stays.
func (y *yard) stop(t *testing.T, after int, args []string) *hand {
	t.Helper()
	var owner *hand
	known, there := make(chan struct{}), make(chan struct{})
	n := 0
	y.crowd.Store(&crowd{yard: y, happened: func(sent) {
		if n == after || y.head(t).Flight == nil {
			return
		}
		if n++; n == after {
			<-known
			owner.signal(t, syscall.SIGSTOP)
			if _, err := syscall.Wait4(owner.cmd.Process.Pid, nil, syscall.WUNTRACED, nil); err != nil { // stopped for sure
				t.Error(err)
			}
			close(there)
		}
	}})
	owner = y.send(t, "owner", args...)
	close(known)
	select {
	case <-there:
		return owner
	case <-owner.ended:
		return nil
	}
}
