package mlflow

import (
	"net/http"
	"path"
	"regexp"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// The Files API under these two: artifacts of the twin's runs and logged models, and Unity Catalog's models.
const (
	runFiles   = "WorkspaceInternal/Mlflow/Artifacts"
	modelFiles = "Models"
)

// runPath is <experiment>/Runs/<run>/…; logged models arrive as <experiment>/Runs/models/<id>/….
var runPath = regexp.MustCompile(`^([^/]+)/Runs/(.+)$`)

func (f *Front) fileRoutes(m *wire.Mux) {
	for _, top := range []string{runFiles, modelFiles} {
		files, dirs := "/api/2.0/fs/files/"+top+"/{path...}", "/api/2.0/fs/directories/"+top+"/{path...}"
		m.Handle("GET "+files, f.stamped(f.onFile(top, f.getFile)))
		m.Handle("PUT "+files, f.stamped(f.onFile(top, f.putFile)))
		m.Handle("DELETE "+files, f.stamped(f.onFile(top, f.deleteFile)))
		m.Handle("GET "+dirs, f.stamped(f.onFile(top, f.listDir)))
		m.Handle("PUT "+dirs, f.stamped(f.onFile(top, f.putDir)))
	}
	f.json(m, "POST /api/2.0/fs/create-download-url", func(r *http.Request) (any, error) { return f.fileURL(r, http.MethodGet) })
	f.json(m, "POST /api/2.0/fs/create-upload-url", func(r *http.Request) (any, error) { return f.fileURL(r, http.MethodPut) })
}

// place is one path of the Files API and where it lies: as the client names it, and as the tree does.
type place struct {
	asked string // absolute, as in listings
	name  string // of the tree, for signed URLs
	tree  tree
	path  string
}

// locate finds the place of a path such as WorkspaceInternal/Mlflow/Artifacts/1/Runs/9135…/artifacts/x.txt.
func (f *Front) locate(asked string) (place, error) {
	asked = path.Clean("/" + asked)
	if rest, ok := strings.CutPrefix(asked, "/"+runFiles+"/"); ok {
		if m := runPath.FindStringSubmatch(rest); m != nil {
			return place{asked, "artifacts", f.artifacts, m[1] + "/" + m[2]}, nil
		}
	}
	if rest, ok := strings.CutPrefix(asked, "/"+modelFiles+"/"); ok {
		return place{asked, "metastore", f.metastore, rest}, nil
	}
	return place{}, wire.Errorf(http.StatusNotFound, "NOT_FOUND", "No such path: %s", asked)
}

func (f *Front) onFile(top string, serve func(http.ResponseWriter, *http.Request, place)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		at, err := f.locate(top + "/" + r.PathValue("path"))
		if err != nil {
			wire.Fail(w, err)
			return
		}
		serve(w, r, at)
	}
}

// getFile answers HEAD as well.
func (f *Front) getFile(w http.ResponseWriter, r *http.Request, at place) {
	serveFile(w, r, at.tree, at.path, at.asked)
}

func (f *Front) putFile(w http.ResponseWriter, r *http.Request, at place) {
	if r.URL.Query().Get("overwrite") == "false" && at.tree.isFile(at.path) {
		wire.Fail(w, wire.Errorf(http.StatusConflict, "ALREADY_EXISTS", "The file being created already exists: %s", at.asked))
		return
	}
	done(w, at, at.tree.write(at.path, r.Body))
}

func (f *Front) deleteFile(w http.ResponseWriter, _ *http.Request, at place) {
	if !at.tree.isFile(at.path) {
		wire.Fail(w, unreadable(at.asked, nil))
		return
	}
	done(w, at, at.tree.remove(at.path))
}

func (f *Front) putDir(w http.ResponseWriter, _ *http.Request, at place) {
	done(w, at, at.tree.mkdir(at.path))
}

func done(w http.ResponseWriter, at place, err error) {
	if err != nil {
		wire.Fail(w, unwritable(at.asked, err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// listDir answers HEAD as well, by which clients ask whether a folder is there.
func (f *Front) listDir(w http.ResponseWriter, _ *http.Request, at place) {
	if !at.tree.isDir(at.path) {
		wire.Fail(w, wire.Errorf(http.StatusNotFound, "NOT_FOUND", "The directory being accessed is not found: %s", at.asked))
		return
	}
	entries, err := at.tree.list(at.path)
	if err != nil {
		wire.Fail(w, unreadable(at.asked, err))
		return
	}
	type item struct {
		Path         string `json:"path"`
		Name         string `json:"name"`
		IsDirectory  bool   `json:"is_directory"`
		FileSize     *int64 `json:"file_size,omitempty"`
		LastModified int64  `json:"last_modified"`
	}
	contents := make([]item, 0, len(entries))
	for _, e := range entries {
		name := path.Base(e.Path)
		it := item{Path: path.Join(at.asked, name), Name: name, IsDirectory: e.Dir, LastModified: e.Milli}
		if !e.Dir {
			it.FileSize = &e.Size
		}
		contents = append(contents, it)
	}
	wire.Write(w, http.StatusOK, map[string]any{"contents": contents})
}

// fileURL signs one path, which the SDK gives in the query and MLflow in the body.
func (f *Front) fileURL(r *http.Request, method string) (any, error) {
	var in struct {
		Path string `json:"path"`
	}
	if err := wire.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.Path == "" {
		in.Path = r.URL.Query().Get("path")
	}
	at, err := f.locate(in.Path)
	if err != nil {
		return nil, err
	}
	if method == http.MethodGet && !at.tree.isFile(at.path) {
		return nil, unreadable(at.asked, nil)
	}
	return map[string]any{"url": f.signed(method, at.name, at.path), "headers": []string{}}, nil
}
