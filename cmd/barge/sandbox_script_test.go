//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/python"
	"github.com/bargeml/barge/internal/sandbox/sandboxtest"
)

// The scripts below testdata/sandbox bring up real sandboxes in $WORK/.barge/sandbox, by barge itself: real notebooks in
// the managed Python. Besides testscript's verbs there are:
//
//	import WORKSPACE PATH FILE    puts a notebook or file into a twin
//	submit WORKSPACE TASK         runs one task, JSON without its key, to its end; sets RUN and PAGE
//	killserver                    kills the server, by SIGKILL
//	ended                         waits until the server that this script knew of is gone
//	exitcode N                    the code that barge last ended with
func TestSandboxScripts(t *testing.T) {
	if _, err := (python.Env{}).Ensure(t.Context(), os.Stderr); err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "sandbox"), RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			exits := filepath.Join(env.WorkDir, ".exits")
			if err := os.Mkdir(exits, 0o700); err != nil {
				return err
			}
			env.Setenv("EXITS", exits)
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Setenv("XDG_CACHE_HOME", cache) // the managed Python is made once
			env.Values[benchKey{}] = &bench{}
			env.Defer(func() { _, _ = sandbox.Down(context.Background(), filepath.Join(env.WorkDir, ".barge", "sandbox")) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"import": verb(importFile), "submit": verb(submitTask), "killserver": verb(killServer), "ended": verb(serverEnded), "exitcode": verb(exitCode),
		},
	})
}

func sandboxOf(ts *testscript.TestScript) (sandbox.Status, error) {
	return sandbox.Look(ts.MkAbs(filepath.Join(".barge", "sandbox")))
}

// callTwin sends one call to a twin, as any client would.
func callTwin(ts *testscript.TestScript, workspace, path string, in, out any) error {
	status, err := sandboxOf(ts)
	if err != nil {
		return err
	}
	twin, ok := status.Twin(workspace)
	if !ok {
		return fmt.Errorf("there is no twin %s", workspace)
	}
	token, err := twin.Token()
	if err != nil {
		return err
	}
	method := http.MethodPost
	if in == nil {
		method = http.MethodGet
	}
	return sandboxtest.Call(context.Background(), method, twin.URL+path, token, in, out)
}

func importFile(ts *testscript.TestScript, _ *bench, args []string) error {
	in := map[string]any{"path": args[1], "content": []byte(ts.ReadFile(args[2])), "format": "SOURCE", "language": "PYTHON", "overwrite": true}
	var none struct{}
	if err := callTwin(ts, args[0], "/api/2.0/workspace/mkdirs", map[string]any{"path": filepath.Dir(args[1])}, &none); err != nil {
		return err
	}
	return callTwin(ts, args[0], "/api/2.0/workspace/import", in, &none)
}

func submitTask(ts *testscript.TestScript, _ *bench, args []string) error {
	task := map[string]any{"task_key": "main", "existing_cluster_id": "0101-000000-abcdefgh"}
	if err := json.Unmarshal([]byte(args[1]), &task); err != nil {
		return err
	}
	var run struct {
		RunID int64  `json:"run_id"`
		Page  string `json:"run_page_url"`
		State struct {
			Result string `json:"result_state"`
		} `json:"state"`
	}
	if err := callTwin(ts, args[0], "/api/2.2/jobs/runs/submit", map[string]any{"run_name": "by hand", "tasks": []any{task}}, &run); err != nil {
		return err
	}
	for run.State.Result == "" {
		time.Sleep(50 * time.Millisecond) // its end is another process's: there is nothing to wait on
		if err := callTwin(ts, args[0], fmt.Sprintf("/api/2.2/jobs/runs/get?run_id=%d", run.RunID), nil, &run); err != nil {
			return err
		}
	}
	ts.Setenv("RUN", strconv.FormatInt(run.RunID, 10))
	ts.Setenv("PAGE", run.Page)
	return nil
}

var serverPID = regexp.MustCompile(`"pid":\s*(\d+)`)

func killServer(ts *testscript.TestScript, _ *bench, _ []string) error {
	status, err := sandboxOf(ts)
	if err != nil {
		return err
	}
	server, err := os.FindProcess(status.PID)
	if err != nil {
		return err
	}
	if err := server.Kill(); err != nil {
		return err
	}
	return untilGone(server.Pid)
}

// serverEnded takes the server from the last stdout, a status in JSON: its folder may be gone.
func serverEnded(ts *testscript.TestScript, _ *bench, _ []string) error {
	m := serverPID.FindStringSubmatch(ts.ReadFile("status.json"))
	if m == nil {
		return fmt.Errorf("status.json names no server")
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		return err
	}
	return untilGone(pid)
}

// untilGone waits for the end of a process that is nobody's child here.
func untilGone(pid int) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			return nil
		}
	}
	return fmt.Errorf("process %d has not ended", pid)
}
