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
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

// yard is a project over twins that can be put back to how it was, and that sees every call of a command.
type yard struct {
	dir      string
	terms    string // of BARGE_TERMS
	bench    bench
	registry *taped
	kept     int   // how many berths were kept
	fresh    berth // nothing was promoted to prod
	used     berth // 1.0.0 and then 1.1.0 were

	order   sync.Mutex // calls of all twins, one at a time
	passing *passage   // of the command that runs; nil: the calls are the test's own

	crowd atomic.Pointer[crowd] // takes the calls of several commands at once; nil: there is one
}

// passage is one command on its way: its calls so far, and where it dies.
type passage struct {
	calls  []string
	dies   int  // at the call of this number, from 1; 0: at none
	after  bool // the call takes effect
	proc   *os.Process
	begun  chan struct{} // closed when proc is known
	ended  chan struct{} // closed when the process is no more
	killed bool
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
		if p == nil {
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
		if len(p.calls) == p.dies {
			p.kill()
			panic(http.ErrAbortHandler)
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// await lets a run that was started come to its end before anything else happens.
func (y *yard) await(workspace, path string, answer []byte) {
	if !strings.HasSuffix(path, "/runs/submit") && !strings.HasSuffix(path, "/run-now") {
		return
	}
	var started struct {
		RunID int64 `json:"run_id"`
	}
	if json.Unmarshal(answer, &started) == nil && started.RunID != 0 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = y.bench.sandbox.Twin(workspace).Jobs().Wait(ctx, started.RunID) // what became of it the command will see
	}
}

// barge runs the real command as a process of its own.
func (y *yard) barge(t *testing.T, args ...string) end { return y.pass(t, &passage{}, args...) }

func (y *yard) pass(t *testing.T, p *passage, args ...string) end {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "barge", args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = y.dir, y.environ(), &out, &out
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

func (y *yard) environ() []string {
	return append(os.Environ(), "BARGE_SANDBOX=1", "BARGE_TERMS="+y.terms, "GORACE=atexit_sleep_ms=0", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=Test", "GIT_AUTHOR_EMAIL=test@barge.invalid", "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z",
		"GIT_COMMITTER_NAME=Test", "GIT_COMMITTER_EMAIL=test@barge.invalid", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
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

// taped is a registry in memory that can be put back: it remembers what it was asked to change.
type taped struct {
	mlflow.Backend
	mu   sync.Mutex
	tape []taping
}

type taping struct {
	workspace string
	call      mlflow.Call
}

func (r *taped) Do(ctx context.Context, workspace string, call mlflow.Call) (mlflow.Answer, error) {
	r.mu.Lock()
	if call.Method != http.MethodGet {
		r.tape = append(r.tape, taping{workspace, call})
	}
	r.mu.Unlock()
	return r.Backend.Do(ctx, workspace, call)
}

// Close leaves what it holds to the next sandbox.
func (r *taped) Close() error { return nil }

func (r *taped) play(t *testing.T, tape []taping) {
	t.Helper()
	r.Backend, r.tape = mlflow.Light(), nil
	for _, c := range tape {
		if _, err := r.Do(t.Context(), c.workspace, c.call); err != nil {
			t.Fatal(err)
		}
	}
}

// berth is a moment of a yard to come back to: the twins' state, the store, the registry.
type berth struct {
	dir  string
	tape []taping
}

func (y *yard) state() string { return filepath.Join(y.dir, ".barge") }

// keep remembers the present moment. No call and no run may be on its way.
func (y *yard) keep(t *testing.T) berth {
	t.Helper()
	y.kept++
	b := berth{filepath.Join(filepath.Dir(y.dir), fmt.Sprintf("berth%d", y.kept)), y.registry.tape}
	if err := os.CopyFS(b.dir, os.DirFS(y.state())); err != nil {
		t.Fatal(err)
	}
	return b
}

// back puts the yard back to a moment.
func (y *yard) back(t *testing.T, b berth) {
	t.Helper()
	y.down(t)
	if err := os.RemoveAll(y.state()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(y.state(), os.DirFS(b.dir)); err != nil {
		t.Fatal(err)
	}
	y.registry.play(t, b.tape)
	y.up(t)
}

func (y *yard) forget(t *testing.T, b berth) {
	t.Helper()
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
}

func (y *yard) up(t *testing.T) {
	t.Helper()
	var err error
	y.bench.sandbox, err = sandbox.Start(t.Context(), sandbox.Config{
		Dir: filepath.Join(y.state(), "sandbox"), Workspaces: []string{"test", "prod", "registry"},
		Executor: &y.bench.notebooks, MLflow: y.registry, Through: y.through,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (y *yard) down(t *testing.T) {
	t.Helper()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections() //nolint:forcetypeassert // nobody has changed it
	if y.bench.sandbox == nil {
		return
	}
	if err := y.bench.sandbox.Close(); err != nil {
		t.Fatal(err)
	}
	y.bench.sandbox = nil
	// A process that is being forked has the folder's lock, too, until it is the command that it shall be.
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
}
