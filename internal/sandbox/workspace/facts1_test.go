package workspace_test

// The rows of the platform's workspace API, each as a client sees it over HTTP.

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox/wire"
	"github.com/bargeml/barge/internal/sandbox/workspace"
	"github.com/google/go-cmp/cmp"
)

// client calls one tree over HTTP.
type client struct {
	t    *testing.T
	url  string
	tree *workspace.Tree
}

func open(t *testing.T, dir string) client {
	t.Helper()
	at := time.UnixMilli(1_700_000_000_000)
	tree, err := workspace.New(dir, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	m := &wire.Mux{}
	tree.Routes(m)
	srv := httptest.NewServer(m)
	t.Cleanup(func() {
		srv.Close()
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	return client{t, srv.URL, tree}
}

// send returns an answer as "status body".
func (c client) send(method, target string, body io.Reader, headers ...string) string {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+target, body)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, b))
}

func (c client) post(api, body string) string {
	c.t.Helper()
	return c.send(http.MethodPost, "/api/2.0/"+api, strings.NewReader(body), "Content-Type", "application/json")
}

func (c client) get(api string) string {
	c.t.Helper()
	return c.send(http.MethodGet, "/api/2.0/"+api, nil)
}

func (c client) importJSON(p, content, rest string) string {
	c.t.Helper()
	return c.post("workspace/import", fmt.Sprintf(`{"path":%q,"content":%q%s}`, p, base64.StdEncoding.EncodeToString([]byte(content)), rest))
}

func (c client) importFile(p, content string, query ...string) string {
	c.t.Helper()
	return c.send(http.MethodPost, "/api/2.0/workspace-files/import-file/"+url.PathEscape(strings.TrimPrefix(p, "/"))+strings.Join(query, ""), strings.NewReader(content))
}

func (c client) upload(fields map[string]string, content string) string {
	c.t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	w, err := form.CreateFormFile("content", "content")
	if err != nil {
		c.t.Fatal(err)
	}
	_, _ = io.WriteString(w, content)
	for name, value := range fields {
		_ = form.WriteField(name, value)
	}
	_ = form.Close()
	return c.send(http.MethodPost, "/api/2.0/workspace/import", &b, "Content-Type", form.FormDataContentType())
}

