package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// Why a run's context ended.
var (
	errCanceled = errors.New("canceled by a user")
	errExpired  = errors.New("out of time")
	errHalted   = errors.New("the sandbox was stopped")
)

// ending is the state of what was under way when ctx ended.
func ending(ctx context.Context) state {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errExpired):
		return expired
	case errors.Is(cause, errHalted):
		return halted
	default:
		return canceled
	}
}

// flight is the execution of a run, from take-off until every task is settled.
type flight struct {
	cancel context.CancelCauseFunc
	began  time.Time
	stop   func() // the timer of the run's timeout
}

// takeOff executes the tasks named by keys, whose newest attempts are not settled yet. The caller holds mu, the
// service is not closed.
func (s *Service) takeOff(r *run, keys []string) {
	ctx, cancel := context.WithCancelCause(context.Background())
	f := &flight{cancel: cancel, began: s.cfg.Now(), stop: func() {}}
	s.live[r.ID] = f
	s.limitTime(r)
	r.State = state{Life: pending}

	done := map[string]chan struct{}{}
	for _, key := range keys {
		done[key] = make(chan struct{})
	}
	var tasks sync.WaitGroup
	for _, key := range keys {
		var upstream []chan struct{}
		for _, d := range r.task(key).DependsOn {
			if c := done[d.TaskKey]; c != nil {
				upstream = append(upstream, c)
			}
		}
		a := r.last(key)
		a.State = state{Life: blocked}
		var turn chan struct{} // taken here, so that runs are executed in the order in which they came
		if len(upstream) == 0 {
			a.State, a.Start = state{Life: pending}, millis(f.began)
			turn = s.slots.ask()
		}
		tasks.Go(func() {
			defer close(done[key])
			s.carry(ctx, r, key, upstream, turn)
		})
	}
	s.wg.Go(func() {
		tasks.Wait()
		s.land(ctx, r)
		cancel(nil)
	})
}

// limitTime sets, or after a change of the timeout sets anew, when a live run runs out of time.
func (s *Service) limitTime(r *run) {
	f := s.live[r.ID]
	f.stop()
	f.stop = func() {}
	if r.Timeout > 0 {
		left := f.began.Add(time.Duration(r.Timeout) * time.Second).Sub(s.cfg.Now())
		f.stop = s.cfg.After(max(left, 0), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.live[r.ID] == f {
				s.note(s.halt(r, errExpired))
			}
		})
	}
}

// halt ends a run that is queued or live: at once, or when its executor has returned. The caller holds mu.
func (s *Service) halt(r *run, cause error) error {
	end := canceled
	if errors.Is(cause, errExpired) {
		end = expired
	}
	f := s.live[r.ID]
	switch {
	case f == nil && r.State.over(), r.State.Life == terminating:
		return nil
	case f == nil:
		return s.bury(r, end)
	}
	end.Life, end.Result = terminating, ""
	r.State = end
	for _, a := range r.Attempts {
		if a.State.Life == running {
			a.State = end
		}
	}
	f.cancel(cause)
	return s.touch(r)
}

// bury makes a run that is not live terminal, with every attempt that was not. The caller holds mu.
func (s *Service) bury(r *run, end state) error {
	now := millis(s.cfg.Now())
	for _, a := range r.Attempts {
		if !a.State.over() {
			a.State, a.End = end, now
		}
	}
	r.State, r.End = end, now
	return s.touch(r)
}

// land gives a run the state that follows from its tasks', and its place to the next in its job's queue.
func (s *Service) land(ctx context.Context, r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[r.ID].stop()
	delete(s.live, r.ID)
	r.State, r.End = r.verdict(ctx), millis(s.cfg.Now())
	if n := len(r.Repairs); n > 0 {
		r.Repairs[n-1].State, r.Repairs[n-1].End = r.State, r.End
		r.Repairs[n-1].TaskRuns = r.newer(r.Repairs[n-1].ID)
	}
	s.note(s.touch(r))
	s.callNext(r.JobID)
}

