package artifacts

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bargeml/barge/environments"
)

// partly is a project that has a bit of everything, in two commits that have no file in common.
func partly(t *testing.T) (repo, *environments.Project) {
	t.Helper()
	files := func(n string) map[string]string {
		return map[string]string{
			"nb/a.py": notebook(n), "nb/deep/er/b.py": "b = " + n + "\n", "conf/prod.yml": "n: " + n + "\n",
			"models/one.pkl": n, "models/two/MLmodel": "m " + n, "elsewhere/c.txt": n,
		}
	}
	r := newRepo(t, files("1"))
	r.git("tag", "-a", "v1.0.0", "-m", "first")
	r.write(files("2"))
	r.commit("second")
	r.git("config", "uploadpack.allowFilter", "true")
	r.git("config", "uploadpack.allowAnySHA1InWant", "true")
	return r, &environments.Project{Name: "p", Artifact: &environments.Artifact{
		Notebooks: environments.Notebooks{From: "nb"}, Config: environments.Config{From: "conf"},
		Models: []environments.Model{{Label: "one", Path: "models/one.pkl"}, {Label: "two", Path: "models/two"}},
	}}
}

func idOf(t *testing.T, dir, ref string, p *environments.Project) (string, error) {
	t.Helper()
	c, err := OpenCommit(t.Context(), dir, CommitOptions{Ref: ref})
	if err != nil {
		return "", err
	}
	r, err := Build(t.Context(), c, BuildOptions{Project: p, Store: newStore(t)})
	return r.ID, err
}

// TestPartialClone: what a partial clone lacks is fetched, at once for each kind of file.
func TestPartialClone(t *testing.T) {
	r, p := partly(t)
	want := map[string]string{}
	for _, ref := range []string{"v1.0.0", "HEAD"} {
		var err error
		if want[ref], err = idOf(t, r.dir, ref, p); err != nil {
			t.Fatal(err)
		}
	}
	for name, args := range map[string][]string{
		"without blobs":       {"--filter=blob:none"},
		"nor trees":           {"--filter=tree:0"},
		"nothing checked out": {"--filter=tree:0", "--no-checkout"},
		"small blobs alone":   {"--filter=blob:limit=3"},
		"sparse":              {"--filter=blob:none", "--sparse"},
		"shallow":             {"--filter=blob:none", "--depth=2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clone := repo{t, r.dir}.clone(args...)
			fetches := clone.fetches()
			for ref, want := range want {
				if got, err := idOf(t, clone.dir, ref, p); err != nil || got != want {
					t.Errorf("%s is %s, %v, want %s", ref, got, err, want)
				}
			}
			n := fetches()
			if n == 0 || n > 11 { // of each commit: the tree, notebooks, config, the models' file and folder
				t.Errorf("git fetched %d times", n)
			}
			if _, err := idOf(t, clone.dir, "v1.0.0", p); err != nil || fetches() != n {
				t.Errorf("built again git fetched %d times in all, %v, before it was %d", fetches(), err, n)
			}
		})
	}
}

// fetches says how often the remote was asked since.
func (r repo) fetches() func() int {
	r.t.Helper()
	log := filepath.Join(r.t.TempDir(), "asked")
	r.git("config", "remote.origin.uploadpack", "echo asked >>'"+log+"'; git-upload-pack")
	return func() int {
		b, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			r.t.Fatal(err)
		}
		return strings.Count(string(b), "asked")
	}
}

// TestPartialCloneFailed: where the remote is not to be reached it is asked once, and what it says comes with what to do,
// and with nothing that signs in.
func TestPartialCloneFailed(t *testing.T) {
	r, p := partly(t)
	clone := r.clone("--filter=blob:none")
	broken := func(url, path, want string) {
		t.Helper()
		clone.git("config", "remote.origin.url", url)
		t.Setenv("PATH", path)
		_, err := idOf(t, clone.dir, "v1.0.0", p)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), ": git fetch --refetch --no-filter origin brings all there is") {
			t.Errorf("got %v\nwant %s", err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "pass") || strings.Count(err.Error(), "git fetch does not bring it") != 1) {
			t.Errorf("it says too much: %v", err)
		}
	}
	path := os.Getenv("PATH")
	broken("file:///nowhere", path, "object is not in this partial clone, and git fetch does not bring it ('/nowhere' does not appear to be a git repository)")
	broken("http://someone:pass@127.0.0.1:1/team/repo.git", path, "http://127.0.0.1:1/team/repo.git")
	t.Setenv("PATH", path)
	clone.git("config", "remote.origin.url", "file://"+r.dir)
	if want, err := idOf(t, r.dir, "v1.0.0", p); err != nil {
		t.Fatal(err)
	} else if got, err := idOf(t, clone.dir, "v1.0.0", p); err != nil || got != want {
		t.Errorf("reached again: %s, %v, want %s", got, err, want)
	}
	lone := r.clone("--filter=blob:none")
	t.Setenv("PATH", t.TempDir())
	if _, err := idOf(t, lone.dir, "v1.0.0", p); err == nil || !strings.Contains(err.Error(), "there is no git on PATH") {
		t.Errorf("without git: %v", err)
	}
}

// TestPartialCloneByHand: the error's command does what it says.
func TestPartialCloneByHand(t *testing.T) {
	r, p := partly(t)
	clone := r.clone("--filter=tree:0")
	clone.git("config", "maintenance.auto", "false") // or it would go on in the background
	clone.git("fetch", "-q", "--refetch", "--no-filter", "origin")
	clone.git("config", "remote.origin.url", "file:///nowhere")
	want, err := idOf(t, r.dir, "v1.0.0", p)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := idOf(t, clone.dir, "v1.0.0", p); err != nil || got != want {
		t.Errorf("it is %s, %v, want %s", got, err, want)
	}
}

// TestDamagedClone: an object that is nowhere promised is no reason to fetch.
func TestDamagedClone(t *testing.T) {
	r, p := partly(t)
	blob := r.git("rev-parse", "HEAD:nb/a.py")
	if err := os.Remove(filepath.Join(r.dir, ".git", "objects", blob[:2], blob[2:])); err != nil {
		t.Fatal(err)
	}
	_, err := idOf(t, r.dir, "HEAD", p)
	if err == nil || !strings.Contains(err.Error(), "nb/a.py: object not found in this clone, which is damaged: git fsck tells more") {
		t.Errorf("got %v", err)
	}
}
