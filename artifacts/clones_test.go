package artifacts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
)

// TestPipelines: what the pipelines' own checkouts leave gives the same artifact, and the name of the tag that they run
// for.
func TestPipelines(t *testing.T) {
	y := newYard(t)
	y.git("checkout", "-q", "-b", "feature")
	y.write(map[string]string{"notebooks/helpers.py": "x = 2\n"})
	y.commit("feature")
	y.git("checkout", "-q", "main")
	y.git("merge", "-q", "--no-ff", "-m", "merged", "feature")
	y.git("tag", "-a", "v1.4.0", "-m", "release")
	y.git("config", "uploadpack.allowAnySHA1InWant", "true")
	want := y.build("")
	head := want.Commit
	untagged := "g" + head[:12]
	for name, tc := range map[string]struct {
		fetch, checkout []string
		tag, of, want   string
	}{
		"Azure, a branch":            {[]string{"--no-tags", "--depth=1", "origin", "+" + head + ":refs/remotes/origin/" + head}, []string{"refs/remotes/origin/" + head}, "", "", untagged},
		"Azure, a tag":               {[]string{"--no-tags", "--depth=1", "origin", "+" + head + ":refs/remotes/origin/" + head}, []string{head}, "v1.4.0", head, "1.4.0"},
		"Azure, another tag":         {[]string{"--no-tags", "--depth=1", "origin", "+" + head}, []string{head}, "docs-7", head, untagged},
		"a tag, by hand at another":  {[]string{"--no-tags", "origin", "+refs/heads/*:refs/remotes/origin/*"}, []string{head}, "v1.4.0", head[1:] + "0", untagged},
		"the clone's own tag counts": {[]string{"--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"}, []string{head}, "v9.9.9", head, "1.4.0"},
		"GitHub, a tag":              {[]string{"--no-tags", "--depth=1", "origin", "+" + head + ":refs/tags/v1.4.0"}, []string{"refs/tags/v1.4.0"}, "v1.4.0", head, "1.4.0"},
		"GitHub, a pull request":     {[]string{"--no-tags", "--depth=1", "origin", "+" + head + ":refs/remotes/pull/7/merge"}, []string{"refs/remotes/pull/7/merge"}, "", "", untagged},
		"without blobs":              {[]string{"--no-tags", "--depth=1", "--filter=blob:none", "origin", "+" + head}, []string{head}, "", "", untagged},
	} {
		t.Run(name, func(t *testing.T) {
			clone := newRepo(t, nil)
			y.git("config", "uploadpack.allowFilter", "true")
			clone.git("remote", "add", "origin", "file://"+y.dir)
			clone.git(append([]string{"fetch", "-q", "--force", "--prune", "--no-recurse-submodules"}, tc.fetch...)...)
			clone.git(append([]string{"checkout", "-q", "--force"}, tc.checkout...)...)
			c := open(t, clone.dir, "")
			got, err := Build(t.Context(), c, BuildOptions{
				Project: y.project, Store: newStore(t), Registry: y.registry, Tag: tc.tag, TagOf: tc.of,
			})
			if err != nil || got.ID != want.ID || got.Name != tc.want || got.Commit != head {
				t.Errorf("built %s %s of %s, %v, want %s %s of %s", got.Name, got.ID, got.Commit, err, tc.want, want.ID, head)
			}
		})
	}
}

