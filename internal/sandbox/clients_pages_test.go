package sandbox_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
)

func TestGoSDKPagesToTheEnd(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	f.notebooks("/Shared/quiet")
	j := jobs.NewJobs(f.api)
	var made, ran []int64
	for i := range 27 { // by the twin's own door: the SDK makes 15 calls a second
		body := `{"name":"j","tasks":[{"task_key":"main","notebook_task":{"notebook_path":"/Shared/quiet"}}],"max_concurrent_runs":100}`
		made = append(made, f.id("POST /api/2.2/jobs/create", body, "job_id"))
		ran = append(ran, f.id("POST /api/2.2/jobs/run-now", fmt.Sprintf(`{"job_id":%d}`, made[i]), "run_id"))
		f.must(f.twin.Jobs().Wait(f.context(), ran[i]))
	}
	slices.Reverse(made)
	slices.Reverse(ran)
	for _, limit := range []int{0, 13, 27, 100} {
		all, err := j.ListAll(f.context(), jobs.ListJobsRequest{Limit: limit})
		f.must(err)
		var ids []int64
		for _, one := range all {
			ids = append(ids, one.JobId)
		}
		same(t, fmt.Sprint("jobs by ", limit), ids, made)
	}
	for _, limit := range []int{0, 7, 25} {
		all, err := j.ListRunsAll(f.context(), jobs.ListRunsRequest{Limit: limit, CompletedOnly: true})
		f.must(err)
		var ids []int64
		for _, one := range all {
			ids = append(ids, one.RunId)
		}
		same(t, fmt.Sprint("runs by ", limit), ids, ran)
	}
	var many []jobs.Task
	for i := range 101 { // a page shows 100
		many = append(many, jobs.Task{TaskKey: fmt.Sprint("t", i), NotebookTask: notebookTask("/Shared/quiet", nil), Disabled: i > 0})
	}
	job := f.created(jobs.CreateJob{Name: "many", Tasks: many})
	got, err := j.Get(f.context(), jobs.GetJobRequest{JobId: job})
	f.must(err)
	same(t, "tasks of a job", len(got.Settings.Tasks), 101)
	same(t, "tasks of a run", len(f.ended(f.started(jobs.RunNow{JobId: job})).Tasks), 101)
}

// id is a number of an answer to a call by the twin's own token.
func (f foreigner) id(what, body, field string) int64 {
	f.Helper()
	got := call(f.T, f.twin, what, body)
	var answer map[string]json.Number
	if err := json.Unmarshal([]byte(strings.TrimPrefix(got, "200 ")), &answer); err != nil {
		f.Fatalf("%s: %s", what, got)
	}
	n, err := answer[field].Int64()
	f.must(err)
	return n
}
