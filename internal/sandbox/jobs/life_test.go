package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// stubborn is an executor that does not return before it is released, whatever its context says.
type stubborn struct {
	begun, stopped, release chan struct{}
	outcome                 Outcome
}

func newStubborn() *stubborn {
	return &stubborn{begun: make(chan struct{}), stopped: make(chan struct{}), release: make(chan struct{}), outcome: Outcome{Result: Canceled}}
}

func (s *stubborn) Execute(ctx context.Context, _ Attempt) Outcome {
	close(s.begun)
	<-ctx.Done()
	close(s.stopped)
	<-s.release
	return s.outcome
}

// slowOnce is an executor whose first attempt never ends of itself.
type slowOnce struct {
	begun chan struct{}
	again bool
}

func (s *slowOnce) Execute(ctx context.Context, _ Attempt) Outcome {
	if s.again {
		return Outcome{Result: Success}
	}
	s.again = true
	close(s.begun)
	<-ctx.Done()
	return Outcome{Result: Canceled}
}

func (w *twin) receive(c chan struct{}) {
	w.t.Helper()
	select {
	case <-c:
	case <-w.ctx().Done():
		w.t.Fatal("nothing came")
	}
}

func TestCancelIsAsynchronous(t *testing.T) {
	exec := newStubborn()
	w := newTwin(t, func(c *Config) { c.Executor = exec })
	run := w.id("runs/submit", one("/n", ""))
	w.receive(exec.begun)
	w.wantState(run, "run RUNNING RUNNING", "main#0 RUNNING RUNNING")
	w.want("runs/delete", fmt.Sprintf(`{"run_id":%d}`, run), fmt.Sprintf(`400 {"error_code":"INVALID_STATE","message":"Run %d is active and cannot be deleted: cancel it first."}`, run))
	w.want("runs/cancel", fmt.Sprintf(`{"run_id":%d}`, run), `200 {}`)
	w.receive(exec.stopped)
	w.wantState(run, "run TERMINATING TERMINATING USER_CANCELED", "main#0 TERMINATING TERMINATING USER_CANCELED")
	close(exec.release)
	w.wait(run)
	w.wantState(run, "run TERMINATED CANCELED TERMINATED USER_CANCELED", "main#0 TERMINATED CANCELED TERMINATED USER_CANCELED")
	w.want("runs/cancel", fmt.Sprintf(`{"run_id":%d}`, run), `200 {}`)
	w.want("runs/delete", fmt.Sprintf(`{"run_id":%d}`, run), `200 {}`)
}

func TestARunThatSucceedsWhileItIsCanceledHasSucceeded(t *testing.T) {
	exec := newStubborn()
	exec.outcome = Outcome{Result: Success}
	w := newTwin(t, func(c *Config) { c.Executor = exec })
	run := w.id("runs/submit", one("/n", ""))
	w.receive(exec.begun)
	w.want("runs/cancel", fmt.Sprintf(`{"run_id":%d}`, run), `200 {}`)
	close(exec.release)
	w.wait(run)
	w.wantState(run, "run TERMINATED SUCCESS TERMINATED SUCCESS", "main#0 TERMINATED SUCCESS TERMINATED SUCCESS")
}

func TestTimeouts(t *testing.T) {
	for _, c := range []struct{ name, body string }{
		{"of the run", strings.Replace(one("/n", ""), "{", `{"timeout_seconds":60,`, 1)},
		{"of the task", one("/n", `,"timeout_seconds":60`)},
	} {
		exec := newStubborn()
		w := newTwin(t, func(cfg *Config) { cfg.Executor = exec })
		run := w.id("runs/submit", c.body)
		w.receive(exec.begun)
		w.clock.pass(59 * time.Second)
		w.wantState(run, "run RUNNING RUNNING", "main#0 RUNNING RUNNING")
		w.clock.pass(time.Second)
		w.receive(exec.stopped)
		if got := strings.Split(w.state(run), "\n")[1]; got != "main#0 TERMINATING TERMINATING CANCELED" {
			t.Errorf("%s: %s", c.name, got)
		}
		close(exec.release)
		w.wait(run)
		w.wantState(run, "run TERMINATED TIMEDOUT TERMINATED CANCELED", "main#0 TERMINATED TIMEDOUT TERMINATED CANCELED")
	}
}

