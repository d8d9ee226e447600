package effects_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/sandbox"
)

var nightly = environments.Score{Name: "nightly", Notebook: "score", Schedule: &environments.Schedule{Cron: "0 0 2 * * ?", Timezone: "UTC"}}

// jobValue is a score's job with a parameter; cluster tells whether it has a machine of its own.
func (b *bench) jobValue(score environments.Score, version string, cluster bool) ledger.Value {
	b.t.Helper()
	b.notebook("/Barge/p/releases/1/score")
	task := databricks.Task{
		Notebook: "/Barge/p/releases/1/score", Parameters: map[string]string{"barge_release": version},
		Compute: databricks.Compute{Serverless: !cluster, SparkVersion: "15.4.x-scala2.12", NodeType: "Standard_DS3_v2"},
	}
	v, err := b.site.JobValue(score, task)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func (b *bench) notebook(at string) {
	b.t.Helper()
	source := databricks.Source{Content: []byte("# Databricks notebook source\n"), Language: "PYTHON"}
	if err := b.site.Workspace.ImportNotebook(b.t.Context(), at, source, true); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) job(score string, number int64) *effects.Job {
	b.t.Helper()
	p, err := b.site.Pointer(b.site.JobPointer(score), effects.Memory{Job: number})
	if err != nil {
		b.t.Fatal(err)
	}
	job, ok := p.(*effects.Job)
	if !ok {
		b.t.Fatalf("%T", p)
	}
	return job
}

func (b *bench) holds(p effects.Pointer, want ledger.Value, held bool) {
	b.t.Helper()
	if got, err := p.Holds(b.t.Context(), want); got != held || err != nil {
		b.t.Errorf("holds %.60s: %t, %v; want %t", want, got, err, held)
	}
}

func TestJob(t *testing.T) {
	t.Parallel()
	for name, score := range map[string]environments.Score{"scheduled": nightly, "by hand": {Name: "nightly", Notebook: "score"}} {
		for _, cluster := range []bool{true, false} {
			b := newBench(t)
			one, two := b.jobValue(score, "1.0.0", cluster), b.jobValue(score, "1.1.0", cluster)
			job := b.job("nightly", 0)
			b.holds(job, ledger.Off, true)
			b.holds(job, one, false)
			if err := job.Set(t.Context(), one, may); err == nil || !strings.Contains(err.Error(), "knows no job") {
				t.Errorf("%s: set without an id: %v", name, err)
			}
			number, err := job.Make(t.Context(), may)
			if err != nil {
				t.Fatal(err)
			}
			job.Use(number)
			b.holds(job, ledger.Off, true)
			for _, v := range []ledger.Value{one, two, one} {
				if err := job.Set(t.Context(), v, may); err != nil {
					t.Fatal(err)
				}
				b.holds(job, v, true) // the server's defaults do not count
			}
			b.holds(job, two, false)
			if err := job.Set(t.Context(), ledger.Off, may); err != nil {
				t.Fatal(err)
			}
			b.holds(job, ledger.Off, true)
			if got, err := job.Read(t.Context()); got != ledger.Off || err != nil {
				t.Errorf("%s: at rest it reads %s, %v", name, got, err)
			}
		}
	}
}

func TestJobDrift(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	want := b.jobValue(nightly, "1.0.0", true)
	job := b.job("nightly", 0)
	number, err := job.Make(t.Context(), may)
	if err != nil {
		t.Fatal(err)
	}
	job.Use(number)
	for name, change := range map[string]func(map[string]any){
		"the notebook": func(s map[string]any) {
			task(s)["notebook_task"].(map[string]any)["notebook_path"] = "/Shared/mine"
		},
		"a parameter": func(s map[string]any) {
			task(s)["notebook_task"].(map[string]any)["base_parameters"].(map[string]any)["barge_release"] = "9"
		},
		"the schedule": func(s map[string]any) { s["schedule"].(map[string]any)["quartz_cron_expression"] = "0 0 3 * * ?" },
		"paused":       func(s map[string]any) { s["schedule"].(map[string]any)["pause_status"] = "PAUSED" },
		"no schedule":  func(s map[string]any) { delete(s, "schedule") },
		"another task": func(s map[string]any) {
			s["tasks"] = append(s["tasks"].([]any), map[string]any{"task_key": "more", "notebook_task": map[string]any{"notebook_path": "/Barge/p/releases/1/score"}})
		},
		"the machine": func(s map[string]any) {
			task(s)["new_cluster"].(map[string]any)["node_type_id"] = "Standard_DS4_v2"
		},
	} {
		if err := job.Set(t.Context(), want, may); err != nil {
			t.Fatal(err)
		}
		b.holds(job, want, true)
		b.notebook("/Shared/mine")
		var settings map[string]any
		if err := want.Decode(&settings); err != nil {
			t.Fatal(err)
		}
		change(settings)
		b.api("w", http.MethodPost, "/api/2.2/jobs/reset", map[string]any{"job_id": number, "new_settings": settings}, nil)
		if held, err := job.Holds(t.Context(), want); held || err != nil {
			t.Errorf("%s changed by hand: holds %t, %v", name, held, err)
		}
	}
}

func task(settings map[string]any) map[string]any {
	return settings["tasks"].([]any)[0].(map[string]any)
}

// TestJobsOfOneTag makes the job when an answer is lost, and finds it when asked again: there is one, and no spare.
func TestJobsOfOneTag(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	lost := sandbox.Fault{Path: "/api/2.2/jobs/create", Action: sandbox.FaultStatusAfter, Status: 502}
	if err := b.twins.Twin("w").Fault(lost); err != nil {
		t.Fatal(err)
	}
	job := b.job("nightly", 0)
	number, err := job.Make(t.Context(), may)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.job("nightly", 0).Make(t.Context(), may)
	if again != number || err != nil {
		t.Errorf("made again it is %d, %v, and it was %d", again, err, number)
	}
	other, err := b.job("weekly", 0).Make(t.Context(), may)
	if other == number || err != nil {
		t.Errorf("another score's job is %d, %v", other, err)
	}
	settings, _ := json.Marshal(map[string]any{"name": "a copy by hand", "tags": map[string]string{"barge": "p.prod.nightly"}})
	spare, err := b.site.Workspace.CreateJob(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	job.Use(number)
	others, err := job.Others(t.Context())
	if err != nil || len(others) != 1 || others[0].ID != spare {
		t.Errorf("spare jobs: %+v, %v", others, err)
	}
	if diff := cmp.Diff(number, job.Number()); diff != "" {
		t.Error(diff)
	}
}
