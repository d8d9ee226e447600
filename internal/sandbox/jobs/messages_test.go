package jobs

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// What was recorded of the real service: its messages, word for word.
func TestMessagesAsRecorded(t *testing.T) {
	invalid := func(message string) string {
		return `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"` + message + `"}`
	}
	for _, c := range []struct{ name, path, body, want string }{
		{"jobs get of a missing job", "get?job_id=123", "", invalid("Job 123 does not exist.")},
		{"jobs get of a missing job, 2.1", "2.1/jobs/get?job_id=123", "", invalid("Job 123 does not exist.")},
		{"reset of a missing job", "reset", `{"job_id":123,"new_settings":{}}`, invalid("Job 123 does not exist.")},
		{"update of a missing job", "update", `{"job_id":123}`, invalid("Job 123 does not exist.")},
		{"delete of a missing job", "delete", `{"job_id":123}`, invalid("Job 123 does not exist.")},
		{"run-now of a missing job", "run-now", `{"job_id":123}`, invalid("Job 123 does not exist.")},
		{"cancel-all of a missing job", "runs/cancel-all", `{"job_id":123}`, invalid("Job 123 does not exist.")},
		{"runs get of a missing run", "runs/get?run_id=5", "", invalid("Run 5 does not exist.")},
		{"runs get-output of a missing run", "runs/get-output?run_id=5", "", invalid("Run 5 does not exist.")},
		{"cancel of a missing run", "runs/cancel", `{"run_id":5}`, invalid("Run 5 does not exist.")},
		{"runs delete of a missing run", "runs/delete", `{"run_id":5}`, invalid("Run 5 does not exist.")},
		{"repair of a missing run", "runs/repair", `{"run_id":5,"rerun_tasks":["a"]}`, invalid("Run 5 does not exist.")},
		{"git_source without provider, create", "create", `{"git_source":{"git_url":"https://example.com/r","git_commit":"c"}}`, invalid("git_source.git_provider must be one of: github,gitlab,bitbucketcloud,gitlabenterpriseedition,bitbucketserver,azuredevopsservices,githubenterprise,awscodecommit")},
		{"git_source without provider, submit", "runs/submit", `{"git_source":{"git_url":"https://example.com/r","git_commit":"c"},"tasks":[{"task_key":"m","notebook_task":{"notebook_path":"n"}}]}`, invalid("git_source.git_provider must be one of: github,gitlab,bitbucketcloud,gitlabenterpriseedition,bitbucketserver,azuredevopsservices,githubenterprise,awscodecommit")},
		{"an object expected", "run-now", `{"job_id":1,"notebook_params":"x"}`, `400 {"error_code":"MALFORMED_REQUEST","message":"Could not parse request object: Expected object for field notebook_params, found STRING"}`},
		{"no map at all", "reset", `[]`, `400 {"error_code":"MALFORMED_REQUEST","message":"Invalid JSON given in the body of the request - expected a map"}`},
		{"no compute for a task that needs it", "create", `{"tasks":[{"task_key":"m","spark_jar_task":{"main_class_name":"M"}}]}`, invalid("One of job_cluster_key, new_cluster, or existing_cluster_id must be specified.")},
		{"a cluster without size", "create", `{"tasks":[{"task_key":"m","notebook_task":{"notebook_path":"/n"},"new_cluster":{"spark_version":"15.4.x-scala2.12"}}]}`, invalid("Missing required field: settings.cluster_spec.new_cluster.size")},
		{"a cron that is not Quartz's", "create", `{"schedule":{"quartz_cron_expression":"0 30 2,7,11,15 * * *","timezone_id":"UTC"}}`, invalid("Invalid quartz_cron_expression: 0 30 2,7,11,15 * * *. Databricks uses Quartz cron syntax, which is different from the standard cron syntax. See http://www.quartz-scheduler.org/documentation/quartz-2.1.x/tutorials/crontrigger.html for more details.")},
	} {
		w := newTwin(t)
		if got := w.call(c.path, c.body); pretty(t, got) != pretty(t, c.want) {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestTheMessageOfAFailedRun(t *testing.T) {
	w := newTwin(t)
	w.exec.Answer = failsOn("/bad")
	run := w.id("runs/submit", one("/bad", ""))
	w.wait(run)
	var v struct {
		State, Status rawText
		Tasks         []struct{ State, Status rawText }
	}
	w.do(fmt.Sprintf("runs/get?run_id=%d", run), "", &v)
	got := []rawText{v.State, v.Status, v.Tasks[0].State, v.Tasks[0].Status}
	for i, want := range []rawText{
		`{"life_cycle_state":"INTERNAL_ERROR","result_state":"FAILED","state_message":"Task main failed with message: Workload failed, see run output for details.","user_cancelled_or_timedout":false}`,
		`{"state":"TERMINATED","termination_details":{"code":"RUN_EXECUTION_ERROR","type":"CLIENT_ERROR","message":"Task main failed with message: Workload failed, see run output for details."}}`,
		`{"life_cycle_state":"TERMINATED","result_state":"FAILED","state_message":"Workload failed, see run output for details","user_cancelled_or_timedout":false}`,
		`{"state":"TERMINATED","termination_details":{"code":"RUN_EXECUTION_ERROR","type":"CLIENT_ERROR","message":"Workload failed, see run output for details"}}`,
	} {
		if got[i] != want {
			t.Errorf("part %d:\n got %s\nwant %s", i, got[i], want)
		}
	}
}

func TestWhatSettingsAreRefused(t *testing.T) {
	many := func(n int, format string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(format, i))
		}
		return strings.Join(all, ",")
	}
	const main = `{"task_key":"m","notebook_task":{"notebook_path":"/n"}`
	for _, c := range []struct{ name, body, code, message string }{
		{"name: 4096 B", `{"name":"` + strings.Repeat("é", 2049) + `"}`, "", "The name of a job may have at most 4096 bytes, this one has 4098."},
		{"description: 27,700 chars", `{"description":"` + strings.Repeat("é", 27701) + `"}`, "", "The description of a job may have at most 27700 characters, this one has 27701."},
		{"25 tags", `{"tags":{` + many(26, `"t%d":"v"`) + `}}`, "", "A job may have at most 25 tags, this one has 26."},
		{"1000 tasks", `{"tasks":[` + many(1001, `{"task_key":"t%d","notebook_task":{"notebook_path":"/n"}}`) + `]}`, "", "A job may have at most 1000 tasks, this one has 1001."},
		{"max_concurrent_runs <= 1000", `{"max_concurrent_runs":1001}`, "", "max_concurrent_runs must be between 0 and 1000, found 1001."},
		{"unique task keys", `{"tasks":[` + main + `},` + main + `}]}`, "", "Duplicate task_key: m"},
		{"a task key", `{"tasks":[{"notebook_task":{"notebook_path":"/n"}}]}`, "", "Missing required field: task_key"},
		{"a fitting task key", `{"tasks":[{"task_key":"a b","notebook_task":{"notebook_path":"/n"}}]}`, "", "Invalid task_key 'a b': at most 100 alphanumeric characters, - and _ are allowed."},
		{"a task type", `{"tasks":[{"task_key":"m"}]}`, "", "Task m has no task type: one of notebook_task, spark_python_task, … must be specified."},
		{"one task type", `{"tasks":[` + main + `,"sql_task":{}}]}`, "", "Task m has more than one task type: notebook_task, sql_task"},
		{"one compute", `{"tasks":[` + main + `,"existing_cluster_id":"c","new_cluster":{"spark_version":"x","num_workers":1}}]}`, "", "Only one of job_cluster_key, new_cluster, and existing_cluster_id can be specified in task m."},
		{"a job cluster that is there", `{"tasks":[` + main + `,"job_cluster_key":"c"}]}`, "", "Job cluster 'c' is not defined in field 'job_clusters'."},
		{"an environment that is there", `{"tasks":[` + main + `,"environment_key":"e"}]}`, "", "Environment 'e' is not defined in field 'environments'."},
		{"libraries need a cluster", `{"tasks":[` + main + `,"libraries":[{"whl":"/x"}]}]}`, "", "Libraries field is not supported for serverless task, please specify libraries in environment."},
		{"a dependency that is there", `{"tasks":[` + main + `,"depends_on":[{"task_key":"z"}]}]}`, "", "Task m depends on the unknown task z."},
		{"no circles", `{"tasks":[` + main + `,"depends_on":[{"task_key":"k"}]},{"task_key":"k","notebook_task":{"notebook_path":"/k"},"depends_on":[{"task_key":"m"}]}]}`, "", "The dependencies of task m are circular."},
		{"run_if", `{"tasks":[` + main + `,"run_if":"NEVER"}]}`, "", "Task m has an unknown run_if: NEVER"},
		{"an absolute path", `{"tasks":[{"task_key":"m","notebook_task":{"notebook_path":"n"}}]}`, "", "Only absolute paths are currently supported. Paths must begin with '/'. Given: n"},
		{"a notebook path", `{"tasks":[{"task_key":"m","notebook_task":{}}]}`, "", "Missing required field: notebook_task.notebook_path"},
		{"base_parameters: 1 MB", `{"tasks":[{"task_key":"m","notebook_task":{"notebook_path":"/n","base_parameters":{"k":"` + strings.Repeat("x", 1<<20) + `"}}}]}`, "", "The base_parameters of task m have 1048584 bytes as JSON, more than 1 MB."},
		{"source GIT", `{"git_source":{"git_url":"u","git_provider":"gitHub","git_commit":"c"},"tasks":[{"task_key":"m","notebook_task":{"notebook_path":"n"}}]}`, "", "The sandbox does not check out git_source: import the notebook of task m into the workspace and set source to WORKSPACE."},
		{"exactly one git reference", `{"git_source":{"git_url":"u","git_provider":"gitHub","git_commit":"c","git_tag":"t"}}`, "", "Exactly one of git_branch, git_tag and git_commit must be specified in git_source."},
		{"cron of 5 fields", `{"schedule":{"quartz_cron_expression":"0 2 * * *","timezone_id":"UTC"}}`, "", "Invalid quartz_cron_expression: 0 2 * * *. Databricks uses Quartz cron syntax, which is different from the standard cron syntax. See http://www.quartz-scheduler.org/documentation/quartz-2.1.x/tutorials/crontrigger.html for more details."},
		{"timezone", `{"schedule":{"quartz_cron_expression":"0 0 2 * * ?","timezone_id":"Mars/Base"}}`, "", "Invalid timezone_id: Mars/Base. It must be a Java timezone ID such as Europe/London."},
		{"timezone is required", `{"schedule":{"quartz_cron_expression":"0 0 2 * * ?"}}`, "", "Missing required field: schedule.timezone_id"},
		{"pause_status", `{"schedule":{"quartz_cron_expression":"0 0 2 * * ?","timezone_id":"UTC","pause_status":"NO"}}`, "", "pause_status must be PAUSED or UNPAUSED, found NO."},
		{"schedule or continuous", `{"continuous":{},"schedule":{"quartz_cron_expression":"0 0 2 * * ?","timezone_id":"UTC"}}`, "", "Only one of schedule and continuous can be specified."},
		{"parameter names", `{"parameters":[{"name":"a b","default":""}]}`, "", "Invalid job parameter name 'a b': only alphanumeric characters, _, - and . are allowed."},
		{"unique parameter names", `{"parameters":[{"name":"a","default":""},{"name":"a","default":""}]}`, "", "Duplicate job parameter name: a"},
		{"run_as", `{"run_as":{"user_name":"a","group_name":"b"}}`, "", "Only one of user_name, service_principal_name and group_name can be specified in run_as."},
		{"an array", `{"tasks":{}}`, "MALFORMED_REQUEST", "Could not parse request object: Expected array for field tasks, found OBJECT"},
		{"a string", `{"name":3}`, "MALFORMED_REQUEST", "Could not parse request object: Expected string for field name, found NUMBER"},
		{"an integer", `{"timeout_seconds":"soon"}`, "MALFORMED_REQUEST", "Could not parse request object: Expected integer for field timeout_seconds, found STRING"},
		{"a boolean", `{"queue":{"enabled":"yes"}}`, "MALFORMED_REQUEST", "Could not parse request object: Expected boolean for field enabled, found STRING"},
		{"strings in a map", `{"tasks":[{"task_key":"m","notebook_task":{"notebook_path":"/n","base_parameters":{"k":1}}}]}`, "MALFORMED_REQUEST", "Could not parse request object: Expected string for field base_parameters, found NUMBER"},
	} {
		if c.code == "" {
			c.code = "INVALID_PARAMETER_VALUE"
		}
		w := newTwin(t)
		want := fmt.Sprintf(`400 {"error_code":%q,"message":%q}`, c.code, c.message)
		if got := w.call("create", c.body); pretty(t, got) != pretty(t, want) {
			t.Errorf("%s:\n got %.400s\nwant %s", c.name, got, want)
		}
		job := w.id("create", nightly(""))
		reset := fmt.Sprintf(`{"job_id":%d,"new_settings":%s}`, job, c.body)
		if got := w.call("reset", reset); pretty(t, got) != pretty(t, want) {
			t.Errorf("%s, reset:\n got %.400s\nwant %s", c.name, got, want)
		}
	}
}

func TestWhatRequestsAreRefused(t *testing.T) {
	w := newTwin(t)
	job := w.id("create", `{"name":"empty"}`)
	for _, c := range []struct{ name, path, body, want string }{
		{"get without id", "get", "", `INVALID_PARAMETER_VALUE Missing required field: job_id`},
		{"runs get without id", "runs/get", "", `INVALID_PARAMETER_VALUE Missing required field: run_id`},
		{"runs get of no number", "runs/get?run_id=x", "", `MALFORMED_REQUEST Could not parse request object: Expected integer for field run_id, found STRING`},
		{"cancel without id", "runs/cancel", `{}`, `INVALID_PARAMETER_VALUE Missing required field: run_id`},
		{"run-now without id", "run-now", `{}`, `INVALID_PARAMETER_VALUE Missing required field: job_id`},
		{"reset without id", "reset", `{"new_settings":{}}`, `INVALID_PARAMETER_VALUE Missing required field: job_id`},
		{"update without id", "update", `{}`, `INVALID_PARAMETER_VALUE Missing required field: job_id`},
		{"delete without id", "delete", `{}`, `INVALID_PARAMETER_VALUE Missing required field: job_id`},
		{"delete of job 0", "delete", `{"job_id":0}`, `INVALID_PARAMETER_VALUE Job 0 does not exist.`},
		{"reset without settings", "reset", fmt.Sprintf(`{"job_id":%d}`, job), `INVALID_PARAMETER_VALUE Missing required field: new_settings`},
		{"active and completed", "runs/list?active_only=true&completed_only=true", "", `INVALID_PARAMETER_VALUE active_only and completed_only cannot both be true.`},
		{"runs list, limit", "runs/list?limit=26", "", `INVALID_PARAMETER_VALUE limit must be between 0 and 25, found 26.`},
		{"jobs list, limit", "list?limit=101", "", `INVALID_PARAMETER_VALUE limit must be between 1 and 100, found 101.`},
		{"a run of a job without tasks", "run-now", fmt.Sprintf(`{"job_id":%d}`, job), fmt.Sprintf(`INVALID_PARAMETER_VALUE Job %d has no tasks to run.`, job)},
		{"notebook_params with jar_params", "run-now", `{"job_id":1,"notebook_params":{"a":"b"},"jar_params":["x"]}`, `INVALID_PARAMETER_VALUE notebook_params cannot be specified in conjunction with jar_params.`},
		{"notebook_params: 10,000 bytes", "run-now", `{"job_id":1,"notebook_params":{"a":"` + strings.Repeat("x", 10_000) + `"}}`, `INVALID_PARAMETER_VALUE notebook_params has 10008 bytes as JSON, more than 10000.`},
		{"nested fields to remove", "update", fmt.Sprintf(`{"job_id":%d,"fields_to_remove":["schedule/timezone_id"]}`, job), `INVALID_PARAMETER_VALUE Removing nested fields is not supported, except for tasks and job_clusters: schedule/timezone_id`},
	} {
		code, message, _ := strings.Cut(c.want, " ")
		want := fmt.Sprintf(`400 {"error_code":%q,"message":%q}`, code, message)
		if got := w.call(c.path, c.body); pretty(t, got) != pretty(t, want) {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
}

func TestRightsOfNewJobsAndRuns(t *testing.T) {
	var told []string
	w := newTwin(t, func(c *Config) {
		c.Rights = func(job int64, list json.RawMessage) error {
			told = append(told, fmt.Sprint(job, " ", string(list)))
			if string(list) == "[]" {
				return nil
			}
			return wire.Invalid("no")
		}
	})
	const refused = `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"no"}`
	w.want("create", `{"name":"a","access_control_list":[]}`, `200 {"job_id":8000001}`)
	w.want("create", `{"name":"a","access_control_list":[{}]}`, refused)
	w.want("create", `{"name":"b"}`, `200 {"job_id":8000003}`)
	w.want("runs/submit", `{"access_control_list":[{}],"tasks":[{"task_key":"m","notebook_task":{"notebook_path":"/n"}}]}`, refused)
	w.want("runs/submit", `{"access_control_list":[],"tasks":[{"task_key":"m","notebook_task":{"notebook_path":"/n"}}]}`, `200 {"run_id":8000004}`)
	w.wait(8000004)
	w.want("get?job_id=8000002", "", `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Job 8000002 does not exist."}`)
	if got, want := strings.Join(told, ", "), "8000001 [], 8000002 [{}], 0 [{}], 0 []"; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}
