package workspace

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// Limits of DBFS, in bytes: what one call carries, and what one raw upload does.
const (
	maxBlock   = 1 << 20
	maxRawDBFS = 5 << 30
)

// streams are the files that are being written block by block, by handle. They end with the server.
type streams struct {
	mu   *sync.Mutex
	last int64
	open map[int64]*os.File
}

func newStreams() streams { return streams{mu: new(sync.Mutex), open: map[int64]*os.File{}} }

func (s *streams) add(f *os.File) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.open[s.last] = f
	return s.last
}

func (s *streams) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for handle, f := range s.open {
		_ = f.Close()
		delete(s.open, handle)
	}
}

// with runs do on an open stream, one call at a time.
func (s *streams) with(handle int64, do func(*os.File) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.open[handle]
	if !ok {
		return wire.NotFound("No opened stream found for handle %d.", handle)
	}
	return do(f)
}

func (t *Tree) dbfsRoutes(m *wire.Mux) {
	m.JSON("POST /api/2.0/dbfs/put", t.dbfsPut)
	m.JSON("POST /api/2.0/dbfs/create", t.dbfsCreate)
	m.JSON("POST /api/2.0/dbfs/add-block", t.dbfsAddBlock)
	m.JSON("POST /api/2.0/dbfs/close", t.dbfsClose)
	m.JSON("GET /api/2.0/dbfs/read", t.dbfsRead)
	m.JSON("GET /api/2.0/dbfs/list", t.dbfsList)
	m.JSON("GET /api/2.0/dbfs/get-status", t.dbfsStatus)
	m.JSON("POST /api/2.0/dbfs/delete", t.dbfsDelete)
	m.JSON("POST /api/2.0/dbfs/mkdirs", t.dbfsMkdirs)
	m.JSON("POST /api/2.0/dbfs/move", t.dbfsMove)
	t.rawRoutes(m)
}

// cleanDBFS gives the one true path of dbfs:/x and /x.
func cleanDBFS(p string) (string, error) {
	if p == "" {
		return "", wire.Missing("path")
	}
	p = strings.TrimPrefix(p, "dbfs:")
	if !strings.HasPrefix(p, "/") {
		return "", wire.Invalid("Path must be absolute: %s", p)
	}
	if err := plain(p); err != nil {
		return "", err
	}
	return path.Clean(p), nil
}

// plain refuses names that lead somewhere else.
func plain(p string) error {
	for segment := range strings.SplitSeq(p, "/") {
		if segment == "." || segment == ".." || segment == spoolDir || strings.Contains(segment, "\x00") {
			return wire.Invalid("Path (%s) contains an invalid name: %q", p, segment)
		}
	}
	return nil
}

func dbfsAbsent(p string) error {
	return wire.NotFound("No file or directory exists on path dbfs:%s.", p)
}

func dbfsExists(p string) error {
	return wire.Errorf(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "A file or directory already exists at the input path dbfs:%s.", p)
}

func blockTooLarge(size int) error {
	return wire.Errorf(http.StatusBadRequest, "MAX_BLOCK_SIZE_EXCEEDED", "The block of %d bytes is larger than the maximum of %d bytes.", size, maxBlock)
}

func fileInfo(p string, info fs.FileInfo) map[string]any {
	m := map[string]any{"path": p, "is_dir": info.IsDir(), "file_size": info.Size(), "modification_time": info.ModTime().UnixMilli()}
	if info.IsDir() {
		m["file_size"] = 0
	}
	return m
}

