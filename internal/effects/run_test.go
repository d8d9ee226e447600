package effects_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/sandbox/jobs"
)

func TestOneTokenIsOneRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.notebook("/Barge/p/check")
	b.runs.Answer = func(a jobs.Attempt) jobs.Outcome {
		if a.Parameters["fails"] != "" {
			return jobs.Outcome{Result: jobs.Failed, Error: "AssertionError: too few rows", Trace: "cell 2"}
		}
		return jobs.Outcome{Result: jobs.Success, ExitValue: `{"a": 1}`, Exited: true}
	}
	order := effects.Order{Name: "gate good", Token: "token-1", Task: effects.Task{Notebook: "/Barge/p/check", Compute: effects.Compute(nil)}, Timeout: time.Minute}
	var first int64
	for range 3 {
		run, err := b.site.Start(t.Context(), order)
		if err != nil {
			t.Fatal(err)
		}
		if first == 0 {
			first = run
		}
		if run != first {
			t.Errorf("run %d, and before it was %d", run, first)
		}
		page := ""
		out, err := b.site.Await(t.Context(), run, "", func(p string) { page = p })
		if err != nil || out.Result != "SUCCESS" || out.Answer != `{"a": 1}` || page == "" || page != out.URL {
			t.Errorf("%+v, %v, page %q", out, err, page)
		}
	}
	if n := len(b.runs.Attempts()); n != 1 {
		t.Errorf("%d attempts", n)
	}
	order.Token, order.Task.Parameters = "token-2", map[string]string{"fails": "yes"}
	run, err := b.site.Start(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.site.Await(t.Context(), run, "", nil)
	if err != nil || out.Result != "FAILED" || !strings.HasPrefix(out.Error, "AssertionError") || out.Trace == "" {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestAwaitTells passes on what the service says of a run that is under way, each thing once.
func TestAwaitTells(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.notebook("/Barge/p/check")
	heard := make(chan struct{})
	b.runs.Answer = func(a jobs.Attempt) jobs.Outcome {
		a.Say("installing libraries: lightgbm==4.6.0")
		<-heard
		return jobs.Outcome{Result: jobs.NoLibraries, Message: "Library installation failed for task main: no such version"}
	}
	run, err := b.site.Start(t.Context(), effects.Order{Name: "gate", Token: "t", Task: effects.Task{Notebook: "/Barge/p/check", Compute: effects.Compute(nil)}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	out, err := b.site.Await(t.Context(), run, "", func(line string) {
		if told = append(told, line); len(told) == 2 {
			close(heard)
		}
	})
	if err != nil || out.Result != "FAILED" || out.Error != "Library installation failed for task main: no such version" {
		t.Errorf("%+v, %v", out, err)
	}
	if len(told) != 2 || told[0] != out.URL || told[1] != "installing libraries: lightgbm==4.6.0" {
		t.Errorf("told %q", told)
	}
}

// TestCancel ends what the removed release runs, and not what the restored one does from the same folder.
func TestCancel(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.notebook("/Barge/p/releases/1/score")
	release := b.runs.Hold("/Barge/p/releases/1/score")
	t.Cleanup(release)
	job := b.job("nightly", 0)
	number, err := job.Make(t.Context(), may)
	if err != nil {
		t.Fatal(err)
	}
	job.Use(number)
	if err := job.Set(t.Context(), b.jobValue(nightly, "1.1.0", false), may); err != nil {
		t.Fatal(err)
	}
	run, err := b.site.StartJob(t.Context(), number, "token")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.runs.Begun(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ folder, release string }{
		"another folder": {"/Barge/p/releases/2", "1.1.0"}, "another release": {"/Barge/p/releases/1", "1.0.0"}, "a longer name": {"/Barge/p/releases/1/s", "1.1.0"},
	} {
		if pages, err := b.site.Cancel(t.Context(), number, c.folder, c.release); len(pages) > 0 || err != nil {
			t.Errorf("%s: cancelled %v, %v", name, pages, err)
		}
	}
	pages, err := b.site.Cancel(t.Context(), number, "/Barge/p/releases/1", "1.1.0")
	if len(pages) != 1 || err != nil {
		t.Errorf("cancelled %v, %v", pages, err)
	}
	out, err := b.site.Await(t.Context(), run, "", nil)
	if err != nil || out.Result != databricks.Canceled {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestGrantTakesNothingAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.site.Workspace.Mkdirs(t.Context(), "/Barge/p"); err != nil {
		t.Fatal(err)
	}
	for _, rights := range []map[string]string{
		{"group:a": "CAN_MANAGE", "group:b": "CAN_READ"}, {"group:a": "CAN_RUN", "group:b": "CAN_RUN"}, {"group:a": "CAN_RUN"}, {},
	} {
		if err := b.site.Grant(t.Context(), "/Barge/p", rights); err != nil {
			t.Fatal(err)
		}
	}
	object, err := b.site.Workspace.Stat(t.Context(), "/Barge/p")
	if err != nil {
		t.Fatal(err)
	}
	grants, err := b.site.Workspace.Permissions(t.Context(), "directories", fmt.Sprint(object.ID))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, g := range grants {
		if strings.HasPrefix(g.Principal, "group:") && !g.Inherited {
			got[g.Principal] = g.Level
		}
	}
	if diff := cmp.Diff(map[string]string{"group:a": "CAN_MANAGE", "group:b": "CAN_RUN"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	err = b.site.Grant(t.Context(), "/Barge/none", map[string]string{"group:a": "CAN_READ"})
	if err == nil || !strings.Contains(err.Error(), "granting rights on /Barge/none") {
		t.Errorf("on a folder that is not there: %v", err)
	}
}

func TestProvisionAndClaim(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.versions(1)
	for range 2 {
		if err := b.site.Provision(t.Context(), "shared"); err != nil {
			t.Fatal(err)
		}
		if err := b.site.Claim(t.Context(), "shared", "m"); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := b.site.Workspace.ListSecretKeys(t.Context(), "rmr")
	if diff := cmp.Diff([]string{"shared-host", "shared-token", "shared-workspace-id"}, keys); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if owner, err := b.site.Claimed(t.Context(), "shared", "m"); owner != "p" || err != nil {
		t.Errorf("%q, %v", owner, err)
	}
	other := *b.site
	other.Project = "churn"
	if err := other.Claim(t.Context(), "shared", "m"); err != nil || b.tags()["barge.project"] != "p" {
		t.Errorf("another project's claim: %v, tags %v", err, b.tags())
	}
	if owner, err := b.site.Claimed(t.Context(), "shared", "none"); owner != "" || err != nil {
		t.Errorf("a model that is not there: %q, %v", owner, err)
	}
}
