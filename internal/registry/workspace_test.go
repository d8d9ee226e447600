package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/registry"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/bargeml/barge/internal/sandbox/wire"
	"github.com/bargeml/barge/internal/transport"
)

// answer is a fault: this body in place of what would be answered to a path that ends so.
func answer(path string, status int, body any) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, path) {
			return false
		}
		wire.Write(w, status, body)
		return true
	}
}

type object = map[string]any

func TestNotReady(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	for _, tc := range []struct{ status, want string }{
		{"PENDING_REGISTRATION", "version 3 of model m in workspace registry is still being registered; wait and try again: model version is not ready"},
		{"FAILED_REGISTRATION", "version 3 of model m in workspace registry is FAILED_REGISTRATION (out of space); register it anew: model version is not ready"},
	} {
		version := object{"name": "m", "version": "3", "status": tc.status, "status_message": "out of space", "current_stage": "Staging"}
		w.setFault(func(rw http.ResponseWriter, r *http.Request) bool {
			return answer("model-versions/get", 200, object{"model_version": version})(rw, r) ||
				answer("model-versions/search", 200, object{"model_versions": []any{version}})(rw, r)
		})
		for _, selector := range []string{"3", "latest", "Staging"} {
			_, err := w.registry().Resolve(t.Context(), "m", selector)
			if !errors.Is(err, registry.ErrNotReady) || err.Error() != tc.want {
				t.Errorf("%s: %v", selector, err)
			}
		}
	}
	// One that is ready is found behind one that is not.
	w.setFault(answer("model-versions/search", 200, object{"model_versions": []any{
		object{"name": "m", "version": "9", "status": "READY"}, object{"name": "m", "version": "10", "status": "PENDING_REGISTRATION"},
	}}))
	if v, err := w.registry().Resolve(t.Context(), "m", "latest"); err != nil || v.Number != "9" {
		t.Errorf("%+v, %v", v, err)
	}
}

// A version that vanishes while its files are read.
func TestVanished(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	w.model("m")
	w.register("m", map[string]string{"MLmodel": "x", "data/a": "y"}, nil, "")
	v, err := w.registry().Resolve(t.Context(), "m", "1")
	if err != nil {
		t.Fatal(err)
	}
	gone := object{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Model Version (name=m, version=1) not found"}
	for _, path := range []string{"list-artifacts", "get-signed-download-uri"} {
		w.setFault(answer(path, 404, gone))
		sums, err := registry.Digest(t.Context(), w.registry().Files(t.Context(), v))
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "version 1 of model m in workspace registry") || sums.Digest != "" {
			t.Errorf("%s: %+v, %v", path, sums, err)
		}
	}
}

func TestForbidden(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	w.setFault(answer("model-versions/search", 403, object{"error_code": "PERMISSION_DENIED", "message": "no"}))
	if _, err := w.registry().Resolve(t.Context(), "m", "latest"); !errors.Is(err, databricks.ErrForbidden) {
		t.Errorf("%v", err)
	}
}

func TestAliasesAreElsewhere(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	_, err := w.registry().Resolve(t.Context(), "m", "@champion")
	if err == nil || err.Error() != "model m: the registry of workspace registry has stages, no aliases such as @champion" || len(w.took()) != 0 {
		t.Errorf("%v", err)
	}
}

