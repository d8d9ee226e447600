package release_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"sync"
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
	"github.com/bargeml/barge/release"
)

// bench is a project with two environments and a shared registry, over twins whose notebooks are canned.
type bench struct {
	t testing.TB
	source
	twins *sandbox.Sandbox
	runs  jobs.Canned
	terms ledger.Terms
	run   string // the page of the pipeline that the next worlds are part of

	mu       sync.Mutex
	answers  map[string]func(jobs.Attempt) jobs.Outcome // by notebook
	lines    map[string]string                          // what else stands in a notebook
	versions int
	notes    []string
	spy      func(twin string, r *http.Request, body []byte) // sees every call before it is served; may be nil
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{
		t: t, source: source{dir: t.TempDir()}, answers: map[string]func(jobs.Attempt) jobs.Outcome{},
		terms: ledger.Terms{L: 6 * time.Second, D: 2 * time.Second, TTL: 10 * time.Second},
	}
	b.runs.Answer = b.answer
	err := b.git("init", "-q")
	if err != nil {
		t.Fatal(err)
	}
	b.twins, err = sandbox.Start(t.Context(), sandbox.Config{
		Dir: t.TempDir(), Workspaces: []string{"test", "prod", "registry"}, Executor: &b.runs, MLflow: mlflow.Light(),
		Through: b.through,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.twins.Close(); err != nil {
			t.Error(err)
		}
	})
	b.api("registry", http.MethodPost, "/api/2.0/mlflow/registered-models/create", map[string]any{"name": "m"}, nil)
	return b
}

// through shows the spy what is asked of a twin.
func (b *bench) through(twin string, api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		spy := b.spy
		b.mu.Unlock()
		if spy != nil {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			spy(twin, r, body)
		}
		api.ServeHTTP(w, r)
	})
}

// watch sets the spy; nil ends it.
func (b *bench) watch(spy func(twin string, r *http.Request, body []byte)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spy = spy
}

// answer is what a canned notebook says: what it was told, and good figures, unless a test says otherwise.
func (b *bench) answer(a jobs.Attempt) jobs.Outcome {
	b.mu.Lock()
	special := b.answers[path.Base(a.NotebookPath)]
	b.mu.Unlock()
	if special != nil {
		return special(a)
	}
	return answering(0.9)(a)
}

// answering answers with the version told and that accuracy.
func answering(accuracy float64) func(jobs.Attempt) jobs.Outcome {
	return func(a jobs.Attempt) jobs.Outcome {
		text := fmt.Sprintf(`{"models": {"m": {"version": %q}}, "metrics": {"accuracy": %g}, "output": {"rows": 5}}`, a.Parameters["barge_model_m_version"], accuracy)
		return jobs.Outcome{Result: jobs.Success, ExitValue: text, Exited: true}
	}
}

// on makes a notebook answer otherwise from now on.
func (b *bench) on(notebook string, answer func(jobs.Attempt) jobs.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers[notebook] = answer
}

// register makes another version of the model and returns its number.
func (b *bench) register() string {
	b.t.Helper()
	b.versions++
	source := fmt.Sprintf("source-%d", b.versions)
	at := filepath.Join(b.twins.Twin("registry").Dir, "dbfs", source)
	b.write(filepath.Join(at, "MLmodel"), "flavors: {}\n")
	b.write(filepath.Join(at, "model.pkl"), source)
	var out struct {
		Version struct{ Version string } `json:"model_version"`
	}
	b.api("registry", http.MethodPost, "/api/2.0/mlflow/model-versions/create", map[string]any{"name": "m", "source": "dbfs:/" + source}, &out)
	return out.Version.Version
}

func (b *bench) write(file, text string) {
	b.t.Helper()
	if err := b.source.write(file, text); err != nil {
		b.t.Fatal(err)
	}
}

// api is a call to a twin that must succeed.
func (b *bench) api(twin, method, at string, in, out any) {
	b.t.Helper()
	w := b.twins.Twin(twin)
	if err := sandboxtest.Call(b.t.Context(), method, w.URL+at, w.Token, in, out); err != nil {
		b.t.Fatal(err)
	}
}

// environment blocks, as most tests want them.
const (
	testEnvironment = `
environment "test" {
  workspace = workspace.test
  path      = "/Barge/p"
  model "m" {
    stage            = "Staging"
    archive_existing = true
  }
  gate "good" {
    notebook = "check"
    expect "accurate" {
      that = metrics.accuracy >= 0.5
    }
  }
}
`
	prodEnvironment = `
environment "prod" {
  follows   = [environment.test]
  workspace = workspace.prod
  path      = "/Barge/p"
  model "m" {
    stage            = "Production"
    archive_existing = true
  }
  score "nightly" {
    notebook = "score"
    schedule = { cron = "0 0 2 * * ?", timezone = "UTC" }
    expect "rows" {
      that = output.rows > 0
    }
  }
}
`
)

