//go:build unix

package main

import (
	"fmt"
	"strings"
	"sync"
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

// stoppedOwners stops the owner of a promotion between any two calls of its switch for longer than others wait, lets
// others take over, and lets it go on: it changes nothing any more, and says why.
func (y *yard) stoppedOwners(t *testing.T) {
	terms := y.terms
	y.terms = "1s,150ms,1300ms"
	defer func() { y.terms = terms }()
	stops, good, codes, told := 0, 0, map[int]int{}, map[string]int{}
	for k := 1; ; k++ {
		over := false
		for i, way := range takingOver {
			if !*everyMany && (k-2)%7 != 0 || !*everyMany && i != k/7 {
				continue
			}
			y.back(t, y.used)
			s := y.stop(t, k, promote)
			if over = s.at == ""; over {
				break
			}
			stops++
			bad := ""
			for j, c := range way.commands {
				if e := y.barge(t, c...); e.code != way.codes[j] {
					bad += e.String()
				}
			}
			before, head := y.stands(t), y.head(t).Seq
			s.owner.signal(t, syscall.SIGCONT)
			e := s.owner.wait()
			y.crowd.Store(nil)
			bad += y.stands(t).differs(before, before) + y.undrifted(t, "prod")
			if now := y.head(t).Seq; now != head {
				bad += fmt.Sprintf("the ledger has grown from %d to %d\n", head, now)
			}
			codes[e.code]++
			told[lastError(e.out)]++
			if lost := strings.Contains(lastError(e.out), "another barge has taken over"); e.code != 0 && (e.code != 5 || !lost) {
				bad += "it does not say what happened\n"
			}
			if bad == "" {
				good++
			} else {
				t.Errorf("stopped after %s, then %s:\n%s\n%s", s.at, way.name, bad, e)
			}
		}
		if over || !*everyMany && k > 14 {
			break
		}
	}
	fmt.Printf("stopped owners: %d of %d changed nothing; exits: %s\n", good, stops, counts(codes))
	for message, n := range told {
		fmt.Printf("  %d × %s\n", n, message)
	}
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

// stopped is an owner that stands still.
type stopped struct {
	owner *hand
	at    string // its last call; "": its switch has not so many
}

// stop starts a command and stops it when so many calls of its switch have taken effect, from the Begun on, and before
// it sees the answer of the last. The crowd stays.
func (y *yard) stop(t *testing.T, after int, args []string) stopped {
	t.Helper()
	var s stopped
	var once sync.Once
	there, sent0 := make(chan struct{}), make(chan struct{})
	n := 0
	y.crowd.Store(&crowd{yard: y, happened: func(c sent) {
		if n == after || y.head(t).Flight == nil {
			return
		}
		if n++; n == after {
			<-sent0
			s.at = c.request
			s.owner.signal(t, syscall.SIGSTOP)
			if _, err := syscall.Wait4(s.owner.cmd.Process.Pid, nil, syscall.WUNTRACED, nil); err != nil { // stopped for sure
				t.Error(err)
			}
			once.Do(func() { close(there) })
		}
	}})
	s.owner = y.send(t, "owner", args...)
	close(sent0)
	select {
	case <-there:
	case <-s.owner.ended:
		y.crowd.Store(nil)
	}
	return s
}
