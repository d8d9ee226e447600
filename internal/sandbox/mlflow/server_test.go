package mlflow_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/bargeml/barge/internal/sandbox/python"
)

// managed is the sandbox's own Python, made once per machine.
var managed = sync.OnceValues(func() (python.Interpreter, error) {
	return python.Env{}.Ensure(context.Background(), os.Stderr)
})

func interpreter(t testing.TB) python.Interpreter {
	t.Helper()
	i, err := managed()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// supervised is a child that ends with this process, however that ends.
type supervised struct{ *python.Process }

func (s supervised) Kill() error { return s.Stop() }

func realServer(t testing.TB, dir string) *mlflow.Server {
	t.Helper()
	i := interpreter(t)
	return mlflow.NewServer(mlflow.ServerConfig{
		Dir:    dir,
		Python: func(context.Context) (string, error) { return i.Python, nil },
		Start: func(ctx context.Context, c mlflow.Command) (mlflow.Child, error) {
			p, err := i.Start(context.WithoutCancel(ctx), c.Argv, c.Env, c.Dir, c.Log)
			if err != nil {
				return nil, err
			}
			return supervised{p}, nil
		},
	})
}

var (
	once   sync.Once
	shared *mlflow.Server
	dir    string
)

// server is the one MLflow server of all tests; twins of different names do not see each other in it.
func server(t testing.TB) *mlflow.Server {
	t.Helper()
	interpreter(t)
	once.Do(func() { shared = realServer(t, dir) })
	return shared
}

func backends(t testing.TB) map[string]mlflow.Backend {
	t.Helper()
	return map[string]mlflow.Backend{"memory": mlflow.Light(), "server": server(t)}
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if dir, err = os.MkdirTemp("", "barge-mlflow-test-"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	defer func() {
		if shared != nil {
			_ = shared.Close()
		}
	}()
	return m.Run()
}
