package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/jobs"
)

func notebookTask(path string, parameters map[string]string) *jobs.NotebookTask {
	return &jobs.NotebookTask{NotebookPath: path, BaseParameters: parameters}
}

func oneOff(path string) jobs.SubmitRun {
	return jobs.SubmitRun{RunName: "one-off", Tasks: []jobs.SubmitTask{{TaskKey: "main", NotebookTask: notebookTask(path, nil)}}}
}

// submitted is the id of a new run. The waiter that the SDK gives with it has traps of its own: nobody takes it.
func (f foreigner) submitted(s jobs.SubmitRun) int64 {
	f.Helper()
	wait, err := jobs.NewJobs(f.api).Submit(f.context(), s)
	f.must(err)
	return wait.RunId
}

func (f foreigner) started(r jobs.RunNow) int64 {
	f.Helper()
	wait, err := jobs.NewJobs(f.api).RunNow(f.context(), r)
	f.must(err)
	return wait.RunId
}

func (f foreigner) created(c jobs.CreateJob) int64 {
	f.Helper()
	made, err := jobs.NewJobs(f.api).Create(f.context(), c)
	f.must(err)
	return made.JobId
}

// ended waits for a run and returns it.
func (f foreigner) ended(run int64) *jobs.Run {
	f.Helper()
	f.must(f.twin.Jobs().Wait(f.context(), run))
	return f.run(run)
}

func (f foreigner) run(run int64) *jobs.Run {
	f.Helper()
	got, err := jobs.NewJobs(f.api).GetRun(f.context(), jobs.GetRunRequest{RunId: run})
	f.must(err)
	return got
}

func stateOf(r *jobs.Run) string {
	code := jobs.TerminationCodeCode("")
	if r.Status.TerminationDetails != nil {
		code = r.Status.TerminationDetails.Code
	}
	return strings.TrimSpace(fmt.Sprint(r.State.LifeCycleState, " ", r.State.ResultState, " ", r.Status.State, " ", code))
}

