package release_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cloud is all services of a simulation at one moment: two workspaces with files and jobs, and one registry with the
// model "m". A moment never changes: what changes something makes the next one, so that old reads are answered from
// an earlier one.
type cloud struct {
	files  map[string]simFile // by workspace and path: "prod:/Barge/p/ledger"
	jobs   map[int64]simJob
	runs   map[int64]simRun
	tags   map[string]string // of the model
	stages map[string]string // by version
	lastID int64
}

type simFile struct {
	kind string // FILE, NOTEBOOK, DIRECTORY
	body []byte
}

type simJob struct {
	workspace string
	settings  map[string]any
}

type simRun struct {
	workspace, name, notebook, token string
	job                              int64
	parameters                       map[string]string
	end                              time.Time
	cancelled                        bool
	fails                            bool
}

// simRequest is a call as it went out.
type simRequest struct {
	workspace, method, path string
	query                   url.Values
	body                    []byte
}

// field is a field of the JSON body, as text.
func (r simRequest) field(name string) string {
	var fields map[string]any
	if json.Unmarshal(r.body, &fields) != nil || fields[name] == nil {
		return ""
	}
	if n, ok := fields[name].(float64); ok {
		return strconv.FormatInt(int64(n), 10)
	}
	return fmt.Sprint(fields[name])
}

func (r simRequest) read() bool { return r.method == http.MethodGet }

// pointer tells whether the call is one of a Set: it changes what is live.
func (r simRequest) pointer() bool {
	switch r.path {
	case "/api/2.2/jobs/reset", "/api/2.0/mlflow/databricks/model-versions/transition-stage":
		return true
	case "/api/2.0/mlflow/registered-models/set-tag", "/api/2.0/mlflow/registered-models/delete-tag":
		return strings.HasPrefix(r.field("key"), "barge.env.")
	}
	return false
}

// entry is the number of the ledger's entry that the call reads or creates; 0 for another call.
func (r simRequest) entry() int {
	at := r.query.Get("path")
	if !r.read() {
		at = strings.TrimPrefix(r.path, "/api/2.0/workspace-files/import-file")
	}
	dir, name := path.Split(at)
	n, err := strconv.Atoi(strings.TrimSuffix(name, ".json"))
	if err != nil || path.Base(path.Dir(path.Clean(dir))) != "ledger" {
		return 0
	}
	return n
}

type simAnswer struct {
	status int
	body   []byte
}

func said(v any) simAnswer {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return simAnswer{http.StatusOK, b}
}

func refused(status int, code, message string) simAnswer {
	b, _ := json.Marshal(map[string]string{"error_code": code, "message": message})
	return simAnswer{status, b}
}