func TestAChangedTimeoutAppliesToActiveRuns(t *testing.T) {
	w := newTwin(t)
	w.exec.Hold("/n")
	job := w.id("create", nightly(""))
	run := w.id("run-now", fmt.Sprintf(`{"job_id":%d}`, job))
	w.begun(1)
	w.clock.pass(time.Minute)
	w.want("update", fmt.Sprintf(`{"job_id":%d,"new_settings":{"timeout_seconds":90}}`, job), `200 {}`)
	w.clock.pass(30 * time.Second)
	w.wait(run)
	w.wantState(run, "run TERMINATED TIMEDOUT TERMINATED CANCELED", "main#0 TERMINATED TIMEDOUT TERMINATED CANCELED")
}

func TestRetries(t *testing.T) {
	const ok, failed, late = "TERMINATED SUCCESS TERMINATED SUCCESS", "TERMINATED FAILED TERMINATED RUN_EXECUTION_ERROR", "TERMINATED TIMEDOUT TERMINATED CANCELED"
	for _, c := range []struct {
		name, task string
		fails      int
		want       []string
	}{
		{"none asked for", ``, 1, []string{"main#0 " + failed}},
		{"until it succeeds", `,"max_retries":3`, 2, []string{"main#0 " + failed, "main#1 " + failed, "main#2 " + ok}},
		{"max_retries reached", `,"max_retries":1`, 9, []string{"main#0 " + failed, "main#1 " + failed}},
		{"for ever", `,"max_retries":-1`, 4, []string{"main#0 " + failed, "main#1 " + failed, "main#2 " + failed, "main#3 " + failed, "main#4 " + ok}},
	} {
		w := newTwin(t)
		n := 0
		w.exec.Answer = func(Attempt) Outcome {
			if n++; n <= c.fails {
				return Outcome{Result: Failed}
			}
			return Outcome{Result: Success}
		}
		run := w.id("runs/submit", one("/n", c.task))
		w.wait(run)
		if diff := cmp.Diff(c.want, strings.Split(w.state(run), "\n")[1:]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	for retry, want := range map[string][]string{"false": {"main#0 " + late}, "true": {"main#0 " + late, "main#1 " + ok}} {
		exec := &slowOnce{begun: make(chan struct{})}
		w := newTwin(t, func(cfg *Config) { cfg.Executor = exec })
		run := w.id("runs/submit", one("/n", `,"max_retries":1,"timeout_seconds":5,"retry_on_timeout":`+retry))
		w.receive(exec.begun)
		w.clock.pass(5 * time.Second)
		w.wait(run)
		if diff := cmp.Diff(want, strings.Split(w.state(run), "\n")[1:]); diff != "" {
			t.Errorf("retry_on_timeout %s (-want +got):\n%s", retry, diff)
		}
	}
}

func TestMinRetryInterval(t *testing.T) {
	w := newTwin(t)
	w.exec.Answer = func(a Attempt) Outcome {
		if a.RunID == 8000003 {
			return Outcome{Result: Failed}
		}
		return Outcome{Result: Success}
	}
	run := w.id("runs/submit", one("/n", `,"max_retries":1,"min_retry_interval_millis":60000`))
	if err := w.clock.has(w.ctx(), 1); err != nil {
		t.Fatal(err)
	}
	w.wantState(run, "run RUNNING RUNNING", "main#0 TERMINATED FAILED TERMINATED RUN_EXECUTION_ERROR", "main#1 WAITING_FOR_RETRY WAITING")
	w.clock.pass(time.Minute)
	w.wait(run)
	w.wantState(run, "run TERMINATED SUCCESS TERMINATED SUCCESS", "main#0 TERMINATED FAILED TERMINATED RUN_EXECUTION_ERROR", "main#1 TERMINATED SUCCESS TERMINATED SUCCESS")
}

func TestMaxConcurrentRuns(t *testing.T) {
	const run = "TERMINATED SUCCESS TERMINATED SUCCESS"
	for _, c := range []struct{ name, job, request, want string }{
		{"with queue", `,"queue":{"enabled":true}`, ``, "run QUEUED QUEUED"},
		{"without queue", `,"queue":{"enabled":false}`, ``, "run SKIPPED MAXIMUM_CONCURRENT_RUNS_REACHED TERMINATED MAX_CONCURRENT_RUNS_EXCEEDED"},
		{"queue by the request", `,"queue":{"enabled":false}`, `,"queue":{"enabled":true}`, "run QUEUED QUEUED"},
		{"0: all are skipped", `,"max_concurrent_runs":0`, ``, "run SKIPPED MAXIMUM_CONCURRENT_RUNS_REACHED TERMINATED MAX_CONCURRENT_RUNS_EXCEEDED"},
	} {
		w := newTwin(t)
		release := w.exec.Hold("/n")
		job := w.id("create", nightly(c.job))
		request := fmt.Sprintf(`{"job_id":%d%s}`, job, c.request)
		first, second := w.id("run-now", request), w.id("run-now", request)
		if got := strings.Split(w.state(second), "\n")[0]; got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		release()
		w.wait(first)
		w.wait(second)
		if c.want == "run QUEUED QUEUED" {
			w.wantState(second, "run "+run, "main#0 "+run)
		}
	}
}

func TestMessagesOfQueuedAndSkippedRuns(t *testing.T) {
	w := newTwin(t)
	defer w.exec.Hold("/n")()
	for queue, want := range map[string]string{
		"true": `{"life_cycle_state":"QUEUED","state_message":"","user_cancelled_or_timedout":false,"queue_reason":"Queued due to reaching maximum concurrent runs of 1."}
		  {"state":"QUEUED","queue_details":{"code":"MAX_CONCURRENT_RUNS_REACHED","message":"Queued due to reaching maximum concurrent runs of 1."}}`,
		"false": `{"life_cycle_state":"SKIPPED","result_state":"MAXIMUM_CONCURRENT_RUNS_REACHED","state_message":"Skipping this run because the limit of 1 maximum concurrent runs has been reached.","user_cancelled_or_timedout":false}
		  {"state":"TERMINATED","termination_details":{"code":"MAX_CONCURRENT_RUNS_EXCEEDED","type":"CLIENT_ERROR","message":"Skipping this run because the limit of 1 maximum concurrent runs has been reached."}}`,
	} {
		job := w.id("create", nightly(`,"queue":{"enabled":`+queue+`}`))
		w.id("run-now", fmt.Sprintf(`{"job_id":%d}`, job))
		var v struct{ State, Status rawText }
		w.do(fmt.Sprintf("runs/get?run_id=%d", w.id("run-now", fmt.Sprintf(`{"job_id":%d}`, job))), "", &v)
		state, status, _ := strings.Cut(want, "\n")
		if diff := cmp.Diff([]string{state, strings.TrimSpace(status)}, []string{string(v.State), string(v.Status)}); diff != "" {
			t.Errorf("queue %s (-want +got):\n%s", queue, diff)
		}
	}
}

type rawText string

func (r *rawText) UnmarshalJSON(b []byte) error { *r = rawText(b); return nil }

func TestCancelAll(t *testing.T) {
	w := newTwin(t)
	w.exec.Hold("/n")
	job := w.id("create", nightly(""))
	var runs []int64
	for range 3 {
		runs = append(runs, w.id("run-now", fmt.Sprintf(`{"job_id":%d}`, job)))
	}
	w.begun(1)
	w.want("runs/cancel-all", `{"all_queued_runs":true}`, `200 {}`)
	w.wait(runs[1])
	w.wait(runs[2])
	if got := strings.Split(w.state(runs[0]), "\n")[0]; got != "run RUNNING RUNNING" {
		t.Errorf("after canceling what is queued, the first: %s", got)
	}
	w.want("runs/cancel-all", fmt.Sprintf(`{"job_id":%d}`, job), `200 {}`)
	for _, run := range runs {
		w.wait(run)
		w.wantState(run, "run TERMINATED CANCELED TERMINATED USER_CANCELED", "main#0 TERMINATED CANCELED TERMINATED USER_CANCELED")
	}
	if n := len(w.exec.Attempts()); n != 1 {
		t.Errorf("%d notebooks ran, want 1", n)
	}
}

func TestTwoNotebooksAtOnceInTheOrderOfTheirRuns(t *testing.T) {
	w := newTwin(t)
	var runs []int64
	var releases []func()
	for i := range 6 {
		releases = append(releases, w.exec.Hold(fmt.Sprint("/", i)))
		runs = append(runs, w.id("runs/submit", one(fmt.Sprint("/", i), "")))
	}
	w.begun(2)
	w.wantState(runs[2], "run PENDING PENDING", "main#0 PENDING PENDING")
	for i := range 4 {
		releases[i]()
		w.begun(i + 3)
	}
	releases[4]()
	releases[5]()
	var order []string
	for _, a := range w.exec.Attempts() {
		order = append(order, a.NotebookPath)
	}
	slices.Sort(order[:2]) // they begin at once
	if diff := cmp.Diff([]string{"/0", "/1", "/2", "/3", "/4", "/5"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestWhatTheSandboxDoesNotRun(t *testing.T) {
	for _, c := range []struct{ name, task, code, message string }{
		{"another kind of task", `"existing_cluster_id":"c","spark_jar_task":{"main_class_name":"M"}`, "INVALID_RUN_CONFIGURATION", "The sandbox runs notebook tasks only, and task main is a spark_jar_task."},
		{"a library that pip does not know", `"existing_cluster_id":"c","notebook_task":{"notebook_path":"/n"},"libraries":[{"maven":{"coordinates":"a:b:1"}}]`, "LIBRARY_INSTALLATION_ERROR", "Library installation failed for task main: the sandbox installs pypi, whl and requirements libraries, not maven: leave notebooks that need it to a workspace on Databricks"},
		{"a library that pip does not know either: cran", `"existing_cluster_id":"c","notebook_task":{"notebook_path":"/n"},"libraries":[{"cran":{"package":"x"}}]`, "LIBRARY_INSTALLATION_ERROR", "Library installation failed for task main: the sandbox installs pypi, whl and requirements libraries, not cran: leave notebooks that need it to a workspace on Databricks"},
		{"a library that pip does not know either: jar", `"existing_cluster_id":"c","notebook_task":{"notebook_path":"/n"},"libraries":[{"jar":"dbfs:/x.jar"}]`, "LIBRARY_INSTALLATION_ERROR", "Library installation failed for task main: the sandbox installs pypi, whl and requirements libraries, not jar: leave notebooks that need it to a workspace on Databricks"},
		{"a library that pip does not know either: egg", `"existing_cluster_id":"c","notebook_task":{"notebook_path":"/n"},"libraries":[{"egg":"dbfs:/x.egg"}]`, "LIBRARY_INSTALLATION_ERROR", "Library installation failed for task main: the sandbox installs pypi, whl and requirements libraries, not egg: leave notebooks that need it to a workspace on Databricks"},
		{"a notebook that is not there", `"notebook_task":{"notebook_path":"/gone"}`, "RESOURCE_NOT_FOUND", `Unable to access the notebook "/gone". Either it does not exist, or the identity used to run this job, dev@example.com, lacks the required permissions.`},
	} {
		w := newTwin(t, func(cfg *Config) {
			cfg.NotebookExists = func(path string) error {
				if path == "/gone" {
					return wire.NotFound("Path (%s) doesn't exist.", path)
				}
				return nil
			}
		})
		run := w.id("runs/submit", `{"tasks":[{"task_key":"main",`+c.task+`}]}`)
		w.wait(run)
		w.wantState(run, "run INTERNAL_ERROR FAILED TERMINATED "+c.code, "main#0 INTERNAL_ERROR FAILED TERMINATED "+c.code)
		var out outputView
		w.do(fmt.Sprintf("runs/get-output?run_id=%d", run+2), "", &out)
		if out.Error != c.message {
			t.Errorf("%s: %q, want %q", c.name, out.Error, c.message)
		}
		if n := len(w.exec.Attempts()); n != 0 {
			t.Errorf("%s: it ran", c.name)
		}
	}
}

func TestLibraries(t *testing.T) {
	w := newTwin(t)
	w.wait(w.id("runs/submit", `{"environments":[{"environment_key":"e","spec":{"environment_version":"2","dependencies":["a==1"]}}],"tasks":[
	  {"task_key":"one","environment_key":"e","notebook_task":{"notebook_path":"/1"}},
	  {"task_key":"two","existing_cluster_id":"c","notebook_task":{"notebook_path":"/2"},"depends_on":[{"task_key":"one"}],"libraries":[{"pypi":{"package":"b==2","repo":"https://packages.example/simple"}},{"whl":"/Volumes/c.whl"},{"requirements":"/Workspace/r.txt"}]}]}`))
	got := [][]string{w.exec.Attempts()[0].Libraries, w.exec.Attempts()[1].Libraries}
	if diff := cmp.Diff([][]string{{"a==1"}, {"b==2", "--extra-index-url https://packages.example/simple", "/Volumes/c.whl", "-r /Workspace/r.txt"}}, got); diff != "" {
		t.Errorf("libraries (-want +got):\n%s", diff)
	}
}
