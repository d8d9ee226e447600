package artifacts

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDirty holds the dirty rule against what git itself calls a change of a tracked file.
func TestDirty(t *testing.T) {
	seed := map[string]string{
		"ml/a.py": "print(1)\n", "ml/b/c.py": "print(2)\n", "ml/crlf.py": "print(3)\r\n", "ml/über.py": "print(4)\n",
		"other/d.py": "print(5)\n", "ml/run.sh": "#!/bin/sh\n",
	}
	later := func(r repo, name string) { // another time than git's index has
		info, err := os.Lstat(filepath.Join(r.dir, name))
		if err == nil {
			err = os.Chtimes(filepath.Join(r.dir, name), info.ModTime().Add(1e10), info.ModTime().Add(1e10))
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name   string
		change func(r repo)
		want   []string
	}{
		{"nothing", func(repo) {}, nil},
		{"another time alone", func(r repo) { later(r, "ml/a.py") }, nil},
		{"untracked", func(r repo) { r.write(map[string]string{"ml/new.py": "1\n"}) }, nil},
		{"of the same size, with its old time put back", func(r repo) {
			info, err := os.Stat(filepath.Join(r.dir, "ml/a.py"))
			if err != nil {
				r.t.Fatal(err)
			}
			r.write(map[string]string{"ml/a.py": "print(9)\n"})
			if err := os.Chtimes(filepath.Join(r.dir, "ml/a.py"), info.ModTime(), info.ModTime()); err != nil {
				r.t.Fatal(err)
			}
		}, []string{"ml/a.py"}},
		{"outside the project", func(r repo) { r.write(map[string]string{"other/d.py": "1\n"}) }, nil},
		{"changed", func(r repo) { r.write(map[string]string{"ml/a.py": "print(9)\n", "ml/b/c.py": "print(22)\n"}) }, []string{"ml/a.py", "ml/b/c.py"}},
		{"changed and staged", func(r repo) { r.write(map[string]string{"ml/a.py": "print(9)\n"}); r.git("add", "-A") }, []string{"ml/a.py"}},
		{"staged and taken back in the tree alone", func(r repo) {
			r.write(map[string]string{"ml/a.py": "print(9)\n"})
			r.git("add", "-A")
			r.write(map[string]string{"ml/a.py": "print(1)\n"})
		}, []string{"ml/a.py"}},
		{"added", func(r repo) { r.write(map[string]string{"ml/new.py": "1\n"}); r.git("add", "-A") }, []string{"ml/new.py"}},
		{"intended to be added", func(r repo) { r.write(map[string]string{"ml/new.py": "1\n"}); r.git("add", "-N", "ml/new.py") }, []string{"ml/new.py"}},
		{"removed", func(r repo) { r.write(map[string]string{"ml/a.py": ""}) }, []string{"ml/a.py"}},
		{"removed and staged", func(r repo) { r.git("rm", "-q", "ml/a.py") }, []string{"ml/a.py"}},
		{"removed from the index alone", func(r repo) { r.git("rm", "-q", "--cached", "ml/a.py") }, []string{"ml/a.py"}},
		{"made executable", func(r repo) {
			if err := os.Chmod(filepath.Join(r.dir, "ml/run.sh"), 0o755); err != nil {
				r.t.Fatal(err)
			}
		}, []string{"ml/run.sh"}},
		{"made executable where modes do not count", func(r repo) {
			r.git("config", "core.fileMode", "false")
			if err := os.Chmod(filepath.Join(r.dir, "ml/run.sh"), 0o755); err != nil {
				r.t.Fatal(err)
			}
		}, nil},
		{"a file became a symlink", func(r repo) {
			r.write(map[string]string{"ml/a.py": ""})
			if err := os.Symlink("b/c.py", filepath.Join(r.dir, "ml/a.py")); err != nil {
				r.t.Fatal(err)
			}
		}, []string{"ml/a.py"}},
		{"a folder became a file", func(r repo) {
			r.write(map[string]string{"ml/b/c.py": ""})
			if err := os.Remove(filepath.Join(r.dir, "ml/b")); err != nil {
				r.t.Fatal(err)
			}
			r.write(map[string]string{"ml/b": "1\n"})
		}, []string{"ml/b/c.py"}},
		{"without an index that can be read", func(r repo) {
			r.git("update-index", "--split-index")
			r.write(map[string]string{"ml/a.py": "print(9)\n"})
		}, []string{"ml/a.py"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t, seed)
			tc.change(r)
			c, err := OpenCommit(t.Context(), filepath.Join(r.dir, "ml"), CommitOptions{AllowDirty: true})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, c.LeftOut); diff != "" {
				t.Errorf("changed files (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(gitSays(r), c.LeftOut); diff != "" {
				t.Errorf("git itself says otherwise (-git +got):\n%s", diff)
			}
			_, err = OpenCommit(t.Context(), filepath.Join(r.dir, "ml"), CommitOptions{})
			var dirty *DirtyError
			if errors.As(err, &dirty) != (tc.want != nil) {
				t.Errorf("without AllowDirty the error is %v", err)
			}
			if _, err = OpenCommit(t.Context(), filepath.Join(r.dir, "ml"), CommitOptions{Ref: "main"}); err != nil {
				t.Errorf("with a ref the working tree does not count, but: %v", err)
			}
		})
	}
}

