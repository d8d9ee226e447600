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
