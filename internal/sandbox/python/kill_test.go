//go:build !windows

package python

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/sandbox/jobs"
)

// stubborn starts what is hard to end, and writes all pids: a child, one that ignores SIGTERM in a session of its own,
// a daemon whose parent has gone, and a notebook with a child of its own.
const stubborn = `
import os, subprocess, sys, threading, time
def note():
    with open("/dbfs/pids", "a") as f:
        f.write(f"{os.getpid()}\n")
note()
pids = open("/dbfs/pids", "a")
subprocess.Popen(["sh", "-c", "echo $$; exec sleep 600"], stdout=pids)
subprocess.Popen(["sh", "-c", "trap '' TERM; echo $$; while :; do sleep 1; done"], stdout=pids, start_new_session=True)
subprocess.run(["sh", "-c", "(trap '' TERM HUP; exec setsid sh -c 'echo $$; while :; do sleep 1; done') & exit"], stdout=pids)
if dbutils.widgets.getArgument("deep", "yes") == "yes":
    dbutils.notebook.run("stubborn", 0, {"deep": "no"})
`

func runtimes(t *testing.T) map[string]*Runtime {
	return map[string]*Runtime{"cold": coldRuntime(t), "warm": warmRuntime(t)}
}

func TestCancelLeavesNoProcess(t *testing.T) {
	for name, r := range runtimes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, map[string]string{"/stubborn": notebook(stubborn, "time.sleep(600)")})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan jobs.Outcome, 1)
			go func() { ended <- s.runContext(ctx, r, jobs.Attempt{NotebookPath: "/stubborn"}) }()
			pids := s.pids(t, "pids", 8)
			for _, pid := range pids {
				if !alive(pid) {
					t.Fatalf("%d does not live: the test would prove nothing", pid)
				}
			}
			cancel()
			if o := <-ended; o.Result != jobs.Canceled {
				t.Errorf("result %s: %s", o.Result, o.Error)
			}
			for _, pid := range pids {
				if alive(pid) {
					t.Errorf("%d lives on after Execute has returned", pid)
				}
			}
		})
	}
}

func TestTheEndLeavesNoProcess(t *testing.T) {
	for name, r := range runtimes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, map[string]string{"/stubborn": notebook(stubborn, "dbutils.notebook.exit('done')")})
			o := s.run(t, r, jobs.Attempt{NotebookPath: "/stubborn", Parameters: map[string]string{"deep": "no"}})
			if o.ExitValue != "done" {
				t.Fatalf("%s\n%s", o.Error, o.Trace)
			}
			for _, pid := range s.pids(t, "pids", 4) {
				if alive(pid) {
					t.Errorf("%d lives on after Execute has returned", pid)
				}
			}
		})
	}
}

// A server that is killed cannot end anything: its children must see it go.
func TestAKilledServerLeavesNoProcess(t *testing.T) {
	if os.Getenv("BARGE_TEST_SERVER") != "" {
		serveUntilKilled(t)
		return
	}
	for _, how := range []string{"cold", "warm"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			interpreter(t)
			s := newStub(t, map[string]string{"/stubborn": notebook(stubborn, "time.sleep(600)")})
			server := exec.Command(os.Args[0], "-test.run=^TestAKilledServerLeavesNoProcess$")
			server.Env = append(os.Environ(), "BARGE_TEST_SERVER="+how, "BARGE_TEST_DIR="+filepath.Dir(s.Dir), "TMPDIR="+t.TempDir())
			server.Stderr = os.Stderr
			out, err := server.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			var supervisor int
			if how == "warm" {
				if _, err := fmt.Fscanf(bufio.NewReader(out), "host %d\n", &supervisor); err != nil {
					t.Fatal(err)
				}
			}
			pids := s.pids(t, "pids", 8)
			if err := server.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = server.Wait()
			if supervisor != 0 {
				pids = append(pids, supervisor)
			}
			for _, pid := range pids {
				eventually(t, fmt.Sprintf("the end of %d", pid), func() bool { return !alive(pid) })
			}
		})
	}
}

