package workspace

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// Limits of content, in bytes: a notebook however it comes and all that comes as JSON, a file as multipart form, a
// file through import-file.
const (
	maxNotebook   = 10 << 20
	maxMultipart  = 500 << 20
	maxImportFile = 200 << 20
)

// write is one request to put content at a path.
type write struct {
	path      string
	format    string
	language  string
	overwrite bool
	content   *spooled
}

// taken says that something stands where a write was to go.
type taken struct {
	want, have Object
	seen       bool // it stood there when the request came; else a racer was faster
	mismatch   bool // overwriting was asked for, and what stands there is of another type
}

func (e *taken) Error() string { return e.have.Path + " already exists" }

// put decides what the content is and places it. The error is *taken or one of the API's.
func (t *Tree) put(w write) error {
	defer w.content.drop()
	o, err := w.object()
	if err != nil {
		return err
	}
	t.mu.Lock()
	seen := t.look(o.Path) != nil
	t.mu.Unlock()
	if o.Type == TypeNotebook {
		if err := w.fit(&o); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if have := t.look(o.Path); have != nil {
		switch {
		case !w.overwrite:
			return &taken{want: o, have: *have, seen: seen}
		case have.Type != o.Type:
			return &taken{want: o, have: *have, seen: true, mismatch: true}
		}
		o.ID, o.Created = have.ID, have.Created
	} else if err := t.parentTakes(o.Path); err != nil {
		return err
	}
	o.Modified = t.now().UnixMilli()
	if o.ID == 0 {
		o.ID, o.Created = t.index.newID(), o.Modified
	}
	if err := t.index.put(o); err != nil { // first: content without its type would come back as a file after a kill
		return err
	}
	return t.objects.rename(w.content.name, o.Path)
}

func (t *Tree) parentTakes(p string) error {
	folder := path.Dir(p)
	switch parent := t.look(folder); {
	case parent == nil:
		return wire.NotFound("The parent folder (%s) does not exist.", folder)
	case parent.Type != TypeDirectory:
		return wire.Invalid("The parent (%s) of path (%s) is not a folder.", folder, p)
	}
	return t.roomIn(folder)
}

// object says what the content will be: its path without a notebook's extension, type, language, format.
func (w write) object() (Object, error) {
	o := Object{Path: w.path, Type: TypeFile}
	switch w.format {
	case formatRaw:
	case FormatJupyter:
		o.Type, o.Format = TypeNotebook, FormatJupyter
	case "", FormatSource:
		if !slices.Contains(languages, w.language) {
			return o, wire.Invalid("Language must be one of %s for a %s import, got '%s'", strings.Join(languages, ", "), FormatSource, w.language)
		}
		o.Type, o.Format, o.Language = TypeNotebook, FormatSource, w.language
	case formatAuto:
		if language, format := detect(w.path, w.content.head); format != "" {
			o.Type, o.Format, o.Language = TypeNotebook, format, language
			o.Path = strings.TrimSuffix(w.path, path.Ext(w.path))
		}
	case "DBC":
		if w.overwrite {
			return o, wire.Invalid("Overwrite is not supported for format DBC")
		}
		return o, wire.Invalid("Import format DBC is not supported by the sandbox")
	case "HTML", "R_MARKDOWN":
		return o, wire.Invalid("Import format %s is not supported by the sandbox", w.format)
	default:
		return o, wire.Invalid("Unknown import format: %s", w.format)
	}
	if o.Path == "/" || strings.HasSuffix(o.Path, "/") {
		return o, wire.Invalid("Path (%s) has no name", w.path)
	}
	return o, nil
}

// fit checks a notebook's content and gives it the header that every notebook in source format has.
func (w write) fit(o *Object) error {
	if w.content.size > maxNotebook {
		return tooLarge(w.content.size, maxNotebook)
	}
	content, err := w.content.bytes()
	if err != nil {
		return fmt.Errorf("reading notebook %s: %w", o.Path, err)
	}
	if o.Format == FormatJupyter {
		book, err := parseJupyter(content)
		if err != nil {
			return wire.Invalid("The content of %s is not a Jupyter notebook: %s", w.path, err)
		}
		o.Language = book.language()
		return nil
	}
	if header := header(o.Language); firstLine(content) != header {
		return w.content.replace(append([]byte(header+"\n"), content...))
	}
	return nil
}

func tooLarge(size, limit int64) error {
	return wire.Errorf(http.StatusBadRequest, "MAX_NOTEBOOK_SIZE_EXCEEDED",
		"File size imported is (%d bytes), exceeded max size (%d bytes)", size, limit)
}

// receive spools content, or answers that it is too large.
func (t *Tree) receive(r io.Reader, limit int64) (*spooled, error) {
	s, err := t.objects.spool(r, limit)
	if e, ok := errors.AsType[errTooLarge](err); ok {
		drain(r)
		return nil, tooLarge(e.size, e.limit)
	}
	return s, err
}

// drain takes in the rest of what is refused: a client that cannot send it all may never read the answer.
func drain(r io.Reader) { _, _ = io.Copy(io.Discard, io.LimitReader(r, 2*maxMultipart)) }

// announced tells whether a body says that it is longer than most. One that waits to be asked for is never sent.
func announced(r *http.Request, most int64) bool {
	if r.ContentLength <= most {
		return false
	}
	if !strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		drain(r.Body)
	}
	return true
}

