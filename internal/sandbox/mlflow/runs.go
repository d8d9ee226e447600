package mlflow

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// experimentRoutes are those around runs and logged models that do not go to the backend as they are.
func (f *Front) experimentRoutes(m *wire.Mux) {
	const api = "/api/2.0/mlflow/"
	f.json(m, "POST "+api+"artifacts/credentials-for-read", func(r *http.Request) (any, error) { return f.runCredentials(r, http.MethodGet) })
	f.json(m, "POST "+api+"artifacts/credentials-for-write", func(r *http.Request) (any, error) { return f.runCredentials(r, http.MethodPut) })
	f.json(m, "GET "+api+"artifacts/list", f.listArtifacts)
	f.json(m, "POST "+api+"logged-models/{id}/artifacts/credentials-for-download", func(r *http.Request) (any, error) { return f.loggedCredentials(r, http.MethodGet) })
	f.json(m, "POST "+api+"logged-models/{id}/artifacts/credentials-for-upload", func(r *http.Request) (any, error) { return f.loggedCredentials(r, http.MethodPut) })
	f.json(m, "GET "+api+"experiments/list", func(r *http.Request) (any, error) { return f.renamed(r, "experiments/search") })
}

// renamed answers a route that MLflow has dropped by the one that took its place; both read the same parameters.
func (f *Front) renamed(r *http.Request, path string) (any, error) {
	q := r.URL.Query()
	if q.Get("max_results") == "" && path == "experiments/search" {
		q.Set("max_results", "1000") // there it is required
	}
	return f.do(r.Context(), f.space, Call{Method: http.MethodGet, Path: here + path, Query: q})
}

// paths reads what clients send: a list or a single one.
type paths []string

func (p *paths) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*p = paths{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(p))
}

// runCredentials signs one URL per path, in order, for the files of a run.
func (f *Front) runCredentials(r *http.Request, method string) (any, error) {
	var in struct {
		RunID string `json:"run_id"`
		Path  paths  `json:"path"`
	}
	if err := wire.Decode(r, &in); err != nil {
		return nil, err
	}
	root, err := f.runRoot(r.Context(), in.RunID)
	if err != nil {
		return nil, err
	}
	infos, err := f.credentials(method, root, in.Path, map[string]any{"run_id": in.RunID})
	return map[string]any{"credential_infos": infos}, err
}

// loggedCredentials does the same for a logged model.
func (f *Front) loggedCredentials(r *http.Request, method string) (any, error) {
	var in struct {
		Paths paths `json:"paths"`
	}
	if err := wire.Decode(r, &in); err != nil {
		return nil, err
	}
	root, err := f.loggedRoot(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	infos, err := f.credentials(method, root, in.Paths, nil)
	return map[string]any{"credentials": infos}, err
}

// credentials says AWS_PRESIGNED_URL because that is the kind clients use by a plain GET or PUT.
func (f *Front) credentials(method, root string, names []string, also map[string]any) ([]map[string]any, error) {
	at, err := f.source(root)
	if err != nil || at.name != "artifacts" {
		return nil, wire.Invalid("No credentials are needed for %s", root)
	}
	infos := make([]map[string]any, 0, len(names))
	for _, p := range names {
		info := map[string]any{
			"path": p, "signed_uri": f.signed(method, at.name, path.Join(at.path, path.Clean("/"+p))),
			"headers": []string{}, "type": "AWS_PRESIGNED_URL",
		}
		for k, v := range also {
			info[k] = v
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// listArtifacts answers one level of a run's files, their paths relative to the run.
func (f *Front) listArtifacts(r *http.Request) (any, error) {
	q := r.URL.Query()
	id := q.Get("run_id")
	if id == "" {
		id = q.Get("run_uuid")
	}
	root, err := f.runRoot(r.Context(), id)
	if err != nil {
		return nil, err
	}
	at, err := f.source(root)
	if err != nil {
		return nil, err
	}
	files, err := at.files(q.Get("path"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"root_uri": root, "files": files}, nil
}

// fileInfo is a file as MLflow lists it, its path relative to the run or model.
type fileInfo struct {
	Path     string `json:"path"`
	IsDir    bool   `json:"is_dir"`
	FileSize *int64 `json:"file_size,omitempty"`
}

// files lists one level below a place; a file lists itself, and nothing is an empty list.
func (at place) files(p string) ([]fileInfo, error) {
	entries, err := at.tree.list(path.Join(at.path, path.Clean("/"+p)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, wire.Invalid("listing %s: %s", p, err)
	}
	files := make([]fileInfo, 0, len(entries))
	for _, e := range entries {
		info := fileInfo{Path: strings.TrimPrefix(e.Path, within(at.path)+"/"), IsDir: e.Dir}
		if !e.Dir {
			info.FileSize = &e.Size
		}
		files = append(files, info)
	}
	return files, nil
}

// runRoot is the artifact URI of a run, as clients see it.
func (f *Front) runRoot(ctx context.Context, id string) (string, error) {
	var out struct {
		Run struct {
			Info struct {
				URI string `json:"artifact_uri"`
			} `json:"info"`
		} `json:"run"`
	}
	err := f.get(ctx, "runs/get", url.Values{"run_id": {id}}, &out)
	return out.Run.Info.URI, err
}

// loggedRoot is the artifact URI of a logged model.
func (f *Front) loggedRoot(ctx context.Context, id string) (string, error) {
	var out struct {
		Model struct {
			Info struct {
				URI string `json:"artifact_uri"`
			} `json:"info"`
		} `json:"model"`
	}
	if id == "" || strings.Contains(id, "/") {
		return "", wire.NotFound("Logged model with ID '%s' not found.", id)
	}
	err := f.get(ctx, "logged-models/"+id, nil, &out)
	return out.Model.Info.URI, err
}

// source is the place of an artifact URI: of a run, of a registered version's copy, or on DBFS.
func (f *Front) source(uri string) (place, error) {
	if rest, ok := strings.CutPrefix(uri, shown); ok {
		return place{uri, "artifacts", f.artifacts, within(rest)}, nil
	}
	if rest, ok := strings.CutPrefix(uri, registered); ok {
		folder, _, _ := strings.Cut(rest, "/")
		return place{uri, "models", f.models, folder}, nil
	}
	if rest, ok := strings.CutPrefix(uri, "dbfs:/"); ok {
		return place{uri, "dbfs", f.dbfs, within(rest)}, nil
	}
	return place{}, wire.Invalid("The sandbox has no storage for %s: use dbfs:/, runs:/ or models:/", uri)
}
