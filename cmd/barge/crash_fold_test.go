//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/ledger"
)

// ledger is prod's.
func (y *yard) ledger() *ledger.Ledger { return y.ledgerOf("prod") }

func (y *yard) ledgerOf(workspace string) *ledger.Ledger {
	root := y.bench.sandbox.Twin(workspace).Files().Root()
	return ledger.Open(ledger.NewFolder(filepath.Join(root, filepath.FromSlash(prodPath), "ledger")), ledger.Options{})
}

func (y *yard) head(t *testing.T) ledger.State {
	t.Helper()
	head, err := y.ledger().Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head.State
}

// lookAtLedger looks at the folds of both ledgers and at the entries of prod's. What depends on how a command came to
// its end is left out or named by what it means: numbers of entries, ids of jobs, times, authors, digests of plans.
func (y *yard) lookAtLedger(t *testing.T, s *standing) error {
	problems, err := y.ledger().Verify(t.Context())
	if err != nil {
		return err
	}
	for _, p := range problems {
		s.Broken = append(s.Broken, fmt.Sprintf("ledger entry %d is %s: %s", p.Seq, p.Kind, p.Text))
	}
	l := y.head(t)
	if l.Flight != nil {
		s.Broken = append(s.Broken, fmt.Sprintf("a %s of %s is in flight", l.Flight.Kind, l.Flight.Release))
	}
	for id, numbers := range l.Jobs {
		if len(numbers) > 1 {
			s.Broken = append(s.Broken, fmt.Sprintf("%s has had the jobs %v", id, numbers))
		}
	}
	test, err := y.ledgerOf("test").Head(t.Context())
	if err != nil {
		return err
	}
	s.Live["entries of test's ledger"] = test.Seq
	y.foldLive(l, s)
	y.foldBeside(l, s)
	return y.lookAtHistory(t, s)
}

// foldLive is what must be as undisturbed, whatever was prepared before.
func (y *yard) foldLive(l ledger.State, s *standing) {
	c := l.Champion
	s.Live["champion"], s.Live["proven"] = c.Release, l.IsProven() || l.Seq == 0
	if c.Release.Artifact != "" { // Genesis is nobody's: its entry is written by whoever comes first
		s.Live["how"] = c.Proven
		s.Live["values"], s.Live["judges"], s.Live["plan"], s.Live["rules"] = c.Values, c.Judges, y.plan(c.Plan), l.Rules
		s.Live["found"], s.Live["slots"] = l.Found, l.Slots
	}
	s.Live["hold"] = l.Hold
	said := []string{}
	for _, b := range l.Bars {
		said = append(said, "bar on "+b.Said.Name+" "+b.Said.Artifact+b.Said.Model)
	}
	for _, w := range l.Waivers {
		said = append(said, fmt.Sprintf("waiver %+v", w.Said))
	}
	for _, a := range l.Approvals {
		said = append(said, fmt.Sprintf("approval %+v", a.Said))
	}
	for _, r := range l.Rejections {
		said = append(said, fmt.Sprintf("rejection %+v", r.Said))
	}
	for _, k := range l.Known {
		if !k.Since.IsZero() {
			said = append(said, "soaks: "+strings.Join(k.Names, " "))
		}
	}
	slices.Sort(said)
	s.Live["said"] = said
}

// sinceLive begins what the fold forgets with the next Live.
const sinceLive = "fold, since the last Live: "

// foldBeside is what the fold remembers of every start and every artifact: a start that was taken back before it was
// live is not in it.
func (y *yard) foldBeside(l ledger.State, s *standing) {
	s.Beside["fold: the champion is there by "+string(l.Champion.By)]++
	for _, e := range l.Evidence {
		s.Beside[fmt.Sprintf(sinceLive+"evidence %s of %s, attempt %d: %s", e.Gate, e.Release, e.Attempt, e.Outcome)]++
	}
	names := map[int]string{}
	for _, p := range l.Past {
		names[p.Live] = p.Release.String()
		s.Beside[fmt.Sprintf("fold: %s was started over %s", p.Release, names[p.Replaced])]++
	}
	for _, plan := range l.Plans {
		s.Beside["fold: begun "+y.plan(plan)]++
	}
	for id, k := range l.Known {
		name := fmt.Sprintf("%.19s", id) // its names come with its start
		for gate := range k.Evidence {
			s.Beside["fold: "+name+" passed "+gate]++
		}
		for what, seq := range map[string]int{"live": k.Live, "proven": k.Proven, "removed": k.Removed} {
			if seq != 0 {
				s.Beside["fold: "+name+" was "+what]++
			}
		}
	}
	for id, numbers := range l.Jobs {
		s.Beside["fold: jobs of "+id] += len(numbers)
	}
}

// plan names a recorded plan.
func (y *yard) plan(digest string) string {
	root := y.bench.sandbox.Twin("prod").Files().Root()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(prodPath), "plans", strings.TrimPrefix(digest, "sha256:")+".json"))
	if err != nil {
		return err.Error()
	}
	return planName(b)
}

func (y *yard) lookAtHistory(t *testing.T, s *standing) error {
	for e, err := range y.ledger().History(t.Context()) {
		if err != nil {
			return err
		}
		switch b := e.Body.(type) {
		case ledger.Evidence:
			s.Beside[fmt.Sprintf("evidence %s of %s: %s", b.Gate, b.Release, b.Outcome)]++
		case ledger.Begun:
			if b.Why == ledger.Start {
				s.Beside[fmt.Sprintf("start of %s", b.Release.Name)]++
			}
		}
	}
	return nil
}
