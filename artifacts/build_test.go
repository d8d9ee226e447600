package artifacts

import (
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
)

func TestBuild(t *testing.T) {
	y := newYard(t)
	y.git("tag", "-a", "v1.4.0", "-m", "release")
	r := y.build("")
	if r.Name != "1.4.0" || !r.New || r.Commit != y.git("rev-parse", "HEAD") || r.Ref != "refs/heads/main" {
		t.Errorf("release is %+v", r)
	}
	a, err := y.store.Open(t.Context(), "1.4.0")
	if err != nil {
		t.Fatal(err)
	}
	if a.ID() != r.ID {
		t.Errorf("the name opens %s, want %s", a.ID(), r.ID)
	}
	got := map[string]string{}
	for c, err := range a.Notebooks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got[c.Path] = string(c.Kind) + " " + c.Language + " " + string(c.Body)
	}
	files := wineFiles()
	want := map[string]string{
		"train.py": "notebook python " + files["notebooks/train.py"], "shared/prep.py": "notebook python " + files["notebooks/shared/prep.py"],
		"score.ipynb": "notebook python " + stripped, "helpers.py": "  def f(): pass\n", "größe/zählen.sql": "notebook sql " + files["notebooks/größe/zählen.sql"],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notebooks (-want +got):\n%s", diff)
	}
	config := map[string]string{}
	for c, err := range a.Config(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		config[c.Path] = string(c.Body)
	}
	if diff := cmp.Diff(map[string]string{"dev.yml": "table: dev\n", "prod.yml": "table: prod\n"}, config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	pin, _ := a.Manifest.Model("wine")
	if pin.Version != "1" || pin.RunID != "run1" || pin.Registry != "shared" || pin.Name != "wine" || len(pin.Files) != 2 || !slices.Equal(pin.Excluded, []string{"registered_model_meta"}) {
		t.Errorf("model is pinned as %+v", pin)
	}
	for _, secret := range []string{"secret", r.Commit, "An Author", "0.0.0-test", y.dir} {
		if b, _ := a.Manifest.Canonical(); strings.Contains(string(b), secret) {
			t.Errorf("the manifest says %q", secret)
		}
	}

	if again := y.build(""); again.New || again.ID != r.ID || again.Name != r.Name {
		t.Errorf("built again it is %+v", again)
	}
	from, err := y.store.Provenance(t.Context(), r.ID)
	if err != nil || len(from) != 1 || from[0].Commit != r.Commit || from[0].Release != "1.4.0" || from[0].Barge != "0.0.0-test" || from[0].Author != "An Author <author@example.com>" {
		t.Errorf("provenance is %+v, %v", from, err)
	}
}

// TestModelsInGit: a file and a folder of the commit are part of the artifact.
func TestModelsInGit(t *testing.T) {
	y := newYard(t)
	big := strings.Repeat("0123456789abcdef", 1<<20) // 16 MiB: streamed
	y.write(map[string]string{"models/titanic.pkl": big, "models/dir/MLmodel": "m\n", "models/dir/deep/x.bin": "\x00\x01"})
	y.commit("models")
	y.project.Artifact.Models = []environments.Model{{Label: "folder", Path: "models/dir"}, {Label: "file", Path: "models/titanic.pkl"}}
	r := y.build("")
	a, err := y.store.Open(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	for label, want := range map[string]map[string]string{
		"file": {"titanic.pkl": big}, "folder": {"MLmodel": "m\n", "deep/x.bin": "\x00\x01"},
	} {
		files, err := a.ModelFiles(label)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, f := range files {
			r, err := f.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err = errors.Join(err, r.Close()); err != nil {
				t.Fatal(err)
			}
			got[f.Path] = string(b)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%.200s", label, diff)
		}
	}
	if _, err := a.ModelFiles("nowhere"); err == nil {
		t.Error("a model that is not there has files")
	}

	for path, want := range map[string]string{
		"models/nowhere.pkl": "has no models/nowhere.pkl: is it committed?",
		"../models/x.pkl":    "leaves the repository",
		"/etc/passwd":        "must be relative to barge.hcl",
	} {
		y.project.Artifact.Models = []environments.Model{{Label: "file", Path: path}}
		if _, err := y.try(""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// TestProjectBelow: a project in a folder of a larger repository takes paths beside it, and its own tags.
func TestProjectBelow(t *testing.T) {
	r := newRepo(t, map[string]string{"credit/nb/a.py": notebook("1"), "shared/b.py": notebook("2"), "fraud/c.py": notebook("3")})
	r.git("tag", "v9.9.9")
	r.git("tag", "credit/v1.2.0")
	r.write(map[string]string{"fraud/c.py": notebook("changed, and not ours")})
	c, err := OpenCommit(t.Context(), filepath.Join(r.dir, "credit"), CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := &environments.Project{Name: "credit", TagPrefix: "credit/v", Artifact: &environments.Artifact{Notebooks: environments.Notebooks{From: "../shared"}}}
	built, err := Build(t.Context(), c, BuildOptions{Project: p, Store: newStore(t)})
	if err != nil {
		t.Fatal(err)
	}
	if built.Name != "1.2.0" || len(built.Manifest.Notebooks) != 1 || built.Manifest.Notebooks[0].Path != "b.py" {
		t.Errorf("built %s with %+v", built.Name, built.Manifest.Notebooks)
	}
	p.Artifact.Notebooks.From = "nb"
	if b, err := c.ReadFile("nb/a.py"); err != nil || string(b) != notebook("1") {
		t.Errorf("a.py is %q, %v", b, err)
	}
	if names, err := c.Files("*.hcl"); err != nil || len(names) != 0 {
		t.Errorf("files are %q, %v", names, err)
	}
}
