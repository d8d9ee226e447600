package jobs

import "time"

// The life cycle of a run and of each task in it, as `state` names it.
const (
	queued      = "QUEUED"
	pending     = "PENDING"
	blocked     = "BLOCKED"
	waiting     = "WAITING_FOR_RETRY"
	running     = "RUNNING"
	terminating = "TERMINATING"
	terminated  = "TERMINATED"
	skipped     = "SKIPPED"
	broken      = "INTERNAL_ERROR"
)

// Results that are not an Outcome's.
const (
	timedOut         = "TIMEDOUT"
	tooMany          = "MAXIMUM_CONCURRENT_RUNS_REACHED"
	excluded         = "EXCLUDED"
	disabled         = "DISABLED"
	upstreamFailed   = "UPSTREAM_FAILED"
	upstreamCanceled = "UPSTREAM_CANCELED"
	partlySuccess    = "SUCCESS_WITH_FAILURES"
)

// state is where a run or an attempt stands. Result, Code and Cause say how it ended, or why it is ending.
type state struct {
	Life    string `json:"life"`
	Result  string `json:"result,omitempty"`
	Message string `json:"message,omitempty"`
	Code    string `json:"code,omitempty"`  // of status.termination_details
	Cause   string `json:"cause,omitempty"` // its type
	Stopped bool   `json:"stopped,omitempty"`
}

// over tells whether s is terminal.
func (s state) over() bool {
	return s.Life == terminated || s.Life == skipped || s.Life == broken
}

// bad tells whether s counts as failed to the tasks that depend on it.
func (s state) bad() bool {
	return s.Result == Failed || s.Result == timedOut || s.Result == upstreamFailed || s.Life == broken
}

var (
	succeeded = state{Life: terminated, Result: Success, Code: "SUCCESS", Cause: "SUCCESS"}
	workload  = state{Life: terminated, Result: Failed, Message: "Workload failed, see run output for details", Code: "RUN_EXECUTION_ERROR", Cause: "CLIENT_ERROR"}
	canceled  = state{Life: terminated, Result: Canceled, Message: "Run cancelled.", Code: "USER_CANCELED", Cause: "CLIENT_ERROR", Stopped: true}
	expired   = state{Life: terminated, Result: timedOut, Message: "Run timed out.", Code: "CANCELED", Cause: "CLIENT_ERROR", Stopped: true}
	halted    = state{Life: broken, Result: Failed, Message: "the sandbox was stopped", Code: "INTERNAL_ERROR", Cause: "INTERNAL_ERROR"}
)

// failing is a task that could not be run at all.
func failing(code, cause, message string) state {
	return state{Life: broken, Result: Failed, Message: message, Code: code, Cause: cause}
}

// job is one file.
type job struct {
	ID       int64    `json:"job_id"`
	Creator  string   `json:"creator"`
	Created  int64    `json:"created"` // ms
	Settings settings `json:"settings"`
	Deleted  bool     `json:"deleted,omitempty"` // kept, so that no id is given twice
}

// run is one file: what it was asked to do, and every attempt at every task.
type run struct {
	ID         int64         `json:"run_id"`
	JobID      int64         `json:"job_id"` // a one-off run has one of its own, of no job
	Name       string        `json:"name"`
	Once       bool          `json:"once,omitempty"` // of runs/submit
	Trigger    string        `json:"trigger"`
	Creator    string        `json:"creator"`
	Tasks      []task        `json:"tasks"`
	Clusters   []jobCluster  `json:"job_clusters,omitempty"`
	Spaces     []environment `json:"environments,omitempty"`
	Git        *gitSource    `json:"git_source,omitempty"`
	Schedule   *schedule     `json:"schedule,omitempty"` // of a PERIODIC run
	Timeout    integer       `json:"timeout_seconds,omitempty"`
	Parameters []parameter   `json:"parameters,omitempty"`
	Overriding object        `json:"overriding,omitzero"` // the request's *_params
	Widgets    widgets       `json:"widgets,omitempty"`   // its notebook_params
	Token      string        `json:"token,omitempty"`     // idempotency
	State      state         `json:"state"`
	Start      int64         `json:"start"` // ms, as all times
	Begun      int64         `json:"begun,omitempty"`
	End        int64         `json:"end,omitempty"`
	Attempts   []*attempt    `json:"attempts"`
	Repairs    []repair      `json:"repairs,omitempty"` // the original run first, once there is a repair
	Deleted    bool          `json:"deleted,omitempty"`
}

type widgets map[string]string

// attempt is one try of one task: a task run of the API.
type attempt struct {
	ID         int64   `json:"run_id"`
	Key        string  `json:"task_key"`
	Number     int     `json:"attempt_number"`
	Original   int64   `json:"original"` // the id of the task's first attempt
	State      state   `json:"state"`
	Start      int64   `json:"start,omitempty"`
	Begun      int64   `json:"begun,omitempty"` // when it left the queue
	End        int64   `json:"end,omitempty"`
	Parameters widgets `json:"parameters,omitempty"` // resolved, from when it runs
	Exit       string  `json:"exit,omitempty"`
	Exited     bool    `json:"exited,omitempty"`
	Truncated  bool    `json:"truncated,omitempty"`
	Error      string  `json:"error,omitempty"`
	Trace      string  `json:"trace,omitempty"`
	Cells      []Cell  `json:"cells,omitempty"`
}

type repair struct {
	ID       int64   `json:"id,omitempty"`
	Start    int64   `json:"start"`
	End      int64   `json:"end,omitempty"`
	State    state   `json:"state"`
	TaskRuns []int64 `json:"task_runs"`
}

func (r *run) task(key string) *task {
	for i := range r.Tasks {
		if r.Tasks[i].TaskKey == key {
			return &r.Tasks[i]
		}
	}
	return nil
}

// last is the newest attempt at a task; nil when there was none.
func (r *run) last(key string) *attempt {
	for i := len(r.Attempts) - 1; i >= 0; i-- {
		if r.Attempts[i].Key == key {
			return r.Attempts[i]
		}
	}
	return nil
}

func (r *run) attempt(id int64) *attempt {
	for _, a := range r.Attempts {
		if a.ID == id {
			return a
		}
	}
	return nil
}

func millis(t time.Time) int64 { return t.UnixMilli() }