func TestGoSDKJobsRefused(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	f.notebooks("/Shared/exits")
	j := jobs.NewJobs(f.api)
	empty := f.created(jobs.CreateJob{Name: "empty"})
	done := f.submitted(jobs.SubmitRun{Tasks: []jobs.SubmitTask{
		{TaskKey: "a", NotebookTask: notebookTask("/Shared/exits", nil)}, {TaskKey: "b", NotebookTask: notebookTask("/Shared/exits", nil)},
	}})
	f.ended(done)
	create := func(c jobs.CreateJob) func(context.Context) error {
		return failing(func(ctx context.Context) (*jobs.CreateResponse, error) { return j.Create(ctx, c) })
	}
	schedule := func(cron, zone string) func(context.Context) error {
		return create(jobs.CreateJob{Schedule: &jobs.CronSchedule{QuartzCronExpression: cron, TimezoneId: zone}})
	}
	submit := func(s jobs.SubmitRun) func(context.Context) error {
		return func(ctx context.Context) error { _, err := j.Submit(ctx, s); return err }
	}
	const invalid, quartz = "400 INVALID_PARAMETER_VALUE ", " Databricks uses Quartz cron syntax, which is different from the standard cron syntax. See http://www.quartz-scheduler.org/documentation/quartz-2.1.x/tutorials/crontrigger.html for more details."
	const providers = "git_source.git_provider must be one of: github,gitlab,bitbucketcloud,gitlabenterpriseedition,bitbucketserver,azuredevopsservices,githubenterprise,awscodecommit"
	absent, wrong := apierr.ErrResourceDoesNotExist, apierr.ErrInvalidParameterValue
	f.refused(
		refusal{"get of a missing job", failing(func(ctx context.Context) (*jobs.Job, error) { return j.GetByJobId(ctx, 123) }), invalid + "Job 123 does not exist.", absent},
		refusal{"get of a missing run", failing(func(ctx context.Context) (*jobs.Run, error) {
			return j.GetRun(ctx, jobs.GetRunRequest{RunId: 5})
		}), invalid + "Run 5 does not exist.", absent},
		refusal{"get-output of a missing run", failing(func(ctx context.Context) (*jobs.RunOutput, error) { return j.GetRunOutputByRunId(ctx, 5) }), invalid + "Run 5 does not exist.", absent},
		refusal{
			"get-output of a run of two tasks", failing(func(ctx context.Context) (*jobs.RunOutput, error) { return j.GetRunOutputByRunId(ctx, done) }),
			invalid + "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each individual task run instead.", wrong,
		},
		// What is not a get keeps its code: the SDK takes it for a wrong parameter.
		refusal{"delete of a missing job", func(ctx context.Context) error { return j.DeleteByJobId(ctx, 123) }, invalid + "Job 123 does not exist.", wrong},
		refusal{"run-now of a missing job", func(ctx context.Context) error { _, err := j.RunNow(ctx, jobs.RunNow{JobId: 123}); return err }, invalid + "Job 123 does not exist.", wrong},
		refusal{
			"run-now of a job without tasks", func(ctx context.Context) error { _, err := j.RunNow(ctx, jobs.RunNow{JobId: empty}); return err },
			fmt.Sprintf("%sJob %d has no tasks to run.", invalid, empty), wrong,
		},
		refusal{"reset of a missing job", func(ctx context.Context) error { return j.Reset(ctx, jobs.ResetJob{JobId: 123}) }, invalid + "Job 123 does not exist.", wrong},
		refusal{"update of a missing job", func(ctx context.Context) error { return j.Update(ctx, jobs.UpdateJob{JobId: 123}) }, invalid + "Job 123 does not exist.", wrong},
		refusal{"cancel of a missing run", func(ctx context.Context) error { _, err := j.CancelRun(ctx, jobs.CancelRun{RunId: 5}); return err }, invalid + "Run 5 does not exist.", wrong},
		refusal{"cancel-all of nothing", func(ctx context.Context) error { return j.CancelAllRuns(ctx, jobs.CancelAllRuns{}) }, invalid + "Missing required field: job_id", wrong},
		refusal{"delete of a missing run", func(ctx context.Context) error { return j.DeleteRunByRunId(ctx, 5) }, invalid + "Run 5 does not exist.", wrong},
		refusal{"repair of a missing run", func(ctx context.Context) error {
			_, err := j.RepairRun(ctx, jobs.RepairRun{RunId: 5, RerunAllFailedTasks: true})
			return err
		}, invalid + "Run 5 does not exist.", wrong},
		refusal{"git_source without provider", create(jobs.CreateJob{GitSource: &jobs.GitSource{GitUrl: "https://example.com/r", GitCommit: "c"}}), invalid + providers, wrong},
		refusal{"submit of nothing", submit(jobs.SubmitRun{}), invalid + "One of job_cluster_key, new_cluster, or existing_cluster_id must be specified.", wrong},
		refusal{"a task without a key", submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{{NotebookTask: notebookTask("/Shared/exits", nil)}}}), invalid + "Missing required field: task_key", wrong},
		refusal{
			"idempotency_token of 65 characters", submit(jobs.SubmitRun{IdempotencyToken: strings.Repeat("f", 65), Tasks: oneOff("/Shared/exits").Tasks}),
			invalid + "The idempotency token must have at most 64 characters, this one has 65.", wrong,
		},
		refusal{"a cron of 5 fields", schedule("0 2 * * *", "UTC"), invalid + "Invalid quartz_cron_expression: 0 2 * * *." + quartz, wrong},
		refusal{"a cron without a question mark", schedule("0 0 2 * * *", "UTC"), invalid + "Invalid quartz_cron_expression: 0 0 2 * * *." + quartz, wrong},
		refusal{"an hour of no day", schedule("0 0 25 * * ?", "UTC"), invalid + "Invalid quartz_cron_expression: 0 0 25 * * ?." + quartz, wrong},
		refusal{"an unknown time zone", schedule("0 0 2 * * ?", "Mars/Base"), invalid + "Invalid timezone_id: Mars/Base. It must be a Java timezone ID such as Europe/London.", wrong},
		refusal{"26 tags", create(jobs.CreateJob{Tags: tags(26)}), invalid + "A job may have at most 25 tags, this one has 26.", wrong},
		refusal{"max_concurrent_runs of 1001", create(jobs.CreateJob{MaxConcurrentRuns: 1001}), invalid + "max_concurrent_runs must be between 0 and 1000, found 1001.", wrong},
		refusal{
			"a level that jobs have not", create(jobs.CreateJob{AccessControlList: []jobs.JobAccessControlRequest{{GroupName: "ops", PermissionLevel: "CAN_READ"}}}),
			invalid + "Permission level CAN_READ is not valid for object type job, allowed are CAN_VIEW, CAN_MANAGE_RUN, CAN_MANAGE, IS_OWNER", wrong,
		},
		refusal{"notebook_params of 10 kB", func(ctx context.Context) error {
			_, err := j.RunNow(ctx, jobs.RunNow{JobId: empty, NotebookParams: map[string]string{"k": strings.Repeat("x", 10_000)}})
			return err
		}, invalid + "notebook_params has 10008 bytes as JSON, more than 10000.", wrong},
		refusal{"two reasons to list", failing(func(ctx context.Context) ([]jobs.BaseRun, error) {
			return j.ListRunsAll(ctx, jobs.ListRunsRequest{ActiveOnly: true, CompletedOnly: true})
		}), invalid + "active_only and completed_only cannot both be true.", wrong},
		refusal{"a page of 26 runs", failing(func(ctx context.Context) ([]jobs.BaseRun, error) {
			return j.ListRunsAll(ctx, jobs.ListRunsRequest{Limit: 26})
		}), invalid + "limit must be between 0 and 25, found 26.", wrong},
		refusal{"a page of 101 jobs", failing(func(ctx context.Context) ([]jobs.BaseJob, error) {
			return j.ListAll(ctx, jobs.ListJobsRequest{Limit: 101})
		}), invalid + "limit must be between 1 and 100, found 101.", wrong},
	)
}