func (t *Tree) dbfsPut(r *http.Request) (any, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "multipart/form-data" {
		return nil, t.dbfsPutForm(r)
	}
	var body struct {
		Path      string    `json:"path"`
		Contents  string    `json:"contents"`
		Overwrite wire.Bool `json:"overwrite"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return nil, err
	}
	content, err := base64.StdEncoding.DecodeString(body.Contents)
	if err != nil {
		return nil, wire.Invalid("The contents are not valid base64: %s", err)
	}
	if len(content) > maxBlock {
		return nil, blockTooLarge(len(content))
	}
	return nil, t.dbfsWrite(body.Path, bytes.NewReader(content), maxBlock, bool(body.Overwrite))
}

func (t *Tree) dbfsPutForm(r *http.Request) error {
	r.Body = http.MaxBytesReader(nil, r.Body, maxRawDBFS+1<<20)
	if err := r.ParseMultipartForm(8 << 20); err != nil { //nolint:gosec // bounded in the line above
		return wire.Errorf(http.StatusBadRequest, "MALFORMED_REQUEST", "Could not parse the form: %s", err)
	}
	defer func() { _ = r.MultipartForm.RemoveAll() }()
	overwrite, err := wire.Flag(r.FormValue("overwrite"), false)
	if err != nil {
		return err
	}
	f, _, err := r.FormFile("contents")
	if err != nil {
		return wire.Missing("contents")
	}
	defer f.Close()
	return t.dbfsWrite(r.FormValue("path"), f, maxRawDBFS, overwrite)
}

func (t *Tree) dbfsWrite(p string, r io.Reader, limit int64, overwrite bool) error {
	p, err := cleanDBFS(p)
	if err != nil {
		return err
	}
	s, err := t.dbfs.spool(r, limit)
	if e, ok := errors.AsType[errTooLarge](err); ok {
		return wire.Errorf(http.StatusBadRequest, "MAX_BLOCK_SIZE_EXCEEDED", "%s", e)
	}
	if err != nil {
		return err
	}
	defer s.drop()
	return t.dbfsPlaced(p, s.place(p, overwrite))
}

func (t *Tree) dbfsPlaced(p string, err error) error {
	switch {
	case errors.Is(err, errExists):
		return dbfsExists(p)
	case errors.Is(err, errNotFolder):
		return dbfsExists(path.Dir(p))
	}
	return err
}

func (t *Tree) dbfsCreate(r *http.Request) (any, error) {
	var body struct {
		Path      string    `json:"path"`
		Overwrite wire.Bool `json:"overwrite"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return nil, err
	}
	if err := t.dbfsWrite(body.Path, strings.NewReader(""), 0, bool(body.Overwrite)); err != nil {
		return nil, err
	}
	p, err := cleanDBFS(body.Path)
	if err != nil {
		return nil, err
	}
	f, err := t.dbfs.root.OpenFile(local(p), os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening dbfs:%s: %w", p, err)
	}
	return map[string]int64{"handle": t.streams.add(f)}, nil
}

func (t *Tree) dbfsAddBlock(r *http.Request) (any, error) {
	var body struct {
		Handle wire.Int `json:"handle"`
		Data   string   `json:"data"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return nil, err
	}
	block, err := base64.StdEncoding.DecodeString(body.Data)
	if err != nil {
		return nil, wire.Invalid("The data is not valid base64: %s", err)
	}
	if len(block) > maxBlock {
		return nil, blockTooLarge(len(block))
	}
	return nil, t.streams.with(int64(body.Handle), func(f *os.File) error {
		_, err := f.Write(block)
		return err
	})
}

func (t *Tree) dbfsClose(r *http.Request) (any, error) {
	var body struct {
		Handle wire.Int `json:"handle"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return nil, err
	}
	return nil, t.streams.with(int64(body.Handle), func(f *os.File) error {
		delete(t.streams.open, int64(body.Handle))
		return f.Close()
	})
}

func (t *Tree) dbfsRead(r *http.Request) (any, error) {
	q := r.URL.Query()
	p, err := cleanDBFS(q.Get("path"))
	if err != nil {
		return nil, err
	}
	offset, err := wire.Number("offset", q.Get("offset"), 0)
	if err != nil {
		return nil, err
	}
	length, err := wire.Number("length", q.Get("length"), maxBlock/2)
	if err != nil {
		return nil, err
	}
	if offset < 0 || length < 0 {
		return nil, wire.Invalid("Offset and length must not be negative")
	}
	if length > maxBlock {
		return nil, wire.Errorf(http.StatusBadRequest, "MAX_READ_SIZE_EXCEEDED", "The read of %d bytes is larger than the maximum of %d bytes.", length, maxBlock)
	}
	info := t.dbfs.stat(p)
	if info == nil {
		return nil, dbfsAbsent(p)
	}
	if info.IsDir() {
		return nil, wire.Invalid("The path dbfs:%s is a directory.", p)
	}
	f, err := t.dbfs.open(p)
	if err != nil {
		return nil, dbfsAbsent(p)
	}
	defer f.Close()
	block := make([]byte, min(length, max(info.Size()-offset, 0)))
	n, err := f.ReadAt(block, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading dbfs:%s: %w", p, err)
	}
	return map[string]any{"bytes_read": n, "data": base64.StdEncoding.EncodeToString(block[:n])}, nil
}

