package release_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/bargeml/barge/release"
)

const somebody = "11111111-2222-3333-4444-555555555555"

// as is alone with a score that runs as a principal.
func as(principal string) string {
	return strings.Replace(alone, `notebook = "score"`, "notebook = \"score\"\n    run_as = \""+principal+`"`, 1)
}

// runsAs is as whom prod's job runs, and who made it.
func (b *bench) runsAs() (runs, made string) {
	b.t.Helper()
	var job struct {
		RunAs   string `json:"run_as_user_name"`
		Creator string `json:"creator_user_name"`
	}
	b.api("prod", http.MethodGet, fmt.Sprintf("/api/2.2/jobs/get?job_id=%d", b.state("prod").Job("job:nightly")), nil, &job)
	return job.RunAs, job.Creator
}

// TestWhoAJobRunsAs follows a job through releases that name somebody and releases that name nobody, on and back: the
// service keeps whom it was told last.
func TestWhoAJobRunsAs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	expect := func(after, want string) {
		t.Helper()
		if got, _ := b.runsAs(); got != want {
			t.Errorf("after %s it runs as %s, not as %s", after, got, want)
		}
		if drifted := b.drift("prod"); len(drifted) > 0 {
			t.Errorf("after %s: %v", after, drifted)
		}
	}
	b.promoted(b.build("1.0.0", b.register(), alone), "prod")
	_, maker := b.runsAs()
	expect("a release that names nobody", maker)
	b.promoted(b.build("1.1.0", b.register(), as("service-principal:"+somebody)), "prod")
	expect("one that names somebody", somebody)
	b.returned(release.Return{})
	expect("the way back", maker)
	b.promoted(b.build("1.2.0", b.register(), as("user:ann@example.com")), "prod")
	expect("one that names somebody else", "ann@example.com")
	b.promoted(b.build("1.3.0", b.register(), alone), "prod")
	expect("another that names nobody", maker)

	b.api("prod", http.MethodPost, "/api/2.2/jobs/update", map[string]any{
		"job_id": b.state("prod").Job("job:nightly"), "new_settings": map[string]any{"run_as": map[string]any{"user_name": "eve@example.com"}},
	}, nil)
	if drifted := b.drift("prod"); len(drifted) != 1 || !strings.Contains(fmt.Sprint(drifted[0]), "eve@example.com") {
		t.Errorf("somebody else by hand: %v", drifted)
	}
	b.promoted("1.3.0", "prod")
	expect("mending", maker)
}

// TestAVersionGivenBackIsNobodysChampion returns to where a slot was not ours: the version that was found in it stands
// there again, and the model does not say that it is the environment's.
func TestAVersionGivenBackIsNobodysChampion(t *testing.T) {
	t.Parallel()
	scoring := alone[:strings.Index(alone, "  model")] + alone[strings.Index(alone, "  score"):]
	for what, c := range map[string]struct {
		first string // what is live before the slot is taken
		slot  string
	}{
		"what was there before barge":     {"", "Production"},
		"a release without a slot":        {scoring, "Production"},
		"a release with another slot":     {alone, "Staging"},
		"what was there, in another slot": {"", "Staging"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			found := b.register()
			b.stage(found, c.slot)
			ours := ""
			if c.first != "" {
				version := b.register()
				b.promoted(b.build("1.0.0", version, c.first), "prod")
				if c.first == alone {
					ours = version
				}
			}
			b.promoted(b.build("1.1.0", b.register(), strings.Replace(alone, `"Production"`, `"`+c.slot+`"`, 1)), "prod")
			b.returned(release.Return{})
			tags, err := b.registry().ModelTags(t.Context(), "m")
			if err != nil {
				t.Fatal(err)
			}
			if got := tags["barge.env.prod"]; got != ours {
				t.Errorf("the model says that %q is the champion, and not %q", got, ours)
			}
			if got := b.standing(c.slot); got != found {
				t.Errorf("%s holds %q, and held %q", c.slot, got, found)
			}
		})
	}
}
