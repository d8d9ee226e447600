package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/registry"
)

// models is a registry in memory.
type models struct {
	versions []registry.Version
	files    map[string]map[string]string // by "model/number"
}

// add registers a version as training did.
func (m *models) add(model string, tags map[string]string, files map[string]string) registry.Version {
	n := 1
	for _, v := range m.versions {
		if v.Model == model {
			n++
		}
	}
	v := registry.Version{Model: model, Number: strconv.Itoa(n), RunID: fmt.Sprintf("run%d", n), Status: registry.Ready, Tags: tags}
	m.versions = append(m.versions, v)
	if m.files == nil {
		m.files = map[string]map[string]string{}
	}
	m.files[model+"/"+v.Number] = files
	return v
}

func (m *models) Resolve(_ context.Context, model, selector string) (registry.Version, error) {
	for _, v := range slices.Backward(m.versions) {
		key, value, _ := strings.Cut(strings.TrimPrefix(selector, "tag:"), "=")
		byTag := strings.HasPrefix(selector, "tag:") && v.Tags[key] == value
		if v.Model == model && (v.Number == selector || selector == "latest" || v.Stage != "" && v.Stage == selector || byTag) {
			return v, nil
		}
	}
	return registry.Version{}, fmt.Errorf("model %s has no %s: %w", model, selector, fs.ErrNotExist)
}

func (m *models) Files(_ context.Context, v registry.Version) iter.Seq2[registry.File, error] {
	return func(yield func(registry.File, error) bool) {
		for p, body := range m.files[v.Model+"/"+v.Number] {
			f := registry.File{Path: p, Size: int64(len(body)), Open: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(body)), nil
			}}
			if !yield(f, nil) {
				return
			}
		}
	}
}

func modelOf(body string) map[string]string {
	return map[string]string{"MLmodel": "flavors: {}\n", "data/model.pkl": body, "registered_model_meta": "added"}
}

// wine is a project with a trained model, as a user would write it.
func wine() *environments.Project {
	return &environments.Project{
		Name: "wine",
		Artifact: &environments.Artifact{
			Notebooks: environments.Notebooks{From: "notebooks", Exclude: []string{"scratch/**"}},
			Config:    environments.Config{From: "conf"},
			Models: []environments.Model{{Label: "wine", Registry: "shared", Version: "trained", Train: &environments.Train{
				Environment: "dev", Notebook: "train", Compute: "ml", Parameters: map[string]string{"c": "1.0"},
			}}},
		},
		Registries: []environments.Registry{{Name: "shared", Kind: "workspace", Workspace: "registry"}},
		Computes:   []environments.Compute{{Name: "ml", SparkVersion: "15.4.x"}},
		Environments: []environments.Environment{
			{Name: "dev", Workspace: "dev", Path: "/Barge/wine", Deploy: environments.Deploy{Config: "conf/dev.yml"}},
			{
				Name: "prod", Follows: []string{"dev"}, Workspace: "prod", Path: "/Barge/wine",
				Deploy: environments.Deploy{Only: []string{"score"}, Config: "conf/prod.yml"},
				Scores: []environments.Score{{Name: "nightly", Notebook: "score", Compute: "ml"}},
			},
		},
	}
}

func wineFiles() map[string]string {
	return map[string]string{
		"notebooks/train.py":         notebook("# MAGIC %run ./shared/prep\n\n# COMMAND ----------\n\nfit()"),
		"notebooks/shared/prep.py":   notebook("data = 1"),
		"notebooks/score.ipynb":      ran,
		"notebooks/helpers.py":       "def f(): pass\n",
		"notebooks/scratch/x.py":     notebook("no"),
		"notebooks/README.md":        "no notebook\n",
		"conf/dev.yml":               "table: dev\n",
		"conf/prod.yml":              "table: prod\n",
		"README.md":                  "read\n",
		"notebooks/größe/zählen.sql": "-- Databricks notebook source\nSELECT 'ä'\n",
	}
}

// yard is what a build needs, all real but the registry.
type yard struct {
	repo
	store   *Store
	models  *models
	project *environments.Project
}

func newYard(t testing.TB) *yard {
	t.Helper()
	y := &yard{newRepo(t, wineFiles()), newStore(t), &models{}, wine()}
	y.train("first")
	return y
}

// train registers a model for the code of HEAD.
func (y *yard) train(body string) registry.Version {
	y.t.Helper()
	c, err := OpenCommit(context.Background(), y.dir, CommitOptions{})
	if err != nil {
		y.t.Fatal(err)
	}
	s, err := Pack(context.Background(), c, y.project.Artifact)
	if err != nil {
		y.t.Fatal(err)
	}
	defer s.Close()
	digest, err := s.TrainingDigest(y.project, "wine")
	if err != nil {
		y.t.Fatal(err)
	}
	return y.models.add("wine", map[string]string{TrainingTag: digest}, modelOf(body))
}