func missing(what string) simAnswer {
	return refused(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", what+" does not exist.")
}

func noJob(id int64) simAnswer {
	return refused(http.StatusBadRequest, "INVALID_PARAMETER_VALUE", fmt.Sprintf("Job %d does not exist.", id))
}

// look answers a read.
func (c *cloud) look(r simRequest, now time.Time) simAnswer {
	q := r.query
	number := func(name string) int64 { n, _ := strconv.ParseInt(q.Get(name), 10, 64); return n }
	switch r.path {
	case "/api/2.0/workspace/export":
		f, ok := c.files[r.workspace+":"+q.Get("path")]
		if !ok {
			return missing(q.Get("path"))
		}
		return simAnswer{http.StatusOK, f.body}
	case "/api/2.0/workspace/list":
		return c.list(r.workspace, q.Get("path"))
	case "/api/2.0/preview/scim/v2/Me":
		return said(map[string]any{"id": "1", "userName": "someone"})
	case "/api/2.2/jobs/get":
		id := number("job_id")
		if job, ok := c.jobs[id]; ok && job.workspace == r.workspace {
			return said(map[string]any{"job_id": id, "settings": job.settings})
		}
		return noJob(id)
	case "/api/2.2/jobs/list":
		all := []any{}
		for _, id := range slices.Sorted(maps.Keys(c.jobs)) {
			if c.jobs[id].workspace == r.workspace {
				all = append(all, map[string]any{"job_id": id, "settings": c.jobs[id].settings, "created_time": id})
			}
		}
		return said(map[string]any{"jobs": all})
	case "/api/2.2/jobs/runs/get":
		return c.run(number("run_id"), now)
	case "/api/2.2/jobs/runs/get-output":
		return c.output(number("run_id") / 10)
	case "/api/2.2/jobs/runs/list":
		all := []any{}
		for _, id := range slices.Sorted(maps.Keys(c.runs)) {
			if run := c.runs[id]; run.job == number("job_id") && !run.cancelled && now.Before(run.end) {
				all = append(all, c.runs[id].info(id, now))
			}
		}
		return said(map[string]any{"runs": all})
	}
	return c.lookInRegistry(r)
}

func (c *cloud) list(workspace, folder string) simAnswer {
	if _, ok := c.files[workspace+":"+folder]; !ok {
		return missing(folder)
	}
	all := []any{}
	for _, at := range slices.Sorted(maps.Keys(c.files)) {
		if name, ok := strings.CutPrefix(at, workspace+":"); ok && name != "/" && path.Dir(name) == folder {
			all = append(all, map[string]any{"path": name, "object_type": c.files[at].kind})
		}
	}
	return said(map[string]any{"objects": all})
}

func (r simRun) info(id int64, now time.Time) map[string]any {
	state := map[string]any{"life_cycle_state": "RUNNING"}
	switch {
	case r.cancelled:
		state = map[string]any{"life_cycle_state": "TERMINATED", "result_state": "CANCELED"}
	case !now.Before(r.end):
		state = map[string]any{"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}
	}
	kind := "JOB_RUN"
	if r.job == 0 {
		kind = "SUBMIT_RUN"
	}
	task := map[string]any{
		"task_key": "main", "run_id": id * 10, "state": state,
		"notebook_task": map[string]any{"notebook_path": r.notebook, "base_parameters": r.parameters},
	}
	return map[string]any{"run_id": id, "job_id": r.job, "run_type": kind, "run_name": r.name, "state": state, "tasks": []any{task}, "run_page_url": fmt.Sprint("https://runs.test/", id)}
}

func (c *cloud) run(id int64, now time.Time) simAnswer {
	r, ok := c.runs[id]
	if !ok {
		return refused(http.StatusBadRequest, "INVALID_PARAMETER_VALUE", fmt.Sprintf("Run %d does not exist.", id))
	}
	return said(r.info(id, now))
}

// output is what a notebook answers: the version that it was told, and good or bad figures.
func (c *cloud) output(id int64) simAnswer {
	r := c.runs[id]
	accuracy, rows := 0.9, 5
	if r.fails {
		accuracy, rows = 0.1, 0
	}
	models := ""
	if version, told := r.parameters["barge_model_m_version"]; told {
		models = fmt.Sprintf(`"models": {"m": {"version": %q}}, `, version)
	}
	text := fmt.Sprintf(`{%s"metrics": {"accuracy": %g}, "output": {"rows": %d}}`, models, accuracy, rows)
	return said(map[string]any{"notebook_output": map[string]any{"result": text}})
}

func (c *cloud) lookInRegistry(r simRequest) simAnswer {
	version := func(number string) map[string]any {
		return map[string]any{"name": "m", "version": number, "current_stage": c.stages[number], "status": "READY"}
	}
	number := r.query.Get("version")
	switch strings.TrimPrefix(r.path, "/api/2.0/mlflow/") {
	case "databricks/registered-models/get":
		tags := []any{}
		for _, key := range slices.Sorted(maps.Keys(c.tags)) {
			tags = append(tags, map[string]string{"key": key, "value": c.tags[key]})
		}
		return said(map[string]any{"registered_model_databricks": map[string]any{"id": "m1", "tags": tags}})
	case "model-versions/get":
		if c.stages[number] == "" {
			return missing("Model version " + number)
		}
		return said(map[string]any{"model_version": version(number)})
	case "model-versions/search":
		all := []any{}
		for _, number := range slices.Sorted(maps.Keys(c.stages)) {
			all = append(all, version(number))
		}
		return said(map[string]any{"model_versions": all})
	case "model-versions/list-artifacts":
		return said(map[string]any{"files": []any{map[string]any{"path": "model.pkl", "is_dir": false, "file_size": len("model ") + len(number)}}})
	case "model-versions/get-signed-download-uri":
		return said(map[string]any{"signed_uri": "https://files.test/signed/" + number})
	}
	if number, ok := strings.CutPrefix(r.path, "/signed/"); ok {
		return simAnswer{http.StatusOK, []byte("model " + number)}
	}
	return refused(http.StatusNotFound, "ENDPOINT_NOT_FOUND", "no such call: "+r.method+" "+r.path)
}

// change applies a call that changes something and gives the moment after it.
func (c *cloud) change(r simRequest, now time.Time, run func(simRun) simRun) (*cloud, simAnswer) {
	next := *c
	var body struct {
		Path     string         `json:"path"`
		Content  string         `json:"content"`
		JobID    int64          `json:"job_id"`
		RunID    int64          `json:"run_id"`
		RunName  string         `json:"run_name"`
		Settings map[string]any `json:"new_settings"`
		Token    string         `json:"idempotency_token"`
		Tasks    []simTask      `json:"tasks"`
		Key      string         `json:"key"`
		Value    string         `json:"value"`
		Version  string         `json:"version"`
		Stage    string         `json:"stage"`
		Archive  bool           `json:"archive_existing_versions"`
	}
	file, isFile := strings.CutPrefix(r.path, "/api/2.0/workspace-files/import-file")
	if !isFile {
		if err := json.Unmarshal(r.body, &body); err != nil {
			return c, refused(http.StatusBadRequest, "MALFORMED_REQUEST", err.Error())
		}
	}
	switch r.path {
	case "/api/2.0/workspace/mkdirs":
		return next.mkdirs(r.workspace, body.Path), said(struct{}{})
	case "/api/2.0/workspace/import":
		content, _ := base64.StdEncoding.DecodeString(body.Content)
		return next.put(r.workspace, body.Path, simFile{"NOTEBOOK", content}, true)
	case "/api/2.2/jobs/create":
		var settings map[string]any
		_ = json.Unmarshal(r.body, &settings)
		next.lastID++
		next.jobs = maps.Clone(c.jobs)
		next.jobs[next.lastID] = simJob{r.workspace, settings}
		return &next, said(map[string]any{"job_id": next.lastID})
	case "/api/2.2/jobs/reset":
		if c.jobs[body.JobID].workspace != r.workspace {
			return c, noJob(body.JobID)
		}
		next.jobs = maps.Clone(c.jobs)
		next.jobs[body.JobID] = simJob{r.workspace, body.Settings}
		return &next, said(struct{}{})
	case "/api/2.2/jobs/run-now":
		job, ok := c.jobs[body.JobID]
		if !ok {
			return c, noJob(body.JobID)
		}
		raw, _ := json.Marshal(job.settings)
		_ = json.Unmarshal(raw, &body)
		return next.start(run(simRun{workspace: r.workspace, job: body.JobID, token: body.Token, name: "job", end: now}), body.Tasks)
	case "/api/2.2/jobs/runs/submit":
		return next.start(run(simRun{workspace: r.workspace, token: body.Token, name: body.RunName, end: now}), body.Tasks)
	case "/api/2.2/jobs/runs/cancel":
		cancelled := c.runs[body.RunID]
		cancelled.cancelled = true
		next.runs = maps.Clone(c.runs)
		next.runs[body.RunID] = cancelled
		return &next, said(struct{}{})
	case "/api/2.0/mlflow/registered-models/set-tag", "/api/2.0/mlflow/registered-models/delete-tag":
		next.tags = maps.Clone(c.tags)
		if delete(next.tags, body.Key); r.method == http.MethodPost {
			next.tags[body.Key] = body.Value
		}
		return &next, said(struct{}{})
	case "/api/2.0/mlflow/databricks/model-versions/transition-stage":
		return next.transition(body.Version, body.Stage, body.Archive), said(struct{}{})
	}
	if isFile {
		return next.put(r.workspace, file, simFile{"FILE", r.body}, r.query.Get("overwrite") == "true")
	}
	return c, refused(http.StatusNotFound, "ENDPOINT_NOT_FOUND", "no such call: "+r.method+" "+r.path)
}

func (c *cloud) mkdirs(workspace, folder string) *cloud {
	c.files = maps.Clone(c.files)
	for ; ; folder = path.Dir(folder) {
		c.files[workspace+":"+folder] = simFile{kind: "DIRECTORY"}
		if folder == "/" {
			return c
		}
	}
}

func (c *cloud) put(workspace, at string, f simFile, overwrite bool) (*cloud, simAnswer) {
	key := workspace + ":" + at
	if c.files[workspace+":"+path.Dir(at)].kind != "DIRECTORY" {
		return c, missing(path.Dir(at))
	}
	if _, there := c.files[key]; there && !overwrite {
		return c, refused(http.StatusConflict, "RESOURCE_ALREADY_EXISTS", at+" already exists.")
	}
	c.files = maps.Clone(c.files)
	c.files[key] = simFile{f.kind, bytes.Clone(f.body)}
	return c, said(struct{}{})
}

type simTask struct {
	Notebook struct {
		Path       string            `json:"notebook_path"`
		Parameters map[string]string `json:"base_parameters"`
	} `json:"notebook_task"`
}

func (c *cloud) start(r simRun, tasks []simTask) (*cloud, simAnswer) {
	for id, before := range c.runs {
		if before.token == r.token && before.workspace == r.workspace {
			return c, said(map[string]any{"run_id": id})
		}
	}
	if len(tasks) != 1 {
		return c, refused(http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "there is no task to run")
	}
	c.lastID++
	r.notebook, r.parameters = tasks[0].Notebook.Path, maps.Clone(tasks[0].Notebook.Parameters)
	for key, value := range r.parameters {
		r.parameters[key] = strings.ReplaceAll(value, "{{job.run_id}}", strconv.FormatInt(c.lastID, 10))
	}
	c.runs = maps.Clone(c.runs)
	c.runs[c.lastID] = r
	return c, said(map[string]any{"run_id": c.lastID})
}

func (c *cloud) transition(version, stage string, archive bool) *cloud {
	c.stages = maps.Clone(c.stages)
	for other, at := range c.stages {
		if archive && at == stage && other != version {
			c.stages[other] = "Archived"
		}
	}
	c.stages[version] = stage
	return c
}
