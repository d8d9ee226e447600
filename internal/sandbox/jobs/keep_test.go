package jobs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func (w *twin) anyRun() int64 {
	return w.listed("runs/list").ids[0]
}

const twoInTheMorning = `,"schedule":{"quartz_cron_expression":"0 0 2 * * ?","timezone_id":"Europe/London"%s}`

func TestAScheduleFires(t *testing.T) {
	w := newTwin(t)
	job := w.id("create", nightly(fmt.Sprintf(twoInTheMorning, "")))
	fired := func() int { return len(w.listed(fmt.Sprintf("runs/list?job_id=%d", job)).ids) }
	w.clock.pass(15 * time.Hour) // from ten in the morning
	if n := fired(); n != 0 {
		t.Fatalf("%d runs at one in the morning", n)
	}
	w.clock.pass(time.Hour)
	run := w.anyRun()
	w.wait(run)
	var v runView
	w.do(fmt.Sprintf("runs/get?run_id=%d", run), "", &v)
	if v.Trigger != "PERIODIC" || v.Schedule == nil || v.Start != time.Date(2026, 3, 3, 2, 0, 0, 0, time.UTC).UnixMilli() {
		t.Errorf("trigger %s, schedule %v, start %d", v.Trigger, v.Schedule, v.Start)
	}
	w.clock.pass(24 * time.Hour)
	w.wait(w.anyRun())
	if n := fired(); n != 2 {
		t.Errorf("%d runs after two nights", n)
	}
	w.want("update", fmt.Sprintf(`{"job_id":%d,"new_settings":{"schedule":{"quartz_cron_expression":"0 0 2 * * ?","timezone_id":"Europe/London","pause_status":"PAUSED"}}}`, job), `200 {}`)
	w.clock.pass(48 * time.Hour)
	if n := fired(); n != 2 {
		t.Errorf("%d runs though the schedule is paused", n)
	}
	// In summer London is an hour ahead: from the sixth of March on to the first of April.
	w.want("reset", fmt.Sprintf(`{"job_id":%d,"new_settings":%s}`, job, nightly(`,"schedule":{"quartz_cron_expression":"0 0 2 1 4 ?","timezone_id":"Europe/London"}`)), `200 {}`)
	w.clock.pass(30 * 24 * time.Hour)
	w.wait(w.anyRun())
	w.do(fmt.Sprintf("runs/get?run_id=%d", w.anyRun()), "", &v)
	if got := time.UnixMilli(v.Start).UTC().Format(time.RFC3339); got != "2026-04-01T01:00:00Z" {
		t.Errorf("fired at %s", got)
	}
	w.want("delete", fmt.Sprintf(`{"job_id":%d}`, job), `200 {}`)
	w.clock.mu.Lock()
	defer w.clock.mu.Unlock()
	if len(w.clock.timers) != 0 {
		t.Errorf("%d timers left by a deleted job", len(w.clock.timers))
	}
}

func TestFire(t *testing.T) {
	w := newTwin(t)
	job := w.id("create", nightly(fmt.Sprintf(twoInTheMorning, "")))
	run, err := w.Fire(job)
	if err != nil {
		t.Fatal(err)
	}
	w.wait(run)
	var v runView
	w.do(fmt.Sprintf("runs/get?run_id=%d", run), "", &v)
	if v.Trigger != "PERIODIC" || v.Type != "JOB_RUN" {
		t.Errorf("trigger %s, type %s", v.Trigger, v.Type)
	}
	paused, none := w.id("create", nightly(fmt.Sprintf(twoInTheMorning, `,"pause_status":"PAUSED"`))), w.id("create", nightly(""))
	for id, want := range map[int64]string{
		paused: fmt.Sprintf("INVALID_PARAMETER_VALUE: The schedule of job %d is paused.", paused),
		none:   fmt.Sprintf("INVALID_PARAMETER_VALUE: Job %d has no schedule that could fire.", none),
		5:      "INVALID_PARAMETER_VALUE: Job 5 does not exist.",
	} {
		if _, err := w.Fire(id); err == nil || err.Error() != want {
			t.Errorf("Fire(%d): %v, want %s", id, err, want)
		}
	}
}

