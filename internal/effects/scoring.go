package effects

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bargeml/barge/internal/databricks"
)

// Scoring is the latest run of a score's job.
type Scoring struct {
	Score   string    `json:"score"`
	State   string    `json:"state"` // its result once it is over, else what the service says it does
	Message string    `json:"message,omitempty"`
	Trigger string    `json:"trigger,omitempty"` // PERIODIC, ONE_TIME, …
	At      time.Time `json:"at"`                // when it was started
	Ended   time.Time `json:"ended,omitzero"`
	Page    string    `json:"page"`
	Good    bool      `json:"success"` // it is over, and well; what its expects say is not asked
	Running bool      `json:"running"` // a later one is not over
}

// recent is how many runs of a job are looked at for one that is over: one page of the service.
const recent = 25

// LastScoring finds the latest run of a score's job that is over; where none is, the latest. Nil: it never ran, or the
// service forgot it.
func (s *Site) LastScoring(ctx context.Context, score string, job int64) (*Scoring, error) {
	runs, err := s.Workspace.ListRuns(ctx, databricks.RunFilter{Job: job, Limit: recent})
	if err != nil {
		return nil, fmt.Errorf("looking for the last run of score %s: %w", score, err)
	}
	if len(runs) == 0 {
		return nil, nil
	}
	last := runs[0]
	for _, r := range runs {
		if r.Done {
			last = r
			break
		}
	}
	out := &Scoring{
		Score: score, State: last.State, Message: last.Message, Trigger: last.Trigger, At: last.StartedAt, Ended: last.EndedAt,
		Page: last.URL, Good: last.Result == databricks.Success, Running: !runs[0].Done,
	}
	if last.Done {
		out.State = last.Result
	}
	return out, nil
}

// SpareJob is a job of a score's tag that the ledger does not use. It may be deleted.
type SpareJob struct {
	Score string `json:"score"`
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	// Paused tells that it starts nothing by itself, as every spare job should.
	Paused bool `json:"paused"`
}

// SpareJobs finds the jobs of a score that are not the one in use, by the two names that barge gives jobs and the tag.
func (s *Site) SpareJobs(ctx context.Context, score string, used int64) ([]SpareJob, error) {
	tag := s.JobPointer(score).Job.Tag
	names := []string{unset(tag), s.jobName(score)}
	found := make([][]databricks.Job, len(names))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		group.Go(func() (err error) {
			found[i], err = s.Workspace.FindNamedJobs(ctx, name, jobTag, tag)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("looking for spare jobs of score %s: %w", score, err)
	}
	var spare []SpareJob
	for _, job := range slices.Concat(found...) {
		if job.ID != used {
			spare = append(spare, SpareJob{score, job.ID, job.Name, asleep(job)})
		}
	}
	return spare, nil
}

// asleep tells whether a job starts nothing by itself.
func asleep(j databricks.Job) bool {
	var settings struct {
		Schedule *struct {
			Pause string `json:"pause_status"`
		} `json:"schedule"`
		Trigger    any `json:"trigger"`
		Continuous any `json:"continuous"`
	}
	if err := json.Unmarshal(j.Settings, &settings); err != nil {
		return false
	}
	return (settings.Schedule == nil || settings.Schedule.Pause == "PAUSED") && settings.Trigger == nil && settings.Continuous == nil
}
