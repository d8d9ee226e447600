package python

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"github.com/bargeml/barge/internal/sandbox/jobs"
)

// Runtime runs the notebooks of all twins: it holds the warm interpreters, which they share.
type Runtime struct {
	interpreter Interpreter
	warm        *warmth // nil: every notebook is run cold
}

// NewRuntime keeps its logs in dir. Interpreters are kept warm on Linux alone: elsewhere system libraries do not
// survive a fork.
func NewRuntime(interpreter Interpreter, dir string) *Runtime {
	if runtime.GOOS != "linux" {
		return &Runtime{interpreter: interpreter}
	}
	return &Runtime{interpreter, &warmth{
		interpreter: interpreter, dir: dir, modules: loaded, hosts: map[string]*warmHost{},
	}}
}

// Warm starts loading the libraries, which takes some ten seconds, in the background: the first notebook need not wait
// as long. A failure is met again by the first notebook, which then runs cold.
func (r *Runtime) Warm() {
	if r.warm == nil {
		return
	}
	if host, err := r.warm.take(r.interpreter.Dir); err == nil {
		r.warm.release(r.interpreter.Dir, host)
	}
}

// Close ends the warm interpreters and what they run. It may be repeated.
func (r *Runtime) Close() error {
	if r.warm == nil {
		return nil
	}
	return r.warm.close()
}

// Twin is what notebooks are told of the workspace that they run in.
type Twin struct {
	URL, Token  string
	WorkspaceID int64
	Registry    string // what mlflow takes for the model registry; "": "databricks"
	Dir         string // runs are kept here, each with its driver.log
	Workspace   string // the folders in which its files lie
	DBFS        string
	Volumes     string
	Language    func(path string) string // what the workspace knows of a notebook's language; nil: nothing
}

// Executor runs the notebooks of one twin.
type Executor struct {
	runtime *Runtime
	twin    func() Twin
}

var _ jobs.Executor = (*Executor)(nil)

// Executor makes the executor of a twin; twin is asked before each run, so that its URL may be known late.
func (r *Runtime) Executor(twin func() Twin) *Executor { return &Executor{r, twin} }

// Execute implements jobs.Executor.
func (e *Executor) Execute(ctx context.Context, a jobs.Attempt) jobs.Outcome {
	outcome, err := e.execute(ctx, a)
	switch {
	case ctx.Err() != nil:
		outcome.Result = jobs.Canceled
	case err != nil:
		return jobs.Outcome{Result: jobs.InternalError, Message: err.Error()}
	}
	return outcome
}

func (e *Executor) execute(ctx context.Context, a jobs.Attempt) (jobs.Outcome, error) {
	twin := e.twin()
	layer, err := e.runtime.interpreter.layer(ctx, twin, a.Libraries, a.Say)
	if refused := (*installError)(nil); errors.As(err, &refused) {
		return jobs.Outcome{Result: jobs.NoLibraries, Message: fmt.Sprintf("Library installation failed for task %s: %s", a.TaskKey, refused.said)}, nil
	}
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("installing the libraries of the run: %w", err)
	}
	r, err := e.runtime.interpreter.newRequest(twin, a, layer)
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("preparing the run: %w", err)
	}
	defer r.clean()
	how, err := e.runtime.run(ctx, layer, r)
	if err != nil {
		return jobs.Outcome{}, err
	}
	outcome, err := r.outcome()
	if errors.Is(err, fs.ErrNotExist) {
		died := "the notebook process died (" + how + ")"
		return jobs.Outcome{Result: jobs.Failed, Error: died, Trace: died}, nil
	}
	return outcome, err
}

// run runs the request and says how its process ended.
func (r *Runtime) run(ctx context.Context, layer string, q *request) (how string, err error) {
	if r.warm != nil {
		how, err := r.warm.run(ctx, layer, q.file())
		if err == nil {
			return how, nil
		}
		if ctx.Err() != nil || !errors.Is(err, errCold) {
			return err.Error(), nil
		}
	}
	log, err := os.OpenFile(q.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer log.Close()
	argv := append(q.Boot, "run", q.file())
	process, err := r.interpreter.start(ctx, command{argv: argv, environ: q.environ(), dir: q.Folder, out: log})
	if err != nil {
		return "", err
	}
	return death(process.Wait()), nil
}