func tags(n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		all[fmt.Sprint("t", i)] = "v"
	}
	return all
}

func TestGoSDKRuns(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	f.notebooks("/Shared/exits", "/Shared/fails", "/Shared/quiet")
	j := jobs.NewJobs(f.api)
	output := func(run *jobs.Run) *jobs.RunOutput {
		got, err := j.GetRunOutputByRunId(f.context(), run.Tasks[len(run.Tasks)-1].RunId)
		f.must(err)
		return got
	}
	said := f.ended(f.submitted(jobs.SubmitRun{Tasks: []jobs.SubmitTask{{TaskKey: "main", NotebookTask: notebookTask("/Shared/exits", map[string]string{"say": `{"auc":0.7}`})}}}))
	same(t, "success", stateOf(said), "TERMINATED SUCCESS TERMINATED SUCCESS")
	same(t, "notebook_output", *output(said).NotebookOutput, jobs.NotebookOutput{Result: `{"auc":0.7}`, ForceSendFields: []string{"Result", "Truncated"}})
	same(t, "page", said.RunPageUrl, fmt.Sprintf("%s/?o=%d#job/%d/run/%d", f.twin.URL, f.twin.WorkspaceID, said.JobId, said.RunId))

	quiet := f.ended(f.submitted(oneOff("/Shared/quiet")))
	same(t, "exit never called", output(quiet).NotebookOutput.Result, "")

	failed := f.ended(f.submitted(oneOff("/Shared/fails")))
	same(t, "a failed task", stateOf(failed), "INTERNAL_ERROR FAILED TERMINATED RUN_EXECUTION_ERROR")
	same(t, "its own state", fmt.Sprint(failed.Tasks[0].State.LifeCycleState, " ", failed.Tasks[0].State.ResultState), "TERMINATED FAILED")
	same(t, "its message", failed.State.StateMessage, "Task main failed with message: Workload failed, see run output for details.")
	same(t, "error", output(failed).Error+"|"+output(failed).ErrorTrace, "AssertionError: too low|Traceback (most recent call last)")
	if _, err := j.WaitGetRunJobTerminatedOrSkipped(f.context(), failed.RunId, patience, nil); err == nil || !strings.Contains(err.Error(), "INTERNAL_ERROR") {
		t.Errorf("the SDK's waiter: %v", err)
	}

	missing := f.ended(f.submitted(oneOff("/Shared/none")))
	same(t, "no such notebook", stateOf(missing), "INTERNAL_ERROR FAILED TERMINATED RESOURCE_NOT_FOUND")

	token := strings.Repeat("a", 64)
	again := oneOff("/Shared/quiet")
	again.IdempotencyToken = token
	first := f.submitted(again)
	f.ended(first)
	same(t, "the same token after its run", f.submitted(again), first)
	f.must(j.DeleteRunByRunId(f.context(), first))
	same(t, "and after it was deleted", f.submitted(again), first)
	if _, err := j.GetRun(f.context(), jobs.GetRunRequest{RunId: first}); !errors.Is(err, apierr.ErrResourceDoesNotExist) {
		t.Errorf("a deleted run: %v", err)
	}
}

