package effects

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/databricks"
)

// Task is one notebook run: what is run, with what, on what.
type Task = databricks.Task

// Order is a one-off run of a notebook. Its token makes it one run, however often and by whomever it is started.
type Order struct {
	Name    string
	Token   string
	Task    databricks.Task
	Timeout time.Duration
}

// Outcome is how a run ended and what its notebook left.
type Outcome struct {
	ID, URL        string
	Result         string // SUCCESS, FAILED, TIMEDOUT, CANCELED, …
	State, Message string
	Answer         string // of dbutils.notebook.exit
	Truncated      bool
	Error, Trace   string
}

// Start starts the run, or finds the one that its token started before.
func (s *Site) Start(ctx context.Context, o Order) (int64, error) {
	spec := databricks.RunSpec{Name: o.Name, Task: o.Task, Timeout: o.Timeout, Token: o.Token}
	run, err := s.Workspace.Submit(ctx, spec)
	if err != nil {
		return 0, fmt.Errorf("starting %s: %w", o.Name, err)
	}
	return run, nil
}

// Await waits for a run's end and tells how it ended and what its notebook answered: of several tasks the one with that
// key, where the run was a success, else the first that failed. told hears of the run's page
// once it is known, then whatever else the service says of it while it is under way: that it installs libraries. It
// may be nil.
func (s *Site) Await(ctx context.Context, run int64, answers string, told func(string)) (Outcome, error) {
	page, last := "", ""
	r, err := s.Workspace.Wait(ctx, run, func(r databricks.Run) {
		if told == nil || r.URL == "" {
			return
		}
		if page == "" {
			page = r.URL
			told(page)
		}
		if !r.Done && r.State != "TERMINATING" && r.Message != "" && r.Message != last {
			last = r.Message
			told(last)
		}
	})
	if err != nil {
		return Outcome{}, err
	}
	return s.outcome(ctx, r, answers)
}

func (s *Site) outcome(ctx context.Context, r databricks.Run, answers string) (Outcome, error) {
	out := Outcome{ID: strconv.FormatInt(r.ID, 10), URL: r.URL, Result: r.Result, State: r.State, Message: r.Message}
	i := slices.IndexFunc(r.Tasks, func(t databricks.TaskRun) bool {
		switch {
		case len(r.Tasks) == 1:
			return true
		case r.Result == databricks.Success:
			return t.Key == answers && t.Result == databricks.Success
		}
		return t.Result == databricks.Failed
	})
	if i < 0 {
		return out, nil
	}
	output, err := s.Workspace.Output(ctx, r.Tasks[i])
	if err != nil {
		return out, err
	}
	out.Answer, out.Truncated, out.Error, out.Trace = output.Value, output.Truncated, output.Error, output.Trace
	return out, nil
}

// Cancel ends the runs of a job that are not over, run a notebook below folder and were told the release: two releases
// that differ in their model alone share a folder. It returns their pages, also those of the ones that were already
// asked when an error came.
func (s *Site) Cancel(ctx context.Context, job int64, folder, release string) ([]string, error) {
	active, err := s.Workspace.ListRuns(ctx, databricks.RunFilter{Job: job, Active: true})
	if err != nil {
		return nil, err
	}
	var pages []string
	for _, r := range active {
		ours := slices.ContainsFunc(r.Tasks, func(t databricks.TaskRun) bool {
			told, known := t.Parameters["barge_release"]
			return strings.HasPrefix(t.Notebook, folder+"/") && (!known || told == release)
		})
		if !ours {
			continue
		}
		if err := s.Workspace.CancelRun(ctx, r.ID); err != nil {
			return pages, err
		}
		pages = append(pages, r.URL)
	}
	return pages, nil
}

// StartJob starts a score's job, or finds the run that the token started before.
func (s *Site) StartJob(ctx context.Context, number int64, token string) (int64, error) {
	return s.Workspace.RunNow(ctx, number, token, nil)
}