func TestWhatIsKept(t *testing.T) {
	w := newTwin(t)
	w.exec.Answer = func(Attempt) Outcome {
		return Outcome{Result: Success, Exited: true, ExitValue: "e", Cells: []Cell{{N: 1, Stdout: "hi\n", Millis: 3}}}
	}
	job := w.id("create", nightly(fmt.Sprintf(twoInTheMorning, "")))
	run := w.id("run-now", fmt.Sprintf(`{"job_id":%d,"idempotency_token":"t"}`, job))
	w.wait(run)
	gone := w.id("create", nightly(""))
	w.want("delete", fmt.Sprintf(`{"job_id":%d}`, gone), `200 {}`)
	paths := []string{fmt.Sprintf("get?job_id=%d", job), fmt.Sprintf("runs/get?run_id=%d", run), fmt.Sprintf("runs/get-output?run_id=%d", run+1)}
	ask := func() (answers []string) {
		for _, p := range paths {
			answers = append(answers, w.call(p, ""))
		}
		return answers
	}
	before, listed := ask(), w.Runs()
	w.shut()
	w.open()
	if diff := cmp.Diff(before, ask()); diff != "" {
		t.Errorf("after a restart (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(listed, w.Runs()); diff != "" {
		t.Errorf("Runs after a restart (-before +after):\n%s", diff)
	}
	want := []Run{{
		RunID: run, TaskRunID: run + 1, JobID: job, PageURL: fmt.Sprintf("http://twin/?o=7#job/%d/run/%d", job, run+1), RunName: "nightly", TaskKey: "main", Trigger: "ONE_TIME", Notebook: "/n", Parameters: map[string]string{}, State: "TERMINATED",
		Result: "SUCCESS", ExitValue: "e", Exited: true, Start: 1772445600000, End: 1772445600000, Cells: []Cell{{N: 1, Stdout: "hi\n", Millis: 3}},
	}}
	attempts, err := w.Attempts(run + 1)
	if diff := cmp.Diff(want, attempts); diff != "" || err != nil {
		t.Errorf("Attempts, %v (-want +got):\n%s", err, diff)
	}
	if again := w.id("run-now", fmt.Sprintf(`{"job_id":%d,"idempotency_token":"t"}`, job)); again != run {
		t.Errorf("the token stands for %d after a restart, want %d", again, run)
	}
	if next := w.id("create", nightly("")); next <= gone {
		t.Errorf("id %d was given twice", next)
	}
	w.clock.pass(16 * time.Hour)
	if w.anyRun() == run {
		t.Error("the schedule did not fire after a restart")
	}
}

func TestAKilledServerLeavesNoActiveRun(t *testing.T) {
	w := newTwin(t)
	w.exec.Hold("/n")
	job := w.id("create", nightly(""))
	active, waits := w.id("run-now", fmt.Sprintf(`{"job_id":%d}`, job)), w.id("run-now", fmt.Sprintf(`{"job_id":%d}`, job))
	w.begun(1)
	// The files as a killed server leaves them, under a second server.
	copied := w.cfg
	copied.Dir = t.TempDir()
	if err := os.CopyFS(copied.Dir, os.DirFS(w.cfg.Dir)); err != nil {
		t.Fatal(err)
	}
	second := &twin{t: t, clock: w.clock, exec: w.exec, cfg: copied}
	second.open()
	t.Cleanup(second.shut)
	for _, run := range []int64{active, waits} {
		second.wantState(run, "run INTERNAL_ERROR FAILED TERMINATED INTERNAL_ERROR", "main#0 INTERNAL_ERROR FAILED TERMINATED INTERNAL_ERROR")
		if got := second.call(fmt.Sprintf("runs/get?run_id=%d", run), ""); !strings.Contains(got, `"state_message":"the sandbox was stopped"`) {
			t.Errorf("run %d: %s", run, got)
		}
	}
	if n := len(w.exec.Attempts()); n != 1 {
		t.Errorf("%d notebooks ran, want 1", n)
	}
}

func TestCloseStopsWhatRuns(t *testing.T) {
	exec := newStubborn()
	w := newTwin(t, func(c *Config) { c.Executor = exec })
	run := w.id("runs/submit", one("/n", ""))
	w.receive(exec.begun)
	closed := make(chan struct{})
	go func() { defer close(closed); w.Close() }()
	w.receive(exec.stopped)
	select {
	case <-closed:
		t.Fatal("Close has returned before the executor")
	default:
	}
	w.want("runs/submit", one("/n", ""), `503 {"error_code":"TEMPORARILY_UNAVAILABLE","message":"the sandbox is being stopped"}`)
	close(exec.release)
	w.receive(closed)
	w.wantState(run, "run INTERNAL_ERROR FAILED TERMINATED INTERNAL_ERROR", "main#0 INTERNAL_ERROR FAILED TERMINATED INTERNAL_ERROR")
}

func TestADamagedFileIsNamed(t *testing.T) {
	w := newTwin(t)
	job := w.id("create", nightly(""))
	w.shut()
	name := filepath.Join(w.cfg.Dir, "jobs", fmt.Sprint(job, ".json"))
	if err := os.WriteFile(name, []byte(`{"job_id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(w.cfg); err == nil || err.Error() != "reading "+name+": unexpected end of JSON input; remove the file to go on without it" {
		t.Errorf("New: %v", err)
	}
}