func TestGoSDKCancelAndQueue(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	f.notebooks("/Shared/held", "/Shared/quiet")
	j := jobs.NewJobs(f.api)
	release := f.exec.Hold("/Shared/held")
	defer release()
	cancel := func(run int64) {
		t.Helper()
		_, err := j.CancelRun(f.context(), jobs.CancelRun{RunId: run})
		f.must(err)
	}
	tasks := []jobs.Task{{TaskKey: "main", NotebookTask: notebookTask("/Shared/held", nil)}}
	queued := f.created(jobs.CreateJob{Name: "queued", Tasks: tasks})
	never := f.created(jobs.CreateJob{Name: "not queued", Tasks: tasks, Queue: &jobs.QueueSettings{}})

	running, behind := f.started(jobs.RunNow{JobId: queued}), f.started(jobs.RunNow{JobId: queued})
	f.must(f.exec.Begun(f.context(), 1))
	same(t, "running", stateOf(f.run(running)), "RUNNING  RUNNING")
	waiting := f.run(behind)
	same(t, "queued", stateOf(waiting), "QUEUED  QUEUED")
	same(t, "why", waiting.State.QueueReason, "Queued due to reaching maximum concurrent runs of 1.")
	if err := j.DeleteRunByRunId(f.context(), running); told(err) != fmt.Sprintf("400 INVALID_STATE Run %d is active and cannot be deleted: cancel it first.", running) || !errors.Is(err, apierr.ErrInvalidState) {
		t.Errorf("deleting an active run: %v", told(err))
	}
	other := f.started(jobs.RunNow{JobId: never})
	f.must(f.exec.Begun(f.context(), 2))
	same(t, "skipped", stateOf(f.run(f.started(jobs.RunNow{JobId: never}))), "SKIPPED MAXIMUM_CONCURRENT_RUNS_REACHED TERMINATED MAX_CONCURRENT_RUNS_EXCEEDED")
	pending := f.submitted(oneOff("/Shared/quiet")) // both places of the machine are taken
	same(t, "pending", stateOf(f.run(pending)), "PENDING  PENDING")
	active, err := j.ListRunsAll(f.context(), jobs.ListRunsRequest{ActiveOnly: true})
	f.must(err)
	same(t, "active", len(active), 4)

	const canceled = "TERMINATED CANCELED TERMINATED USER_CANCELED"
	cancel(pending)
	same(t, "cancelled while pending", stateOf(f.ended(pending)), canceled)
	cancel(other)
	same(t, "cancelled while running", stateOf(f.ended(other)), canceled)
	cancel(other) // again
	cancel(running)
	f.must(f.exec.Begun(f.context(), 3)) // what was queued comes next
	f.must(j.CancelAllRuns(f.context(), jobs.CancelAllRuns{JobId: queued}))
	same(t, "all cancelled", stateOf(f.ended(behind)), canceled)
	for _, a := range f.exec.Attempts() {
		if a.NotebookPath == "/Shared/quiet" {
			t.Error("a run that was cancelled while pending has run")
		}
	}
}

func TestGoSDKJobSettings(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	j := jobs.NewJobs(f.api)
	task := func(key, path string) jobs.Task {
		return jobs.Task{TaskKey: key, NotebookTask: notebookTask(path, nil)}
	}
	job := f.created(jobs.CreateJob{
		Name: "nightly", Description: "d", RunAs: &jobs.JobRunAs{UserName: "x@example.com"}, Tags: map[string]string{"k": "v"},
		Tasks:             []jobs.Task{task("one", "/1"), task("two", "/2")},
		Schedule:          &jobs.CronSchedule{QuartzCronExpression: "0 0 2 * * ?", TimezoneId: "Europe/London"},
		AccessControlList: []jobs.JobAccessControlRequest{{GroupName: "ops", PermissionLevel: "CAN_MANAGE_RUN"}},
	})
	shown := func() string {
		t.Helper()
		got, err := j.GetByJobId(f.context(), job)
		f.must(err)
		s, keys := got.Settings, []string{}
		for _, k := range s.Tasks {
			keys = append(keys, k.TaskKey+"="+k.NotebookTask.NotebookPath)
		}
		schedule := ""
		if s.Schedule != nil {
			schedule = fmt.Sprint(s.Schedule.QuartzCronExpression, " ", s.Schedule.PauseStatus)
		}
		return fmt.Sprint(s.Name, "|", s.Description, "|", s.Tags, "|", keys, "|", got.RunAsUserName, "|", schedule, "|", s.MaxConcurrentRuns, "|", s.Format)
	}
	same(t, "created", shown(), "nightly|d|map[k:v]|[one=/1 two=/2]|x@example.com|0 0 2 * * ? UNPAUSED|1|MULTI_TASK")
	f.must(j.Update(f.context(), jobs.UpdateJob{JobId: job, NewSettings: &jobs.JobSettings{Tags: map[string]string{"n": "w"}, Tasks: []jobs.Task{task("two", "/new"), task("three", "/3")}}}))
	same(t, "update merges tasks and replaces the rest", shown(), "nightly|d|map[n:w]|[one=/1 two=/new three=/3]|x@example.com|0 0 2 * * ? UNPAUSED|1|MULTI_TASK")
	f.must(j.Update(f.context(), jobs.UpdateJob{JobId: job, FieldsToRemove: []string{"description", "tasks/one", "schedule"}}))
	same(t, "fields_to_remove", shown(), "nightly||map[n:w]|[two=/new three=/3]|x@example.com||1|MULTI_TASK")
	f.must(j.Reset(f.context(), jobs.ResetJob{JobId: job, NewSettings: jobs.JobSettings{Name: "again"}}))
	same(t, "reset keeps run_as alone", shown(), "again||map[]|[]|x@example.com||1|MULTI_TASK")

	rights, err := j.GetPermissionsByJobId(f.context(), strconv.FormatInt(job, 10))
	f.must(err)
	var who []string
	for _, r := range rights.AccessControlList {
		who = append(who, fmt.Sprint(r.UserName, r.GroupName, " ", r.AllPermissions[0].PermissionLevel))
	}
	same(t, "rights from the beginning", who, []string{"admin@sandbox.test IS_OWNER", "ops CAN_MANAGE_RUN", "admins CAN_MANAGE"})

	f.created(jobs.CreateJob{Name: "again"})
	if _, err := j.GetBySettingsName(f.context(), "again"); err == nil || !strings.Contains(err.Error(), "there are 2 instances") {
		t.Errorf("two jobs of one name: %v", err)
	}
}

