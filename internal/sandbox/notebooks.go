package sandbox

import (
	"context"
	"path/filepath"
	"strconv"

	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/bargeml/barge/internal/sandbox/python"
)

// notebooks is the managed Python that all twins share: it runs their notebooks and the MLflow server.
type notebooks struct {
	python  python.Interpreter
	runtime *python.Runtime
}

// prepareNotebooks makes the environment, which takes minutes the first time on a machine.
func prepareNotebooks(ctx context.Context, c Config) (*notebooks, error) {
	interpreter, err := python.Env{}.Ensure(ctx, c.Progress)
	if err != nil {
		return nil, err
	}
	n := &notebooks{python: interpreter, runtime: python.NewRuntime(interpreter, serverDir(c.Dir, "python"))}
	if c.Executor == nil {
		n.runtime.Warm()
	}
	return n, nil
}

func (n *notebooks) Close() error { return n.runtime.Close() }

// server is the MLflow server, under a supervisor that ends it when this process dies.
func (n *notebooks) server(dir string) *mlflow.Server {
	return mlflow.NewServer(mlflow.ServerConfig{
		Dir:    mlflowDir(dir),
		Python: func(context.Context) (string, error) { return n.python.Python, nil },
		Start: func(ctx context.Context, c mlflow.Command) (mlflow.Child, error) {
			p, err := n.python.Start(context.WithoutCancel(ctx), c.Argv, c.Env, c.Dir, c.Log)
			if err != nil {
				return nil, err
			}
			return child{p}, nil
		},
	})
}

type child struct{ *python.Process }

func (c child) Kill() error { return c.Stop() }

// executor runs a twin's notebooks.
func (s *Sandbox) executor(t *Twin) jobs.Executor {
	if s.config.Executor != nil {
		return s.config.Executor
	}
	return executor{s.real.runtime, t}
}

type executor struct {
	runtime *python.Runtime
	twin    *Twin
}

// Execute gives the notebook a token that names its run, so that the twin's log tells whose calls are whose.
func (e executor) Execute(ctx context.Context, a jobs.Attempt) jobs.Outcome {
	return e.runtime.Executor(func() python.Twin {
		files := e.twin.Files()
		return python.Twin{
			WorkspaceID: e.twin.WorkspaceID, URL: e.twin.URL, Token: e.twin.Token + "-" + strconv.FormatInt(a.RunID, 10),
			Dir: filepath.Join(e.twin.Dir, "runs"), Workspace: files.Root(), DBFS: files.DBFS(), Volumes: files.Volumes(),
			Language: files.Language,
		}
	}).Execute(ctx, a)
}
