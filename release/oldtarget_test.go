package release_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/release"
)

// TestReturningFurtherThanTheStateKeeps promotes 25 releases, and returns to those that only older entries know.
func TestReturningFurtherThanTheStateKeeps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	lives := map[string]ledger.Champion{}
	for n := range 25 {
		name := b.build(fmt.Sprintf("1.%d.0", n), b.register(), alone)
		b.promoted(name, "prod")
		lives[name] = b.state("prod").Champion
	}
	if kept := b.state("prod").Past; slices.ContainsFunc(kept, func(p ledger.Past) bool { return p.Release.Name == "1.2.0" }) {
		t.Fatal("the state keeps 1.2.0: this test tests nothing")
	}

	for n := 3; n < 25; n++ {
		if _, err := b.world("on call").Bar(t.Context(), "prod", fmt.Sprintf("1.%d.0", n), "artifact", "all of them"); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.returned(release.Return{}); got != "1.2.0" {
		t.Fatalf("over what is barred to %q", got)
	}
	was, is := lives["1.2.0"], b.state("prod").Champion
	want := []any{was.Start, was.Judges, ledger.Before, was.Plan, was.Values}
	if diff := cmp.Diff(want, []any{is.Start, is.Judges, is.Proven, is.Plan, is.Values}); diff != "" {
		t.Errorf("start, judges, proven, plan, values (-when it was promoted +now):\n%s", diff)
	}
	if got := b.standing("Production"); got != "3" {
		t.Errorf("Production holds %s", got)
	}

	// A promotion over it that dies is taken back to it.
	b.crash("dies", b.build("2.0.0", b.register(), alone), "prod", "  set ")
	got := b.returned(release.Return{Fault: "data", Wait: time.Minute})
	if is := b.state("prod").Champion; got != "1.2.0" || is.Start != was.Start || is.Plan != was.Plan {
		t.Errorf("from a dead promotion over it to %q, start %d, plan %q", got, is.Start, is.Plan)
	}
	// From there a step back is one step, though no state knows of it; by name it is as far as asked.
	steps := []string{b.returned(release.Return{Release: "1.1.0", Fault: "data"}), b.returned(release.Return{Fault: "data"}), b.returned(release.Return{Fault: "data"})}
	if diff := cmp.Diff([]string{"1.1.0", "1.0.0", ""}, steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.intact("prod")
}
