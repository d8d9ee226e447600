package environments

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRenamingChangesNoRule: rules call every environment by the name that it had first, and a release that was built
// before finds what it carries.
func TestRenamingChangesNoRule(t *testing.T) {
	src := strings.Replace(family, `follows   = [environment.test]`, "follows   = [environment.test]\n  formerly  = []", 1)
	before := strings.Replace(src, "notebook = \"gate\"", "notebook = \"gate\"\n    against  = environment.test", 1)
	after := strings.NewReplacer(`environment "test" {`, "environment \"preprod\" {\n  formerly  = [\"test\", \"staging\"]", "environment.test", "environment.preprod",
		`environment "prod" {`, `environment "live" {`, "formerly  = []", `formerly  = ["prod"]`).Replace(before)
	old, diags := one(t, before, Options{})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	p, diags := one(t, after, Options{})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	a, _ := old.Rules("prod")
	b, _ := p.Rules("live")
	if diff := cmp.Diff(a, b); diff != "" || a.Digest() != b.Digest() {
		t.Error(diff)
	}
	recorded, err := FromRecorded(mustRecord(t, old))
	if err != nil {
		t.Fatal(err)
	}
	if e := p.WithArtifact(recorded).Environment("live"); e.Deploy.Config != "conf/prod.yml" || e.Gate("sound").Notebook != "gate" || len(e.Scores) != 1 {
		t.Errorf("%+v", e)
	}
	if e := p.ByKey("test"); e == nil || e.Name != "preprod" || e.Key() != "test" || p.ByKey("preprod") != e || p.ByKey("staging") != nil {
		t.Errorf("%+v", e)
	}
	if _, diags := p.Resolve("prod"); diags.Error() != `environment "prod" is called "live" now (did you mean live?)` {
		t.Error(diags)
	}
}
