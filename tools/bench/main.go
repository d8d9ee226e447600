// Command bench measures the command as it is shipped, from outside, beside what users would run instead: barge and its
// rival in turn, in one run, on one machine. It judges nothing.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

func main() {
	if err := bench(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(w io.Writer) error {
	dir, err := os.MkdirTemp("", "barge-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	barge := filepath.Join(dir, "barge")
	if err := asShipped(barge); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s\nwall and cpu are the least of all runs, the middle is the median of wall; memory is the peak of the largest process, and of all together\n\n", machine())
	fmt.Fprintf(w, "  %-44s %8s %9s %9s %9s %9s %9s\n", "", "", "wall", "middle", "cpu", "memory", "together")
	if err := builds(w, barge, dir); err != nil {
		return err
	}
	if err := small(w, barge, dir); err != nil {
		return err
	}
	if self := ownMemory(); self > 0 {
		fmt.Fprintf(w, "memory is never told as less than %s, which is this program's own\n", megabytes(float64(self)))
	}
	return nil
}

// asShipped builds the command with the flags of .goreleaser.yaml.
func asShipped(to string) error {
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "urfave_cli_no_docs",
		"-ldflags", "-s -w -buildid= -X main.version=0.0.0-bench", "-o", to, "./cmd/barge")
	c.Env, c.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	return c.Run()
}

// builds measures barge build beside git archive and a digest: it, too, reads every file of the commit once.
func builds(w io.Writer, barge, dir string) error {
	repo := filepath.Join(dir, "repository")
	if err := os.Mkdir(repo, 0o755); err != nil {
		return err
	}
	if err := makeRepository(repo); err != nil {
		return err
	}
	build := pipeline{{barge, "build"}}
	archive := pipeline{{"git", "archive", "HEAD"}, digester()}
	afresh := func(int) error { return os.RemoveAll(filepath.Join(repo, ".barge")) }
	edited := func(n int) error {
		return edit(repo, notebookPath(7), fmt.Sprintf("# Databricks notebook source\nprint(%d)\n", n))
	}
	for _, m := range []struct {
		what   string
		runs   int
		before func(n int) error
	}{
		{"build: 10,000 notebooks, a 200 MB model", 5, afresh},
		{"build again: one notebook changed", 5, edited},
		{"build again: nothing changed", 3, nil},
		{"build: the same, every object loose", 3, func(n int) error {
			if n == 0 {
				if err := loosen(repo); err != nil {
					return err
				}
			}
			return afresh(n)
		}},
	} {
		if err := compare(w, repo, m.runs, m.before, m.what, build, archive); err != nil {
			return err
		}
	}
	return nil
}

// small measures what has to feel like nothing beside git's own start.
func small(w io.Writer, barge, dir string) error {
	if err := makeProject(dir); err != nil {
		return err
	}
	git := pipeline{{"git", "version"}}
	if err := compare(w, dir, 40, nil, "version", pipeline{{barge, "version"}}, git); err != nil {
		return err
	}
	return compare(w, dir, 40, nil, "validate: 3 environments, 20 gates", pipeline{{barge, "validate"}}, git)
}

// compare runs two commands in turn, and prints what they took.
func compare(w io.Writer, dir string, runs int, before func(n int) error, what string, ours, theirs pipeline) error {
	a, b := row{what: what}, row{what: theirs.String()}
	for n := range runs {
		if before != nil {
			if err := before(n); err != nil {
				return err
			}
		}
		for _, one := range []struct {
			pipeline
			*row
		}{{ours, &a}, {theirs, &b}} {
			took, err := one.run(dir)
			if err != nil {
				return err
			}
			one.runs = append(one.runs, took)
		}
	}
	beside(w, a, b)
	return nil
}

// edit changes one file and commits it.
func edit(repo, name, body string) error {
	if err := os.WriteFile(filepath.Join(repo, name), []byte(body), 0o600); err != nil {
		return err
	}
	return git(repo, "commit", "-q", "-a", "-m", "edit")
}

func digester() []string {
	if _, err := exec.LookPath("sha256sum"); err == nil {
		return []string{"sha256sum"}
	}
	return []string{"shasum", "-a", "256"}
}

// machine says where the figures were taken.
func machine() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	version, _ := exec.Command("git", "version").Output()
	return fmt.Sprintf("%d processors (%s), %s/%s, %s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, runtime.Version(), strings.TrimSpace(string(version)))
}
