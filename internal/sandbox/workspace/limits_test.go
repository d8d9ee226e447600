package workspace_test

// The limits of content, and what outlives a server.

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox/workspace"
	"github.com/google/go-cmp/cmp"
)

func TestUploadTakesWhatJSONCannot(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	want(t, "empty file", c.upload(map[string]string{"path": "/Shared/empty", "format": "AUTO"}, ""), `200 {}`)
	want(t, "its content", c.get("workspace/export?path=/Shared/empty&direct_download=true"), `200`)
	want(t, "again", c.upload(map[string]string{"path": "/Shared/empty", "format": "AUTO"}, "1"),
		`400 {"error_code":"RESOURCE_ALREADY_EXISTS","message":"Path (/Shared/empty) already exists. Please pass overwrite=true to overwrite it."}`)
	want(t, "overwritten", c.upload(map[string]string{"path": "/Shared/empty", "format": "AUTO", "overwrite": "true"}, strings.Repeat("y", 11<<20)), `200 {}`)
	want(t, "more than can be exported as JSON", c.get("workspace/export?path=/Shared/empty"),
		`400 {"error_code":"MAX_NOTEBOOK_SIZE_EXCEEDED","message":"File size exported is (11534336 bytes), exceeded max size (10485760 bytes)"}`)
	want(t, "or read", c.get("workspace/export?path=/Shared/empty&direct_download=true"),
		`400 {"error_code":"MAX_READ_SIZE_EXCEEDED","message":"File size exported is (11534336 bytes), exceeded max size (10485760 bytes)"}`)
}

// endless is a body that must not be read.
type endless struct{ t *testing.T }

func (e endless) Read([]byte) (int, error) {
	e.t.Error("a body was sent that nobody asked for")
	return 0, io.ErrUnexpectedEOF
}

func TestABodyThatAnnouncesTooMuchIsNotAskedFor(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	for target, row := range map[string]struct {
		length int64
		want   string
	}{
		"/api/2.0/workspace-files/import-file/Shared%2Fx": {200<<20 + 1, `400 {"error_code":"MAX_NOTEBOOK_SIZE_EXCEEDED","message":"File size imported is (209715201 bytes), exceeded max size (209715200 bytes)"}`},
		"/api/2.0/workspace/import":                       {20<<20 + 4, `400 {"error_code":"MAX_NOTEBOOK_SIZE_EXCEEDED","message":"File size imported is (15728643 bytes), exceeded max size (10485760 bytes)"}`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+target, endless{t})
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = row.length
		r.Header.Set("Expect", "100-continue")
		resp, err := (&http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		want(t, target, strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, b)), row.want)
	}
}

func TestANotebookOfExactlyTheLimit(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	content := pyNotebook + strings.Repeat("#", 10<<20-len(pyNotebook))
	want(t, "import", c.importJSON("/Shared/n", content, `,"language":"PYTHON"`), `200 {}`)
	want(t, "import-file", c.importFile("/Shared/n.py", content, "?overwrite=true"), `200 {}`)
	got := c.get("workspace/export?path=/Shared/n&direct_download=true")
	want(t, "export", fmt.Sprint(len(got), strings.HasPrefix(got, "200 "+pyNotebook)), fmt.Sprint(10<<20+len("200 "), true))
}

func TestTheTreeOutlivesItsServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	want(t, "notebook", first.importFile("/Shared/n.sql", "-- Databricks notebook source\nSELECT 1"), `200 {}`)
	want(t, "file", first.importFile("/Shared/gone", "1"), `200 {}`)
	want(t, "delete", first.post("workspace/delete", `{"path":"/Shared/gone"}`), `200 {}`)
	before, err := first.tree.Stat("/Shared/n")
	if err != nil {
		t.Fatal(err)
	}
	second := open(t, dir) // the first was never closed: a kill
	after, err := second.tree.Stat("/Shared/n")
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("%v (-before +after):\n%s", err, diff)
	}
	want(t, "deleted", second.typeAt("/Shared/gone"), "RESOURCE_DOES_NOT_EXIST: Path (/Shared/gone) doesn't exist.")
	want(t, "a new id", second.importFile("/Shared/new", "1"), `200 {}`)
	if o, err := second.tree.Stat("/Shared/new"); err != nil || o.ID <= before.ID+1 {
		t.Errorf("id %d given again: %v", o.ID, err)
	}
	n, err := second.tree.Notebook("/Workspace/Shared/n")
	if diff := cmp.Diff(workspace.Notebook{Path: "/Shared/n", Language: "SQL", Format: "SOURCE", Content: []byte("-- Databricks notebook source\nSELECT 1")}, n); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
