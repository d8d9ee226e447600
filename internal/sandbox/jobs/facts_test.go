package jobs

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What platform notes say of the Jobs API, method by method: requests, answers, limits.

func TestSubmitIsAnsweredWithARunID(t *testing.T) {
	w := newTwin(t)
	w.exec.Answer = func(Attempt) Outcome { return Outcome{Result: Success, Exited: true, ExitValue: `{"a":1}`} }
	w.want("runs/submit", `{"run_name":"gate","tasks":[{"task_key":"main","notebook_task":{"notebook_path":"/n","base_parameters":{"k":"v"}},"existing_cluster_id":"0101-a"}]}`, `200 {"run_id":8000001}`)
	w.wait(8000001)
	w.want("runs/get?run_id=8000001", "", `200 {
	  "run_id":8000001,"job_id":8000002,"number_in_job":8000001,"job_run_id":8000001,"original_attempt_run_id":8000001,
	  "creator_user_name":"dev@example.com","run_name":"gate","run_page_url":"http://twin/?o=7#job/8000002/run/8000001",
	  "run_type":"SUBMIT_RUN","trigger":"ONE_TIME","format":"MULTI_TASK",
	  "state":{"life_cycle_state":"TERMINATED","result_state":"SUCCESS","state_message":"","user_cancelled_or_timedout":false},
	  "status":{"state":"TERMINATED","termination_details":{"code":"SUCCESS","type":"SUCCESS","message":""}},
	  "tasks":[{"task_key":"main","run_if":"ALL_SUCCESS",
	    "notebook_task":{"notebook_path":"/n","base_parameters":{"k":"v"},"source":"WORKSPACE"},
	    "existing_cluster_id":"0101-a","cluster_instance":{"cluster_id":"0101-a"},"timeout_seconds":0,"email_notifications":{},
	    "run_id":8000003,"attempt_number":0,"run_page_url":"http://twin/?o=7#job/8000002/run/8000003",
	    "state":{"life_cycle_state":"TERMINATED","result_state":"SUCCESS","state_message":"","user_cancelled_or_timedout":false},
	    "status":{"state":"TERMINATED","termination_details":{"code":"SUCCESS","type":"SUCCESS","message":""}},
	    "start_time":1772445600000,"setup_duration":0,"execution_duration":0,"cleanup_duration":0,"end_time":1772445600000}],
	  "start_time":1772445600000,"setup_duration":0,"execution_duration":0,"cleanup_duration":0,"end_time":1772445600000}`)
	want := []Attempt{{
		RunID: 8000003, RunName: "gate", TaskKey: "main", NotebookPath: "/n", Parameters: map[string]string{"k": "v"}, User: "dev@example.com",
	}}
	if diff := cmp.Diff(want, w.exec.Attempts()); diff != "" {
		t.Errorf("what the executor was told (-want +got):\n%s", diff)
	}
}

