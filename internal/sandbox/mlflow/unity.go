package mlflow

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// unityRoutes are Unity Catalog's own API for models, over what MLflow's client registers.
func (f *Front) unityRoutes(m *wire.Mux) {
	const models = "/api/2.1/unity-catalog/models"
	const one = models + "/{model}"
	f.json(m, "POST "+models, f.makeModel)
	f.json(m, "GET "+models, f.listModels)
	f.json(m, "GET "+one, f.showModelInfo)
	f.json(m, "PATCH "+one, f.commentModel)
	f.json(m, "DELETE "+one, func(r *http.Request) (any, error) {
		name := r.PathValue("model")
		return nil, f.removeUnity(r.Context(), "registered-models/delete", map[string]any{"name": name}, name, "")
	})
	f.json(m, "PUT "+one+"/aliases/{alias}", f.putAlias)
	f.json(m, "DELETE "+one+"/aliases/{alias}", func(r *http.Request) (any, error) {
		in := map[string]any{"name": r.PathValue("model"), "alias": r.PathValue("alias")}
		_, err := f.meta(r.Context(), http.MethodDelete, "registered-models/alias", nil, in)
		return nil, err
	})
	f.json(m, "GET "+one+"/aliases/{alias}", func(r *http.Request) (any, error) {
		q := url.Values{"name": {r.PathValue("model")}, "alias": {r.PathValue("alias")}}
		return f.versionAnswer(f.meta(r.Context(), http.MethodGet, "registered-models/alias", q, nil))
	})
	f.json(m, "GET "+one+"/versions", f.listVersions)
	f.json(m, "GET "+one+"/versions/{version}", func(r *http.Request) (any, error) {
		return f.versionAnswer(f.unityVersion(r.Context(), r.PathValue("model"), r.PathValue("version")))
	})
	f.json(m, "PATCH "+one+"/versions/{version}", f.commentVersion)
	f.json(m, "DELETE "+one+"/versions/{version}", func(r *http.Request) (any, error) {
		name, version := r.PathValue("model"), r.PathValue("version")
		return nil, f.removeUnity(r.Context(), "model-versions/delete", map[string]any{"name": name, "version": version}, name, version)
	})
}

func (f *Front) modelInfo(m map[string]any, aliases bool) map[string]any {
	catalog, schema, name := split(text(m, "name"))
	info := map[string]any{
		"full_name": m["name"], "catalog_name": catalog, "schema_name": schema, "name": name, "comment": m["description"],
		"created_at": m["creation_timestamp"], "updated_at": m["last_updated_timestamp"],
		"owner": f.User, "created_by": f.User, "updated_by": f.User, "storage_location": storage + unityPath(text(m, "name"), ""),
	}
	if info["comment"] == nil {
		delete(info, "comment")
	}
	if list, ok := m["aliases"].([]any); ok && aliases {
		var shown []map[string]any
		for _, a := range list {
			a, _ := a.(map[string]any)
			n, _ := strconv.Atoi(text(a, "version"))
			shown = append(shown, map[string]any{"alias_name": a["alias"], "version_num": n, "catalog_name": catalog, "schema_name": schema, "model_name": name})
		}
		info["aliases"] = shown
	}
	return info
}

func (f *Front) versionInfo(v map[string]any) map[string]any {
	catalog, schema, name := split(text(v, "name"))
	n, _ := strconv.Atoi(text(v, "version"))
	info := map[string]any{
		"catalog_name": catalog, "schema_name": schema, "model_name": name, "version": n, "comment": v["description"],
		"source": v["source"], "run_id": v["run_id"], "status": v["status"], "storage_location": v["storage_location"],
		"created_at": v["creation_timestamp"], "updated_at": v["last_updated_timestamp"], "created_by": f.User, "updated_by": f.User,
	}
	if ws, err := strconv.ParseInt(text(v, "run_tracking_server_id"), 10, 64); err == nil {
		info["run_workspace_id"] = ws
	}
	return info
}

func split(full string) (catalog, schema, name string) {
	catalog, rest, _ := strings.Cut(full, ".")
	schema, name, _ = strings.Cut(rest, ".")
	return catalog, schema, name
}

func (f *Front) versionAnswer(out map[string]any, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	v, _ := out["model_version"].(map[string]any)
	return f.versionInfo(v), nil
}

func (f *Front) modelAnswer(aliases bool, out map[string]any, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	m, _ := out["registered_model"].(map[string]any)
	return f.modelInfo(m, aliases), nil
}

