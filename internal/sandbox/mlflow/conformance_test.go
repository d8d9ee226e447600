package mlflow_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

// conversation is asked of both backends, in order; every answer must be the same but for times and ids.
// Literal answers of the front stand in TestDialect; here one backend is the other's expectation.
var conversation = []struct{ call, in string }{
	{"GET registered-models/get", "name=m"},
	{"POST registered-models/create", `{"name":"m","tags":[{"key":"b","value":"1"},{"key":"a","value":"2"}],"description":"d"}`},
	{"POST registered-models/create", `{"name":"m"}`},
	{"POST registered-models/create", `{"name":""}`},
	{"POST registered-models/create", `{}`},
	{"POST registered-models/create", `{"name":3}`},
	{"POST registered-models/create", `{"name":"a/b"}`},
	{"POST registered-models/create", `{"name":".."}`},
	{"GET registered-models/get", "name=m"},
	{"POST model-versions/create", `{"name":"m","source":"dbfs:/src","tags":[{"key":"k","value":"v"}]}`},
	{"POST model-versions/create", `{"name":"m","source":"dbfs:/src","run_id":"abc","description":"x","run_link":"http://x"}`},
	{"POST model-versions/create", `{"name":"m","source":"dbfs:/src"}`},
	{"POST model-versions/create", `{"name":"m","source":"dbfs:/src","model_id":"m-of-another-workspace"}`},
	{"POST model-versions/create", `{"name":"m","source":"models:/m/1"}`},
	{"POST model-versions/create", `{"name":"nope","source":"dbfs:/src"}`},
	{"POST model-versions/create", `{"name":"m"}`},
	{"POST model-versions/create", `{"name":"m","source":"s3://bucket/x"}`},
	{"POST model-versions/create", `{"name":"m","source":"dbfs:/gone"}`},
	{"GET model-versions/get", "name=m&version=6"},
	{"GET model-versions/get", "name=m&version=1"},
	{"GET model-versions/get", "name=m&version=99"},
	{"GET model-versions/get", "name=m&version=x"},
	{"GET model-versions/get", "name=nope&version=1"},
	{"GET model-versions/get", "name=m"},
	{"POST model-versions/transition-stage", `{"name":"m","version":"1","stage":"staging"}`},
	{"POST model-versions/transition-stage", `{"name":"m","version":"2","stage":"Production"}`},
	{"POST model-versions/transition-stage", `{"name":"m","version":"3","stage":"Staging","archive_existing_versions":true}`},
	{"GET model-versions/get", "name=m&version=1"},
	{"GET registered-models/get", "name=m"},
	{"POST model-versions/transition-stage", `{"name":"m","version":"3","stage":"Production","archive_existing_versions":true}`},
	{"POST model-versions/transition-stage", `{"name":"m","version":"3","stage":"Live"}`},
	{"POST model-versions/transition-stage", `{"name":"m","version":"3","stage":"Archived","archive_existing_versions":true}`},
	{"POST model-versions/transition-stage", `{"name":"m","version":"99","stage":"Production","archive_existing_versions":true}`},
	{"POST model-versions/transition-stage", `{"name":"m","version":3,"stage":"None"}`},
	{"POST model-versions/transition-stage", `{"name":"m","version":"3"}`},
	{"GET model-versions/get", "name=m&version=3"},
	{"POST databricks/model-versions/transition-stage", `{"name":"m","version":"3","stage":"Staging","archive_existing_versions":false,"comment":"why"}`},
	{"POST databricks/model-versions/transition-stage", `{"name":"m","version":"99","stage":"Staging"}`},
	{"GET databricks/registered-models/get", "name=m"},
	{"GET databricks/registered-models/get", "name=nope"},
	{"POST registered-models/get-latest-versions", `{"name":"m"}`},
	{"POST registered-models/get-latest-versions", `{"name":"m","stages":["Staging","none"]}`},
	{"POST registered-models/get-latest-versions", `{"name":"m","stages":["Production"]}`},
	{"POST registered-models/get-latest-versions", `{"name":"m","stages":["Live"]}`},
	{"GET registered-models/get-latest-versions", "name=m&stages=Staging"},
	{"POST registered-models/get-latest-versions", `{"name":"nope"}`},
	{"POST registered-models/get-latest-versions", `{}`},
	{"POST model-versions/set-tag", `{"name":"m","version":"2","key":"release","value":"1.0"}`},
	{"POST model-versions/set-tag", `{"name":"m","version":"2","key":"release","value":"1.1"}`},
	{"POST model-versions/set-tag", `{"name":"m","version":"3","key":"a.b c","value":"1.1"}`},
	{"POST model-versions/set-tag", `{"name":"m","version":"99","key":"release","value":"1.0"}`},
	{"POST model-versions/set-tag", `{"name":"m","version":"2","value":"1.0"}`},
	{"DELETE model-versions/delete-tag", `{"name":"m","version":"1","key":"k"}`},
	{"DELETE model-versions/delete-tag", `{"name":"m","version":"1","key":"k"}`},
	{"DELETE model-versions/delete-tag", `{"name":"m","version":"99","key":"k"}`},
	{"POST registered-models/set-tag", `{"name":"m","key":"owner","value":"dana"}`},
	{"POST registered-models/set-tag", `{"name":"nope","key":"owner","value":"dana"}`},
	{"POST registered-models/set-tag", `{"name":"m","key":"","value":"dana"}`},
	{"DELETE registered-models/delete-tag", `{"name":"m","key":"b"}`},
	{"DELETE registered-models/delete-tag", "name=m&key=a"},
	{"DELETE model-versions/delete-tag", "name=m&version=3&key=none"},
	{"GET registered-models/get", "name=m"},
	{"DELETE registered-models/delete-tag", `{"name":"nope","key":"b"}`},
	{"GET model-versions/search", "filter=name='m'&order_by=version_number ASC"},
	{"GET model-versions/search", "filter=name='m'&max_results=2&order_by=version_number DESC"},
	{"GET model-versions/search", "filter=name='m'&max_results=2&order_by=version_number DESC&page_token=eyJvZmZzZXQiOiAyfQ=="},
	{"GET model-versions/search", "filter=name='m' and tags.release='1.1'"},
	{"GET model-versions/search", "filter=name = 'm' AND tags.`a.b c` = '1.1'"},
	{"GET model-versions/search", "filter=tags.release!='1.0'"},
	{"GET model-versions/search", "filter=run_id='abc'"},
	{"GET model-versions/search", "filter=run_id IN ('abc','x')"},
	{"GET model-versions/search", "filter=version_number>4&order_by=version_number ASC"},
	{"GET model-versions/search", "filter=name='nope'"},
	{"GET model-versions/search", "filter=name=m"},
	{"GET model-versions/search", "filter=name"},
	{"GET model-versions/search", "max_results=0"},
	{"GET model-versions/search", "max_results=abc"},
	{"GET registered-models/search", "filter=name LIKE 'm%'"},
	{"GET registered-models/search", "filter=name ilike 'M'"},
	{"GET registered-models/search", "filter=tags.owner='dana'"},
	{"GET registered-models/search", "filter=run_id='x'"},
	{"GET registered-models/list", "max_results=10"},
	{"PATCH model-versions/update", `{"name":"m","version":"2","description":"new"}`},
	{"PATCH registered-models/update", `{"name":"m","description":"new"}`},
	{"PATCH registered-models/update", `{"name":"nope","description":"new"}`},
	{"POST comments/create", `{"name":"m","version":"2","comment":"good"}`},
	{"POST comments/create", `{"name":"m","version":"99","comment":"good"}`},
	{"POST comments/create", `{"name":"m","version":"2"}`},
	{"PATCH comments/update", `{"id":"none","comment":"better"}`},
	{"DELETE comments/delete", "id=none"},
	{"POST transition-requests/create", `{"name":"m","version":"2","stage":"production","comment":"please"}`},
	{"POST transition-requests/create", `{"name":"m","version":"2","stage":"Production"}`},
	{"POST transition-requests/create", `{"name":"m","version":"2","stage":"Live"}`},
	{"GET transition-requests/list", "name=m&version=2"},
	{"POST databricks/model-versions/transition-stage", `{"name":"m","version":"2","stage":"Archived","archive_existing_versions":false}`},
	{"POST transition-requests/reject", `{"name":"m","version":"2","stage":"Staging"}`},
	{"POST transition-requests/approve", `{"name":"m","version":"2","stage":"Production","archive_existing_versions":true}`},
	{"GET transition-requests/list", "name=m&version=2"},
	{"GET model-versions/get", "name=m&version=2"},
	{"POST transition-requests/create", `{"name":"m","version":"2","stage":"Archived"}`},
	{"DELETE transition-requests/delete", "name=m&version=2&stage=Archived&creator=dana@example.com"},
	{"GET model-versions/list-artifacts", "name=m&version=1"},
	{"GET model-versions/list-artifacts", "name=m&version=1&path=sub"},
	{"GET model-versions/list-artifacts", "name=m&version=1&path=MLmodel"},
	{"GET model-versions/list-artifacts", "name=m&version=1&path=none"},
	{"GET model-versions/list-artifacts", "name=m&version=99"},
	{"GET model-versions/list-artifacts", "name=m&version=6"},
	{"GET model-versions/get-signed-download-uri", "name=m&version=1&path=none"},
	{"GET model-versions/get-signed-download-uri", "name=m&version=1&path=../../x"},
	{"GET model-versions/get-download-uri", "name=m&version=1"},
	{"POST registered-models/rename", `{"name":"m"}`},
	{"POST registered-models/rename", `{"name":"m","new_name":"n"}`},
	{"GET model-versions/list-artifacts", "name=n&version=1"},
	{"GET registered-models/get", "name=m"},
	{"DELETE model-versions/delete", `{"name":"n","version":"1"}`},
	{"DELETE model-versions/delete", `{"name":"n","version":"1"}`},
	{"GET model-versions/list-artifacts", "name=n&version=1"},
	{"POST model-versions/create", `{"name":"n","source":"dbfs:/src"}`},
	{"GET registered-models/alias", "name=n&alias=champion"},
	{"POST registered-models/alias", `{"name":"n","alias":"champion","version":"2"}`},
	{"GET /api/3.0/mlflow/workspaces", ""},
	{"GET /api/3.0/mlflow/workspaces%3Fx", ""},
	{"GET /api/3.0/mlflow/workspaces%2Fdev", ""},
	{"GET /api/2.0/mlflow/x/../../../3.0/mlflow//workspaces", ""},
	{"POST nonsense", `{}`},
	{"POST registered-models/get", `{"name":"n"}`},
	{"DELETE registered-models/delete", `{"name":"n"}`},
	{"DELETE registered-models/delete", `{"name":"n"}`},
	{"POST registered-models/create", `{"name":"n"}`},
	{"POST model-versions/create", `{"name":"n","source":"dbfs:/src"}`},

	{"POST experiments/create", `{"name":"/Shared/diabetes"}`},
	{"POST experiments/create", `{"name":"/Shared/diabetes"}`},
	{"GET experiments/get-by-name", "experiment_name=/Shared/diabetes"},
	{"GET experiments/get-by-name", "experiment_name=/Shared/none"},
	{"GET experiments/get", "experiment_id=99"},
	{"GET experiments/list", ""},
	{"POST experiments/search", `{"max_results":10}`},
	{"POST runs/create", `{"experiment_id":"99"}`},
	{"GET runs/get", "run_id=none"},
	{"POST runs/log-parameter", `{"run_id":"none","key":"k","value":"v"}`},
}

