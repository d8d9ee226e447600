// Package workspace is a twin's files: the workspace tree with its notebooks, DBFS, and Unity Catalog's volumes.
//
// What exists is what lies on disk, so that files which a notebook writes by its own means are seen as well; the
// index beside it adds what a disk cannot say: object ids, notebook or file, language, times. A write that was
// answered with success survives a killed server, and one that was not is there whole or not at all.
package workspace

import (
	"fmt"
	"net/http"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// Object types as the API names them.
const (
	TypeNotebook  = "NOTEBOOK"
	TypeFile      = "FILE"
	TypeDirectory = "DIRECTORY"
)

// Formats in which a notebook is kept and exported.
const (
	FormatSource  = "SOURCE"
	FormatJupyter = "JUPYTER"
	formatAuto    = "AUTO"
	formatRaw     = "RAW"
)

// maxChildren is how many objects a folder may hold.
const maxChildren = 10_000

// Object is what stands at a path of the workspace. Times are milliseconds since 1970, Size counts bytes.
type Object struct {
	Path     string `json:"path"`
	ID       int64  `json:"id"`
	Type     string `json:"type"`
	Language string `json:"language,omitempty"`
	Format   string `json:"format,omitempty"`
	Created  int64  `json:"created"`
	Modified int64  `json:"modified"`
	Size     int64  `json:"-"`
}

// Notebook is a notebook's content, as it was imported.
type Notebook struct {
	Path     string
	Language string // PYTHON, SQL, SCALA or R
	Format   string // FormatSource or FormatJupyter
	Content  []byte
}

// Tree is the files of one twin. It is safe for concurrent use.
type Tree struct {
	dir     string
	now     func() time.Time
	objects *area
	dbfs    *area
	volumes *area
	streams streams
	most    int // children of a folder

	mu    sync.Mutex // guards the index, and a look followed by a write
	index *index
}

// New opens the tree kept under dir, or begins one: the folders /Shared, /Users and /Repos.
func New(dir string, now func() time.Time) (*Tree, error) {
	t := &Tree{dir: dir, now: now, streams: newStreams(), most: maxChildren}
	for name, a := range map[string]**area{"workspace": &t.objects, "dbfs": &t.dbfs, "Volumes": &t.volumes} {
		opened, err := openArea(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		*a = opened
	}
	var err error
	if t.index, err = openIndex(filepath.Join(dir, "workspace.index")); err != nil {
		return nil, err
	}
	for _, folder := range []string{"/Shared", "/Users", "/Repos"} {
		if err := t.Mkdirs(folder); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Close lets go of the files. It is safe to repeat.
func (t *Tree) Close() error {
	t.streams.closeAll()
	for _, a := range []*area{t.objects, t.dbfs, t.volumes} {
		_ = a.close()
	}
	return t.index.close()
}

// Root is the folder on disk that holds the workspace's content, each object at its own path.
func (t *Tree) Root() string { return t.objects.dir }

// DBFS is the folder on disk that is dbfs:/.
func (t *Tree) DBFS() string { return t.dbfs.dir }

// Volumes is the folder on disk that is /Volumes.
func (t *Tree) Volumes() string { return t.volumes.dir }

// Routes registers the APIs of workspace, DBFS and volumes.
func (t *Tree) Routes(m *wire.Mux) {
	t.workspaceRoutes(m)
	t.dbfsRoutes(m)
	t.volumeRoutes(m)
}

// Clean gives an object's one true path: absolute, without the prefix /Workspace and without a slash at its end.
func Clean(p string) (string, error) {
	switch {
	case p == "":
		return "", wire.Missing("path")
	case !strings.HasPrefix(p, "/"):
		return "", wire.Invalid("Path (%s) doesn't start with '/'", p)
	case !utf8.ValidString(p) || strings.ContainsAny(p, "\x00\n\r"):
		return "", wire.Invalid("Path (%q) contains invalid characters", p)
	}
	for _, segment := range strings.Split(p, "/") {
		if segment == "." || segment == ".." || segment == spoolDir {
			return "", wire.Invalid("Path (%s) contains an invalid name: %s", p, segment)
		}
		if len(segment) > 255 {
			return "", wire.Invalid("Path (%s) contains a name longer than 255 bytes", p)
		}
	}
	p = path.Clean(p)
	if p == "/Workspace" {
		return "/", nil
	}
	if rest, ok := strings.CutPrefix(p, "/Workspace/"); ok {
		p = "/" + rest
	}
	return p, nil
}

func absent(p string) error { return wire.NotFound("Path (%s) doesn't exist.", p) }

// Stat says what stands at a path, or 404 RESOURCE_DOES_NOT_EXIST.
func (t *Tree) Stat(p string) (Object, error) {
	p, err := Clean(p)
	if err != nil {
		return Object{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.look(p)
	if o == nil {
		return Object{}, absent(p)
	}
	return *o, nil
}

// ByID finds an object by its id.
func (t *Tree) ByID(id int64) (Object, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id == 0 {
		return *t.look("/"), nil
	}
	if p, ok := t.index.paths[id]; ok {
		if o := t.look(p); o != nil && o.ID == id {
			return *o, nil
		}
	}
	return Object{}, wire.NotFound("Node ID %d does not exist.", id)
}

// look returns what stands at a clean path, or nil. What is on disk and not in the index is taken in: a notebook
// wrote it through the file system.
func (t *Tree) look(p string) *Object {
	info := t.objects.stat(p)
	if info == nil {
		return nil
	}
	if p == "/" {
		return &Object{Path: "/", Type: TypeDirectory}
	}
	kind := TypeFile
	if info.IsDir() {
		kind = TypeDirectory
	}
	o, ok := t.index.objects[p]
	if !ok || (o.Type == TypeDirectory) != info.IsDir() {
		at := info.ModTime().UnixMilli()
		o = Object{Path: p, ID: t.index.newID(), Type: kind, Created: at, Modified: at}
		if err := t.index.put(o); err != nil {
			return nil
		}
	}
	if o.Type != TypeDirectory {
		o.Size = info.Size()
	}
	return &o
}

// Notebook reads a notebook, or 404 RESOURCE_DOES_NOT_EXIST where there is none.
func (t *Tree) Notebook(p string) (Notebook, error) {
	o, err := t.Stat(p)
	if err != nil {
		return Notebook{}, err
	}
	if o.Type != TypeNotebook {
		return Notebook{}, wire.NotFound("Path (%s) is not a notebook.", o.Path)
	}
	content, err := t.objects.root.ReadFile(local(o.Path))
	if err != nil {
		return Notebook{}, fmt.Errorf("reading notebook %s: %w", o.Path, err)
	}
	return Notebook{Path: o.Path, Language: o.Language, Format: o.Format, Content: content}, nil
}

// NotebookExists is nil for the path of a notebook, else 404 RESOURCE_DOES_NOT_EXIST.
func (t *Tree) NotebookExists(p string) error {
	o, err := t.Stat(p)
	if err == nil && o.Type != TypeNotebook {
		err = wire.NotFound("Path (%s) is not a notebook.", o.Path)
	}
	return err
}

// Language is that of the notebook at a path, empty where there is none.
func (t *Tree) Language(p string) string {
	o, err := t.Stat(p)
	if err != nil {
		return ""
	}
	return o.Language
}

// Mkdirs makes a folder and those above it. It is safe to repeat.
func (t *Tree) Mkdirs(p string) error {
	p, err := Clean(p)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := 1; i <= len(p); i++ {
		if i < len(p) && p[i] != '/' {
			continue
		}
		if err := t.mkdir(p[:i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) mkdir(p string) error {
	if o := t.look(p); o != nil {
		if o.Type != TypeDirectory {
			return wire.Errorf(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "%salready exists and it is not a folder", p)
		}
		return nil
	}
	if err := t.roomIn(path.Dir(p)); err != nil {
		return err
	}
	at := t.now().UnixMilli()
	if err := t.index.put(Object{Path: p, ID: t.index.newID(), Type: TypeDirectory, Created: at, Modified: at}); err != nil {
		return err
	}
	if err := t.objects.mkdirs(p); err != nil {
		return fmt.Errorf("making folder %s: %w", p, err)
	}
	return nil
}

func (t *Tree) roomIn(folder string) error {
	if t.index.children[folder] >= t.most {
		return wire.Errorf(http.StatusForbidden, "MAX_CHILD_NODE_SIZE_EXCEEDED",
			"The folder (%s) has reached its limit of %d child nodes.", folder, t.most)
	}
	return nil
}

func (t *Tree) delete(p string, recursive bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.look(p)
	switch {
	case o == nil:
		return absent(p)
	case p == "/":
		return wire.Errorf(http.StatusBadRequest, "BAD_REQUEST", "The root folder cannot be deleted.")
	}
	if o.Type == TypeDirectory && !recursive {
		if held, err := t.objects.list(p); err != nil || len(held) > 0 {
			return wire.Errorf(http.StatusBadRequest, "DIRECTORY_NOT_EMPTY", "Folder (%s) is not empty", p)
		}
	}
	if err := t.objects.removeAll(p); err != nil {
		return fmt.Errorf("deleting %s: %w", p, err)
	}
	return t.index.remove(p)
}

// list returns the objects of a folder by name, or the one object at p.
func (t *Tree) list(p string) ([]Object, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.look(p)
	if o == nil {
		return nil, absent(p)
	}
	if o.Type != TypeDirectory {
		return []Object{*o}, nil
	}
	infos, err := t.objects.list(p)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", p, err)
	}
	objects := make([]Object, 0, len(infos))
	for _, info := range infos {
		if child := t.look(path.Join(p, info.Name())); child != nil {
			objects = append(objects, *child)
		}
	}
	return objects, nil
}

// info is an object as the API shows it: only files have size and times.
func (o Object) info() map[string]any {
	m := map[string]any{
		"object_type": o.Type,
		"path":        o.Path,
		"object_id":   o.ID,
		"resource_id": strconv.FormatInt(o.ID, 10),
	}
	switch o.Type {
	case TypeNotebook:
		m["language"] = o.Language
	case TypeFile:
		m["size"], m["created_at"], m["modified_at"] = o.Size, o.Created, o.Modified
	}
	return m
}
