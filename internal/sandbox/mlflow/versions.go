package mlflow

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// registered is where Databricks says that the copies of registered versions are: a folder per version.
const registered = "dbfs:/databricks/mlflow-registry/"

func (f *Front) versionRoutes(m *wire.Mux) {
	const api = "/api/2.0/mlflow/"
	f.json(m, "POST "+api+"model-versions/create", f.createVersion)
	f.json(m, "DELETE "+api+"model-versions/delete", f.deleteVersion)
	f.json(m, "GET "+api+"model-versions/list-artifacts", f.listVersion)
	f.json(m, "GET "+api+"model-versions/get-signed-download-uri", f.signVersion)
	f.json(m, "GET "+api+"model-versions/get-download-uri", f.versionURI)
	f.json(m, "GET "+api+"model-versions/search", f.searchVersions)
	f.json(m, "POST "+api+"databricks/model-versions/transition-stage", f.transition)
}

// createVersion copies the source's files and registers the copy, which stays what it was whatever happens to the
// source. A source that does not exist makes a version whose registration failed, as on Databricks.
func (f *Front) createVersion(r *http.Request) (any, error) {
	in, err := fields(r)
	if err != nil {
		return nil, err
	}
	ctx, note := r.Context(), versionNote{}
	if source := text(in, "source"); source != "" && text(in, "name") != "" {
		if note, err = f.copySource(ctx, in); err != nil {
			return nil, err
		}
	}
	number, out, err := f.registerVersion(ctx, in)
	if err != nil {
		if note.Files != "" {
			_ = f.models.remove(note.Files) // unused: the error that matters is MLflow's
		}
		return nil, err
	}
	err = f.notes.change(func(models map[string]*modelNote) error {
		*noted(models, text(in, "name"), f.User).version(number) = note
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f.notes.overlay(out)
}

func (f *Front) registerVersion(ctx context.Context, in map[string]any) (number string, out json.RawMessage, err error) {
	if err := f.post(ctx, "model-versions/create", in, &out); err != nil {
		return "", nil, err
	}
	var v struct {
		Version struct {
			Number string `json:"version"`
		} `json:"model_version"`
	}
	err = decode(out, nil, "model-versions/create", &v)
	return v.Version.Number, out, err
}

// copySource prepares a request for MLflow and copies the files it names. MLflow is told the source as a dbfs: URI,
// which it does not look into, and a logged model only if it is one of this workspace: remote registration sends
// that of another.
func (f *Front) copySource(ctx context.Context, in map[string]any) (versionNote, error) {
	source, err := f.actual(ctx, text(in, "source"))
	if err != nil {
		return versionNote{}, err
	}
	in["source"] = source
	if id := text(in, "model_id"); id != "" {
		if _, err := f.loggedRoot(ctx, id); err != nil {
			delete(in, "model_id")
		}
	}
	at, err := f.source(source)
	if err != nil {
		return versionNote{}, err
	}
	if !at.tree.isDir(at.path) {
		parent := path.Dir(at.path)
		if !at.tree.isFile(path.Join(parent, "MLmodel")) {
			return versionNote{Status: "FAILED_REGISTRATION", Message: "Failed registration. The given source path does not exist."}, nil
		}
		at.path = parent // MLflow 3 uploads a logged model there, and names a folder below that it never makes
	}
	folder := newID()
	if err := at.tree.copyTo(at.path, f.models, folder); err != nil {
		_ = f.models.remove(folder)
		return versionNote{}, wire.Invalid("copying %s: %s", source, err)
	}
	return versionNote{Files: folder}, nil
}

// actual turns the URIs that stand for others into what they stand for.
func (f *Front) actual(ctx context.Context, source string) (string, error) {
	if rest, ok := strings.CutPrefix(source, "runs:/"); ok {
		id, p, _ := strings.Cut(rest, "/")
		root, err := f.runRoot(ctx, id)
		return strings.TrimSuffix(root+"/"+p, "/"), err
	}
	rest, ok := strings.CutPrefix(source, "models:/")
	if !ok {
		return source, nil
	}
	name, version, of := strings.Cut(rest, "/")
	if !of {
		return f.loggedRoot(ctx, name)
	}
	folder, err := f.folder(ctx, name, version)
	return registered + folder + "/models/" + name, err
}

// folder is where the copy of a version lies, empty when it has none.
func (f *Front) folder(ctx context.Context, name, version string) (string, error) {
	if v := f.notes.version(name, version); v.Files != "" {
		return v.Files, nil
	}
	return "", f.get(ctx, "model-versions/get", url.Values{"name": {name}, "version": {version}}, nil)
}

// copied is the place of a version's files, or why there is none.
func (f *Front) copied(r *http.Request) (place, error) {
	q := r.URL.Query()
	folder, err := f.folder(r.Context(), q.Get("name"), q.Get("version"))
	if err != nil {
		return place{}, err
	}
	if folder == "" {
		return place{}, wire.NotFound("Model Version (name=%s, version=%s) has no files", q.Get("name"), q.Get("version"))
	}
	return place{registered + folder, "models", f.models, folder}, nil
}

func (f *Front) listVersion(r *http.Request) (any, error) {
	at, err := f.copied(r)
	if err != nil {
		return nil, err
	}
	files, err := at.files(r.URL.Query().Get("path"))
	return map[string]any{"files": files}, err
}

func (f *Front) signVersion(r *http.Request) (any, error) {
	at, err := f.copied(r)
	if err != nil {
		return nil, err
	}
	p := r.URL.Query().Get("path")
	file := path.Join(at.path, path.Clean("/"+p))
	if !f.models.isFile(file) {
		return nil, wire.NotFound("The version has no file %q", p)
	}
	return map[string]any{"signed_uri": f.signed(http.MethodGet, at.name, file), "headers": []string{}}, nil
}

func (f *Front) versionURI(r *http.Request) (any, error) {
	at, err := f.copied(r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"artifact_uri": at.asked + "/models/" + r.URL.Query().Get("name")}, nil
}

// deleteVersion takes the copy with it.
func (f *Front) deleteVersion(r *http.Request) (any, error) {
	in, name, version, err := named(r)
	if err != nil {
		return nil, err
	}
	if err := f.delete(r.Context(), "model-versions/delete", in); err != nil {
		return nil, err
	}
	folder := f.notes.version(name, version).Files
	err = f.notes.change(func(models map[string]*modelNote) error {
		if m := models[name]; m != nil {
			delete(m.Versions, version)
		}
		return nil
	})
	if err != nil || folder == "" {
		return nil, err
	}
	return nil, f.models.remove(folder)
}

// transition is the Go SDK's way to move a version to a stage; the Python client's goes to the backend as it is.
func (f *Front) transition(r *http.Request) (any, error) {
	in, err := fields(r)
	if err != nil {
		return nil, err
	}
	if err := checkComment(text(in, "comment")); err != nil {
		return nil, err
	}
	v, err := f.moveTo(r.Context(), in)
	if err != nil {
		return nil, err
	}
	note := f.notes.version(text(in, "name"), text(in, "version"))
	v["permission_level"], v["user_id"] = "CAN_MANAGE", f.User
	if len(note.Requests) > 0 {
		v["open_requests"] = note.Requests
	}
	return map[string]any{"model_version_databricks": v}, nil
}

// longestPage is how many versions one answer holds at most: MLflow itself allows more.
const longestPage = 10_000

func (f *Front) searchVersions(r *http.Request) (any, error) {
	if n, err := strconv.Atoi(r.URL.Query().Get("max_results")); err == nil && n > longestPage {
		return nil, wire.Invalid("Invalid value for request parameter max_results. It must be at most %d, but got value %d", longestPage, n)
	}
	return f.forward(r)
}

// moveTo moves a version to a stage and answers it as MLflow shows it.
func (f *Front) moveTo(ctx context.Context, in map[string]any) (map[string]any, error) {
	plain := map[string]any{}
	for _, key := range []string{"name", "version", "stage", "archive_existing_versions"} {
		if v, ok := in[key]; ok {
			plain[key] = v
		}
	}
	var out struct {
		Version map[string]any `json:"model_version"`
	}
	err := f.post(ctx, "model-versions/transition-stage", plain, &out)
	return out.Version, err
}

// latestReady is the newest READY version of each stage, or of those asked for.
func (f *Front) latestReady(ctx context.Context, name string, stages []string) (any, error) {
	latest, token := []map[string]any{}, ""
	for {
		var out struct {
			Versions []map[string]any `json:"model_versions"`
			Next     string           `json:"next_page_token"`
		}
		q := url.Values{"filter": {"name='" + strings.ReplaceAll(name, "'", "''") + "'"}, "order_by": {"version_number DESC"}}
		if token != "" {
			q.Set("page_token", token)
		}
		if err := f.get(ctx, "model-versions/search", q, &out); err != nil {
			return nil, err
		}
		for _, v := range out.Versions {
			stage := text(v, "current_stage")
			asked := len(stages) == 0 || slices.ContainsFunc(stages, func(s string) bool { return strings.EqualFold(s, stage) })
			taken := slices.ContainsFunc(latest, func(l map[string]any) bool { return l["current_stage"] == stage })
			if asked && !taken && v["status"] == "READY" {
				latest = append(latest, v)
			}
		}
		if token = out.Next; token == "" {
			return map[string]any{"model_versions": latest}, nil
		}
	}
}