// build makes a release of these environments and that model version, under a name.
func (b *bench) build(name, version, environments string) string {
	b.t.Helper()
	notebooks := map[string]string{"check": "# check\n" + b.lines["check"], "score": "# score\n" + b.lines["score"]}
	made, err := b.source.build(b.t.Context(), name, version, environments, notebooks, b.store(), b.registry())
	if err != nil {
		b.t.Fatal(err)
	}
	return made.Name
}

func (b *bench) project() *environments.Project {
	b.t.Helper()
	project, err := b.load()
	if err != nil {
		b.t.Fatal(err)
	}
	return project
}

func (b *bench) store() *artifacts.Store {
	b.t.Helper()
	store, err := artifacts.OpenStore(b.dir, "oci-layout:.barge/store")
	if err != nil {
		b.t.Fatal(err)
	}
	return store
}

// workspace is a client of its own, which waits a tenth of what it should.
func (b *bench) workspace(name string) *databricks.Workspace {
	twin := b.twins.Twin(name)
	return databricks.Open(databricks.Options{
		Name: name, Host: twin.URL, Sleep: hasten, Transport: transport.New(transport.Options{Sleep: hasten}),
		Token: func(context.Context) (string, time.Time, error) { return twin.Token, time.Time{}, nil },
	})
}

func (b *bench) registry() *registry.Workspace { return registry.NewWorkspace(b.workspace("registry")) }

func hasten(ctx context.Context, d time.Duration) error { return transport.Sleep(ctx, d/20) }

// world is barge as a process of that name sees it.
func (b *bench) world(process string) *release.World {
	b.t.Helper()
	project := b.project()
	w := &release.World{
		Project: project, Store: b.store(), Run: b.run, Terms: b.terms, Clocks: ledger.SystemClocks(), Sleep: hasten,
		Age:  func(a, c string) (artifacts.Order, error) { return artifacts.Compare(b.dir, a, c) },
		Note: func(format string, args ...any) { b.note(process + ": " + fmt.Sprintf(format, args...)) },
	}
	shared := b.registry()
	sites, books := map[string]*effects.Site{}, map[string]*ledger.Ledger{}
	for _, e := range project.Environments {
		site := &effects.Site{
			Project: project.Name, Environment: e.Name, Path: e.Path, Workspace: b.workspace(e.Workspace),
			Registries: func(string) (*effects.Registry, error) { return &effects.Registry{Registry: shared}, nil },
		}
		sites[e.Name] = site
		books[e.Name] = ledger.Open(ledger.NewWorkspace(site.Workspace, site.Ledger()), ledger.Options{
			By: ledger.Author{Random: process}, Actor: "user:" + process, Now: site.Now,
			Wait: func(ctx context.Context, n int) error { return hasten(ctx, time.Duration(n)*20*time.Millisecond) },
		})
	}
	w.Site = func(name string) (*effects.Site, error) { return sites[name], nil }
	w.Ledger = func(name string) (*ledger.Ledger, error) { return books[name], nil }
	return w
}

func (b *bench) note(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notes = append(b.notes, line)
}

// story is what all processes said, for failures.
func (b *bench) story() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.notes, "\n")
}

func (b *bench) promote(process, name, to string) (*release.Promoted, error) {
	return b.world(process).Promote(b.t.Context(), release.Request{Release: name, Environment: to})
}

// promoted promotes and must succeed.
func (b *bench) promoted(name, to string) {
	b.t.Helper()
	if _, err := b.promote("ci", name, to); err != nil {
		b.t.Fatalf("promoting %s to %s: %v\n%s", name, to, err, b.story())
	}
}

func (b *bench) rollback(process string, r release.Return) (*release.RolledBack, error) {
	return b.world(process).Rollback(b.t.Context(), r)
}

// state is the ledger's fold, as a new process reads it.
func (b *bench) state(environment string) ledger.State {
	b.t.Helper()
	book, _ := b.world("reader").Ledger(environment)
	head, err := book.Head(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return head.State
}

// intact verifies the chain of a ledger.
func (b *bench) intact(environment string) {
	b.t.Helper()
	book, _ := b.world("auditor").Ledger(environment)
	problems, err := book.Verify(b.t.Context())
	if err != nil || len(problems) > 0 {
		b.t.Fatalf("ledger of %s: %v %v", environment, problems, err)
	}
}

// standing are the versions in a stage, newest first.
func (b *bench) standing(stage string) string {
	b.t.Helper()
	all, err := b.registry().Holders(b.t.Context(), "m", stage)
	if err != nil {
		b.t.Fatal(err)
	}
	var numbers []string
	for _, v := range all {
		numbers = append(numbers, v.Number)
	}
	return strings.Join(numbers, " ")
}

// drift is what status says is not as the ledger has it.
func (b *bench) drift(environment string) []release.Drift {
	b.t.Helper()
	all, err := b.world("looker").Status(b.t.Context(), environment)
	if err != nil {
		b.t.Fatal(err)
	}
	return all[0].Drift
}