func TestConversation(t *testing.T) {
	t.Parallel()
	light, real := newTwin(t, mlflow.Light(), "dev", 11), newTwin(t, server(t), "dev", 11)
	for _, w := range []*twin{light, real} {
		w.put("src/MLmodel", "flavors: {}\n")
		w.put("src/sub/data.txt", "1,2,3")
	}
	for i, step := range conversation {
		name := fmt.Sprintf("%d %s %s", i, step.call, step.in)
		got, want := light.steady(step.call, step.in), real.steady(step.call, step.in)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the memory backend answers otherwise (-real +memory):\n%s", name, diff)
		}
	}
}

var changing = regexp.MustCompile(`[0-9a-f]{32}`)

// steady is an answer without what differs from one telling to the next, and its lists in a fixed order where
// MLflow's is arbitrary.
func (w *twin) steady(call, in string) string {
	w.t.Helper()
	status, out := w.ask(call, in)
	settle(out)
	b, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("%d\n%s", status, b)
}

func settle(doc any) {
	switch d := doc.(type) {
	case []any:
		for _, e := range d {
			settle(e)
		}
	case map[string]any:
		for key, v := range d {
			switch s, _ := v.(string); {
			case strings.Contains(key, "timestamp") || strings.HasSuffix(key, "_time"):
				d[key] = "…"
			case changing.MatchString(s):
				d[key] = changing.ReplaceAllString(s, "…")
			case key == "experiment_id", key == "artifact_location": // numbered over all workspaces
				d[key] = regexp.MustCompile(`\d+$`).ReplaceAllString(s, "…")
			case key == "workspace":
				delete(d, key)
			case key == "message" && strings.Contains(s, "Valid keys are"): // a Python set, in no order
				d[key], _, _ = strings.Cut(s, "Valid keys are")
			}
			settle(v)
		}
		for _, key := range []string{"latest_versions", "tags"} {
			if l, ok := d[key].([]any); ok {
				sort.Slice(l, func(i, j int) bool { return fmt.Sprint(l[i]) < fmt.Sprint(l[j]) })
			}
		}
		if l, ok := d["model_versions"].([]any); ok && len(l) > 0 && d["next_page_token"] == nil {
			sort.Slice(l, func(i, j int) bool { return fmt.Sprint(l[i]) < fmt.Sprint(l[j]) })
		}
	}
}

