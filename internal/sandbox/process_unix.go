//go:build unix

package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
)

// endings are the signals that end a server in good order. SIGPIPE is taken as well, so that writing to a terminal
// that was closed is an error and not the end.
var endings = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

func surviveClosedTerminal() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// lock takes a folder for this process until release is called, or says who may have it.
func lock(file string) (release func(), err error) {
	f, err := flock(file, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w: %s is locked by another server; stop it first, or take another folder", ErrInUse, file)
	}
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", file, err)
	}
	return func() { _ = f.Close() }, nil
}

// lockWaiting is lock for what is held for moments.
func lockWaiting(file string) (release func(), err error) {
	f, err := flock(file, syscall.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", file, err)
	}
	return func() { _ = f.Close() }, nil
}

func flock(file string, how int) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), how) //nolint:gosec // a descriptor fits an int
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// startTime tells one process from a later one with its pid: where there is /proc the start in clock ticks since
// boot, elsewhere what ps says.
func startTime(pid int) (string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		out, err := exec.Command("ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
		if err != nil {
			return "", fmt.Errorf("finding process %d: %w", pid, err)
		}
		return string(trimmed(out)), nil
	}
	// The name in parentheses may hold anything; what follows its last one is regular.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 20 || string(fields[0]) == "Z" {
		return "", fmt.Errorf("finding process %d: it has ended", pid)
	}
	return string(fields[19]), nil
}

func alive(pid int, started string) bool {
	now, err := startTime(pid)
	return err == nil && now == started
}

// end sends a signal to a process, and to its whole group when it leads one.
func end(pid int, sig syscall.Signal) error {
	if group, err := syscall.Getpgid(pid); err == nil && group == pid {
		return syscall.Kill(-pid, sig)
	}
	return syscall.Kill(pid, sig)
}

func kill(pid int) error { return end(pid, syscall.SIGKILL) }

func terminate(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }

// detach gives a command a session of its own: a closed terminal does not reach it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func keepFromChildren(f *os.File) { syscall.CloseOnExec(int(f.Fd())) } //nolint:gosec // a descriptor fits an int
