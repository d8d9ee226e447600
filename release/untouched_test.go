package release_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/internal/sandbox/sandboxtest"
	"github.com/bargeml/barge/release"
)

// judged is one environment with a gate, a slot, a job, operators and rights on its releases.
var judged = strings.NewReplacer("  path      =", "  operators = [\"group:on-call\"]\n  path      =", "  model \"m\"", `  deploy {
    permissions = { "group:data-scientists" = "CAN_RUN" }
  }
  gate "good" {
    notebook = "check"
    expect "accurate" {
      that = metrics.accuracy >= 0.5
    }
  }
  model "m"`).Replace(alone)

// change is a call that may change something.
type change struct{ twin, method, path, query, body string }

// reading are the calls that change nothing although they are no GET.
var reading = regexp.MustCompile(`^POST /api/2\.0/mlflow/registered-models/get-latest-versions$`)

// besides are the only changes that a promotion may make before its Begun: %s is the folder of the release. Everything
// is new and in a place of its own, or a right that is added, or the claim of a model.
func besides(folder string) []*regexp.Regexp {
	var all []*regexp.Regexp
	for _, allowed := range []string{
		`prod POST /api/2\.0/workspace/mkdirs  \{"path":"(/Barge/p(/ledger(/0)?|/plans|/artifacts|/releases)?|` + folder + `(/.*)?)"\}`,
		`prod POST /api/2\.0/workspace-files/import-file/Barge/p/(ledger|plans|artifacts)/\S+ overwrite=false .*`,
		`prod POST /api/2\.0/workspace-files/import-file` + folder + `/\S+ overwrite=true .*`,
		`prod POST /api/2\.0/workspace/import  \{.*"path":"` + folder + `/[^"]+".*\}`,
		`prod POST /api/2\.2/jobs/runs/submit  .*`,
		`(prod|registry) PATCH /api/2\.0/permissions/(directories|jobs|registered-models)/\w+  .*`,
		`registry POST /api/2\.0/mlflow/registered-models/set-tag  .*"key":"barge\.project".*`,
	} {
		all = append(all, regexp.MustCompile(`^`+allowed+`$`))
	}
	return all
}

// watched runs a promotion under a spy: what it changed before its Begun, what was live then, and whether there was one.
func (b *bench) watched(promote func()) (changes []change, live string, begun bool) {
	b.t.Helper()
	var mu sync.Mutex
	var looking bool
	b.watch(func(twin string, r *http.Request, body []byte) {
		mu.Lock()
		defer mu.Unlock()
		if looking || begun || r.Method == http.MethodGet || reading.MatchString(r.Method+" "+r.URL.Path) {
			return
		}
		if strings.Contains(r.URL.Path, "/Barge/p/ledger/") && isBegun(body) {
			begun, looking = true, true
			mu.Unlock()
			live = b.live()
			mu.Lock()
			looking = false
			return
		}
		changes = append(changes, change{twin, r.Method, r.URL.Path, r.URL.RawQuery, string(body)})
	})
	promote()
	b.watch(nil)
	if !begun {
		live = b.live()
	}
	return changes, live, begun
}

func isBegun(entry []byte) bool {
	var e struct{ Type string }
	return json.Unmarshal(entry, &e) == nil && e.Type == "Begun"
}

// live is all that is live in prod, in full: the job with its schedule, the model's tags, where its versions stand, the
// champion's folder to the last byte, and who may do what with each.
func (b *bench) live() string {
	b.t.Helper()
	var text strings.Builder
	get := func(twin, at string) {
		fmt.Fprintf(&text, "%s %s: %s\n", twin, at, b.get(twin, at))
	}
	get("prod", "/api/2.2/jobs/list?expand_tasks=true")
	get("registry", "/api/2.0/mlflow/registered-models/get?name=m")
	get("registry", "/api/2.0/mlflow/model-versions/search?filter="+url.QueryEscape("name='m'"))
	s := b.state("prod")
	if number := s.Job("job:nightly"); number != 0 {
		get("prod", fmt.Sprintf("/api/2.2/jobs/get?job_id=%d", number))
		get("prod", fmt.Sprintf("/api/2.0/permissions/jobs/%d", number))
	}
	if id, err := b.registry().ModelID(b.t.Context(), "m"); err == nil {
		get("registry", "/api/2.0/permissions/registered-models/"+id)
	}
	var job struct {
		Tasks []struct {
			Notebook struct {
				Path string `json:"notebook_path"`
			} `json:"notebook_task"`
		}
	}
	if v, ok := s.Champion.Values["job:nightly"]; ok && v.Decode(&job) == nil && len(job.Tasks) == 1 {
		b.liveFolder(path.Dir(job.Tasks[0].Notebook.Path), get)
	}
	return text.String()
}

// get is what a twin answers.
func (b *bench) get(twin, at string) string {
	b.t.Helper()
	w := b.twins.Twin(twin)
	var answer json.RawMessage
	if err := sandboxtest.Call(b.t.Context(), http.MethodGet, w.URL+at, w.Token, nil, &answer); err != nil {
		b.t.Error(err)
	}
	return string(answer)
}