func (y *yard) try(ref string) (Release, error) {
	c, err := OpenCommit(context.Background(), y.dir, CommitOptions{Ref: ref})
	if err != nil {
		return Release{}, err
	}
	return Build(context.Background(), c, BuildOptions{
		Project: y.project, Store: y.store, Barge: "0.0.0-test",
		Registry: y.registry,
	})
}

func (y *yard) registry(_ context.Context, label string) (Registry, error) {
	if label != "shared" {
		return nil, fmt.Errorf("asked for registry %q", label)
	}
	return y.models, nil
}

func (y *yard) build(ref string) Release {
	y.t.Helper()
	r, err := y.try(ref)
	if err != nil {
		y.t.Fatal(err)
	}
	return r
}

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
	if _, err := y.try(""); err == nil || !strings.Contains(err.Error(), "run barge train first") || !errors.Is(err, fs.ErrNotExist) {
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

func TestRefusedSources(t *testing.T) {
	link := func(y *yard, name, to string) {
		if err := os.Symlink(to, filepath.Join(y.dir, name)); err != nil {
			y.t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name   string
		change func(y *yard)
		want   string
	}{
		{"symlink out", func(y *yard) { link(y, "notebooks/out.py", "../../etc/x.py") }, "notebooks/out.py: it is a symlink out of the repository (to ../../etc/x.py): replace it"},
		{"absolute symlink", func(y *yard) { link(y, "notebooks/out.py", "/etc/x.py") }, "is a symlink out of the repository"},
		{"dangling symlink", func(y *yard) { link(y, "notebooks/out.py", "nowhere.py") }, "is a symlink to notebooks/nowhere.py, which is no file of the commit"},
		{"circle", func(y *yard) { link(y, "notebooks/out.py", "out.py") }, "is a symlink that leads nowhere"},
		{"submodule", func(y *yard) {
			y.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "file://"+newRepo(y.t, map[string]string{"x": "x"}).dir, "notebooks/sub.py")
		}, "notebooks/sub.py: it is a git submodule"},
		{"submodule with notebooks", func(y *yard) {
			y.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "file://"+newRepo(y.t, map[string]string{"x.py": "x"}).dir, "notebooks/vendor")
		}, "notebooks/vendor: it is a git submodule, which is not part of the commit: exclude it"},
		{"symlink to a folder", func(y *yard) { link(y, "notebooks/more", "../conf") }, "notebooks/more: it is a symlink to the folder conf, whose files would not ship"},
		{"one notebook twice", func(y *yard) { y.write(map[string]string{"notebooks/score.py": notebook("1")}) }, "notebooks/score.ipynb and notebooks/score.py: on Databricks both are score"},
		{"case", func(y *yard) { y.write(map[string]string{"notebooks/TRAIN.py": notebook("1")}) }, "notebooks/TRAIN.py and notebooks/train.py differ in case alone"},
		{"case of a folder", func(y *yard) { y.write(map[string]string{"notebooks/Shared/x.py": "1\n"}) }, "the folders notebooks/Shared and notebooks/shared differ in case alone"},
		{"notebook and folder", func(y *yard) { y.write(map[string]string{"notebooks/shared.py": notebook("1")}) }, "notebooks/shared.py: on Databricks it and the folder notebooks/shared would be one name"},
		{"notebook in the config's place", func(y *yard) { y.write(map[string]string{"notebooks/conf.py": notebook("1")}) }, "notebooks/conf.py: on Databricks it and the folder conf would be one name"},
		{"file in the config's place", func(y *yard) { y.write(map[string]string{"notebooks/conf/dev.py": "1\n", "conf/Dev.py": "1\n"}) }, "notebooks/conf/dev.py and conf/Dev.py differ in case alone"},
		{"not UTF-8", func(y *yard) { y.write(map[string]string{"notebooks/latin.py": notebook("'\xe4'")}) }, "notebooks/latin.py: it is not UTF-8"},
		{"no target", func(y *yard) { y.write(map[string]string{"notebooks/x.py": notebook("# MAGIC %run ./shared/pre")}) }, "notebooks/x.py:2: %run ./shared/pre finds no notebook shared/pre in the artifact: did you mean shared/prep?"},
		{"several", func(y *yard) {
			y.write(map[string]string{"notebooks/l1.py": "'\xe4'", "notebooks/l2.py": "'\xe4'"})
		}, "2 files of the commit cannot ship:\n  notebooks/l1.py: it is not UTF-8: convert it (iconv -t utf-8), or exclude it\n  notebooks/l2.py:"},
		{"no such folder", func(y *yard) { y.project.Artifact.Notebooks.From = "notbooks" }, "notebooks.from: commit"},
		{"out of the repository", func(y *yard) { y.project.Artifact.Config.From = "../conf" }, `config.from: path "../conf" leaves the repository`},
		{"nothing matches", func(y *yard) { y.project.Artifact.Notebooks.Include = []string{"*.scala"} }, "has no notebooks: nothing in notebooks matches"},
		{"bad pattern", func(y *yard) { y.project.Artifact.Notebooks.Include = []string{"[a"} }, `"[a" is no pattern`},
		{"a folder's pattern", func(y *yard) { y.project.Artifact.Notebooks.Exclude = []string{"shared"} }, `notebooks: "shared" is a folder, and patterns are of files: write "shared/**"`},
		{"unknown gate notebook", func(y *yard) { y.project.Environments[1].Gates = []environments.Gate{{Name: "g", Notebook: "trains"}} }, "environment prod, gate g: the commit has no notebook trains: did you mean train?"},
		{"unknown only", func(y *yard) { y.project.Environments[1].Deploy.Only = []string{"nope"} }, "environment prod, deploy.only: the commit has no notebook nope"},
		{"unknown config", func(y *yard) { y.project.Environments[1].Deploy.Config = "conf/prd.yml" }, `environment prod: config "conf/prd.yml" is not in the commit: did you mean conf/prod.yml?`},
		{"config elsewhere", func(y *yard) { y.project.Environments[1].Deploy.Config = "README.md" }, `config "README.md" is not below the artifact's config.from`},
		{"no artifact", func(y *yard) { y.project.Artifact = nil }, "barge.hcl has no artifact block"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			tc.change(y)
			y.commit("change")
			if _, err := y.try(""); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
			if all, err := y.store.List(t.Context()); err != nil || len(all) != 0 {
				t.Errorf("a refused build left %v, %v", all, err)
			}
		})
	}
}