// callNext starts queued runs of a job while it may have more. The caller holds mu.
func (s *Service) callNext(jobID int64) {
	j := s.jobs[jobID]
	for !s.closed && j != nil && !j.Deleted && s.active(jobID) < int(*j.Settings.MaxConcurrentRuns) {
		var next *run
		for _, r := range s.runs {
			if r.JobID == jobID && r.State.Life == queued && (next == nil || r.ID < next.ID) {
				next = r
			}
		}
		if next == nil {
			return
		}
		s.takeOff(next, keys(next.Tasks))
		s.note(s.touch(next))
	}
}

// active counts the runs of a job that are being executed.
func (s *Service) active(jobID int64) int {
	n := 0
	for id := range s.live {
		if s.runs[id].JobID == jobID {
			n++
		}
	}
	return n
}

// carry brings one task to its end: it waits for those it depends on, tries, and tries again.
func (s *Service) carry(ctx context.Context, r *run, key string, upstream []chan struct{}, turn chan struct{}) {
	for _, c := range upstream {
		<-c // a run that is stopped settles them all, so this ends
	}
	s.mu.Lock()
	t, a := r.task(key), r.last(key)
	verdict, admitted := r.admits(t)
	if a.Start == 0 {
		a.Start = millis(s.cfg.Now())
	}
	s.mu.Unlock()
	if ctx.Err() != nil {
		verdict, admitted = ending(ctx), false
	}
	if !admitted {
		if turn != nil {
			s.slots.forgo(turn)
		}
		s.settle(r, a, verdict, Outcome{})
		return
	}
	for a != nil {
		if turn == nil {
			turn = s.slots.ask()
		}
		s.try(ctx, r, t, a, turn)
		turn = nil
		a = s.again(ctx, r, t, a)
	}
}

// try runs one attempt, once its turn has come, and settles it.
func (s *Service) try(ctx context.Context, r *run, t *task, a *attempt, turn chan struct{}) {
	if s.slots.wait(ctx, turn) != nil {
		s.settle(r, a, ending(ctx), Outcome{})
		return
	}
	defer s.slots.leave()
	if obstacle := s.obstacle(r, t); obstacle != nil {
		s.settle(r, a, *obstacle, Outcome{})
		return
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	order := s.start(r, t, a)
	if t.TimeoutSeconds > 0 {
		stop := s.cfg.After(time.Duration(t.TimeoutSeconds)*time.Second, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if a.State.Life == running {
				a.State = expired
				a.State.Life, a.State.Result = terminating, ""
				s.note(s.touch(r))
			}
			cancel(errExpired)
		})
		defer stop()
	}
	out := s.cfg.Executor.Execute(ctx, order)
	s.settle(r, a, judge(ctx, out), out)
}

// start marks an attempt as running and returns what its executor is told.
func (s *Service) start(r *run, t *task, a *attempt) Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := millis(s.cfg.Now())
	a.Begun = now
	if r.Begun == 0 {
		r.Begun = now
	}
	a.Parameters = s.told(r, t, a)
	if r.State.Life != terminating {
		a.State = state{Life: running}
		r.State = state{Life: running}
	}
	s.note(s.touch(r))
	libraries, _ := pipLines(t, r.Spaces)
	jobID := r.JobID
	if r.Once {
		jobID = 0
	}
	return Attempt{
		RunID: a.ID, JobID: jobID, RunName: r.Name, TaskKey: t.TaskKey, NotebookPath: t.Notebook.Path,
		Parameters: copied(a.Parameters), Libraries: libraries, User: s.cfg.User,
		Say: func(text string) { s.say(r, a, text) },
	}
}

// say makes text the message of an attempt that is running, and of its run.
func (s *Service) say(r *run, a *attempt, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.State.Life == running && r.State.Life == running {
		a.State.Message, r.State.Message = text, text
		s.note(s.touch(r))
	}
}

