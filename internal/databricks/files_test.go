package databricks

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCreateFile(t *testing.T) {
	f := newFake(t)
	w := f.open()
	ctx := t.Context()
	if err := w.CreateFile(ctx, "/Barge/ledger/0/1 ü.json", []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := w.CreateFile(ctx, "/Barge/ledger/0/1 ü.json", []byte("two")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v, want ErrExist", err)
	}
	if b, err := w.ReadFile(ctx, "/Barge/ledger/0/1 ü.json"); err != nil || string(b) != "one" {
		t.Errorf("read %q, %v", b, err)
	}
	want := []string{
		"POST /api/2.0/workspace-files/import-file/Barge/ledger/0/1 ü.json", "POST /api/2.0/workspace/mkdirs",
		"POST /api/2.0/workspace-files/import-file/Barge/ledger/0/1 ü.json", "POST /api/2.0/workspace-files/import-file/Barge/ledger/0/1 ü.json",
		"GET /api/2.0/workspace/export",
	}
	if diff := cmp.Diff(want, f.called()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// Whatever stands there, and however the service says so, is fs.ErrExist.
func TestCreateOnlyInEveryShape(t *testing.T) {
	f := newFake(t)
	w := f.open()
	ctx := t.Context()
	if err := w.ImportNotebook(ctx, "/notebook", Source{Language: "PYTHON", Content: []byte("1")}, false); err != nil {
		t.Fatal(err)
	}
	if err := w.PutFile(ctx, "/file", []byte("1")); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"file on file":         w.CreateFile(ctx, "/file", nil),
		"file on notebook":     w.CreateFile(ctx, "/notebook", nil),
		"notebook on notebook": w.ImportNotebook(ctx, "/notebook", Source{Language: "PYTHON", Content: []byte("2")}, false),
	} {
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v, want ErrExist", name, err)
		}
	}
	f.fault = func(w http.ResponseWriter, _ *http.Request) bool {
		answerProblem(w, &problem{409, "ALREADY_EXISTS", "Node with name x already exists"})
		return true
	}
	if err := w.CreateFile(ctx, "/new", nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("racers: %v, want ErrExist", err)
	}
}

func TestOneOfManyWriters(t *testing.T) {
	w := newFake(t).open()
	var made, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			switch err := w.CreateFile(t.Context(), "/Barge/ledger/0/1.json", fmt.Appendf(nil, "writer %d", i)); {
			case err == nil:
				made.Add(1)
			case errors.Is(err, fs.ErrExist):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 || refused.Load() != 49 {
		t.Errorf("%d were told created, %d refused", made.Load(), refused.Load())
	}
}

// An answer that was lost: the file is there, and the second sending is told so. Its writer has to look whose it is.
func TestCreateFileWhoseAnswerWasLost(t *testing.T) {
	f := newFake(t)
	lost := true
	f.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if lost {
			lost = false
			f.put("/x", File, "", []byte("mine"), false)
			hangUp(w)
			return true
		}
		return false
	}
	if err := f.open().CreateFile(t.Context(), "/x", []byte("mine")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v, want ErrExist", err)
	}
}

func TestEmptyFile(t *testing.T) {
	f := newFake(t)
	w := f.open()
	if err := w.CreateFile(t.Context(), "/empty", nil); err != nil {
		t.Fatal(err)
	}
	if b, err := w.ReadFile(t.Context(), "/empty"); err != nil || len(b) != 0 {
		t.Errorf("read %q, %v", b, err)
	}
	if got := f.body("/api/2.0/workspace-files/import-file/empty"); got != "" {
		t.Errorf("sent %q", got)
	}
}

func TestPutFileOverwrites(t *testing.T) {
	w := newFake(t).open()
	for _, content := range []string{"one", "two"} {
		if err := w.PutFile(t.Context(), "/a/b", []byte(content)); err != nil {
			t.Fatal(err)
		}
		if b, err := w.ReadFile(t.Context(), "/a/b"); err != nil || string(b) != content {
			t.Errorf("read %q, %v", b, err)
		}
	}
}

func TestNotebooks(t *testing.T) {
	f := newFake(t)
	w := f.open()
	ctx := t.Context()
	if err := w.ImportNotebook(ctx, "/nb/train", Source{Language: "PYTHON", Content: []byte("# <1>\n")}, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"content":"IyA8MT4K","format":"SOURCE","language":"PYTHON","overwrite":false,"path":"/nb/train"}`, f.body("/api/2.0/workspace/import")); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if err := w.ImportNotebook(ctx, "/nb/train", Source{Format: "JUPYTER", Content: []byte("{}")}, true); err != nil {
		t.Fatal(err)
	}
	if b, err := w.ExportNotebook(ctx, "/nb/train", "JUPYTER"); err != nil || string(b) != "{}" {
		t.Errorf("exported %q, %v", b, err)
	}
}

// The API takes no empty content; an empty notebook is its first line.
func TestEmptyNotebook(t *testing.T) {
	w := newFake(t).open()
	for language, want := range map[string]string{"PYTHON": "# Databricks notebook source\n", "SQL": "-- Databricks notebook source\n"} {
		if err := w.ImportNotebook(t.Context(), "/"+language, Source{Language: language}, false); err != nil {
			t.Fatal(err)
		}
		if b, err := w.ExportNotebook(t.Context(), "/"+language, "SOURCE"); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", language, b, err)
		}
	}
}

func TestStatListDelete(t *testing.T) {
	f := newFake(t)
	w := f.open()
	ctx := t.Context()
	if err := w.PutFile(ctx, "/a/f", []byte("abc")); err != nil {
		t.Fatal(err)
	}
	if err := w.ImportNotebook(ctx, "/a/n", Source{Language: "SQL", Content: []byte("--")}, true); err != nil {
		t.Fatal(err)
	}
	file := Object{Path: "/a/f", Kind: File, ID: 102, Size: 3, ModifiedAt: time.UnixMilli(1700000000000).UTC()}
	got, err := w.Stat(ctx, "/a/f")
	if diff := cmp.Diff(file, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	list, err := w.List(ctx, "/a")
	notebook := Object{Path: "/a/n", Kind: Notebook, ID: 103, Language: "SQL", Size: 2, ModifiedAt: time.UnixMilli(1700000000000).UTC()}
	if diff := cmp.Diff([]Object{file, notebook}, list); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := w.Mkdirs(ctx, "/empty"); err != nil {
		t.Fatal(err)
	}
	if list, err := w.List(ctx, "/empty"); len(list) != 0 || err != nil {
		t.Errorf("an empty folder: %v, %v", list, err)
	}
	if err := w.Mkdirs(ctx, "/a/f"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a folder over a file: %v", err)
	}
	if err := w.Delete(ctx, "/a/f", false); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"stat":   second(w.Stat(ctx, "/a/f")),
		"list":   second(w.List(ctx, "/none")),
		"read":   second(w.ReadFile(ctx, "/a/f")),
		"delete": w.Delete(ctx, "/a/f", false),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of nothing: %v, want ErrNotExist", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
