//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/release"
)

// TestStory plays the story of `barge demo` once, over real notebooks and a real registry, and looks at what is true
// between the acts and after them. The checks build on one another: they are one story.
func TestStory(t *testing.T) {
	t.Parallel()
	s := openTale(t)
	s.lines(t, prologue)

	s.lines(t, story[0].lines)
	t.Run("act 1: every row is scored, and says by what", s.everyRowScored("1", "1.0.0"))
	t.Run("act 1: a shallow clone elsewhere builds the same id", s.secondClone)

	before := s.production(t)
	s.lines(t, story[1].lines)
	t.Run("act 2: the gate refuses and shows why", s.refused)
	t.Run("act 2: prod is as it was", func(t *testing.T) { same(t, s.production(t), before) })
	t.Run("act 2: the worse model learns", s.worseLearns)

	s.lines(t, story[2].lines)
	t.Run("act 3: every row is scored, and says by what", s.everyRowScored("3", "1.2.0"))
	t.Run("act 3: one test for all releases, trainings that differ in parameters", s.oneTestForAll)
	t.Run("act 3: the champion was tested by its own release's notebook", s.championCompared)
	t.Run("act 3: what scored is what was tested", s.scoredIsTested)
	t.Run("act 3: version 1 left in the call that brought version 3", s.archivedTogether)
	t.Run("act 3: the schedule scores with the new release", s.scheduled("3", "1.2.0"))

	folders := s.releaseFolders(t)
	s.lines(t, story[3].lines)
	t.Run("act 4: the rollback uploads nothing and runs nothing", s.onlyPointers)
	t.Run("act 4: the release folders are as they were", func(t *testing.T) { same(t, s.releaseFolders(t), folders) })
	t.Run("act 4: slots, status and the bar", s.tookBack)
	t.Run("act 4: the schedule scores with the old release", s.scheduled("1", "1.0.0"))

	t.Run("nothing was waited for in vain", func(t *testing.T) {
		if strings.Contains(s.err.String(), "no answer while setting") {
			t.Errorf("a call was taken for unanswered:\n%s", s.err.String())
		}
	})

	t.Run("what the better model has and the first had not", s.modelsApart)
	t.Run("shuffled labels fail the gate", s.shuffled)
	t.Run("Python's own client sees the registry", s.seenByPython)
	t.Run("a notebook is told nothing of the MLflow server", s.notebookEnvironment)
	t.Run("another release, as the demo proposes", s.another)
	t.Run("the commands to try next", s.whatNext)
	t.Run("no secret on screen or on disk", s.noSecrets)
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(release.Status{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// tale is a stage whose every word is kept.
type tale struct {
	*stage
	root     string // everything that the story writes lies below it
	out, err bytes.Buffer
	played   []played
}

// played is a line of the story with what it said, and what each twin had been asked before and after it.
type played struct {
	line
	out, err      string
	before, after map[string]int64
}

func openTale(t *testing.T) *tale {
	t.Helper()
	s := &tale{root: t.TempDir()}
	h := newHouse(strings.NewReader(""), &s.out, &s.err)
	var err error
	if s.stage, err = h.openStage(t.Context(), filepath.Join(s.root, "story")); err != nil {
		t.Fatalf("the sandbox did not start: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("stdout:\n%s\nstderr:\n%s", s.out.String(), s.err.String())
		}
	})
	return s
}

// lines plays lines; one that ends otherwise than it should ends the test.
func (s *tale) lines(t *testing.T, all []line) {
	t.Helper()
	for _, l := range all {
		p := played{line: l, before: s.asked()}
		out, errOut := s.out.Len(), s.err.Len()
		began := time.Now()
		if err := s.play(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		t.Logf("%5.1f s  %s", time.Since(began).Seconds(), l.typed)
		p.out, p.err, p.after = s.out.String()[out:], s.err.String()[errOut:], s.asked()
		s.played = append(s.played, p)
	}
}

func (s *tale) asked() map[string]int64 {
	last := map[string]int64{}
	for _, twin := range s.twins.Twins() {
		if calls := twin.Log(); len(calls) > 0 {
			last[twin.Name] = calls[len(calls)-1].Seq
		}
	}
	return last
}

// last is the last time that something was typed.
func (s *tale) last(t *testing.T, typed string) played {
	t.Helper()
	for _, p := range slices.Backward(s.played) {
		if p.typed == typed {
			return p
		}
	}
	t.Fatalf("%q was never played", typed)
	return played{}
}

// calls are the requests that a twin was sent while a line was played, of notebooks that ran then as well.
func (s *tale) calls(p played, twin string) []sandbox.Call {
	var all []sandbox.Call
	for _, c := range s.twins.Twin(twin).Log() {
		if c.Seq > p.before[twin] && c.Seq <= p.after[twin] {
			all = append(all, c)
		}
	}
	return all
}

// barge is a command that belongs to no act; its result is JSON.
func (s *tale) barge(t *testing.T, exit int, result any, args ...string) {
	t.Helper()
	var out bytes.Buffer
	h := newHouse(strings.NewReader(""), &out, &s.err)
	h.here = s.dir
	argv := append([]string{"barge"}, append(args, "-o", "json", "--sandbox", "--sandbox-dir", s.sandboxDir())...)
	if code := h.run(t.Context(), argv); code != exit {
		t.Fatalf("barge %s: exit code %d, not %d\n%s", strings.Join(args, " "), code, exit, s.err.String())
	}
	s.out.Write(out.Bytes())
	if err := json.Unmarshal(out.Bytes(), result); err != nil {
		t.Fatalf("barge %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
}

// command runs a program in a process of its own, what it says is kept.
func (s *tale) command(t *testing.T, dir string, environ []string, argv ...string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environ, &out, &s.err
	err := cmd.Run()
	s.out.Write(out.Bytes())
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", strings.Join(argv, " "), err, out.String(), s.err.String())
	}
	return out.String()
}

// status is what `barge status` says of an environment.
func (s *tale) status(t *testing.T, environment string) release.Status {
	t.Helper()
	var result struct {
		Environments []release.Status `json:"environments"`
	}
	s.barge(t, 0, &result, "status", "--env", environment)
	return result.Environments[0]
}

// house is one to look at the twins with.
func (s *tale) house() *house {
	h := newHouse(strings.NewReader(""), &s.out, &s.err)
	h.dir, h.sandbox, h.twinDir = s.dir, true, s.sandboxDir()
	return h
}

func (s *tale) manifest(t *testing.T, name string) artifacts.Manifest {
	t.Helper()
	store, err := s.house().store()
	if err != nil {
		t.Fatal(err)
	}
	a, err := store.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return a.Manifest
}

// reply is what the notebooks of the story answer with.
type reply struct {
	Models  map[string]struct{ Version string }
	Metrics map[string]float64
	Output  struct {
		RowsIn      int    `json:"rows_in"`
		RowsOut     int    `json:"rows_out"`
		Table       string `json:"table"`
		ModelDigest string `json:"model_digest"`
	}
}

func answered(t *testing.T, r jobs.Run) reply {
	t.Helper()
	var a reply
	if err := json.Unmarshal([]byte(r.ExitValue), &a); err != nil {
		t.Fatalf("run %d of %s, %s %s: %v", r.RunID, r.Notebook, r.State, r.Error, err)
	}
	return a
}

// runs are a twin's runs of a notebook, in the order in which they were started.
func (s *tale) runs(twin, notebook string) []jobs.Run {
	return slices.DeleteFunc(s.twins.Twin(twin).Jobs().Runs(), func(r jobs.Run) bool { return filepath.Base(r.Notebook) != notebook })
}

// files are the files below a folder, with what is in them.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		all[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// environ is this process's environment with some variables set anew.
func environ(set ...string) []string { return append(os.Environ(), set...) } // of one name the last counts
