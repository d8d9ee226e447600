package artifacts

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/registry"
)

// TestRetraining: README changes need no training and give another name to the same id; a retraining gives the same
// commit another id and a name of its own.
func TestRetraining(t *testing.T) {
	y := newYard(t)
	y.git("tag", "v1.0.0")
	first := y.build("")

	y.write(map[string]string{"README.md": "better\n"})
	y.commit("readme")
	y.git("tag", "v1.0.1")
	if second := y.build(""); second.ID != first.ID || second.Name != "1.0.1" {
		t.Errorf("after a change that does not ship: %s %s, want 1.0.1 %s", second.Name, second.ID, first.ID)
	}

	for _, tc := range []struct {
		body, name string
	}{{"again", "1.0.1-m2"}, {"and again", "1.0.1-m3"}} {
		y.train(tc.body)
		for range 2 {
			if r := y.build(""); r.Name != tc.name || r.ID == first.ID {
				t.Errorf("retrained it is %s %s, want %s", r.Name, r.ID, tc.name)
			}
		}
	}
	y.project.Artifact.Models[0].Version = "1"
	if _, err := y.try("v1.0.0"); !errors.Is(err, ErrBound) {
		t.Errorf("what barge.hcl says changed without a commit: %v, want ErrBound", err)
	}
	y.project.Artifact.Models[0].Version = "trained"

	y.write(map[string]string{"notebooks/shared/prep.py": notebook("data = 2")})
	y.commit("prep")
	if _, err := y.try(""); err == nil || !strings.Contains(err.Error(), "run barge train first") {
		t.Errorf("changed training code: %v, want a call for barge train", err)
	}
	y.train("for the new code")
	y.git("tag", "-f", "v1.0.0")
	_, err := y.try("")
	if !errors.Is(err, ErrBound) || !strings.Contains(err.Error(), "1.0.0 is "+first.ID+" (made from commit "+first.Commit[:12]+")") {
		t.Errorf("a tag that moved: %v, want ErrBound", err)
	}
	y.git("tag", "-d", "v1.0.0")
	if r := y.build(""); r.Name != "g"+r.Commit[:12] {
		t.Errorf("without a tag it is %s", r.Name)
	}
	all, err := y.store.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range all {
		names = append(names, l.Name)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"1.0.0", "1.0.1", "1.0.1-m2", "1.0.1-m3", "g" + y.git("rev-parse", "HEAD")[:12]}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestTwoModelsRetrained(t *testing.T) {
	y := newYard(t)
	y.project.Artifact.Models = []environments.Model{
		{Label: "b", Registry: "shared", Version: "latest"}, {Label: "a", Registry: "shared", Version: "latest"},
	}
	y.git("tag", "v1.4.0")
	y.models.add("a", nil, modelOf("a1"))
	y.models.add("b", nil, modelOf("b1"))
	build := func(want string) {
		t.Helper()
		if r := y.build(""); r.Name != want {
			t.Errorf("it is %s, want %s", r.Name, want)
		}
	}
	build("1.4.0")
	y.models.add("b", nil, modelOf("b2"))
	build("1.4.0-m2")
	y.models.add("a", nil, modelOf("a2"))
	build("1.4.0-m2-m2")
	y.project.Artifact.Models[0].Version = "latest" // b stays, a alone differs: 1.4.0-m2 is another's already
	y.models.files["b/2"], y.models.versions = nil, slices.DeleteFunc(y.models.versions, func(v registry.Version) bool { return v.Model == "b" && v.Number == "2" })
	build("1.4.0-m2-m1")
}

func TestSelectors(t *testing.T) {
	y := newYard(t)
	y.train("second")
	y.models.versions[0].Stage = "Staging"
	for version, want := range map[string]string{"trained": "2", "latest": "2", "1": "1", "Staging": "1"} {
		y.project.Artifact.Models[0].Version = version
		y.store = newStore(t)
		pin, _ := y.build("").Manifest.Model("wine")
		if pin.Version != want {
			t.Errorf("%s is version %s, want %s", version, pin.Version, want)
		}
	}
	y.project.Artifact.Models[0].Version = "7"
	if _, err := y.try(""); err == nil || strings.Contains(err.Error(), "barge train") || !strings.Contains(err.Error(), "model wine: model wine has no 7") {
		t.Errorf("a version that is not there: %v", err)
	}
}

// TestTrainingDigest: it changes with what the training depends on, and with nothing else.
func TestTrainingDigest(t *testing.T) {
	y := newYard(t)
	digest := func() string {
		s, err := Pack(t.Context(), open(t, y.dir, "HEAD"), y.project.Artifact)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		d, err := s.TrainingDigest(y.project, "wine")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	edit := func(p, body string) func() {
		return func() { y.write(map[string]string{p: body}); y.commit("change") }
	}
	model := &y.project.Artifact.Models[0]
	for _, tc := range []struct {
		name    string
		change  func()
		changes bool
	}{
		{"nothing", func() {}, false},
		{"readme", edit("README.md", "x"), false},
		{"another notebook", edit("notebooks/helpers.py", "y = 1\n"), false},
		{"the prod config", edit("conf/prod.yml", "x"), false},
		{"the name of the compute", func() { y.project.Computes[0].Name, model.Train.Compute = "big", "big" }, false},
		{"where dev is", func() { y.project.Environments[0].Path = "/Barge/other" }, false},
		{"the notebook", edit("notebooks/train.py", notebook("# MAGIC %run ./shared/prep\n\n# COMMAND ----------\n\nfit(2)")), true},
		{"what it runs", edit("notebooks/shared/prep.py", notebook("data = 3")), true},
		{"a parameter", func() { model.Train.Parameters = map[string]string{"c": "2.0"} }, true},
		{"the dev config", edit("conf/dev.yml", "x"), true},
		{"the compute", func() { y.project.Computes[0].SparkVersion = "16.4.x" }, true},
	} {
		before := digest()
		tc.change()
		if after := digest(); (after != before) != tc.changes {
			t.Errorf("%s: digest went from %s to %s", tc.name, before, after)
		}
	}
}
