package databricks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/bargeml/barge/internal/transport"
)

// The results of a run that is done. There may be others: whatever is not Success is none.
const (
	Success       = "SUCCESS"
	Failed        = "FAILED"
	TimedOut      = "TIMEDOUT"
	Canceled      = "CANCELED"
	Skipped       = "SKIPPED"
	InternalError = "INTERNAL_ERROR"
	Unknown       = "UNKNOWN" // done, and nothing said how
)

// Run is a run of a job, or a one-off.
type Run struct {
	ID, Job   int64 // the job is 0 when one-off
	Name      string
	URL       string // its page
	State     string // as the service says it: PENDING, RUNNING, TERMINATED, …, or what we do not know yet
	Done      bool
	Result    string // when Done
	Message   string // what the service says of state or failure
	Trigger   string // PERIODIC, ONE_TIME, …
	Creator   string
	Tasks     []TaskRun // one per task: its last attempt
	StartedAt time.Time
	EndedAt   time.Time // zero while not Done
}

// TaskRun is the last attempt at one task of a run; its ID is the one to ask for output.
type TaskRun struct {
	Key        string
	ID         int64
	Attempt    int
	State      string
	Result     string
	Notebook   string
	Parameters map[string]string
}

// Output is what a notebook left.
type Output struct {
	Value     string // of dbutils.notebook.exit; empty also when it was never called
	Truncated bool   // the service keeps the first 5 MB
	Error     string
	Trace     string
}

// RunSpec is a one-off run. Token, of at most 64 characters, makes Submit safe to repeat.
type RunSpec struct {
	Name    string
	Task    Task
	Timeout time.Duration
	Token   string
	RunAs   string // "service-principal:…" or "user:…"; empty: who calls
}

// Submit starts a one-off run and returns its id; with a token used before, the id of the run started then, also
// when that is over.
func (w *Workspace) Submit(ctx context.Context, s RunSpec) (int64, error) {
	body, err := s.Task.Settings()
	if err != nil {
		return 0, fmt.Errorf("starting %s: %w", s.Name, err)
	}
	if err := RunAs(body, s.RunAs); err != nil {
		return 0, fmt.Errorf("starting %s: %w", s.Name, err)
	}
	body["run_name"] = s.Name
	if s.Timeout > 0 {
		body["timeout_seconds"] = int64(s.Timeout / time.Second)
	}
	return w.start(ctx, fmt.Sprintf("starting a run of notebook %s", s.Task.Notebook), "/api/2.2/jobs/runs/submit", s.Token, body)
}

// RunNow starts a run of a job; parameters overlay those of its notebooks. Token as in RunSpec.
func (w *Workspace) RunNow(ctx context.Context, job int64, token string, parameters map[string]string) (int64, error) {
	body := map[string]any{"job_id": job}
	if len(parameters) > 0 {
		body["notebook_params"] = parameters
	}
	return w.start(ctx, fmt.Sprintf("starting job %d", job), "/api/2.2/jobs/run-now", token, body)
}

func (w *Workspace) start(ctx context.Context, doing, path, token string, body map[string]any) (int64, error) {
	class := transport.Once
	if token != "" {
		if len(token) > 64 {
			return 0, fmt.Errorf("%s: its token has %d characters, the service takes 64", doing, len(token))
		}
		body["idempotency_token"] = token
		class = transport.Safe
	}
	var out struct {
		RunID int64 `json:"run_id"`
	}
	err := w.do(transport.Default(ctx, class), call{doing: doing, method: http.MethodPost, path: path, in: body, out: &out})
	return out.RunID, err
}

// GetRun reads a run; fs.ErrNotExist when it is not known, or no more (after 60 days).
func (w *Workspace) GetRun(ctx context.Context, id int64) (Run, error) {
	var whole runInfo
	for query := (url.Values{"run_id": {strconv.FormatInt(id, 10)}}); ; {
		var page runInfo
		err := w.do(ctx, call{
			doing: fmt.Sprintf("reading run %d", id), method: http.MethodGet, path: "/api/2.2/jobs/runs/get",
			query: query, out: &page,
		})
		if err != nil {
			return Run{}, err
		}
		tasks := append(whole.Tasks, page.Tasks...)
		if whole.RunID == 0 {
			whole = page
		}
		whole.Tasks = tasks
		if page.NextPageToken == "" {
			return whole.run(), nil
		}
		query.Set("page_token", page.NextPageToken)
	}
}

