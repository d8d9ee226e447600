package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// clock is a clock that stands still until it is moved.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	timers  []*timer
	changed chan struct{} // closed when there is a new timer
}

type timer struct {
	at time.Time
	f  func()
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC), changed: make(chan struct{})}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration, f func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{at: c.now.Add(d), f: f}
	c.timers = append(c.timers, t)
	close(c.changed)
	c.changed = make(chan struct{})
	return func() { c.drop(t) }
}

func (c *clock) drop(t *timer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.timers, t)
	if i < 0 {
		return false
	}
	c.timers = slices.Delete(c.timers, i, i+1)
	return true
}

// has waits until n timers are set.
func (c *clock) has(ctx context.Context, n int) error {
	for {
		c.mu.Lock()
		set, changed := len(c.timers), c.changed
		c.mu.Unlock()
		if set >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pass lets d go by and calls what falls due, in order, each at its own time.
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	end := c.now.Add(d)
	c.mu.Unlock()
	for {
		c.mu.Lock()
		var due *timer
		for _, t := range c.timers {
			if !t.at.After(end) && (due == nil || t.at.Before(due.at)) {
				due = t
			}
		}
		if due == nil {
			c.now = end
			c.mu.Unlock()
			return
		}
		if due.at.After(c.now) {
			c.now = due.at
		}
		c.mu.Unlock()
		if c.drop(due) {
			due.f()
		}
	}
}

// twin is a service behind HTTP.
type twin struct {
	*Service
	t     *testing.T
	http  *httptest.Server
	clock *clock
	exec  *Canned
	cfg   Config
}

func newTwin(t *testing.T, change ...func(*Config)) *twin {
	t.Helper()
	w := &twin{t: t, clock: newClock(), exec: &Canned{}}
	w.cfg = Config{
		Dir: t.TempDir(), WorkspaceID: 7, URL: "http://twin", User: "dev@example.com", Executor: w.exec,
		Now: w.clock.Now, After: w.clock.After,
	}
	for _, f := range change {
		f(&w.cfg)
	}
	w.open()
	t.Cleanup(w.shut)
	return w
}

func (w *twin) open() {
	w.t.Helper()
	s, err := New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	mux := &wire.Mux{}
	s.Routes(mux)
	w.Service, w.http = s, httptest.NewServer(mux)
}

func (w *twin) shut() {
	w.http.Close()
	if err := w.Close(); err != nil {
		w.t.Error(err)
	}
}

// call is one request; a path without a version is of 2.2. It returns "STATUS BODY".
func (w *twin) call(path, body string) string {
	w.t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	if !strings.HasPrefix(path, "2.") {
		path = "2.2/jobs/" + path
	}
	req, err := http.NewRequest(method, w.http.URL+"/api/"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, bytes.TrimSpace(b))
}

// want is call with its whole answer compared; line breaks and indents in the expected text do not count.
func (w *twin) want(path, body, answer string) {
	w.t.Helper()
	if diff := cmp.Diff(pretty(w.t, answer), pretty(w.t, w.call(path, body))); diff != "" {
		w.t.Errorf("%s %s (-want +got):\n%s", path, body, diff)
	}
}

func pretty(t *testing.T, answer string) string {
	t.Helper()
	status, body, _ := strings.Cut(answer, " ")
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%s: %s", err, body)
	}
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return status + "\n" + string(b)
}

// do is call for a request that must succeed; its answer is decoded into v.
func (w *twin) do(path, body string, v any) {
	w.t.Helper()
	answer, ok := strings.CutPrefix(w.call(path, body), "200 ")
	if !ok {
		w.t.Fatalf("%s %s: %s", path, body, answer)
	}
	if err := json.Unmarshal([]byte(answer), v); err != nil {
		w.t.Fatal(err)
	}
}

// id is the id that a request is answered with.
func (w *twin) id(path, body string) int64 {
	w.t.Helper()
	var ids map[string]int64
	w.do(path, body, &ids)
	for _, name := range []string{"run_id", "repair_id", "job_id"} {
		if ids[name] != 0 {
			return ids[name]
		}
	}
	w.t.Fatalf("%s %s: no id in %v", path, body, ids)
	return 0
}

func (w *twin) ctx() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	w.t.Cleanup(cancel)
	return ctx
}

func (w *twin) wait(run int64) {
	w.t.Helper()
	if err := w.Wait(w.ctx(), run); err != nil {
		w.t.Fatal(err)
	}
}

func (w *twin) begun(n int) {
	w.t.Helper()
	if err := w.exec.Begun(w.ctx(), n); err != nil {
		w.t.Fatalf("waiting for attempt %d: %v", n, err)
	}
}

// state is a run's and its tasks' old and new states, in a line each: "KEY#ATTEMPT LIFE RESULT STATUS CODE".
func (w *twin) state(run int64) string {
	w.t.Helper()
	type part struct {
		Key     string    `json:"task_key"`
		Attempt int       `json:"attempt_number"`
		State   stateView `json:"state"`
		Status  struct {
			State string      `json:"state"`
			Ended detailsView `json:"termination_details"`
		} `json:"status"`
	}
	var v struct {
		part
		Tasks []part `json:"tasks"`
	}
	w.do(fmt.Sprintf("runs/get?run_id=%d", run), "", &v)
	var lines []string
	for i, p := range append([]part{v.part}, v.Tasks...) {
		name := "run"
		if i > 0 {
			name = fmt.Sprintf("%s#%d", p.Key, p.Attempt)
		}
		lines = append(lines, strings.Join(strings.Fields(strings.Join([]string{name, p.State.Life, p.State.Result, p.Status.State, p.Status.Ended.Code}, " ")), " "))
	}
	return strings.Join(lines, "\n")
}

func (w *twin) wantState(run int64, lines ...string) {
	w.t.Helper()
	if diff := cmp.Diff(strings.Join(lines, "\n"), w.state(run)); diff != "" {
		w.t.Errorf("run %d (-want +got):\n%s", run, diff)
	}
}

// failsOn answers an AssertionError for the notebooks named.
func failsOn(notebooks ...string) func(Attempt) Outcome {
	return func(a Attempt) Outcome {
		if slices.Contains(notebooks, a.NotebookPath) {
			return Outcome{Result: Failed, Error: "AssertionError: too low", Trace: "Traceback …"}
		}
		return Outcome{Result: Success}
	}
}

// one is a request for a one-off run of a notebook, with more fields of the task.
func one(notebook, more string) string {
	return `{"run_name":"r","tasks":[{"task_key":"main","notebook_task":{"notebook_path":"` + notebook + `"}` + more + `}]}`
}

// nightly is a job of one notebook, with more fields of the job.
func nightly(more string) string {
	return `{"name":"nightly","tasks":[{"task_key":"main","notebook_task":{"notebook_path":"/n"}}]` + more + `}`
}
