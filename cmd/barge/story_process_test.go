//go:build unix

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
	"time"
)

// patience is how long something that must come about may take on a busy machine.
const patience = 3 * time.Minute

// process is one that runs. Its text is all that may name a folder: command, environment and working directory.
type process struct {
	pid, parent int
	started     string // with pid: this process and no later one
	argv, text  string
}

// processes are all that run; where there is no /proc, ps says less of each.
func processes(t *testing.T) []process {
	t.Helper()
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	if len(stats) == 0 {
		return processesOfPs(t)
	}
	var all []process
	for _, stat := range stats {
		b, err := os.ReadFile(stat)
		dir := filepath.Dir(stat)
		pid, _ := strconv.Atoi(filepath.Base(dir))
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // the name before may hold anything
		if err != nil || len(fields) < 20 || fields[0] == "Z" {
			continue
		}
		p := process{pid: pid, started: fields[19]}
		p.parent, _ = strconv.Atoi(fields[1])
		argv, _ := os.ReadFile(filepath.Join(dir, "cmdline")) // of another user or just ended: not ours
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
		p.argv, p.text = string(argv), string(argv)+"\x00"+string(environ)+"\x00"+cwd
		all = append(all, p)
	}
	return all
}

func processesOfPs(t *testing.T) []process {
	t.Helper()
	out, err := exec.Command("ps", "-axww", "-o", "pid=,ppid=,lstart=,command=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []process
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 8 {
			continue
		}
		p := process{started: strings.Join(fields[2:7], " "), argv: strings.Join(fields[7:], "\x00"), text: strings.Join(fields[7:], " ")}
		p.pid, _ = strconv.Atoi(fields[0])
		p.parent, _ = strconv.Atoi(fields[1])
		all = append(all, p)
	}
	return all
}

// family is a process with all below it, and all that name the folder.
func family(t *testing.T, head int, dir string) map[int]process {
	t.Helper()
	all, found := processes(t), map[int]process{}
	for before := -1; before != len(found); {
		before = len(found)
		for _, p := range all {
			if _, below := found[p.parent]; below || p.pid == head || strings.Contains(p.text, dir) && p.pid != os.Getpid() {
				found[p.pid] = p
			}
		}
	}
	return found
}

// await asks again and again until what is asked for is there.
func await(t *testing.T, what string, there func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	tooLong := time.After(patience)
	for !there() {
		select {
		case <-tick.C:
		case <-tooLong:
			t.Fatalf("after %s: not yet: %s", patience, what)
		}
	}
}

// nobody waits until no process names the folder and none of those known lives.
func nobody(t *testing.T, dir string, known map[int]process) {
	t.Helper()
	var left []process
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	tooLong := time.After(30 * time.Second)
	for {
		left = nil
		for _, p := range processes(t) {
			if k, ok := known[p.pid]; ok && k.started == p.started || strings.Contains(p.text, dir) {
				left = append(left, p)
			}
		}
		if len(left) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-tooLong:
			for _, p := range left {
				t.Errorf("process %d lives on: %s", p.pid, strings.ReplaceAll(p.argv, "\x00", " "))
			}
			return
		}
	}
}

// TestDemoLeavesNoProcess ends `barge demo` while a gate's notebook runs: as Ctrl-C at a terminal does, which reaches
// every process of its group, and as nothing can be prepared for.
func TestDemoLeavesNoProcess(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			demo := startDemo(t, root)
			ended := make(chan struct{})
			go func() { defer close(ended); _ = demo.Wait() }()
			await(t, "the gate's notebook runs", func() bool {
				select {
				case <-ended:
					t.Fatalf("the demo ended: %s", demo.ProcessState)
				default:
				}
				begun, _ := filepath.Glob(filepath.Join(root, "story", "diabetes", ".barge", "sandbox", "test", "runs", "*", "driver.log"))
				return len(begun) > 0
			})
			all := family(t, demo.Process.Pid, root)
			if n := len(all); n < 5 { // itself, and two supervisors each with what it watches
				t.Fatalf("only %d processes: the test would prove nothing", n)
			}
			to := demo.Process.Pid
			if signal == syscall.SIGINT {
				to = -to
			}
			if err := syscall.Kill(to, signal); err != nil {
				t.Fatal(err)
			}
			select {
			case <-ended:
			case <-time.After(patience):
				t.Fatalf("the demo did not end")
			}
			if signal == syscall.SIGINT {
				same(t, demo.ProcessState.String(), "exit status 130")
				for _, p := range family(t, demo.Process.Pid, root) {
					t.Errorf("process %d has outlived the demo: %q", p.pid, p.argv)
				}
			}
			nobody(t, root, all)
			search(t, files(t, root), 4+2) // dev and test have the registry's token so far
		})
	}
}

// startDemo starts the demo as the head of a process group, with all that it says in a file.
func startDemo(t *testing.T, root string) *exec.Cmd {
	t.Helper()
	log := filepath.Join(root, "log")
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	demo := exec.Command("barge", "demo", "--into", filepath.Join(root, "story"))
	demo.Stdout, demo.Stderr, demo.Env = f, f, environ()
	demo.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-demo.Process.Pid, syscall.SIGKILL) // it is gone, if all is well
		if t.Failed() {
			b, _ := os.ReadFile(log)
			t.Logf("the demo said:\n%s", b)
		}
	})
	return demo
}