func TestGetRunOutput(t *testing.T) {
	w := newTwin(t)
	long := strings.Repeat("é", 5<<19) + "!" // 5 MB and one byte
	w.exec.Answer = func(a Attempt) Outcome {
		switch a.NotebookPath {
		case "/exits":
			return Outcome{Result: Success, Exited: true, ExitValue: `{"a":1}`}
		case "/exits-empty":
			return Outcome{Result: Success, Exited: true}
		case "/long":
			return Outcome{Result: Success, Exited: true, ExitValue: "x" + long}
		case "/fails":
			return Outcome{Result: Failed, Error: "AssertionError: too low", Trace: "Traceback …"}
		}
		return Outcome{Result: Success}
	}
	output := func(notebook string, ofTask bool) map[string]json.RawMessage {
		run := w.id("runs/submit", one(notebook, ""))
		w.wait(run)
		if ofTask {
			run += 2
		}
		var out map[string]json.RawMessage
		w.do(fmt.Sprintf("runs/get-output?run_id=%d", run), "", &out)
		delete(out, "metadata")
		return out
	}
	for _, c := range []struct {
		name, notebook string
		ofTask         bool
		want           map[string]string
	}{
		{"the exit value, of the task run", "/exits", true, map[string]string{"notebook_output": `{"result":"{\"a\":1}","truncated":false}`}},
		{"of the parent of one task, special-cased", "/exits", false, map[string]string{"notebook_output": `{"result":"{\"a\":1}","truncated":false}`}},
		{"exit called with nothing", "/exits-empty", true, map[string]string{"notebook_output": `{"result":"","truncated":false}`}},
		{"exit never called", "/quiet", true, map[string]string{"notebook_output": `{}`}},
		{"error and error_trace on failure", "/fails", true, map[string]string{"notebook_output": `{}`, "error": `"AssertionError: too low"`, "error_trace": `"Traceback …"`}},
		{"first 5 MB, whole characters", "/long", true, map[string]string{"notebook_output": `{"result":"x` + strings.Repeat("é", 5<<19-1) + `","truncated":true}`}},
	} {
		got := map[string]string{}
		for k, v := range output(c.notebook, c.ofTask) {
			got[k] = string(v)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %.2000s", c.name, diff)
		}
	}
}

func TestGetOutputOfAMultiTaskParentIsRefused(t *testing.T) {
	const refusal = `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each individual task run instead."}`
	w := newTwin(t)
	run := w.id("runs/submit", `{"tasks":[{"task_key":"a","notebook_task":{"notebook_path":"/a"}},{"task_key":"b","notebook_task":{"notebook_path":"/b"}}]}`)
	w.wait(run)
	w.want(fmt.Sprintf("runs/get-output?run_id=%d", run), "", refusal)
	job := w.id("create", nightly(""))
	run = w.id("run-now", fmt.Sprintf(`{"job_id":%d}`, job))
	w.wait(run)
	w.want(fmt.Sprintf("runs/get-output?run_id=%d", run), "", refusal)
}

