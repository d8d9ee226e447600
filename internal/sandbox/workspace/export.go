package workspace

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

func (t *Tree) workspaceRoutes(m *wire.Mux) {
	m.JSON("POST /api/2.0/workspace/import", t.serveImport)
	m.JSON("POST /api/2.0/workspace-files/import-file/{path...}", t.serveImportFile)
	m.Handle("GET /api/2.0/workspace/export", http.HandlerFunc(t.serveExport))
	m.JSON("POST /api/2.0/workspace/mkdirs", t.serveMkdirs)
	m.JSON("GET /api/2.0/workspace/list", t.serveList)
	m.JSON("GET /api/2.0/workspace/get-status", t.serveStatus)
	m.JSON("POST /api/2.0/workspace/delete", t.serveDelete)
}

func (t *Tree) serveMkdirs(r *http.Request) (any, error) {
	var body struct {
		Path string `json:"path"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return nil, err
	}
	return nil, t.Mkdirs(body.Path)
}

func (t *Tree) serveDelete(r *http.Request) (any, error) {
	var body struct {
		Path      string    `json:"path"`
		Recursive wire.Bool `json:"recursive"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return nil, err
	}
	p, err := Clean(body.Path)
	if err != nil {
		return nil, err
	}
	return nil, t.delete(p, bool(body.Recursive))
}

func (t *Tree) serveStatus(r *http.Request) (any, error) {
	q := r.URL.Query()
	o, err := t.Stat(q.Get("path"))
	if err != nil {
		return nil, err
	}
	withExport, err := wire.Flag(q.Get("return_export_info"), false)
	if err != nil {
		return nil, err
	}
	info := o.info()
	if withExport && o.Type == TypeNotebook {
		info["repos_export_format"] = o.Format
	}
	return info, nil
}

func (t *Tree) serveList(r *http.Request) (any, error) {
	q := r.URL.Query()
	p, err := Clean(q.Get("path"))
	if err != nil {
		return nil, err
	}
	after, err := wire.Number("notebooks_modified_after", q.Get("notebooks_modified_after"), 0)
	if err != nil {
		return nil, err
	}
	objects, err := t.list(p)
	if err != nil {
		return nil, err
	}
	var infos []map[string]any
	for _, o := range objects {
		if o.Type != TypeNotebook || o.Modified > after {
			infos = append(infos, o.info())
		}
	}
	if infos == nil {
		return nil, nil // the service leaves an empty list out
	}
	return map[string]any{"objects": infos}, nil
}

func (t *Tree) serveExport(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	direct, err := wire.Flag(q.Get("direct_download"), false)
	if err != nil {
		wire.Fail(w, err)
		return
	}
	out, err := t.export(q.Get("path"), q.Get("format"), direct)
	if err != nil {
		wire.Fail(w, err)
		return
	}
	if !direct {
		wire.Write(w, http.StatusOK, map[string]string{
			"content":   base64.StdEncoding.EncodeToString(out.content),
			"file_type": strings.TrimPrefix(path.Ext(out.name), "."),
		})
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": out.name}))
	w.Header().Set("Content-Length", strconv.Itoa(len(out.content)))
	_, _ = w.Write(out.content) // the client is gone: nobody is left to tell
}

// exported is content with the name that it would have as a local file.
type exported struct {
	name    string
	content []byte
}

func (t *Tree) export(p, format string, direct bool) (exported, error) {
	o, err := t.Stat(p)
	if err != nil {
		return exported{}, err
	}
	if !slices.Contains([]string{"", FormatSource, FormatJupyter, formatAuto, formatRaw}, format) {
		return exported{}, wire.Invalid("Export format %s is unknown or not supported by the sandbox", format)
	}
	if o.Size > maxNotebook {
		code := "MAX_NOTEBOOK_SIZE_EXCEEDED"
		if direct {
			code = "MAX_READ_SIZE_EXCEEDED"
		}
		return exported{}, wire.Errorf(http.StatusBadRequest, code, "File size exported is (%d bytes), exceeded max size (%d bytes)", o.Size, maxNotebook)
	}
	if o.Type == TypeDirectory {
		return t.archive(o)
	}
	return t.exportOne(o, format)
}

func (t *Tree) exportOne(o Object, format string) (exported, error) {
	content, err := t.objects.root.ReadFile(local(o.Path))
	if os.IsNotExist(err) {
		return exported{}, absent(o.Path)
	}
	if err != nil {
		return exported{}, fmt.Errorf("reading %s: %w", o.Path, err)
	}
	name := path.Base(o.Path)
	if o.Type == TypeFile {
		return exported{name, content}, nil
	}
	if format == "" || format == formatRaw {
		format = FormatSource
	}
	if format == formatAuto {
		format = o.Format
	}
	switch {
	case format == FormatJupyter && o.Format == FormatSource:
		content, err = toJupyter(Notebook{Path: o.Path, Language: o.Language, Format: o.Format, Content: content})
	case format == FormatSource && o.Format == FormatJupyter:
		var book jupyter
		book, err = parseJupyter(content)
		content = book.source(o.Language)
	}
	if err != nil {
		return exported{}, fmt.Errorf("exporting %s as %s: %w", o.Path, format, err)
	}
	if format == FormatJupyter {
		return exported{name + ".ipynb", content}, nil
	}
	return exported{name + extensions[o.Language], content}, nil
}

// archive is a zip of a folder, which the service answers with rather than an error.
func (t *Tree) archive(folder Object) (exported, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	base := path.Base(folder.Path)
	var add func(Object, string) error
	add = func(o Object, under string) error {
		if o.Type != TypeDirectory {
			one, err := t.exportOne(o, formatAuto)
			if err != nil {
				return err
			}
			w, err := z.Create(path.Join(under, one.name))
			if err != nil {
				return err
			}
			_, err = io.Copy(w, bytes.NewReader(one.content))
			return err
		}
		children, err := t.list(o.Path)
		if err != nil {
			return err
		}
		for _, child := range children {
			next := under
			if child.Type == TypeDirectory {
				next = path.Join(under, path.Base(child.Path))
			}
			if err := add(child, next); err != nil {
				return err
			}
		}
		return nil
	}
	if err := add(folder, base); err != nil {
		return exported{}, err
	}
	if err := z.Close(); err != nil {
		return exported{}, fmt.Errorf("packing %s: %w", folder.Path, err)
	}
	return exported{base + ".zip", b.Bytes()}, nil
}
