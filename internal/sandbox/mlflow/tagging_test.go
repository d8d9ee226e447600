package mlflow_test

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

// alone is a backend that sees whether tags are set at the same time.
type alone struct {
	mlflow.Backend
	busy     atomic.Bool
	together atomic.Bool
}

func (a *alone) Do(ctx context.Context, workspace string, call mlflow.Call) (mlflow.Answer, error) {
	if strings.HasSuffix(call.Path, "/set-tag") {
		if a.busy.Swap(true) {
			a.together.Store(true)
		}
		defer a.busy.Store(false)
		for range 1000 {
			runtime.Gosched()
		}
	}
	return a.Backend.Do(ctx, workspace, call)
}

// TestTagsOneByOne: MLflow's database refuses the second of two equal tags that are new at the same time.
func TestTagsOneByOne(t *testing.T) {
	t.Parallel()
	backend := &alone{Backend: mlflow.Light()}
	w := newTwin(t, backend, "dev", 1)
	post := func(path, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/api/2.0/mlflow/"+path, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer answer.Body.Close()
		return answer.StatusCode
	}
	if got := post("registered-models/create", `{"name": "m"}`); got != http.StatusOK {
		t.Fatalf("the model is not made: %d", got)
	}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if got := post("registered-models/set-tag", `{"name": "m", "key": "k", "value": "v"}`); got != http.StatusOK {
				t.Errorf("a tag is not set: %d", got)
			}
		})
	}
	all.Wait()
	if backend.together.Load() {
		t.Error("two tags were set at once")
	}
}
