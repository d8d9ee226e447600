package effects_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/sandbox/jobs"
)

const defined = `{
  "tags": {"team": "pool-test"}, "queue": {"enabled": true},
  "job_clusters": [{"job_cluster_key": "shared", "new_cluster": {"spark_version": "15.4.x-scala2.12", "policy_id": "pool-test", "apply_policy_default_values": true, "num_workers": 0}}],
  "tasks": [
    {"task_key": "a", "max_retries": 0, "job_cluster_key": "shared", "notebook_task": {"notebook_path": "a", "base_parameters": {"pool": "pool-test", "barge_run": "mine"}}},
    {"task_key": "pool-test", "depends_on": [{"task_key": "a"}], "job_cluster_key": "shared", "notebook_task": {"notebook_path": "pool-test"}}
  ]
}`

// definedJob is a job of two tasks, bound to the environment, and its folder, whose notebooks are there.
func (b *bench) definedJob(definition string) (ledger.Value, *effects.Folder) {
	b.t.Helper()
	shipped := files{"a.py": "# Databricks notebook source\n", "pool-test.py": "# Databricks notebook source\n"}
	f, err := b.site.Folder(b.t.Context(), shipped, effects.Deployment{
		Bind: map[string]string{"pool-test": "pool-prod"}, Jobs: map[string]json.RawMessage{"nightly": json.RawMessage(definition)},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	score := environments.Score{Name: "nightly", Definition: json.RawMessage(definition), Schedule: nightly.Schedule, Timeout: "1h"}
	v, err := b.site.DefinedJob(score, f, map[string]string{"barge_run": "{{job.run_id}}"})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.site.Deploy(b.t.Context(), f); err != nil {
		b.t.Fatal(err)
	}
	return v, f
}

func TestDefinedJob(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	v, f := b.definedJob(defined)
	want := `{"job_clusters":[{"job_cluster_key":"shared","new_cluster":{"apply_policy_default_values":true,"num_workers":0,"policy_id":"pool-prod","spark_version":"15.4.x-scala2.12"}}],` +
		`"max_concurrent_runs":1,"name":"p nightly (prod)","queue":{"enabled":true},` +
		`"schedule":{"pause_status":"UNPAUSED","quartz_cron_expression":"0 0 2 * * ?","timezone_id":"UTC"},"tags":{"barge":"p.prod.nightly","team":"pool-prod"},` +
		`"tasks":[{"job_cluster_key":"shared","max_retries":0,"notebook_task":{"base_parameters":{"barge_run":"{{job.run_id}}","pool":"pool-prod"},"notebook_path":"FOLDER/a","source":"WORKSPACE"},"task_key":"a"},` +
		`{"depends_on":[{"task_key":"a"}],"job_cluster_key":"shared","notebook_task":{"base_parameters":{"barge_run":"{{job.run_id}}"},"notebook_path":"FOLDER/pool-test","source":"WORKSPACE"},"task_key":"pool-test"}],` +
		`"timeout_seconds":3600}`
	if diff := cmp.Diff(want, strings.ReplaceAll(string(v), f.Path, "FOLDER")); diff != "" {
		t.Error(diff)
	}
	if f.Bound["pool-test"] != 3 || len(f.Unbound()) != 0 {
		t.Errorf("bound %v", f.Bound)
	}
	again, _ := b.definedJob(defined)
	if again != v {
		t.Errorf("made again it is %s", again)
	}
	var needs effects.Needs
	if needs.Jobs(ledger.Values{"job:nightly": v}); !slices.Equal(needs.Policies, []string{"pool-prod"}) {
		t.Errorf("%+v", needs)
	}
}

// TestADefinedJobIsComparedByKeys: the service may give tasks and clusters in another order, and leave out what says
// nothing.
func TestADefinedJobIsComparedByKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	number, err := b.job("nightly", 0).Make(t.Context(), may)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := b.definedJob(defined)
	p := b.job("nightly", number)
	if err := p.Set(t.Context(), want, may); err != nil {
		t.Fatal(err)
	}
	b.holds(p, want, true)
	got, err := p.Read(t.Context())
	if err != nil || !strings.Contains(string(got), `"job_cluster_key":"shared"`) {
		t.Errorf("%s, %v", got, err)
	}
	var settings map[string]any
	if err := want.Decode(&settings); err != nil {
		t.Fatal(err)
	}
	tasks, _ := settings["tasks"].([]any)
	slices.Reverse(tasks)
	reset := func() {
		b.api("w", http.MethodPost, "/api/2.2/jobs/reset", map[string]any{"job_id": number, "new_settings": settings}, nil)
	}
	reset()
	b.holds(p, want, true)
	first, _ := tasks[0].(map[string]any)
	first["max_retries"] = 3 // more than is wanted is the service's own
	reset()
	b.holds(p, want, true)
	first["task_key"] = "c"
	reset()
	if said := b.differs(p, want); !strings.HasPrefix(said, "tasks[pool-test]") {
		t.Error(said)
	}
	settings["tasks"] = tasks[1:]
	reset()
	b.holds(p, want, false)
	if err := p.Set(t.Context(), got, may); err != nil {
		t.Fatal(err)
	}
	b.holds(p, want, true)
}

// TestWhichTaskAnswers: the one named, or the first that failed; nobody where that one did not run.
func TestWhichTaskAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	fails := ""
	b.runs.Answer = func(a jobs.Attempt) jobs.Outcome {
		if fails != "" && strings.HasSuffix(a.NotebookPath, fails) {
			return jobs.Outcome{Result: jobs.Failed, Error: "AssertionError: " + fails}
		}
		return jobs.Outcome{Result: jobs.Success, ExitValue: a.NotebookPath[strings.LastIndex(a.NotebookPath, "/"):], Exited: true}
	}
	number, err := b.job("nightly", 0).Make(t.Context(), may)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := b.definedJob(defined)
	if err := b.job("nightly", number).Set(t.Context(), want, may); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ fails, answers, answer, error, result string }{
		{"", "pool-test", "/pool-test", "", "SUCCESS"},
		{"", "a", "/a", "", "SUCCESS"},
		{"", "", "", "", "SUCCESS"},
		{"/a", "pool-test", "", "AssertionError: /a", "FAILED"},
		{"/pool-test", "pool-test", "", "AssertionError: /pool-test", "FAILED"},
	} {
		fails = c.fails
		run, err := b.site.StartJob(t.Context(), number, "token-"+time.Now().Format(time.RFC3339Nano))
		if err != nil {
			t.Fatal(err)
		}
		out, err := b.site.Await(t.Context(), run, c.answers, nil)
		if err != nil || out.Answer != c.answer || out.Error != c.error || out.Result != c.result {
			t.Errorf("%+v: %+v, %v", c, out, err)
		}
	}
}
