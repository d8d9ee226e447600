package release_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bargeml/barge/release"
)

// bound is alone with a binding to another workspace's host, which is where.
var bound = strings.Replace(alone, "  model", "  deploy {\n    bind = { \"# score\" = \"# score at ${workspace.test.host}\" }\n  }\n  model", 1)

// rewrite changes barge.hcl as it stands where barge runs, and no release.
func (b *bench) rewrite(old, now string) {
	b.t.Helper()
	file := filepath.Join(b.dir, "barge.hcl")
	text, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		b.t.Fatalf("barge.hcl has no %q", old)
	}
	b.write(file, strings.Replace(string(text), old, now, 1))
}

// TestNoOp promotes the champion's own artifact: nothing is done exactly when its plan would set nothing else and nothing
// drifted. What is expected is the outcome, and that of doing it once more.
func TestNoOp(t *testing.T) {
	t.Parallel()
	slot := bound[:strings.Index(bound, "  score")] + "}\n"
	drift := func(b *bench) { b.stage("1", "Archived") }
	for what, c := range map[string]struct {
		change      func(*bench)
		name        string
		want, twice string
		plan        bool // that there is something to do
		hcl         string
	}{
		"nothing":                         {func(*bench) {}, "1.0.0", "nothing-to-do", "nothing-to-do", false, ""},
		"another name of the same id":     {func(b *bench) { b.build("1.0.1", "1", bound) }, "1.0.1", "nothing-to-do", "nothing-to-do", false, ""},
		"drift":                           {drift, "1.0.0", "mended", "nothing-to-do", true, ""},
		"drift, by another name":          {func(b *bench) { b.build("1.0.1", "1", bound); drift(b) }, "1.0.1", "mended", "nothing-to-do", true, ""},
		"a bound host":                    {func(b *bench) { b.rewrite("adb-2.2", "adb-9.9") }, "1.0.0", "done", "nothing-to-do", true, ""},
		"a host that nothing is bound to": {func(b *bench) { b.rewrite("adb-4.4", "adb-9.9") }, "1.0.0", "nothing-to-do", "nothing-to-do", false, ""},
		"a bound host and files alone":    {func(b *bench) { b.rewrite("adb-2.2", "adb-9.9") }, "1.0.0", "done", "nothing-to-do", true, slot},
		"drift and a bound host":          {func(b *bench) { drift(b); b.rewrite("adb-2.2", "adb-9.9") }, "1.0.0", "mended", "done", true, ""},
		"an environment that follows, on the same model": {func(b *bench) {
			b.rewrite("environment \"prod\"", strings.NewReplacer(`"prod"`, `"canary"`, "  workspace", "  follows = [environment.prod]\n  workspace",
				"/Barge/p", "/Barge/canary", `"Production"`, `"Staging"`).Replace(strings.Split(alone, "  score")[0])+"}\nenvironment \"prod\"")
		}, "1.0.0", "done", "nothing-to-do", true, ""},
		"a rule alone": {func(b *bench) { b.rewrite("  score", "  soak = \"1h\"\n  score") }, "1.0.0", "nothing-to-do", "nothing-to-do", false, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if c.hcl == "" {
				c.hcl = bound
			}
			b.promoted(b.build("1.0.0", b.register(), c.hcl), "prod")
			c.change(b)
			shown, err := b.world("looker").Plan(t.Context(), release.Request{Release: c.name, Environment: "prod"})
			if err != nil || shown.Nothing == c.plan {
				t.Errorf("the plan says there is nothing to do: %t, %v", shown.Nothing, err)
			}
			for _, want := range []string{c.want, c.twice} {
				before := b.state("prod").Seq
				b.twins.Twin("prod").ClearLog()
				b.twins.Twin("registry").ClearLog()
				done, err := b.promote("ci", c.name, "prod")
				if err != nil {
					t.Fatalf("%v\n%s", err, b.story())
				}
				if done.Outcome != want || done.Release.Name != "1.0.0" {
					t.Errorf("%s: %s, not %s", done.Release, done.Outcome, want)
				}
				calls := append(writes(b, "prod", "/"), writes(b, "registry", "/")...)
				if want == "nothing-to-do" && (len(calls) > 0 || b.state("prod").Seq != before) {
					t.Errorf("nothing to do, and yet: %q", calls)
				}
				if drifted := b.drift("prod"); len(drifted) > 0 {
					t.Errorf("after %s: %v", want, drifted)
				}
			}
			b.intact("prod")
		})
	}
}

// TestMendingNeedsNoPlan mends by the ledger alone, also where nothing could be planned any more.
func TestMendingNeedsNoPlan(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.promoted(b.build("1.0.0", b.register(), bound), "prod")
	b.stage("1", "Archived")
	b.api("registry", http.MethodPost, "/api/2.0/mlflow/registered-models/set-tag", map[string]any{"name": "m", "key": "barge.project", "value": "churn"}, nil)
	done, err := b.promote("ci", "1.0.0", "prod")
	if err != nil || done.Outcome != "mended" || b.standing("Production") != "1" {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := b.promote("ci", "1.0.0", "prod"); err == nil || !strings.Contains(err.Error(), "churn") {
		t.Errorf("a plan that cannot be made: %v", err)
	}
}

// TestRollbackOfTheSameArtifact takes back a release that was promoted again with another where: the artifact is what is
// removed.
func TestRollbackOfTheSameArtifact(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.promoted(b.build("1.0.0", b.register(), bound), "prod")
	b.promoted(b.build("1.1.0", b.register(), bound), "prod")
	b.rewrite("adb-2.2", "adb-9.9")
	b.promoted("1.1.0", "prod")
	if got := b.returned(release.Return{}); got != "1.0.0" {
		t.Errorf("rolled back to %q", got)
	}
	if _, err := b.promote("ci", "1.1.0", "prod"); err == nil || !strings.Contains(err.Error(), "barred") {
		t.Errorf("%v", err)
	}
}
