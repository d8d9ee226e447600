package databricks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/bargeml/barge/internal/transport"
)

// open brings up a twin whose notebooks are answered by answer, and opens it.
func open(t *testing.T, answer func(jobs.Attempt) jobs.Outcome) (*databricks.Workspace, *sandbox.Twin) {
	t.Helper()
	s, err := sandbox.Start(t.Context(), sandbox.Config{
		Dir: t.TempDir(), Workspaces: []string{"prod"}, Executor: &jobs.Canned{Answer: answer}, MLflow: mlflow.Light(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	twin := s.Twin("prod")
	return databricks.Open(databricks.Options{
		Name: "prod", Host: twin.URL,
		Token:     func(context.Context) (string, time.Time, error) { return twin.Token, time.Time{}, nil },
		Transport: transport.New(transport.Options{Sleep: soon}),
		Sleep:     soon,
	}), twin
}

// soon is a sleep for those who wait for something of this machine.
func soon(ctx context.Context, _ time.Duration) error { return transport.Sleep(ctx, time.Millisecond) }

func TestTwinFiles(t *testing.T) {
	w, _ := open(t, nil)
	ctx := t.Context()
	const path = "/Barge/diabetes/ledger/0/1 ü.json"
	for _, content := range []string{"", "one\n"} {
		p := path + strconv.Itoa(len(content))
		if err := w.CreateFile(ctx, p, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := w.CreateFile(ctx, p, []byte("two")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a second time: %v", err)
		}
		if b, err := w.ReadFile(ctx, p); err != nil || string(b) != content {
			t.Errorf("read %q, %v", b, err)
		}
		if o, err := w.Stat(ctx, p); err != nil || o.Kind != databricks.File || o.Size != int64(len(content)) || o.ID == 0 {
			t.Errorf("%+v, %v", o, err)
		}
	}
	if err := w.PutFile(ctx, path+"0", []byte("over")); err != nil {
		t.Fatal(err)
	}
	list, err := w.List(ctx, "/Barge/diabetes/ledger/0")
	if err != nil || len(list) != 2 || list[0].Path != path+"0" || list[0].Size != 4 {
		t.Errorf("%+v, %v", list, err)
	}
	for name, err := range map[string]error{
		"read": second(w.ReadFile(ctx, "/none")), "stat": second(w.Stat(ctx, "/none")), "list": second(w.List(ctx, "/none")), "delete": w.Delete(ctx, "/none", true),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
	if err := w.Mkdirs(ctx, path+"0"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a folder over a file: %v", err)
	}
	if err := w.Delete(ctx, "/Barge", true); err != nil {
		t.Error(err)
	}
}

func TestTwinNotebooks(t *testing.T) {
	w, _ := open(t, nil)
	ctx := t.Context()
	source := databricks.Source{Language: "PYTHON", Content: []byte("# Databricks notebook source\nprint('<ü>')\n")}
	if err := w.ImportNotebook(ctx, "/Barge/r/train", source, false); err != nil {
		t.Fatal(err)
	}
	if err := w.ImportNotebook(ctx, "/Barge/r/train", source, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v", err)
	}
	if err := w.CreateFile(ctx, "/Barge/r/train", nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file in its place: %v", err)
	}
	b, err := w.ExportNotebook(ctx, "/Barge/r/train", "SOURCE")
	if err != nil || strings.TrimSpace(string(b)) != strings.TrimSpace(string(source.Content)) {
		t.Errorf("%q, %v", b, err)
	}
	if err := w.ImportNotebook(ctx, "/Barge/r/empty", databricks.Source{Language: "SQL"}, false); err != nil {
		t.Error(err)
	}
	if o, err := w.Stat(ctx, "/Barge/r/empty"); err != nil || o.Kind != databricks.Notebook || o.Language != "SQL" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestTwinRuns(t *testing.T) {
	w, _ := open(t, func(a jobs.Attempt) jobs.Outcome {
		if strings.HasSuffix(a.NotebookPath, "fails") {
			return jobs.Outcome{Result: jobs.Failed, Error: "AssertionError: too bad", Trace: "Traceback …"}
		}
		return jobs.Outcome{Result: jobs.Success, Exited: true, ExitValue: "told " + a.Parameters["barge_release"]}
	})
	ctx := t.Context()
	for _, name := range []string{"passes", "fails"} {
		if err := w.ImportNotebook(ctx, "/Barge/"+name, databricks.Source{Language: "PYTHON", Content: []byte("1\n")}, false); err != nil {
			t.Fatal(err)
		}
	}
	submit := func(notebook string) (databricks.Run, databricks.Output) {
		t.Helper()
		spec := databricks.RunSpec{Name: notebook, Token: notebook, Task: databricks.Task{
			Notebook: "/Barge/" + notebook, Parameters: map[string]string{"barge_release": "1.4.0"}, Libraries: []string{"pypi:mlflow"},
			Compute: databricks.Compute{SparkVersion: "15.4.x-cpu-ml-scala2.12", NodeType: "Standard_DS3_v2"}, Timeout: time.Hour,
		}}
		id, err := w.Submit(ctx, spec)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := w.Submit(ctx, spec); again != id || err != nil {
			t.Errorf("the token starts another run: %d, %d, %v", id, again, err)
		}
		r, err := w.Wait(ctx, id, nil)
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.Output(ctx, r.Tasks[0])
		if err != nil {
			t.Fatal(err)
		}
		return r, out
	}
	r, out := submit("passes")
	if r.Result != databricks.Success || r.Job != 0 || out.Value != "told 1.4.0" || r.URL == "" || len(r.Tasks) != 1 || r.Tasks[0].Notebook != "/Barge/passes" {
		t.Errorf("%+v, %+v", r, out)
	}
	r, out = submit("fails")
	if r.Result != databricks.Failed || out.Value != "" || out.Error != "AssertionError: too bad" || out.Trace != "Traceback …" {
		t.Errorf("%+v, %+v", r, out)
	}
	if _, err := w.GetRun(ctx, 12345); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such run: %v", err)
	}
	if runs, err := w.ListRuns(ctx, databricks.RunFilter{}); err != nil || len(runs) != 2 || runs[0].Name != "fails" {
		t.Errorf("%+v, %v", runs, err)
	}
}

func TestTwinJobs(t *testing.T) {
	w, _ := open(t, func(a jobs.Attempt) jobs.Outcome {
		return jobs.Outcome{Result: jobs.Success, Exited: true, ExitValue: a.Parameters["barge_run"]}
	})
	ctx := t.Context()
	if err := w.ImportNotebook(ctx, "/Barge/score", databricks.Source{Language: "PYTHON", Content: []byte("1\n")}, false); err != nil {
		t.Fatal(err)
	}
	settings := func(release string) json.RawMessage {
		s, err := databricks.Task{Notebook: "/Barge/score", Parameters: map[string]string{"barge_release": release}, Compute: databricks.Compute{Serverless: true}}.Settings()
		if err != nil {
			t.Fatal(err)
		}
		s["name"], s["tags"], s["max_concurrent_runs"] = "nightly", map[string]string{"barge": "d.prod.nightly"}, 1
		s["schedule"] = map[string]string{"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "Europe/London", "pause_status": "PAUSED"}
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	id, err := w.CreateJob(ctx, settings("1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.ResetJob(ctx, id, settings("1.1.0")); err != nil {
		t.Fatal(err)
	}
	job, err := w.GetJob(ctx, id)
	if err != nil || job.Name != "nightly" || !strings.Contains(string(job.Settings), `"barge_release":"1.1.0"`) || !strings.Contains(string(job.Settings), `"pause_status":"PAUSED"`) {
		t.Errorf("%s, %v", job.Settings, err)
	}
	found, err := w.FindJobs(ctx, "barge", "d.prod.nightly")
	if err != nil || len(found) != 1 || found[0].ID != id {
		t.Errorf("%+v, %v", found, err)
	}
	run, err := w.RunNow(ctx, id, "token", map[string]string{"barge_run": "r-7"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Wait(ctx, run, nil)
	if err != nil || r.Job != id {
		t.Fatalf("%+v, %v", r, err)
	}
	if out, err := w.Output(ctx, r.Tasks[0]); err != nil || out.Value != "r-7" {
		t.Errorf("%+v, %v", out, err)
	}
	if err := errors.Join(w.CancelAllRuns(ctx, id), w.DeleteJob(ctx, id)); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{"get": second(w.GetJob(ctx, id)), "reset": w.ResetJob(ctx, id, settings("2")), "delete": w.DeleteJob(ctx, id)} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of a job that is gone: %v", name, err)
		}
	}
}

func TestTwinSecretsRightsAndSelf(t *testing.T) {
	w, twin := open(t, nil)
	ctx := t.Context()
	for range 2 {
		if err := errors.Join(w.CreateScope(ctx, "rmr"), w.PutSecret(ctx, "rmr", "rmr-token", "hidden")); err != nil {
			t.Fatal(err)
		}
	}
	if keys, err := w.ListSecretKeys(ctx, "rmr"); err != nil || cmp.Diff([]string{"rmr-token"}, keys) != "" {
		t.Errorf("%v, %v", keys, err)
	}
	if err := w.Mkdirs(ctx, "/Barge"); err != nil {
		t.Fatal(err)
	}
	o, err := w.Stat(ctx, "/Barge")
	if err != nil || o.Kind != databricks.Directory {
		t.Fatalf("%+v, %v", o, err)
	}
	give := databricks.Grant{Principal: "group:on-call", Level: "CAN_MANAGE"}
	if err := w.PatchPermissions(ctx, "directories", fmt.Sprint(o.ID), []databricks.Grant{give}); err != nil {
		t.Fatal(err)
	}
	if grants, err := w.Permissions(ctx, "directories", fmt.Sprint(o.ID)); err != nil || !slices.Contains(grants, give) {
		t.Errorf("%+v, %v", grants, err)
	}
	if me, err := w.Me(ctx); err != nil || me.Name != sandbox.DefaultUser {
		t.Errorf("%+v, %v", me, err)
	}
	if id, err := w.ID(ctx); err != nil || id != twin.WorkspaceID {
		t.Errorf("%d, %v", id, err)
	}
	if w.ServerTime().IsZero() {
		t.Error("no server time")
	}
}

// What the network and the service can do to one call, and what becomes of it.
func TestTwinFaults(t *testing.T) {
	const files = "/api/2.0/workspace-files/import-file/"
	for _, tc := range []struct {
		name  string
		fault sandbox.Fault
		is    error // nil: done
	}{
		{"refused before", sandbox.Fault{Path: files, Action: sandbox.FaultStatus, Status: 503}, nil},
		{"slowed down", sandbox.Fault{Path: files, Action: sandbox.FaultStatus, Status: 429, Headers: map[string]string{"Retry-After": "1"}}, nil},
		{"broken before", sandbox.Fault{Path: files, Action: sandbox.FaultResetBefore}, nil},
		{"broken after: it is there, look whose it is", sandbox.Fault{Path: files, Action: sandbox.FaultResetAfter}, fs.ErrExist},
		{"502 after: it is there, look whose it is", sandbox.Fault{Path: files, Action: sandbox.FaultStatusAfter, Status: 502}, fs.ErrExist},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, twin := open(t, nil)
			if err := w.Mkdirs(t.Context(), "/Barge"); err != nil {
				t.Fatal(err)
			}
			if err := twin.Fault(tc.fault); err != nil {
				t.Fatal(err)
			}
			if err := w.CreateFile(t.Context(), "/Barge/1.json", []byte("mine")); !errors.Is(err, tc.is) || (err == nil) != (tc.is == nil) {
				t.Errorf("%v, want %v", err, tc.is)
			}
			if b, err := w.ReadFile(t.Context(), "/Barge/1.json"); err != nil || string(b) != "mine" {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }
