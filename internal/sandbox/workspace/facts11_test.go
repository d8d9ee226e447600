package workspace_test

// The rows of DBFS and of files in volumes, and what reaches the disk from beside the API.

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

var moment = regexp.MustCompile(`"(modification_time|last_modified)":\d+`)

func still(answer string) string { return moment.ReplaceAllString(answer, `"$1":0`) }

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestDBFS(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	tooBig := b64(strings.Repeat("x", 1<<20+1))
	for _, step := range []struct{ name, got, want string }{
		{"put", c.post("dbfs/put", `{"path":"dbfs:/mnt/a/f","contents":"`+b64("hello")+`"}`), `200 {}`},
		{"put again", c.post("dbfs/put", `{"path":"/mnt/a/f","contents":"`+b64("x")+`"}`), `400 {"error_code":"RESOURCE_ALREADY_EXISTS","message":"A file or directory already exists at the input path dbfs:/mnt/a/f."}`},
		{"put more than 1 MB", c.post("dbfs/put", `{"path":"/big","contents":"`+tooBig+`"}`), `400 {"error_code":"MAX_BLOCK_SIZE_EXCEEDED","message":"The block of 1048577 bytes is larger than the maximum of 1048576 bytes."}`},
		{"status", still(c.get("dbfs/get-status?path=dbfs:/mnt/a/f")), `200 {"file_size":5,"is_dir":false,"modification_time":0,"path":"/mnt/a/f"}`},
		{"status of nothing", c.get("dbfs/get-status?path=/no"), `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No file or directory exists on path dbfs:/no."}`},
		{"list", still(c.get("dbfs/list?path=/mnt")), `200 {"files":[{"file_size":0,"is_dir":true,"modification_time":0,"path":"/mnt/a"}]}`},
		{"list with the double slash of mlflow", still(c.get("dbfs/list?path=/mnt//a")), `200 {"files":[{"file_size":5,"is_dir":false,"modification_time":0,"path":"/mnt/a/f"}]}`},
		{"read", c.get("dbfs/read?path=/mnt/a/f&offset=1&length=3"), `200 {"bytes_read":3,"data":"` + b64("ell") + `"}`},
		{"read behind the end", c.get("dbfs/read?path=/mnt/a/f&offset=9"), `200 {"bytes_read":0,"data":""}`},
		{"read a folder", c.get("dbfs/read?path=/mnt"), `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"The path dbfs:/mnt is a directory."}`},
		{"read too much", c.get("dbfs/read?path=/mnt/a/f&length=1048577"), `400 {"error_code":"MAX_READ_SIZE_EXCEEDED","message":"The read of 1048577 bytes is larger than the maximum of 1048576 bytes."}`},
		{"read negative", c.get("dbfs/read?path=/mnt/a/f&offset=-1"), `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Offset and length must not be negative"}`},
		{"create", c.post("dbfs/create", `{"path":"/s"}`), `200 {"handle":1}`},
		{"add-block", c.post("dbfs/add-block", `{"handle":1,"data":"`+b64("ab")+`"}`), `200 {}`},
		{"add-block, handle in quotes", c.post("dbfs/add-block", `{"handle":"1","data":"`+b64("cd")+`"}`), `200 {}`},
		{"add-block of more than 1 MB", c.post("dbfs/add-block", `{"handle":1,"data":"`+tooBig+`"}`), `400 {"error_code":"MAX_BLOCK_SIZE_EXCEEDED","message":"The block of 1048577 bytes is larger than the maximum of 1048576 bytes."}`},
		{"close", c.post("dbfs/close", `{"handle":1}`), `200 {}`},
		{"close again", c.post("dbfs/close", `{"handle":1}`), `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No opened stream found for handle 1."}`},
		{"the stream's content", c.send(http.MethodGet, "/dbfs/s", nil), `200 abcd`},
		{"move", c.post("dbfs/move", `{"source_path":"/s","destination_path":"/mnt/s"}`), `200 {}`},
		{"move into a folder", c.post("dbfs/move", `{"source_path":"/mnt/s","destination_path":"/mnt/a"}`), `200 {}`},
		{"move onto a file", c.post("dbfs/move", `{"source_path":"/mnt/a/s","destination_path":"/mnt/a/f"}`), `400 {"error_code":"RESOURCE_ALREADY_EXISTS","message":"A file or directory already exists at the input path dbfs:/mnt/a/f."}`},
		{"delete a folder that holds something", c.post("dbfs/delete", `{"path":"/mnt"}`), `400 {"error_code":"IO_ERROR","message":"Directory dbfs:/mnt is not empty. Use recursive=true to delete it."}`},
		{"delete nothing", c.post("dbfs/delete", `{"path":"/no"}`), `200 {}`},
		{"delete", c.post("dbfs/delete", `{"path":"/mnt","recursive":true}`), `200 {}`},
		{"mkdirs", c.post("dbfs/mkdirs", `{"path":"/d/e"}`), `200 {}`},
		{"empty list", c.get("dbfs/list?path=/d/e"), `200 {}`},
		{"raw upload with a double slash", c.send(http.MethodPost, "/dbfs/tmp//run/a%20b/%C3%BC.txt", strings.NewReader("raw")), `200 {}`},
		{"raw upload again", c.send(http.MethodPost, "/dbfs/tmp//run/a%20b/%C3%BC.txt", strings.NewReader("raw2")), `200 {}`},
		{"raw download", c.send(http.MethodGet, "/dbfs/tmp/run/a%20b/%C3%BC.txt", nil), `200 raw2`},
		{"raw download of nothing", c.send(http.MethodGet, "/dbfs/no", nil), `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No file or directory exists on path dbfs:/no."}`},
		{"raw download of a range", c.send(http.MethodGet, "/dbfs/tmp/run/a%20b/%C3%BC.txt", nil, "Range", "bytes=0-1"), `206 ra`},
		{"raw download of no range", c.send(http.MethodGet, "/dbfs/tmp/run/a%20b/%C3%BC.txt", nil, "Range", "bytes=9-"), `416 {"error_code":"REQUESTED_RANGE_NOT_SATISFIABLE","message":"The file has no such range."}`},
		{"no path at all", c.send(http.MethodGet, "/dbfs", nil), `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'GET /dbfs'"}`},
		{"climbing", c.get("dbfs/read?path=/../secrets/x"), `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Path (/../secrets/x) contains an invalid name: \"..\""}`},
		{"relative", c.get("dbfs/list?path=x"), `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Path must be absolute: x"}`},
		{"list of the root shows nothing of ours", still(c.get("dbfs/list?path=/")), `200 {"files":[{"file_size":0,"is_dir":true,"modification_time":0,"path":"/d"},{"file_size":0,"is_dir":true,"modification_time":0,"path":"/tmp"}]}`},
	} {
		want(t, step.name, step.got, step.want)
	}
}

