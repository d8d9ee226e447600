package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// Config is what a Service needs. Dir and Executor must be set.
type Config struct {
	Dir         string // of the jobs' and runs' files; made when missing
	WorkspaceID int64
	URL         string // of the twin, for run pages; no slash at the end
	User        string // creates and runs everything
	Executor    Executor

	// NotebookExists tells whether a run would find a notebook; nil: all are there.
	NotebookExists func(path string) error
	// Rights takes the access_control_list of a job that is being created, and only checks one for job 0: a run's,
	// which nobody can ask for. Nil: they are ignored.
	Rights func(job int64, list json.RawMessage) error
	// Limit is how many notebooks may run at once; 0: 2.
	Limit int
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// After calls f in a goroutine of its own once d has passed on that clock, unless stop is called before;
	// nil: time.AfterFunc.
	After func(d time.Duration, f func()) (stop func())
}

// Service is the Jobs API of one workspace.
type Service struct {
	cfg   Config
	slots *slots
	wg    sync.WaitGroup // of flights

	mu      sync.Mutex
	closed  bool
	jobs    map[int64]*job
	runs    map[int64]*run
	parents map[int64]*run // by the ids of their attempts
	tokens  map[string]int64
	live    map[int64]*flight // the runs that are being executed
	alarms  map[int64]func()  // by job: stops its next scheduled start
	lastID  int64
	changed chan struct{} // closed and replaced whenever a run changes
	trouble error         // of writing state while nobody was there to be told
}

// New opens the service over what Dir holds. Runs that were active when the last server died become terminal:
// INTERNAL_ERROR, "the sandbox was stopped".
func New(cfg Config) (*Service, error) {
	if cfg.Limit == 0 {
		cfg.Limit = 2
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.After == nil {
		cfg.After = func(d time.Duration, f func()) func() {
			t := time.AfterFunc(d, f)
			return func() { t.Stop() }
		}
	}
	s := &Service{
		cfg: cfg, slots: &slots{free: cfg.Limit},
		jobs: map[int64]*job{}, runs: map[int64]*run{}, parents: map[int64]*run{}, tokens: map[string]int64{},
		live: map[int64]*flight{}, alarms: map[int64]func(){}, changed: make(chan struct{}),
		// Twins count from different numbers: an id taken to the wrong one is not found there.
		lastID: (1 + cfg.WorkspaceID%1000) * 1_000_000,
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		if !r.State.over() {
			if err := s.bury(r, halted); err != nil {
				return nil, err
			}
		}
	}
	for _, j := range s.jobs {
		s.reschedule(j, cfg.Now())
	}
	return s, nil
}

// Close cancels what runs, waits until its executor has returned, and stops the schedules. It returns what went
// wrong in writing state in the background.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	for id, stop := range s.alarms {
		stop()
		delete(s.alarms, id)
	}
	for _, r := range s.runs {
		if r.State.Life == queued {
			s.note(s.bury(r, halted))
		}
	}
	for _, f := range s.live {
		f.cancel(errHalted)
	}
	s.mu.Unlock()
	s.wg.Wait()

	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// Wait returns when a run is terminal, or with ctx's error.
func (s *Service) Wait(ctx context.Context, runID int64) error {
	for {
		s.mu.Lock()
		r, err := s.run(runID)
		changed := s.changed
		over := err == nil && r.State.over() && s.live[runID] == nil
		s.mu.Unlock()
		if err != nil || over {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// JobExists tells whether there is a job of that id.
func (s *Service) JobExists(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known(id) != nil
}

// JobCreator is who created a job: its owner until permissions say otherwise. Empty for a job that is not there.
func (s *Service) JobCreator(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.known(id); j != nil {
		return j.Creator
	}
	return ""
}

func (s *Service) known(id string) *job {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil
	}
	j, err := s.job(n)
	if err != nil {
		return nil
	}
	return j
}

func (s *Service) job(id int64) (*job, error) {
	if j := s.jobs[id]; j != nil && !j.Deleted {
		return j, nil
	}
	return nil, wire.Invalid("Job %d does not exist.", id)
}

// namedJob is the job that a body's job_id names.
func (s *Service) namedJob(id *integer) (*job, error) {
	if id == nil {
		return nil, wire.Missing("job_id")
	}
	return s.job(int64(*id))
}

// run finds a run that the API shows: the runs of a deleted job are gone with it.
func (s *Service) run(id int64) (*run, error) {
	if r := s.runs[id]; r != nil && s.visible(r) {
		return r, nil
	}
	return nil, wire.Invalid("Run %d does not exist.", id)
}

func (s *Service) visible(r *run) bool {
	if r.Deleted {
		return false
	}
	return r.Once || s.jobs[r.JobID] != nil && !s.jobs[r.JobID].Deleted
}

func (s *Service) nextID() int64 {
	s.lastID++
	return s.lastID
}

// touch writes r and wakes who waits for it. The caller holds mu.
func (s *Service) touch(r *run) error {
	err := s.save("runs", r.ID, r)
	close(s.changed)
	s.changed = make(chan struct{})
	return err
}

// note keeps an error of the background for Close.
func (s *Service) note(err error) {
	s.trouble = errors.Join(s.trouble, err)
}
