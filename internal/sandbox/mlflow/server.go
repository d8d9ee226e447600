package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// ServerConfig says where the MLflow server lives and what runs it.
type ServerConfig struct {
	Dir    string                                        // database, artifacts and log; made when first needed
	Python func(ctx context.Context) (string, error)     // path of an interpreter that has mlflow; asked at every start
	Start  func(context.Context, Command) (Child, error) // nil: StartGroup
	Ready  time.Duration                                 // how long a start may take; 0: three minutes
}

// Server runs one MLflow server process: started by the first call, started again when it has died.
type Server struct {
	config ServerConfig
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	current *instance
	closed  bool
}

// NewServer starts nothing yet.
func NewServer(c ServerConfig) *Server {
	if c.Start == nil {
		c.Start = StartGroup
	}
	if c.Ready == 0 {
		c.Ready = 3 * time.Minute
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Server{config: c, ctx: ctx, cancel: cancel}
}

// Artifacts implements Backend: the server's own tree, so that its user interface shows the same files.
func (s *Server) Artifacts(workspace string) string {
	return filepath.Join(s.config.Dir, "artifacts", "workspaces", workspace)
}

// Do implements Backend. A server that cannot start is 424, which no client repeats: it would not start again either.
// One that dies under a call is 503, which clients do repeat: the next call starts another.
func (s *Server) Do(ctx context.Context, workspace string, call Call) (Answer, error) {
	for again := true; ; again = false {
		in, err := s.ready(ctx)
		if err != nil {
			return Answer{}, err
		}
		a, err := in.call(ctx, workspace, call)
		if !again || !errors.Is(err, errUnsent) || !in.endsSoon(ctx) {
			return a, err
		}
	}
}

// Close ends the process with all its children.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	in := s.current
	s.mu.Unlock()
	s.cancel()
	if in == nil {
		return nil
	}
	<-in.gone
	return nil
}

// ready returns the running instance, starting one when there is none. All callers share one start, which outlives
// the call that asked for it.
func (s *Server) ready(ctx context.Context) (*instance, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, wire.Errorf(http.StatusFailedDependency, "INVALID_STATE", "the MLflow server is stopped")
	}
	if s.current == nil || s.current.ended() {
		s.current = &instance{up: make(chan struct{}), gone: make(chan struct{}), spaces: map[string]bool{}}
		go s.run(s.current)
	}
	in := s.current
	s.mu.Unlock()
	select {
	case <-in.up:
		return in, in.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run is the life of one instance.
func (s *Server) run(in *instance) {
	defer close(in.gone)
	child, sock, err := s.launch(in)
	if sock != "" {
		defer os.RemoveAll(filepath.Dir(sock))
	}
	if err != nil {
		in.err = wire.Errorf(http.StatusFailedDependency, "INVALID_STATE", "starting the MLflow server: %s%s", err, s.tail())
		close(in.up)
		return
	}
	close(in.up)
	stop := context.AfterFunc(s.ctx, func() { _ = child.Kill() })
	defer stop()
	<-in.exited
	in.client.CloseIdleConnections()
}

// launch starts the process and waits until it answers. The socket's name is returned as soon as there is one.
func (s *Server) launch(in *instance) (Child, string, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.config.Ready)
	defer cancel()
	python, err := s.config.Python(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("finding its Python: %w", err)
	}
	dir, err := filepath.Abs(s.config.Dir)
	if err != nil {
		return nil, "", err
	}
	if err := os.RemoveAll(filepath.Join(dir, "tmp")); err != nil { // what a killed one left
		return nil, "", err
	}
	for _, d := range []string{dir, filepath.Join(dir, "artifacts"), filepath.Join(dir, "home"), filepath.Join(dir, "tmp")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, "", err
		}
	}
	// Sockets have short names (about 100 bytes), so it cannot live in dir, which may lie deep.
	sweep(os.TempDir())
	short, err := os.MkdirTemp("", private)
	if err != nil {
		return nil, "", err
	}
	sock := filepath.Join(short, "s")
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, sock, err
	}
	defer log.Close()
	child, err := s.config.Start(ctx, Command{
		Argv: []string{python, "-m", "uvicorn", "--uds", sock, "--workers", "1", "--log-level", "warning", "mlflow.server.fastapi_app:app"},
		Env:  environ(dir), Dir: dir, Log: log,
	})
	if err != nil {
		return nil, sock, err
	}
	in.watch(child, sock)
	if err := in.await(ctx); err != nil {
		_ = child.Kill()
		<-in.exited
		return nil, sock, err
	}
	return child, sock, nil
}

