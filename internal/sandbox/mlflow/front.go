package mlflow

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// Config is what the front of one twin needs. Backend, Workspace, Dir and URL are required.
type Config struct {
	Backend     Backend // shared by all twins; the front does not close it
	Workspace   string  // the twin's name
	WorkspaceID int64
	Dir         string        // kept by the front: copies of registered models, and what MLflow has no place for
	DBFS        string        // root of the twin's DBFS, where dbfs:/ sources are read
	Metastore   string        // Unity Catalog's models, one folder for all twins; empty: Dir/metastore
	URL         func() string // the twin's own address, http://127.0.0.1:5201
	User        string        // who registers, comments and approves
	SignKey     []byte        // signs URLs; empty: a random one, and URLs die with the process
	Now         func() time.Time
}

// Front is the MLflow side of one twin.
type Front struct {
	Config
	space     string // the twin's workspace in the backend
	notes     *notes
	artifacts tree // runs and logged models
	models    tree // copies of registered model versions, a folder per version
	dbfs      tree
	metastore tree
	tagging   sync.Mutex // one tag at a time: MLflow refuses the second of two that are new at once, as Databricks does not
}

// New opens the front's own state under Config.Dir.
func New(c Config) (*Front, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if len(c.SignKey) == 0 {
		c.SignKey = make([]byte, 32)
		_, _ = rand.Read(c.SignKey) // never fails
	}
	if c.Metastore == "" {
		c.Metastore = filepath.Join(c.Dir, "metastore")
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the registry of twin %s: %w", c.Workspace, err)
	}
	n, err := loadNotes(filepath.Join(c.Dir, "registry.json"))
	if err != nil {
		return nil, fmt.Errorf("opening the registry of twin %s: %w", c.Workspace, err)
	}
	space := spaceName(c.Workspace)
	artifacts := c.Backend.Artifacts(space)
	if artifacts == "" {
		artifacts = filepath.Join(c.Dir, "artifacts")
	}
	return &Front{
		Config: c, space: space, notes: n,
		artifacts: tree{artifacts},
		models:    tree{filepath.Join(c.Dir, "models")},
		dbfs:      tree{c.DBFS},
		metastore: tree{c.Metastore},
	}, nil
}

// Close has nothing to stop: the backend belongs to whoever made it.
func (f *Front) Close() error { return nil }

// Routes registers the MLflow API, the artifacts' side of the Files API, signed URLs and the pages that clients
// print links to. What falls under SignedPrefix must be reachable without a token.
func (f *Front) Routes(m *wire.Mux) {
	for _, v := range []string{"2.0", "3.0", "4.0"} {
		f.json(m, "/api/"+v+"/mlflow/", f.forward)
	}
	f.experimentRoutes(m)
	f.modelRoutes(m)
	f.versionRoutes(m)
	f.requestRoutes(m)
	f.catalogRoutes(m)
	f.unityRoutes(m)
	f.fileRoutes(m)
	m.Handle(SignedPrefix, http.HandlerFunc(f.serveSigned))
	m.Handle("GET /ml/", http.HandlerFunc(f.page))
}

// json registers a handler whose answers name the workspace, as Databricks' do: registering in Unity Catalog copies
// the id from there.
func (f *Front) json(m *wire.Mux, pattern string, answer func(*http.Request) (any, error)) {
	m.Handle(pattern, f.stamped(wire.JSON(answer)))
}

func (f *Front) stamped(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Databricks-Org-Id", strconv.FormatInt(f.WorkspaceID, 10))
		h(w, r)
	}
}

const (
	here  = "2.0/mlflow/"                       // the prefix of nearly every call to the backend
	shown = "dbfs:/databricks/mlflow-tracking/" // where Databricks says that artifacts are
)

// stored is where the backend says that they are.
func (f *Front) stored() string { return "mlflow-artifacts:/workspaces/" + f.space + "/" }

// forward hands a request to the backend as it came, but for headers and artifact URIs.
func (f *Front) forward(r *http.Request) (any, error) {
	path := strings.TrimPrefix(r.URL.Path, "/api/")
	if hidden(path) {
		return nil, missing(r.Method, path)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, wire.Errorf(http.StatusBadRequest, "MALFORMED_REQUEST", "reading the request body: %s", err)
	}
	query := r.URL.Query()
	if !ofRegistry(path) { // there sources are kept as they were given
		body = []byte(strings.ReplaceAll(string(body), shown, f.stored()))
		for _, values := range query {
			for i := range values {
				values[i] = strings.ReplaceAll(values[i], shown, f.stored())
			}
		}
	}
	call := Call{Method: r.Method, Path: path, Query: query, Body: body, ContentType: r.Header.Get("Content-Type")}
	if r.Method == http.MethodDelete && len(body) == 0 && len(query) > 0 { // the Go SDK; MLflow reads bodies alone
		if call.Body, err = json.Marshal(first(query)); err != nil {
			return nil, err
		}
		call.ContentType = ""
	}
	if ofRegistry(path) && strings.HasSuffix(path, "/set-tag") {
		f.tagging.Lock()
		defer f.tagging.Unlock()
	}
	return f.do(r.Context(), f.space, call)
}

// first is a query as the fields of a body.
func first(query url.Values) map[string]string {
	in := make(map[string]string, len(query))
	for key := range query {
		in[key] = query.Get(key)
	}
	return in
}

// hidden are routes that MLflow has and Databricks has not: workspaces would show the other twins, and aliases are
// Unity Catalog's alone.
func hidden(path string) bool {
	_, rest, _ := strings.Cut(path, "/mlflow/")
	return rest == "workspaces" || strings.HasPrefix(rest, "workspaces/") || rest == "registered-models/alias"
}

func ofRegistry(path string) bool {
	_, rest, _ := strings.Cut(path, "/mlflow/")
	return strings.HasPrefix(rest, "registered-models/") || strings.HasPrefix(rest, "model-versions/")
}

// do makes one call and answers it in Databricks' shape.
func (f *Front) do(ctx context.Context, space string, call Call) (json.RawMessage, error) {
	a, err := f.Backend.Do(ctx, space, call)
	if err != nil {
		return nil, err
	}
	body := strings.ReplaceAll(string(a.Body), f.stored(), shown)
	if !a.OK() {
		return nil, refusal(call, a.Status, body)
	}
	if space == f.space {
		return f.notes.overlay(json.RawMessage(body))
	}
	return json.RawMessage(body), nil
}

// get, post and delete are the front's own calls in the twin's workspace; out may be nil.
func (f *Front) get(ctx context.Context, path string, query url.Values, out any) error {
	b, err := f.do(ctx, f.space, Call{Method: http.MethodGet, Path: here + path, Query: query})
	return decode(b, err, path, out)
}

func (f *Front) post(ctx context.Context, path string, in, out any) error {
	return f.send(ctx, http.MethodPost, path, in, out)
}

func (f *Front) delete(ctx context.Context, path string, in any) error {
	return f.send(ctx, http.MethodDelete, path, in, nil)
}

func (f *Front) send(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	b, err := f.do(ctx, f.space, Call{Method: method, Path: here + path, Body: body})
	return decode(b, err, path, out)
}

func decode(b json.RawMessage, err error, path string, out any) error {
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("reading MLflow's answer to %s: %w", path, err)
	}
	return nil
}

// page stands where clients say "view run at": there is no user interface, and it says where the data is.
func (f *Front) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "This is twin %s of a sandbox; it has no pages.\nAsk its API, for instance GET /api/2.0/mlflow/runs/get?run_id=…\n", f.Workspace)
}
