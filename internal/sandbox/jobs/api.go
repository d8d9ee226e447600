package jobs

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// Routes registers the Jobs API in its versions 2.0, 2.1 and 2.2. They differ in what a list shows, in paging and
// in whether a new job is queued; a job of one old-style task is understood by the older two.
func (s *Service) Routes(m *wire.Mux) {
	for _, api := range []string{"2.0", "2.1", "2.2"} {
		post := func(path string, answer func(api string, r *http.Request) (any, error)) {
			m.JSON("POST /api/"+api+"/jobs/"+path, func(r *http.Request) (any, error) { return answer(api, r) })
		}
		get := func(path string, answer func(api string, q *query) (any, error)) {
			m.JSON("GET /api/"+api+"/jobs/"+path, func(r *http.Request) (any, error) { return answer(api, &query{r: r}) })
		}
		post("create", s.create)
		post("reset", s.reset)
		post("update", s.update)
		post("delete", s.deleteJob)
		post("run-now", s.runJob)
		post("runs/submit", s.submit)
		post("runs/cancel", s.cancel)
		post("runs/cancel-all", s.cancelAll)
		post("runs/delete", s.deleteRun)
		post("runs/repair", s.repair)
		get("get", s.getJob)
		get("list", s.listJobs)
		get("runs/get", s.getRun)
		get("runs/get-output", s.getOutput)
		get("runs/list", s.listRuns)
	}
}

// rights are what a new job or run says of who may do what with it.
type rights struct {
	List json.RawMessage `json:"access_control_list"`
}

// give has the rights of an object set, 0 where they are only to be checked.
func (s *Service) give(to int64, given rights) error {
	if s.cfg.Rights == nil || given.List == nil || string(given.List) == "null" {
		return nil
	}
	return s.cfg.Rights(to, given.List)
}

func oldStyle(api string, tasks []task, top task) []task {
	if api == "2.2" || len(tasks) > 0 || len(top.kinds()) == 0 {
		return tasks
	}
	top.TaskKey, top.DependsOn, top.RunIf = "main", nil, ""
	top.TimeoutSeconds, top.Description = 0, "" // the job's own
	top.EmailNotifications, top.WebhookNotifications, top.NotificationSettings, top.Health = nil, nil, nil, nil
	return []task{top}
}

func (s *Service) create(api string, r *http.Request) (any, error) {
	var given settings
	var old task // what the older versions put at the top becomes the task "main"
	var allowed rights
	if err := decode(r, &given, &old, &allowed); err != nil {
		return nil, err
	}
	given.Tasks = oldStyle(api, given.Tasks, old)
	if err := given.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return nil, err
	}
	j := &job{ID: s.nextID(), Creator: s.cfg.User, Created: millis(s.cfg.Now()), Settings: given.withDefaults(api)}
	if err := s.give(j.ID, allowed); err != nil {
		return nil, err
	}
	if err := s.save("jobs", j.ID, j); err != nil {
		return nil, err
	}
	s.jobs[j.ID] = j
	s.reschedule(j, s.cfg.Now())
	return map[string]int64{"job_id": j.ID}, nil
}

func (s *Service) open() error {
	if s.closed {
		return wire.Errorf(http.StatusServiceUnavailable, "TEMPORARILY_UNAVAILABLE", "the sandbox is being stopped")
	}
	return nil
}

// replace gives a job new settings. A changed timeout holds for its active runs too.
func (s *Service) replace(j *job, to settings) error {
	next := *j
	next.Settings = to
	if err := s.save("jobs", j.ID, &next); err != nil {
		return err
	}
	timeoutChanged := j.Settings.TimeoutSeconds != to.TimeoutSeconds
	*j = next
	s.reschedule(j, s.cfg.Now())
	for id := range s.live {
		if r := s.runs[id]; timeoutChanged && r.JobID == j.ID {
			r.Timeout = to.TimeoutSeconds
			s.limitTime(r)
		}
	}
	s.callNext(j.ID)
	return nil
}

func (s *Service) reset(api string, r *http.Request) (any, error) {
	var req struct {
		JobID *integer          `json:"job_id"`
		New   *jsonOf[settings] `json:"new_settings"`
	}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if req.New == nil {
		return nil, wire.Invalid("Missing required field: new_settings")
	}
	given := req.New.value
	var old task
	if err := wire.Unmarshal(req.New.raw, &old); err != nil {
		return nil, err
	}
	given.Tasks = oldStyle(api, given.Tasks, old)
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.namedJob(req.JobID)
	if err != nil {
		return nil, err
	}
	if err := given.check(); err != nil {
		return nil, err
	}
	if given.RunAs == nil {
		given.RunAs = j.Settings.RunAs // a quirk of the service
	}
	return nil, s.replace(j, given.withDefaults(api))
}

