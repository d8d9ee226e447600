package sandbox

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrInUse says that another process has the sandbox's folder.
var ErrInUse = errors.New("the sandbox's folder is in use")

// UpOptions is how to start a detached server.
type UpOptions struct {
	Exe        string    // the program to start; empty: this one
	Args       []string  // its arguments, which must come to Serve with the same Dir and Workspaces
	Env        []string  // its environment; nil: this process's
	Dir        string    // of the sandbox
	Workspaces []string  // that must be there at the end
	Progress   io.Writer // what takes long, or is not as before; nil: nowhere
}

// Up brings a sandbox up and returns when it serves. Where one runs already, it gets the workspaces that it lacks.
// Several may be called at once. A server that dies is an error with the end of its log.
func Up(ctx context.Context, o UpOptions) (Status, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return Status{}, fmt.Errorf("finding the sandbox's folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Status{}, fmt.Errorf("making the sandbox's folder: %w", err)
	}
	release, err := lockWaiting(filepath.Join(dir, "up.lock"))
	if err != nil {
		return Status{}, err
	}
	defer release()
	st, err := Look(dir)
	if err != nil {
		return st, err
	}
	if st.Running {
		return extend(ctx, st, o.Workspaces)
	}
	if err := o.spawn(ctx, dir); err != nil {
		return st, err
	}
	if st, err = Look(dir); err == nil && !st.Running {
		err = fmt.Errorf("the sandbox's server stopped again%s", tail(st.Log))
	}
	return st, err
}

// extend adds the workspaces that a running sandbox lacks.
func extend(ctx context.Context, st Status, names []string) (Status, error) {
	for _, name := range names {
		if _, ok := st.Twin(name); !ok {
			err := st.control(ctx, "workspaces", map[string]any{"workspaces": names}, &st)
			return st, err
		}
	}
	return st, nil
}

func (o UpOptions) spawn(ctx context.Context, dir string) error {
	exe := o.Exe
	if exe == "" {
		var err error
		if exe, err = os.Executable(); err != nil {
			return fmt.Errorf("finding this program: %w", err)
		}
	}
	log, err := os.OpenFile(logFile(dir), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("opening the sandbox's log: %w", err)
	}
	defer log.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("starting the sandbox: %w", err)
	}
	defer read.Close()
	cmd := exec.Command(exe, o.Args...) //nolint:gosec // ourselves
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{write}
	if cmd.Env = o.Env; cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, readyVariable+"=3")
	detach(cmd)
	err = cmd.Start()
	_ = write.Close()
	if err != nil {
		return fmt.Errorf("starting the sandbox: %w", err)
	}
	ended, over := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- cmd.Wait()
		close(over)
	}()
	cut := context.AfterFunc(ctx, func() { _ = read.Close() })
	defer cut()
	if o.follow(read) {
		return nil
	}
	if ctx.Err() != nil { // until it is gone, nobody else could start one
		_ = terminate(cmd.Process.Pid)
		select {
		case <-over:
		case <-time.After(20 * time.Second):
			_ = kill(cmd.Process.Pid)
		}
		return fmt.Errorf("waiting for the sandbox: %w", ctx.Err())
	}
	return fmt.Errorf("the sandbox did not start: %w%s", ending(<-ended),
		cmp.Or(tail(logFile(dir)), "; it wrote nothing to "+logFile(dir)+": is there room on the disk?"))
}

func ending(err error) error {
	if err == nil {
		return errors.New("its server ended at once")
	}
	return err
}

// follow passes progress on until the server serves; false means that it ended before.
func (o UpOptions) follow(r io.Reader) bool {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if strings.TrimSuffix(line, "\n") == readyLine {
			return true
		}
		if o.Progress != nil {
			_, _ = io.WriteString(o.Progress, line)
		}
		if err != nil {
			return false
		}
	}
}

// tail is the end of a log as part of a message.
func tail(file string) string {
	b, err := os.ReadFile(file)
	b = trimmed(b)
	if err != nil || len(b) == 0 {
		return ""
	}
	lines := bytes.Split(b, []byte("\n"))
	lines = lines[max(0, len(lines)-20):]
	return fmt.Sprintf("; the end of %s:\n%s", file, bytes.Join(lines, []byte("\n")))
}

func trimmed(b []byte) []byte { return bytes.TrimSpace(b) }

// Down stops the server of a folder and waits until it is gone with all that it started: it asks, then sends
// SIGTERM, then SIGKILL to its group. It answers what ran; where nothing did there is nothing to do.
func Down(ctx context.Context, dir string) (Status, error) {
	st, err := Look(dir)
	if err != nil || !st.Running {
		return st, err
	}
	var r record
	if err := loadRecord(st.Dir, &r); err != nil {
		return st, err
	}
	asking, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	asked := st.control(asking, "stop", nil, nil)
	for i, step := range []func(int) error{nil, terminate, kill} {
		if step != nil && alive(r.PID, r.Started) {
			if err := step(r.PID); err != nil {
				return st, fmt.Errorf("stopping process %d: %w", r.PID, err)
			}
		}
		patience := 20 * time.Second
		if i == 0 && asked != nil {
			patience = 0
		}
		if gone(ctx, r, patience) {
			return st, forget(st.Dir)
		}
		if ctx.Err() != nil {
			return st, fmt.Errorf("waiting for process %d to end: %w", r.PID, ctx.Err())
		}
	}
	return st, fmt.Errorf("process %d does not end", r.PID)
}

// gone waits for the end of a server.
func gone(ctx context.Context, r record, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for alive(r.PID, r.Started) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return !alive(r.PID, r.Started)
		}
	}
	return true
}

// Reset wipes what the named workspaces hold, all of them when none is named; ports, tokens and ids stay. A running
// server does it itself and goes on; the folder of another process is ErrInUse.
func Reset(ctx context.Context, dir string, names ...string) error {
	st, err := Look(dir)
	if err != nil {
		return err
	}
	if st.Running && len(st.Twins) > 0 {
		return st.control(ctx, "reset", map[string]any{"workspaces": names}, nil)
	}
	if _, err := os.Stat(st.Dir); err != nil {
		return nil //nolint:nilerr // nothing there is nothing to wipe
	}
	release, err := lock(lockFile(st.Dir))
	if err != nil {
		return err
	}
	defer release()
	return resetAtRest(st, names)
}

// control calls the server through any of its twins.
func (s Status) control(ctx context.Context, verb string, in, out any) error {
	if len(s.Twins) == 0 {
		return errors.New("the sandbox has no workspace")
	}
	return s.Twins[0].control(ctx, http.MethodPost, verb, in, out)
}

func (t TwinStatus) control(ctx context.Context, method, verb string, in, out any) error {
	token, err := t.Token()
	if err != nil {
		return err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, t.URL+"/_sandbox/"+verb, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: it is this machine
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("calling the sandbox: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("calling the sandbox: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var refused struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(answer, &refused) == nil && refused.Message != "" {
			return errors.New(refused.Message)
		}
		return fmt.Errorf("calling the sandbox: %s", resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
