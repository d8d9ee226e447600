//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox/jobs"
)

// passage is one command on its way: its calls so far, and where it dies.
type passage struct {
	host   string // on which it is taken to run; "": on its own
	rested bool   // its calls count from the end of its wait for an owner on
	dies   int    // at the call of this number, from 1; 0: at none
	after  bool   // the call takes effect
	during string // it dies when it asks how a run is going, while one of this notebook is

	calls   []string
	asked   func() // called when it has asked how a run is going
	proc    *os.Process
	begun   chan struct{} // closed when proc is known
	ended   chan struct{} // closed when the process is no more
	killed  bool
	awaited bool
}

// end is how a command ended.
type end struct {
	args  []string
	code  int // -1: killed
	out   string
	calls []string
	died  bool // at the call that its passage named
}

func (e end) String() string {
	return fmt.Sprintf("barge %s: exit %d\n%s", strings.Join(e.args, " "), e.code, e.out)
}

// kill ends the process as a power cut would, and returns when it is no more.
func (p *passage) kill() {
	<-p.begun
	p.killed = true
	_ = p.proc.Kill()
	<-p.ended
}

// counts tells whether a call is one of those that are counted. While a command waits for an owner it looks at the
// ledger as often as time lets it; what it does then begins with reading a recorded plan.
func (p *passage) counts(r *http.Request) bool {
	if p.rested && !p.awaited {
		p.awaited = r.Method != http.MethodGet || strings.Contains(r.URL.RawQuery, "plans%2F")
		return p.awaited
	}
	return true
}

// asks tells whether a call asks how a run is going.
func asks(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/runs/get") }

// runs tells whether a notebook is running.
func (y *yard) runs(workspace, notebook string) bool {
	return notebook != "" && slices.ContainsFunc(y.bench.sandbox.Twin(workspace).Jobs().Runs(), func(r jobs.Run) bool {
		return path.Base(r.Notebook) == notebook && r.Result == ""
	})
}

// through stands before the API of every twin.
func (y *yard) through(workspace string, api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := y.crowd.Load(); c != nil {
			c.serve(workspace, api, w, r)
			return
		}
		y.order.Lock()
		defer y.order.Unlock()
		p := y.passing
		if p == nil || !p.counts(r) {
			api.ServeHTTP(w, r)
			return
		}
		p.calls = append(p.calls, workspace+" "+r.Method+" "+r.URL.Path)
		if len(p.calls) == p.dies && !p.after {
			p.kill()
			panic(http.ErrAbortHandler)
		}
		answer := httptest.NewRecorder()
		api.ServeHTTP(answer, r)
		y.await(workspace, r.URL.Path, answer.Body.Bytes())
		if len(p.calls) == p.dies || asks(r) && y.runs(workspace, p.during) {
			p.kill()
			panic(http.ErrAbortHandler)
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
		if p.asked != nil && asks(r) {
			p.asked()
		}
	})
}

// await lets a run that was started come to its end before anything else happens, unless its notebook was told to
// wait.
func (y *yard) await(workspace, path string, answer []byte) {
	if !strings.HasSuffix(path, "/runs/submit") && !strings.HasSuffix(path, "/run-now") {
		return
	}
	var started struct {
		RunID int64 `json:"run_id"`
	}
	if y.holds.Load() || json.Unmarshal(answer, &started) != nil || started.RunID == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = y.bench.sandbox.Twin(workspace).Jobs().Wait(ctx, started.RunID) // what became of it the command will see
}

// barge runs the real command as a process of its own.
func (y *yard) barge(t *testing.T, args ...string) end { return y.pass(t, &passage{}, args...) }

func (y *yard) pass(t *testing.T, p *passage, args ...string) end {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "barge", args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = y.dir, y.environ("BARGE_HOST="+p.host), &out, &out
	p.begun, p.ended = make(chan struct{}), make(chan struct{})
	y.watch(p)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.proc = cmd.Process
	close(p.begun)
	_ = cmd.Wait() // its code tells
	close(p.ended)
	y.watch(nil)
	if ctx.Err() != nil {
		t.Fatalf("barge %s does not end:\n%s", strings.Join(args, " "), out.String())
	}
	return end{args: args, code: cmd.ProcessState.ExitCode(), out: out.String(), calls: p.calls, died: p.killed}
}

func (y *yard) watch(p *passage) {
	y.order.Lock()
	defer y.order.Unlock()
	y.passing = p
}

func (y *yard) environ(more ...string) []string {
	env := append(os.Environ(), "BARGE_SANDBOX=1", "BARGE_TERMS="+y.terms, "GORACE=atexit_sleep_ms=0", "GOGC=off", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=Test", "GIT_AUTHOR_EMAIL=test@barge.invalid", "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z",
		"GIT_COMMITTER_NAME=Test", "GIT_COMMITTER_EMAIL=test@barge.invalid", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
	return append(env, more...)
}

// must runs a command that is to end well.
func (y *yard) must(t *testing.T, args ...string) {
	t.Helper()
	if e := y.barge(t, args...); e.code != 0 {
		t.Fatal(e)
	}
}

func (y *yard) git(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir, cmd.Env = y.dir, y.environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
