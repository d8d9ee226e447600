package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/registry"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/bargeml/barge/internal/sandbox/sandboxtest"
	"github.com/bargeml/barge/internal/transport"
)

var aliases = [2]string{"@challenger", "@champion"}

// unity is the same twin's Unity Catalog.
func (w *twin) unity(within string) kept {
	return kept{registry.NewUnity(w.workspace), w.unityModel, w.unityRegister, w.run, aliases, within}
}

func (w *twin) unityModel(name string) {
	w.t.Helper()
	w.post("unity-catalog/registered-models/create", map[string]any{"name": name}, nil)
}

// unityRegister makes a version as MLflow's client does: files go through the Files API.
func (w *twin) unityRegister(model string, files, tags map[string]string, run string) string {
	w.t.Helper()
	var out struct {
		Version struct {
			Version string `json:"version"`
		} `json:"model_version"`
	}
	w.post("unity-catalog/model-versions/create", map[string]any{"name": model, "source": "dbfs:/somewhere", "run_id": run}, &out)
	number := out.Version.Version
	for p, content := range files {
		at := w.url + "/api/2.0/fs/files/Models/" + strings.ReplaceAll(model, ".", "/") + "/" + number + "/" + (&url.URL{Path: p}).EscapedPath()
		put(w.t, at, token, content)
	}
	w.post("unity-catalog/model-versions/finalize", map[string]any{"name": model, "version": number}, nil)
	if err := registry.NewUnity(w.workspace).Tag(w.t.Context(), registry.Version{Model: model, Number: number}, tags); err != nil {
		w.t.Fatal(err)
	}
	return number
}

func put(t *testing.T, at, token, content string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, at, bytes.NewReader([]byte(content)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatalf("%s: %s", at, resp.Status)
	}
}

// bare is an MLflow server as it stands alone.
type bare struct {
	t        *testing.T
	url, dir string
	backend  mlflow.Backend
	at       *databricks.Workspace
}

func newBare(t *testing.T, backend mlflow.Backend, space string) *bare {
	t.Helper()
	b := &bare{t: t, dir: t.TempDir(), backend: backend}
	server := httptest.NewServer(sandboxtest.MLflow(backend, space, token, b.dir))
	t.Cleanup(server.Close)
	b.url = server.URL
	if backend.Artifacts(space) != "" {
		b.dir = ""
	}
	b.at = databricks.Open(databricks.Options{
		Name: "models", Noun: "MLflow server", Host: server.URL, Transport: transport.New(transport.Options{Attempts: 2, Sleep: noSleep}),
		Token: func(context.Context) (string, time.Time, error) { return token, time.Time{}, nil },
	})
	return b
}

func (b *bare) kept() kept {
	return kept{registry.NewMLflow(b.at), b.model, b.register, b.run, aliases, ""}
}

func (b *bare) post(path string, in, out any) {
	b.t.Helper()
	if err := sandboxtest.Call(b.t.Context(), http.MethodPost, b.url+"/api/2.0/mlflow/"+path, token, in, out); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bare) model(name string) {
	b.post("registered-models/create", map[string]any{"name": name}, nil)
}

func (b *bare) experiment() string {
	var out struct {
		ID string `json:"experiment_id"`
	}
	b.post("experiments/create", map[string]any{"name": fmt.Sprintf("e%d", time.Now().UnixNano())}, &out)
	return out.ID
}

// register makes a version of a logged model, as MLflow's client does.
func (b *bare) register(model string, files, tags map[string]string, run string) string {
	b.t.Helper()
	in := map[string]any{"name": model, "run_id": run}
	if b.dir != "" {
		in["source"] = "mlflow-artifacts:/" + b.place(files)
	} else {
		id, root := b.logged(run)
		for p, content := range files {
			put(b.t, b.url+"/api/2.0/mlflow-artifacts/artifacts/"+root+"/"+(&url.URL{Path: p}).EscapedPath(), token, content)
		}
		in["source"], in["model_id"] = "models:/"+id, id
	}
	pairs := []map[string]string{}
	for k, v := range tags {
		pairs = append(pairs, map[string]string{"key": k, "value": v})
	}
	in["tags"] = pairs
	var out struct {
		Version struct {
			Version string `json:"version"`
		} `json:"model_version"`
	}
	b.post("model-versions/create", in, &out)
	return out.Version.Version
}

// place writes files where the bare server serves them from.
func (b *bare) place(files map[string]string) string {
	b.t.Helper()
	root, err := os.MkdirTemp(b.dir, "model")
	if err != nil {
		b.t.Fatal(err)
	}
	for p, content := range files {
		at := filepath.Join(root, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	return filepath.Base(root)
}

// logged makes a logged model and gives the folder that its files go to.
func (b *bare) logged(run string) (id, root string) {
	b.t.Helper()
	var out struct {
		Model struct {
			Info struct {
				ID  string `json:"model_id"`
				URI string `json:"artifact_uri"`
			} `json:"info"`
		} `json:"model"`
	}
	in := map[string]any{"experiment_id": b.experiment(), "name": "model"}
	if run != "" {
		in["source_run_id"] = run
	}
	b.post("logged-models", in, &out)
	_, root, _ = strings.Cut(out.Model.Info.URI, "mlflow-artifacts:/")
	return out.Model.Info.ID, strings.Trim(root, "/")
}

func (b *bare) run(metrics map[string]any) string {
	b.t.Helper()
	var out struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	b.post("runs/create", map[string]any{"experiment_id": b.experiment(), "start_time": 1}, &out)
	for key, value := range metrics {
		b.post("runs/log-metric", map[string]any{"run_id": out.Run.Info.ID, "key": key, "value": value, "timestamp": 1, "step": 0}, nil)
	}
	return out.Run.Info.ID
}
