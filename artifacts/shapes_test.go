package artifacts

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestClones: however git keeps a repository, the commit is the same artifact.
func TestClones(t *testing.T) {
	r, p := partly(t)
	want, err := idOf(t, r.dir, "HEAD", p)
	if err != nil {
		t.Fatal(err)
	}
	beside := func(name string) repo { return repo{t, filepath.Join(t.TempDir(), name)} }
	local := func(name string, args ...string) repo {
		to := beside(name)
		r.git(append(append([]string{"clone", "-q"}, args...), r.dir, to.dir)...)
		return to
	}
	for name, clone := range map[string]func() repo{
		"shared": func() repo { return local("shared", "--shared") },
		"shared of a shared one": func() repo {
			to := beside("second")
			local("first", "--shared").git("clone", "-q", "--shared", ".", to.dir)
			return to
		},
		"with a reference":     func() repo { return r.clone("--reference", r.dir) },
		"dissociated":          func() repo { return r.clone("--reference", r.dir, "--dissociate") },
		"git folder elsewhere": func() repo { return local("work", "--separate-git-dir", beside("git").dir) },
		"worktree": func() repo {
			to := beside("worktree")
			r.git("worktree", "add", "-q", "--detach", to.dir)
			return to
		},
		"worktree of a bare one": func() repo {
			bare, to := beside("bare.git"), beside("worktree")
			r.git("clone", "-q", "--bare", r.dir, bare.dir)
			bare.git("worktree", "add", "-q", to.dir)
			return to
		},
		"submodule": func() repo {
			over := newRepo(t, map[string]string{"README.md": "above\n"})
			over.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "file://"+r.dir, "below")
			over.commit("submodule")
			return repo{t, filepath.Join(over.dir, "below")}
		},
		"packed, with all that speeds git up": func() repo {
			to := r.clone()
			to.git("-c", "pack.writeReverseIndex=true", "repack", "-adqb")
			to.git("pack-refs", "--all")
			to.git("multi-pack-index", "write")
			to.git("commit-graph", "write", "--reachable")
			to.git("update-index", "--index-version", "4", "--untracked-cache")
			return to
		},
		"split index": func() repo {
			to := r.clone()
			to.git("update-index", "--split-index")
			return to
		},
		"sparse": func() repo {
			to := r.clone("--sparse")
			to.git("sparse-checkout", "set", "nb/deep")
			return to
		},
		"sparse index": func() repo {
			to := r.clone("--sparse")
			to.git("sparse-checkout", "set", "--sparse-index", "nb/deep")
			return to
		},
		"replaced commits and blobs": func() repo { // by what is local to a clone: a commit is what its hash says
			to := r.clone()
			to.git("replace", to.git("rev-parse", "HEAD:nb/a.py"), to.git("rev-parse", "v1.0.0:nb/a.py"))
			to.git("replace", to.git("rev-parse", "HEAD"), to.git("rev-parse", "v1.0.0^{commit}"))
			return to
		},
		"grafted": func() repo {
			to := r.clone()
			to.git("replace", "--graft", to.git("rev-parse", "HEAD"))
			return to
		},
		"Windows line ends": func() repo {
			return r.clone("-c", "core.autocrlf=true", "-c", "core.symlinks=false", "-c", "core.fileMode=false")
		},
		"tags of other things": func() repo {
			to := r.clone()
			to.git("tag", "v7.0.0", to.git("rev-parse", "HEAD^{tree}"))
			to.git("tag", "-a", "v8.0.0", "-m", "a blob", to.git("rev-parse", "HEAD:nb/a.py"))
			return to
		},
	} {
		dir := clone().dir
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := idOf(t, dir, "", p)
			if err != nil || got != want {
				t.Errorf("it is %s, %v, want %s", got, err, want)
			}
		})
	}
}

// TestSparseIndex: what is staged is seen in a folder that is not checked out, too.
func TestSparseIndex(t *testing.T) {
	r, p := partly(t)
	clone := r.clone("--sparse")
	clone.git("sparse-checkout", "set", "--sparse-index", "conf")
	clone.git("reset", "-q", "--soft", "HEAD~1")
	if _, err := idOf(t, clone.dir, "", p); err == nil || !strings.Contains(err.Error(), "uncommitted changes in conf/prod.yml") || !strings.Contains(err.Error(), "nb/deep/er/b.py") {
		t.Errorf("with a commit undone: %v", err)
	}
}

// TestSHA256: the error's commands make a repository that can be built from.
func TestSHA256(t *testing.T) {
	r, p := partly(t)
	dir := t.TempDir()
	other := repo{t, filepath.Join(dir, "sha256")}
	r.git("init", "-q", "-b", "main", "--object-format=sha256", other.dir)
	other.write(map[string]string{"nb/a.py": notebook("2"), "nb/deep/er/b.py": "b = 2\n", "conf/prod.yml": "n: 2\n", "models/one.pkl": "2", "models/two/MLmodel": "m 2"})
	other.commit("first")
	_, err := idOf(t, other.dir, "", p)
	if err == nil {
		t.Fatal("it was built")
	}
	_, advice, _ := strings.Cut(err.Error(), "objects named by sha256 are not supported: ")
	command, _, ok := strings.Cut(advice, " makes a copy that is")
	if !ok {
		t.Fatalf("it does not say what to type: %v", err)
	}
	typeIn(t, other.dir, command)
	want, err := idOf(t, r.dir, "", p)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := idOf(t, filepath.Join(other.dir, "COPY"), "main", p); err != nil || got != want {
		t.Errorf("the copy is %s, %v, want %s", got, err, want)
	}
}