// typeAt is "NOTEBOOK PYTHON" of what stands at a path.
func (c client) typeAt(p string) string {
	c.t.Helper()
	o, err := c.tree.Stat(p)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(o.Type + " " + o.Language)
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

const pyNotebook = "# Databricks notebook source\nprint(1)\n"

func TestImportDecidesWhatTheContentIs(t *testing.T) {
	t.Parallel()
	ipynb := `{"cells":[{"cell_type":"code","source":["print(1)"],"metadata":{},"outputs":[]}],"metadata":{"language_info":{"name":"python"}},"nbformat":4,"nbformat_minor":5}`
	for _, row := range []struct{ name, path, content, rest, at, is string }{
		{"AUTO python by first line, extension stripped", "/Shared/x.py", pyNotebook, `,"format":"AUTO"`, "/Shared/x", "NOTEBOOK PYTHON"},
		{"AUTO sql", "/Shared/x.sql", "-- Databricks notebook source\nSELECT 1", `,"format":"AUTO"`, "/Shared/x", "NOTEBOOK SQL"},
		{"AUTO scala", "/Shared/x.scala", "// Databricks notebook source\nval x = 1", `,"format":"AUTO"`, "/Shared/x", "NOTEBOOK SCALA"},
		{"AUTO r", "/Shared/x.R", "# Databricks notebook source\nx <- 1", `,"format":"AUTO"`, "/Shared/x", "NOTEBOOK R"},
		{"AUTO ipynb", "/Shared/x.ipynb", ipynb, `,"format":"AUTO"`, "/Shared/x", "NOTEBOOK PYTHON"},
		{"AUTO without the first line stays a file with its extension", "/Shared/x.py", "print(1)\n", `,"format":"AUTO"`, "/Shared/x.py", "FILE"},
		{"AUTO with the line of another language is a file", "/Shared/x.sql", pyNotebook, `,"format":"AUTO"`, "/Shared/x.sql", "FILE"},
		{"AUTO takes Windows line ends", "/Shared/x.py", "# Databricks notebook source\r\nprint(1)\r\n", `,"format":"AUTO"`, "/Shared/x", "NOTEBOOK PYTHON"},
		{"RAW keeps a notebook a file", "/Shared/x.py", pyNotebook, `,"format":"RAW"`, "/Shared/x.py", "FILE"},
		{"SOURCE is the default", "/Shared/x.py", "print(1)", `,"language":"PYTHON"`, "/Shared/x.py", "NOTEBOOK PYTHON"},
		{"JUPYTER", "/Shared/x", ipynb, `,"format":"JUPYTER"`, "/Shared/x", "NOTEBOOK PYTHON"},
		{"/Workspace names the same object", "/Workspace/Shared/x.txt", "1", `,"format":"AUTO"`, "/Shared/x.txt", "FILE"},
		{"a bool in quotes", "/Shared/x.txt", "1", `,"format":"AUTO","overwrite":"true","unknown":[1]`, "/Shared/x.txt", "FILE"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, t.TempDir())
			want(t, "answer", c.importJSON(row.path, row.content, row.rest), `200 {}`)
			want(t, "object", c.typeAt(row.at), row.is)
			if row.at != row.path && !strings.HasPrefix(row.path, "/Workspace") {
				want(t, "with extension", c.typeAt(row.path), "RESOURCE_DOES_NOT_EXIST: Path ("+row.path+") doesn't exist.")
			}
		})
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 10<<20+1)
	for _, row := range []struct {
		name string
		call func(c client) string
		want string
	}{
		{
			"existing path", func(c client) string { return c.importJSON("/Shared/f.txt", "2", `,"format":"AUTO"`) },
			`400 {"error_code":"RESOURCE_ALREADY_EXISTS","message":"Path (/Shared/f.txt) already exists. Please pass overwrite=true to overwrite it."}`,
		},
		{"existing notebook under another extension", func(c client) string {
			return c.importJSON("/Shared/n.ipynb", `{"cells":[],"nbformat":4}`, `,"format":"AUTO"`)
		}, `400 {"error_code":"RESOURCE_ALREADY_EXISTS","message":"Path (/Shared/n) already exists. Please pass overwrite=true to overwrite it."}`},
		{
			"overwriting a notebook with a file by AUTO", func(c client) string { return c.importJSON("/Shared/n", "2", `,"format":"AUTO","overwrite":true`) },
			`400 {"error_code":"RESOURCE_ALREADY_EXISTS","message":"Node named 'n' already exists"}`,
		},
		{"overwriting a file with a notebook by SOURCE", func(c client) string {
			return c.importJSON("/Shared/f.txt", "2", `,"language":"PYTHON","overwrite":true`)
		}, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Requested node type [NOTEBOOK] is different from the existing node type [FILE]"}`},
		{
			"import-file on a FILE", func(c client) string { return c.importFile("/Shared/f.txt", "2") },
			`409 {"message":"File already exists at path /Shared/f.txt"}`,
		},
		{
			"import-file on a NOTEBOOK", func(c client) string { return c.importFile("/Shared/n.py", pyNotebook) },
			`400 {"error_code":"","message":"Path (/Shared/n) already exists."}`,
		},
		{
			"import-file over another type", func(c client) string { return c.importFile("/Shared/n", "2", "?overwrite=true") },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"type mismatch (asked: FILE, actual: NOTEBOOK)"}`,
		},
		{
			"missing parent", func(c client) string { return c.importJSON("/Shared/no/f.txt", "2", `,"format":"AUTO"`) },
			`404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"The parent folder (/Shared/no) does not exist."}`,
		},
		{
			"import-file with a missing parent", func(c client) string { return c.importFile("/Shared/no/f.txt", "2") },
			`404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"The parent folder (/Shared/no) does not exist."}`,
		},
		{
			"parent is a file", func(c client) string { return c.importFile("/Shared/f.txt/g", "2") },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"The parent (/Shared/f.txt) of path (/Shared/f.txt/g) is not a folder."}`,
		},
		{
			"empty content as JSON", func(c client) string { return c.post("workspace/import", `{"path":"/Shared/e","format":"AUTO"}`) },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"No input data source provided"}`,
		},
		{
			"SOURCE without language", func(c client) string { return c.importJSON("/Shared/x", "1", ``) },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Language must be one of PYTHON, SQL, SCALA, R for a SOURCE import, got ''"}`,
		},
		{
			"formats are case sensitive", func(c client) string { return c.importJSON("/Shared/x", "1", `,"format":"auto"`) },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Unknown import format: auto"}`,
		},
		{
			"DBC with overwrite", func(c client) string { return c.importJSON("/Shared/x", "1", `,"format":"DBC","overwrite":true`) },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Overwrite is not supported for format DBC"}`,
		},
		{
			"DBC", func(c client) string { return c.importJSON("/Shared/x", "1", `,"format":"DBC"`) },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Import format DBC is not supported by the sandbox"}`,
		},
		{
			"HTML", func(c client) string { return c.importJSON("/Shared/x", "1", `,"format":"HTML"`) },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Import format HTML is not supported by the sandbox"}`,
		},
		{
			"R_MARKDOWN", func(c client) string { return c.importJSON("/Shared/x", "1", `,"format":"R_MARKDOWN"`) },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Import format R_MARKDOWN is not supported by the sandbox"}`,
		},
		{
			"the root", func(c client) string { return c.importJSON("/", "1", `,"format":"AUTO","overwrite":true`) },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Path (/) has no name"}`,
		},
		{
			"a folder", func(c client) string { return c.importJSON("/Shared", "1", `,"format":"AUTO","overwrite":true`) },
			`400 {"error_code":"RESOURCE_ALREADY_EXISTS","message":"Node named 'Shared' already exists"}`,
		},
		{
			"import-file over a folder", func(c client) string { return c.importFile("/Shared", "1", "?overwrite=true") },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"type mismatch (asked: FILE, actual: DIRECTORY)"}`,
		},
		{
			"overwrite that is neither", func(c client) string { return c.importFile("/Shared/x", "1", "?overwrite=maybe") },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"expected true or false, got \"maybe\""}`,
		},
		{
			"JUPYTER that is none", func(c client) string { return c.importJSON("/Shared/x", "{}", `,"format":"JUPYTER"`) },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"The content of /Shared/x is not a Jupyter notebook: it has no cells or no nbformat"}`,
		},
		{
			"more than 10 MB as JSON", func(c client) string { return c.importJSON("/Shared/x", big, `,"format":"AUTO"`) },
			`400 {"error_code":"MAX_NOTEBOOK_SIZE_EXCEEDED","message":"File size imported is (10485761 bytes), exceeded max size (10485760 bytes)"}`,
		},
		{
			"a notebook of more than 10 MB by import-file", func(c client) string { return c.importFile("/Shared/x.py", pyNotebook+big) },
			`400 {"error_code":"MAX_NOTEBOOK_SIZE_EXCEEDED","message":"File size imported is (10485799 bytes), exceeded max size (10485760 bytes)"}`,
		},
		{
			"relative path", func(c client) string { return c.importJSON("Shared/x", "1", `,"format":"AUTO"`) },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Path (Shared/x) doesn't start with '/'"}`,
		},
		{
			"a path that climbs", func(c client) string { return c.importJSON("/Shared/../../x", "1", `,"format":"AUTO"`) },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Path (/Shared/../../x) contains an invalid name: .."}`,
		},
		{
			"no path", func(c client) string { return c.post("workspace/import", `{"content":"MQ=="}`) },
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Missing required field: path"}`,
		},
		{
			"not base64", func(c client) string {
				return c.post("workspace/import", `{"path":"/Shared/x","content":"%%","format":"AUTO"}`)
			},
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"The content of /Shared/x is not valid base64: illegal base64 data at input byte 0"}`,
		},
		{
			"wrong verb", func(c client) string { return c.get("workspace/import") },
			`404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'GET /workspace/import'"}`,
		},
		{"a form without content", func(c client) string {
			var b bytes.Buffer
			form := multipart.NewWriter(&b)
			_ = form.WriteField("path", "/Shared/x")
			_ = form.Close()
			return c.send(http.MethodPost, "/api/2.0/workspace/import", &b, "Content-Type", form.FormDataContentType())
		}, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"No input data source provided"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, t.TempDir())
			want(t, "file", c.importFile("/Shared/f.txt", "1"), `200 {}`)
			want(t, "notebook", c.importFile("/Shared/n.py", pyNotebook), `200 {}`)
			want(t, "answer", row.call(c), row.want)
			for path, content := range map[string]string{"/Shared/f.txt": "1", "/Shared/n": pyNotebook} {
				want(t, path, c.get("workspace/export?direct_download=true&path="+path), strings.TrimSpace("200 "+content))
			}
		})
	}
}

