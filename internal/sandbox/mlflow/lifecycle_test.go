package mlflow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/bargeml/barge/internal/sandbox/wire"
)

// child is a stand-in for the server's process: it answers on the socket that its command line names.
type child struct {
	server *http.Server
	ended  chan struct{}
	once   sync.Once
}

func (c *child) Wait() error {
	<-c.ended
	return errors.New("exit status 3")
}

func (c *child) Kill() error {
	c.once.Do(func() {
		_ = c.server.Close()
		close(c.ended)
	})
	return nil
}

// starter counts starts and keeps what it started.
type starter struct {
	mu       sync.Mutex
	children []*child
	spaces   []string // made in them
	answer   http.HandlerFunc
}

func (s *starter) start(_ context.Context, c mlflow.Command) (mlflow.Child, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := net.Listen("unix", c.Argv[slices.Index(c.Argv, "--uds")+1])
	if err != nil {
		return nil, err
	}
	m := http.NewServeMux()
	m.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "OK") })
	m.HandleFunc("POST /api/3.0/mlflow/workspaces", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.spaces = append(s.spaces, string(b))
		w.WriteHeader(http.StatusCreated)
	})
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if s.answer != nil {
			s.answer(w, r)
			return
		}
		fmt.Fprintf(w, `{"path":%q,"workspace":%q}`, r.URL, r.Header.Get("X-MLFLOW-WORKSPACE"))
	})
	ch := &child{server: &http.Server{Handler: m, ReadHeaderTimeout: time.Minute}, ended: make(chan struct{})}
	go func() { _ = ch.server.Serve(l) }()
	s.children = append(s.children, ch)
	return ch, nil
}

func (s *starter) server(t *testing.T, start func(context.Context, mlflow.Command) (mlflow.Child, error)) *mlflow.Server {
	t.Helper()
	server := mlflow.NewServer(mlflow.ServerConfig{
		Dir: t.TempDir(), Python: func(context.Context) (string, error) { return "/usr/bin/python3", nil }, Start: start,
	})
	t.Cleanup(func() { _ = server.Close() })
	return server
}

func get(server *mlflow.Server, space string) (string, error) {
	a, err := server.Do(context.Background(), space, mlflow.Call{Method: "GET", Path: "2.0/mlflow/x", Query: map[string][]string{"a": {"b c"}}})
	return string(a.Body), err
}

func TestOneStart(t *testing.T) {
	t.Parallel()
	s := &starter{}
	server := s.server(t, s.start)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			space := []string{"dev", "prod"}[i%2]
			got, err := get(server, space)
			if want := fmt.Sprintf(`{"path":"/api/2.0/mlflow/x?a=b+c","workspace":%q}`, space); got != want || err != nil {
				t.Errorf("answered %s %v, want %s", got, err, want)
			}
		})
	}
	wg.Wait()
	slices.Sort(s.spaces)
	if want := []string{`{"name":"dev"}`, `{"name":"prod"}`}; len(s.children) != 1 || !slices.Equal(s.spaces, want) {
		t.Errorf("%d starts and workspaces %v, want 1 and %v", len(s.children), s.spaces, want)
	}

	// A server that died is started again by the next call.
	_ = s.children[0].Kill()
	if _, err := get(server, "dev"); err != nil {
		t.Errorf("after its death: %v", err)
	}
	if len(s.children) != 2 {
		t.Errorf("%d starts, want 2", len(s.children))
	}

	if err := errors.Join(server.Close(), server.Close()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.children[1].ended:
	default:
		t.Error("the process outlives Close")
	}
	if _, err := get(server, "dev"); err == nil {
		t.Error("a closed server answers")
	}
}

// TestDiesUnderACall: nobody knows whether the call had its effect, so it is not repeated here; clients may.
func TestDiesUnderACall(t *testing.T) {
	t.Parallel()
	s := &starter{}
	s.answer = func(http.ResponseWriter, *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = s.children[0].Kill()
	}
	server := s.server(t, s.start)
	_, err := server.Do(t.Context(), "dev", mlflow.Call{Method: "POST", Path: "2.0/mlflow/runs/create", Body: []byte("{}")})
	var e *wire.Error
	if !errors.As(err, &e) || e.Status != 503 || e.Code != "TEMPORARILY_UNAVAILABLE" {
		t.Errorf("answered %v, want 503 TEMPORARILY_UNAVAILABLE", err)
	}
}

func TestCannotStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		start  func(context.Context, mlflow.Command) (mlflow.Child, error)
		python error
		want   []string
	}{
		"no such Python":  {python: errors.New("no Python 3.11 here"), want: []string{"starting the MLflow server: finding its Python: no Python 3.11 here"}},
		"no such program": {want: []string{"no such file or directory"}, start: mlflow.StartGroup},
		"ends at once": {
			want: []string{"it ended at once: exit status 3", "mlflow.log:\n", "ModuleNotFoundError: No module named 'mlflow'"},
			start: func(_ context.Context, c mlflow.Command) (mlflow.Child, error) {
				fmt.Fprintln(c.Log, "ModuleNotFoundError: No module named 'mlflow'")
				dead := &child{server: &http.Server{ReadHeaderTimeout: time.Minute}, ended: make(chan struct{})}
				return dead, dead.Kill()
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mlflow.NewServer(mlflow.ServerConfig{
				Dir: t.TempDir(), Start: c.start,
				Python: func(context.Context) (string, error) { return filepath.Join(t.TempDir(), "python"), c.python },
			})
			defer server.Close()
			w := newTwin(t, server, "dev", 1)
			status, out := w.ask("GET experiments/get", "experiment_id=1")
			if status != 424 || out["error_code"] != "INVALID_STATE" {
				t.Errorf("answered %d %v, want 424 INVALID_STATE: clients repeat a 5xx for minutes", status, out["error_code"])
			}
			for _, want := range c.want {
				if msg, _ := out["message"].(string); !strings.Contains(msg, want) {
					t.Errorf("the message lacks %q:\n%s", want, msg)
				}
			}
		})
	}
}

// TestRealServer: what was registered before a restart is there after it, and its temporary files lie in its own folder.
func TestRealServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	create := mlflow.Call{Method: "POST", Path: "2.0/mlflow/registered-models/create", Body: []byte(`{"name":"m"}`)}
	for i, status := range []int{200, 400} {
		server := realServer(t, dir)
		a, err := server.Do(t.Context(), "dev", create)
		if err != nil || a.Status != status {
			t.Errorf("start %d: %d %s %v, want %d", i, a.Status, a.Body, err, status)
		}
		if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) == 0 {
			t.Errorf("the folder for temporary files has %v, %v", left, err)
		}
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
