//go:build !windows

package python

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/sandbox/jobs"
)

const tellEnvironment = `import json, os, random, sys, tempfile
print(json.dumps({"environ": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd(), "tmp": tempfile.gettempdir(), "executable": sys.executable}))`

type told struct {
	Environ    map[string]string
	Argv       []string
	Cwd, Tmp   string
	Executable string
}

func TestWhatANotebookIsTold(t *testing.T) {
	base := interpreter(t)
	base.environ = append(slices.Clone(base.environ),
		"DATABRICKS_HOST=https://real.example", "DATABRICKS_CLIENT_SECRET=x", "AWS_SECRET_ACCESS_KEY=x", "ARM_CLIENT_SECRET=x",
		"AZURE_CLIENT_SECRET=x", "GITHUB_TOKEN=x", "MLFLOW_TRACKING_URI=http://127.0.0.1:5000", "PYTHONPATH=/nowhere",
		"BARGE_VAR_x=1", "PIP_INDEX_URL=https://user:word@index.example/simple", "LC_TIME=C.UTF-8", "HTTPS_PROXY=http://proxy:1",
		"NO_PROXY=.example",
	)
	for name, r := range map[string]*Runtime{"cold": {interpreter: base}, "warm": quickRuntime(t, base)} {
		s := newStub(t, map[string]string{"/Shared/n": notebook(tellEnvironment)})
		o := s.run(t, r, jobs.Attempt{NotebookPath: "/Shared/n", RunID: 77, JobID: 5, User: "me@x"})
		var got told
		if err := json.Unmarshal([]byte(stdout(o)), &got); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, o.Trace)
		}
		folder := filepath.Join(s.Dir, "77")
		want := map[string]string{
			"DATABRICKS_HOST": s.URL, "DATABRICKS_TOKEN": "[REDACTED]",
			"MLFLOW_TRACKING_URI": "databricks", "MLFLOW_REGISTRY_URI": "databricks", "MLFLOW_EXPERIMENT_NAME": "/Shared/n",
			"HOME": filepath.Join(folder, "home"), "TMPDIR": filepath.Join(folder, "tmp"), "LC_TIME": "C.UTF-8",
			"NO_PROXY": ".example,127.0.0.1,localhost", "VIRTUAL_ENV": filepath.Join(folder, "own"),
		}
		for key, value := range want {
			if got.Environ[key] != value {
				t.Errorf("%s: %s is %q, want %q", name, key, got.Environ[key], value)
			}
		}
		var tags map[string]string
		if err := json.Unmarshal([]byte(got.Environ["MLFLOW_RUN_CONTEXT"]), &tags); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{
			"mlflow.source.type": "NOTEBOOK", "mlflow.source.name": "/Shared/n", "mlflow.user": "me@x",
			"mlflow.databricks.notebookPath": "/Shared/n", "mlflow.databricks.jobID": "5", "mlflow.databricks.jobRunID": "77",
		}, tags); diff != "" {
			t.Errorf("%s: run tags (-want +got):\n%s", name, diff)
		}
		for key, value := range got.Environ {
			for _, strange := range []string{"AWS", "ARM_", "AZURE", "GITHUB", "BARGE", "PIP_", "PYTHONPATH", "SECRET"} {
				if strings.Contains(key, strange) {
					t.Errorf("%s: a notebook sees %s=%s", name, key, value)
				}
			}
			if strings.Contains(value, "127.0.0.1:5000") || strings.Contains(value, "real.example") {
				t.Errorf("%s: a notebook sees %s=%s", name, key, value)
			}
		}
		if diff := cmp.Diff(told{
			Environ: got.Environ, Argv: []string{"/Shared/n"}, Cwd: filepath.Join(s.Workspace, "Shared"),
			Tmp: filepath.Join(folder, "tmp"), Executable: filepath.Join(folder, "own", "bin", "python"),
		}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Runs forked from one interpreter share nothing that chance should decide.
func TestWarmRunsDrawDifferentNumbers(t *testing.T) {
	s := newStub(t, map[string]string{"/n": notebook("import numpy, random, uuid\ndbutils.notebook.exit(f'{numpy.random.random()} {random.random()} {uuid.uuid4()}')")})
	seen := map[string]bool{}
	for id := range 3 {
		o := s.run(t, warmRuntime(t), jobs.Attempt{NotebookPath: "/n", RunID: int64(id + 1)})
		for _, number := range strings.Fields(o.ExitValue) {
			if seen[number] {
				t.Errorf("%s was drawn twice", number)
			}
			seen[number] = true
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d different values, want 9", len(seen))
	}
}

// TestTheContext: what notebooks ask of their context, as they ask it. The token is the run's own, and is never printed.
func TestTheContext(t *testing.T) {
	s := newStub(t, map[string]string{
		"/Shared/n": notebook(`
import json, os
dbutils.widgets.text("day", "1")
context = dbutils.notebook.entry_point.getDbutils().notebook().getContext()
print(context.notebookPath().get(), context.userName().get(), context.currentRunId().get(), context.jobId().getOrElse(None))
print(context.tags().get("user").get(), context.tags().apply("orgId"), context.tags().get("clusterId").isDefined(), context.workspaceId())
print(context.apiUrl().get() == os.environ["DATABRICKS_HOST"] == "http://" + context.browserHostName().get())
print(context.apiToken().get() == os.environ["DATABRICKS_TOKEN"], context.apiToken(), context.apiToken().get(), vars(context)["_token"])
told = json.loads(dbutils.notebook.getContext().toJson())
print(told["currentRunId"]["id"] + 1, told["extraContext"]["notebook_path"], told["tags"]["user"], "oken" in context.safeToJson())
print(dbutils.entry_point.getCurrentBindings(), context.jobId().isEmpty(), context.tags().contains("runId"))
print(dbutils.notebook.run("./child", 0))`),
		"/Shared/child": notebook("dbutils.notebook.exit(dbutils.notebook.getContext().notebookPath().get())"),
	})
	s.WorkspaceID = 7
	for _, r := range []*Runtime{coldRuntime(t), warmRuntime(t)} {
		o := s.run(t, r, jobs.Attempt{NotebookPath: "/Workspace/Shared/n", RunID: 77, User: "me@x", Parameters: map[string]string{"day": "2"}})
		want := "/Shared/n me@x 77 None\nme@x 7 False Some(7)\nTrue\nTrue Some([REDACTED]) [REDACTED] [REDACTED]\n78 /Shared/n me@x False\n{'day': '2'} True True\n/Shared/child\n"
		if diff := cmp.Diff(want, stdout(o)); diff != "" {
			t.Errorf("(-want +got):\n%s\n%s", diff, o.Trace)
		}
	}
}
