package mlflow_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

// newRun makes an experiment and a run in it; its files lie under the prefix in the Files API.
func newRun(w *twin) (id, prefix string) {
	w.t.Helper()
	experiment := w.must("POST experiments/create", `{"name":"/Shared/files"}`)["experiment_id"]
	run := w.must("POST runs/create", fmt.Sprintf(`{"experiment_id":"%v","start_time":1}`, experiment))
	id, _ = at(w.t, run, "run", "info", "run_id").(string)
	if want := fmt.Sprintf("dbfs:/databricks/mlflow-tracking/%v/%s/artifacts", experiment, id); at(w.t, run, "run", "info", "artifact_uri") != want {
		w.t.Fatalf("the run's artifacts are shown at %v, want %s", at(w.t, run, "run", "info", "artifact_uri"), want)
	}
	return id, fmt.Sprintf("WorkspaceInternal/Mlflow/Artifacts/%v/Runs/%s/artifacts", experiment, id)
}

func TestFiles(t *testing.T) {
	t.Parallel()
	w := newTwin(t, mlflow.Light(), "files", 1)
	id, prefix := newRun(w)
	files, dirs := "/api/2.0/fs/files/"+prefix, "/api/2.0/fs/directories/"+prefix

	check := func(method, path, body string, status int, want string) *http.Response {
		t.Helper()
		resp, b := w.raw(method, path, strings.NewReader(body))
		if resp.StatusCode != status || string(b) != want {
			t.Errorf("%s %s: %d %q, want %d %q", method, path, resp.StatusCode, b, status, want)
		}
		return resp
	}
	gone := func(kind, path string) string {
		return fmt.Sprintf(`{"error_code":"NOT_FOUND","message":"The %s being accessed is not found: %s"}`+"\n", kind, path)
	}

	check("HEAD", dirs, "", 404, "")
	check("GET", dirs, "", 404, gone("directory", "/"+prefix))
	check("PUT", files+"/sub/a%20b/%C3%BC.txt?overwrite=true", "héllo", 204, "")
	check("PUT", files+"/x.txt", "12345", 204, "")
	check("PUT", files+"/empty", "", 204, "")
	check("PUT", files+"/x.txt?overwrite=false", "67890", 409, fmt.Sprintf(`{"error_code":"ALREADY_EXISTS","message":"The file being created already exists: /%s/x.txt"}`+"\n", prefix))
	check("GET", files+"/sub/a%20b/%C3%BC.txt", "", 200, "héllo")
	check("GET", files+"/empty", "", 200, "")
	if resp := check("HEAD", files+"/x.txt", "", 200, ""); resp.ContentLength != 5 || resp.Header.Get("Last-Modified") == "" {
		t.Errorf("HEAD says %d bytes, last modified %q", resp.ContentLength, resp.Header.Get("Last-Modified"))
	}
	check("HEAD", dirs+"/", "", 200, "")
	check("HEAD", dirs+"/x.txt", "", 404, "")
	check("GET", files+"/none", "", 404, gone("file", "/"+prefix+"/none"))
	check("HEAD", files+"/none", "", 404, "")
	check("GET", files+"/../../../../../../../../etc/passwd", "", 404, `{"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'GET /fs/etc/passwd'"}`+"\n")
	check("PUT", "/api/2.0/fs/files/WorkspaceInternal/Mlflow/Artifacts/1/x", "z", 404, `{"error_code":"NOT_FOUND","message":"No such path: /WorkspaceInternal/Mlflow/Artifacts/1/x"}`+"\n")
	check("POST", files+"/big?action=initiate-upload&overwrite=true", "", 404, fmt.Sprintf(`{"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'POST /fs/files/%s/big'"}`+"\n", prefix))
	check("DELETE", files+"/empty", "", 204, "")
	check("DELETE", files+"/empty", "", 404, gone("file", "/"+prefix+"/empty"))

	_, b := w.raw("GET", dirs, nil)
	var listed struct {
		Contents []map[string]any `json:"contents"`
	}
	if err := json.Unmarshal(b, &listed); err != nil {
		t.Fatal(err)
	}
	for _, c := range listed.Contents {
		if ms, ok := c["last_modified"].(float64); !ok || ms < 1e12 {
			t.Errorf("last_modified is %v, want milliseconds", c["last_modified"])
		}
		delete(c, "last_modified")
	}
	want := []map[string]any{
		{"path": "/" + prefix + "/sub", "name": "sub", "is_directory": true},
		{"path": "/" + prefix + "/x.txt", "name": "x.txt", "is_directory": false, "file_size": 5.0},
	}
	if diff := cmp.Diff(want, listed.Contents); diff != "" {
		t.Errorf("the listing (-want +got):\n%s", diff)
	}

	out := w.must("GET artifacts/list", "run_id="+id+"&path=sub")
	if diff := cmp.Diff([]any{map[string]any{"path": "sub/a b", "is_dir": true}}, out["files"]); diff != "" {
		t.Errorf("artifacts/list (-want +got):\n%s", diff)
	}
	out = w.must("GET artifacts/list", "run_id="+id+"&path=x.txt")
	if diff := cmp.Diff([]any{map[string]any{"path": "x.txt", "is_dir": false, "file_size": json.Number("5")}}, out["files"]); diff != "" {
		t.Errorf("artifacts/list of a file (-want +got):\n%s", diff)
	}
	url := w.must("POST /api/2.0/fs/create-download-url", "path=/"+prefix+"/x.txt")["url"]
	if got := fetch(t, url); string(got) != "12345" {
		t.Errorf("the download URL gives %q", got)
	}
	url = w.must("POST /api/2.0/fs/create-download-url", `{"path":"/`+prefix+`/sub/a b/ü.txt"}`)["url"]
	if got := fetch(t, url); string(got) != "héllo" {
		t.Errorf("the download URL gives %q", got)
	}
	if status, _ := w.ask("POST /api/2.0/fs/create-download-url", "path=/Volumes/x"); status != 404 {
		t.Errorf("a download URL elsewhere: %d, want 404", status)
	}
}

