//go:build unix

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// whileRunning are killed while a notebook runs: the gate's, and the first scoring's. The second time somebody dies who
// waits for the same run.
var whileRunning = []scenario{
	{name: "while the gate's notebook runs", base: used, command: promote, during: "test-model", ways: promotedAgain(promote, ifBegun)},
	{name: "while the first scoring runs", base: used, command: promote, during: "batch-scoring", ways: promotedAgain(promote, ifBegun)},
}

// crashRunning kills a promotion while the notebook runs, once or twice, and goes on in every way. The notebook ends
// when somebody has asked again how it is going, or nobody is left to ask.
func (y *yard) crashRunning(t *testing.T, sc scenario, shard, shards int, c *tally) {
	t.Helper()
	y.fail(false)
	u := y.undisturbed(t, sc)
	for deaths := 1; deaths <= 2; deaths++ {
		if deaths%shards != shard || deaths > 1 && !*everyCrash {
			continue
		}
		good := true
		for i, w := range sc.ways {
			if !*everyCrash && i > 0 {
				continue
			}
			if said := y.outlives(t, u, w, deaths); said != "" {
				good = false
				t.Errorf("killed %d × %s, then %s: it does not converge\n%s", deaths, sc.name, w.name, said)
			}
			c.count(elsewhere, true)
		}
		c.count(sc.name, good)
		c.count("", good)
	}
}

// outlives tells how what stands differs from what should, after a notebook ran longer than those who waited for it.
func (y *yard) outlives(t *testing.T, u *undisturbed, w way, deaths int) string {
	t.Helper()
	y.back(t, u.base)
	y.hold(u.sc.during)
	defer y.letGo()
	command := u.sc.command
	for n := range deaths {
		died := y.pass(t, &passage{host: fmt.Sprintf("host %d", n), during: u.sc.during}, command...)
		if !died.died {
			return "it did not ask for the run:\n" + died.String()
		}
		if y.head(t).Champion.Release.Name == "1.2.0" {
			command = resume
		}
	}
	far := y.far(t, u.before)
	told := y.goOn(t, elsewhere, w.commands)
	y.letGo()
	if err := y.quiet(t.Context()); err != nil {
		t.Fatal(err)
	}
	diff := u.differs(t, w, far, y.stands(t).asIfEnded())
	if diff != "" || !told.fine {
		return diff + "\n" + told.text
	}
	return ""
}

// hold makes 1.2.0's runs of a notebook wait for letGo.
func (y *yard) hold(notebook string) {
	n := &y.bench.notebooks
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = []told{{notebook: notebook, version: "3", what: "wait"}}
	n.waiting = map[string]chan struct{}{notebook: make(chan struct{})}
	y.holds.Store(true)
}

func (y *yard) letGo() {
	n := &y.bench.notebooks
	n.mu.Lock()
	defer n.mu.Unlock()
	if !y.holds.Swap(false) {
		return
	}
	n.told = nil
	for _, wait := range n.waiting {
		close(wait)
	}
	n.waiting = nil
}

// quiet returns when no run is going on.
func (y *yard) quiet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, workspace := range []string{"prod", "test"} {
		all := y.bench.sandbox.Twin(workspace).Jobs()
		for _, r := range all.Runs() {
			if err := all.Wait(ctx, r.RunID); err != nil {
				return err
			}
		}
	}
	return nil
}

// asIfEnded takes runs that somebody cancelled for such as came to their end.
func (s standing) asIfEnded() standing {
	beside := map[string]int{}
	for what, n := range s.Beside {
		if strings.HasPrefix(what, "run of ") {
			what = strings.Replace(what, ": CANCELED", ": SUCCESS", 1)
		}
		beside[what] += n
	}
	s.Beside = beside
	return s
}