func (s *Service) update(api string, r *http.Request) (any, error) {
	var req struct {
		JobID  *integer          `json:"job_id"`
		New    *jsonOf[settings] `json:"new_settings"`
		Remove []string          `json:"fields_to_remove"`
	}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.namedJob(req.JobID)
	if err != nil {
		return nil, err
	}
	var change object
	if req.New != nil {
		if err := wire.Unmarshal(req.New.raw, &change); err != nil {
			return nil, err
		}
	}
	merged, err := merge(j.Settings, change, req.Remove)
	if err != nil {
		return nil, err
	}
	if err := merged.check(); err != nil {
		return nil, err
	}
	return nil, s.replace(j, merged.withDefaults(api))
}

func (s *Service) deleteJob(_ string, r *http.Request) (any, error) {
	var req struct {
		JobID *integer `json:"job_id"`
	}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.namedJob(req.JobID)
	if err != nil {
		return nil, err
	}
	gone := *j
	gone.Deleted = true
	if err := s.save("jobs", j.ID, &gone); err != nil {
		return nil, err
	}
	*j = gone
	s.reschedule(j, s.cfg.Now())
	for _, r := range s.runs {
		if r.JobID == j.ID {
			s.note(s.halt(r, errCanceled))
		}
	}
	return nil, nil
}

// jobView is a job as get and list show it.
type jobView struct {
	ID            int64     `json:"job_id"`
	Creator       string    `json:"creator_user_name"`
	RunAs         string    `json:"run_as_user_name,omitempty"` // of get alone
	Created       int64     `json:"created_time"`
	Settings      *settings `json:"settings"`
	HasMore       bool      `json:"has_more,omitempty"`
	NextPageToken string    `json:"next_page_token,omitempty"`
}

// longestPart is how many elements of an array one answer of version 2.2 holds.
const longestPart = 100

func (s *Service) getJob(api string, q *query) (any, error) {
	id, token := q.required("job_id"), q.text("page_token")
	if q.err != nil {
		return nil, q.err
	}
	from, err := partStart(api, token)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.job(id)
	if err != nil {
		return nil, err
	}
	v := j.view()
	v.RunAs = j.Creator
	for _, kind := range []string{"user_name", "service_principal_name", "group_name"} {
		if name := j.Settings.RunAs[kind]; name != nil {
			v.RunAs = strings.Trim(string(name), `"`)
		}
	}
	more := cut(api, &v.Settings.Tasks, from)
	more = cut(api, &v.Settings.JobClusters, from) || more
	more = cut(api, &v.Settings.Parameters, from) || more
	more = cut(api, &v.Settings.Environments, from) || more
	if more {
		v.HasMore, v.NextPageToken = true, partToken(from+longestPart)
	}
	return v, nil
}

func (j *job) view() jobView {
	copied := j.Settings
	return jobView{ID: j.ID, Creator: j.Creator, Created: j.Created, Settings: &copied}
}

func (s *Service) listJobs(api string, q *query) (any, error) {
	name, expand := q.text("name"), q.flag("expand_tasks")
	limit, most := int64(20), int64(100)
	if api == "2.0" { // where a list is whole unless it is asked to be short
		limit, most, expand = 1<<30, 1<<30, true
	}
	limit = q.number("limit", limit)
	window := pageOf{limit: limit, offset: q.number("offset", 0), token: q.text("page_token")}
	if q.err != nil {
		return nil, q.err
	}
	if limit < 1 || limit > most {
		return nil, wire.Invalid("limit must be between 1 and %d, found %d.", most, limit)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := newestFirst(s.jobs, func(j *job) bool {
		return !j.Deleted && (name == "" || strings.EqualFold(j.Settings.Name, name))
	})
	part, next, previous, err := window.cut(shown)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Jobs     []jobView `json:"jobs,omitempty"`
		HasMore  bool      `json:"has_more"`
		Next     string    `json:"next_page_token,omitempty"`
		Previous string    `json:"prev_page_token,omitempty"`
	}
	answer.HasMore, answer.Next, answer.Previous = next != "", next, previous
	for _, id := range part {
		v := s.jobs[id].view()
		if !expand {
			v.Settings.Tasks, v.Settings.JobClusters, v.Settings.Parameters, v.Settings.Environments = nil, nil, nil, nil
		}
		v.HasMore = cut(api, &v.Settings.Tasks, 0)
		v.HasMore = cut(api, &v.Settings.JobClusters, 0) || v.HasMore
		answer.Jobs = append(answer.Jobs, v)
	}
	return answer, nil
}
