package jobs

import (
	"strings"
	"time"
	_ "time/tzdata" // a bare machine may have no zones

	"github.com/reugn/go-quartz/quartz"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// schedule is when a job runs by itself.
type schedule struct {
	Expression   string `json:"quartz_cron_expression"`
	Timezone     string `json:"timezone_id"`
	PauseStatus  string `json:"pause_status,omitempty"`
	SQLCondition object `json:"sql_condition,omitzero"`
}

func (s *schedule) paused() bool { return s.PauseStatus == "PAUSED" }

// check refuses what Quartz refuses: among it an expression that names both days, or neither, by leaving out the ?.
func (s *schedule) check() error {
	switch {
	case s.Expression == "":
		return wire.Invalid("Missing required field: schedule.quartz_cron_expression")
	case s.Timezone == "":
		return wire.Invalid("Missing required field: schedule.timezone_id")
	case s.PauseStatus != "" && s.PauseStatus != "PAUSED" && s.PauseStatus != "UNPAUSED":
		return wire.Invalid("pause_status must be PAUSED or UNPAUSED, found %s.", s.PauseStatus)
	}
	if _, err := zone(s.Timezone); err != nil {
		return wire.Invalid("Invalid timezone_id: %s. It must be a Java timezone ID such as Europe/London.", s.Timezone)
	}
	fields := strings.Fields(s.Expression)
	quartzed := len(fields) >= 6 && (fields[3] == "?") != (fields[5] == "?")
	if _, err := s.trigger(); err != nil || !quartzed {
		return wire.Invalid("Invalid quartz_cron_expression: %s. Databricks uses Quartz cron syntax, which is different from the standard cron syntax. See http://www.quartz-scheduler.org/documentation/quartz-2.1.x/tutorials/crontrigger.html for more details.", s.Expression)
	}
	return nil
}

func zone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, wire.Invalid("Local is no zone")
	}
	return time.LoadLocation(name)
}

func (s *schedule) trigger() (*quartz.CronTrigger, error) {
	at, err := zone(s.Timezone)
	if err != nil {
		return nil, err
	}
	return quartz.NewCronTriggerWithLoc(s.Expression, at)
}

// next is when s fires after t; false when it never will again.
func (s *schedule) next(t time.Time) (time.Time, bool) {
	trigger, err := s.trigger()
	if err != nil {
		return time.Time{}, false
	}
	at, err := trigger.NextFireTime(t.UnixNano())
	return time.Unix(0, at), err == nil
}

// longestNap bounds a timer, so that a machine that slept catches up with its clock.
const longestNap = time.Minute

// reschedule sets the alarm of j anew, after from. The caller holds mu.
func (s *Service) reschedule(j *job, from time.Time) {
	if stop := s.alarms[j.ID]; stop != nil {
		stop()
		delete(s.alarms, j.ID)
	}
	plan := j.Settings.Schedule
	if j.Deleted || s.closed || plan == nil || plan.paused() {
		return
	}
	at, ok := plan.next(from)
	if !ok {
		return
	}
	s.alarms[j.ID] = s.cfg.After(min(at.Sub(s.cfg.Now()), longestNap), func() { s.ring(j.ID, plan, at) })
}

// ring fires the job when its time has come. An alarm of a schedule that was replaced meanwhile does nothing.
func (s *Service) ring(id int64, plan *schedule, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[id]
	if s.closed || j == nil || j.Deleted || j.Settings.Schedule != plan {
		return
	}
	from := s.cfg.Now()
	if from.Before(at) {
		s.reschedule(j, at.Add(-time.Second))
		return
	}
	if _, err := s.runNow(j, order{}, "PERIODIC"); err != nil {
		s.note(err)
	}
	s.reschedule(j, from)
}

// Fire starts a run of a job as its schedule would, now. A job that is missing, has no schedule or is paused is
// refused with a *wire.Error. It returns the run's id.
func (s *Service) Fire(jobID int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.job(jobID)
	switch {
	case err != nil:
		return 0, err
	case j.Settings.Schedule == nil:
		return 0, wire.Invalid("Job %d has no schedule that could fire.", jobID)
	case j.Settings.Schedule.paused():
		return 0, wire.Invalid("The schedule of job %d is paused.", jobID)
	}
	r, err := s.runNow(j, order{}, "PERIODIC")
	if err != nil {
		return 0, err
	}
	return r.ID, nil
}
