package effects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/ledger"
)

// jobTag marks a job as barge's; its value says whose: "<project>.<environment>.<score>".
const jobTag = "barge"

// JobAddress is the one job of a score.
type JobAddress struct {
	Score string `json:"score"`
	Tag   string `json:"tag"`
}

// JobPointer is the address of a score's job.
func (s *Site) JobPointer(score string) Address {
	return Address{ID: ledger.JobPrefix + score, Job: &JobAddress{Score: score, Tag: s.Project + "." + s.Environment + "." + score}}
}

// jobName is what the job of a score is called once it is set.
func (s *Site) jobName(score string) string {
	return fmt.Sprintf("%s %s (%s)", s.Project, score, s.Environment)
}

// JobValue is the definition and schedule of a score's job, on. Run and timeout stand in task.
func (s *Site) JobValue(score environments.Score, task databricks.Task) (ledger.Value, error) {
	task.Key = environments.ScoreTask
	settings, err := task.Settings()
	if err != nil {
		return "", err
	}
	return s.owned(score, settings)
}

// owned is the value of a score's job with what is barge's in it: name, tag, schedule, and as whom it runs, one run at a
// time.
func (s *Site) owned(score environments.Score, settings map[string]any) (ledger.Value, error) {
	tags, _ := settings["tags"].(map[string]any)
	if tags == nil {
		tags = map[string]any{}
	}
	tags[jobTag] = s.JobPointer(score.Name).Job.Tag
	settings["name"], settings["tags"], settings["max_concurrent_runs"] = s.jobName(score.Name), tags, 1
	if score.Schedule != nil {
		settings["schedule"] = map[string]any{
			"quartz_cron_expression": score.Schedule.Cron, "timezone_id": score.Schedule.Timezone, "pause_status": "UNPAUSED",
		}
	}
	if err := databricks.RunAs(settings, score.RunAs); err != nil {
		return "", err
	}
	return ledger.ValueOf(settings)
}

// Job is the pointer of a score: one job for ever, its definition and its schedule. Off is its schedule paused.
type Job struct {
	id        string
	workspace *databricks.Workspace
	address   JobAddress
	number    int64
	recent    []ledger.Value // see Memory

	maker, runsAs string // as it was last read
}

// ID is the pointer's id.
func (j *Job) ID() string { return j.id }

// Number is the job's id in the workspace, 0 while the ledger knows none.
func (j *Job) Number() int64 { return j.number }

// Use tells the pointer which job is its own, once the ledger says so.
func (j *Job) Use(number int64) { j.number = number }

// makings is how often a job is looked for and created when the creation was not answered: each may leave a spare.
const makings = 3

// Make finds the job by its tag, or creates it with nothing to run and no schedule. Whoever calls it records the id
// before it is ever made active.
func (j *Job) Make(ctx context.Context, right Right) (int64, error) {
	for n := 1; ; n++ {
		found, err := j.Others(ctx)
		if err != nil {
			return 0, err
		}
		if len(found) > 0 {
			return found[0].ID, nil
		}
		number, err := j.create(right.under(ctx))
		if err == nil || Definite(err) || n == makings {
			return number, err
		}
	}
}

// unset is what a job is called that was made and never set.
func unset(tag string) string { return "barge " + tag }

// empty are the settings of a job that nothing was ever set in.
func (j *Job) empty() map[string]any {
	return map[string]any{"name": unset(j.address.Tag), "tags": map[string]any{jobTag: j.address.Tag}, "max_concurrent_runs": 1}
}

func (j *Job) create(ctx context.Context) (int64, error) {
	empty, err := json.Marshal(j.empty())
	if err != nil {
		return 0, err
	}
	number, err := j.workspace.CreateJob(ctx, empty)
	if err != nil {
		return 0, fmt.Errorf("making the job of score %s: %w", j.address.Score, err)
	}
	return number, nil
}

// Others lists the jobs of this score's tag but for its own, oldest first: spare ones, that never run.
func (j *Job) Others(ctx context.Context) ([]databricks.Job, error) {
	jobs, err := j.workspace.FindJobs(ctx, jobTag, j.address.Tag)
	if err != nil {
		return nil, fmt.Errorf("looking for the job of score %s: %w", j.address.Score, err)
	}
	others := jobs[:0]
	for _, job := range jobs {
		if job.ID != j.number {
			others = append(others, job)
		}
	}
	return others, nil
}