func (t *Tree) dbfsList(r *http.Request) (any, error) {
	p, info, err := t.dbfsLook(r)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return map[string]any{"files": []any{fileInfo(p, info)}}, nil
	}
	infos, err := t.dbfs.list(p)
	if err != nil {
		return nil, fmt.Errorf("listing dbfs:%s: %w", p, err)
	}
	if len(infos) == 0 {
		return nil, nil // the service leaves an empty list out
	}
	files := make([]any, 0, len(infos))
	for _, info := range infos {
		files = append(files, fileInfo(path.Join(p, info.Name()), info))
	}
	return map[string]any{"files": files}, nil
}

func (t *Tree) dbfsStatus(r *http.Request) (any, error) {
	p, info, err := t.dbfsLook(r)
	if err != nil {
		return nil, err
	}
	return fileInfo(p, info), nil
}

func (t *Tree) dbfsLook(r *http.Request) (string, fs.FileInfo, error) {
	p, err := cleanDBFS(r.URL.Query().Get("path"))
	if err != nil {
		return "", nil, err
	}
	info := t.dbfs.stat(p)
	if info == nil {
		return "", nil, dbfsAbsent(p)
	}
	return p, info, nil
}

func (t *Tree) dbfsMkdirs(r *http.Request) (any, error) {
	var body struct {
		Path string `json:"path"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return nil, err
	}
	p, err := cleanDBFS(body.Path)
	if err != nil {
		return nil, err
	}
	if err := t.dbfs.mkdirs(p); err != nil {
		return nil, dbfsExists(p)
	}
	return nil, nil
}

// dbfsDelete answers success for a path that is not there, as the service does.
func (t *Tree) dbfsDelete(r *http.Request) (any, error) {
	var body struct {
		Path      string    `json:"path"`
		Recursive wire.Bool `json:"recursive"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return nil, err
	}
	p, err := cleanDBFS(body.Path)
	if err != nil {
		return nil, err
	}
	if p == "/" {
		return nil, wire.Invalid("The root of DBFS cannot be deleted.")
	}
	if info := t.dbfs.stat(p); info != nil && info.IsDir() && !bool(body.Recursive) {
		if held, err := t.dbfs.list(p); err != nil || len(held) > 0 {
			return nil, wire.Errorf(http.StatusBadRequest, "IO_ERROR", "Directory dbfs:%s is not empty. Use recursive=true to delete it.", p)
		}
	}
	if err := t.dbfs.removeAll(p); err != nil {
		return nil, fmt.Errorf("deleting dbfs:%s: %w", p, err)
	}
	return nil, nil
}

func (t *Tree) dbfsMove(r *http.Request) (any, error) {
	var body struct {
		Source      string `json:"source_path"`
		Destination string `json:"destination_path"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return nil, err
	}
	from, err := cleanDBFS(body.Source)
	if err != nil {
		return nil, err
	}
	to, err := cleanDBFS(body.Destination)
	if err != nil {
		return nil, err
	}
	t.dbfs.mu.Lock()
	defer t.dbfs.mu.Unlock()
	if t.dbfs.stat(from) == nil {
		return nil, dbfsAbsent(from)
	}
	if info := t.dbfs.stat(to); info != nil {
		if !info.IsDir() {
			return nil, dbfsExists(to)
		}
		if to = path.Join(to, path.Base(from)); t.dbfs.stat(to) != nil {
			return nil, dbfsExists(to)
		}
	}
	if from == "/" || to == from || strings.HasPrefix(to, from+"/") {
		return nil, wire.Invalid("dbfs:%s cannot be moved into itself", from)
	}
	if err := t.dbfs.mkdirs(path.Dir(to)); err != nil {
		return nil, dbfsExists(path.Dir(to))
	}
	return nil, t.dbfs.rename(from, to)
}
