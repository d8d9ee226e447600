//go:build unix

package main

import (
	"encoding/csv"
	"math"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/release"
)

// everyRowScored looks at what prod's last scoring wrote.
func (s *tale) everyRowScored(version, name string) func(*testing.T) {
	return func(t *testing.T) {
		runs := s.runs("prod", "batch-scoring")
		s.scoresOf(t, runs[len(runs)-1], version, name)
	}
}

// scoresOf holds the file that a scoring wrote against what it answered, and each row against version and release.
func (s *tale) scoresOf(t *testing.T, run jobs.Run, version, name string) {
	t.Helper()
	a := answered(t, run)
	same(t, a.Models["diabetes"].Version, version)
	below, ok := strings.CutPrefix(a.Output.Table, "/dbfs/")
	if !ok {
		t.Fatalf("the scores are at %q", a.Output.Table)
	}
	f, err := os.Open(filepath.Join(s.twins.Twin("prod").Files().DBFS(), filepath.FromSlash(below)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, heading := range rows[0] {
		column[heading] = i
	}
	if in := a.Output.RowsIn; in != 194 || a.Output.RowsOut != in || len(rows)-1 != in {
		t.Errorf("%d rows in, %d rows out, %d rows written, of 194", in, a.Output.RowsOut, len(rows)-1)
	}
	for _, row := range rows[1:] {
		got := []string{row[column["model_version"]], row[column["barge_release"]], row[column["barge_run"]]}
		if diff := cmp.Diff([]string{version, name, run.Parameters["barge_run"]}, got); diff != "" {
			t.Fatalf("a row says (-want +got):\n%s", diff)
		}
		if p := row[column["prediction"]]; p != "0" && p != "1" {
			t.Fatalf("a prediction is %q", p)
		}
	}
}

// secondClone builds from a shallow clone, in a process of its own that differs in all that must not matter.
func (s *tale) secondClone(t *testing.T) {
	clone := filepath.Join(s.root, "elsewhere", "a deeper", "folder")
	s.command(t, s.root, environ(), "git", "clone", "-q", "--depth", "1", "--branch", "v1.0.0", "file://"+s.dir, clone)
	home := filepath.Join(s.root, "another home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	elsewhere := environ("HOME="+home, "XDG_CACHE_HOME="+home, "TZ=Asia/Tokyo", "LC_ALL=C", "GOMAXPROCS=1",
		"BARGE_SANDBOX=1", "BARGE_SANDBOX_DIR="+s.sandboxDir(), "BARGE_OUTPUT=json")
	said := s.command(t, clone, elsewhere, "sh", "-c", "umask 0077; exec barge build")
	var built artifacts.Release
	decode(t, said, &built)
	want := s.manifest(t, "1.0.0")
	id, err := want.ID()
	if err != nil {
		t.Fatal(err)
	}
	same(t, []string{built.Name, built.ID}, []string{"1.0.0", id})
}

// production is all that prod is: the head of its ledger, its slot, its job, its files.
func (s *tale) production(t *testing.T) any {
	t.Helper()
	st := s.status(t, "prod")
	return map[string]any{
		"status": st, "stages": s.stages(t), "job": s.jobSettings(t, st),
		"files": files(t, filepath.Join(s.twins.Twin("prod").Dir, "workspace")),
	}
}

// stages are the versions in each stage of the shared registry.
func (s *tale) stages(t *testing.T) map[string][]string {
	t.Helper()
	r, err := s.house().registry("shared", "")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, stage := range []string{"Staging", "Production"} {
		versions, err := r.Holders(t.Context(), "diabetes", stage)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range versions {
			all[stage] = append(all[stage], v.Number)
		}
	}
	return all
}

func (s *tale) stands(t *testing.T, version string) string {
	t.Helper()
	r, err := s.house().registry("shared", "")
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.Resolve(t.Context(), "diabetes", version)
	if err != nil {
		t.Fatal(err)
	}
	return v.Stage
}

func (s *tale) jobSettings(t *testing.T, st release.Status) string {
	t.Helper()
	w, err := s.house().workspace("prod")
	if err != nil {
		t.Fatal(err)
	}
	job, err := w.GetJob(t.Context(), st.Jobs["job:nightly"])
	if err != nil {
		t.Fatal(err)
	}
	return string(job.Settings)
}

func (s *tale) refused(t *testing.T) {
	p := s.last(t, "barge promote 1.1.0 --to test") // its exit code was checked when it was played
	a := answered(t, s.lastTest(t, "1.1.0"))
	shown := regexp.MustCompile(`metrics\.accuracy >= 0\.77, with metrics\.accuracy as (0\.\d+)`)
	for where, said := range map[string]string{"stdout": p.out, "stderr": p.err} {
		m := shown.FindStringSubmatch(said)
		if m == nil {
			t.Errorf("%s does not show the condition with its values:\n%s", where, said)
			continue
		}
		var value float64
		decode(t, m[1], &value)
		same(t, value, math.Round(a.Metrics["accuracy"]*1e4)/1e4) // text has four decimals
	}
	for _, c := range s.calls(p, "prod") {
		if c.Method != http.MethodGet {
			t.Errorf("prod was sent %s %s", c.Method, c.Path)
		}
	}
}

func (s *tale) lastTest(t *testing.T, name string) jobs.Run {
	t.Helper()
	var found *jobs.Run
	for _, r := range s.runs("test", "test-model") {
		if r.Parameters["barge_release"] == name {
			found = &r
		}
	}
	if found == nil {
		t.Fatalf("%s was never tested", name)
	}
	return *found
}

func (s *tale) worseLearns(t *testing.T) {
	m := answered(t, s.lastTest(t, "1.1.0")).Metrics
	if m["accuracy"] <= m["commoner_class"] || m["accuracy"] >= 0.77 {
		t.Errorf("accuracy %v: not between the commoner class's %v and the gate's 0.77", m["accuracy"], m["commoner_class"])
	}
}

// oneTestForAll holds the manifests of the three releases against each other.
func (s *tale) oneTestForAll(t *testing.T) {
	const varied = "features"
	var firstNotebooks []artifacts.File
	var firstTrain environments.Train
	seen := map[string]bool{}
	for _, name := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		m := s.manifest(t, name)
		recorded, err := environments.FromRecorded(m.Recorded)
		if err != nil {
			t.Fatal(err)
		}
		train := *recorded.Artifact.Model("diabetes").Train
		if seen[train.Parameters[varied]] {
			t.Errorf("%s is trained as an earlier release", name)
		}
		seen[train.Parameters[varied]] = true
		delete(train.Parameters, varied)
		if firstNotebooks == nil {
			firstNotebooks, firstTrain = m.Notebooks, train
		}
		same(t, m.Notebooks, firstNotebooks) // test-model and train among them, each by its sha256
		same(t, train, firstTrain)
	}
	there := false
	for _, f := range firstNotebooks {
		there = there || f.Object() == "test-model"
	}
	if !there {
		t.Error("the releases have no notebook test-model")
	}
}

// championCompared looks at the runs that promoting 1.2.0 to test took: the champion's and the candidate's.
func (s *tale) championCompared(t *testing.T) {
	all := s.runs("test", "test-model")
	if len(all) != 5 {
		t.Fatalf("the test notebook ran %d times: not once for 1.0.0, and twice each for 1.1.0 and 1.2.0", len(all))
	}
	own := path.Dir(all[0].Notebook) // of 1.0.0, when it was the candidate
	champion, candidate := all[3], all[4]
	same(t, champion.Parameters["barge_model_diabetes_uri"], "models://rmr:rmr@databricks/diabetes/1")
	same(t, candidate.Parameters["barge_model_diabetes_uri"], "models://rmr:rmr@databricks/diabetes/3")
	same(t, path.Dir(champion.Notebook), own)
	if path.Dir(candidate.Notebook) == own {
		t.Errorf("the candidate's notebook ran from the champion's folder %s", own)
	}
	told := func(r jobs.Run) map[string]string {
		rest := map[string]string{}
		for name, value := range r.Parameters {
			if name != "barge_run" && name != "barge_release" && !strings.HasPrefix(name, "barge_model_") {
				rest[name] = value
			}
		}
		return rest
	}
	same(t, told(champion), told(candidate))
}

// scoredIsTested compares the digest of the files that each run downloaded with the manifest's.
func (s *tale) scoredIsTested(t *testing.T) {
	scorings := s.runs("prod", "batch-scoring")
	for i, name := range []string{"1.0.0", "1.2.0"} {
		pin, ok := s.manifest(t, name).Model("diabetes")
		if !ok {
			t.Fatalf("%s has no model", name)
		}
		tested, scored := answered(t, s.lastTest(t, name)), answered(t, scorings[i])
		if name == "1.0.0" { // the champion was tested again, by the same bytes
			tested = answered(t, s.runs("test", "test-model")[0])
		}
		same(t, []string{tested.Output.ModelDigest, scored.Output.ModelDigest}, []string{pin.Digest, pin.Digest})
	}
}

// archivedTogether: version 1 stood in Production before act 3 and is archived after it, and there was one call.
func (s *tale) archivedTogether(t *testing.T) {
	same(t, s.stands(t, "1"), "Archived")
	same(t, s.stages(t), map[string][]string{"Production": {"3"}})
	moves := 0
	for _, c := range s.calls(s.last(t, "barge promote --to prod"), "registry") {
		if strings.HasSuffix(c.Path, "/transition-stage") {
			moves++
			same(t, c.Status, http.StatusOK)
		}
		if c.Method == http.MethodPatch || c.Method == http.MethodDelete || strings.HasSuffix(c.Path, "/update") {
			t.Errorf("the registry was sent %s %s", c.Method, c.Path)
		}
	}
	same(t, moves, 1)
}

// scheduled fires prod's job as its schedule would.
func (s *tale) scheduled(version, name string) func(*testing.T) {
	return func(t *testing.T) {
		runs := s.twins.Twin("prod").Jobs()
		id, err := runs.Fire(s.status(t, "prod").Jobs["job:nightly"])
		if err != nil {
			t.Fatal(err)
		}
		if err := runs.Wait(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		attempts, err := runs.Attempts(id)
		if err != nil {
			t.Fatal(err)
		}
		same(t, attempts[0].Trigger, "PERIODIC")
		s.scoresOf(t, attempts[0], version, name)
	}
}

func (s *tale) releaseFolders(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, name := range []string{"test", "prod"} {
		all[name] = files(t, filepath.Join(s.twins.Twin(name).Dir, "workspace", "Barge", "diabetes", "releases"))
	}
	return all
}

var uploads = regexp.MustCompile(`/import|/import-file/|/dbfs/|/fs/|/runs/submit|/run-now|/mkdirs|/secrets/put|/artifacts`)

// onlyPointers reads all that the twins were asked while the rollback went on.
func (s *tale) onlyPointers(t *testing.T) {
	p := s.last(t, "barge rollback --env prod --reason 'scores look wrong'")
	entries := 0
	for _, twin := range s.twins.Twins() {
		for _, c := range s.calls(p, twin.Name) {
			switch {
			case c.RunID != "":
				t.Errorf("%s: run %s called %s %s", twin.Name, c.RunID, c.Method, c.Path)
			case c.Method == http.MethodGet:
			case twin.Name == "prod" && strings.HasPrefix(c.Path, "/api/2.0/workspace-files/import-file/Barge/diabetes/ledger/"):
				entries++
			case uploads.MatchString(c.Path):
				t.Errorf("%s was sent %s %s", twin.Name, c.Method, c.Path)
			}
		}
	}
	same(t, entries, 2) // Begun and Live
	// A control: what is looked for is seen where it happens.
	s.asks(t, "barge promote 1.2.0 --to test", "test", "/import-file/Barge/diabetes/releases/", "/runs/submit")
	s.asks(t, "barge promote --to prod", "prod", "/import-file/Barge/diabetes/releases/", "/jobs/run-now")
}

// asks fails where no play of a line sent a twin what onlyPointers looks for.
func (s *tale) asks(t *testing.T, typed, twin string, paths ...string) {
	t.Helper()
	for _, want := range paths {
		there := false
		for _, p := range s.played {
			for _, c := range s.calls(p, twin) {
				there = there || p.typed == typed && strings.Contains(c.Path, want) && uploads.MatchString(c.Path)
			}
		}
		if !there {
			t.Errorf("%s sent %s nothing to %s", typed, twin, want)
		}
	}
}

// tookBack looks at the end of the story.
func (s *tale) tookBack(t *testing.T) {
	same(t, s.stages(t), map[string][]string{"Production": {"1"}, "Staging": {"3"}})
	same(t, s.stands(t, "3"), "Staging")
	for environment, want := range map[string][]string{"test": {"1.2.0", "3"}, "prod": {"1.0.0", "1"}} {
		st := s.status(t, environment)
		same(t, []string{st.Release.Name, st.Release.Models["diabetes"].Version}, want)
		same(t, st.Drift, []release.Drift{})
	}
	bars := s.status(t, "prod").Bars
	if len(bars) != 1 || bars[0].Name != "1.2.0" || bars[0].Reason != "scores look wrong" {
		t.Errorf("bars: %+v", bars)
	}
	// Its exit code, 8, was checked when it was played.
	if p := s.last(t, "barge promote --to prod"); !strings.Contains(p.err, "1.2.0 is barred in prod: scores look wrong") {
		t.Errorf("the refusal does not say why:\n%s", p.err)
	}
	first := s.manifest(t, "1.0.0")
	id, err := first.ID()
	if err != nil {
		t.Fatal(err)
	}
	same(t, s.status(t, "prod").Release.Artifact, id)
}
