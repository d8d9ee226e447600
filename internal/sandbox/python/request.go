package python

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/jobs"
)

// request is what the runner is told, as runner/run.py reads it.
type request struct {
	Path       string            `json:"path"`
	Language   string            `json:"language"`
	Parameters map[string]string `json:"parameters"`
	Host       string            `json:"host"`
	Token      string            `json:"token"`
	User       string            `json:"user"`
	RunID      string            `json:"run_id"`
	JobID      string            `json:"job_id"`
	Workspace  string            `json:"workspace_id"`
	Depth      int               `json:"depth"`
	Boot       []string          `json:"boot"` // the command of the runner, to start it cold
	Environ    map[string]string `json:"environ"`
	Pip        map[string]string `json:"pip"` // pip's environment
	Mounts     map[string]string `json:"mounts"`
	Base       string            `json:"base"`
	Layer      string            `json:"layer"`
	Layers     string            `json:"layers"` // where layers are kept
	Folder     string            `json:"folder"`
	Own        string            `json:"own"` // the run's own layer, which goes with it
	Home       string            `json:"home"`
	Tmp        string            `json:"tmp"`
	Log        string            `json:"log"`
	Result     string            `json:"result"`
}

func (i Interpreter) newRequest(t Twin, a jobs.Attempt, layer string) (*request, error) {
	folder, err := filepath.Abs(filepath.Join(t.Dir, strconv.FormatInt(a.RunID, 10)))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	at := func(name string) string { return filepath.Join(folder, name) }
	registry := t.Registry
	if registry == "" {
		registry = "databricks"
	}
	r := &request{
		Path: a.NotebookPath, Parameters: a.Parameters, Host: t.URL, Token: t.Token, User: a.User,
		RunID: strconv.FormatInt(a.RunID, 10), Workspace: strconv.FormatInt(t.WorkspaceID, 10),
		Boot: i.boot(layer), Pip: asMap(i.pipEnviron()),
		Environ: asMap(append(i.environment(),
			"HOME="+at("home"), "TMPDIR="+at("tmp"), "IPYTHONDIR="+at("home"),
			"DATABRICKS_HOST="+t.URL, "DATABRICKS_TOKEN="+t.Token,
			"MLFLOW_TRACKING_URI=databricks", "MLFLOW_REGISTRY_URI="+registry,
		)),
		Mounts: t.mounts(),
		Base:   i.Dir, Layer: layer, Layers: filepath.Join(i.cache, "layers"),
		Folder: folder, Own: at("own"), Home: at("home"), Tmp: at("tmp"), Log: at("driver.log"), Result: at("result.json"),
	}
	if a.JobID != 0 {
		r.JobID = strconv.FormatInt(a.JobID, 10)
	}
	if t.Language != nil {
		r.Language = strings.ToLower(t.Language(a.NotebookPath))
	}
	if r.Parameters == nil {
		r.Parameters = map[string]string{}
	}
	r.clean() // what an earlier server left of a run of this number
	if err := os.Remove(r.Result); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	content, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return r, os.WriteFile(r.file(), content, 0o600)
}

func (r *request) file() string { return filepath.Join(r.Folder, "request.json") }

func (r *request) environ() []string {
	environ := make([]string, 0, len(r.Environ))
	for name, value := range r.Environ {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// clean removes all of the run but its log and its result.
func (r *request) clean() {
	children, _ := filepath.Glob(filepath.Join(r.Folder, "child-*"))
	for _, path := range append(children, r.file(), r.Own, r.Home, r.Tmp, r.Result+".new") {
		_ = os.RemoveAll(path) // what cannot be removed is removed with the twin
	}
}

func (r *request) outcome() (jobs.Outcome, error) {
	content, err := os.ReadFile(r.Result)
	if err != nil {
		return jobs.Outcome{}, err
	}
	var result struct {
		State     string      `json:"state"`
		Exited    bool        `json:"exited"`
		ExitValue string      `json:"exit_value"`
		Error     string      `json:"error"`
		Trace     string      `json:"trace"`
		Cells     []jobs.Cell `json:"cells"`
	}
	if err := json.Unmarshal(content, &result); err != nil {
		return jobs.Outcome{}, fmt.Errorf("reading the result of the notebook: %w", err)
	}
	return jobs.Outcome{
		Result: result.State, Exited: result.Exited, ExitValue: result.ExitValue,
		Error: result.Error, Trace: result.Trace, Cells: result.Cells,
	}, nil
}

func asMap(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		m[name] = value
	}
	return m
}