// Output reads what the run's notebook left: of its only task, in the last attempt.
func (w *Workspace) Output(ctx context.Context, t TaskRun) (Output, error) {
	var out struct {
		Notebook struct {
			Result    string `json:"result"`
			Truncated bool   `json:"truncated"`
		} `json:"notebook_output"`
		Error      string `json:"error"`
		ErrorTrace string `json:"error_trace"`
	}
	err := w.do(ctx, call{
		doing: fmt.Sprintf("reading the output of task %s (run %d)", t.Key, t.ID), method: http.MethodGet, path: "/api/2.2/jobs/runs/get-output",
		query: url.Values{"run_id": {strconv.FormatInt(t.ID, 10)}}, out: &out,
	})
	return Output{out.Notebook.Result, out.Notebook.Truncated, out.Error, out.ErrorTrace}, err
}

const (
	firstPoll   = 500 * time.Millisecond
	longestPoll = 15 * time.Second
	blindPolls  = 8 // a run goes on while nobody can see it
)

// Wait looks at a run until it is done, telling progress (may be nil) of each look; more seldom as time goes by. It
// outlasts some lost answers. When ctx ends the run is left as it is.
func (w *Workspace) Wait(ctx context.Context, id int64, progress func(Run)) (Run, error) {
	blind := 0
	for pause := firstPoll; ; pause = min(longestPoll, pause*5/4) {
		r, err := w.GetRun(ctx, id)
		switch {
		case err == nil:
			blind = 0
			if progress != nil {
				progress(r)
			}
			if r.Done {
				return r, nil
			}
		case ctx.Err() != nil, blind == blindPolls, !lost(err):
			return r, err
		default:
			blind++
		}
		if err := w.o.Sleep(ctx, pause); err != nil {
			return r, fmt.Errorf("waiting for run %d, which goes on: %w", id, err)
		}
	}
}

// lost tells whether the next look may see what this one did not.
func lost(err error) bool {
	var unreachable *Unreachable
	return errors.As(err, &unreachable) || !Definite(err)
}

// CancelRun asks for a run's end, which comes later: Wait for it. Safe to repeat.
func (w *Workspace) CancelRun(ctx context.Context, id int64) error {
	return w.do(transport.Default(ctx, transport.Safe), call{
		doing: fmt.Sprintf("cancelling run %d", id), method: http.MethodPost, path: "/api/2.2/jobs/runs/cancel",
		in: map[string]any{"run_id": id},
	})
}

// CancelAllRuns asks for the end of all runs of a job. Safe to repeat.
func (w *Workspace) CancelAllRuns(ctx context.Context, job int64) error {
	return w.do(transport.Default(ctx, transport.Safe), call{
		doing: fmt.Sprintf("cancelling the runs of job %d", job), method: http.MethodPost, path: "/api/2.2/jobs/runs/cancel-all",
		in: map[string]any{"job_id": job},
	})
}

// RunFilter chooses runs. The zero value is every run.
type RunFilter struct {
	Job    int64     // 0: of any job, and one-offs
	Active bool      // not Done alone
	Since  time.Time // started at or after
	Limit  int       // the newest; 0: all
}

// ListRuns lists runs, newest first. A list may be old.
func (w *Workspace) ListRuns(ctx context.Context, f RunFilter) ([]Run, error) {
	query := url.Values{"limit": {"25"}, "expand_tasks": {"true"}}
	if f.Job != 0 {
		query.Set("job_id", strconv.FormatInt(f.Job, 10))
	}
	if f.Active {
		query.Set("active_only", "true")
	}
	if !f.Since.IsZero() {
		query.Set("start_time_from", strconv.FormatInt(f.Since.UnixMilli(), 10))
	}
	var runs []Run
	for {
		var page struct {
			Runs          []runInfo `json:"runs"`
			NextPageToken string    `json:"next_page_token"`
		}
		err := w.do(ctx, call{doing: "listing runs", method: http.MethodGet, path: "/api/2.2/jobs/runs/list", query: query, out: &page})
		if err != nil {
			return nil, err
		}
		for _, r := range page.Runs {
			if runs = append(runs, r.run()); len(runs) == f.Limit {
				return runs, nil
			}
		}
		if page.NextPageToken == "" {
			return runs, nil
		}
		query.Set("page_token", page.NextPageToken)
	}
}
