package mlflow_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

// TestRequests walks comments and transition requests through their lives.
func TestRequests(t *testing.T) {
	t.Parallel()
	w := newTwin(t, mlflow.Light(), "requests", 1)
	w.put("src/MLmodel", "x")
	w.must("POST registered-models/create", `{"name":"m"}`)
	for range 2 {
		w.must("POST model-versions/create", `{"name":"m","source":"dbfs:/src"}`)
	}
	w.must("POST model-versions/transition-stage", `{"name":"m","version":"1","stage":"Production"}`)

	id, _ := at(t, w.must("POST comments/create", `{"name":"m","version":"1","comment":"good"}`), "comment", "id").(string)
	got := w.must("PATCH comments/update", fmt.Sprintf(`{"id":%q,"comment":"better"}`, id))
	if at(t, got, "comment", "comment") != "better" || at(t, got, "comment", "user_id") != "dana@example.com" {
		t.Errorf("the changed comment is %v", got)
	}
	w.must("DELETE comments/delete", "id="+id)
	if status, _ := w.ask("DELETE comments/delete", "id="+id); status != 404 {
		t.Errorf("deleting a comment twice: %d, want 404", status)
	}

	for _, stage := range []string{"Production", "Staging", "Archived"} {
		w.must("POST transition-requests/create", fmt.Sprintf(`{"name":"m","version":"2","stage":%q,"comment":"please"}`, stage))
	}
	open := func() []any {
		t.Helper()
		var to []any
		list, _ := w.must("GET transition-requests/list", "name=m&version=2")["requests"].([]any)
		for i := range list {
			to = append(to, at(t, list, i, "to_stage"))
		}
		return to
	}
	if diff := cmp.Diff([]any{"Production", "Staging", "Archived"}, open()); diff != "" {
		t.Errorf("open requests (-want +got):\n%s", diff)
	}
	for call, want := range map[string]string{
		"POST transition-requests/reject":   "REJECTED_REQUEST",
		"POST transition-requests/approve":  "APPROVED_REQUEST",
		"DELETE transition-requests/delete": "CANCELLED_REQUEST",
	} {
		in := map[string]string{
			"POST transition-requests/reject":   `{"name":"m","version":"2","stage":"Staging"}`,
			"POST transition-requests/approve":  `{"name":"m","version":"2","stage":"Production","archive_existing_versions":true}`,
			"DELETE transition-requests/delete": "name=m&version=2&stage=Archived&creator=dana@example.com",
		}[call]
		if got := at(t, w.must(call, in), "activity", "activity_type"); got != want {
			t.Errorf("%s: %v, want %s", call, got, want)
		}
	}
	if left := open(); len(left) > 0 {
		t.Errorf("still open: %v", left)
	}
	for version, stage := range map[string]string{"1": "Archived", "2": "Production"} {
		if got := at(t, w.must("GET model-versions/get", "name=m&version="+version), "model_version", "current_stage"); got != stage {
			t.Errorf("version %s is in %v, want %s", version, got, stage)
		}
	}
}

// TestManyAtOnce: versions made at the same moment are all made, each with its own number and files.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	for name, backend := range backends(t) {
		t.Run(name, func(t *testing.T) {
			w := newTwin(t, backend, "many", 1)
			w.must("POST registered-models/create", `{"name":"m"}`)
			const writers = 24
			versions := make([]any, writers)
			var wg sync.WaitGroup
			for i := range writers {
				w.put(fmt.Sprintf("src/%d/MLmodel", i), fmt.Sprint(i))
				wg.Go(func() {
					status, out := w.ask("POST model-versions/create", fmt.Sprintf(`{"name":"m","source":"dbfs:/src/%d"}`, i))
					if status != 200 {
						t.Errorf("writer %d: %d %v", i, status, out)
						return
					}
					v, _ := out["model_version"].(map[string]any)
					versions[i] = v["version"]
				})
			}
			wg.Wait()
			taken := map[any]int{}
			for i, v := range versions {
				if other, ok := taken[v]; ok {
					t.Errorf("writers %d and %d both made version %v", other, i, v)
				}
				taken[v] = i
				if got := w.download("m", fmt.Sprint(v), "")["MLmodel"]; got != sum(fmt.Append(nil, i)) {
					t.Errorf("version %v does not hold what writer %d registered", v, i)
				}
			}
		})
	}
}