// TestDialect holds the answers that are Databricks' own, word for word, against both backends.
func TestDialect(t *testing.T) {
	t.Parallel()
	for name, backend := range backends(t) {
		t.Run(name, func(t *testing.T) {
			w := newTwin(t, backend, "dialect", 12)
			w.put("src/MLmodel", "x")
			w.must("POST registered-models/create", `{"name":"m"}`)
			w.must("POST model-versions/create", `{"name":"m","source":"dbfs:/src"}`)
			for _, c := range []struct {
				call, in  string
				status    int
				code, msg string
			}{
				{"GET registered-models/get", "name=nope", 404, "RESOURCE_DOES_NOT_EXIST", "RegisteredModel 'nope' does not exist. It might have been deleted."},
				{"POST registered-models/create", `{"name":""}`, 400, "INVALID_PARAMETER_VALUE", "Got an invalid name ''. Registered Model names cannot be empty strings."},
				{"GET model-versions/get", "name=m&version=7", 404, "RESOURCE_DOES_NOT_EXIST", "Model Version (name=m, version=7) not found"},
				{
					"POST databricks/model-versions/transition-stage", `{"name":"m","version":"1","stage":"Live","archive_existing_versions":true}`,
					400, "INVALID_PARAMETER_VALUE", "Invalid Model Version stage: Live. Value must be one of None, Staging, Production, Archived.",
				},
				{
					"POST model-versions/transition-stage", `{"name":"m","version":"1","stage":"None","archive_existing_versions":true}`,
					400, "INVALID_PARAMETER_VALUE", "Model version transition cannot archive existing model versions because 'None' is not an Active stage. Valid stages are ['Staging', 'Production']",
				},
				{"GET model-versions/search", "max_results=10001", 400, "INVALID_PARAMETER_VALUE", "Invalid value for request parameter max_results. It must be at most 10000, but got value 10001"},
				{
					"POST databricks/model-versions/transition-stage", `{"name":"m","version":"1","stage":"Staging","comment":"` + strings.Repeat("é", 65536) + `"}`,
					400, "INVALID_PARAMETER_VALUE", "A comment may have at most 65535 characters, this one has 65536.",
				},
				{
					"POST comments/create", `{"name":"m","version":"1","comment":"` + strings.Repeat("é", 65536) + `"}`,
					400, "INVALID_PARAMETER_VALUE", "A comment may have at most 65535 characters, this one has 65536.",
				},
				{"POST model-versions/transition", `{}`, 404, "ENDPOINT_NOT_FOUND", "No API found for 'POST /mlflow/model-versions/transition'"},
				{"GET /api/3.0/mlflow/workspaces", "", 404, "ENDPOINT_NOT_FOUND", "No API found for 'GET /3.0/mlflow/workspaces'"},
			} {
				status, out := w.ask(c.call, c.in)
				want := map[string]any{"error_code": c.code, "message": c.msg}
				if diff := cmp.Diff(want, out); diff != "" || status != c.status {
					t.Errorf("%s %s: %d, want %d (-want +got):\n%s", c.call, c.in, status, c.status, diff)
				}
			}
			resp, _ := w.raw(http.MethodGet, "/api/2.0/mlflow/registered-models/get?name=m", nil)
			if got := resp.Header.Get("X-Databricks-Org-Id"); got != "12" {
				t.Errorf("the answer names workspace %q, want 12", got)
			}
		})
	}
}