// TestSymlinkInside: a link to another file of the commit ships as that file.
func TestSymlinkInside(t *testing.T) {
	y := newYard(t)
	if err := os.Symlink("shared/prep.py", filepath.Join(y.dir, "notebooks/alias.py")); err != nil {
		t.Fatal(err)
	}
	y.commit("link")
	m := y.build("").Manifest
	alias, _ := m.Notebook("alias")
	prep, _ := m.Notebook("shared/prep")
	if alias.SHA256 == "" || alias.SHA256 != prep.SHA256 {
		t.Errorf("the link is %+v, its file %+v", alias, prep)
	}
}

// TestImportedNotebook: Databricks imports none, unless it is a library of that name that is meant.
func TestImportedNotebook(t *testing.T) {
	y := newYard(t)
	y.write(map[string]string{"notebooks/more.py": notebook("from shared import prep")})
	y.commit("import")
	want := []string{"notebooks/more.py:2: import of shared.prep finds the notebook shared/prep, and Databricks imports no notebooks: run it with %run, or take its first line away, which makes it a module"}
	if diff := cmp.Diff(want, y.build("").Warnings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
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

func TestPartialClone(t *testing.T) {
	r := newRepo(t, map[string]string{"nb/a.py": notebook("1")})
	r.write(map[string]string{"nb/a.py": notebook("2")})
	r.commit("second")
	r.git("config", "uploadpack.allowFilter", "true")
	clone := r.clone("--filter=blob:none")
	p := &environments.Project{Name: "p", Artifact: &environments.Artifact{Notebooks: environments.Notebooks{From: "nb"}}}
	c := open(t, clone.dir, "")
	if _, err := Build(t.Context(), c, BuildOptions{Project: p, Store: newStore(t)}); err != nil {
		t.Errorf("HEAD is all there, but: %v", err)
	}
	earlier := r.git("rev-parse", "HEAD~1")
	_, err := Build(t.Context(), open(t, clone.dir, earlier), BuildOptions{Project: p, Store: newStore(t)})
	if err == nil || !strings.Contains(err.Error(), "nb/a.py: ") {
		t.Fatalf("a blob that is not in the clone: %v", err)
	}
	_, advice, ok := strings.Cut(err.Error(), "a partial clone lacks it until git fetches it: git ")
	if !ok {
		t.Fatalf("it does not say how to go on: %v", err)
	}
	clone.git("config", "maintenance.auto", "false") // or it would go on in the background
	clone.git(strings.Fields(advice)...)
	want, err := Build(t.Context(), open(t, r.dir, earlier), BuildOptions{Project: p, Store: newStore(t)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Build(t.Context(), open(t, clone.dir, earlier), BuildOptions{Project: p, Store: newStore(t)})
	if err != nil || got.ID != want.ID {
		t.Errorf("after what it advised: %s, %v, want %s", got.ID, err, want.ID)
	}
}
