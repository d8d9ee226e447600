package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

// bench is what one script works on.
type bench struct {
	sandbox   *sandbox.Sandbox
	notebooks notebooks
	registry  mlflow.Backend
	mlflow    *httptest.Server // of the verb mlflow
	artifacts string           // and what it serves
	before    []byte           // what remember saw

	mu    sync.Mutex
	ahead time.Duration
	hold  *holding
}

// holding is a call that is not answered before its caller is gone.
type holding struct {
	workspace, text string
	taken           bool
	came            chan struct{}
}

// hold is the verb.
func hold(_ *testscript.TestScript, b *bench, args []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hold = &holding{workspace: args[0], text: args[1], came: make(chan struct{})}
	return nil
}

// held is the verb: it waits for the call that is held.
func held(_ *testscript.TestScript, b *bench, _ []string) error {
	select {
	case <-b.hold.came:
		return nil
	case <-time.After(20 * time.Second):
		return fmt.Errorf("no call for %s came", b.hold.text)
	}
}

// through stands before a twin's API.
func (b *bench) through(workspace string, api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		h := b.hold
		holds := h != nil && !h.taken && h.workspace == workspace && strings.Contains(r.URL.Path, h.text)
		if holds {
			h.taken = true // only the first
		}
		b.mu.Unlock()
		if holds {
			_, _ = io.Copy(io.Discard, r.Body) // until then nobody listens for the client's end
			close(h.came)
			<-r.Context().Done()
			return
		}
		api.ServeHTTP(w, r)
	})
}

func (b *bench) close() {
	if b.mlflow != nil {
		b.mlflow.Close()
	}
	if b.sandbox != nil {
		_ = b.sandbox.Close()
	}
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Add(b.ahead)
}

func moveClock(_ *testscript.TestScript, b *bench, args []string) error {
	d, err := time.ParseDuration(strings.Join(args, " "))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead += d
	return err
}

// kept is a registry that outlives the sandbox it is lent to.
type kept struct{ mlflow.Backend }

func (kept) Close() error { return nil }

func twins(ts *testscript.TestScript, b *bench, args []string) error {
	what := append(args, "up")[0]
	if what == "down" || what == "move" {
		if err := b.sandbox.Close(); err != nil {
			return err
		}
		b.sandbox = nil
	}
	switch what {
	case "down":
		return nil
	case "move":
		if err := renumber(ts.MkAbs(filepath.Join(".barge", "sandbox", args[1], "twin.json"))); err != nil {
			return err
		}
	}
	return b.up(ts)
}

func (b *bench) up(ts *testscript.TestScript) error {
	project, diags := environments.Load(ts.MkAbs("."), environments.Options{Sandbox: true})
	if diags.HasErrors() {
		return diags
	}
	var names []string
	for _, w := range project.Workspaces {
		names = append(names, w.Name)
	}
	b.light()
	var err error
	b.sandbox, err = sandbox.Start(context.Background(), sandbox.Config{
		Dir: ts.MkAbs(filepath.Join(".barge", "sandbox")), Workspaces: names, Executor: &b.notebooks, MLflow: b.registry, Now: b.now,
		Through: b.through,
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		ts.Setenv(strings.ToUpper(name)+"_URL", b.sandbox.Twin(name).URL)
	}
	return nil
}

// light is the registry that all twins share.
func (b *bench) light() mlflow.Backend {
	if b.registry == nil {
		b.registry = kept{mlflow.Light()}
		b.notebooks.bench = b
	}
	return b.registry
}

// renumber gives a twin at rest another workspace id.
func renumber(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var twin map[string]any
	if err := json.Unmarshal(raw, &twin); err != nil {
		return err
	}
	twin["workspace_id"] = 4242424242424242
	if raw, err = json.Marshal(twin); err != nil {
		return err
	}
	return os.WriteFile(file, raw, 0o600)
}

// notebooks stands for the project's notebooks: each answers as its contract has it, unless told otherwise.
type notebooks struct {
	bench *bench
	begun jobs.Canned // counts

	mu      sync.Mutex
	told    []told
	waiting map[string]chan struct{}
}

// told is what a notebook was told to do.
type told struct {
	notebook, version string // version "": any
	what, text        string
	once              bool
}

// answer tells a notebook what to do. WHAT is one of
//
//	usual             what it does untold
//	with JSON         the usual answer, merged with JSON (null takes a key away)
//	text TEXT         exit with TEXT as it is
//	none              end without dbutils.notebook.exit
//	long              exit with more than the service keeps
//	assert TEXT       AssertionError: TEXT
//	fail TEXT         RuntimeError: TEXT
//	internal TEXT     the platform breaks
//	cancelled         somebody cancels the run
//	hang              wait until the run is ended from outside
//	wait              wait for the verb go, then the usual
func answer(_ *testscript.TestScript, b *bench, args []string) error {
	t := told{}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		version, versioned := strings.CutPrefix(args[0], "-version=")
		switch {
		case versioned:
			t.version = version
		case args[0] == "-once":
			t.once = true
		default:
			return fmt.Errorf("answer %s is not understood", args[0])
		}
		args = args[1:]
	}
	if len(args) < 2 {
		return errors.New("answer NOTEBOOK WHAT [TEXT]")
	}
	t.notebook, t.what, t.text = args[0], args[1], strings.Join(args[2:], " ")
	n := &b.notebooks
	n.mu.Lock()
	defer n.mu.Unlock()
	if t.what == "wait" {
		if n.waiting == nil {
			n.waiting = map[string]chan struct{}{}
		}
		n.waiting[t.notebook] = make(chan struct{})
	}
	n.told = append([]told{t}, n.told...)
	return nil
}

