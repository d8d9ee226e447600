package jobs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const diamond = `"tasks":[
  {"task_key":"a","notebook_task":{"notebook_path":"/a"}},
  {"task_key":"b","notebook_task":{"notebook_path":"/b"},"depends_on":[{"task_key":"a"}]},
  {"task_key":"c","notebook_task":{"notebook_path":"/c"},"depends_on":[{"task_key":"a"}]%s},
  {"task_key":"d","notebook_task":{"notebook_path":"/d"},"depends_on":[{"task_key":"b"},{"task_key":"c"}]}]`

func TestAFailedTaskMakesTheRunInternalError(t *testing.T) {
	w := newTwin(t)
	w.exec.Answer = failsOn("/bad")
	run := w.id("runs/submit", one("/bad", ""))
	w.wait(run)
	w.wantState(run, "run INTERNAL_ERROR FAILED TERMINATED RUN_EXECUTION_ERROR", "main#0 TERMINATED FAILED TERMINATED RUN_EXECUTION_ERROR")
}

func TestDependsOnAndRunIf(t *testing.T) {
	for _, c := range []struct {
		name, runIf string
		fails       []string
		want        []string
	}{
		{"all succeed", "", nil, []string{"run TERMINATED SUCCESS", "a SUCCESS", "b SUCCESS", "c SUCCESS", "d SUCCESS"}},
		{"the first fails", "", []string{"/a"}, []string{"run INTERNAL_ERROR FAILED", "a FAILED", "b UPSTREAM_FAILED", "c UPSTREAM_FAILED", "d UPSTREAM_FAILED"}},
		{"ALL_DONE runs all the same", "ALL_DONE", []string{"/a"}, []string{"run INTERNAL_ERROR FAILED", "a FAILED", "b UPSTREAM_FAILED", "c SUCCESS", "d UPSTREAM_FAILED"}},
		{"AT_LEAST_ONE_FAILED is excluded", "AT_LEAST_ONE_FAILED", nil, []string{"run TERMINATED SUCCESS", "a SUCCESS", "b SUCCESS", "c EXCLUDED", "d SUCCESS"}},
		{"AT_LEAST_ONE_FAILED", "AT_LEAST_ONE_FAILED", []string{"/a"}, []string{"run INTERNAL_ERROR FAILED", "a FAILED", "b UPSTREAM_FAILED", "c SUCCESS", "d UPSTREAM_FAILED"}},
		{"NONE_FAILED", "NONE_FAILED", []string{"/a"}, []string{"run INTERNAL_ERROR FAILED", "a FAILED", "b UPSTREAM_FAILED", "c UPSTREAM_FAILED", "d UPSTREAM_FAILED"}},
	} {
		w := newTwin(t)
		w.exec.Answer = failsOn(c.fails...)
		extra := ""
		if c.runIf != "" {
			extra = `,"run_if":"` + c.runIf + `"`
		}
		run := w.id("runs/submit", "{"+fmt.Sprintf(diamond, extra)+"}")
		w.wait(run)
		var got []string
		for i, line := range strings.Split(w.state(run), "\n") {
			f := strings.Fields(line)
			if i == 0 {
				got = append(got, strings.Join(f[:3], " "))
				continue
			}
			got = append(got, strings.TrimSuffix(f[0], "#0")+" "+f[2])
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestALeafThatSucceedsAfterAFailure(t *testing.T) {
	w := newTwin(t)
	w.exec.Answer = failsOn("/a")
	run := w.id("runs/submit", `{"tasks":[{"task_key":"a","notebook_task":{"notebook_path":"/a"}},
	  {"task_key":"b","notebook_task":{"notebook_path":"/b"},"depends_on":[{"task_key":"a"}],"run_if":"ALL_DONE"}]}`)
	w.wait(run)
	w.wantState(run, "run TERMINATED SUCCESS_WITH_FAILURES TERMINATED SUCCESS_WITH_FAILURES", "a#0 TERMINATED FAILED TERMINATED RUN_EXECUTION_ERROR", "b#0 TERMINATED SUCCESS TERMINATED SUCCESS")
}

func TestATaskThatWaitsForAnotherIsBlocked(t *testing.T) {
	w := newTwin(t)
	release := w.exec.Hold("/a")
	run := w.id("runs/submit", `{"tasks":[{"task_key":"a","notebook_task":{"notebook_path":"/a"}},
	  {"task_key":"b","notebook_task":{"notebook_path":"/b"},"depends_on":[{"task_key":"a"}]}]}`)
	w.begun(1)
	w.wantState(run, "run RUNNING RUNNING", "a#0 RUNNING RUNNING", "b#0 BLOCKED BLOCKED")
	release()
	w.wait(run)
	w.wantState(run, "run TERMINATED SUCCESS TERMINATED SUCCESS", "a#0 TERMINATED SUCCESS TERMINATED SUCCESS", "b#0 TERMINATED SUCCESS TERMINATED SUCCESS")
}

func TestADisabledTaskIsPassedOver(t *testing.T) {
	w := newTwin(t)
	run := w.id("runs/submit", `{"tasks":[{"task_key":"a","disabled":true,"notebook_task":{"notebook_path":"/a"}},
	  {"task_key":"b","notebook_task":{"notebook_path":"/b"}}]}`)
	w.wait(run)
	w.wantState(run, "run TERMINATED SUCCESS TERMINATED SUCCESS", "a#0 TERMINATED DISABLED TERMINATED DISABLED", "b#0 TERMINATED SUCCESS TERMINATED SUCCESS")
}

func TestOnly(t *testing.T) {
	w := newTwin(t)
	job := w.id("create", "{"+fmt.Sprintf(diamond, "")+`,"max_concurrent_runs":1}`)
	for only, want := range map[string]string{
		`["b"]`: "/b", `["+b"]`: "/a /b", `["b+"]`: "/b /d", `["+b+"]`: "/a /b /d", `["b","c"]`: "/b /c",
	} {
		before := len(w.exec.Attempts())
		w.wait(w.id("run-now", fmt.Sprintf(`{"job_id":%d,"only":%s}`, job, only)))
		var ran []string
		for _, a := range w.exec.Attempts()[before:] {
			ran = append(ran, a.NotebookPath)
		}
		slices.Sort(ran)
		if got := strings.Join(ran, " "); got != want {
			t.Errorf("only %s ran %s, want %s", only, got, want)
		}
	}
	w.want("run-now", fmt.Sprintf(`{"job_id":%d,"only":["z"]}`, job), `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Task z in only is not a task of the job."}`)
}

func TestParametersAndReferences(t *testing.T) {
	w := newTwin(t, func(c *Config) { c.Limit = 1 })
	job := w.id("create", `{"name":"j","parameters":[{"name":"p","default":"from {{job.id}}"},{"name":"q","default":"default"}],"tasks":[{"task_key":"main","notebook_task":{"notebook_path":"/n","base_parameters":{
	  "run":"{{job.run_id}}","job":"{{job.id}}","run_id":"{{run.id}}","task_run":"{{task.run_id}}","name":"{{task.name}}-{{job.name}}",
	  "p":"overridden by the job's","n":"overridden by notebook_params","ref":"p={{job.parameters.p}} q={{job.parameters.q}}",
	  "unknown":"{{job.nothing}} {{ job.id }}","day":"{{job.start_time.iso_date}}","repair":"{{job.repair_count}}"}}}]}`)
	run := w.id("run-now", fmt.Sprintf(`{"job_id":%d,"job_parameters":{"q":"given","extra":"e"},"notebook_params":{"n":"given"}}`, job))
	w.wait(run)
	want := map[string]string{
		"run": fmt.Sprint(run), "job": fmt.Sprint(job), "run_id": fmt.Sprint(run), "task_run": fmt.Sprint(run + 1), "name": "main-j",
		"p": fmt.Sprint("from ", job), "q": "given", "extra": "e", "n": "given", "ref": fmt.Sprintf("p=from %d q=given", job),
		"unknown": "{{job.nothing}} {{ job.id }}", "day": "2026-03-02", "repair": "0",
	}
	if diff := cmp.Diff(want, w.exec.Attempts()[0].Parameters); diff != "" {
		t.Errorf("widgets (-want +got):\n%s", diff)
	}
	var v runView
	w.do(fmt.Sprintf("runs/get?run_id=%d", run), "", &v)
	values := map[string]string{}
	for _, p := range v.Parameters {
		values[p.Name] = p.Default + "|" + *p.Value
	}
	if diff := cmp.Diff(map[string]string{"p": "from {{job.id}}|from {{job.id}}", "q": "default|given", "extra": "|e"}, values); diff != "" {
		t.Errorf("job_parameters (-want +got):\n%s", diff)
	}
	if got := slices.Collect(maps.Keys(v.Overriding)); !slices.Equal(got, []string{"notebook_params"}) {
		t.Errorf("overriding_parameters: %v", got)
	}
}

func TestRepair(t *testing.T) {
	w := newTwin(t)
	w.exec.Answer = failsOn("/b")
	job := w.id("create", "{"+fmt.Sprintf(diamond, "")+"}")
	run := w.id("run-now", fmt.Sprintf(`{"job_id":%d}`, job))
	w.wait(run)
	body := func(more string) string { return fmt.Sprintf(`{"run_id":%d%s}`, run, more) }
	first := w.id("runs/repair", body(`,"rerun_all_failed_tasks":true`))
	w.wait(run)
	w.wantState(run, "run INTERNAL_ERROR FAILED TERMINATED RUN_EXECUTION_ERROR",
		"a#0 TERMINATED SUCCESS TERMINATED SUCCESS", "b#0 TERMINATED FAILED TERMINATED RUN_EXECUTION_ERROR",
		"c#0 TERMINATED SUCCESS TERMINATED SUCCESS", "d#0 TERMINATED UPSTREAM_FAILED TERMINATED SKIPPED",
		"b#1 TERMINATED FAILED TERMINATED RUN_EXECUTION_ERROR", "d#1 TERMINATED UPSTREAM_FAILED TERMINATED SKIPPED")

	// It takes the job's present settings: the notebook that failed is replaced.
	w.want("update", fmt.Sprintf(`{"job_id":%d,"new_settings":{"tasks":[{"task_key":"b","depends_on":[{"task_key":"a"}],"notebook_task":{"notebook_path":"/better"}}]}}`, job), `200 {}`)
	w.want("runs/repair", body(`,"rerun_tasks":["b"]`), `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"The latest repair ID needs to be provided in order to create a new repair"}`)
	second := w.id("runs/repair", body(fmt.Sprintf(`,"rerun_tasks":["b"],"rerun_dependent_tasks":true,"latest_repair_id":%d`, first)))
	w.wait(run)
	if got := strings.Split(w.state(run), "\n")[0]; got != "run TERMINATED SUCCESS TERMINATED SUCCESS" {
		t.Errorf("after the second repair: %s", got)
	}
	var v struct {
		History []repairView `json:"repair_history"`
	}
	w.do(fmt.Sprintf("runs/get?run_id=%d&include_history=true", run), "", &v)
	var history []string
	for _, h := range v.History {
		history = append(history, fmt.Sprint(h.Type, " ", h.ID, " ", h.State.Result, " ", len(h.TaskRuns)))
	}
	want := []string{"ORIGINAL 0 FAILED 4", fmt.Sprint("REPAIR ", first, " FAILED 2"), fmt.Sprint("REPAIR ", second, " SUCCESS 2")}
	if diff := cmp.Diff(want, history); diff != "" {
		t.Errorf("repair_history (-want +got):\n%s", diff)
	}
}

func TestListRuns(t *testing.T) {
	w := newTwin(t)
	job := w.id("create", nightly(`,"max_concurrent_runs":10`))
	var all []int64
	for range 3 {
		all = append(all, w.id("run-now", fmt.Sprintf(`{"job_id":%d}`, job)))
		w.wait(all[len(all)-1])
		w.clock.pass(1e9)
	}
	all = append(all, w.id("runs/submit", one("/other", "")))
	w.wait(all[3])
	release := w.exec.Hold("/n")
	defer release()
	all = append(all, w.id("run-now", fmt.Sprintf(`{"job_id":%d}`, job)))
	slices.Reverse(all)
	for query, want := range map[string][]int64{
		"": all, "active_only=true": all[:1], "completed_only=true": all[1:], "run_type=SUBMIT_RUN": all[1:2],
		"run_type=JOB_RUN&limit=1": all[:1], fmt.Sprintf("job_id=%d&completed_only=true", job): all[2:], "offset=3": all[3:],
		"start_time_from=1772445603000": all[:2], "start_time_to=1772445600000": all[4:], "job_id=1": nil, "run_type=WORKFLOW_RUN": nil,
	} {
		if diff := cmp.Diff(want, w.listed("runs/list?"+query).ids); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	var paged []int64
	page := w.listed("runs/list?limit=2")
	for paged = page.ids; page.next != ""; paged = append(paged, page.ids...) {
		page = w.listed("runs/list?limit=2&page_token=" + page.next)
	}
	if diff := cmp.Diff(all, paged); diff != "" {
		t.Errorf("in pages of 2 (-want +got):\n%s", diff)
	}
	if back := w.listed("runs/list?limit=2&page_token=" + page.previous).ids; !slices.Equal(back, all[2:4]) {
		t.Errorf("the page before the last: %v, want %v", back, all[2:4])
	}
}

type listing struct {
	ids            []int64
	next, previous string
}

func (w *twin) listed(path string) listing {
	w.t.Helper()
	var v struct {
		Runs []runView `json:"runs"`
		Next string    `json:"next_page_token"`
		Prev string    `json:"prev_page_token"`
	}
	w.do(path, "", &v)
	l := listing{next: v.Next, previous: v.Prev}
	for _, r := range v.Runs {
		l.ids = append(l.ids, r.ID)
	}
	return l
}
