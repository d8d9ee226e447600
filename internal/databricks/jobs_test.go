package databricks

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What is set is what is read, number for number, also what no struct of ours or the SDK's knows.
func TestJobSettingsAreNotLost(t *testing.T) {
	f := newFake(t)
	w := f.open()
	ctx := t.Context()
	settings := `{"name":"diabetes nightly","max_concurrent_runs":1,"timeout_seconds":0,"future":{"z":[],"a":12345678901234567890},"tags":{"barge":"d/<prod>"}}`
	id, err := w.CreateJob(ctx, json.RawMessage(settings))
	if err != nil {
		t.Fatal(err)
	}
	job, err := w.GetJob(ctx, id)
	want := Job{
		ID: id, Name: "diabetes nightly", Tags: map[string]string{"barge": "d/<prod>"}, Creator: "releaser", CreatedAt: time.UnixMilli(1700000000000).UTC(),
		Settings: json.RawMessage(`{"future":{"a":12345678901234567890,"z":[]},"max_concurrent_runs":1,"name":"diabetes nightly","tags":{"barge":"d/<prod>"},"timeout_seconds":0}`),
	}
	if diff := cmp.Diff(want, job); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := w.ResetJob(ctx, id, json.RawMessage(`{"name":"other","schedule":{"pause_status":"PAUSED"}}`)); err != nil {
		t.Fatal(err)
	}
	if job, err = w.GetJob(ctx, id); err != nil || string(job.Settings) != `{"name":"other","schedule":{"pause_status":"PAUSED"}}` {
		t.Errorf("%s, %v", job.Settings, err)
	}
	if err := w.DeleteJob(ctx, id); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"get": second(w.GetJob(ctx, id)), "reset": w.ResetJob(ctx, id, json.RawMessage(`{}`)), "delete": w.DeleteJob(ctx, id),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of a job that is gone: %v, want ErrNotExist", name, err)
		}
	}
}

func TestFindJobs(t *testing.T) {
	f := newFake(t)
	f.jobs = map[int64]json.RawMessage{
		1: json.RawMessage(`{"tags":{"barge":"prod"}}`), 2: json.RawMessage(`{"tags":{"barge":"test"}}`), 3: json.RawMessage(`{"name":"x"}`),
		4: json.RawMessage(`{"tags":{"barge":"prod"}}`),
	}
	jobs, err := f.open().FindJobs(t.Context(), "barge", "prod")
	var ids []int64
	for _, j := range jobs {
		ids = append(ids, j.ID)
	}
	if diff := cmp.Diff([]int64{1, 4}, ids); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestRunNow(t *testing.T) {
	f := newFake(t)
	if _, err := f.open().RunNow(t.Context(), 5, "token", map[string]string{"barge_run": "x"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"idempotency_token":"token","job_id":5,"notebook_params":{"barge_run":"x"}}`, f.body("/api/2.2/jobs/run-now")); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestSecrets(t *testing.T) {
	f := newFake(t)
	w := f.open()
	ctx := t.Context()
	for range 2 { // a scope that is there is fine
		if err := w.CreateScope(ctx, "rmr"); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"rmr-token", "rmr-host"} {
		if err := w.PutSecret(ctx, "rmr", key, "hidden value"); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := w.ListSecretKeys(ctx, "rmr")
	if diff := cmp.Diff([]string{"rmr-host", "rmr-token"}, keys); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if scopes, err := w.Scopes(ctx); err != nil || cmp.Diff([]string{"rmr"}, scopes) != "" {
		t.Errorf("%v, %v", scopes, err)
	}
	if _, err := w.ListSecretKeys(ctx, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := w.PutSecret(ctx, "none", "k", "hidden value"); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("%v", err)
	}
}

func TestPermissions(t *testing.T) {
	f := newFake(t)
	w := f.open()
	give := []Grant{{Principal: "group:on-call", Level: "CAN_MANAGE"}, {Principal: "service-principal:app", Level: "CAN_RUN"}, {Principal: "user:a@b", Level: "CAN_READ"}}
	if err := w.PatchPermissions(t.Context(), "directories", "12", give); err != nil {
		t.Fatal(err)
	}
	got, err := w.Permissions(t.Context(), "directories", "12")
	want := append([]Grant{{Principal: "group:admins", Level: "CAN_MANAGE", Inherited: true}}, give...)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"on-call", "team:x", "user:", ""} {
		if err := w.PatchPermissions(t.Context(), "jobs", "1", []Grant{{Principal: bad, Level: "CAN_VIEW"}}); err == nil || !strings.Contains(err.Error(), "write user:NAME") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