func letGo(_ *testscript.TestScript, b *bench, args []string) error {
	b.notebooks.mu.Lock()
	defer b.notebooks.mu.Unlock()
	for _, notebook := range args {
		if b.notebooks.waiting[notebook] == nil {
			return fmt.Errorf("nobody told %s to wait", notebook)
		}
		close(b.notebooks.waiting[notebook])
		delete(b.notebooks.waiting, notebook)
		b.notebooks.told = slices.DeleteFunc(b.notebooks.told, func(t told) bool { return t.notebook == notebook && t.what == "wait" })
	}
	return nil
}

// take gives what an attempt was told to do, the latest first.
func (n *notebooks) take(notebook, version string) (told, chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, t := range n.told {
		if t.notebook != notebook || t.version != "" && t.version != version {
			continue
		}
		if t.once {
			n.told = append(n.told[:i:i], n.told[i+1:]...)
		}
		return t, n.waiting[notebook]
	}
	return told{what: "usual"}, nil
}

// Execute is one run of a notebook.
func (n *notebooks) Execute(ctx context.Context, a jobs.Attempt) jobs.Outcome {
	n.begun.Execute(ctx, a)
	t, wait := n.take(path.Base(a.NotebookPath), a.Parameters["barge_model_diabetes_version"])
	switch t.what {
	case "text":
		return jobs.Outcome{Result: jobs.Success, ExitValue: t.text, Exited: true}
	case "none":
		return jobs.Outcome{Result: jobs.Success}
	case "long":
		return jobs.Outcome{Result: jobs.Success, ExitValue: `{"pad": "` + strings.Repeat("x", 6<<20) + `"}`, Exited: true}
	case "assert":
		return jobs.Outcome{Result: jobs.Failed, Error: "AssertionError: " + t.text}
	case "fail":
		return jobs.Outcome{Result: jobs.Failed, Error: "RuntimeError: " + t.text}
	case "internal":
		return jobs.Outcome{Result: jobs.InternalError, Message: t.text}
	case "cancelled":
		return jobs.Outcome{Result: jobs.Canceled}
	case "hang", "wait": // nobody lets go of one that hangs
		select {
		case <-wait:
		case <-ctx.Done():
			return jobs.Outcome{Result: jobs.Canceled}
		}
	}
	v, err := n.bench.usual(a)
	if err == nil && t.what == "with" {
		v, err = merged(v, t.text)
	}
	text, broken := json.Marshal(v)
	if err := errors.Join(err, broken); err != nil {
		return jobs.Outcome{Result: jobs.InternalError, Message: err.Error()}
	}
	return jobs.Outcome{Result: jobs.Success, ExitValue: string(text), Exited: true}
}

// usual is what the project's notebooks answer where all is well.
func (b *bench) usual(a jobs.Attempt) (map[string]any, error) {
	version := a.Parameters["barge_model_diabetes_version"]
	v := map[string]any{}
	switch path.Base(a.NotebookPath) {
	case "train":
		number, err := b.trained(a.Parameters["barge_model_diabetes_registry"], a.Parameters["barge_model_diabetes_name"],
			map[string]string{"model.pkl": "trained on " + a.Parameters["features"]})
		if err != nil {
			return nil, err
		}
		version, v["metrics"] = number, map[string]any{"cv_accuracy": 0.78}
	case "test-model":
		v["metrics"] = map[string]any{"accuracy": 0.8, "auc": 0.85, "commoner_class": 0.65}
	case "batch-scoring":
		v["output"] = map[string]any{"rows_in": 10, "rows_out": 10, "table": "scores"}
	}
	v["models"] = map[string]any{"diabetes": map[string]any{"version": version}}
	return v, nil
}

// merged is a JSON merge patch.
func merged(into map[string]any, patch string) (map[string]any, error) {
	var p map[string]any
	if err := json.Unmarshal([]byte(patch), &p); err != nil {
		return nil, fmt.Errorf("reading %s: %w", patch, err)
	}
	return merge(into, p), nil
}

func merge(into, patch map[string]any) map[string]any {
	for key, v := range patch {
		below, ok := v.(map[string]any)
		was, were := into[key].(map[string]any)
		switch {
		case v == nil:
			delete(into, key)
		case ok && were:
			into[key] = merge(was, below)
		default:
			into[key] = v
		}
	}
	return into
}
