package release_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content/memory"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/registry"
	"github.com/bargeml/barge/internal/transport"
	"github.com/bargeml/barge/release"
)

// simProject is the project of all simulations: two environments on one model, and releases that differ in everything
// that a pointer can differ in. It is built once and never changes.
type simProject struct {
	*environments.Project
	source
	releases []ledger.Release
	commits  []string // oldest first
	blobs    []simBlob
	names    map[string]ocispec.Descriptor
	cloud    *cloud
}

type simBlob struct {
	at   ocispec.Descriptor
	body []byte
}

const simTest = testEnvironment + `environment "prod" {
  follows   = [environment.test]
  workspace = workspace.prod
  path      = "/Barge/p"
`

const simSlot = `
  model "m" {
    stage            = "Production"
    archive_existing = %t
  }
`

const simScore = `
  score %q {
    notebook = "score"
    schedule = { cron = "0 0 %d * * ?", timezone = "UTC" }
    expect "rows" {
      that = output.rows > 0
    }
  }
`

// simReleases are the parts of prod that releases differ in, with the version of the model.
var simReleases = []struct{ version, prod string }{
	{"1", fmt.Sprintf(simSlot, true) + fmt.Sprintf(simScore, "nightly", 1)},
	{"2", fmt.Sprintf(simSlot, false) + fmt.Sprintf(simScore, "nightly", 2)},
	{"2", fmt.Sprintf(simSlot, true) + fmt.Sprintf(simScore, "nightly", 3) + fmt.Sprintf(simScore, "weekly", 4)},
	{"3", fmt.Sprintf(simSlot, true)},
	{"3", fmt.Sprintf(simScore, "nightly", 5)},
}

