package databricks

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHowARunEnds(t *testing.T) {
	task := func(state string) string {
		return `"tasks":[{"task_key":"main","run_id":2,"attempt_number":0,` + state + `}]`
	}
	for _, tc := range []struct {
		name, raw             string
		done                  bool
		state, result, messge string
	}{
		{"pending", `"state":{"life_cycle_state":"PENDING","state_message":"waiting for a cluster"}`, false, "PENDING", "", "waiting for a cluster"},
		{"terminating", `"state":{"life_cycle_state":"TERMINATING","result_state":"CANCELED"}`, false, "TERMINATING", "", ""},
		{"success", `"state":{"life_cycle_state":"TERMINATED","result_state":"SUCCESS"}`, true, "TERMINATED", Success, ""},
		{"failed", `"state":{"life_cycle_state":"TERMINATED","result_state":"FAILED","state_message":"boom"}`, true, "TERMINATED", Failed, "boom"},
		{"timed out", `"state":{"life_cycle_state":"TERMINATED","result_state":"TIMEDOUT"}`, true, "TERMINATED", TimedOut, ""},
		{"cancelled", `"state":{"life_cycle_state":"TERMINATED","result_state":"CANCELED"}`, true, "TERMINATED", Canceled, ""},
		{"skipped", `"state":{"life_cycle_state":"SKIPPED"}`, true, "SKIPPED", Skipped, ""},
		{"a result nobody knows", `"state":{"life_cycle_state":"TERMINATED","result_state":"DREAMT"}`, true, "TERMINATED", "DREAMT", ""},
		{"ended, and no result", `"state":{"life_cycle_state":"TERMINATED"}`, true, "TERMINATED", Unknown, ""},
		{"a state nobody knows", `"state":{"life_cycle_state":"DREAMING"}`, false, "DREAMING", "", ""},
		{"no state", `"x":1`, false, Unknown, "", ""},
		{"internal error", `"state":{"life_cycle_state":"INTERNAL_ERROR","state_message":"lost"}`, true, "INTERNAL_ERROR", InternalError, "lost"},
		{"internal error, of a failed task", `"state":{"life_cycle_state":"INTERNAL_ERROR","result_state":"FAILED"},` +
			task(`"state":{"life_cycle_state":"TERMINATED","result_state":"FAILED","state_message":"AssertionError"}`), true, "INTERNAL_ERROR", Failed, "AssertionError"},
		{"internal error, and only the task tells why", `"state":{"life_cycle_state":"INTERNAL_ERROR"},` +
			task(`"state":{"life_cycle_state":"TERMINATED","result_state":"TIMEDOUT"}`), true, "INTERNAL_ERROR", TimedOut, ""},
		{"internal error of the task too", `"state":{"life_cycle_state":"INTERNAL_ERROR"},` +
			task(`"state":{"life_cycle_state":"INTERNAL_ERROR","state_message":"no cluster"}`), true, "INTERNAL_ERROR", InternalError, "no cluster"},
		{"the new way, running", `"status":{"state":"RUNNING"}`, false, "RUNNING", "", ""},
		{"the new way, success", `"status":{"state":"TERMINATED","termination_details":{"code":"SUCCESS","type":"SUCCESS"}}`, true, "TERMINATED", Success, ""},
		{"the new way, failed", `"status":{"state":"TERMINATED","termination_details":{"code":"RUN_EXECUTION_ERROR","type":"CLIENT_ERROR","message":"boom"}}`, true, "TERMINATED", Failed, "boom"},
		{"the new way, cancelled", `"status":{"state":"TERMINATED","termination_details":{"code":"USER_CANCELED"}}`, true, "TERMINATED", Canceled, ""},
		{"the new way, broken", `"status":{"state":"TERMINATED","termination_details":{"code":"CLUSTER_ERROR","type":"CLOUD_FAILURE"}}`, true, "TERMINATED", "CLUSTER_ERROR", ""},
		{"the new way, a state nobody knows", `"status":{"state":"DREAMING"}`, false, "DREAMING", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			f.runs[7] = []string{`{"run_id":7,"run_page_url":"https://h/?o=1#job/1/run/7",` + tc.raw + `}`}
			r, err := f.open().GetRun(t.Context(), 7)
			if err != nil {
				t.Fatal(err)
			}
			got := []any{r.Done, r.State, r.Result, r.Message, r.URL}
			if diff := cmp.Diff([]any{tc.done, tc.state, tc.result, tc.messge, "https://h/?o=1#job/1/run/7"}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOutputIsOfTheLastAttempt(t *testing.T) {
	f := newFake(t)
	f.runs[7] = []string{`{"run_id":7,"state":{"life_cycle_state":"TERMINATED","result_state":"SUCCESS"},"tasks":[
		{"task_key":"main","run_id":71,"attempt_number":1,"state":{"life_cycle_state":"TERMINATED","result_state":"SUCCESS"},"notebook_task":{"notebook_path":"/a","base_parameters":{"p":"1"}}},
		{"task_key":"main","run_id":70,"attempt_number":0,"state":{"life_cycle_state":"TERMINATED","result_state":"FAILED"}}]}`}
	w := f.open()
	r, err := w.GetRun(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	want := []TaskRun{{Key: "main", ID: 71, Attempt: 1, State: "TERMINATED", Result: Success, Notebook: "/a", Parameters: map[string]string{"p": "1"}}}
	if diff := cmp.Diff(want, r.Tasks); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	out, err := w.Output(t.Context(), r.Tasks[0])
	if diff := cmp.Diff(Output{Value: "output of 71"}, out); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestNoSuchRun(t *testing.T) {
	if _, err := newFake(t).open().GetRun(t.Context(), 9); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestSubmit(t *testing.T) {
	f := newFake(t)
	w := f.open()
	spec := RunSpec{
		Name: "gate test-model", Token: strings.Repeat("t", 64), RunAs: "service-principal:app", Timeout: time.Hour,
		Task: Task{Notebook: "/Barge/x", Parameters: map[string]string{"barge_run": "r"}, Compute: Compute{ExistingCluster: "c"}, Timeout: 30 * time.Minute},
	}
	first, err := w.Submit(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := w.Submit(t.Context(), spec); again != first || err != nil {
		t.Errorf("again: run %d, not %d; %v", again, first, err)
	}
	want := `{"idempotency_token":"` + spec.Token + `","run_as":{"service_principal_name":"app"},"run_name":"gate test-model",` +
		`"tasks":[{"existing_cluster_id":"c","notebook_task":{"base_parameters":{"barge_run":"r"},"notebook_path":"/Barge/x","source":"WORKSPACE"},"task_key":"main","timeout_seconds":1800}],"timeout_seconds":3600}`
	if diff := cmp.Diff(want, f.body("/api/2.2/jobs/runs/submit")); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	spec.Token += "t"
	if _, err := w.Submit(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "65 characters") {
		t.Errorf("a token too long: %v", err)
	}
}

func TestWait(t *testing.T) {
	f := newFake(t)
	running := `{"run_id":7,"state":{"life_cycle_state":"RUNNING"}}`
	f.runs[7] = []string{running, running, `{"run_id":7,"state":{"life_cycle_state":"TERMINATED","result_state":"FAILED"}}`}
	var pauses []time.Duration
	w := f.open(func(o *Options) {
		o.Sleep = func(_ context.Context, d time.Duration) error { pauses = append(pauses, d); return nil }
	})
	var seen []string
	r, err := w.Wait(t.Context(), 7, func(r Run) { seen = append(seen, r.State) })
	if err != nil || r.Result != Failed {
		t.Errorf("%+v, %v", r, err)
	}
	if diff := cmp.Diff([]string{"RUNNING", "RUNNING", "TERMINATED"}, seen); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]time.Duration{500 * time.Millisecond, 625 * time.Millisecond}, pauses); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
}

// A run is not given up because nobody could see it for a while; what the service denies is.
func TestWaitOutlastsLostAnswers(t *testing.T) {
	f := newFake(t)
	f.runs[7] = []string{`{"run_id":7,"state":{"life_cycle_state":"TERMINATED","result_state":"SUCCESS"}}`}
	lost := 20
	f.fault = func(w http.ResponseWriter, _ *http.Request) bool {
		lost--
		if lost >= 0 {
			answerProblem(w, &problem{502, "", "bad gateway"})
		}
		return lost >= 0
	}
	if r, err := f.open().Wait(t.Context(), 7, nil); err != nil || r.Result != Success {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := f.open().Wait(t.Context(), 8, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	f.fault = func(w http.ResponseWriter, _ *http.Request) bool {
		answerProblem(w, &problem{502, "", "bad gateway"})
		return true
	}
	if _, err := f.open().Wait(t.Context(), 7, nil); err == nil || Definite(err) {
		t.Errorf("%v", err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	f := newFake(t)
	f.runs[7] = []string{`{"run_id":7,"state":{"life_cycle_state":"RUNNING"}}`}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := f.open().Wait(ctx, 7, func(Run) { cancel() })
	if !errors.Is(err, context.Canceled) || r.State != "RUNNING" || !strings.Contains(err.Error(), "goes on") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestListRunsAndCancel(t *testing.T) {
	f := newFake(t)
	f.runs[7] = []string{`{"run_id":7,"job_id":3,"trigger":"PERIODIC","start_time":1700000000000,"state":{"life_cycle_state":"RUNNING"}}`}
	w := f.open()
	runs, err := w.ListRuns(t.Context(), RunFilter{Job: 3, Active: true, Limit: 1})
	want := []Run{{ID: 7, Job: 3, Trigger: "PERIODIC", State: "RUNNING", StartedAt: time.UnixMilli(1700000000000).UTC()}}
	if diff := cmp.Diff(want, runs); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := errors.Join(w.CancelRun(t.Context(), 7), w.CancelAllRuns(t.Context(), 3)); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{`{"run_id":7}`, `{"job_id":3}`}, []string{f.body("/api/2.2/jobs/runs/cancel"), f.body("/api/2.2/jobs/runs/cancel-all")}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTaskSettings(t *testing.T) {
	for _, tc := range []struct {
		name string
		task Task
		want string
		err  string
	}{
		{
			"a cluster that grows",
			Task{Key: "score", Notebook: "/n", Compute: Compute{SparkVersion: "15.4.x", NodeType: "D3", MinWorkers: 1, MaxWorkers: 4, Policy: "p", Env: map[string]string{"A": "b"}}, Libraries: []string{"pypi:mlflow==2.16.2", "maven:a:b:1", "whl:/Volumes/x.whl"}},
			`{"tasks":[{"libraries":[{"pypi":{"package":"mlflow==2.16.2"}},{"maven":{"coordinates":"a:b:1"}},{"whl":"/Volumes/x.whl"}],` +
				`"new_cluster":{"autoscale":{"max_workers":4,"min_workers":1},"node_type_id":"D3","policy_id":"p","spark_env_vars":{"A":"b"},"spark_version":"15.4.x"},` +
				`"notebook_task":{"notebook_path":"/n","source":"WORKSPACE"},"task_key":"score"}]}`, "",
		},
		{
			"one machine",
			Task{Notebook: "/n", Compute: Compute{SparkVersion: "15.4.x", NodeType: "D3"}},
			`{"tasks":[{"new_cluster":{"custom_tags":{"ResourceClass":"SingleNode"},"node_type_id":"D3","num_workers":0,` +
				`"spark_conf":{"spark.databricks.cluster.profile":"singleNode","spark.master":"local[*]"},"spark_version":"15.4.x"},` +
				`"notebook_task":{"notebook_path":"/n","source":"WORKSPACE"},"task_key":"main"}]}`, "",
		},
		{
			"workers",
			Task{Notebook: "/n", Compute: Compute{SparkVersion: "15.4.x", Workers: 2}},
			`{"tasks":[{"new_cluster":{"num_workers":2,"spark_version":"15.4.x"},"notebook_task":{"notebook_path":"/n","source":"WORKSPACE"},"task_key":"main"}]}`, "",
		},
		{
			"serverless",
			Task{Notebook: "/n", Compute: Compute{Serverless: true}, Libraries: []string{"pypi:mlflow", "requirements:/Workspace/r.txt"}},
			`{"environments":[{"environment_key":"main","spec":{"dependencies":["mlflow","-r /Workspace/r.txt"],"environment_version":"2"}}],` +
				`"tasks":[{"environment_key":"main","notebook_task":{"notebook_path":"/n","source":"WORKSPACE"},"task_key":"main"}]}`, "",
		},
		{
			"serverless, bare",
			Task{Notebook: "/n", Compute: Compute{Serverless: true}},
			`{"tasks":[{"notebook_task":{"notebook_path":"/n","source":"WORKSPACE"},"task_key":"main"}]}`, "",
		},
		{"a library of no kind", Task{Libraries: []string{"mlflow"}}, "", `library "mlflow": write KIND:WHAT`},
		{"a library that serverless lacks", Task{Compute: Compute{Serverless: true}, Libraries: []string{"maven:a:b:1"}}, "", "serverless compute takes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			settings, err := tc.task.Settings()
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%v", err)
				}
				return
			}
			got, _ := json.Marshal(settings)
			if diff := cmp.Diff(tc.want, string(got)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}
