//go:build unix

package main

import (
	"flag"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/sandbox"
)

var everyFault = flag.Bool("faults", false, "let every call go wrong once in every way, not a sample of them")

// faultSample is how many faults lie between two that are tried without -faults.
const faultSample = 149

// faults are the ways in which a service answers otherwise than it should, once.
var faultKinds = []struct {
	name  string
	fault sandbox.Fault
	reads bool // meets a read alone
}{
	{"429 with Retry-After", sandbox.Fault{Action: sandbox.FaultStatus, Status: http.StatusTooManyRequests, Headers: map[string]string{"Retry-After": "0"}}, false},
	{"500 before the effect", sandbox.Fault{Action: sandbox.FaultStatus, Status: http.StatusInternalServerError}, false},
	{"502 after the effect", sandbox.Fault{Action: sandbox.FaultStatusAfter, Status: http.StatusBadGateway}, false},
	{"504 after the effect", sandbox.Fault{Action: sandbox.FaultStatusAfter, Status: http.StatusGatewayTimeout}, false},
	{"a reset before the effect", sandbox.Fault{Action: sandbox.FaultResetBefore}, false},
	{"a reset after the effect", sandbox.Fault{Action: sandbox.FaultResetAfter}, false},
	{"a hang past the deadline", sandbox.Fault{Action: sandbox.FaultHang}, false},
	{"an answer as old as the last one", sandbox.Fault{Action: sandbox.FaultStale}, true},
}

// TestFaults proves that a call that goes wrong once does no harm: the command finishes as undisturbed, or says why it
// stops, and run again it comes to the same end. Nothing is doubled.
func TestFaults(t *testing.T) {
	t.Parallel()
	var c tally
	inYards(t, *everyFault, scenarios, func(t *testing.T, y *yard, sc scenario, shard, shards int) {
		if sc.name == "a rollback" { // to a name: asked for once more it is done
			sc.command = words("rollback 1.0.0 --env prod")
		}
		y.terms = "5s,400ms,6s,800ms"
		y.faults(t, sc, shard, shards, &c)
	})
	for _, sc := range scenarios {
		fmt.Printf("faults: %d of %d harmless (%s)\n", c.good[sc.name], c.tried[sc.name], sc.name)
	}
	fmt.Printf("faults: %d of %d harmless\n", c.good[""], c.tried[""])
}

// faults lets each call of a scenario go wrong in each way, as far as that is this shard's.
func (y *yard) faults(t *testing.T, sc scenario, shard, shards int, c *tally) {
	t.Helper()
	y.fail(sc.fails)
	base := sc.base(t, y)
	y.back(t, base)
	reference := y.barge(t, sc.command...)
	want := y.stands(t)
	before := map[string]int{} // calls of each workspace
	n, tried, harmless := 0, 0, 0
	for _, call := range reference.calls {
		workspace, request, _ := strings.Cut(call, " ")
		for _, kind := range faultKinds {
			if kind.reads && !strings.HasPrefix(request, http.MethodGet) {
				continue
			}
			if n++; n%shards != shard || !*everyFault && n%faultSample != 1 {
				continue
			}
			f := kind.fault
			f.Skip = before[workspace]
			y.back(t, base)
			diff := y.endures(t, sc, workspace, f, reference.code, want)
			if diff != "" {
				t.Errorf("%s: %s is answered by %s\n%s", sc.name, call, kind.name, diff)
			}
			c.count(sc.name, diff == "")
			c.count("", diff == "")
			if tried++; diff == "" {
				harmless++
			}
		}
		before[workspace]++
	}
	t.Logf("%d of %d faults harmless, of %d calls", harmless, tried, len(reference.calls))
}

// endures runs a command one of whose calls goes wrong, and once more when it stopped for that. It tells what is not as
// it should be then.
func (y *yard) endures(t *testing.T, sc scenario, workspace string, f sandbox.Fault, code int, want standing) string {
	t.Helper()
	twin := y.bench.sandbox.Twin(workspace)
	if err := twin.Fault(f); err != nil {
		t.Fatal(err)
	}
	e := y.barge(t, sc.command...)
	said := e.String()
	var left []sandbox.Fault
	if err := y.bench.call(workspace, http.MethodGet, "/_sandbox/faults", nil, &left); err != nil {
		t.Fatal(err)
	}
	twin.ClearFaults()
	if len(left) > 0 {
		return "the call did not come:\n" + said
	}
	if e.code != code {
		switch e.code {
		case 1, 5, 6, 8, 9:
		default:
			return "it ends uncleanly:\n" + said
		}
		again := y.goOn(t, "", [][]string{sc.command})
		said += again.text
		if !again.fine {
			return "it does not end well when run again:\n" + said
		}
	}
	if diff := y.stands(t).differs(want, want); diff != "" {
		return diff + "\n" + said
	}
	return ""
}
