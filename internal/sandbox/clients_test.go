package sandbox_test

// Clients that know nothing of the sandbox: the Go SDK here, Python's in clients_python_test.go. Each section of the
// platform has a file; its rows are those that the services' own tests hold word for word.

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	sdkconfig "github.com/databricks/databricks-sdk-go/config"
)

// patience bounds every call of a client: the SDK itself would try again for five minutes.
const patience = 30 * time.Second

// foreigner is a twin and a client of it that anybody could have written.
type foreigner struct {
	*testing.T
	twin *sandbox.Twin
	exec *jobs.Canned
	api  *client.DatabricksClient
}

func foreign(t *testing.T) foreigner {
	t.Helper()
	exec := &jobs.Canned{Answer: answer}
	twin := startWith(t, sandbox.Config{Dir: t.TempDir(), Workspaces: []string{"dev"}, Executor: exec, MLflow: mlflow.Light()}).Twin("dev")
	return foreigner{t, twin, exec, sdk(t, twin.URL, twin.Token)}
}

// answer is how notebooks end, by their names.
func answer(a jobs.Attempt) jobs.Outcome {
	switch a.NotebookPath {
	case "/Shared/exits":
		return jobs.Outcome{Result: jobs.Success, Exited: true, ExitValue: a.Parameters["say"]}
	case "/Shared/fails":
		return jobs.Outcome{Result: jobs.Failed, Error: "AssertionError: too low", Trace: "Traceback (most recent call last)"}
	}
	return jobs.Outcome{Result: jobs.Success}
}

// nothing keeps the SDK from this machine's environment and profiles.
type nothing struct{}

func (nothing) Name() string                      { return "nothing" }
func (nothing) Configure(*sdkconfig.Config) error { return nil }

// sdk is the SDK's client with an address and a token, and all else as it comes: retries, rate limit, look-up of the
// host.
func sdk(t *testing.T, url, token string) *client.DatabricksClient {
	t.Helper()
	c, err := client.New(&sdkconfig.Config{Host: url, Token: token, Loaders: []sdkconfig.Loader{nothing{}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f foreigner) context() context.Context {
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	f.Cleanup(cancel)
	return ctx
}

// must fails the test at once when a call that the rest builds on is refused.
func (f foreigner) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(told(err))
	}
}

// refusal is one row: a call, what the client is told, and what the SDK takes that for.
type refusal struct {
	name string
	call func(context.Context) error
	told string // status, code and message
	is   error
}

func (f foreigner) refused(rows ...refusal) {
	f.Helper()
	for _, row := range rows {
		f.Run(row.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := row.call(ctx)
			same(t, "told", told(err), row.told)
			e, ok := errors.AsType[*apierr.APIError](err)
			if !ok || e.Unwrap() != row.is { //nolint:errorlint // the very sentinel, not one above it
				t.Errorf("the SDK takes %v for %v, want %v", err, errors.Unwrap(err), row.is)
			}
		})
	}
}

// told is an error as the service has put it: status, code and message. The SDK writes <nil> for an absent code.
func told(err error) string {
	e, ok := errors.AsType[*apierr.APIError](err)
	if !ok {
		return fmt.Sprint(err)
	}
	return fmt.Sprintf("%d %s %s", e.StatusCode, e.ErrorCode, e.Message)
}

// failing makes a call without a result of one with.
func failing[T any](call func(context.Context) (T, error)) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := call(ctx)
		return err
	}
}