func TestPagesOfAHundredTasks(t *testing.T) {
	w := newTwin(t)
	var tasks []string
	for i := range 201 {
		tasks = append(tasks, fmt.Sprintf(`{"task_key":"t%d","notebook_task":{"notebook_path":"/n"}}`, i))
	}
	job := w.id("create", `{"tasks":[`+strings.Join(tasks, ",")+`],"max_concurrent_runs":2,"parameters":[{"name":"p","default":"d"}]}`)
	run := w.id("run-now", fmt.Sprintf(`{"job_id":%d}`, job))
	w.wait(run)
	type page struct {
		Tasks    []taskView `json:"tasks"`
		Settings struct {
			Tasks      []task      `json:"tasks"`
			Parameters []parameter `json:"parameters"`
		} `json:"settings"`
		Parameters []parameter `json:"job_parameters"`
		HasMore    bool        `json:"has_more"`
		Next       string      `json:"next_page_token"`
	}
	for _, path := range []string{fmt.Sprintf("runs/get?run_id=%d", run), fmt.Sprintf("get?job_id=%d", job)} {
		var sizes, parameters []int
		for token := ""; ; {
			var p page
			w.do(path+"&page_token="+token, "", &p)
			sizes = append(sizes, len(p.Tasks)+len(p.Settings.Tasks))
			parameters = append(parameters, len(p.Parameters)+len(p.Settings.Parameters))
			if token = p.Next; token == "" {
				break
			}
		}
		if diff := cmp.Diff([][]int{{100, 100, 1}, {1, 0, 0}}, [][]int{sizes, parameters}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
		var whole page
		w.do("2.1/jobs/"+path, "", &whole)
		if n := len(whole.Tasks) + len(whole.Settings.Tasks); n != 201 {
			t.Errorf("2.1 %s: %d tasks, want all 201", path, n)
		}
	}
	w.want(fmt.Sprintf("runs/get?run_id=%d&page_token=zzz", run), "", `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Invalid page token: zzz"}`)
}

func TestCreateGetListDelete(t *testing.T) {
	w := newTwin(t)
	w.want("create", `{"name":"nightly","unknown_field":1,"tags":{"owner":"ml"},
	  "schedule":{"quartz_cron_expression":"0 0 2 * * ?","timezone_id":"Europe/London"},
	  "job_clusters":[{"job_cluster_key":"c","new_cluster":{"spark_version":"15.4.x-scala2.12","num_workers":1,"apply_policy_default_values":true}}],
	  "tasks":[{"task_key":"main","job_cluster_key":"c","notebook_task":{"notebook_path":"/n"},"libraries":[{"pypi":{"package":"mlflow==2.16.2"}}]}]}`, `200 {"job_id":8000001}`)
	const settings = `"name":"nightly","email_notifications":{},"webhook_notifications":{},"timeout_seconds":0,
	  "schedule":{"quartz_cron_expression":"0 0 2 * * ?","timezone_id":"Europe/London","pause_status":"UNPAUSED"},
	  "max_concurrent_runs":1,"tags":{"owner":"ml"},"format":"MULTI_TASK","queue":{"enabled":true}`
	w.want("get?job_id=8000001", "", `200 {"job_id":8000001,"creator_user_name":"dev@example.com","run_as_user_name":"dev@example.com","created_time":1772445600000,
	  "settings":{`+settings+`,
	  "job_clusters":[{"job_cluster_key":"c","new_cluster":{"data_security_mode":"SINGLE_USER","enable_elastic_disk":false,"num_workers":1,"spark_version":"15.4.x-scala2.12"}}],
	  "tasks":[{"task_key":"main","run_if":"ALL_SUCCESS","job_cluster_key":"c","notebook_task":{"notebook_path":"/n","source":"WORKSPACE"},
	    "libraries":[{"pypi":{"package":"mlflow==2.16.2"}}],"timeout_seconds":0,"email_notifications":{}}]}}`)
	w.want("list?name=NIGHTLY", "", `200 {"jobs":[{"job_id":8000001,"creator_user_name":"dev@example.com","created_time":1772445600000,"settings":{`+settings+`}}],"has_more":false}`)
	w.want("list?name=night", "", `200 {"has_more":false}`)
	if !w.JobExists("8000001") || w.JobCreator("8000001") != "dev@example.com" || w.JobExists("x") {
		t.Error("JobExists, JobCreator: the job is not known, or another is")
	}
	w.want("delete", `{"job_id":"8000001"}`, `200 {}`)
	w.want("get?job_id=8000001", "", `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Job 8000001 does not exist."}`)
	if w.JobExists("8000001") || w.JobCreator("8000001") != "" {
		t.Error("a deleted job exists")
	}
}

func TestNamesAreNotUnique(t *testing.T) {
	w := newTwin(t)
	w.id("create", nightly(""))
	w.id("create", nightly(""))
	var list struct{ Jobs []jobView }
	w.do("list?name=nightly", "", &list)
	if len(list.Jobs) != 2 {
		t.Errorf("%d jobs of that name, want 2", len(list.Jobs))
	}
}

func TestJobsCreatedWithOlderVersionsAreNotQueued(t *testing.T) {
	w := newTwin(t)
	for api, want := range map[string]*queueing{"2.2": {Enabled: true}, "2.1": nil, "2.0": nil} {
		var got jobView
		w.do(fmt.Sprintf("%s/jobs/get?job_id=%d", api, w.id(api+"/jobs/create", nightly(""))), "", &got)
		if diff := cmp.Diff(want, got.Settings.Queue); diff != "" {
			t.Errorf("%s (-want +got):\n%s", api, diff)
		}
	}
}

func TestOneOldStyleTaskBecomesMain(t *testing.T) {
	w := newTwin(t)
	body := `{"run_name":"old","timeout_seconds":60,"existing_cluster_id":"c","notebook_task":{"notebook_path":"/n","base_parameters":{"a":"b"}}}`
	run := w.id("2.0/jobs/runs/submit", body)
	w.wait(run)
	w.wantState(run, "run TERMINATED SUCCESS TERMINATED SUCCESS", "main#0 TERMINATED SUCCESS TERMINATED SUCCESS")
	w.want("runs/submit", body, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"One of job_cluster_key, new_cluster, or existing_cluster_id must be specified."}`)
}

func TestResetAndUpdate(t *testing.T) {
	const before = `{"name":"a","description":"d","run_as":{"user_name":"x@example.com"},"tags":{"k":"v"},
	  "tasks":[{"task_key":"one","notebook_task":{"notebook_path":"/1"}},{"task_key":"two","notebook_task":{"notebook_path":"/2"}}]}`
	for _, c := range []struct{ name, path, body, want string }{
		{"reset replaces everything, but keeps run_as", "reset", `"new_settings":{"name":"b"}`, `b  map[] [] x@example.com`},
		{"reset with another run_as", "reset", `"new_settings":{"name":"b","run_as":{"service_principal_name":"sp"}}`, `b  map[] [] sp`},
		{"update replaces top-level fields", "update", `"new_settings":{"tags":{"n":"w"}}`, `a d map[n:w] [one=/1 two=/2] x@example.com`},
		{"update merges arrays by key", "update", `"new_settings":{"tasks":[{"task_key":"two","notebook_task":{"notebook_path":"/new"}},{"task_key":"three","notebook_task":{"notebook_path":"/3"}}]}`, `a d map[k:v] [one=/1 two=/new three=/3] x@example.com`},
		{"fields_to_remove", "update", `"fields_to_remove":["description","tasks/one"]`, `a  map[k:v] [two=/2] x@example.com`},
	} {
		w := newTwin(t)
		job := w.id("create", before)
		w.want(c.path, fmt.Sprintf(`{"job_id":%d,%s}`, job, c.body), `200 {}`)
		var v jobView
		w.do(fmt.Sprintf("get?job_id=%d", job), "", &v)
		tasks := []string{}
		for _, k := range v.Settings.Tasks {
			tasks = append(tasks, k.TaskKey+"="+k.Notebook.Path)
		}
		got := fmt.Sprint(v.Settings.Name, " ", v.Settings.Description, " ", v.Settings.Tags, " ", tasks, " ", v.RunAs)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestIdempotencyToken(t *testing.T) {
	w := newTwin(t)
	token := strings.Repeat("f", 64)
	submit := func(token string) string {
		return w.call("runs/submit", `{"idempotency_token":"`+token+`","tasks":[{"task_key":"main","notebook_task":{"notebook_path":"/n"}}]}`)
	}
	release := w.exec.Hold("/n")
	first := submit(token)
	again := submit(token)
	release()
	w.wait(8000001)
	finished := submit(token)
	w.want("runs/delete", `{"run_id":8000001}`, `200 {}`)
	deleted := submit(token)
	for name, got := range map[string]string{"active": again, "finished": finished, "deleted": deleted} {
		if got != first {
			t.Errorf("same token, run %s: %s, want %s", name, got, first)
		}
	}
	w.want("runs/get?run_id=8000001", "", `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Run 8000001 does not exist."}`)
	if n := len(w.exec.Attempts()); n != 1 {
		t.Errorf("%d notebooks ran, want 1", n)
	}
	if got, want := submit(token+"f"), `400 {"message":"The idempotency token must have at most 64 characters, this one has 65.","error_code":"INVALID_PARAMETER_VALUE"}`; pretty(t, got) != pretty(t, want) {
		t.Errorf("65 characters: %s", got)
	}
	job := w.id("create", nightly(""))
	body := fmt.Sprintf(`{"job_id":%d,"idempotency_token":"t"}`, job)
	if a, b := w.id("run-now", body), w.id("run-now", body); a != b {
		t.Errorf("run-now twice with one token: %d and %d", a, b)
	}
}
