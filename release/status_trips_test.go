package release_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/registry"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/internal/transport"
	"github.com/bargeml/barge/release"
)

// uatEnvironment stands between the two others, and prod follows it.
const uatEnvironment = `
environment "uat" {
  follows   = [environment.test]
  workspace = workspace.test
  path      = "/Barge/uat"
  score "weekly" {
    notebook  = "score"
    schedule  = { cron = "0 0 2 ? * MON", timezone = "UTC" }
    first_run = "scheduled"
  }
  gate "good" {
    notebook = "check"
    expect "accurate" {
      that = metrics.accuracy >= 0.5
    }
  }
}
`

// line is a wire to twins on which every call takes a while, and that remembers when each began.
type line struct {
	latency time.Duration

	mu    sync.Mutex
	calls []time.Time
}

type wire struct {
	*line
	twin http.Handler
}

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.calls = append(w.calls, time.Now())
	w.mu.Unlock()
	time.Sleep(w.latency)
	served := r.Clone(r.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	w.twin.ServeHTTP(rec, served)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

// trips are how many calls there were, and how many at most followed one another.
func (l *line) trips() (inSequence, inAll int) {
	var free time.Time
	for _, began := range slices.SortedFunc(slices.Values(l.calls), time.Time.Compare) {
		if !began.Before(free) {
			inSequence++
			free = began.Add(l.latency)
		}
	}
	return inSequence, len(l.calls)
}

// afar is barge at the end of that line, opening ledgers as the command does.
func (b *bench) afar(l *line) *release.World {
	client := func(name string) *databricks.Workspace {
		twin := b.twins.Twin(name)
		return databricks.Open(databricks.Options{
			Name: name, Host: twin.URL, Transport: transport.New(transport.Options{Base: wire{l, twin}}),
			Token: func(context.Context) (string, time.Time, error) { return twin.Token, time.Time{}, nil },
		})
	}
	w := b.world("reader")
	shared := registry.NewWorkspace(client("registry"))
	sites := map[string]*effects.Site{}
	opened := map[string]func() (*ledger.Ledger, error){}
	for _, e := range w.Project.Environments {
		site := &effects.Site{
			Project: w.Project.Name, Environment: e.Name, Path: e.Path, Workspace: client(e.Workspace),
			Registries: func(string) (*effects.Registry, error) { return &effects.Registry{Registry: shared}, nil },
		}
		sites[e.Name] = site
		opened[e.Name] = sync.OnceValues(func() (*ledger.Ledger, error) {
			actor, err := site.Principal(context.Background())
			return ledger.Open(ledger.NewWorkspace(site.Workspace, site.Ledger()), ledger.Options{Actor: actor, Now: site.Now}), err
		})
	}
	w.Site = func(name string) (*effects.Site, error) { return sites[name], nil }
	w.Ledger = func(name string) (*ledger.Ledger, error) { return opened[name]() }
	return w
}

// sheaf is a ledger's store that keeps the newest files alone, and hands the first of each folder and those at the end
// to the real one: what stands between is not read by who only wants to know what is.
type sheaf struct {
	ledger.Store
	kept map[string][]byte
	last int
}

func (s *sheaf) Create(ctx context.Context, name string, body []byte) error {
	s.last++
	s.kept[name] = body
	delete(s.kept, ledger.Name(s.last-200))
	if s.last%100 == 0 {
		return s.Store.Create(ctx, name, body)
	}
	return nil
}

func (s *sheaf) Read(ctx context.Context, name string) ([]byte, error) {
	if body, ok := s.kept[name]; ok {
		return body, nil
	}
	return s.Store.Read(ctx, name)
}

// end hands on what the newest folder holds.
func (s *sheaf) end(ctx context.Context) error {
	for seq := s.last/100*100 + 1; seq <= s.last; seq++ {
		if body := s.kept[ledger.Name(seq)]; body != nil {
			if err := s.Store.Create(ctx, ledger.Name(seq), body); err != nil {
				return err
			}
		}
	}
	return nil
}

// grow appends releases to an environment's ledger that have the pointers of its champion, each as a promotion does.
func (b *bench) grow(environment string, releases int) {
	b.t.Helper()
	ctx := b.t.Context()
	w := b.world("ci")
	site, _ := w.Site(environment)
	id, err := site.Workspace.ID(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	where := gates.Environment{Name: environment, Host: site.Workspace.Host(), WorkspaceID: strconv.FormatInt(id, 10)}
	store := ledger.NewWorkspace(site.Workspace, site.Ledger())
	kept := &sheaf{Store: store, kept: map[string][]byte{}, last: b.state(environment).Seq}
	at := time.Now().UTC().Add(-time.Duration(releases) * time.Hour).Truncate(time.Second)
	book := ledger.Open(kept, ledger.Options{By: ledger.Author{Random: "past"}, Actor: "user:ci", Now: func() time.Time { return at }})
	add := func(body func(ledger.State) ledger.Body) {
		if _, err := book.Append(ctx, func(s ledger.State) (ledger.Body, error) { return body(s), nil }); err != nil {
			b.t.Fatal(err)
		}
	}
	plan, err := site.Recorded(ctx, "plans", b.state(environment).Champion.Plan)
	if err != nil {
		b.t.Fatal(err)
	}
	for n := range releases {
		at = at.Add(time.Hour)
		sum := sha256.Sum256(fmt.Append(nil, n))
		artifact := "sha256:" + hex.EncodeToString(sum[:])
		name := fmt.Sprintf("2.%d.0", n)
		for _, g := range w.Project.Environment(environment).Gates {
			add(func(s ledger.State) ledger.Body {
				e := gates.Evidence{
					Subject: artifact, Name: "p " + name, Gate: g.Name, Outcome: gates.Passed, Attempt: 1, Environment: where,
					Rules: s.Rules.Digest, Champion: gates.Champion{Environment: environment, Artifact: s.Champion.Release.Artifact}, At: at,
				}
				statement, err := e.Encode()
				if err != nil {
					b.t.Fatal(err)
				}
				return ledger.Evidence{
					Token: environment + name, Gate: g.Name, Release: name, Artifact: artifact, Outcome: "passed", Attempt: 1,
					Rules: s.Rules.Digest, Champion: e.Champion.Artifact, Statement: statement,
				}
			})
		}
		add(func(s ledger.State) ledger.Body {
			c := s.Champion
			r := ledger.Release{Name: name, Artifact: artifact, Models: c.Release.Models}
			return ledger.Begun{
				Why: ledger.Start, Plan: artifact, Release: r, To: c.Values, Seen: s.Decision, Rules: s.Rules, Judges: c.Judges,
			}
		})
		add(func(s ledger.State) ledger.Body { return ledger.Live{Of: s.Flight.Seq, Values: s.LiveValues()} })
		add(func(s ledger.State) ledger.Body {
			if s.IsProven() {
				return nil
			}
			return ledger.Proven{Live: s.Champion.Live, How: ledger.Judged}
		})
		if n == releases-1 {
			if err := site.Record(ctx, "plans", artifact, plan); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	if err := kept.end(ctx); err != nil {
		b.t.Fatal(err)
	}
}

// looked is a project of three environments whose ledgers know so many releases; prod is one behind.
func looked(t testing.TB, releases int) *bench {
	b := newBench(t)
	b.on("check", func(a jobs.Attempt) jobs.Outcome {
		if a.Parameters["barge_environment"] == "uat" { // which has no model
			return jobs.Outcome{Result: jobs.Success, ExitValue: `{"metrics": {"accuracy": 0.9}}`, Exited: true}
		}
		return answering(0.9)(a)
	})
	prod := prodEnvironment + uatEnvironment
	name := b.build("1.0.0", b.register(), testEnvironment+prod)
	for _, environment := range []string{"test", "uat", "prod"} {
		b.promoted(name, environment)
		n := releases
		if environment == "prod" {
			n--
		}
		b.grow(environment, n)
	}
	return b
}

// However much the ledgers hold, status asks the same few things, and all that it can at the same time.
func TestStatusAsksLittle(t *testing.T) {
	t.Parallel()
	for _, releases := range []int{2, 30} {
		b := looked(t, releases)
		synctest.Test(t, func(t *testing.T) {
			l := &line{latency: 50 * time.Millisecond}
			w := b.afar(l)
			began := time.Now()
			all, err := w.Status(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			told(t, all, releases)
			inSequence, inAll := l.trips()
			if waited := time.Since(began); waited != time.Duration(inSequence)*l.latency {
				t.Errorf("%d releases: it waited %s for %d calls, one after another", releases, waited, inSequence)
			}
			if inSequence != 8 || inAll != 31 {
				t.Errorf("%d releases: %d round trips in sequence, %d in all; want 8 and 31", releases, inSequence, inAll)
			}
		})
	}
}

// told checks that the status counted is the whole one.
func told(t testing.TB, all []release.Status, releases int) {
	t.Helper()
	test, prod := all[0], all[1]
	for _, st := range all {
		if st.Problem != "" || len(st.Problems) > 0 || len(st.Drift) > 0 {
			t.Errorf("%s: %s %s %v", st.Environment, st.Problem, st.Problems, st.Drift)
		}
	}
	if want := fmt.Sprintf("2.%d.0", releases-1); test.Release.Name != want || len(prod.Candidates) != 1 || prod.Candidates[0].Release.Name != want ||
		len(prod.Candidates[0].Waits) != 0 || len(prod.Scorings) != 1 {
		t.Errorf("test %s; prod %s, %+v, %+v", test.Release, prod.Release, prod.Candidates, prod.Scorings)
	}
}

func BenchmarkStatus(b *testing.B) {
	const releases = 1000
	bench := looked(b, releases)
	for b.Loop() {
		l := &line{latency: 50 * time.Millisecond}
		w := bench.afar(l)
		began := time.Now()
		all, err := w.Status(b.Context(), "")
		took := time.Since(began)
		if err != nil {
			b.Fatal(err)
		}
		told(b, all, releases)
		inSequence, inAll := l.trips()
		b.Logf("3 environments, %d releases each: round trips: %d in sequence, %d in all; %d ms at 50 ms latency", releases, inSequence, inAll, took.Milliseconds())
	}
}
