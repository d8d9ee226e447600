package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// TestInterruptedQuestion: ^C at a question of init writes nothing, and the code says so.
func TestInterruptedQuestion(t *testing.T) {
	t.Parallel()
	for _, questions := range []int{1, 2} {
		keys, screen := terminal(t)
		dir := t.TempDir()
		barge := exec.Command("barge", "init")
		var errOut bytes.Buffer
		barge.Dir, barge.Stdin, barge.Stderr = dir, screen, &errOut
		barge.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		if err := barge.Start(); err != nil {
			t.Fatal(err)
		}
		if err := screen.Close(); err != nil {
			t.Fatal(err)
		}
		asked, part := "", make([]byte, 4096)
		for n := range questions {
			for strings.Count(asked, "]: ")+strings.Count(asked, "later): ") <= n {
				read, err := keys.Read(part)
				if asked += string(part[:read]); err != nil {
					t.Fatalf("%v\n%s%s", err, asked, &errOut)
				}
			}
			key := "\n"
			if n == questions-1 {
				key = "\x03"
			}
			if _, err := keys.WriteString(key); err != nil {
				t.Fatal(err)
			}
		}
		err := barge.Wait()
		if code := barge.ProcessState.ExitCode(); code != 130 || !strings.Contains(errOut.String(), "interrupted: reading the answer to") {
			t.Errorf("%v\n%s%s", err, asked, &errOut)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
			t.Error(left, err)
		}
	}
}

// terminal is a pseudo-terminal: what its user types and reads, and what a process has as its own.
func terminal(t *testing.T) (keys, screen *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	number, unlocked := int32(0), int32(0)
	for request, arg := range map[uintptr]*int32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlocked} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, keys.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 { //nolint:gosec // as ioctl wants it
			t.Fatal(errno)
		}
	}
	screen, err = os.OpenFile("/dev/pts/"+strconv.Itoa(int(number)), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return keys, screen
}