func (f *Front) makeModel(r *http.Request) (any, error) {
	in, err := fields(r)
	if err != nil {
		return nil, err
	}
	name := text(in, "catalog_name") + "." + text(in, "schema_name") + "." + text(in, "name")
	if err := threeLevels(name); err != nil {
		return nil, err
	}
	out, err := f.meta(r.Context(), http.MethodPost, "registered-models/create", nil, map[string]any{"name": name, "description": text(in, "comment")})
	return f.modelAnswer(true, out, err)
}

func (f *Front) showModelInfo(r *http.Request) (any, error) {
	out, err := f.meta(r.Context(), http.MethodGet, "registered-models/get", url.Values{"name": {r.PathValue("model")}}, nil)
	return f.modelAnswer(r.URL.Query().Get("include_aliases") == "true", out, err)
}

// commentModel ignores aliases, as the service does: they have calls of their own.
func (f *Front) commentModel(r *http.Request) (any, error) {
	in, err := fields(r)
	if err != nil {
		return nil, err
	}
	if text(in, "new_name") != "" {
		return nil, wire.Invalid("the sandbox cannot rename a model in Unity Catalog")
	}
	plain := map[string]any{"name": r.PathValue("model"), "description": text(in, "comment")}
	out, err := f.meta(r.Context(), http.MethodPatch, "registered-models/update", nil, plain)
	return f.modelAnswer(false, out, err)
}

func (f *Front) commentVersion(r *http.Request) (any, error) {
	in, err := fields(r)
	if err != nil {
		return nil, err
	}
	plain := map[string]any{"name": r.PathValue("model"), "version": r.PathValue("version"), "description": text(in, "comment")}
	return f.versionAnswer(f.meta(r.Context(), http.MethodPatch, "model-versions/update", nil, plain))
}

// putAlias moves the alias from whatever version had it.
func (f *Front) putAlias(r *http.Request) (any, error) {
	var in struct {
		Version json.Number `json:"version_num"`
	}
	if err := wire.Decode(r, &in); err != nil {
		return nil, err
	}
	name, alias := r.PathValue("model"), r.PathValue("alias")
	plain := map[string]any{"name": name, "alias": alias, "version": in.Version.String()}
	if _, err := f.meta(r.Context(), http.MethodPost, "registered-models/alias", nil, plain); err != nil {
		return nil, err
	}
	catalog, schema, model := split(name)
	return map[string]any{"alias_name": alias, "version_num": in.Version, "catalog_name": catalog, "schema_name": schema, "model_name": model}, nil
}

// listModels filters by catalog and schema after the page is cut: a page may be empty and have a next one.
func (f *Front) listModels(r *http.Request) (any, error) {
	q := r.URL.Query()
	prefix := ""
	if catalog := q.Get("catalog_name"); catalog != "" {
		prefix = catalog + "."
		if schema := q.Get("schema_name"); schema != "" {
			prefix += schema + "."
		}
	}
	out, err := f.meta(r.Context(), http.MethodGet, "registered-models/search", paging(q), nil)
	if err != nil {
		return nil, err
	}
	found := []map[string]any{}
	list, _ := out["registered_models"].([]any)
	for _, m := range list {
		if m, ok := m.(map[string]any); ok && strings.HasPrefix(text(m, "name"), prefix) {
			found = append(found, f.modelInfo(m, false))
		}
	}
	return paged("registered_models", found, out), nil
}

func (f *Front) listVersions(r *http.Request) (any, error) {
	name := r.PathValue("model")
	if _, err := f.meta(r.Context(), http.MethodGet, "registered-models/get", url.Values{"name": {name}}, nil); err != nil {
		return nil, err
	}
	q := paging(r.URL.Query())
	q.Set("filter", "name='"+name+"'")
	out, err := f.meta(r.Context(), http.MethodGet, "model-versions/search", q, nil)
	if err != nil {
		return nil, err
	}
	found := []map[string]any{}
	list, _ := out["model_versions"].([]any)
	for _, v := range list {
		if v, ok := v.(map[string]any); ok {
			found = append(found, f.versionInfo(v))
		}
	}
	return paged("model_versions", found, out), nil
}

func paging(q url.Values) url.Values {
	out := url.Values{}
	for _, key := range []string{"max_results", "page_token"} {
		if v := q.Get(key); v != "" && v != "0" {
			out.Set(key, v)
		}
	}
	return out
}

func paged(key string, found []map[string]any, out map[string]any) map[string]any {
	answer := map[string]any{key: found}
	if next, ok := out["next_page_token"]; ok {
		answer["next_page_token"] = next
	}
	return answer
}
