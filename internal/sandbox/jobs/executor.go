package jobs

import "context"

// Executor runs notebooks. The service calls it from several goroutines, one per attempt.
type Executor interface {
	// Execute runs one notebook attempt to its end. When ctx ends, the run's whole process tree is killed before
	// it returns.
	Execute(ctx context.Context, a Attempt) Outcome
}

// Attempt is one notebook to run once.
type Attempt struct {
	RunID        int64 // of the task run: each attempt has its own
	JobID        int64 // 0: a one-off run
	RunName      string
	TaskKey      string
	NotebookPath string            // absolute workspace path
	Parameters   map[string]string // widget values
	Libraries    []string          // lines of a requirements file
	User         string
	// Say tells who looks at the run what is being done for it, in place of what was told before; nil: nobody looks.
	Say func(string)
}

// The results of an Outcome.
const (
	Success       = "SUCCESS"
	Failed        = "FAILED"
	Canceled      = "CANCELED"       // ctx ended
	InternalError = "INTERNAL_ERROR" // the notebook could not be run; Outcome.Message says why
	NoLibraries   = "NO_LIBRARIES"   // what it needs could not be installed; Outcome.Message says why
)

// Outcome is how an attempt ended.
type Outcome struct {
	Result    string // one of the above
	ExitValue string // what dbutils.notebook.exit was given
	Exited    bool   // whether it was called
	Error     string // "AssertionError: …"
	Trace     string // the traceback with notebook and cell
	Message   string // InternalError, NoLibraries: why
	Cells     []Cell
}

// Cell is what one cell of a notebook did.
type Cell struct {
	N         int    `json:"n"` // from 1
	Title     string `json:"title,omitempty"`
	Language  string `json:"language,omitempty"`
	FirstLine string `json:"first_line,omitempty"` // of its code that is not blank
	Stdout    string `json:"stdout,omitempty"`
	Stderr    string `json:"stderr,omitempty"`
	Error     string `json:"error,omitempty"`      // what ended the notebook in this cell
	Start     int64  `json:"start_time,omitempty"` // ms
	Millis    int64  `json:"millis"`
}
