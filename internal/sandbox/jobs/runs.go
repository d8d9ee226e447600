package jobs

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// order is what run-now and repair ask beside the job's own settings.
type order struct {
	JobParameters widgets   `json:"job_parameters"`
	Widgets       widgets   `json:"notebook_params"`
	JarParams     []string  `json:"jar_params"`
	Only          []string  `json:"only"`
	Queue         *queueing `json:"queue"`
	Token         string    `json:"idempotency_token"`

	overriding object // every *_params of the request, as it came
}

// decodeOrder reads an order and, from the same body, req.
func decodeOrder(r *http.Request, req any) (order, error) {
	var o order
	var body object
	if err := decode(r, &body); err != nil {
		return o, err
	}
	b, err := json.Marshal(body)
	if err != nil {
		return o, err
	}
	for _, v := range []any{&o, req} {
		if err := wire.Unmarshal(b, v); err != nil {
			return o, err
		}
	}
	o.overriding = object{}
	for name, value := range body {
		if name == "dbt_commands" || name != "job_parameters" && strings.HasSuffix(name, "_params") {
			o.overriding[name] = value
		}
	}
	if raw := o.overriding["notebook_params"]; len(raw) > 10_000 {
		return o, wire.Invalid("notebook_params has %d bytes as JSON, more than 10000.", len(raw))
	}
	if len(o.Widgets) > 0 && len(o.JarParams) > 0 {
		return o, wire.Invalid("notebook_params cannot be specified in conjunction with jar_params.")
	}
	return o, checkToken(o.Token)
}

func checkToken(token string) error {
	if len(token) > 64 {
		return wire.Invalid("The idempotency token must have at most 64 characters, this one has %d.", len(token))
	}
	return nil
}

// started is the run that a token stands for; nil when it is new or empty. The token stays that run's when the run
// has ended, and when it was deleted: so the service has been seen to do, though its documentation says that the
// second is an error.
func (s *Service) started(token string) *run {
	if token == "" {
		return nil
	}
	return s.runs[s.tokens[token]]
}

type submission struct {
	RunName        string        `json:"run_name"`
	Tasks          []task        `json:"tasks"`
	GitSource      *gitSource    `json:"git_source"`
	Environments   []environment `json:"environments"`
	TimeoutSeconds integer       `json:"timeout_seconds"`
	Token          string        `json:"idempotency_token"`
	RunAs          object        `json:"run_as"`
	Queue          *queueing     `json:"queue"`
	rights
	EmailNotifications   object `json:"email_notifications"`
	WebhookNotifications object `json:"webhook_notifications"`
	NotificationSettings object `json:"notification_settings"`
	Health               object `json:"health"`
}