func TestVolumes(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	const files, folders = "/api/2.0/fs/files/Volumes/main/ml/v", "/api/2.0/fs/directories/Volumes/main/ml/v"
	put := func(target, content string) string {
		return c.send(http.MethodPut, target, strings.NewReader(content))
	}
	for _, step := range []struct{ name, got, want string }{
		{"put makes the folders above", put(files+"/a%20b/%C3%BC.bin", "12345"), `204`},
		{"overwrite unspecified overwrites", put(files+"/a%20b/%C3%BC.bin", "123456"), `204`},
		{"overwrite=true", put(files+"/a%20b/%C3%BC.bin?overwrite=true", "1234567"), `204`},
		{"overwrite=false", put(files+"/a%20b/%C3%BC.bin?overwrite=false", "x"), `409 {"error_code":"ALREADY_EXISTS","message":"The file being created already exists."}`},
		{"get", c.send(http.MethodGet, files+"/a%20b/%C3%BC.bin", nil), `200 1234567`},
		{"an upload in parts begins", c.send(http.MethodPost, files+"/big?action=initiate-upload", nil), `200 {"multipart_upload":{"session_token":"in-one-piece"}}`},
		{"and has none", c.send(http.MethodPost, "/api/2.0/fs/create-upload-part-urls", nil), `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'POST /fs/create-upload-part-urls'"}`},
		{"create-only in parts", c.send(http.MethodPost, files+"/a%20b/%C3%BC.bin?action=initiate-upload&overwrite=false", nil), `409 {"error_code":"ALREADY_EXISTS","message":"The file being created already exists."}`},
		{"post", c.send(http.MethodPost, files+"/big", nil), `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'POST /fs/files/Volumes/main/ml/v/big'"}`},
		{"get a range", c.send(http.MethodGet, files+"/a%20b/%C3%BC.bin", nil, "Range", "bytes=2-3"), `206 34`},
		{"get the last bytes", c.send(http.MethodGet, files+"/a%20b/%C3%BC.bin", nil, "Range", "bytes=-2"), `206 67`},
		{"get a range that is not there", c.send(http.MethodGet, files+"/a%20b/%C3%BC.bin", nil, "Range", "bytes=7-"), `416 {"error_code":"REQUESTED_RANGE_NOT_SATISFIABLE","message":"The file has no such range."}`},
		{"get if unmodified since", c.send(http.MethodGet, files+"/a%20b/%C3%BC.bin", nil, "If-Unmodified-Since", "Mon, 02 Jan 2006 15:04:05 GMT"), `412 {"error_code":"PRECONDITION_FAILED","message":"The file was modified after the time given."}`},
		{"get nothing", c.send(http.MethodGet, files+"/no", nil), `404 {"error_code":"NOT_FOUND","message":"The file being accessed is not found."}`},
		{"head", c.send(http.MethodHead, files+"/a%20b/%C3%BC.bin", nil), `200`},
		{"head nothing", c.send(http.MethodHead, files+"/no", nil), `404`},
		{"head a folder", c.send(http.MethodHead, folders+"/a%20b/", nil), `200`},
		{"head no folder", c.send(http.MethodHead, folders+"/no", nil), `404`},
		{"mkdirs", put(folders+"/d/e", ""), `204`},
		{"mkdirs again", put(folders+"/d/e/", ""), `204`},
		{"list, first page", still(c.send(http.MethodGet, folders+"?page_size=1", nil)), `200 {"contents":[{"path":"/Volumes/main/ml/v/a b","name":"a b","is_directory":true,"last_modified":0}],"next_page_token":"YSBi"}`},
		{"list, last page", still(c.send(http.MethodGet, folders+"?page_size=1&page_token=YSBi", nil)), `200 {"contents":[{"path":"/Volumes/main/ml/v/d","name":"d","is_directory":true,"last_modified":0}]}`},
		{"list of files", still(c.send(http.MethodGet, folders+"/a%20b", nil)), `200 {"contents":[{"path":"/Volumes/main/ml/v/a b/ü.bin","name":"ü.bin","is_directory":false,"file_size":7,"last_modified":0}]}`},
		{"list nothing", c.send(http.MethodGet, folders+"/no", nil), `404 {"error_code":"NOT_FOUND","message":"The directory being accessed is not found."}`},
		{"delete a folder that holds something", c.send(http.MethodDelete, folders+"/d", nil), `400 {"error_code":"FILES_API_DIRECTORY_IS_NOT_EMPTY","message":"The directory being deleted is not empty."}`},
		{"delete a folder", c.send(http.MethodDelete, folders+"/d/e", nil), `204`},
		{"delete", c.send(http.MethodDelete, files+"/a%20b/%C3%BC.bin", nil), `204`},
		{"delete again", c.send(http.MethodDelete, files+"/a%20b/%C3%BC.bin", nil), `404 {"error_code":"NOT_FOUND","message":"The file being accessed is not found."}`},
		{"no file in a schema", put("/api/2.0/fs/files/Volumes/main/ml", ""), `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Invalid path: /Volumes/main/ml. A path in a volume is /Volumes/<catalog>/<schema>/<volume>/<path>."}`},
		{"a volume is no file", put(files, ""), `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Invalid path: /Volumes/main/ml/v is a volume, not a file in it."}`},
	} {
		want(t, step.name, step.got, step.want)
	}
}

