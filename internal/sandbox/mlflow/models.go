package mlflow

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

func (f *Front) modelRoutes(m *wire.Mux) {
	const api = "/api/2.0/mlflow/"
	f.json(m, "POST "+api+"registered-models/create", f.createModel)
	f.json(m, "DELETE "+api+"registered-models/delete", f.deleteModel)
	f.json(m, "POST "+api+"registered-models/rename", f.renameModel)
	f.json(m, "GET "+api+"registered-models/list", func(r *http.Request) (any, error) { return f.renamed(r, "registered-models/search") })
	f.json(m, "POST "+api+"registered-models/get-latest-versions", f.latestVersions)
	f.json(m, "GET "+api+"registered-models/get-latest-versions", f.latestVersions)
	f.json(m, "GET "+api+"databricks/registered-models/get", f.databricksModel)
}

// ModelName is the name of the registered model with an id, by which permissions are set; false when there is none.
func (f *Front) ModelName(id string) (string, bool) { return f.notes.byID(id) }

// fields reads a JSON body as it came, for routes that pass on what they do not know.
func fields(r *http.Request) (map[string]any, error) {
	in := map[string]any{}
	return in, wire.Decode(r, &in)
}

func text(in map[string]any, key string) string {
	s, _ := in[key].(string)
	return s
}

// named is a request that names a model and perhaps a version, in its body or, as some clients do, in its query.
func named(r *http.Request) (in map[string]any, name, version string, err error) {
	in, err = fields(r)
	q := r.URL.Query()
	for _, key := range []string{"name", "version"} {
		if _, ok := in[key]; !ok && q.Has(key) {
			in[key] = q.Get(key)
		}
	}
	return in, text(in, "name"), text(in, "version"), err
}

func (f *Front) createModel(r *http.Request) (any, error) {
	in, err := fields(r)
	if err != nil {
		return nil, err
	}
	name := text(in, "name")
	if given, ok := in["name"].(string); ok && strings.TrimSpace(given) == "" {
		return nil, wire.Invalid("Got an invalid name '%s'. Registered Model names cannot be empty strings.", given)
	}
	var out json.RawMessage
	if err := f.post(r.Context(), "registered-models/create", in, &out); err != nil {
		return nil, err
	}
	// A name that was noted before is noted anew: this is another model.
	return out, f.notes.change(func(models map[string]*modelNote) error {
		delete(models, name)
		noted(models, name, f.User)
		return nil
	})
}

// deleteModel takes the copies of all versions with it.
func (f *Front) deleteModel(r *http.Request) (any, error) {
	in, name, _, err := named(r)
	if err != nil {
		return nil, err
	}
	if err := f.delete(r.Context(), "registered-models/delete", in); err != nil {
		return nil, err
	}
	var gone *modelNote
	err = f.notes.change(func(models map[string]*modelNote) error {
		gone = models[name]
		delete(models, name)
		return nil
	})
	if err != nil || gone == nil {
		return nil, err
	}
	for _, v := range gone.Versions {
		if v.Files == "" {
			continue
		}
		if err := f.models.remove(v.Files); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// renameModel keeps the id: it is the same model.
func (f *Front) renameModel(r *http.Request) (any, error) {
	in, err := fields(r)
	if err != nil {
		return nil, err
	}
	old, name := text(in, "name"), text(in, "new_name")
	var out json.RawMessage
	if err := f.post(r.Context(), "registered-models/rename", in, &out); err != nil {
		return nil, err
	}
	return out, f.notes.change(func(models map[string]*modelNote) error {
		same := noted(models, old, f.User)
		delete(models, old)
		models[name] = same
		return nil
	})
}

// databricksModel is what the Go SDK asks for: the model under the name that its answer has there, with its id.
func (f *Front) databricksModel(r *http.Request) (any, error) {
	_, name, _, err := named(r) // one public client sends a body with its GET
	if err != nil {
		return nil, err
	}
	var out struct {
		Model map[string]any `json:"registered_model"`
	}
	if err := f.get(r.Context(), "registered-models/get", url.Values{"name": {name}}, &out); err != nil {
		return nil, err
	}
	note, err := f.notes.model(name, f.User)
	if err != nil {
		return nil, err
	}
	out.Model["id"], out.Model["user_id"], out.Model["permission_level"] = note.ID, note.User, "CAN_MANAGE"
	delete(out.Model, "aliases")
	return map[string]any{"registered_model_databricks": out.Model}, nil
}

// latestVersions is MLflow's own answer unless a version is not READY: the latest READY one of its stage counts then.
func (f *Front) latestVersions(r *http.Request) (any, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	out, err := f.do(r.Context(), f.space, Call{Method: r.Method, Path: here + "registered-models/get-latest-versions", Query: r.URL.Query(), Body: body})
	if err != nil || !f.notes.anyUnready() {
		return out, err
	}
	var in struct {
		Name   string   `json:"name"`
		Stages []string `json:"stages"`
	}
	if q := r.URL.Query(); r.Method == http.MethodGet {
		in.Name, in.Stages = q.Get("name"), q["stages"]
	} else if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	return f.latestReady(r.Context(), in.Name, in.Stages)
}
