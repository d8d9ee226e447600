package databricks

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/transport"
)

// The kinds of Object that Barge meets; there are others.
const (
	Notebook  = "NOTEBOOK"
	File      = "FILE"
	Directory = "DIRECTORY"
)

// Object is what stands at a path of the workspace. Size and times are told of files alone.
type Object struct {
	Path       string
	Kind       string
	ID         int64
	Language   string // of a notebook: PYTHON, SQL, SCALA, R
	Size       int64
	CreatedAt  time.Time
	ModifiedAt time.Time
}

type objectInfo struct {
	Path       string `json:"path"`
	ObjectType string `json:"object_type"`
	ObjectID   int64  `json:"object_id"`
	Language   string `json:"language"`
	Size       int64  `json:"size"`
	CreatedAt  int64  `json:"created_at"`
	ModifiedAt int64  `json:"modified_at"`
}

func (o objectInfo) object() Object {
	return Object{
		Path: o.Path, Kind: o.ObjectType, ID: o.ObjectID, Language: o.Language, Size: o.Size,
		CreatedAt: millis(o.CreatedAt), ModifiedAt: millis(o.ModifiedAt),
	}
}

func millis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Stat tells what stands at a path; fs.ErrNotExist when nothing does, or nothing that may be seen.
func (w *Workspace) Stat(ctx context.Context, path string) (Object, error) {
	var o objectInfo
	err := w.do(ctx, call{
		doing: "looking at " + path, method: http.MethodGet, path: "/api/2.0/workspace/get-status",
		query: url.Values{"path": {path}}, out: &o,
	})
	return o.object(), err
}

// List tells what stands in a folder, not below it; fs.ErrNotExist when there is none. A list may be old.
func (w *Workspace) List(ctx context.Context, folder string) ([]Object, error) {
	return w.list(ctx, folder, url.Values{"path": {folder}})
}

// NotebooksSince lists the notebooks of a folder, not below it, that were modified after a time.
func (w *Workspace) NotebooksSince(ctx context.Context, folder string, t time.Time) ([]Object, error) {
	objects, err := w.list(ctx, folder, url.Values{"path": {folder}, "notebooks_modified_after": {strconv.FormatInt(t.UnixMilli(), 10)}})
	return slices.DeleteFunc(objects, func(o Object) bool { return o.Kind != Notebook }), err
}

func (w *Workspace) list(ctx context.Context, folder string, query url.Values) ([]Object, error) {
	var out struct{ Objects []objectInfo }
	err := w.do(ctx, call{doing: "listing " + folder, method: http.MethodGet, path: "/api/2.0/workspace/list", query: query, out: &out})
	objects := make([]Object, 0, len(out.Objects))
	for _, o := range out.Objects {
		objects = append(objects, o.object())
	}
	return objects, err
}

// Mkdirs makes a folder with all above it; safe to repeat. fs.ErrExist when something else stands there.
func (w *Workspace) Mkdirs(ctx context.Context, folder string) error {
	return w.do(transport.Default(ctx, transport.Safe), call{
		doing: "making folder " + folder, method: http.MethodPost, path: "/api/2.0/workspace/mkdirs",
		in: map[string]string{"path": folder},
	})
}

// Delete removes what stands at a path; a folder with something in it only when recursive, and then not at once.
func (w *Workspace) Delete(ctx context.Context, path string, recursive bool) error {
	return w.do(transport.Default(ctx, transport.Observable), call{
		doing: "deleting " + path, method: http.MethodPost, path: "/api/2.0/workspace/delete",
		in: map[string]any{"path": path, "recursive": recursive},
	})
}

// ReadFile reads a workspace file. Of a folder it reads an archive: Stat tells before.
func (w *Workspace) ReadFile(ctx context.Context, path string) ([]byte, error) {
	var b []byte
	err := w.do(ctx, call{
		doing: "reading " + path, method: http.MethodGet, path: "/api/2.0/workspace/export",
		query: url.Values{"path": {path}, "format": {"SOURCE"}, "direct_download": {"true"}}, out: &b,
	})
	return b, err
}

// CreateFile writes a file that must not be there: of many writers one succeeds, the others get fs.ErrExist. Folders
// above it are made. After an answer that was lost, fs.ErrExist may mean one's own file: read it.
func (w *Workspace) CreateFile(ctx context.Context, path string, content []byte) error {
	return w.importFile(transport.Default(ctx, transport.Observable), "creating "+path, path, content, false)
}

// PutFile writes a file, over what stands there. Folders above it are made. Safe to repeat.
func (w *Workspace) PutFile(ctx context.Context, path string, content []byte) error {
	return w.importFile(transport.Default(ctx, transport.Safe), "writing "+path, path, content, true)
}

func (w *Workspace) importFile(ctx context.Context, doing, p string, content []byte, overwrite bool) error {
	if content == nil {
		content = []byte{}
	}
	return w.inFolder(ctx, p, call{
		doing: doing, method: http.MethodPost,
		path:  "/api/2.0/workspace-files/import-file/" + escape(strings.TrimPrefix(p, "/")),
		query: url.Values{"overwrite": {strconv.FormatBool(overwrite)}}, in: content,
	})
}

func escape(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}

// inFolder makes the folder of p when the call finds it missing, and calls once more.
func (w *Workspace) inFolder(ctx context.Context, p string, c call) error {
	err := w.do(ctx, c)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := w.Mkdirs(ctx, path.Dir(p)); err != nil {
		return err
	}
	return w.do(ctx, c)
}

// Source is a notebook's content. Format is SOURCE (then Language is needed), JUPYTER or AUTO (decided by content
// and by the ending of the path, which is then cut off); empty: SOURCE.
type Source struct {
	Format   string
	Language string
	Content  []byte
}

var comments = map[string]string{"PYTHON": "#", "R": "#", "SQL": "--", "SCALA": "//"}

// ImportNotebook puts a notebook at a path, over what stands there when overwrite, else fs.ErrExist. Folders above it
// are made. At most 10 MB.
func (w *Workspace) ImportNotebook(ctx context.Context, path string, s Source, overwrite bool) error {
	class := transport.Observable
	if overwrite {
		class = transport.Safe
	}
	if s.Format == "" {
		s.Format = "SOURCE"
	}
	if comment, ok := comments[s.Language]; ok && s.Format == "SOURCE" && len(s.Content) == 0 {
		// The API takes no empty content. This is what it exports of an empty notebook.
		s.Content = []byte(comment + " Databricks notebook source\n")
	}
	body := map[string]any{
		"path": path, "format": s.Format, "overwrite": overwrite,
		"content": base64.StdEncoding.EncodeToString(s.Content),
	}
	if s.Language != "" {
		body["language"] = s.Language
	}
	return w.inFolder(transport.Default(ctx, class), path, call{
		doing: "importing notebook " + path, method: http.MethodPost, path: "/api/2.0/workspace/import", in: body,
	})
}

// ExportNotebook reads a notebook as SOURCE or JUPYTER. The service writes it anew: it need not be what was put.
func (w *Workspace) ExportNotebook(ctx context.Context, path, format string) ([]byte, error) {
	var out struct{ Content []byte }
	err := w.do(ctx, call{
		doing: "exporting notebook " + path, method: http.MethodGet, path: "/api/2.0/workspace/export",
		query: url.Values{"path": {path}, "format": {format}}, out: &out,
	})
	return out.Content, err
}