func TestOneOfFiftyUploadsToAVolumeWins(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	answers := make([]string, 50)
	var wg sync.WaitGroup
	for n := range answers {
		wg.Go(func() {
			answers[n] = c.send(http.MethodPut, "/api/2.0/fs/files/Volumes/a/b/c/f?overwrite=false", strings.NewReader("x"))
		})
	}
	wg.Wait()
	if created := strings.Count(strings.Join(answers, "\n"), "204"); created != 1 {
		t.Errorf("%d were told created: %q", created, answers)
	}
}

func TestFilesOfNotebooksAreObjects(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	if err := os.WriteFile(filepath.Join(c.tree.Root(), "Shared", "made.csv"), []byte("1,2"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, "object", c.typeAt("/Shared/made.csv"), "FILE")
	o, err := c.tree.Stat("/Shared/made.csv")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.tree.ByID(o.ID); err != nil || again.Path != o.Path {
		t.Errorf("by id %d: %+v, %v", o.ID, again, err)
	}
	want(t, "create-only", c.importFile("/Shared/made.csv", "x"), `409 {"message":"File already exists at path /Shared/made.csv"}`)
}

func TestLinksLeadNowhereElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("hidden"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := open(t, dir)
	for _, root := range []string{filepath.Join(c.tree.Root(), "Shared"), c.tree.DBFS(), filepath.Join(c.tree.Volumes(), "a/b/c")} {
		if err := os.MkdirAll(root, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(secret, filepath.Join(root, "link")); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []string{
		"/api/2.0/workspace/export?direct_download=true&path=/Shared/link", "/dbfs/link",
		"/api/2.0/dbfs/read?path=/link", "/api/2.0/fs/files/Volumes/a/b/c/link",
	} {
		if got := c.send(http.MethodGet, target, nil); !strings.HasPrefix(got, "404 ") {
			t.Errorf("%s: %s", target, got)
		}
	}
}

func TestAnIndexCutOffByAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := open(t, dir)
	want(t, "import", c.importFile("/Shared/n.py", pyNotebook), `200 {}`)
	f, err := os.OpenFile(filepath.Join(dir, "workspace.index"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"put":{"path":"/Shared/ha`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, "what was answered", open(t, dir).typeAt("/Shared/n"), "NOTEBOOK PYTHON")
}

func TestAFullFolder(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	c.tree.Hold(2)
	want(t, "first", c.importFile("/Shared/a", "1"), `200 {}`)
	want(t, "second", c.importFile("/Shared/b", "1"), `200 {}`)
	want(t, "one more", c.importFile("/Shared/f", "1"),
		`403 {"error_code":"MAX_CHILD_NODE_SIZE_EXCEEDED","message":"The folder (/Shared) has reached its limit of 2 child nodes."}`)
	want(t, "overwriting", c.importFile("/Shared/a", "2", "?overwrite=true"), `200 {}`)
	want(t, "delete", c.post("workspace/delete", `{"path":"/Shared/b"}`), `200 {}`)
	want(t, "and again", c.importFile("/Shared/c", "1"), `200 {}`)
}