func (t *Tree) serveImport(r *http.Request) (any, error) {
	read := t.readJSON
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "multipart/form-data" {
		read = t.readMultipart
	}
	w, err := read(r)
	if err != nil {
		return nil, err
	}
	err = t.put(w)
	e, ok := errors.AsType[*taken](err)
	switch {
	case !ok:
		return nil, err
	case e.mismatch && w.format == formatAuto:
		return nil, wire.Errorf(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "Node named '%s' already exists", path.Base(e.have.Path))
	case e.mismatch:
		return nil, wire.Invalid("Requested node type [%s] is different from the existing node type [%s]", e.want.Type, e.have.Type)
	case !e.seen:
		return nil, wire.Errorf(http.StatusConflict, "ALREADY_EXISTS", "Node with name %s already exists", e.have.Path)
	}
	return nil, wire.Errorf(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS",
		"Path (%s) already exists. Please pass overwrite=true to overwrite it.", e.have.Path)
}

func (t *Tree) readJSON(r *http.Request) (write, error) {
	var body struct {
		Path      string    `json:"path"`
		Content   string    `json:"content"`
		Format    string    `json:"format"`
		Language  string    `json:"language"`
		Overwrite wire.Bool `json:"overwrite"`
	}
	if announced(r, 2*maxNotebook) {
		return write{}, tooLarge(r.ContentLength/4*3, maxNotebook)
	}
	if err := wire.Decode(r, &body); err != nil {
		return write{}, err
	}
	w := write{format: body.Format, language: body.Language, overwrite: bool(body.Overwrite)}
	var err error
	if w.path, err = Clean(body.Path); err != nil {
		return w, err
	}
	if body.Content == "" {
		return w, errNoInput
	}
	content, err := base64.StdEncoding.DecodeString(body.Content)
	if err != nil {
		return w, wire.Invalid("The content of %s is not valid base64: %s", w.path, err)
	}
	w.content, err = t.receive(bytes.NewReader(content), maxNotebook)
	return w, err
}

var errNoInput = wire.Invalid("No input data source provided")

func (t *Tree) readMultipart(r *http.Request) (w write, err error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return w, wire.Errorf(http.StatusBadRequest, "MALFORMED_REQUEST", "Could not parse the form: %s", err)
	}
	defer func() {
		if err != nil && w.content != nil {
			w.content.drop()
		}
	}()
	fields := map[string]string{}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return w, wire.Errorf(http.StatusBadRequest, "MALFORMED_REQUEST", "Could not parse the form: %s", err)
		}
		if part.FormName() != "content" {
			b, err := io.ReadAll(io.LimitReader(part, 64<<10))
			if err != nil {
				return w, wire.Errorf(http.StatusBadRequest, "MALFORMED_REQUEST", "Could not read form field %s: %s", part.FormName(), err)
			}
			fields[part.FormName()] = string(b)
			continue
		}
		if w.content != nil {
			return w, wire.Invalid("The form has more than one content")
		}
		if w.content, err = t.receive(part, maxMultipart); err != nil {
			return w, err
		}
	}
	w.format, w.language = fields["format"], fields["language"]
	if w.path, err = Clean(fields["path"]); err != nil {
		return w, err
	}
	if w.overwrite, err = wire.Flag(fields["overwrite"], false); err != nil {
		return w, err
	}
	if w.content == nil {
		return w, errNoInput
	}
	return w, nil
}

func (t *Tree) serveImportFile(r *http.Request) (any, error) {
	p, err := Clean("/" + strings.TrimPrefix(r.PathValue("path"), "/"))
	if err != nil {
		return nil, err
	}
	overwrite, err := wire.Flag(r.URL.Query().Get("overwrite"), false)
	if err != nil {
		return nil, err
	}
	if announced(r, maxImportFile) {
		return nil, tooLarge(r.ContentLength, maxImportFile)
	}
	content, err := t.receive(r.Body, maxImportFile)
	if err != nil {
		return nil, err
	}
	err = t.put(write{path: p, format: formatAuto, overwrite: overwrite, content: content})
	e, ok := errors.AsType[*taken](err)
	switch {
	case !ok:
		return nil, err
	case e.mismatch:
		return nil, wire.Invalid("type mismatch (asked: %s, actual: %s)", e.want.Type, e.have.Type)
	case e.have.Type == TypeFile:
		return nil, wire.Errorf(http.StatusConflict, "", "File already exists at path %s", e.have.Path)
	}
	return nil, &wire.Error{Status: http.StatusBadRequest, Blank: true, Message: fmt.Sprintf("Path (%s) already exists.", e.have.Path)}
}