func TestWrongTypesAreMalformed(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	for body, message := range map[string]string{
		`{"path":1}`: "Could not parse request object: Expected string for field path, found NUMBER",
		`[]`:         "Invalid JSON given in the body of the request - expected a map",
		`{`:          "Could not parse request object: unexpected end of JSON input",
		`{"path":"/Shared/x","overwrite":"maybe"}`: "Could not parse request object: Expected boolean for field overwrite, found STRING",
	} {
		want(t, body, c.post("workspace/import", body), fmt.Sprintf(`400 {"error_code":"MALFORMED_REQUEST","message":%q}`, message))
	}
}

func TestStatusShowsSizeAndTimesOfFilesOnly(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	want(t, "file", c.importFile("/Shared/a b/ü.txt", "12345"), `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"The parent folder (/Shared/a b) does not exist."}`)
	want(t, "mkdirs", c.post("workspace/mkdirs", `{"path":"/Workspace/Shared/a b"}`), `200 {}`)
	want(t, "mkdirs again", c.post("workspace/mkdirs", `{"path":"/Shared/a b/"}`), `200 {}`)
	want(t, "file", c.importFile("/Shared/a b/ü.txt", "12345"), `200 {}`)
	want(t, "notebook", c.importFile("/Shared/a b/n.py", pyNotebook), `200 {}`)
	folder, err := c.tree.Stat("/Shared/a b")
	if err != nil {
		t.Fatal(err)
	}
	id := folder.ID
	want(t, "status of the file", c.get("workspace/get-status?path="+url.QueryEscape("/Workspace/Shared/a b/ü.txt")), fmt.Sprintf(
		`200 {"created_at":1700000000000,"modified_at":1700000000000,"object_id":%d,"object_type":"FILE","path":"/Shared/a b/ü.txt","resource_id":"%[1]d","size":5}`, id+1))
	want(t, "status of the notebook", c.get("workspace/get-status?return_export_info=true&path=/Shared/a%20b/n"), fmt.Sprintf(
		`200 {"language":"PYTHON","object_id":%d,"object_type":"NOTEBOOK","path":"/Shared/a b/n","repos_export_format":"SOURCE","resource_id":"%[1]d"}`, id+2))
	want(t, "list", c.get("workspace/list?path=/Shared"), fmt.Sprintf(
		`200 {"objects":[{"object_id":%d,"object_type":"DIRECTORY","path":"/Shared/a b","resource_id":"%[1]d"}]}`, id))
	want(t, "list of a file", c.get("workspace/list?path=/Shared/a%20b/n"), fmt.Sprintf(
		`200 {"objects":[{"language":"PYTHON","object_id":%d,"object_type":"NOTEBOOK","path":"/Shared/a b/n","resource_id":"%[1]d"}]}`, id+2))
	want(t, "list of notebooks modified since", c.get("workspace/list?path=/Shared/a%20b&notebooks_modified_after=1700000000000"), fmt.Sprintf(
		`200 {"objects":[{"created_at":1700000000000,"modified_at":1700000000000,"object_id":%d,"object_type":"FILE","path":"/Shared/a b/ü.txt","resource_id":"%[1]d","size":5}]}`, id+1))
	want(t, "empty list", c.get("workspace/list?path=/Users"), `200 {}`)
	want(t, "missing", c.get("workspace/get-status?path=/Shared/no"), `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Path (/Shared/no) doesn't exist."}`)
	want(t, "case", c.get("workspace/get-status?path=/shared"), `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Path (/shared) doesn't exist."}`)
	want(t, "mkdirs over a file", c.post("workspace/mkdirs", `{"path":"/Shared/a b/n/deeper"}`),
		`400 {"error_code":"RESOURCE_ALREADY_EXISTS","message":"/Shared/a b/nalready exists and it is not a folder"}`)
}

