package jobs

import (
	"maps"
	"slices"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// Run is one attempt at one task, with everything that is known of it: for who looks into the sandbox, not for
// clients of the API.
type Run struct {
	RunID      int64             `json:"run_id"`
	TaskRunID  int64             `json:"task_run_id"`
	JobID      int64             `json:"job_id,omitempty"` // 0: a one-off run
	PageURL    string            `json:"run_page_url"`
	RunName    string            `json:"run_name"`
	TaskKey    string            `json:"task_key"`
	Attempt    int               `json:"attempt_number"`
	Trigger    string            `json:"trigger"`
	Notebook   string            `json:"notebook_path,omitempty"`
	Parameters map[string]string `json:"parameters"` // as the notebook was told; empty before it ran
	State      string            `json:"state"`      // life_cycle_state
	Result     string            `json:"result,omitempty"`
	Message    string            `json:"message,omitempty"`
	ExitValue  string            `json:"exit_value,omitempty"`
	Exited     bool              `json:"exited"`
	Error      string            `json:"error,omitempty"`
	Trace      string            `json:"error_trace,omitempty"`
	Start      int64             `json:"start_time,omitempty"` // ms
	End        int64             `json:"end_time,omitempty"`
	Cells      []Cell            `json:"cells"`
}

// Runs are all attempts of all runs, oldest run first, also those that were deleted or whose job was.
func (s *Service) Runs() []Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Run
	for _, id := range slices.Sorted(maps.Keys(s.runs)) {
		all = append(all, s.listing(s.runs[id])...)
	}
	return all
}

// Attempts are those of one run, or the one whose own id is given; a *wire.Error when there is no such run.
func (s *Service) Attempts(id int64) ([]Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil {
		return s.listing(r), nil
	}
	if r := s.parents[id]; r != nil {
		return slices.DeleteFunc(s.listing(r), func(a Run) bool { return a.TaskRunID != id }), nil
	}
	return nil, wire.Invalid("Run %d does not exist.", id)
}

func (s *Service) listing(r *run) []Run {
	all := make([]Run, 0, len(r.Attempts))
	for _, a := range r.Attempts {
		v := Run{
			RunID: r.ID, TaskRunID: a.ID, PageURL: s.page(r, a.ID), RunName: r.Name, TaskKey: a.Key, Attempt: a.Number, Trigger: r.Trigger,
			Parameters: map[string]string{}, State: a.State.Life, Result: a.State.Result, Message: a.State.Message,
			ExitValue: a.Exit, Exited: a.Exited, Error: a.Error, Trace: a.Trace, Start: a.Start, End: a.End, Cells: append([]Cell{}, a.Cells...),
		}
		maps.Copy(v.Parameters, a.Parameters)
		if !r.Once {
			v.JobID = r.JobID
		}
		if t := r.task(a.Key); t.Notebook != nil {
			v.Notebook = t.Notebook.Path
		}
		all = append(all, v)
	}
	return all
}