// gitSays lists the changed tracked files below ml as git does.
func gitSays(r repo) []string {
	var files []string
	for line := range strings.SplitSeq(r.git("-c", "core.quotePath=false", "status", "--porcelain", "--untracked-files=no", "--no-renames", "ml"), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			_, file, _ := strings.Cut(line, " ")
			files = append(files, strings.TrimSpace(file))
		}
	}
	slices.Sort(files)
	return files
}

// TestConvertedCheckouts: what git itself converted at checkout is no change, with or without its index to say so.
func TestConvertedCheckouts(t *testing.T) {
	r := newRepo(t, map[string]string{"unix.py": "a\nb\n", "mixed.py": "a\r\nb\n", "bin.dat": "\x00\r\n\n"})
	if err := os.Symlink("unix.py", filepath.Join(r.dir, "link.py")); err != nil {
		t.Fatal(err)
	}
	r.commit("link")
	for _, tc := range []struct{ name, key, value string }{
		{"line endings", "core.autocrlf", "true"},
		{"symlinks as files", "core.symlinks", "false"},
		{"sparse", "core.sparseCheckout", "true"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clone := r.clone("-c", tc.key+"="+tc.value)
			if tc.name == "sparse" {
				clone.git("sparse-checkout", "set", "--no-cone", "unix.py")
			}
			for range 2 { // with the index, then without
				if _, err := OpenCommit(t.Context(), clone.dir, CommitOptions{}); err != nil {
					t.Error(err)
				}
				if tc.name == "sparse" { // only the index knows what is not checked out
					return
				}
				if err := os.RemoveAll(filepath.Join(clone.dir, ".git/index")); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestDirtyErrorNamesFiles(t *testing.T) {
	err := &DirtyError{Files: []string{"a.py", "b.py"}}
	want := "uncommitted changes in a.py, b.py: an artifact is built from a commit: commit them, or leave them out with --allow-dirty"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	for i := range 20 {
		err.Files = append(err.Files, string(rune('c'+i)))
	}
	if got := err.Error(); !strings.Contains(got, " and 12 more") || strings.Contains(got, "k,") {
		t.Errorf("a long list is not cut: %s", got)
	}
}

// TestRacyEntry: a file that may have changed in the instant in which the index was written is read, not believed.
func TestRacyEntry(t *testing.T) {
	r := newRepo(t, map[string]string{"a.py": "1\n"})
	opened, err := openRepository(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	look, err := opened.lookAt()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(filepath.Join(r.dir, "a.py"))
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]bool{0: false, time.Nanosecond: true} {
		look.indexTime = info.ModTime().Add(after)
		if got := look.fresh(look.staged["a.py"], info); got != want {
			t.Errorf("an index written %v after the file is believed: %v, want %v", after, got, want)
		}
	}
}
