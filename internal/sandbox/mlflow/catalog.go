package mlflow

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// Unity Catalog's models live in one workspace of the backend, the same for all twins, as workspaces share a
// metastore. A model's name there is its full one; what MLflow has no field for is kept in tags that are not shown.
const (
	unityAPI = "/api/2.0/mlflow/unity-catalog/"
	hiddenBy = "barge.uc."
	storage  = "abfss://metastore@sandbox.dfs.core.windows.net/"
)

// catalogRoutes are those of MLflow's client; the files go through the Files API under Models/.
func (f *Front) catalogRoutes(m *wire.Mux) {
	for _, route := range []string{
		"POST registered-models/create", "GET registered-models/get", "GET registered-models/search",
		"POST registered-models/set-tag", "DELETE registered-models/delete-tag",
		"POST registered-models/alias", "DELETE registered-models/alias", "GET registered-models/alias",
		"GET model-versions/get", "GET model-versions/search", "PATCH model-versions/update",
		"POST model-versions/set-tag", "DELETE model-versions/delete-tag",
	} {
		method, p, _ := strings.Cut(route, " ")
		f.json(m, method+" "+unityAPI+p, func(r *http.Request) (any, error) { return f.unity(r, p) })
	}
	f.json(m, "PATCH "+unityAPI+"registered-models/update", f.updateUnityModel)
	f.json(m, "DELETE "+unityAPI+"registered-models/delete", func(r *http.Request) (any, error) { return f.deleteUnity(r, "registered-models/delete") })
	f.json(m, "DELETE "+unityAPI+"model-versions/delete", func(r *http.Request) (any, error) { return f.deleteUnity(r, "model-versions/delete") })
	f.json(m, "POST "+unityAPI+"model-versions/create", f.createUnityVersion)
	f.json(m, "POST "+unityAPI+"model-versions/finalize", f.finalizeUnityVersion)
	f.json(m, "GET "+unityAPI+"model-versions/get-download-uri", f.unityURI)
	f.json(m, "POST "+unityAPI+"model-versions/emit-lineage", func(*http.Request) (any, error) { return nil, nil })
	f.json(m, "POST "+unityAPI+"model-versions/generate-temporary-credentials", func(*http.Request) (any, error) {
		// DEFAULT_STORAGE makes the client ask for URLs here; any other sends it to the cloud.
		return map[string]any{"credentials": map[string]any{"storage_mode": "DEFAULT_STORAGE", "expiration_time": int64(4102444800000)}}, nil
	})
	f.json(m, "GET /api/2.0/mlflow/unity-catalog/registered-models:is-databricks-sdk-models-artifact-repository-enabled", func(*http.Request) (any, error) {
		return map[string]bool{"is_databricks_sdk_models_artifact_repository_enabled": true}, nil
	})
	f.json(m, unityAPI, func(r *http.Request) (any, error) {
		return nil, missing(r.Method, strings.TrimPrefix(r.URL.Path, "/api/"))
	})
}

// meta makes a call in the metastore and answers it in Unity Catalog's shape.
func (f *Front) meta(ctx context.Context, method, p string, query url.Values, in any) (map[string]any, error) {
	call := Call{Method: method, Path: here + p, Query: query}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		call.Body = body
	}
	out := map[string]any{}
	b, err := f.do(ctx, metaSpace, call)
	if refused := (*wire.Error)(nil); errors.As(err, &refused) && strings.HasPrefix(refused.Message, "Registered model alias ") {
		return nil, wire.NotFound("%s", refused.Message)
	}
	if err := decode(b, err, p, &out); err != nil {
		return nil, err
	}
	for key, show := range map[string]func(map[string]any){"registered_model": showModel, "model_version": showVersion} {
		if one, ok := out[key].(map[string]any); ok {
			show(one)
		}
		many, _ := out[key+"s"].([]any)
		for _, one := range many {
			if one, ok := one.(map[string]any); ok {
				show(one)
			}
		}
	}
	return out, nil
}

// threeLevels refuses names that are not catalog.schema.model.
func threeLevels(name string) error {
	if parts := strings.Split(name, "."); len(parts) != 3 || slices.Contains(parts, "") || strings.ContainsAny(name, "/: ") {
		return wire.Invalid("'%s' is not a valid name for a model in Unity Catalog: use <catalog>.<schema>.<model>", name)
	}
	return nil
}

// showModel makes MLflow's registered model Unity Catalog's, which has no stages.
func showModel(m map[string]any) { delete(m, "latest_versions") }

// showVersion makes MLflow's model version Unity Catalog's.
func showVersion(v map[string]any) {
	delete(v, "current_stage")
	delete(v, "run_link")
	shown := []any{}
	tags, _ := v["tags"].([]any)
	for _, t := range tags {
		t, _ := t.(map[string]any)
		if field, ok := strings.CutPrefix(text(t, "key"), hiddenBy); ok {
			v[field] = t["value"]
		} else {
			shown = append(shown, t)
		}
	}
	v["tags"] = shown
	aliases, _ := v["aliases"].([]any)
	for i, a := range aliases {
		aliases[i] = map[string]any{"alias": a}
	}
	if aliases == nil {
		v["aliases"] = []any{}
	}
	v["storage_location"] = storage + unityPath(text(v, "name"), text(v, "version"))
}