func TestGoSDKOneTokenManySubmitters(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	f.notebooks("/Shared/quiet")
	s := oneOff("/Shared/quiet")
	s.IdempotencyToken = "one"
	ids := make([]int64, 12)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			wait, err := jobs.NewJobs(f.api).Submit(f.context(), s)
			if err != nil {
				t.Error(told(err))
				return
			}
			ids[i] = wait.RunId
		})
	}
	wg.Wait()
	f.ended(ids[0])
	same(t, "runs", slices.Compact(ids), ids[:1])
	same(t, "attempts", len(f.exec.Attempts()), 1)
}

func TestFireAndRuns(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	f.notebooks("/Shared/exits")
	job := f.created(jobs.CreateJob{
		Name: "score", Schedule: &jobs.CronSchedule{QuartzCronExpression: "0 0 2 * * ?", TimezoneId: "UTC", PauseStatus: jobs.PauseStatusPaused},
		Tasks: []jobs.Task{{TaskKey: "main", NotebookTask: notebookTask("/Shared/exits", map[string]string{"say": "hello"})}},
	})
	fire := fmt.Sprintf("POST /_sandbox/jobs/%d/fire", job)
	same(t, "no runs yet", call(t, f.twin, "GET /_sandbox/runs", ""), `200 []`)
	same(t, "paused", call(t, f.twin, fire, ""), fmt.Sprintf(`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"The schedule of job %d is paused."}`, job))
	f.must(jobs.NewJobs(f.api).Update(f.context(), jobs.UpdateJob{JobId: job, NewSettings: &jobs.JobSettings{
		Schedule: &jobs.CronSchedule{QuartzCronExpression: "0 0 2 * * ?", TimezoneId: "UTC"},
	}}))
	run := f.id(fire, "", "run_id")
	ended := f.ended(run)
	same(t, "as its schedule", []any{ended.Trigger, ended.RunType, ended.Schedule.QuartzCronExpression}, []any{jobs.TriggerTypePeriodic, jobs.RunTypeJobRun, "0 0 2 * * ?"})
	same(t, "runs", call(t, f.twin, "GET /_sandbox/runs", ""), fmt.Sprintf(
		`200 [{"run_id":%d,"task_run_id":%d,"job_id":%d,"run_page_url":%q,"run_name":"score","task_key":"main","attempt_number":0,"trigger":"PERIODIC","notebook_path":"/Shared/exits","parameters":{"say":"hello"},"state":"TERMINATED","result":"SUCCESS","exit_value":"hello","exited":true,"start_time":%d,"end_time":%d,"cells":[]}]`,
		run, ended.Tasks[0].RunId, job, ended.Tasks[0].RunPageUrl, ended.Tasks[0].StartTime, ended.Tasks[0].EndTime))
	f.must(jobs.NewJobs(f.api).Update(f.context(), jobs.UpdateJob{JobId: job, FieldsToRemove: []string{"schedule"}}))
	same(t, "no schedule", call(t, f.twin, fire, ""), fmt.Sprintf(`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Job %d has no schedule that could fire."}`, job))
	same(t, "no such job", call(t, f.twin, "POST /_sandbox/jobs/7/fire", ""), `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Job 7 does not exist."}`)
	same(t, "no number", call(t, f.twin, "POST /_sandbox/jobs/x/fire", ""), `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"x is not a job id"}`)
}
