//go:build unix

package mlflow

import (
	"context"
	"errors"
	"os/exec"
	"sync"
	"syscall"
)

type group struct {
	cmd   *exec.Cmd
	mu    sync.Mutex
	ended bool
}

// StartGroup starts a process in a group of its own. The context bounds the start alone, not the process's life.
func StartGroup(ctx context.Context, c Command) (Child, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...) //nolint:gosec // the caller says what to run: that is its purpose
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = c.Env, c.Dir, c.Log, c.Log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &group{cmd: cmd}, nil
}

func (g *group) Wait() error {
	err := g.cmd.Wait()
	_ = g.Kill() // children that outlived it
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true // from here on the number may be another process's
	return err
}

func (g *group) Kill() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return nil
	}
	if err := syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}