// unityPath is where a model or version lies in the metastore, and under Models/ in the Files API.
func unityPath(name, version string) string {
	return path.Join(strings.ReplaceAll(name, ".", "/"), version)
}

func (f *Front) unity(r *http.Request, p string) (any, error) {
	if r.Method == http.MethodGet {
		q := r.URL.Query()
		return f.meta(r.Context(), r.Method, p, q, nil)
	}
	in, name, _, err := named(r)
	if err != nil {
		return nil, err
	}
	if err := threeLevels(name); err != nil {
		return nil, err
	}
	if strings.HasSuffix(p, "/set-tag") {
		if err := tagKey(text(in, "key")); err != nil {
			return nil, err
		}
	}
	return f.meta(r.Context(), r.Method, p, nil, in)
}

// tagKey refuses keys of tags that Unity Catalog does not take.
func tagKey(key string) error {
	if strings.ContainsAny(key, ".,-=/:") {
		return wire.Invalid("Tag name %s contains one or more of the reserved characters: List(., ,, -, =, /, :)", key)
	}
	return nil
}

func (f *Front) updateUnityModel(r *http.Request) (any, error) {
	in, err := fields(r)
	if err != nil {
		return nil, err
	}
	if name := text(in, "new_name"); name != "" && name != text(in, "name") {
		return nil, wire.Invalid("the sandbox cannot rename a model in Unity Catalog")
	}
	return f.meta(r.Context(), http.MethodPatch, "registered-models/update", nil, in)
}

// createUnityVersion makes a version that waits for its files; finalize makes it READY.
func (f *Front) createUnityVersion(r *http.Request) (any, error) {
	in, name, _, err := named(r)
	if err != nil {
		return nil, err
	}
	if err := threeLevels(name); err != nil {
		return nil, err
	}
	tags, _ := in["tags"].([]any)
	for _, t := range tags {
		t, _ := t.(map[string]any)
		if err := tagKey(text(t, "key")); err != nil {
			return nil, err
		}
	}
	for _, field := range []string{"source", "model_id", "run_tracking_server_id"} {
		if v := text(in, field); v != "" { // an empty model_id is an error to the client: it is left out instead
			tags = append(tags, map[string]any{"key": hiddenBy + field, "value": v})
		}
	}
	tags = append(tags, map[string]any{"key": hiddenBy + "status", "value": "PENDING_REGISTRATION"})
	plain := map[string]any{"name": name, "source": "dbfs:/metastore/" + unityPath(name, ""), "tags": tags}
	for _, field := range []string{"run_id", "description"} {
		if v := text(in, field); v != "" {
			plain[field] = v
		}
	}
	return f.meta(r.Context(), http.MethodPost, "model-versions/create", nil, plain)
}

func (f *Front) finalizeUnityVersion(r *http.Request) (any, error) {
	_, name, version, err := named(r)
	if err != nil {
		return nil, err
	}
	tag := map[string]any{"name": name, "version": version, "key": hiddenBy + "status", "value": "READY"}
	if _, err := f.meta(r.Context(), http.MethodPost, "model-versions/set-tag", nil, tag); err != nil {
		return nil, err
	}
	return f.unityVersion(r.Context(), name, version)
}

func (f *Front) unityVersion(ctx context.Context, name, version string) (map[string]any, error) {
	return f.meta(ctx, http.MethodGet, "model-versions/get", url.Values{"name": {name}, "version": {version}}, nil)
}

func (f *Front) unityURI(r *http.Request) (any, error) {
	q := r.URL.Query()
	out, err := f.unityVersion(r.Context(), q.Get("name"), q.Get("version"))
	if err != nil {
		return nil, err
	}
	v, _ := out["model_version"].(map[string]any)
	return map[string]any{"artifact_uri": v["storage_location"]}, nil
}

// deleteUnity takes the files with what is deleted.
func (f *Front) deleteUnity(r *http.Request, p string) (any, error) {
	in, name, version, err := named(r)
	if err != nil {
		return nil, err
	}
	return nil, f.removeUnity(r.Context(), p, in, name, version)
}

func (f *Front) removeUnity(ctx context.Context, p string, in map[string]any, name, version string) error {
	if err := threeLevels(name); err != nil {
		return err
	}
	if _, err := f.meta(ctx, http.MethodDelete, p, nil, in); err != nil {
		return err
	}
	if version != "" {
		if _, err := strconv.Atoi(version); err != nil {
			return wire.Invalid("version %q is not a number", version)
		}
	}
	return f.metastore.remove(unityPath(name, version))
}
