package release_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/sandbox"
)

var operated = strings.Replace(alone, `  path      =`, "  operators = [\"group:on-call\"]\n  path      =", 1)

func TestOperatorsGetWhatARollbackNeeds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.promoted(b.build("1.0.0", b.register(), operated), "prod")
	w := b.workspace("prod")
	folder, err := w.Stat(t.Context(), "/Barge/p")
	if err != nil {
		t.Fatal(err)
	}
	model, err := b.registry().ModelID(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for kind, at := range map[string]struct {
		in *databricks.Workspace
		id string
	}{
		"directories": {w, fmt.Sprint(folder.ID)}, "jobs": {w, fmt.Sprint(b.state("prod").Job("job:nightly"))},
		"registered-models": {b.workspace("registry"), model},
	} {
		grants, err := at.in.Permissions(t.Context(), kind, at.id)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range grants {
			if g.Principal == "group:on-call" {
				got[kind] = g.Level
			}
		}
	}
	want := map[string]string{"directories": "CAN_MANAGE", "jobs": "CAN_MANAGE", "registered-models": "CAN_MANAGE_PRODUCTION_VERSIONS"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	before := len(writes(b, "prod", "/api/2.0/permissions/")) + len(writes(b, "registry", "/api/2.0/permissions/"))
	b.promoted(b.build("1.1.0", b.register(), operated), "prod")
	if after := len(writes(b, "prod", "/api/2.0/permissions/")) + len(writes(b, "registry", "/api/2.0/permissions/")); after != before {
		t.Errorf("%d rights were given again", after-before)
	}
}

// writes are a twin's calls below a path that change something.
func writes(b *bench, twin, below string) []string {
	var out []string
	for _, c := range b.twins.Twin(twin).Log() {
		if c.Method != http.MethodGet && strings.HasPrefix(c.Path, below) {
			out = append(out, c.Method+" "+c.Path)
		}
	}
	return out
}

// TestARightThatCannotBeGiven stops the promotion before anything is live, or turns it back.
func TestARightThatCannotBeGiven(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		twin, path string
		begun      bool
	}{
		"on the folder": {"prod", "/api/2.0/permissions/directories/", false},
		"on the model":  {"registry", "/api/2.0/permissions/registered-models/", false},
		"on the job":    {"prod", "/api/2.0/permissions/jobs/", true},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			name := b.build("1.0.0", b.register(), operated)
			refuse := sandbox.Fault{Method: http.MethodPatch, Path: c.path, Action: sandbox.FaultStatus, Status: 403, Times: -1}
			if err := b.twins.Twin(c.twin).Fault(refuse); err != nil {
				t.Fatal(err)
			}
			_, err := b.promote("ci", name, "prod")
			if !errors.Is(err, databricks.ErrForbidden) {
				t.Errorf("%v", err)
			}
			s := b.state("prod")
			if begun := s.Decision != 0; begun != c.begun || s.Champion.Release.Artifact != "" || s.Flight != nil {
				t.Errorf("begun %t, champion %s, in flight %+v", begun, s.Champion.Release, s.Flight)
			}
			if got := b.standing("Production"); got != "" {
				t.Errorf("Production holds %q", got)
			}
		})
	}
}
