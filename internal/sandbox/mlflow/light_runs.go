package mlflow

import (
	"slices"
	"strconv"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

type lightExperiment struct {
	ID       string  `json:"experiment_id"`
	Name     string  `json:"name"`
	Location string  `json:"artifact_location"`
	Stage    string  `json:"lifecycle_stage"`
	Updated  int64   `json:"last_update_time"`
	Created  int64   `json:"creation_time"`
	Tags     []keyed `json:"tags,omitempty"`
}

type lightRun struct {
	Info struct {
		UUID       string `json:"run_uuid"`
		Experiment string `json:"experiment_id"`
		Name       string `json:"run_name"`
		User       string `json:"user_id"`
		Status     string `json:"status"`
		Start      int64  `json:"start_time"`
		End        int64  `json:"end_time,omitempty"`
		URI        string `json:"artifact_uri"`
		Stage      string `json:"lifecycle_stage"`
		ID         string `json:"run_id"`
	} `json:"info"`
	Data struct {
		Metrics []lightMetric `json:"metrics,omitempty"`
		Params  []keyed       `json:"params,omitempty"`
		Tags    []keyed       `json:"tags,omitempty"`
	} `json:"data"`
	Inputs struct{} `json:"inputs"`
}

type lightMetric struct {
	Key   string  `json:"key"`
	Value float64 `json:"value"`
	At    int64   `json:"timestamp"`
	Step  int64   `json:"step"`
}

type lightLogged struct {
	Info struct {
		ID         string `json:"model_id"`
		Experiment string `json:"experiment_id"`
		Name       string `json:"name"`
		Created    int64  `json:"creation_timestamp_ms"`
		URI        string `json:"artifact_uri"`
		Status     string `json:"status"`
		Run        string `json:"source_run_id,omitempty"`
	} `json:"info"`
	Data struct{} `json:"data"`
}

func (s *space) home(experiment string) string {
	for name, o := range s.spaces {
		if o == s {
			return "mlflow-artifacts:/workspaces/" + name + "/" + experiment
		}
	}
	return ""
}

func (s *space) createExperiment(in params) (any, error) {
	v, err := in.required("name")
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(s.exps, func(e *lightExperiment) bool { return e.Name == v[0] }) {
		return nil, wire.Errorf(400, "RESOURCE_ALREADY_EXISTS", "Experiment(name=%s) already exists.", v[0])
	}
	s.experiments++
	id, now := strconv.Itoa(s.experiments), s.now()
	s.exps = append(s.exps, &lightExperiment{
		ID: id, Name: v[0], Location: s.home(id), Stage: "active", Created: now, Updated: now, Tags: in.tags("tags"),
	})
	return map[string]any{"experiment_id": id}, nil
}

// getExperiment finds by id or by name, whichever was given.
func (s *space) getExperiment(in params) (any, error) {
	id, name := text(in, "experiment_id"), text(in, "experiment_name")
	for _, e := range s.exps {
		if e.ID == id || e.Name == name {
			return map[string]any{"experiment": e}, nil
		}
	}
	if name != "" {
		return nil, wire.NotFound("Could not find experiment with name '%s'", name)
	}
	return nil, wire.NotFound("No Experiment with id=%s exists", id)
}

// searchExperiments gives all of them, the newest first; a filter is refused rather than ignored.
func (s *space) searchExperiments(in params) (any, error) {
	if filter := text(in, "filter"); filter != "" {
		return nil, wire.Invalid("the registry in memory lists experiments, and does not search them by %s", filter)
	}
	limit, err := in.number("max_results", 1000)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(s.exps)
	slices.Reverse(all)
	return page(all, "experiments", text(in, "page_token"), limit)
}

func (s *space) experiment(id string) error {
	if slices.ContainsFunc(s.exps, func(e *lightExperiment) bool { return e.ID == id }) {
		return nil
	}
	return wire.NotFound("No Experiment with id=%s exists", id)
}

func (s *space) createRun(in params) (any, error) {
	id := text(in, "experiment_id")
	if err := s.experiment(id); err != nil {
		return nil, err
	}
	r := &lightRun{}
	r.Info.ID = newID()
	r.Info.UUID, r.Info.Experiment, r.Info.Status, r.Info.Stage = r.Info.ID, id, "RUNNING", "active"
	r.Info.User, r.Info.Name = text(in, "user_id"), text(in, "run_name")
	if r.Info.Name == "" {
		r.Info.Name = "run-" + r.Info.ID[:6]
	}
	start, err := in.number("start_time", 0)
	if err != nil {
		return nil, err
	}
	r.Info.Start = int64(start)
	r.Info.URI = s.home(id) + "/" + r.Info.ID + "/artifacts"
	r.Data.Tags = setKey(in.tags("tags"), keyed{"mlflow.runName", r.Info.Name})
	s.runs = append(s.runs, r)
	return map[string]any{"run": r}, nil
}

func (s *space) run(in params) (*lightRun, error) {
	id := text(in, "run_id")
	if id == "" {
		id = text(in, "run_uuid")
	}
	if i := slices.IndexFunc(s.runs, func(r *lightRun) bool { return r.Info.ID == id }); i >= 0 {
		return s.runs[i], nil
	}
	return nil, wire.NotFound("Run with id=%s not found", id)
}

func (s *space) getRun(in params) (any, error) {
	r, err := s.run(in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"run": r}, nil
}

func (s *space) updateRun(in params) (any, error) {
	r, err := s.run(in)
	if err != nil {
		return nil, err
	}
	end, err := in.number("end_time", int(r.Info.End))
	if err != nil {
		return nil, err
	}
	r.Info.End = int64(end)
	if status := text(in, "status"); status != "" {
		r.Info.Status = status
	}
	return map[string]any{"run_info": r.Info}, nil
}

// logBatch serves log-metric too, a batch of one told by its fields.
func (s *space) logBatch(in params) (any, error) {
	r, err := s.run(in)
	if err != nil {
		return nil, err
	}
	metrics, _ := in["metrics"].([]any)
	if value, ok := in["value"].(float64); ok {
		metrics = append(metrics, map[string]any{"key": in["key"], "value": value, "timestamp": in["timestamp"], "step": in["step"]})
	}
	for _, m := range metrics {
		m, _ := m.(map[string]any)
		value, _ := m["value"].(float64)
		at, _ := m["timestamp"].(float64)
		step, _ := m["step"].(float64)
		r.Data.Metrics = slices.DeleteFunc(r.Data.Metrics, func(o lightMetric) bool { return o.Key == m["key"] })
		r.Data.Metrics = append(r.Data.Metrics, lightMetric{text(m, "key"), value, int64(at), int64(step)})
	}
	for _, p := range in.tags("params") {
		r.Data.Params = setKey(r.Data.Params, p)
	}
	for _, t := range in.tags("tags") {
		r.Data.Tags = setKey(r.Data.Tags, t)
	}
	return struct{}{}, nil
}

func (s *space) logPair(in params, into func(*lightRun) *[]keyed) (any, error) {
	r, err := s.run(in)
	if err != nil {
		return nil, err
	}
	list := into(r)
	*list = setKey(*list, keyed{text(in, "key"), text(in, "value")})
	return struct{}{}, nil
}

func (s *space) logParameter(in params) (any, error) {
	return s.logPair(in, func(r *lightRun) *[]keyed { return &r.Data.Params })
}

func (s *space) setRunTag(in params) (any, error) {
	return s.logPair(in, func(r *lightRun) *[]keyed { return &r.Data.Tags })
}

// searchRuns knows experiments alone; a filter is refused rather than ignored.
func (s *space) searchRuns(in params) (any, error) {
	if filter := text(in, "filter"); filter != "" {
		return nil, wire.Invalid("the registry in memory searches runs by experiment only, not by %s", filter)
	}
	var found []*lightRun
	for _, r := range slices.Backward(s.runs) {
		if slices.Contains(in.list("experiment_ids"), r.Info.Experiment) {
			found = append(found, r)
		}
	}
	limit, err := in.number("max_results", 1000)
	if err != nil {
		return nil, err
	}
	return page(found, "runs", text(in, "page_token"), limit)
}

func (s *space) createLogged(in params) (any, error) {
	id := text(in, "experiment_id")
	if err := s.experiment(id); err != nil {
		return nil, err
	}
	m := &lightLogged{}
	m.Info.ID, m.Info.Experiment, m.Info.Created = "m-"+newID(), id, s.now()
	m.Info.Name, m.Info.Run, m.Info.Status = text(in, "name"), text(in, "source_run_id"), "LOGGED_MODEL_PENDING"
	m.Info.URI = s.home(id) + "/models/" + m.Info.ID + "/artifacts"
	s.logged[m.Info.ID] = m
	return map[string]any{"model": m}, nil
}

func (s *space) getLogged(in params) (any, error) {
	id := text(in, "model_id")
	if m := s.logged[id]; m != nil {
		return map[string]any{"model": m}, nil
	}
	return nil, wire.NotFound("Logged model with ID '%s' not found.", id)
}

func (s *space) updateLogged(in params) (any, error) {
	out, err := s.getLogged(in)
	if status := text(in, "status"); err == nil && status != "" {
		s.logged[text(in, "model_id")].Info.Status = status
	}
	return out, err
}