func TestOverwriteKeepsTheObject(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	want(t, "first", c.importFile("/Shared/f", "1"), `200 {}`)
	before, _ := c.tree.Stat("/Shared/f")
	want(t, "second", c.importFile("/Shared/f", "22", "?overwrite=true"), `200 {}`)
	after, err := c.tree.Stat("/Shared/f")
	if err != nil || after.ID != before.ID || after.Size != 2 {
		t.Errorf("got %+v, %v after %+v", after, err, before)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	want(t, "mkdirs", c.post("workspace/mkdirs", `{"path":"/Shared/d"}`), `200 {}`)
	want(t, "file", c.importFile("/Shared/d/f", "1"), `200 {}`)
	want(t, "a folder that holds something", c.post("workspace/delete", `{"path":"/Shared/d"}`), `400 {"error_code":"DIRECTORY_NOT_EMPTY","message":"Folder (/Shared/d) is not empty"}`)
	want(t, "recursive", c.post("workspace/delete", `{"path":"/Workspace/Shared/d","recursive":true}`), `200 {}`)
	want(t, "again", c.post("workspace/delete", `{"path":"/Shared/d","recursive":true}`), `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Path (/Shared/d) doesn't exist."}`)
	want(t, "what was in it", c.typeAt("/Shared/d/f"), "RESOURCE_DOES_NOT_EXIST: Path (/Shared/d/f) doesn't exist.")
	want(t, "root", c.post("workspace/delete", `{"path":"/","recursive":true}`), `400 {"error_code":"BAD_REQUEST","message":"The root folder cannot be deleted."}`)
}

func TestExport(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	source := "# Databricks notebook source\n# MAGIC %md\n# MAGIC # Title\n\n# COMMAND ----------\n\nprint(1)\n"
	want(t, "import", c.importFile("/Shared/n.py", source), `200 {}`)
	want(t, "without header", c.importJSON("/Shared/bare", "print(1)", `,"language":"PYTHON"`), `200 {}`)
	want(t, "SOURCE as JSON", c.get("workspace/export?path=/Shared/n&format=SOURCE"),
		fmt.Sprintf(`200 {"content":%q,"file_type":"py"}`, base64.StdEncoding.EncodeToString([]byte(source))))
	want(t, "the header that every notebook has", c.get("workspace/export?path=/Shared/bare&direct_download=true"), "200 # Databricks notebook source\nprint(1)")
	ipynb := strings.TrimPrefix(c.get("workspace/export?path=/Shared/n&format=JUPYTER&direct_download=true"), "200 ")
	var book struct {
		Cells []struct {
			Type   string   `json:"cell_type"`
			Source []string `json:"source"`
		} `json:"cells"`
	}
	if err := json.Unmarshal([]byte(ipynb), &book); err != nil {
		t.Fatal(err)
	}
	want(t, "cells", fmt.Sprint(book.Cells), "[{markdown [# Title]} {code [print(1)]}]")
	want(t, "and back", c.importFile("/Shared/again.ipynb", ipynb), `200 {}`)
	want(t, "as SOURCE again", c.get("workspace/export?path=/Shared/again&direct_download=true"), strings.TrimSpace("200 "+source))
	want(t, "AUTO keeps the format", c.get("workspace/export?path=/Shared/again&format=AUTO&direct_download=true"), "200 "+ipynb)
	want(t, "RAW of a notebook is its source", c.get("workspace/export?path=/Shared/n&format=RAW&direct_download=true"), strings.TrimSpace("200 "+source))
	for _, format := range []string{"HTML", "DBC", "R_MARKDOWN", "source"} {
		want(t, format, c.get("workspace/export?path=/Shared/n&format="+format),
			`400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Export format `+format+` is unknown or not supported by the sandbox"}`)
	}
	want(t, "missing", c.get("workspace/export?path=/Shared/no"), `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Path (/Shared/no) doesn't exist."}`)

	packed := strings.TrimPrefix(c.get("workspace/export?path=/Shared&format=SOURCE&direct_download=true"), "200 ")
	z, err := zip.NewReader(strings.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatalf("exporting a folder answers no zip: %v", err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	want(t, "a folder", strings.Join(names, " "), "Shared/again.ipynb Shared/bare.py Shared/n.py")
}

func TestOneOfFiftyCreateOnlyWritersWins(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(c client, n int) string{
		"import":      func(c client, n int) string { return c.importJSON("/Shared/entry", fmt.Sprint(n), `,"format":"AUTO"`) },
		"import-file": func(c client, n int) string { return c.importFile("/Shared/entry", fmt.Sprint(n)) },
		"upload": func(c client, n int) string {
			return c.upload(map[string]string{"path": "/Shared/entry", "format": "AUTO"}, fmt.Sprint(n))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t, t.TempDir())
			answers := make([]string, 50)
			var wg sync.WaitGroup
			for n := range answers {
				wg.Go(func() { answers[n] = write(c, n) })
			}
			wg.Wait()
			winner := -1
			for n, a := range answers {
				switch a {
				case `200 {}`:
					if winner >= 0 {
						t.Fatalf("both %d and %d were told created", winner, n)
					}
					winner = n
				case `409 {"error_code":"ALREADY_EXISTS","message":"Node with name /Shared/entry already exists"}`,
					`409 {"message":"File already exists at path /Shared/entry"}`,
					`400 {"error_code":"RESOURCE_ALREADY_EXISTS","message":"Path (/Shared/entry) already exists. Please pass overwrite=true to overwrite it."}`:
				default:
					t.Errorf("writer %d was told %s", n, a)
				}
			}
			want(t, "content", c.get("workspace/export?path=/Shared/entry&direct_download=true"), fmt.Sprintf("200 %d", winner))
		})
	}
}
