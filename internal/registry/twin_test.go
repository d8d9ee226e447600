package registry_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/registry"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/bargeml/barge/internal/sandbox/sandboxtest"
	"github.com/bargeml/barge/internal/sandbox/wire"
	"github.com/bargeml/barge/internal/transport"
)

const token = "dapi-of-the-twin"

// twin is the MLflow side of a workspace. Fault, when set, may answer in its place.
type twin struct {
	t         *testing.T
	url, dbfs string
	workspace *databricks.Workspace

	mu    sync.Mutex
	calls []string // "METHOD path", and "signed TOKEN?" for downloads
	fault func(w http.ResponseWriter, r *http.Request) bool
}

func newTwin(t *testing.T, backend mlflow.Backend) *twin {
	t.Helper()
	return namedTwin(t, backend, "registry")
}

// namedTwin shares a backend with twins of other names, and sees nothing of theirs.
func namedTwin(t *testing.T, backend mlflow.Backend, name string) *twin {
	t.Helper()
	dir := t.TempDir()
	w := &twin{t: t, dbfs: filepath.Join(dir, "dbfs")}
	if err := os.MkdirAll(w.dbfs, 0o755); err != nil {
		t.Fatal(err)
	}
	mux := &wire.Mux{}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.serve(mux, rw, r) }))
	t.Cleanup(server.Close)
	w.url = server.URL
	front, err := mlflow.New(mlflow.Config{
		Backend: backend, Workspace: name, WorkspaceID: 6204, Dir: filepath.Join(dir, "mlflow"), DBFS: w.dbfs,
		URL: func() string { return server.URL }, User: "releaser",
	})
	if err != nil {
		t.Fatal(err)
	}
	front.Routes(mux)
	w.workspace = databricks.Open(databricks.Options{
		Name: "registry", Host: server.URL, Transport: transport.New(transport.Options{Attempts: 2, Sleep: noSleep}),
		Token: func(context.Context) (string, time.Time, error) { return token, time.Time{}, nil },
	})
	return w
}

func noSleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func (w *twin) serve(mux http.Handler, rw http.ResponseWriter, r *http.Request) {
	signed := strings.HasPrefix(r.URL.Path, mlflow.SignedPrefix)
	w.mu.Lock()
	if signed {
		w.calls = append(w.calls, "signed "+r.Header.Get("Authorization"))
	} else {
		w.calls = append(w.calls, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api/2.0/mlflow/"))
	}
	fault := w.fault
	w.mu.Unlock()
	if !signed && r.Header.Get("Authorization") != "Bearer "+token {
		wire.Fail(rw, wire.Errorf(http.StatusUnauthorized, "UNAUTHENTICATED", "no token"))
		return
	}
	if fault == nil || !fault(rw, r) {
		mux.ServeHTTP(rw, r)
	}
}

func (w *twin) setFault(fault func(http.ResponseWriter, *http.Request) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = fault
}

// took returns the calls since the last time.
func (w *twin) took() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return calls
}

// post makes a call of the MLflow API that must succeed.
func (w *twin) post(path string, in, out any) {
	w.t.Helper()
	if err := sandboxtest.Call(w.t.Context(), http.MethodPost, w.url+"/api/2.0/mlflow/"+path, token, in, out); err != nil {
		w.t.Fatal(err)
	}
}

func (w *twin) model(name string) {
	w.t.Helper()
	w.post("registered-models/create", map[string]any{"name": name}, nil)
}

// register makes a version from files and returns its number.
func (w *twin) register(model string, files, tags map[string]string, run string) string {
	w.t.Helper()
	source, err := os.MkdirTemp(w.dbfs, "source")
	if err != nil {
		w.t.Fatal(err)
	}
	for p, content := range files {
		at := filepath.Join(source, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	pairs := []map[string]string{}
	for k, v := range tags {
		pairs = append(pairs, map[string]string{"key": k, "value": v})
	}
	var out struct {
		Version struct {
			Version string `json:"version"`
		} `json:"model_version"`
	}
	w.post("model-versions/create", map[string]any{"name": model, "source": "dbfs:/" + filepath.Base(source), "tags": pairs, "run_id": run}, &out)
	return out.Version.Version
}

// run makes a run with metrics and returns its id.
func (w *twin) run(metrics map[string]any) string {
	w.t.Helper()
	var experiment struct {
		ID string `json:"experiment_id"`
	}
	w.post("experiments/create", map[string]any{"name": "/Shared/" + w.t.Name()}, &experiment)
	var out struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	w.post("runs/create", map[string]any{"experiment_id": experiment.ID, "start_time": 1}, &out)
	for key, value := range metrics {
		w.post("runs/log-metric", map[string]any{"run_id": out.Run.Info.ID, "key": key, "value": value, "timestamp": 1, "step": 0}, nil)
	}
	return out.Run.Info.ID
}

func (w *twin) registry() *registry.Workspace { return registry.NewWorkspace(w.workspace) }