// theProject builds it.
var theProject = sync.OnceValues(func() (*simProject, error) {
	dir, err := os.MkdirTemp("", "barge-sim-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	p := &simProject{source: source{dir: dir}, names: map[string]ocispec.Descriptor{}}
	p.cloud = &cloud{
		files: map[string]simFile{"test:/": {kind: "DIRECTORY"}, "prod:/": {kind: "DIRECTORY"}},
		jobs:  map[int64]simJob{}, runs: map[int64]simRun{}, tags: map[string]string{},
		stages: map[string]string{"1": "None", "2": "None", "3": "None", "4": "None"},
	}
	store := artifacts.NewStore(&simStore{Store: memory.New(), kept: p, names: map[string]ocispec.Descriptor{}}, "memory")
	if err := p.git("init", "-q"); err != nil {
		return nil, err
	}
	for i, r := range simReleases {
		if err := p.build(fmt.Sprintf("1.%d.0", i), r.version, simTest+r.prod+"}\n", store); err != nil {
			return nil, err
		}
	}
	// What counts where barge runs has every score: the rules are the same for all releases.
	if err := p.write("barge.hcl", where+simTest+simReleases[2].prod+"}\n"); err != nil {
		return nil, err
	}
	p.Project, err = p.load()
	return p, err
})

func (p *simProject) build(name, version, text string, store *artifacts.Store) error {
	ctx, shared := context.Background(), registry.NewWorkspace(simClient("registry", honestWire{p.cloud}, transport.Sleep))
	made, err := p.source.build(ctx, name, version, text, map[string]string{"check": "", "score": ""}, store, shared)
	if err != nil {
		return err
	}
	provenance, err := store.Provenance(ctx, made.ID)
	if err != nil {
		return err
	}
	p.commits = append(p.commits, provenance[0].Commit)
	p.releases = append(p.releases, ledger.Release{Name: made.Name, Artifact: made.ID})
	return nil
}

// age orders commits as the history does.
func (p *simProject) age(a, b string) (artifacts.Order, error) {
	switch i, j := slices.Index(p.commits, a), slices.Index(p.commits, b); {
	case i == j:
		return artifacts.Same, nil
	case i > j:
		return artifacts.Newer, nil
	}
	return artifacts.Older, nil
}

// simStore is a store of artifacts in memory. Where kept is set, what is put into it is put there, too.
type simStore struct {
	*memory.Store
	kept  *simProject
	mu    sync.Mutex
	names map[string]ocispec.Descriptor
}

// Push keeps a blob.
func (s *simStore) Push(ctx context.Context, at ocispec.Descriptor, body io.Reader) error {
	if s.kept == nil {
		return s.Store.Push(ctx, at, body)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if err := s.Store.Push(ctx, at, bytes.NewReader(b)); err != nil {
		return err
	}
	s.kept.blobs = append(s.kept.blobs, simBlob{at, b})
	return nil
}

// Tag gives a blob a name.
func (s *simStore) Tag(ctx context.Context, at ocispec.Descriptor, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[name] = at
	if s.kept != nil {
		s.kept.names[name] = at
	}
	return s.Store.Tag(ctx, at, name)
}

// Tags lists the names.
func (s *simStore) Tags(_ context.Context, last string, fn func([]string) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Sorted(maps.Keys(s.names))
	return fn(slices.DeleteFunc(names, func(name string) bool { return name <= last }))
}

// store is a store of its own for one simulation.
func (p *simProject) store(t *testing.T) *artifacts.Store {
	t.Helper()
	s := &simStore{Store: memory.New(), names: map[string]ocispec.Descriptor{}}
	for _, b := range p.blobs {
		if err := s.Push(context.Background(), b.at, bytes.NewReader(b.body)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.names)) {
		if err := s.Tag(context.Background(), p.names[name], name); err != nil {
			t.Fatal(err)
		}
	}
	return artifacts.NewStore(s, "memory")
}

func simClient(name string, wire http.RoundTripper, sleep func(context.Context, time.Duration) error) *databricks.Workspace {
	return databricks.Open(databricks.Options{
		Name: name, Host: "https://" + name + ".test", Sleep: sleep,
		Transport: transport.New(transport.Options{Base: wire, Sleep: sleep, Jitter: func() float64 { return 0.5 }}),
		Token:     func(context.Context) (string, time.Time, error) { return "token", time.Time{}, nil },
	})
}

// honestWire answers reads of one moment at once.
type honestWire struct{ cloud *cloud }

// RoundTrip answers.
func (w honestWire) RoundTrip(r *http.Request) (*http.Response, error) {
	a := w.cloud.look(simRequest{"registry", r.Method, r.URL.Path, r.URL.Query(), nil}, time.Now())
	return &http.Response{
		StatusCode: a.status, Request: r, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
	}, nil
}

// world is barge as the process has it.
func (p *process) world(store *artifacts.Store) *release.World {
	project := p.s.project
	w := &release.World{
		Project: project.Project, Store: store, Terms: ledger.DefaultTerms, Clocks: p.clocks, Sleep: p.sleep, Dead: p.dead, Age: project.age,
		Note: func(string, ...any) {},
	}
	client := func(name string) *databricks.Workspace { return simClient(name, simWire{p, name}, p.sleep) }
	shared := registry.NewWorkspace(client("registry"))
	sites, books := map[string]*effects.Site{}, map[string]*ledger.Ledger{}
	for _, e := range project.Environments {
		site := &effects.Site{
			Project: project.Name, Environment: e.Name, Path: e.Path, Workspace: client(e.Workspace), Imports: 1,
			Registries: func(string) (*effects.Registry, error) { return &effects.Registry{Registry: shared}, nil },
		}
		sites[e.Name] = site
		books[e.Name] = ledger.Open(ledger.NewWorkspace(site.Workspace, site.Ledger()), ledger.Options{
			By: p.author(), Actor: "user:" + p.String(), Now: site.Now,
			Wait: func(ctx context.Context, n int) error {
				return p.sleep(ctx, min(2*time.Second, 50*time.Millisecond<<min(n-1, 10)))
			},
		})
	}
	w.Site = func(name string) (*effects.Site, error) { return sites[name], nil }
	w.Ledger = func(name string) (*ledger.Ledger, error) { return books[name], nil }
	return w
}
