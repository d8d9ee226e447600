package effects_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/registry"
	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/bargeml/barge/internal/sandbox/sandboxtest"
	"github.com/bargeml/barge/internal/transport"
)

// bench is one workspace and a registry, as twins.
type bench struct {
	t     *testing.T
	twins *sandbox.Sandbox
	runs  jobs.Canned
	site  *effects.Site
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t}
	var err error
	b.twins, err = sandbox.Start(t.Context(), sandbox.Config{
		Dir: t.TempDir(), Workspaces: []string{"w", "registry"}, Executor: &b.runs, MLflow: mlflow.Light(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.twins.Close(); err != nil {
			t.Error(err)
		}
	})
	shared := registry.NewWorkspace(b.workspace("registry"))
	b.site = &effects.Site{
		Project: "p", Environment: "prod", Path: "/Barge/p", Workspace: b.workspace("w"),
		Registries: func(string) (*effects.Registry, error) {
			return &effects.Registry{
				Registry: shared, Remote: &environments.Remote{Label: "rmr", Scope: "rmr", Prefix: "shared"},
				Secrets: func(context.Context) (registry.Remote, error) {
					return registry.Remote{Scope: "rmr", Prefix: "shared", Host: "https://adb-4.4.azuredatabricks.net", Token: "dapi0", WorkspaceID: 4}, nil
				},
			}, nil
		},
	}
	return b
}

func (b *bench) workspace(name string) *databricks.Workspace {
	twin := b.twins.Twin(name)
	hasten := func(ctx context.Context, d time.Duration) error { return transport.Sleep(ctx, d/20) }
	return databricks.Open(databricks.Options{
		Name: name, Host: twin.URL, Sleep: hasten, Transport: transport.New(transport.Options{Sleep: hasten}),
		Token: func(context.Context) (string, time.Time, error) { return twin.Token, time.Time{}, nil },
	})
}

// api is a call to a twin that must succeed.
func (b *bench) api(twin, method, at string, in, out any) {
	b.t.Helper()
	w := b.twins.Twin(twin)
	if err := sandboxtest.Call(b.t.Context(), method, w.URL+at, w.Token, in, out); err != nil {
		b.t.Fatal(err)
	}
}

// versions registers that many versions of model m.
func (b *bench) versions(n int) {
	b.t.Helper()
	b.api("registry", http.MethodPost, "/api/2.0/mlflow/registered-models/create", map[string]any{"name": "m"}, nil)
	source := filepath.Join(b.twins.Twin("registry").Dir, "dbfs", "source")
	if err := os.MkdirAll(source, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(source, "MLmodel"), []byte("flavors: {}\n"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	for range n {
		b.api("registry", http.MethodPost, "/api/2.0/mlflow/model-versions/create", map[string]any{"name": "m", "source": "dbfs:/source"}, nil)
	}
}

// sent are the calls of a twin that change something, since the last time.
func (b *bench) sent(twin string) []string {
	var out []string
	for _, c := range b.twins.Twin(twin).Log() {
		if c.Method != http.MethodGet {
			out = append(out, c.Method+" "+c.Path)
		}
	}
	b.twins.Twin(twin).ClearLog()
	return out
}

// files are what ships, for tests: text by path.
type files map[string]string

func (f files) Notebooks(context.Context) iter.Seq2[artifacts.Content, error] {
	return func(yield func(artifacts.Content, error) bool) {
		for path, text := range f {
			if strings.HasPrefix(path, "conf/") {
				continue
			}
			if !yield(artifacts.Content{File: artifacts.File{Path: path, Kind: artifacts.Notebook, Language: "python"}, Body: []byte(text)}, nil) {
				return
			}
		}
	}
}

func (f files) Config(context.Context) iter.Seq2[artifacts.Content, error] {
	return func(yield func(artifacts.Content, error) bool) {
		for path, text := range f {
			below, ok := strings.CutPrefix(path, "conf/")
			if ok && !yield(artifacts.Content{File: artifacts.File{Path: below}, Body: []byte(text)}, nil) {
				return
			}
		}
	}
}

func (f files) Graph(context.Context) (artifacts.Graph, error) { return artifacts.Graph{}, nil }

func value(v any) ledger.Value {
	text, err := ledger.ValueOf(v)
	if err != nil {
		panic(fmt.Sprint("a value of a test: ", err))
	}
	return text
}

func may() error { return nil }