// environ is all that the server sees: nothing of ours is inherited, so no variable of the caller's can steer it
// or leak into it. The underscored names are what MLflow's own command sets before it starts its server.
func environ(dir string) []string {
	env := []string{
		"MLFLOW_ENABLE_WORKSPACES=true",
		"MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false",
		"MLFLOW_DISABLE_TELEMETRY=true",
		"DO_NOT_TRACK=true",
		"_MLFLOW_SERVER_FILE_STORE=sqlite:///" + filepath.Join(dir, "mlflow.db"),
		"_MLFLOW_SERVER_ARTIFACT_ROOT=mlflow-artifacts:/",
		"_MLFLOW_SERVER_SERVE_ARTIFACTS=true",
		"_MLFLOW_SERVER_ARTIFACT_DESTINATION=file://" + filepath.Join(dir, "artifacts"),
		"_MLFLOW_SGI_NAME=uvicorn",
		"HOME=" + filepath.Join(dir, "home"),
		"TMPDIR=" + filepath.Join(dir, "tmp"), // MLflow leaves a file there for each database
		"PYTHONUNBUFFERED=1",
	}
	for _, name := range []string{"PATH", "LANG", "LC_ALL"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func (s *Server) logFile() string { return filepath.Join(s.config.Dir, "mlflow.log") }

// tail is the end of the log as part of a message, empty when nothing was logged.
func (s *Server) tail() string {
	b, err := os.ReadFile(s.logFile())
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	lines = lines[max(0, len(lines)-15):]
	if text := strings.Join(lines, "\n"); text != "" {
		return fmt.Sprintf("; the end of %s:\n%s", s.logFile(), text)
	}
	return ""
}

// instance is one server process, from its start to its end.
type instance struct {
	up     chan struct{} // closed when it serves, or when err says why it never will
	err    error
	gone   chan struct{} // closed when the process has ended and nothing of it is left
	exited chan struct{} // closed when the process has ended; exit says how
	exit   error
	client *http.Client

	mu     sync.Mutex
	spaces map[string]bool // workspaces known to exist
}

func (in *instance) ended() bool {
	select {
	case <-in.gone:
		return true
	default:
		return false
	}
}

func (in *instance) watch(child Child, sock string) {
	in.exited = make(chan struct{})
	go func() {
		in.exit = child.Wait()
		close(in.exited)
	}()
	in.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", sock)
		},
		MaxIdleConnsPerHost: 8,
	}}
}

// await returns when the server answers, or says why it will not.
func (in *instance) await(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1/health", nil); err != nil {
			return err
		} else if resp, err := in.client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-in.exited:
			return fmt.Errorf("it ended at once: %w", orDone(in.exit))
		case <-ctx.Done():
			return fmt.Errorf("it did not answer in time: %w", ctx.Err())
		}
	}
}

func orDone(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// errUnsent marks a call that never reached the server, which may be repeated whatever it was.
var errUnsent = errors.New("nobody listens")

// endsSoon waits a moment for the end of a process that nobody listens in any more.
func (in *instance) endsSoon(ctx context.Context) bool {
	select {
	case <-in.gone:
		return true
	case <-ctx.Done():
	case <-time.After(2 * time.Second):
	}
	return false
}

func (in *instance) call(ctx context.Context, workspace string, call Call) (Answer, error) {
	if err := in.ensure(ctx, workspace); err != nil {
		return Answer{}, err
	}
	return in.do(ctx, workspace, call)
}

// ensure makes the workspace. Asking twice is safe: it exists already then.
func (in *instance) ensure(ctx context.Context, workspace string) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.spaces[workspace] {
		return nil
	}
	body, err := json.Marshal(map[string]string{"name": workspace})
	if err != nil {
		return err
	}
	a, err := in.do(ctx, "", Call{Method: http.MethodPost, Path: "3.0/mlflow/workspaces", Body: body})
	if err != nil {
		return err
	}
	if !a.OK() && !bytes.Contains(a.Body, []byte("RESOURCE_ALREADY_EXISTS")) {
		return wire.Errorf(http.StatusFailedDependency, "INVALID_STATE", "making MLflow workspace %s: %d %s", workspace, a.Status, a.Body)
	}
	in.spaces[workspace] = true
	return nil
}

func (in *instance) do(ctx context.Context, workspace string, call Call) (Answer, error) {
	to := url.URL{Scheme: "http", Host: "127.0.0.1", Path: "/api/" + call.Path, RawQuery: call.Query.Encode()}
	req, err := http.NewRequestWithContext(ctx, call.Method, to.String(), bytes.NewReader(call.Body))
	if err != nil {
		return Answer{}, wire.Errorf(http.StatusBadRequest, "BAD_REQUEST", "%s", err)
	}
	if len(call.Body) > 0 {
		req.Header.Set("Content-Type", "application/json")
		if call.ContentType != "" {
			req.Header.Set("Content-Type", call.ContentType)
		}
	}
	if workspace != "" {
		req.Header.Set("X-MLFLOW-WORKSPACE", workspace)
	}
	resp, err := in.client.Do(req)
	if err != nil {
		return Answer{}, in.lost(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{}, in.lost(ctx, err)
	}
	return Answer{Status: resp.StatusCode, Body: body}, nil
}

func (in *instance) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	lost := wire.Errorf(http.StatusServiceUnavailable, "TEMPORARILY_UNAVAILABLE", "the MLflow server went away during the call: %s", err)
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		return fmt.Errorf("%w: %w", errUnsent, lost)
	}
	return lost
}
