//go:build !windows

package python

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox/jobs"
)

// managed is the user's own environment, made on first use: a test that needs Python fails where it cannot be made.
var managed = sync.OnceValues(func() (Interpreter, error) {
	return Env{}.Ensure(context.Background(), os.Stderr)
})

// shared is the runtime of all tests but those that break theirs: its warm interpreter takes ten seconds to load.
var shared struct {
	once    sync.Once
	runtime *Runtime
	dir     string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.runtime != nil {
		if err := shared.runtime.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

func interpreter(t *testing.T) Interpreter {
	t.Helper()
	i, err := managed()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func warmRuntime(t *testing.T) *Runtime {
	t.Helper()
	i := interpreter(t)
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "barge-test-")
		if err != nil {
			t.Fatal(err)
		}
		shared.dir, shared.runtime = dir, NewRuntime(i, dir)
	})
	return shared.runtime
}

// quickRuntime is a warm one that loads little, for a test that needs one of its own.
func quickRuntime(t *testing.T, i Interpreter) *Runtime {
	t.Helper()
	r := NewRuntime(i, t.TempDir())
	r.warm.modules = []string{"IPython.core.interactiveshell"}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// coldRuntime runs every notebook in a new process: half a second, when it imports nothing heavy.
func coldRuntime(t *testing.T) *Runtime {
	t.Helper()
	return &Runtime{interpreter: interpreter(t)}
}

const token = "dapi-of-the-twin"

// stub is a twin as far as a notebook without mlflow sees one: files, and secrets over HTTP.
type stub struct {
	Twin
	secretCalls atomic.Int64
}

func newStub(t *testing.T, notebooks map[string]string) *stub {
	t.Helper()
	dir := t.TempDir()
	s := &stub{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/databricks-config" {
			fmt.Fprint(w, `{"workspace_id":"1"}`)
			return
		}
		s.secretCalls.Add(1)
		key := r.URL.Query().Get("key")
		switch {
		case r.Header.Get("Authorization") != "Bearer "+token:
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path != "/api/2.0/secrets/get" || key == "absent":
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no such secret"}`)
		default:
			value := "s3cret-" + r.URL.Query().Get("scope") + "-" + key
			if key == "p-host" {
				value = "http://" + r.Host
			}
			value = base64.StdEncoding.EncodeToString([]byte(value))
			_ = json.NewEncoder(w).Encode(map[string]string{"key": key, "value": value})
		}
	}))
	t.Cleanup(server.Close)
	s.Twin = Twin{
		URL: server.URL, Token: token, Dir: filepath.Join(dir, "runs"), Workspace: filepath.Join(dir, "workspace"),
		DBFS: filepath.Join(dir, "dbfs"), Volumes: filepath.Join(dir, "Volumes"),
	}
	for _, folder := range []string{s.Workspace, s.DBFS, s.Volumes} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, content := range notebooks {
		s.put(t, path, content)
	}
	return s
}

func (s *stub) put(t *testing.T, path, content string) {
	t.Helper()
	file := filepath.Join(s.Workspace, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s *stub) run(t *testing.T, r *Runtime, a jobs.Attempt) jobs.Outcome {
	t.Helper()
	return s.runContext(t.Context(), r, a)
}

func (s *stub) runContext(ctx context.Context, r *Runtime, a jobs.Attempt) jobs.Outcome {
	if a.RunID == 0 {
		a.RunID = 1
	}
	return r.Executor(func() Twin { return s.Twin }).Execute(ctx, a)
}

// notebook writes cells in source format.
func notebook(cells ...string) string {
	return "# Databricks notebook source\n" + strings.Join(cells, "\n\n# COMMAND ----------\n\n")
}

// magic writes a cell that starts with a magic as source format has it.
func magic(lines ...string) string {
	return "# MAGIC " + strings.Join(lines, "\n# MAGIC ")
}

// stdout is what the cells printed, in one piece.
func stdout(o jobs.Outcome) string {
	var all strings.Builder
	for _, c := range o.Cells {
		all.WriteString(c.Stdout)
	}
	return all.String()
}

// eventually polls, since a process ends when the kernel says so.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within two minutes: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// pids reads the pids that a notebook wrote into a file of DBFS, one per line, once there are as many.
func (s *stub) pids(t *testing.T, name string, count int) []int {
	t.Helper()
	var pids []int
	eventually(t, fmt.Sprintf("%d pids in %s", count, name), func() bool {
		content, _ := os.ReadFile(filepath.Join(s.DBFS, name))
		if strings.Count(string(content), "\n") < count {
			return false
		}
		pids = nil
		for line := range strings.Lines(string(content)) {
			var pid int
			if _, err := fmt.Sscan(line, &pid); err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		return true
	})
	return pids
}
