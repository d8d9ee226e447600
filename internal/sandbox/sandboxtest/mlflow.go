package sandboxtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

const served = "/api/2.0/mlflow-artifacts/artifacts"

// MLflow is a backend as its own clients see it, with nothing of Databricks: one workspace of it behind a token, or
// with "" for none, refusing any. Where the backend keeps no artifacts, they are served from dir, and a version's source is where its files are.
func MLflow(backend mlflow.Backend, workspace, token, dir string) http.Handler {
	m := &bare{backend: backend, workspace: workspace, dir: dir}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.TrimSpace(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer")) != token {
			http.Error(w, "you are not authenticated", http.StatusUnauthorized) // as its plug-ins do: no JSON
			return
		}
		m.serve(w, r)
	})
}

type bare struct {
	backend        mlflow.Backend
	workspace, dir string
}

func (m *bare) serve(w http.ResponseWriter, r *http.Request) {
	if m.backend.Artifacts(m.workspace) == "" {
		switch {
		case r.URL.Path == served:
			m.list(w, r.URL.Query().Get("path"))
			return
		case strings.HasPrefix(r.URL.Path, served+"/"):
			http.ServeFile(w, r, m.file(strings.TrimPrefix(r.URL.Path, served)))
			return
		case strings.HasSuffix(r.URL.Path, "/model-versions/get-download-uri"):
			m.source(w, r)
			return
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.answer(w, r, mlflow.Call{
		Method: r.Method, Path: strings.TrimPrefix(r.URL.EscapedPath(), "/api/"), Query: r.URL.Query(),
		ContentType: r.Header.Get("Content-Type"), Body: body,
	})
}

func (m *bare) answer(w http.ResponseWriter, r *http.Request, call mlflow.Call) {
	if p, err := url.PathUnescape(call.Path); err == nil {
		call.Path = p
	}
	a, err := m.backend.Do(r.Context(), m.workspace, call)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

func (m *bare) file(p string) string {
	return filepath.Join(m.dir, filepath.FromSlash(path.Clean("/"+p)))
}

func (m *bare) list(w http.ResponseWriter, folder string) {
	entries, err := os.ReadDir(m.file(folder))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	files := []map[string]any{}
	for _, e := range entries {
		file := map[string]any{"path": e.Name(), "is_dir": e.IsDir()}
		if info, err := e.Info(); err == nil && !e.IsDir() {
			file["file_size"] = info.Size()
		}
		files = append(files, file)
	}
	writeBare(w, map[string]any{"files": files})
}

func (m *bare) source(w http.ResponseWriter, r *http.Request) {
	a, err := m.backend.Do(r.Context(), m.workspace, mlflow.Call{Method: http.MethodGet, Path: "2.0/mlflow/model-versions/get", Query: r.URL.Query()})
	var out struct {
		Version struct {
			Source string `json:"source"`
		} `json:"model_version"`
	}
	if err == nil {
		err = json.Unmarshal(a.Body, &out)
	}
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case !a.OK():
		w.WriteHeader(a.Status)
		_, _ = w.Write(a.Body)
	default:
		writeBare(w, map[string]any{"artifact_uri": out.Version.Source})
	}
}

func writeBare(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(fmt.Sprintf("writing an answer of a test's MLflow server: %v", err)) // maps of text alone
	}
}
