package python

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// stopPatience is how long a supervisor may take to end its processes: it sends SIGTERM, SIGKILL a second later, and
// waits ten more for what the kernel holds.
const stopPatience = 15 * time.Second

// Process is a command under a supervisor. The command and all that it starts end with it: at Stop, when the context
// of Start ends, and when this program dies, however it dies.
type Process struct {
	cmd      *exec.Cmd
	lifeline *os.File
	once     sync.Once
	done     chan struct{}
	err      error
}

// command is what to run under a supervisor. files become its descriptors from 3 on.
type command struct {
	argv, environ []string
	dir           string
	out           io.Writer // takes stdout and stderr; nil: nobody reads them
	files         []*os.File
}

// Start runs a command in the folder dir with this environment and no other; out takes its stdout and stderr, an
// *os.File directly.
func (i Interpreter) Start(ctx context.Context, argv, environ []string, dir string, out io.Writer) (*Process, error) {
	return i.start(ctx, command{argv: argv, environ: environ, dir: dir, out: out})
}

func (i Interpreter) start(ctx context.Context, c command) (*Process, error) {
	stdin, lifeline, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.argv[0], err)
	}
	supervisor := []string{"-I", "-S", "-B", filepath.Join(i.runner, "barge_runner", "supervisor.py")}
	cmd := exec.Command(i.Python, append(supervisor, c.argv...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = stdin, c.out, c.out, c.files
	cmd.Env, cmd.Dir, cmd.WaitDelay = c.environ, c.dir, time.Second
	err = cmd.Start()
	stdin.Close()
	if err != nil {
		lifeline.Close()
		return nil, fmt.Errorf("starting %s: %w", c.argv[0], err)
	}
	p := &Process{cmd: cmd, lifeline: lifeline, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		p.once.Do(func() { p.lifeline.Close() })
		close(p.done)
	}()
	go func() {
		select {
		case <-ctx.Done():
			_ = p.Stop()
		case <-p.done:
		}
	}()
	return p, nil
}

// PID is the supervisor's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the command and all its descendants are gone.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait returns when Done is closed: an *exec.ExitError tells the command's exit code or signal.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Stop ends the command with all its descendants and returns when they are gone. It may be repeated.
func (p *Process) Stop() error {
	p.once.Do(func() { p.lifeline.Close() })
	select {
	case <-p.done:
		return nil
	case <-time.After(stopPatience):
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("the supervisor %d did not end its processes in %s", p.PID(), stopPatience)
	}
}

// death says how a process ended: "signal 9", "exit code 1".
func death(err error) string {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok {
			if status.Signaled() {
				return fmt.Sprintf("signal %d", int(status.Signal()))
			}
			return fmt.Sprintf("exit code %d", status.ExitStatus())
		}
	}
	if err == nil {
		return "exit code 0"
	}
	return err.Error()
}
