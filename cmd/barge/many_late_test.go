//go:build unix

package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/sandbox"
)

// belated is a call that sets a pointer.
type belated struct {
	name      string
	workspace string
	path      string
	pointer   string
}

var belateds = []belated{
	{"a job's reset", "prod", "/api/2.2/jobs/reset", "job:nightly"},
	{"a slot's transition", "registry", mlflowAPI + "**/transition-stage", "slot:shared/diabetes/Production"},
	{"the model's tag", "registry", mlflowAPI + "registered-models/set-tag", "slot:shared/diabetes/Production"},
}

// tags tells whether the call writes the model's tag, which alone is not read back: who needs it are the others.
func (b belated) tags() bool { return strings.HasSuffix(b.path, "/set-tag") }

// lateCalls lets calls of a promotion arrive when its rollback is over, or between the rollback's last Set and its
// reading back; one of each kind, and all of them. What they move after the rollback, status names, and promoting the
// champion puts it right.
func (y *yard) lateCalls(t *testing.T) {
	var cases [][]belated
	for i := range belateds {
		cases = append(cases, belateds[i:i+1])
	}
	cases = append(cases, belateds)
	if !*everyMany {
		cases = cases[len(belateds):]
	}
	named, mended := 0, 0
	for _, calls := range cases {
		if bad := y.arrivesAfter(t, calls); bad == "" {
			named++
		} else {
			t.Errorf("%s arrives after the rollback:\n%s", calls[0].name, bad)
		}
		if bad := y.arrivesWithin(t, calls); bad == "" {
			mended++
		} else {
			t.Errorf("%s arrives within the rollback:\n%s", calls[0].name, bad)
		}
	}
	fmt.Printf("late calls: %d of %d named and mended, %d of %d overcome\n", named, len(cases), mended, len(cases))
}

// sendLate promotes 1.2.0, whose calls have no answer and do not arrive yet.
func (y *yard) sendLate(t *testing.T, calls []belated) {
	t.Helper()
	y.back(t, y.used)
	for _, b := range calls {
		f := sandbox.Fault{Method: http.MethodPost, Path: b.path, Action: sandbox.FaultLate}
		if err := y.bench.sandbox.Twin(b.workspace).Fault(f); err != nil {
			t.Fatal(err)
		}
	}
	y.must(t, promote...)
}

// arrive lets the late calls take effect.
func (y *yard) arrive(t *testing.T, calls []belated) {
	t.Helper()
	arrived := 0
	for _, twin := range y.bench.sandbox.Twins() {
		arrived += twin.Arrive()
	}
	if arrived != len(calls) {
		t.Errorf("%d calls arrived late, not %d", arrived, len(calls))
	}
}

func (y *yard) arrivesAfter(t *testing.T, calls []belated) (bad string) {
	t.Helper()
	y.sendLate(t, calls)
	y.must(t, rollback...)
	bad = y.undrifted(t, "prod")
	before := y.stands(t)
	y.arrive(t, calls)
	var pointers []string
	for _, b := range calls {
		pointers = append(pointers, b.pointer)
	}
	slices.Sort(pointers)
	if diff := cmp.Diff(slices.Compact(pointers), y.drift(t, "prod")); diff != "" {
		bad += "drift (-want +got):\n" + diff
	}
	if e := y.barge(t, other...); e.code != 5 || !strings.Contains(e.out, "barge promote 1.1.0 --to prod mends it") {
		bad += e.String()
	}
	if e := y.barge(t, words("promote 1.1.0 --to prod")...); e.code != 0 {
		bad += e.String()
	}
	now := y.stands(t)
	for _, s := range []standing{before, now} {
		delete(s.Live, "by") // a rollback, and then a mend
	}
	if diff := cmp.Diff(before.Live, now.Live); diff != "" {
		bad += "live (-want +got):\n" + diff
	}
	return bad + y.undrifted(t, "prod") + strings.Join(now.Broken, "\n")
}

func (y *yard) arrivesWithin(t *testing.T, calls []belated) string {
	t.Helper()
	y.sendLate(t, calls)
	var once sync.Once
	y.crowd.Store(&crowd{yard: y, happened: func(s sent) {
		if strings.HasSuffix(s.request, "/jobs/reset") { // slots go before
			once.Do(func() { y.arrive(t, calls) })
		}
	}})
	e := y.send(t, "rollback", rollback...).wait()
	y.crowd.Store(nil)
	bad := ""
	for _, pointer := range y.drift(t, "prod") {
		if e := y.barge(t, words("promote 1.1.0 --to prod")...); e.code != 0 || !slices.ContainsFunc(calls, belated.tags) {
			bad += pointer + " has drifted: " + e.String()
		}
	}
	bad += y.undrifted(t, "prod") + strings.Join(y.stands(t).Broken, "\n")
	if e.code != 0 || y.head(t).Champion.Release.Name != "1.1.0" {
		bad += e.String()
	}
	return bad
}
