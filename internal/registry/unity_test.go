package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/registry"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/bargeml/barge/internal/sandbox/wire"
)

// A list comes in pages, of which one may be empty, and has no tags; what is not ready stands behind what is.
func TestUnityListsInPages(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	tagged := map[string][]any{"11": {object{"key": "barge_2etraining", "value": "x"}}, "2": {object{"key": "barge_2etraining", "value": "x"}}}
	status := map[string]string{"11": "PENDING_REGISTRATION"}
	w.setFault(func(rw http.ResponseWriter, r *http.Request) bool {
		pages := map[string]object{
			"":  {"model_versions": []any{object{"version": 2, "status": "READY", "created_at": 1}}, "next_page_token": "a"},
			"a": {"model_versions": []any{}, "next_page_token": "b"},
			"b": {"model_versions": append(ready(3, 10), object{"version": 11, "status": "PENDING_REGISTRATION"})},
		}
		number := r.URL.Query().Get("version")
		switch {
		case strings.HasSuffix(r.URL.Path, "/versions"):
			wire.Write(rw, 200, pages[r.URL.Query().Get("page_token")])
		case strings.HasSuffix(r.URL.Path, "/model-versions/get"):
			state := status[number]
			if state == "" {
				state = "READY"
			}
			wire.Write(rw, 200, object{"model_version": object{"name": "c.s.m", "version": number, "status": state, "tags": tagged[number]}})
		default:
			return false
		}
		return true
	})
	r := registry.NewUnity(w.workspace)
	for selector, want := range map[string]string{"latest": "10", "tag:barge.training=x": "2"} {
		v, err := r.Resolve(t.Context(), "c.s.m", selector)
		if err != nil || v.Number != want {
			t.Errorf("%s: %+v, %v", selector, v, err)
		}
	}
	status["2"] = "FAILED_REGISTRATION"
	if _, err := r.Resolve(t.Context(), "c.s.m", "tag:barge.training=x"); !errors.Is(err, registry.ErrNotReady) || !strings.Contains(err.Error(), "version 11") {
		t.Errorf("none is ready: %v", err)
	}
	if _, err := r.Resolve(t.Context(), "c.s.m", "tag:barge.training=y"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none fits: %v", err)
	}
}

func ready(from, to int) []any {
	var all []any
	for n := from; n <= to; n++ {
		all = append(all, object{"version": n, "status": "READY"})
	}
	return all
}

// More versions than are asked for their tags at once: the newest of all that fit is found.
func TestUnityManyTags(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	k := w.unity("main.ml.")
	k.model(k.m("m"))
	for i := range 19 {
		k.register(k.m("m"), one, map[string]string{"third": fmt.Sprint(i % 3), "first": fmt.Sprint(i < 1)}, "")
	}
	for selector, want := range map[string]string{"tag:third=0": "19", "tag:third=1": "17", "tag:first=true": "1"} {
		if v, err := k.Resolve(t.Context(), k.m("m"), selector); err != nil || v.Number != want {
			t.Errorf("%s: %+v, %v", selector, v, err)
		}
	}
}

// What is no key of Unity Catalog's is spelt otherwise there, and what somebody else spelt so stays as it is.
func TestUnityTagKeys(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	k := w.unity("main.ml.")
	k.model(k.m("m"))
	want := map[string]string{"barge.env.pre-prod_eu": "1", "a,b=c/d:e": "2", "plain": "3", "ü": "4", "a.b": "5", "a_2eb": "6"}
	if err := k.TagModel(t.Context(), k.m("m"), want); err != nil {
		t.Fatal(err)
	}
	w.post("unity-catalog/registered-models/set-tag", map[string]any{"name": k.m("m"), "key": "validation_status", "value": "ok"}, nil)
	want["validation_status"] = "ok"
	got, err := k.ModelTags(t.Context(), k.m("m"))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := k.TagModel(t.Context(), k.m("m"), map[string]string{"barge.env.pre-prod_eu": ""}); err != nil {
		t.Fatal(err)
	}
	if got, err := k.ModelTags(t.Context(), k.m("m")); got["barge.env.pre-prod_eu"] != "" || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// What goes wrong with a file is told with its name, and is what it is.
func TestStreamedFiles(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	k := w.unity("main.ml.")
	k.model(k.m("m"))
	k.register(k.m("m"), one, nil, "")
	v, err := k.Resolve(t.Context(), k.m("m"), "1")
	if err != nil {
		t.Fatal(err)
	}
	for status, want := range map[int]error{403: databricks.ErrForbidden, 404: fs.ErrNotExist, 401: databricks.ErrUnauthenticated} {
		w.setFault(answer("MLmodel", status, object{"error_code": "SOME_CODE", "message": "no"}))
		_, err := registry.Digest(t.Context(), k.Files(t.Context(), v))
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "reading MLmodel of version 1 of model main.ml.m in workspace registry") {
			t.Errorf("%d: %v", status, err)
		}
	}
	w.setFault(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/MLmodel") {
			return false
		}
		http.Redirect(rw, r, w.url+"/login?secret=1", http.StatusFound)
		return true
	})
	w.took()
	_, err = registry.Digest(t.Context(), k.Files(t.Context(), v))
	if err == nil || !strings.Contains(err.Error(), "the host sends to "+w.url+"/login") || strings.Contains(err.Error(), "secret") {
		t.Errorf("a page: %v", err)
	}
	if calls := w.took(); len(calls) != 2 { // the folder and the file
		t.Errorf("the token went after a redirect: %v", calls)
	}
	w.setFault(answer("directories/Models/main/ml/m/1", 200, object{"contents": []any{object{"name": "../../secret"}}}))
	if _, err := registry.Digest(t.Context(), k.Files(t.Context(), v)); err == nil || !strings.Contains(err.Error(), "leads elsewhere") {
		t.Errorf("a path that leads out: %v", err)
	}
}

func TestMLflowFilesElsewhere(t *testing.T) {
	b := newBare(t, mlflow.Light(), "bare")
	b.model("m")
	b.post("model-versions/create", map[string]any{"name": "m", "source": "s3://bucket/model"}, nil)
	r := registry.NewMLflow(b.at)
	v, err := r.Resolve(t.Context(), "m", "latest")
	if err != nil {
		t.Fatal(err)
	}
	_, err = registry.Digest(t.Context(), r.Files(t.Context(), v))
	if err == nil || !strings.Contains(err.Error(), "they are at s3://bucket/model, which the server does not serve itself") {
		t.Errorf("%v", err)
	}
}

func TestStagesAreElsewhere(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	for _, r := range []registry.Registry{registry.NewUnity(w.workspace), registry.NewMLflow(w.workspace)} {
		_, err := r.Resolve(t.Context(), "m", "Production")
		if err == nil || !strings.Contains(err.Error(), "which has aliases and no stages") || len(w.took()) != 0 {
			t.Errorf("%v", err)
		}
	}
}

func TestMLflowToken(t *testing.T) {
	b := newBare(t, mlflow.Light(), "bare")
	other := databricks.Open(databricks.Options{Name: "models", Noun: "MLflow server", Host: b.url, Token: otherToken})
	_, err := registry.NewMLflow(other).Resolve(t.Context(), "m", "1")
	if !errors.Is(err, databricks.ErrUnauthenticated) || !strings.Contains(err.Error(), `in MLflow server models (`+b.url) || !strings.Contains(err.Error(), `check that of MLflow server "models"`) {
		t.Errorf("%v", err)
	}
}

func otherToken(context.Context) (string, time.Time, error) { return "another", time.Time{}, nil }
