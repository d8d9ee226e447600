package artifacts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, dir, ref string) *Commit {
	t.Helper()
	c, err := OpenCommit(t.Context(), dir, CommitOptions{Ref: ref})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRefs(t *testing.T) {
	r := newRepo(t, map[string]string{"a.txt": "one\n"})
	first := r.git("rev-parse", "HEAD")
	r.git("tag", "v1.0.0")
	r.git("branch", "old")
	r.write(map[string]string{"a.txt": "two\n"})
	second := r.commit("second")
	r.git("tag", "-a", "v1.1.0", "-m", "annotated")
	r.git("tag", "-a", "outer", "v1.1.0", "-m", "a tag of a tag")
	r.git("checkout", "-q", "-b", "feature/x")
	r.write(map[string]string{"a.txt": "three\n"})
	third := r.commit("third")

	refs := []struct{ ref, commit, name, content string }{
		{"", third, "refs/heads/feature/x", "three\n"},
		{"HEAD", third, "refs/heads/feature/x", "three\n"},
		{"main", second, "refs/heads/main", "two\n"},
		{"old", first, "refs/heads/old", "one\n"},
		{"refs/heads/old", first, "refs/heads/old", "one\n"},
		{"v1.0.0", first, "refs/tags/v1.0.0", "one\n"},
		{"v1.1.0", second, "refs/tags/v1.1.0", "two\n"},
		{"outer", second, "refs/tags/outer", "two\n"},
		{first, first, "", "one\n"},
		{second[:7], second, "", "two\n"},
		{strings.ToUpper(second[:10]), second, "", "two\n"},
	}
	check := func(t *testing.T, dir string) {
		for _, want := range refs {
			c := open(t, dir, want.ref)
			b, err := c.ReadFile("a.txt")
			if err != nil {
				t.Fatal(err)
			}
			got := []string{c.Hash, c.Ref, string(b)}
			if diff := cmp.Diff([]string{want.commit, want.name, want.content}, got); diff != "" {
				t.Errorf("ref %q (-want +got):\n%s", want.ref, diff)
			}
		}
	}
	t.Run("loose", func(t *testing.T) { check(t, r.dir) })

	linked := filepath.Join(t.TempDir(), "linked")
	r.git("worktree", "add", "-q", "--detach", linked, "v1.0.0")
	t.Run("linked worktree", func(t *testing.T) {
		if c := open(t, linked, ""); c.Hash != first || c.Ref != "" {
			t.Errorf("HEAD of the worktree is %s %q, want detached %s", c.Hash, c.Ref, first)
		}
		if c := open(t, linked, "feature/x"); c.Hash != third {
			t.Errorf("the other branch is %s, want %s", c.Hash, third)
		}
	})

	r.git("gc", "-q")
	t.Run("packed", func(t *testing.T) { check(t, r.dir) })

	t.Run("alternates", func(t *testing.T) {
		shared := filepath.Join(t.TempDir(), "shared")
		r.git("clone", "-q", "--shared", r.dir, shared)
		if c := open(t, shared, "main"); c.Hash != second || c.Ref != "refs/remotes/origin/main" {
			t.Errorf("main of a clone is %s (%s), want %s", c.Hash, c.Ref, second)
		}
	})
	t.Run("detached", func(t *testing.T) {
		r.git("checkout", "-q", "--detach", "v1.0.0")
		if c := open(t, r.dir, ""); c.Hash != first || c.Ref != "" {
			t.Errorf("HEAD is %s %q, want detached %s", c.Hash, c.Ref, first)
		}
	})
	t.Run("extensions that do not concern a reader", func(t *testing.T) {
		r.git("config", "core.repositoryformatversion", "1")
		r.git("config", "extensions.worktreeConfig", "true")
		r.git("config", "extensions.partialClone", "origin")
		if c := open(t, r.dir, ""); c.Hash != first {
			t.Errorf("HEAD is %s, want %s", c.Hash, first)
		}
	})
}

func TestShallowClone(t *testing.T) {
	r := newRepo(t, map[string]string{"a.txt": "one\n"})
	first := r.git("rev-parse", "HEAD")
	r.write(map[string]string{"a.txt": "two\n"})
	second := r.commit("second")
	shallow := r.clone("--depth", "1")
	if c := open(t, shallow.dir, ""); c.Hash != second {
		t.Errorf("HEAD is %s, want %s", c.Hash, second)
	}
	_, err := OpenCommit(t.Context(), shallow.dir, CommitOptions{Ref: first})
	if err == nil || !strings.Contains(err.Error(), "this clone is shallow") {
		t.Errorf("a commit beyond the cut: %v, want it to say that the clone is shallow", err)
	}
}

func TestUnbuildable(t *testing.T) {
	plain := t.TempDir()
	empty := newRepo(t, nil)
	r := newRepo(t, map[string]string{"a.txt": "one\n"})
	r.git("tag", "v1.2.0")
	bare := filepath.Join(t.TempDir(), "bare.git")
	r.git("clone", "-q", "--bare", r.dir, bare)
	sha256 := filepath.Join(t.TempDir(), "sha256")
	r.git("init", "-q", "--object-format=sha256", sha256)
	reftable := newRepo(t, nil)
	reftable.git("config", "core.repositoryformatversion", "1")
	reftable.git("config", "extensions.refStorage", "reftable")
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, ".git"), []byte("gitdir: ../nowhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.git("update-ref", "refs/tags/tree", r.git("rev-parse", "HEAD^{tree}"))

	for _, tc := range []struct{ name, dir, ref, want string }{
		{"no repository", plain, "", "not a git repository: " + plain + ": an artifact is built from a commit: git init, git add and git commit come first"},
		{"no commit", empty.dir, "", empty.dir + " has no commit yet"},
		{"bare", bare, "", bare + " is bare: run barge in a clone of it"},
		{"bare, below", filepath.Join(bare, "refs"), "", "is bare"},
		{"sha256", sha256, "", "objects named by sha256 are not supported"},
		{"reftable", reftable.dir, "", "refs kept as reftable are not supported: git refs migrate --ref-format=files"},
		{"broken pointer", broken, "", "which is none"},
		{"no folder", filepath.Join(plain, "nowhere"), "", "no such file or directory"},
		{"unknown ref", r.dir, "v1.2.1", "resolving v1.2.1: no branch, tag or commit of that name: did you mean v1.2.0?"},
		{"unknown hash", r.dir, strings.Repeat("ab", 20), "object not found"},
		{"unknown digits", r.dir, "abcdef1", "no branch, tag or commit of that name"},
		{"a tree", r.dir, "tree", "is a tree, not a commit"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := OpenCommit(t.Context(), tc.dir, CommitOptions{Ref: tc.ref})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestOriginHasNoCredentials(t *testing.T) {
	r := newRepo(t, map[string]string{"a.txt": "one\n"})
	for url, want := range map[string]string{
		"https://someone:pass@example.com/team/repo.git":  "https://example.com/team/repo.git",
		"https://example.com/repo.git?token=pass":         "https://example.com/repo.git",
		"git@example.com:team/repo.git":                   "git@example.com:team/repo.git",
		"https://someone:pa%ss@example.com/team/repo.git": "",
	} {
		r.git("config", "remote.origin.url", url)
		opened, err := openRepository(r.dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := opened.origin(); got != want {
			t.Errorf("origin of %s is %q, want %q", url, got, want)
		}
	}
}

func TestCompare(t *testing.T) {
	r := newRepo(t, map[string]string{"a.txt": "one\n"})
	first := r.git("rev-parse", "HEAD")
	r.git("checkout", "-q", "-b", "side")
	side := r.commit("side")
	r.git("checkout", "-q", "main")
	r.write(map[string]string{"a.txt": "two\n"})
	second := r.commit("second")
	r.git("merge", "-q", "--no-edit", "side")
	merged := r.git("rev-parse", "HEAD")
	shallow := r.clone("--depth", "1")

	for _, tc := range []struct {
		dir, a, b string
		want      Order
	}{
		{r.dir, first, first, Same},
		{r.dir, second, first, Newer},
		{r.dir, first, merged, Older},
		{r.dir, merged, side, Newer},
		{r.dir, second, side, Unrelated},
		{shallow.dir, merged, merged, Same},
		{shallow.dir, merged, first, Unknown},
		{shallow.dir, first, side, Unknown},
		{r.dir, merged, strings.Repeat("ab", 20), Unknown},
	} {
		got, err := Compare(tc.dir, tc.a, tc.b)
		if err != nil || got != tc.want {
			t.Errorf("Compare(%.7s, %.7s) = %v, %v, want %v", tc.a, tc.b, got, err, tc.want)
		}
	}
	if _, err := Compare(r.dir, "v1", first); err == nil {
		t.Error("a tag was taken for a hash")
	}
}