// TestSigned uploads and downloads a run's files the way of MLflow 2, and tries every way a URL may be wrong.
func TestSigned(t *testing.T) {
	t.Parallel()
	w := newTwin(t, mlflow.Light(), "signed", 1)
	id, _ := newRun(w)
	uri := func(kind, path string) string {
		t.Helper()
		out := w.must("POST artifacts/credentials-for-"+kind, fmt.Sprintf(`{"run_id":"%s","path":["other",%q]}`, id, path))
		if at(t, out, "credential_infos", 1, "path") != path || at(t, out, "credential_infos", 1, "type") != "AWS_PRESIGNED_URL" {
			t.Fatalf("credentials are %v", out)
		}
		s, _ := at(t, out, "credential_infos", 1, "signed_uri").(string)
		return s
	}
	send := func(method, uri, body string, header ...string) (int, string, http.Header) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, uri, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		if _, err := b.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, b.String(), resp.Header
	}

	write, read := uri("write", "model/index.html"), uri("read", "model/index.html")
	if status, body, _ := send("GET", read, ""); status != 404 {
		t.Errorf("reading what is not there: %d %s", status, body)
	}
	if status, body, _ := send("PUT", write, "0123456789"); status != 200 || body != "" {
		t.Errorf("uploading: %d %s", status, body)
	}
	if status, body, _ := send("GET", read, ""); status != 200 || body != "0123456789" {
		t.Errorf("downloading: %d %s", status, body)
	}
	if status, body, h := send("GET", read, "", "Range", "bytes=2-4"); status != 206 || body != "234" || h.Get("Content-Range") != "bytes 2-4/10" {
		t.Errorf("a range: %d %q %s", status, body, h.Get("Content-Range"))
	}
	wrong := map[string]string{
		"for another method":  strings.Replace(read, "method=GET", "method=PUT", 1),
		"for another file":    strings.Replace(read, "index.html", "other.html", 1),
		"for longer":          strings.Replace(read, "expires=", "expires=9", 1),
		"for another tree":    strings.Replace(read, "/artifacts/", "/models/", 1),
		"without a signature": read[:strings.Index(read, "&sig=")],
		"without anything":    read[:strings.Index(read, "?")],
	}
	for name, uri := range wrong {
		if status, body, _ := send("GET", uri, ""); status != 403 {
			t.Errorf("a URL %s: %d %s", name, status, body)
		}
	}
	if status, _, _ := send("PUT", read, "x"); status != 403 {
		t.Errorf("writing with a URL for reading: %d", status)
	}
	up, err := url.Parse(uri("read", "../../../../../secret"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(up.Path, "/artifacts/secret") || strings.Contains(up.Path, "..") {
		t.Errorf("a path with dots is signed as %s", up.Path)
	}
	// Another twin's key signs nothing here.
	other := newTwin(t, mlflow.Light(), "signed", 1)
	if status, _, _ := send("GET", strings.Replace(read, w.URL, other.URL, 1), ""); status != 403 {
		t.Errorf("another twin's URL: %d", status)
	}
}

// TestVersions is what the copies of registered models promise.
func TestVersions(t *testing.T) {
	t.Parallel()
	w := newTwin(t, mlflow.Light(), "versions", 1)
	w.put("up/MLmodel", "first")
	w.put("up/data/x", "y")
	w.must("POST registered-models/create", `{"name":"m"}`)
	create := func(source string) map[string]any {
		t.Helper()
		return w.must("POST model-versions/create", fmt.Sprintf(`{"name":"m","source":%q}`, source))
	}
	create("dbfs:/up")
	w.put("up/MLmodel", "second")
	create("dbfs:/up/m-0123") // MLflow 3: names a folder below the one it uploaded to
	if err := os.RemoveAll(filepath.Join(w.dbfs, "up")); err != nil {
		t.Fatal(err)
	}
	first := w.download("m", "1", "")
	if diff := cmp.Diff(map[string]string{"MLmodel": sum([]byte("first")), "data/x": sum([]byte("y"))}, first); diff != "" {
		t.Errorf("version 1 (-want +got):\n%s", diff)
	}
	if got := w.download("m", "2", "")["MLmodel"]; got != sum([]byte("second")) {
		t.Error("version 2 is not what was uploaded")
	}
	create("models:/m/1")
	if diff := cmp.Diff(first, w.download("m", "3", "")); diff != "" {
		t.Errorf("the copy of version 1 (-want +got):\n%s", diff)
	}

	failed := create("dbfs:/nowhere")
	for _, doc := range []any{
		failed["model_version"],
		w.must("GET model-versions/get", "name=m&version=4")["model_version"],
		at(t, w.must("GET model-versions/search", "filter=name='m'"), "model_versions", 0),
	} {
		if at(t, doc, "status") != "FAILED_REGISTRATION" || at(t, doc, "status_message") != "Failed registration. The given source path does not exist." {
			t.Errorf("a version without a source: %v", doc)
		}
	}
	latest := w.must("POST registered-models/get-latest-versions", `{"name":"m","stages":["None"]}`)
	if got := at(t, latest, "model_versions", 0, "version"); got != "3" {
		t.Errorf("the latest READY version is %v, want 3", got)
	}

	uri := w.must("GET model-versions/get-signed-download-uri", "name=m&version=1&path=MLmodel")["signed_uri"]
	fetch(t, uri)
	w.must("DELETE model-versions/delete", `{"name":"m","version":"1"}`)
	resp, err := http.Get(uri.(string)) //nolint:noctx // a test's own address
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("a deleted version's file: %d, want 404", resp.StatusCode)
	}
	model := w.must("GET databricks/registered-models/get", "name=m")
	id, _ := at(t, model, "registered_model_databricks", "id").(string)
	if name, ok := w.front.ModelName(id); !ok || name != "m" || len(id) != 32 {
		t.Errorf("id %q is of model %q", id, name)
	}
	w.must("POST registered-models/rename", `{"name":"m","new_name":"n"}`)
	if name, _ := w.front.ModelName(id); name != "n" {
		t.Errorf("after renaming, the id is of %q", name)
	}
	w.must("DELETE registered-models/delete", `{"name":"n"}`)
	if _, ok := w.front.ModelName(id); ok {
		t.Error("a deleted model's id is still known")
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(w.dbfs), "mlflow", "models", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("copies left behind: %v %v", left, err)
	}
	w.must("POST registered-models/create", `{"name":"n"}`)
	model = w.must("GET databricks/registered-models/get", "name=n")
	if at(t, model, "registered_model_databricks", "id") == id {
		t.Error("another model of the same name has the same id")
	}
}

// TestTwinsApart registers the same name in two twins of one backend.
func TestTwinsApart(t *testing.T) {
	t.Parallel()
	for name, backend := range backends(t) {
		t.Run(name, func(t *testing.T) {
			a, b := newTwin(t, backend, "apart-a", 1), newTwin(t, backend, "Apart_B", 2)
			a.must("POST registered-models/create", `{"name":"m","description":"of a"}`)
			if status, _ := b.ask("GET registered-models/get", "name=m"); status != 404 {
				t.Errorf("b sees a's model: %d", status)
			}
			b.must("POST registered-models/create", `{"name":"m","description":"of b"}`)
			if got := at(t, a.must("GET registered-models/get", "name=m"), "registered_model", "description"); got != "of a" {
				t.Errorf("a's model is now %v", got)
			}
			run, _ := newRun(a)
			if status, _ := b.ask("GET runs/get", "run_id="+run); status != 404 {
				t.Errorf("b sees a's run: %d", status)
			}
		})
	}
}
