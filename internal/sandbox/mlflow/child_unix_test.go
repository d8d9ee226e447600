//go:build unix

package mlflow_test

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

// TestGroup: a process and what it started end together.
func TestGroup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := mlflow.StartGroup(t.Context(), mlflow.Command{
		Argv: []string{"/bin/sh", "-c", `sh -c 'exec 3>"$0"; echo $$ >&3; exec sleep 600' "$0" & wait`, fifo}, Env: []string{"PATH=" + os.Getenv("PATH")}, Dir: dir, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(fifo) // opens when the grandchild holds its other end, and ends when that dies
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	pid := make([]byte, 32)
	n, err := from.Read(pid)
	if _, notNumber := strconv.Atoi(strings.TrimSpace(string(pid[:n]))); err != nil || notNumber != nil {
		t.Fatalf("the grandchild says %q: %v", pid[:n], err)
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil {
		t.Error("a killed process ended well")
	}
	if rest, err := io.ReadAll(from); err != nil || len(rest) > 0 {
		t.Errorf("the grandchild lives: %q %v", rest, err)
	}
	if err := c.Kill(); err != nil {
		t.Errorf("killing what has ended: %v", err)
	}
}
