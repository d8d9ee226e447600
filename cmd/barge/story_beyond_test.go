//go:build unix

package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/sandbox/python"
)

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
}

// shuffled trains on labels that say nothing, and asks the gate.
func (s *tale) shuffled(t *testing.T) {
	s.lines(t, []line{{typed: "git checkout -q -b shuffled"}})
	file := filepath.Join(s.dir, "barge.hcl")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const before = "parameters = {\n"
	if n := strings.Count(string(b), before); n != 1 {
		t.Fatalf("barge.hcl has %d places for parameters", n)
	}
	text := strings.Replace(string(b), before, before+"        shuffle_labels = \"true\"\n", 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s.lines(t, []line{
		{typed: "git commit -qam 'Labels that say nothing'"},
		{typed: "git tag v1.3.0"},
		{typed: "barge train"},
		{typed: "barge build"},
		{typed: "barge gate 1.3.0 --env test", exit: 3},
		{typed: "git checkout -q main"},
	})
	same(t, s.status(t, "test").Release.Name, "1.2.0")
}

// another is what the demo's last sentence proposes: a release without a tag.
func (s *tale) another(t *testing.T) {
	s.lines(t, []line{
		{typed: "edit barge.hcl c '\"0.5\"'"},
		{typed: "git commit -qam 'Regularise more'"},
		{typed: "barge train"},
		{typed: "barge build"},
		{typed: "barge promote --to test"},
	})
	if name := s.status(t, "test").Release.Name; !regexp.MustCompile(`^g[0-9a-f]{12}$`).MatchString(name) {
		t.Errorf("the champion of test is %s", name)
	}
	same(t, s.status(t, "prod").Release.Name, "1.0.0")
}

//go:embed testdata/registry_client.py
var registryClient string

// seen is what the Python client finds in one workspace.
type seen struct {
	Models map[string]map[string]struct { // name → version
		Stage string            `json:"stage"`
		RunID string            `json:"run_id"`
		Files map[string]string `json:"files"` // path → sha256
	} `json:"models"`
	Runs map[string]struct { // those asked for
		Status  string             `json:"status"`
		Metrics map[string]float64 `json:"metrics"`
	} `json:"runs"`
}

func (s *tale) python(t *testing.T) string {
	t.Helper()
	interpreter, err := python.Env{}.Ensure(t.Context(), &s.err)
	if err != nil {
		t.Fatal(err)
	}
	return interpreter.Python
}

// client runs MLflow's own client against a workspace, in a process of its own that knows nothing else.
func (s *tale) client(t *testing.T, twin string, args ...string) seen {
	t.Helper()
	w := s.twins.Twin(twin)
	home := t.TempDir()
	own := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "DATABRICKS_HOST=" + w.URL, "DATABRICKS_TOKEN=" + w.Token, "MLFLOW_DISABLE_TELEMETRY=true"}
	said := s.command(t, home, own, append([]string{s.python(t), "-c", registryClient}, args...)...)
	var all seen
	decode(t, said, &all)
	return all
}

func (s *tale) seenByPython(t *testing.T) {
	pins := map[string]map[string]string{} // version → path → sha256
	runs := map[string]string{}
	for _, name := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		pin, _ := s.manifest(t, name).Model("diabetes")
		runs[pin.Version] = pin.RunID
		pins[pin.Version] = map[string]string{}
		for _, f := range pin.Files {
			pins[pin.Version][f.Path] = f.SHA256
		}
		same(t, pin.Excluded, []string{"registered_model_meta"})
	}
	// dev first gets a model of its own, in its own registry.
	dev := s.client(t, "dev", "--register", "only in dev", runs["1"], runs["3"])
	shared := s.client(t, "registry")

	same(t, keys(dev.Models), []string{"only in dev"})
	same(t, keys(shared.Models), []string{"diabetes"})
	same(t, keys(shared.Models["diabetes"]), []string{"1", "2", "3", "4"})
	stages := map[string]string{"1": "Production", "2": "None", "3": "Staging"}
	for version, files := range pins {
		v := shared.Models["diabetes"][version]
		same(t, []string{v.Stage, v.RunID}, []string{stages[version], runs[version]})
		delete(v.Files, "registered_model_meta")
		same(t, v.Files, files)
	}
	for _, run := range []string{runs["1"], runs["3"]} {
		if r := dev.Runs[run]; r.Status != "FINISHED" || r.Metrics["cv_accuracy"] == 0 {
			t.Errorf("run %s: %+v", run, r)
		}
	}
}