func (j *Job) settings(ctx context.Context) (map[string]any, error) {
	if j.number == 0 {
		return nil, nil
	}
	job, err := j.workspace.GetJob(ctx, j.number)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the job of score %s: %w", j.address.Score, err)
	}
	var settings map[string]any
	if err := json.Unmarshal(job.Settings, &settings); err != nil {
		return nil, fmt.Errorf("reading the settings of job %d: %w", j.number, err)
	}
	j.maker, j.runsAs = job.Creator, job.RunAs
	return settings, nil
}

// kept are the settings that a value may hold; the server's other defaults are none of it.
var kept = []string{
	"name", "tags", "max_concurrent_runs", "schedule", "tasks", "environments", "run_as", "timeout_seconds", "description",
	"job_clusters", "parameters", "email_notifications", "webhook_notifications", "notification_settings", "health", "queue",
	"budget_policy_id", "usage_policy_id", "performance_target",
}

// Read gives the job's settings as far as barge writes them, or Off when it runs nothing by itself or there is no job.
func (j *Job) Read(ctx context.Context) (ledger.Value, error) {
	settings, err := j.settings(ctx)
	if err != nil {
		return "", err
	}
	if resting(settings) || settings["schedule"] == nil {
		return ledger.Off, nil // so that what was found in a job is never what a ledger had set
	}
	value := map[string]any{}
	for _, key := range kept {
		if v, ok := settings[key]; ok {
			value[key] = v
		}
	}
	return ledger.ValueOf(value)
}

// resting tells whether a job's settings run nothing by themselves and nothing of a release.
func resting(settings map[string]any) bool {
	if settings == nil || settings["tasks"] == nil {
		return true
	}
	schedule, ok := settings["schedule"].(map[string]any)
	return ok && schedule["pause_status"] == "PAUSED"
}

// Holds compares key by key with what want says.
func (j *Job) Holds(ctx context.Context, want ledger.Value) (bool, error) {
	different, err := j.Differs(ctx, want)
	return err == nil && len(different) == 0, err
}

// neverRead is the one key of a cluster that the service takes and does not give back.
const neverRead = "apply_policy_default_values"

// covers tells whether got holds everything that want says, whatever else it has. What says nothing (0, false, an empty
// list or object) need not be there: the service gives back only some of it.
func covers(got, want any) bool {
	if got == nil && empty(want) {
		return true
	}
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			return false
		}
		for key, v := range want {
			if key != neverRead && !covers(m[key], v) {
				return false
			}
		}
		return true
	case []any:
		l, ok := got.([]any)
		if !ok || len(l) != len(want) {
			return false
		}
		for i := range want {
			if !covers(counterpart(l, want, i), want[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(got, want)
}

func empty(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case string:
		return false // a parameter may well be empty
	}
	return v == nil || reflect.ValueOf(v).IsZero()
}

// counterpart is what of got stands for the i-th of want: of what has a key, a task say, the one with the same, for the
// service gives them in an order of its own.
func counterpart(got, want []any, i int) any {
	key, ok := KeyOf(want[i])
	if !ok {
		return got[i]
	}
	for _, g := range got {
		if k, _ := KeyOf(g); k == key {
			return g
		}
	}
	return nil
}

// KeyOf is how an element of a list in a job's definition is known: a task, cluster, environment or parameter by its key
// or name.
func KeyOf(element any) (string, bool) {
	m, _ := element.(map[string]any)
	for _, name := range []string{"task_key", "job_cluster_key", "environment_key", "name"} {
		if key, ok := m[name].(string); ok {
			return key, true
		}
	}
	return "", false
}

// Set resets the job to want, whole. Off pauses its schedule and leaves the rest.
func (j *Job) Set(ctx context.Context, want ledger.Value, right Right) error {
	if want == ledger.Off || want == ledger.Absent {
		return j.rest(ctx, right)
	}
	if j.number == 0 {
		return fmt.Errorf("setting the job of score %s: the ledger knows no job of it", j.address.Score)
	}
	settings, err := j.identified(ctx, want)
	if err != nil {
		return err
	}
	return j.workspace.ResetJob(right.under(ctx), j.number, settings)
}

// rest is Set(Off). It is sent whatever is read, which may be old: a job that is not seen, or not with its schedule, may
// well have one.
func (j *Job) rest(ctx context.Context, right Right) error {
	if j.number == 0 {
		return nil
	}
	settings, err := j.settings(ctx)
	if err != nil {
		return err
	}
	if settings == nil {
		settings = j.empty()
	}
	if schedule, ok := settings["schedule"].(map[string]any); ok {
		schedule["pause_status"] = "PAUSED"
	}
	b, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	err = j.workspace.ResetJob(right.under(ctx), j.number, b)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is gone indeed
	}
	return err
}
