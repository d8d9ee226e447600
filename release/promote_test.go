package release_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/release"
)

func TestThereAndBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.build("1.0.0", b.register(), testEnvironment+prodEnvironment)
	b.promoted(first, "test")
	b.promoted(first, "prod")
	second := b.build("1.1.0", b.register(), testEnvironment+prodEnvironment)
	b.promoted(second, "test")
	b.promoted(second, "prod")
	if got := b.standing("Production"); got != "2" {
		t.Errorf("Production holds %q", got)
	}
	done, err := b.rollback("on call", release.Return{Environment: "prod", Reason: "scores are odd"})
	if err != nil {
		t.Fatalf("%v\n%s", err, b.story())
	}
	if diff := cmp.Diff([]string{"1.0.0", "1.1.0", "done"}, []string{done.Release.Name, done.Removed.Name, done.Outcome}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got := []string{b.standing("Production"), b.standing("Staging"), b.standing("Archived")}
	if diff := cmp.Diff([]string{"1", "2", ""}, got); diff != "" {
		t.Errorf("Production, Staging, Archived (-want +got):\n%s", diff)
	}
	for _, e := range []string{"test", "prod"} {
		if drifted := b.drift(e); len(drifted) > 0 {
			t.Errorf("%s: %v", e, drifted)
		}
		b.intact(e)
	}
	if _, err := b.promote("ci", second, "prod"); !errors.Is(err, release.ErrPending) {
		t.Errorf("a barred release: %v", err)
	}
}