func serveUntilKilled(t *testing.T) {
	dir := os.Getenv("BARGE_TEST_DIR")
	r := coldRuntime(t)
	if os.Getenv("BARGE_TEST_SERVER") == "warm" {
		r = quickRuntime(t, interpreter(t))
		r.Warm()
		fmt.Printf("host %d\n", r.warm.hosts[r.interpreter.Dir].process.PID())
	}
	s := &stub{Twin: Twin{
		Dir: filepath.Join(dir, "runs"), Workspace: filepath.Join(dir, "workspace"), DBFS: filepath.Join(dir, "dbfs"),
	}}
	s.run(t, r, jobs.Attempt{NotebookPath: "/stubborn"})
	t.Error("the notebook has ended by itself")
}

func TestProcess(t *testing.T) {
	i := interpreter(t)
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	for name, c := range map[string]struct{ script, how, out string }{
		"environment and folder": {"echo $A; pwd", "exit code 0", "1\n" + dir + "\n"},
		"exit code":              {"exit 7", "exit code 7", ""},
		"signal":                 {"kill -KILL $$", "signal 9", ""},
		"segmentation fault":     {"kill -SEGV $$", "signal 11", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			p, err := i.Start(t.Context(), []string{"/bin/sh", "-c", c.script}, []string{"A=1"}, dir, &out)
			if err != nil {
				t.Fatal(err)
			}
			if how := death(p.Wait()); how != c.how {
				t.Errorf("ended with %s, want %s", how, c.how)
			}
			if diff := cmp.Diff(c.out, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("no such program", func(t *testing.T) {
		var out strings.Builder
		p, err := i.Start(t.Context(), []string{"/nowhere/at/all"}, nil, dir, &out)
		if err != nil {
			t.Fatal(err)
		}
		if how := death(p.Wait()); how != "exit code 127" || !strings.Contains(out.String(), "starting /nowhere/at/all: No such file") {
			t.Errorf("ended with %s: %s", how, out.String())
		}
	})
	t.Run("stop, repeated, is no error", func(t *testing.T) {
		file, err := os.Create(log)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		p, err := i.Start(t.Context(), []string{"/bin/sh", "-c", "echo $$; sleep 600"}, nil, dir, file)
		if err != nil {
			t.Fatal(err)
		}
		var pid int
		eventually(t, "the child's pid", func() bool {
			content, _ := os.ReadFile(log)
			_, err := fmt.Sscanln(string(content), &pid)
			return err == nil
		})
		for range 2 {
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
		}
		if alive(pid) || alive(p.PID()) {
			t.Error("something lives on")
		}
	})
}

func TestTwoRunsAtOnce(t *testing.T) {
	for name, r := range runtimes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Each waits for the file that the other one writes: in turn they would never end.
			s := newStub(t, map[string]string{"/n": notebook(`
import os, time
me, other = dbutils.widgets.get("me"), dbutils.widgets.get("other")
open("/dbfs/" + me, "w").close()
while not os.path.exists("/dbfs/" + other):
    time.sleep(0.01)
print(me)
dbutils.notebook.exit(me)`)})
			var both sync.WaitGroup
			for id, me := range []string{"a", "b"} {
				both.Go(func() {
					o := s.run(t, r, jobs.Attempt{
						NotebookPath: "/n", RunID: int64(id + 1), Parameters: map[string]string{"me": me, "other": "ba"[id : id+1]},
					})
					if o.ExitValue != me || stdout(o) != me+"\n" {
						t.Errorf("%s: exit %q, stdout %q\n%s", me, o.ExitValue, stdout(o), o.Trace)
					}
				})
			}
			both.Wait()
		})
	}
}

func TestWithoutTheWarmInterpreter(t *testing.T) {
	s := newStub(t, map[string]string{"/n": notebook("import sys\ndbutils.notebook.exit('mlflow' in sys.modules)")})
	r := quickRuntime(t, interpreter(t))
	r.Warm()
	host := r.warm.hosts[r.interpreter.Dir]
	if err := syscall.Kill(host.process.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// Known dead or not yet known: either another one is started or the run is cold, but it runs.
	if o := s.run(t, r, jobs.Attempt{NotebookPath: "/n"}); o.Result != jobs.Success {
		t.Errorf("%s: %s%s", o.Result, o.Error, o.Message)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if o := s.run(t, r, jobs.Attempt{NotebookPath: "/n"}); o.ExitValue != "False" {
		t.Errorf("after Close a run must be cold: %+v", o)
	}
}