func keys[V any](m map[string]V) []string { return sortedKeys(m) }

// whereabouts answers with the variables of its own process and of those above it, but for the token's value: what a
// notebook answers is kept.
const whereabouts = `# Databricks notebook source
import json, os

def environ(pid):
    try:
        raw = open(f"/proc/{pid}/environ", "rb").read().decode()
    except OSError:
        return {}
    return dict(entry.partition("=")[::2] for entry in raw.split("\0") if entry)

all = dict(os.environ)
pid = os.getpid()
for _ in range(2):
    all.update({f"{name} of {pid}": value for name, value in environ(pid).items()})
    pid = os.getppid()
dbutils.notebook.exit(json.dumps({k: "" if "TOKEN" in k else v for k, v in all.items()}))
`

// notebookEnvironment runs a notebook that tells its environment.
func (s *tale) notebookEnvironment(t *testing.T) {
	w, err := s.house().workspace("dev")
	if err != nil {
		t.Fatal(err)
	}
	const at = "/Shared/whereabouts"
	if err := w.ImportNotebook(t.Context(), at, databricks.Source{Language: "PYTHON", Content: []byte(whereabouts)}, false); err != nil {
		t.Fatal(err)
	}
	id, err := w.Submit(t.Context(), databricks.RunSpec{Name: "whereabouts", Task: databricks.Task{Notebook: at, Compute: databricks.Compute{Serverless: true}}})
	if err != nil {
		t.Fatal(err)
	}
	run, err := w.Wait(t.Context(), id, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.Output(t.Context(), run.Tasks[0])
	if err != nil || out.Value == "" {
		t.Fatalf("%v %s\n%s", err, out.Error, out.Trace)
	}
	var vars map[string]string
	decode(t, out.Value, &vars)
	same(t, vars["MLFLOW_TRACKING_URI"], "databricks") // a control: this is a notebook's environment
	sockets := serverSockets(t, s.root)
	if len(sockets) != 1 {
		t.Fatalf("MLflow servers of this story listen at %q", sockets)
	}
	for name, value := range vars {
		for _, s := range append(sockets, "mlflow.db", "sqlite:", "uvicorn") {
			if strings.Contains(value, s) {
				t.Errorf("%s=%s names the MLflow server", name, value)
			}
		}
		if strings.Contains(name, "MLFLOW_SERVER") || strings.HasPrefix(name, "MLFLOW_ENABLE_WORKSPACES") {
			t.Errorf("%s=%s is the MLflow server's", name, value)
		}
	}
}

// serverSockets are the sockets that this story's MLflow servers listen at: a notebook could dial nothing else.
func serverSockets(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	for _, p := range processes(t) {
		if !strings.Contains(p.text, root) {
			continue
		}
		words := strings.Split(p.argv, "\x00")
		if i := slices.Index(words, "--uds"); i >= 0 && i+1 < len(words) && !slices.Contains(all, filepath.Dir(words[i+1])) {
			all = append(all, filepath.Dir(words[i+1]))
		}
	}
	return all
}

// whatNext types what the demo says to try next, into a shell, after the demo's own twins have ended.
func (s *tale) whatNext(t *testing.T) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	nobody(t, s.root, nil)
	typed := []string{"cd '" + s.dir + "'"}
	for _, n := range epilogue {
		typed = append(typed, n.typed, fmt.Sprintf("code=$?; [ $code = %d ] || { echo \"%s: exit code $code, not %d\" >&2; barge sandbox down; exit 1; }", n.exit, n.typed, n.exit))
	}
	s.farewell()
	s.command(t, s.root, environ(), "sh", "-c", strings.Join(typed, "\n"))
	nobody(t, s.root, nil)
}
