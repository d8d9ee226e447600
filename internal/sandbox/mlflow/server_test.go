package mlflow_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

var (
	once   sync.Once
	shared *mlflow.Server
)

// python is an interpreter with mlflow and scikit-learn.
func python(t testing.TB) string {
	t.Helper()
	p := os.Getenv("BARGE_TEST_PYTHON")
	if p == "" {
		t.Fatal("BARGE_TEST_PYTHON must name a Python that has mlflow and scikit-learn")
	}
	return p
}

// server is the one MLflow server of all tests; twins of different names do not see each other in it.
func server(t testing.TB) *mlflow.Server {
	t.Helper()
	p := python(t)
	once.Do(func() {
		shared = mlflow.NewServer(mlflow.ServerConfig{
			Dir:    sharedDir,
			Python: func(context.Context) (string, error) { return p, nil },
		})
	})
	return shared
}

func backends(t testing.TB) map[string]mlflow.Backend {
	return map[string]mlflow.Backend{"memory": mlflow.Light(), "server": server(t)}
}

var sharedDir string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "barge-mlflow-test-")
	if err != nil {
		panic(err)
	}
	sharedDir = dir
	defer os.RemoveAll(dir)
	defer func() {
		if shared != nil {
			_ = shared.Close()
		}
	}()
	return m.Run()
}