// The storage behind a signed address is not the workspace's: no token goes there.
func TestSignedRequestsCarryNoToken(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	w.model("m")
	w.register("m", map[string]string{"MLmodel": "x", "data/a": "y"}, nil, "")
	v, err := w.registry().Resolve(t.Context(), "m", "1")
	if err != nil {
		t.Fatal(err)
	}
	w.took()
	if _, err := registry.Digest(t.Context(), w.registry().Files(t.Context(), v)); err != nil {
		t.Fatal(err)
	}
	calls := w.took()
	slices.Sort(calls)
	want := []string{
		"GET model-versions/get-signed-download-uri", "GET model-versions/get-signed-download-uri",
		"GET model-versions/list-artifacts", "GET model-versions/list-artifacts", "signed ", "signed ",
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestListedFilesStayInside(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	for _, path := range []string{"../secret", "/etc/passwd", "a/../../b", "", "a\nb", "."} {
		w.setFault(answer("list-artifacts", 200, object{"files": []any{object{"path": path, "is_dir": false, "file_size": 1}}}))
		_, err := registry.Digest(t.Context(), w.registry().Files(t.Context(), registry.Version{Model: "m", Number: "1"}))
		if err == nil || !strings.Contains(err.Error(), "leads elsewhere") {
			t.Errorf("%q: %v", path, err)
		}
	}
	// A folder that holds itself must not be walked for ever.
	w.setFault(answer("list-artifacts", 200, object{"files": []any{object{"path": "a", "is_dir": true}}}))
	_, err := registry.Digest(t.Context(), w.registry().Files(t.Context(), registry.Version{Model: "m", Number: "1"}))
	if err == nil || !strings.Contains(err.Error(), "leads elsewhere") {
		t.Errorf("a folder in itself: %v", err)
	}
}

// Assign is one call, the one that archives in the same breath, and says what is wrong.
func TestAssignIsOneCall(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	w.model("m")
	w.register("m", one, nil, "")
	w.took()
	if err := w.registry().Assign(t.Context(), registry.Assignment{Model: "m", Version: "1", Slot: "Production", Archive: true}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"POST databricks/model-versions/transition-stage"}, w.took()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// As a Set of the engine it is sent once, whatever comes.
	w.setFault(answer("transition-stage", 500, object{"error_code": "INTERNAL_ERROR", "message": "oops"}))
	err := w.registry().Assign(transport.With(t.Context(), transport.Once), registry.Assignment{Model: "m", Version: "1", Slot: "Production"})
	if calls := w.took(); databricks.Definite(err) || len(calls) != 1 {
		t.Errorf("%v after %v", err, calls)
	}
	want := "setting version 1 of model m to stage Production in workspace registry (" + w.url + "): 500 INTERNAL_ERROR: oops"
	if err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestMetricsThatAreNoNumbers(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	w.setFault(answer("runs/get", 200, json.RawMessage(`{"run":{"data":{"metrics":[
		{"key":"nan","value":"NaN"},{"key":"inf","value":"Infinity"},{"key":"minus","value":"-Infinity"},{"key":"x","value":0.1},{"key":"text","value":"?"}]}}}`)))
	got, err := w.registry().Metrics(t.Context(), registry.Version{RunID: "r"})
	if err != nil || !math.IsNaN(got["nan"]) || !math.IsInf(got["inf"], 1) || !math.IsInf(got["minus"], -1) || got["x"] != 0.1 || !math.IsNaN(got["text"]) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestModelID(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	w.model("m")
	if id, err := w.registry().ModelID(t.Context(), "m"); id == "" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
}

// Names that a filter or a path could trip over.
func TestOddNames(t *testing.T) {
	w := newTwin(t, mlflow.Light())
	for _, name := range []string{"o'brien", "a b", "ü%20&x=1"} {
		w.model(name)
		w.register(name, one, nil, "")
		if v, err := w.registry().Resolve(t.Context(), name, "latest"); err != nil || v.Number != "1" || v.Model != name {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

func files(list ...registry.File) iter.Seq2[registry.File, error] {
	return func(yield func(registry.File, error) bool) {
		for _, f := range list {
			if !yield(f, nil) {
				return
			}
		}
	}
}

func file(path, content string, size int64) registry.File {
	return registry.File{Path: path, Size: size, Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(content)), nil
	}}
}

func TestDigestRefuses(t *testing.T) {
	broken := registry.File{Path: "broken", Size: -1, Open: func(context.Context) (io.ReadCloser, error) { return nil, errors.New("disk full") }}
	for _, tc := range []struct {
		name  string
		files []registry.File
		want  string
	}{
		{"nothing", nil, "summing up files: there is none"},
		{"only what is left out", []registry.File{file("registered_model_meta", "x", 1)}, "summing up files: there is none"},
		{"a path twice", []registry.File{file("a", "x", 1), file("a", "x", 1)}, `summing up files: path "a" is listed twice or leads elsewhere`},
		{"fewer bytes than listed", []registry.File{file("a", "x", 2)}, "summing up a: 1 bytes came, 2 were listed"},
		{"a file that cannot be opened", []registry.File{file("a", "x", 1), broken}, "summing up broken: disk full"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sums, err := registry.Digest(t.Context(), files(tc.files...))
			if err == nil || err.Error() != tc.want || sums.Digest != "" {
				t.Errorf("%+v, %v", sums, err)
			}
		})
	}
}

// The order of listing does not matter; path and content do.
func TestDigest(t *testing.T) {
	digest := func(list ...registry.File) string {
		t.Helper()
		sums, err := registry.Digest(t.Context(), files(list...))
		if err != nil {
			t.Fatal(err)
		}
		return sums.Digest
	}
	base := digest(file("a", "1", 1), file("b/c", "2", -1), file("registered_model_meta", "x", 1))
	if got := digest(file("b/c", "2", 1), file("a", "1", 1)); got != base {
		t.Errorf("another order: %s, not %s", got, base)
	}
	for name, other := range map[string]string{
		"content": digest(file("a", "1", 1), file("b/c", "3", 1)), "path": digest(file("a", "1", 1), file("b/d", "2", 1)),
		"one more": digest(file("a", "1", 1), file("b/c", "2", 1), file("d", "", 0)),
		"deeper":   digest(file("a", "1", 1), file("b/c", "2", 1), file("b/registered_model_meta", "x", 1)),
	} {
		if other == base {
			t.Errorf("another %s: the same digest", name)
		}
	}
}
