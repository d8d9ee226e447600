package artifacts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
)

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
		}, "notebooks/vendor: it is a git submodule, which is not part of the commit: begin a pattern of notebooks.include with it, exclude it"},
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
