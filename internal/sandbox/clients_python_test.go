//go:build unix

package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox/python"
)

// TestPythonClients lets databricks-sdk and mlflow for Python drive a twin: testdata/clients says with what, and each
// of its rows is a test here.
func TestPythonClients(t *testing.T) {
	t.Parallel()
	managed, err := python.Env{}.Ensure(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	f := foreign(t)
	f.exec.Hold("/Shared/held") // until it is cancelled
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	script, err := filepath.Abs(filepath.Join("testdata", "clients", "run.py"))
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	run := exec.CommandContext(ctx, managed.Python, "-B", script)
	run.Dir = home // for what the clients leave behind
	run.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "LANG=C.UTF-8",
		"DATABRICKS_HOST=" + f.twin.URL, "DATABRICKS_TOKEN=" + f.twin.Token,
		"MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT=true",
	}
	run.WaitDelay = time.Second
	var said, complained bytes.Buffer
	run.Stdout, run.Stderr = &said, &complained
	if err := run.Run(); err != nil {
		t.Errorf("%v\n%s", err, complained.Bytes())
	}
	rows, counted := 0, -1
	for dec := json.NewDecoder(&said); dec.More(); {
		var line struct {
			Section, Case, Error string
			Cases                *int
		}
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line.Cases != nil {
			counted = *line.Cases
			continue
		}
		rows++
		t.Run(line.Section+"/"+line.Case, func(t *testing.T) {
			if line.Error != "" {
				t.Error(line.Error)
			}
		})
	}
	same(t, "rows", rows, counted)
	if rows < 80 {
		t.Errorf("%d rows are too few: some section was not driven\n%s", rows, complained.Bytes())
	}
}
