package release_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bargeml/barge/release"
)

// on is alone with a compute for its score.
func on(compute string) string {
	return strings.Replace(alone, `notebook = "score"`, "notebook = \"score\"\n    compute  = compute.c", 1) + "compute \"c\" {\n" + compute + "\n}\n"
}

// TestComputeIsLookedFor names clusters and policies that are there and that are not: a twin has every one whose id could
// be one's.
func TestComputeIsLookedFor(t *testing.T) {
	t.Parallel()
	cluster := func(policy string) string {
		return "  spark_version = \"15.4.x-scala2.12\"\n  node_type = \"Standard_DS3_v2\"\n  num_workers = 1\n  policy = \"" + policy + "\""
	}
	for what, c := range map[string]struct{ hcl, missing string }{
		"a cluster":              {on(`  existing_cluster = "0101-120000-abcd1234"`), ""},
		"no such cluster":        {on(`  existing_cluster = "1-2-x"`), "workspace prod has no cluster 1-2-x"},
		"a policy":               {on(cluster("E0123456789ABCDE")), ""},
		"no such policy":         {on(cluster("none")), "workspace prod has no cluster policy none"},
		"no such cluster's gate": {strings.Replace(on(`  existing_cluster = "gone"`), "  score", "  gate \"g\" {\n    notebook = \"check\"\n    compute = compute.c\n    expect \"e\" {\n      that = metrics.accuracy > 0\n    }\n  }\n  score", 1), "no cluster gone"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			_, err := b.promote("ci", b.build("1.0.0", b.register(), c.hcl), "prod")
			switch {
			case c.missing == "" && err != nil:
				t.Error(err)
			case c.missing != "" && (!errors.Is(err, release.ErrConflict) || !strings.Contains(err.Error(), c.missing)):
				t.Errorf("%v", err)
			}
			if runs := b.runs.Attempts(); c.missing != "" && len(runs) > 0 {
				t.Errorf("run in spite of it: %v", runs)
			}
		})
	}
}