func (s *Service) submit(api string, req *http.Request) (any, error) {
	var sub submission
	var old task
	var body json.RawMessage
	if err := decode(req, &body); err != nil {
		return nil, err
	}
	for _, v := range []any{&sub, &old} {
		if err := wire.Unmarshal(orEmpty(body), v); err != nil {
			return nil, err
		}
	}
	sub.Tasks = oldStyle(api, sub.Tasks, old)
	if err := sub.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.started(sub.Token); r != nil {
		return map[string]int64{"run_id": r.ID}, nil
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	if err := s.give(0, sub.rights); err != nil {
		return nil, err
	}
	r := &run{
		ID: s.nextID(), JobID: s.nextID(), Name: sub.RunName, Once: true, Trigger: "ONE_TIME", Token: sub.Token,
		Tasks: taskDefaults(sub.Tasks, sub.GitSource), Spaces: sub.Environments, Git: sub.GitSource, Timeout: sub.TimeoutSeconds,
	}
	if r.Name == "" {
		r.Name = "Untitled"
	}
	s.enlist(r)
	s.takeOff(r, keys(r.Tasks))
	return map[string]int64{"run_id": r.ID}, s.touch(r)
}

func orEmpty(b json.RawMessage) json.RawMessage {
	if b == nil {
		return json.RawMessage("{}")
	}
	return b
}

func (sub *submission) check() error {
	if len(sub.Tasks) == 0 {
		return wire.Invalid(noCluster) // the service's answer, odd as it is
	}
	if len(sub.RunName) > 4096 {
		return wire.Invalid("The name of a run may have at most 4096 bytes, this one has %d.", len(sub.RunName))
	}
	if sub.TimeoutSeconds < 0 {
		return wire.Invalid("timeout_seconds must not be negative, found %d.", sub.TimeoutSeconds)
	}
	if err := checkToken(sub.Token); err != nil {
		return err
	}
	if err := checkRunAs(sub.RunAs); err != nil {
		return err
	}
	return checkTasks(sub.Tasks, nil, sub.Environments, sub.GitSource)
}

// enlist makes a new run known, with a first attempt at each of its tasks. The caller holds mu.
func (s *Service) enlist(r *run) {
	r.Creator, r.Start = s.cfg.User, millis(s.cfg.Now())
	for _, t := range r.Tasks {
		s.nextAttempt(r, t.TaskKey, state{Life: pending})
	}
	s.index(r)
}

func (s *Service) runJob(_ string, req *http.Request) (any, error) {
	var body struct {
		JobID *integer `json:"job_id"`
	}
	o, err := decodeOrder(req, &body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.namedJob(body.JobID)
	if err != nil {
		return nil, err
	}
	r, err := s.runNow(j, o, "ONE_TIME")
	if err != nil {
		return nil, err
	}
	return map[string]int64{"run_id": r.ID, "number_in_job": r.ID}, nil
}

// runNow starts a run of a job, queues it or skips it, as the job's concurrency allows. The caller holds mu.
func (s *Service) runNow(j *job, o order, trigger string) (*run, error) {
	if r := s.started(o.Token); r != nil {
		return r, nil
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	tasks, err := chosen(j.Settings.Tasks, o.Only)
	if err != nil {
		return nil, err
	}
	if len(tasks) == 0 {
		return nil, wire.Invalid("Job %d has no tasks to run.", j.ID)
	}
	r := &run{
		ID: s.nextID(), JobID: j.ID, Name: j.Settings.Name, Trigger: trigger, Token: o.Token,
		Tasks: tasks, Clusters: j.Settings.JobClusters, Spaces: j.Settings.Environments, Git: j.Settings.GitSource,
		Timeout: j.Settings.TimeoutSeconds, Parameters: valued(j.Settings.Parameters, o.JobParameters),
		Overriding: o.overriding, Widgets: o.Widgets,
	}
	if trigger == "PERIODIC" {
		r.Schedule = j.Settings.Schedule
	}
	s.enlist(r)
	most, queue := int(*j.Settings.MaxConcurrentRuns), j.Settings.Queue
	if o.Queue != nil {
		queue = o.Queue
	}
	switch {
	case s.active(j.ID) < most:
		s.takeOff(r, keys(tasks))
	case most > 0 && queue != nil && queue.Enabled:
		r.State = state{Life: queued, Message: "Queued due to reaching maximum concurrent runs of " + number(most) + "."}
		for _, a := range r.Attempts {
			a.State = r.State
		}
	default:
		return r, s.bury(r, state{
			Life: skipped, Result: tooMany, Code: "MAX_CONCURRENT_RUNS_EXCEEDED", Cause: "CLIENT_ERROR",
			Message: "Skipping this run because the limit of " + number(most) + " maximum concurrent runs has been reached.",
		})
	}
	return r, s.touch(r)
}

// valued are a job's parameters with the values of one run; those that the job does not define are added.
func valued(defined []parameter, given widgets) []parameter {
	var all []parameter
	for _, p := range defined {
		value := p.Default
		if v, ok := given[p.Name]; ok {
			value = v
		}
		all = append(all, parameter{Name: p.Name, Default: p.Default, Value: &value})
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(defined, func(p parameter) bool { return p.Name == name }) {
			value := given[name]
			all = append(all, parameter{Name: name, Value: &value})
		}
	}
	return all
}

// chosen are the tasks that `only` names: KEY, +KEY with all upstream of it, KEY+ with all downstream, +KEY+.
func chosen(tasks []task, only []string) ([]task, error) {
	if len(only) == 0 {
		return tasks, nil
	}
	up, down := map[string][]string{}, map[string][]string{}
	for _, t := range tasks {
		up[t.TaskKey] = nil
		for _, d := range t.DependsOn {
			up[t.TaskKey] = append(up[t.TaskKey], d.TaskKey)
			down[d.TaskKey] = append(down[d.TaskKey], t.TaskKey)
		}
	}
	wanted := map[string]bool{}
	for _, pattern := range only {
		key := strings.TrimSuffix(strings.TrimPrefix(pattern, "+"), "+")
		if _, ok := up[key]; !ok {
			return nil, wire.Invalid("Task %s in only is not a task of the job.", key)
		}
		wanted[key] = true
		if strings.HasPrefix(pattern, "+") {
			spread(wanted, up, key)
		}
		if strings.HasSuffix(pattern, "+") {
			spread(wanted, down, key)
		}
	}
	return slices.DeleteFunc(slices.Clone(tasks), func(t task) bool { return !wanted[t.TaskKey] }), nil
}

// spread adds to wanted everything that edges lead to from key.
func spread(wanted map[string]bool, edges map[string][]string, key string) {
	seen := map[string]bool{}
	var walk func(string)
	walk = func(k string) {
		for _, next := range edges[k] {
			if !seen[next] {
				seen[next], wanted[next] = true, true
				walk(next)
			}
		}
	}
	walk(key)
}

func (s *Service) cancel(_ string, req *http.Request) (any, error) {
	r, err := s.namedRun(req)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return nil, s.halt(r, errCanceled)
}

// namedRun is the run, or the run of the task run, that the body's run_id names.
func (s *Service) namedRun(req *http.Request) (*run, error) {
	var body struct {
		RunID *integer `json:"run_id"`
	}
	if err := decode(req, &body); err != nil {
		return nil, err
	}
	if body.RunID == nil {
		return nil, wire.Invalid("Missing required field: run_id")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := int64(*body.RunID)
	if r := s.parents[id]; r != nil {
		id = r.ID
	}
	return s.run(id)
}

func (s *Service) cancelAll(_ string, req *http.Request) (any, error) {
	var body struct {
		JobID     *integer `json:"job_id"`
		AllQueued bool     `json:"all_queued_runs"`
	}
	if err := decode(req, &body); err != nil {
		return nil, err
	}
	if body.JobID == nil && !body.AllQueued {
		return nil, wire.Invalid("Missing required field: job_id")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if body.JobID != nil {
		if _, err := s.job(int64(*body.JobID)); err != nil {
			return nil, err
		}
	}
	// The queued ones first: or one would start in the place of each that ends.
	for _, queuedOnes := range []bool{true, false} {
		for _, r := range s.runs {
			mine := body.JobID == nil || r.JobID == int64(*body.JobID)
			if mine && (r.State.Life == queued) == queuedOnes && (queuedOnes || !body.AllQueued) {
				if err := s.halt(r, errCanceled); err != nil {
					return nil, err
				}
			}
		}
	}
	return nil, nil
}

func (s *Service) deleteRun(_ string, req *http.Request) (any, error) {
	r, err := s.namedRun(req)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !r.State.over() {
		return nil, wire.Errorf(http.StatusBadRequest, "INVALID_STATE", "Run %d is active and cannot be deleted: cancel it first.", r.ID)
	}
	r.Deleted = true
	return nil, s.touch(r)
}
