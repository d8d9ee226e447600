package mlflow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/bargeml/barge/internal/sandbox/wire"
)

const token = "dapi-twin-token"

// twin is as much of a twin as MLflow's clients need: the front, the token check, DBFS and secrets.
type twin struct {
	t     *testing.T
	URL   string
	front *mlflow.Front
	dbfs  string
	// secrets are answered by scope/key.
	secrets map[string]string
}

func newTwin(t *testing.T, backend mlflow.Backend, name string, id int64) *twin {
	t.Helper()
	dir := t.TempDir()
	w := &twin{t: t, dbfs: filepath.Join(dir, "dbfs"), secrets: map[string]string{}}
	if err := os.MkdirAll(w.dbfs, 0o755); err != nil {
		t.Fatal(err)
	}
	m := &wire.Mux{}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		open := strings.HasPrefix(r.URL.Path, mlflow.SignedPrefix) || strings.HasPrefix(r.URL.Path, "/.well-known/")
		if !open && r.Header.Get("Authorization") != "Bearer "+token {
			wire.Fail(rw, wire.Errorf(http.StatusUnauthorized, "UNAUTHENTICATED", "Credential was not sent or was of an unsupported type for this API."))
			return
		}
		m.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	w.URL = s.URL
	front, err := mlflow.New(mlflow.Config{
		Backend: backend, Workspace: name, WorkspaceID: id, Dir: filepath.Join(dir, "mlflow"), DBFS: w.dbfs,
		Metastore: filepath.Join(dir, "metastore"), URL: func() string { return s.URL }, User: "dana@example.com",
	})
	if err != nil {
		t.Fatal(err)
	}
	w.front = front
	front.Routes(m)
	m.JSON("GET /.well-known/databricks-config", func(*http.Request) (any, error) {
		return map[string]string{"oidc_endpoint": s.URL + "/oidc", "workspace_id": fmt.Sprint(id)}, nil
	})
	w.dbfsRoutes(m)
	return w
}

// dbfsRoutes are the ones that registering in another workspace uses.
func (w *twin) dbfsRoutes(m *wire.Mux) {
	m.JSON("GET /api/2.0/secrets/get", func(r *http.Request) (any, error) {
		v, ok := w.secrets[r.URL.Query().Get("scope")+"/"+r.URL.Query().Get("key")]
		if !ok {
			return nil, wire.NotFound("Secret does not exist with scope: %s and key: %s", r.URL.Query().Get("scope"), r.URL.Query().Get("key"))
		}
		return map[string]string{"value": v}, nil
	})
	m.JSON("GET /api/2.0/dbfs/list", func(r *http.Request) (any, error) {
		p := filepath.Join(w.dbfs, r.URL.Query().Get("path"))
		if _, err := os.Stat(p); err != nil {
			return nil, wire.NotFound("No file or directory exists on path %s.", r.URL.Query().Get("path"))
		}
		return map[string]any{"files": []any{}}, nil
	})
	m.JSON("POST /dbfs/{path...}", func(r *http.Request) (any, error) {
		p := filepath.Join(w.dbfs, r.PathValue("path"))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return nil, err
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		return nil, os.WriteFile(p, b, 0o600)
	})
}

// put places a file on the twin's DBFS.
func (w *twin) put(path, content string) {
	w.t.Helper()
	p := filepath.Join(w.dbfs, path)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// raw makes a request with the token.
func (w *twin) raw(method, path string, body io.Reader) (*http.Response, []byte) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, w.URL+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, b
}

// ask makes a call of the MLflow API: "POST model-versions/create" with a JSON body, or a GET with "a=b&c=d".
func (w *twin) ask(call, in string) (int, map[string]any) {
	w.t.Helper()
	method, path, _ := strings.Cut(call, " ")
	if !strings.HasPrefix(path, "/") {
		path = "/api/2.0/mlflow/" + path
	}
	var body io.Reader
	if strings.HasPrefix(in, "{") {
		body = strings.NewReader(in)
	} else if in != "" {
		q := url.Values{}
		for pair := range strings.SplitSeq(in, "&") {
			k, v, _ := strings.Cut(pair, "=")
			q.Add(k, v)
		}
		path += "?" + q.Encode()
	}
	resp, b := w.raw(method, path, body)
	var out map[string]any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		w.t.Fatalf("%s: %d %q: %s", call, resp.StatusCode, b, err)
	}
	return resp.StatusCode, out
}

// must is ask for what has to succeed.
func (w *twin) must(call, in string) map[string]any {
	w.t.Helper()
	status, out := w.ask(call, in)
	if status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %v", call, in, status, out)
	}
	return out
}

// at follows keys and indexes into a JSON document.
func at(t *testing.T, doc any, path ...any) any {
	t.Helper()
	for i, step := range path {
		switch s := step.(type) {
		case string:
			m, ok := doc.(map[string]any)
			if !ok {
				t.Fatalf("no object at %v in %v", path[:i], doc)
			}
			doc = m[s]
		case int:
			l, ok := doc.([]any)
			if !ok || s >= len(l) {
				t.Fatalf("no element at %v in %v", path[:i+1], doc)
			}
			doc = l[s]
		}
	}
	return doc
}
