package sandbox_test

import (
	"testing"

	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

// start brings up a sandbox that runs no Python.
func start(t *testing.T, names ...string) *sandbox.Sandbox {
	t.Helper()
	return startIn(t, t.TempDir(), names...)
}

func startIn(t *testing.T, dir string, names ...string) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Start(t.Context(), sandbox.Config{Dir: dir, Workspaces: names, Executor: &jobs.Canned{}, MLflow: mlflow.Light()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStart(t *testing.T) {
	t.Parallel()
	s := start(t, "dev", "registry")
	if got := len(s.Twins()); got != 2 {
		t.Fatalf("%d twins, want 2", got)
	}
}
