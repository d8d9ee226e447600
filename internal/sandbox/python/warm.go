package python

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// idleAfter is how long a warm interpreter is kept without a run.
const idleAfter = 15 * time.Minute

// loaded are the modules that a warm interpreter has loaded: what the notebooks of this trade import.
var loaded = []string{
	"mlflow", "mlflow.models", "mlflow.pyfunc", "mlflow.sklearn", "databricks.sdk", "IPython.core.interactiveshell",
	"numpy", "pandas", "scipy.sparse", "sklearn.ensemble", "sklearn.linear_model", "sklearn.metrics",
	"sklearn.model_selection", "sklearn.pipeline", "sklearn.preprocessing", "matplotlib.pyplot",
}

// errCold says that no warm interpreter took the run, which has not begun: it may be run cold.
var errCold = errors.New("there is no warm interpreter")

// warmth keeps one warm interpreter for each environment or layer that notebooks were run in.
type warmth struct {
	interpreter Interpreter
	dir         string // for the interpreters' logs and homes
	modules     []string
	mu          sync.Mutex
	hosts       map[string]*warmHost // by layer
	closed      bool
}

// warmHost is an interpreter that has loaded its libraries, or is doing so, and forks a process for each connection
// that is handed to it.
type warmHost struct {
	process *Process
	channel *net.UnixConn
	idle    *time.Timer
	runs    int
}

// run has a notebook run in the layer's warm interpreter and says how its process ended: "signal 9", "exit code 0". When ctx ends, the
// process is ended with all its descendants before run returns.
func (w *warmth) run(ctx context.Context, layer, request string) (how string, err error) {
	host, err := w.take(layer)
	if err != nil {
		return "", err
	}
	defer w.release(layer, host)
	conn, err := host.connect()
	if err != nil {
		return "", fmt.Errorf("%w: %w", errCold, err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request+"\n"); err != nil {
		return "", fmt.Errorf("%w: %w", errCold, err)
	}
	ended := context.AfterFunc(ctx, func() { _ = conn.CloseWrite() })
	defer ended()
	answer, err := readAll(ctx, conn)
	if err != nil {
		_ = host.process.Stop() // it does not let go of the run: nothing less ends it for certain
	}
	lines := strings.Fields(answer)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case len(lines) == 0:
		return "", errCold
	case len(lines) == 1:
		return "", errors.New("its warm interpreter was ended")
	}
	status, err := strconv.Atoi(lines[1])
	if err != nil {
		return "", fmt.Errorf("reading how the notebook ended: %w", err)
	}
	// As waitpid has it: the signal in the low bits, else the exit code above them.
	if signal := status & 0x7f; signal != 0 {
		return fmt.Sprintf("signal %d", signal), nil
	}
	return fmt.Sprintf("exit code %d", status>>8), nil
}

// readAll reads to the end of the connection, which comes at most stopPatience after the end of ctx.
func readAll(ctx context.Context, conn net.Conn) (string, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now().Add(stopPatience)) })
	defer stop()
	b, err := io.ReadAll(conn)
	if errors.Is(err, syscall.ECONNRESET) {
		err = nil // the host died: what it said before stands
	}
	return string(b), err
}

// take returns the layer's host, which it starts if there is none; release gives it back.
func (w *warmth) take(layer string) (*warmHost, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errCold
	}
	host := w.hosts[layer]
	if host != nil {
		select {
		case <-host.process.Done():
			host = nil
		default:
		}
	}
	if host == nil {
		var err error
		if host, err = w.start(layer); err != nil {
			return nil, fmt.Errorf("%w: %w", errCold, err)
		}
		w.hosts[layer] = host
	}
	host.runs++
	if host.idle != nil {
		host.idle.Stop()
	}
	return host, nil
}

func (w *warmth) release(layer string, host *warmHost) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if host.runs--; host.runs > 0 {
		return
	}
	host.idle = time.AfterFunc(idleAfter, func() {
		w.mu.Lock()
		idle := host.runs == 0 && w.hosts[layer] == host
		if idle {
			delete(w.hosts, layer)
		}
		w.mu.Unlock()
		if idle {
			_ = host.process.Stop()
		}
	})
}

// connect opens the connection of a new run.
func (h *warmHost) connect() (*net.UnixConn, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	if err := hand(h.channel, theirs); err != nil {
		ours.Close()
		return nil, err
	}
	return ours, nil
}

func (w *warmth) start(layer string) (*warmHost, error) {
	channel, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close() // the host has it; with the host it goes
	process, err := w.startProcess(layer, theirs)
	if err != nil {
		channel.Close()
		return nil, err
	}
	go func() {
		<-process.Done()
		channel.Close()
	}()
	return &warmHost{process: process, channel: channel}, nil
}

func (w *warmth) startProcess(layer string, channel *os.File) (*Process, error) {
	home := filepath.Join(w.dir, "warm-"+filepath.Base(layer))
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(home, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	i := w.interpreter
	environ := append(i.environment(), "HOME="+home, "TMPDIR="+home)
	return i.start(context.Background(), command{
		argv: append(append(i.boot(layer), "host"), w.modules...), environ: environ, dir: home, out: log, files: []*os.File{channel},
	})
}

// close ends all warm interpreters, and with them the runs forked from them. It may be repeated.
func (w *warmth) close() error {
	w.mu.Lock()
	var running []*Process
	for _, host := range w.hosts {
		if host.idle != nil {
			host.idle.Stop()
		}
		running = append(running, host.process)
	}
	w.hosts, w.closed = nil, true
	w.mu.Unlock()
	var errs []error
	for _, process := range running {
		errs = append(errs, process.Stop())
	}
	return errors.Join(errs...)
}