func (b *bench) liveFolder(folder string, get func(twin, at string)) {
	b.t.Helper()
	w := b.workspace("prod")
	o, err := w.Stat(b.t.Context(), folder)
	if err != nil {
		b.t.Error(err)
		return
	}
	get("prod", fmt.Sprintf("/api/2.0/permissions/directories/%d", o.ID))
	get("prod", "/api/2.0/workspace/list?path="+folder)
	all, err := w.List(b.t.Context(), folder)
	if err != nil {
		b.t.Error(err)
	}
	for _, o := range all {
		if o.Kind != databricks.Directory {
			get("prod", "/api/2.0/workspace/export?format=SOURCE&path="+o.Path)
		}
	}
}

// TestNothingLiveIsTouchedBeforeBegun promotes in every way that does not and that does come to a Begun. Until then every
// call that changes something is on a list of those that add beside what is live; and all that is live is compared.
func TestNothingLiveIsTouchedBeforeBegun(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		before  func(b *bench) // once 1.0.0 is live
		release string         // "": 1.1.0
		want    error
		first   bool // nothing is live yet
	}{
		"promoted":      {},
		"the first one": {first: true},
		"gate failed":   {before: func(b *bench) { b.on("check", answering(0.1)) }, want: release.ErrGateFailed},
		"gate errored": {before: func(b *bench) {
			b.on("check", func(jobs.Attempt) jobs.Outcome {
				return jobs.Outcome{Result: jobs.Failed, Error: "RuntimeError: no lake"}
			})
		}, want: release.ErrErrored},
		"on hold":        {before: func(b *bench) { b.said(b.world("p").Hold(b.t.Context(), "prod", "month end")) }, want: release.ErrPending},
		"barred":         {before: func(b *bench) { b.said(b.world("p").Bar(b.t.Context(), "prod", "1.1.0", "", "no")) }, want: release.ErrPending},
		"older":          {before: func(b *bench) { b.promoted(b.build("1.2.0", b.register(), judged), "prod") }, want: release.ErrConflict},
		"drifted":        {before: func(b *bench) { b.stage("1", "Archived") }, want: release.ErrConflict},
		"nothing to do":  {release: "1.0.0"},
		"mended":         {release: "1.0.0", before: func(b *bench) { b.stage("1", "Archived") }},
		"other rules":    {before: func(b *bench) { b.rewrite(">= 0.5", ">= 0.4") }, want: release.ErrPending},
		"a right denied": {before: func(b *bench) { b.deny() }, want: databricks.ErrForbidden},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			name := c.release
			if !c.first {
				b.promoted(b.build("1.0.0", b.register(), judged), "prod")
			}
			if name == "" {
				name = "1.1.0"
				b.build(name, b.register(), strings.Replace(judged, "  deploy {", "  deploy {\n    bind = { \"# check\" = \"# checked\" }", 1))
			}
			if c.before != nil {
				c.before(b)
			}
			shown, err := b.world("looker").Plan(t.Context(), release.Request{Release: name, Environment: "prod"})
			if err != nil {
				t.Fatal(err)
			}
			before := b.live()
			var promoting error
			changes, after, begun := b.watched(func() { _, promoting = b.promote("ci", name, "prod") })
			if !errors.Is(promoting, c.want) {
				t.Fatalf("%v, want %v\n%s", promoting, c.want, b.story())
			}
			if want := c.want == nil && what != "nothing to do"; begun != want {
				t.Errorf("begun: %t", begun)
			}
			allowed := besides(shown.Plan.Folder)
			for _, call := range changes {
				if !call.is(allowed) {
					t.Errorf("before Begun: %+v", call)
				}
			}
			if c.first { // the model is claimed, and operators get their right on it
				before, after = unclaimed(before), unclaimed(after)
			}
			if before != after {
				t.Errorf("live at Begun (-before +then):\n%s", cmp.Diff(strings.Split(before, "\n"), strings.Split(after, "\n")))
			}
		})
	}
}

func (c change) is(allowed []*regexp.Regexp) bool {
	line := strings.Join([]string{c.twin, c.method, c.path, c.query, c.body}, " ")
	for _, a := range allowed {
		if a.MatchString(line) {
			return true
		}
	}
	return false
}

// unclaimed is what is live without whose model it is, and without rights.
func unclaimed(live string) string {
	var kept []string
	for line := range strings.SplitSeq(live, "\n") {
		if !strings.Contains(line, "/permissions/") {
			kept = append(kept, claim.ReplaceAllString(line, ""))
		}
	}
	return strings.Join(kept, "\n")
}

var claim = regexp.MustCompile(`,?"tags":\[\{"key":"barge.project","value":"p"\}\]|"last_updated_timestamp":[0-9]+`)

// said is what a person said, which must be understood.
func (b *bench) said(_ *release.Said, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// deny lets nobody give rights on folders.
func (b *bench) deny() {
	b.t.Helper()
	no := sandbox.Fault{Method: http.MethodPatch, Path: "/api/2.0/permissions/directories/", Action: sandbox.FaultStatus, Status: http.StatusForbidden, Times: -1}
	if err := b.twins.Twin("prod").Fault(no); err != nil {
		b.t.Fatal(err)
	}
}
