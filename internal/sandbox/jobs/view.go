package jobs

import (
	"fmt"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// stateView is `state`: deprecated, and what most clients read.
type stateView struct {
	Life    string `json:"life_cycle_state"`
	Result  string `json:"result_state,omitempty"`
	Message string `json:"state_message"`
	Stopped bool   `json:"user_cancelled_or_timedout"`
	Queue   string `json:"queue_reason,omitempty"`
}

// statusView is `status`, of version 2.2.
type statusView struct {
	State string       `json:"state"`
	Ended *detailsView `json:"termination_details,omitempty"`
	Queue *detailsView `json:"queue_details,omitempty"`
}

type detailsView struct {
	Code    string `json:"code"`
	Type    string `json:"type,omitempty"`
	Message string `json:"message"`
}

func (s state) view() stateView {
	v := stateView{Life: s.Life, Result: s.Result, Message: s.Message, Stopped: s.Stopped}
	if s.Life == queued {
		v.Message, v.Queue = "", s.Message
	}
	return v
}

func (s state) status() statusView {
	v := statusView{State: s.Life}
	switch {
	case s.Life == queued:
		v.Queue = &detailsView{Code: "MAX_CONCURRENT_RUNS_REACHED", Message: s.Message}
	case s.Life == waiting:
		v.State = "WAITING"
	case s.over():
		v.State = terminated
	}
	if s.Code != "" {
		v.Ended = &detailsView{Code: s.Code, Type: s.Cause, Message: s.Message}
	}
	return v
}

// timesView is what runs and task runs tell of time, in milliseconds. A run of several tasks tells run_duration,
// and 0 for the rest.
type timesView struct {
	Start     int64 `json:"start_time"`
	Setup     int64 `json:"setup_duration"`
	Execution int64 `json:"execution_duration"`
	Cleanup   int64 `json:"cleanup_duration"`
	End       int64 `json:"end_time"`
	Run       int64 `json:"run_duration,omitempty"`
	Queue     int64 `json:"queue_duration,omitempty"`
}

type clusterView struct {
	ID string `json:"cluster_id"`
}

// runView is a run as get and list show it; a task run asked for by its own id has the same form.
type runView struct {
	ID         int64        `json:"run_id"`
	JobID      int64        `json:"job_id"`
	NumberIn   int64        `json:"number_in_job"`
	JobRunID   int64        `json:"job_run_id,omitempty"`
	Original   int64        `json:"original_attempt_run_id"`
	Attempt    *int         `json:"attempt_number,omitempty"`
	Creator    string       `json:"creator_user_name"`
	Name       string       `json:"run_name"`
	PageURL    string       `json:"run_page_url"`
	Type       string       `json:"run_type"`
	Trigger    string       `json:"trigger"`
	Format     string       `json:"format"`
	State      stateView    `json:"state"`
	Status     statusView   `json:"status"`
	Schedule   *schedule    `json:"schedule,omitempty"`
	Clusters   []jobCluster `json:"job_clusters,omitempty"`
	Git        *gitSource   `json:"git_source,omitempty"`
	Parameters []parameter  `json:"job_parameters,omitempty"`
	Overriding object       `json:"overriding_parameters,omitempty"`
	Tasks      []taskView   `json:"tasks,omitempty"`
	History    []repairView `json:"repair_history,omitempty"`
	HasMore    bool         `json:"has_more,omitempty"`
	Next       string       `json:"next_page_token,omitempty"`
	timesView
}

type taskView struct {
	task
	ID       int64        `json:"run_id"`
	Attempt  int          `json:"attempt_number"`
	PageURL  string       `json:"run_page_url"`
	State    stateView    `json:"state"`
	Status   statusView   `json:"status"`
	Cluster  *clusterView `json:"cluster_instance,omitempty"`
	Git      *gitSource   `json:"git_source,omitempty"`
	Resolved object       `json:"resolved_values,omitempty"`
	timesView
}

type repairView struct {
	Type     string     `json:"type"`
	ID       int64      `json:"id,omitempty"`
	Start    int64      `json:"start_time"`
	End      int64      `json:"end_time"`
	State    stateView  `json:"state"`
	Status   statusView `json:"status"`
	TaskRuns []int64    `json:"task_run_ids"`
}

func (s *Service) view(r *run) runView {
	v := runView{
		ID: r.ID, JobID: r.JobID, NumberIn: r.ID, JobRunID: r.ID, Original: r.ID, Creator: r.Creator, Name: r.Name,
		PageURL: s.page(r, r.ID), Type: "JOB_RUN", Trigger: r.Trigger, Format: "MULTI_TASK",
		State: r.State.view(), Status: r.State.status(), Schedule: r.Schedule,
		Clusters: r.Clusters, Git: r.Git, Parameters: r.Parameters, Overriding: r.Overriding,
		timesView: timesView{Start: r.Start, End: r.End},
	}
	if r.Once {
		v.Type = "SUBMIT_RUN"
	}
	if r.End > 0 {
		v.Run = r.End - r.Start
	}
	if r.Begun > 0 {
		v.Queue = r.Begun - r.Start
	}
	for _, a := range r.Attempts {
		v.Tasks = append(v.Tasks, s.taskView(r, a))
	}
	return v
}

// page is the URL of a run's page in the old form, which needs no workspace of its own.
func (s *Service) page(r *run, id int64) string {
	return fmt.Sprintf("%s/?o=%d#job/%d/run/%d", s.cfg.URL, s.cfg.WorkspaceID, r.JobID, id)
}

func (s *Service) taskView(r *run, a *attempt) taskView {
	v := taskView{
		task: *r.task(a.Key), ID: a.ID, Attempt: a.Number, PageURL: s.page(r, a.ID),
		State: a.State.view(), Status: a.State.status(), Git: r.Git, timesView: timesView{Start: a.Start, End: a.End},
	}
	if v.ExistingClusterID != "" {
		v.Cluster = &clusterView{ID: v.ExistingClusterID}
	}
	if a.Begun > 0 {
		v.Setup = a.Begun - a.Start
		if a.End > 0 {
			v.Execution = a.End - a.Begun
		}
	}
	if a.Parameters != nil {
		v.Resolved = object{"notebook_task": raw(map[string]widgets{"base_parameters": a.Parameters})}
	}
	return v
}

// single is a task run in the form of a run.
func (s *Service) single(r *run, a *attempt) runView {
	v := s.view(r)
	t := s.taskView(r, a)
	v.ID, v.NumberIn, v.JobRunID, v.Original, v.Attempt = a.ID, a.ID, r.ID, a.Original, &a.Number
	v.Name, v.PageURL, v.State, v.Status, v.timesView = a.Key, t.PageURL, t.State, t.Status, t.timesView
	t.Resolved = nil
	v.Tasks = []taskView{t}
	return v
}

func (r *run) history() []repairView {
	var all []repairView
	for i, p := range r.Repairs {
		v := repairView{Type: "REPAIR", ID: p.ID, Start: p.Start, End: p.End, State: p.State.view(), Status: p.State.status(), TaskRuns: p.TaskRuns}
		if i == 0 {
			v.Type = "ORIGINAL"
		}
		if p.End == 0 {
			v.State, v.Status, v.TaskRuns = r.State.view(), r.State.status(), r.newer(p.ID)
		}
		all = append(all, v)
	}
	return all
}

func (s *Service) getRun(api string, q *query) (any, error) {
	id, history, resolved := q.required("run_id"), q.flag("include_history"), q.flag("include_resolved_values")
	if q.err != nil {
		return nil, q.err
	}
	from, err := partStart(api, q.text("page_token"))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if parent := s.parents[id]; parent != nil && s.visible(parent) {
		return s.single(parent, parent.attempt(id)), nil
	}
	r, err := s.run(id)
	if err != nil {
		return nil, err
	}
	v := s.view(r)
	if history {
		v.History = r.history()
	}
	for i := range v.Tasks {
		if !resolved {
			v.Tasks[i].Resolved = nil
		}
	}
	more := cut(api, &v.Tasks, from)
	more = cut(api, &v.Clusters, from) || more
	more = cut(api, &v.Parameters, from) || more
	more = cut(api, &v.History, from) || more
	if more {
		v.HasMore, v.Next = true, partToken(from+longestPart)
	}
	return v, nil
}

// outputView is the answer of get-output. Notebook is {} for a notebook that did not call dbutils.notebook.exit.
type outputView struct {
	Metadata   runView     `json:"metadata"`
	Notebook   *resultView `json:"notebook_output,omitempty"`
	Error      string      `json:"error,omitempty"`
	ErrorTrace string      `json:"error_trace,omitempty"`
}

type resultView struct {
	Result    *string `json:"result,omitempty"`
	Truncated *bool   `json:"truncated,omitempty"`
}

func (s *Service) getOutput(_ string, q *query) (any, error) {
	id := q.required("run_id")
	if q.err != nil {
		return nil, q.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.parents[id]
	if r == nil || !s.visible(r) {
		parent, err := s.run(id)
		if err != nil {
			return nil, err
		}
		if !parent.Once || len(parent.Tasks) > 1 {
			return nil, wire.Invalid("Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each individual task run instead.")
		}
		r, id = parent, parent.last(parent.Tasks[0].TaskKey).ID
	}
	a := r.attempt(id)
	v := outputView{Metadata: s.single(r, a), Error: a.Error, ErrorTrace: a.Trace}
	if r.task(a.Key).Notebook != nil {
		v.Notebook = &resultView{}
		if a.Exited {
			v.Notebook = &resultView{Result: &a.Exit, Truncated: &a.Truncated}
		}
	}
	if v.Error == "" && a.State.Life == broken {
		v.Error = a.State.Message
	}
	return v, nil
}

func (s *Service) listRuns(api string, q *query) (any, error) {
	activeOnly, completedOnly, expand := q.flag("active_only"), q.flag("completed_only"), q.flag("expand_tasks")
	jobID, kind := q.number("job_id", 0), q.text("run_type")
	since, until := q.number("start_time_from", 0), q.number("start_time_to", 1<<62)
	most := int64(25)
	if api == "2.0" {
		most = 1000
	}
	window := pageOf{limit: q.number("limit", 20), offset: q.number("offset", 0), token: q.text("page_token")}
	switch {
	case q.err != nil:
		return nil, q.err
	case activeOnly && completedOnly:
		return nil, wire.Invalid("active_only and completed_only cannot both be true.")
	case window.limit < 0 || window.limit > most:
		return nil, wire.Invalid("limit must be between 0 and %d, found %d.", most, window.limit)
	case kind != "" && kind != "JOB_RUN" && kind != "SUBMIT_RUN" && kind != "WORKFLOW_RUN":
		return nil, wire.Invalid("run_type must be JOB_RUN, SUBMIT_RUN or WORKFLOW_RUN, found %s.", kind)
	case window.limit == 0:
		window.limit = most
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := newestFirst(s.runs, func(r *run) bool {
		over := r.State.over()
		return s.visible(r) && (jobID == 0 || r.JobID == jobID) && r.Start >= since && r.Start <= until &&
			(!activeOnly || !over) && (!completedOnly || over) && (kind == "" || r.Once == (kind == "SUBMIT_RUN") && kind != "WORKFLOW_RUN")
	})
	part, next, previous, err := window.cut(shown)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Runs     []runView `json:"runs,omitempty"`
		HasMore  bool      `json:"has_more"`
		Next     string    `json:"next_page_token,omitempty"`
		Previous string    `json:"prev_page_token,omitempty"`
	}
	answer.HasMore, answer.Next, answer.Previous = next != "", next, previous
	for _, id := range part {
		v := s.view(s.runs[id])
		if !expand && api != "2.0" {
			v.Tasks, v.Clusters = nil, nil
		}
		v.HasMore = cut(api, &v.Tasks, 0)
		for i := range v.Tasks {
			v.Tasks[i].Resolved = nil
		}
		answer.Runs = append(answer.Runs, v)
	}
	return answer, nil
}