// judge is the state after an executor has returned. A notebook that made it to its end before it was stopped has
// succeeded.
func judge(ctx context.Context, out Outcome) state {
	switch {
	case out.Result == Success:
		return succeeded
	case ctx.Err() != nil:
		return ending(ctx)
	case out.Result == Failed:
		return workload
	case out.Result == InternalError:
		return failing("INTERNAL_ERROR", "INTERNAL_ERROR", out.Message)
	case out.Result == NoLibraries:
		return failing("LIBRARY_INSTALLATION_ERROR", "CLIENT_ERROR", out.Message)
	default:
		return failing("INTERNAL_ERROR", "INTERNAL_ERROR", "the executor ended with "+out.Result+" though nobody had stopped the run")
	}
}

// longestExit is how much of an exit value the service gives back.
const longestExit = 5 << 20

// settle records the end of an attempt.
func (s *Service) settle(r *run, a *attempt, end state, out Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.State, a.End = end, millis(s.cfg.Now())
	a.Exited, a.Error, a.Trace, a.Cells = out.Exited, out.Error, out.Trace, out.Cells
	a.Exit, a.Truncated = clip(out.ExitValue, longestExit)
	s.note(s.touch(r))
}

// again makes the next attempt at a task that may be retried, and waits until it is due; nil when there is none.
func (s *Service) again(ctx context.Context, r *run, t *task, a *attempt) *attempt {
	s.mu.Lock()
	failed := a.State.Result == Failed && a.State.Code != "INVALID_RUN_CONFIGURATION" || a.State.Result == timedOut && t.RetryOnTimeout
	left := t.MaxRetries < 0 || a.Number < int(t.MaxRetries)
	if !failed || !left || ctx.Err() != nil {
		s.mu.Unlock()
		return nil
	}
	next := s.nextAttempt(r, t.TaskKey, state{Life: waiting})
	due := time.UnixMilli(a.Start + int64(t.MinRetryIntervalMillis)).Sub(s.cfg.Now())
	s.note(s.touch(r))
	s.mu.Unlock()

	ready := make(chan struct{})
	stop := func() {}
	if due <= 0 {
		close(ready)
	} else {
		stop = s.cfg.After(due, func() { close(ready) })
	}
	select {
	case <-ready:
	case <-ctx.Done():
		stop()
		s.settle(r, next, ending(ctx), Outcome{})
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next.State, next.Start = state{Life: pending}, millis(s.cfg.Now())
	return next
}

// nextAttempt adds an attempt at a task. The caller holds mu.
func (s *Service) nextAttempt(r *run, key string, st state) *attempt {
	a := &attempt{ID: s.nextID(), Key: key, State: st}
	a.Original = a.ID
	if before := r.last(key); before != nil {
		a.Number, a.Original = before.Number+1, before.Original
	}
	r.Attempts = append(r.Attempts, a)
	s.parents[a.ID] = r
	return a
}

// obstacle is why a task cannot be run here at all; nil when it can.
func (s *Service) obstacle(r *run, t *task) *state {
	fail := func(code, cause, message string) *state {
		st := failing(code, cause, message)
		return &st
	}
	if t.Notebook == nil {
		return fail("INVALID_RUN_CONFIGURATION", "CLIENT_ERROR", "The sandbox runs notebook tasks only, and task "+t.TaskKey+" is a "+t.kinds()[0]+".")
	}
	if _, err := pipLines(t, r.Spaces); err != nil {
		return fail("LIBRARY_INSTALLATION_ERROR", "CLIENT_ERROR", err.Error())
	}
	if s.cfg.NotebookExists == nil {
		return nil
	}
	err := s.cfg.NotebookExists(t.Notebook.Path)
	switch missing, ok := errors.AsType[*wire.Error](err); {
	case err == nil:
		return nil
	case ok && missing.Code == "RESOURCE_DOES_NOT_EXIST":
		return fail("RESOURCE_NOT_FOUND", "CLIENT_ERROR", `Unable to access the notebook "`+t.Notebook.Path+`". Either it does not exist, or the identity used to run this job, `+s.cfg.User+`, lacks the required permissions.`)
	default:
		return fail("INTERNAL_ERROR", "INTERNAL_ERROR", err.Error())
	}
}