// TestMonorepo: five projects in one repository, with notebooks that they share, each with tags of its own.
func TestMonorepo(t *testing.T) {
	names := []string{"churn", "credit", "fraud", "price", "wine"}
	files := map[string]string{"shared/prep.py": notebook("data = 1"), "README.md": "all\n"}
	for _, name := range names {
		files["models/"+name+"/nb/score.py"] = notebook("# MAGIC %run ../../../shared/prep\n\n# COMMAND ----------\n\n'" + name + "'")
		files["models/"+name+"/model.pkl"] = name
		files["models/"+name+"/barge.hcl"] = "# " + name + "\n"
	}
	r := newRepo(t, files)
	store := newStore(t)
	project := func(name string) *environments.Project {
		return &environments.Project{Name: name, TagPrefix: name + "/v", Artifact: &environments.Artifact{
			Notebooks: environments.Notebooks{From: "../..", Include: []string{"models/" + name + "/nb/**", "shared/**"}},
			Models:    []environments.Model{{Label: name, Path: "model.pkl"}},
		}}
	}
	build := func(name string, o CommitOptions) (Release, error) {
		c, err := OpenCommit(t.Context(), filepath.Join(r.dir, "models", name), o)
		if err != nil {
			return Release{}, err
		}
		return Build(t.Context(), c, BuildOptions{Project: project(name), Store: store})
	}
	ids := map[string]string{}
	for i, name := range names {
		r.git("tag", fmt.Sprintf("%s/v1.%d.0", name, i))
	}
	for i, name := range names {
		var err error
		if store, err = OpenStore(t.TempDir(), "oci-layout:store"); err != nil {
			t.Fatal(err)
		}
		built, err := build(name, CommitOptions{})
		if err != nil || built.Name != fmt.Sprintf("1.%d.0", i) {
			t.Fatalf("%s is %s, %v", name, built.Name, err)
		}
		if diff := cmp.Diff([]string{"models/" + name + "/nb/score", "shared/prep"}, built.Manifest.objects()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		ids[name] = built.ID
	}

	// a change of one is none of another; one of what they share is one of all
	r.write(map[string]string{"models/fraud/nb/score.py": notebook("'other'")})
	if built, err := build("wine", CommitOptions{}); err != nil || built.ID != ids["wine"] {
		t.Errorf("with changes in another project: %+v, %v", built, err)
	}
	var dirty *DirtyError
	if _, err := build("fraud", CommitOptions{}); !errors.As(err, &dirty) {
		t.Errorf("with changes in it: %v", err)
	}
	r.commit("fraud")
	r.write(map[string]string{"shared/prep.py": notebook("data = 2")})
	if _, err := build("wine", CommitOptions{}); !errors.As(err, &dirty) || !strings.Contains(err.Error(), "shared/prep.py") {
		t.Errorf("with changes in what it shares: %v", err)
	}
	built, err := build("wine", CommitOptions{AllowDirty: true})
	if err != nil || built.ID != ids["wine"] || !cmp.Equal(built.LeftOut, []string{"shared/prep.py"}) {
		t.Errorf("without these changes: %+v, %v", built, err)
	}
	r.commit("prep")
	if built, err := build("wine", CommitOptions{}); err != nil || built.ID == ids["wine"] {
		t.Errorf("what it shares has changed, and it is %s, %v", built.ID, err)
	}
}

// TestManySymlinks: several readers follow links of links at once.
func TestManySymlinks(t *testing.T) {
	r := newRepo(t, nil)
	for i := range 60 {
		r.write(map[string]string{fmt.Sprintf("real/d%d/x.py", i): fmt.Sprintf("x = %d\n", i)})
		for from, to := range map[string]string{"nb/x%d.py": "../via/x%d.py", "via/x%d.py": "../real/d%d/x.py"} {
			from = filepath.Join(r.dir, fmt.Sprintf(from, i))
			if err := errors.Join(os.MkdirAll(filepath.Dir(from), 0o755), os.Symlink(fmt.Sprintf(to, i), from)); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.commit("links")
	p := &environments.Project{Name: "p", Artifact: &environments.Artifact{Notebooks: environments.Notebooks{From: "nb"}}}
	built, err := Build(t.Context(), open(t, r.dir, ""), BuildOptions{Project: p, Store: newStore(t)})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range built.Manifest.Notebooks {
		if want := strings.TrimPrefix(digestOf([]byte("x = "+strings.Trim(f.Path, "x.py")+"\n")), digestPrefix); f.SHA256 != want {
			t.Errorf("%s is %s, want %s", f.Path, f.SHA256, want)
		}
	}
}
