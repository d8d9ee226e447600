package artifacts

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repo is a real git repository, made by git.
type repo struct {
	t   testing.TB
	dir string
}

func newRepo(t testing.TB, files map[string]string) repo {
	t.Helper()
	r := repo{t, filepath.Join(t.TempDir(), "repo")}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	r.write(files)
	if len(files) > 0 {
		r.commit("first")
	}
	return r
}

// gitIn runs git in a folder, untouched by whoever runs the tests.
func gitIn(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := tryGit(dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func tryGit(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = gitEnv()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func gitEnv() []string {
	return append(slices.DeleteFunc(os.Environ(), namesRepository), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C",
		"GIT_AUTHOR_NAME=An Author", "GIT_AUTHOR_EMAIL=author@example.com", "GIT_AUTHOR_DATE=2026-03-01T10:00:00+0100",
		"GIT_COMMITTER_NAME=A Committer", "GIT_COMMITTER_EMAIL=committer@example.com", "GIT_COMMITTER_DATE=2026-03-01T10:00:00+0100")
}

// typeIn runs a line in a shell, as gitIn does git.
func typeIn(t testing.TB, dir, line string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir, cmd.Env = dir, gitEnv()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

func (r repo) git(args ...string) string { r.t.Helper(); return gitIn(r.t, r.dir, args...) }

// write puts files down; content "" removes one.
func (r repo) write(files map[string]string) {
	r.t.Helper()
	for p, content := range files {
		name := filepath.Join(r.dir, filepath.FromSlash(p))
		if content == "" {
			if err := os.Remove(name); err != nil {
				r.t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r repo) commit(message string) string {
	r.t.Helper()
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

// clone is a clone of r with more arguments for git clone.
func (r repo) clone(args ...string) repo {
	r.t.Helper()
	to := repo{r.t, filepath.Join(r.t.TempDir(), "clone")}
	gitIn(r.t, r.dir, append(append([]string{"clone", "-q"}, args...), "file://"+r.dir, to.dir)...)
	return to
}

func notebook(code string) string { return "# Databricks notebook source\n" + code + "\n" }
