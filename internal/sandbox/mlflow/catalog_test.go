package mlflow_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnityClient(t *testing.T) {
	t.Parallel()
	w := newTwin(t, server(t), "unity", 6203)
	to := t.TempDir()
	var seen map[string]any
	w.script(&seen, "catalog.py", to)
	want := map[string]any{
		"version": "2", "status": "READY", "run": true, "tags": map[string]any{"release": "1.0.0"}, "aliases": map[string]any{"champion": "2"},
		"copied": "prod.ml.diabetes/1", "versions": []any{"1", "2"}, "same": true,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("the client saw (-want +got):\n%s", diff)
	}
	two, copied := hashes(t, filepath.Join(to, "two")), hashes(t, filepath.Join(to, "copy"))
	for _, files := range []map[string]string{two, copied} {
		delete(files, "registered_model_meta")
	}
	if diff := cmp.Diff(two, copied); diff != "" || len(two) < 4 {
		t.Errorf("the copy (-original +copy):\n%s", diff)
	}
}

// TestUnity is Unity Catalog's own API over what was registered, in both backends.
func TestUnity(t *testing.T) {
	t.Parallel()
	for name, backend := range backends(t) {
		t.Run(name, func(t *testing.T) {
			w := newTwin(t, backend, "unity-"+name, 6204)
			catalog := strings.ReplaceAll(name, "e", "a")
			full := catalog + ".ml.m"
			const uc = " /api/2.1/unity-catalog/models"
			refused := func(call, in string, status int, code string) {
				t.Helper()
				got, out := w.ask(call, in)
				if got != status || out["error_code"] != code {
					t.Errorf("%s: %d %v, want %d %s", call, got, out, status, code)
				}
			}
			refused("GET"+uc+"/"+full, "", 404, "RESOURCE_DOES_NOT_EXIST")
			refused("POST unity-catalog/registered-models/create", `{"name":"m"}`, 400, "INVALID_PARAMETER_VALUE")
			w.must("POST"+uc, `{"catalog_name":"`+catalog+`","schema_name":"ml","name":"m","comment":"c"}`)
			refused("POST unity-catalog/registered-models/create", `{"name":"`+full+`"}`, 400, "RESOURCE_ALREADY_EXISTS")

			made := w.must("POST unity-catalog/model-versions/create", `{"name":"`+full+`","source":"dbfs:/x","run_id":"r","run_tracking_server_id":"6204","model_id":"","tags":[{"key":"k","value":"v"}]}`)
			v, _ := made["model_version"].(map[string]any)
			for _, key := range []string{"creation_timestamp", "last_updated_timestamp"} {
				delete(v, key)
			}
			wantVersion := map[string]any{
				"name": full, "version": "1", "status": "PENDING_REGISTRATION", "source": "dbfs:/x", "run_id": "r", "run_tracking_server_id": "6204",
				"description": "", "aliases": []any{}, "tags": []any{map[string]any{"key": "k", "value": "v"}},
				"storage_location": "abfss://metastore@sandbox.dfs.core.windows.net/" + catalog + "/ml/m/1",
			}
			if diff := cmp.Diff(wantVersion, v); diff != "" {
				t.Errorf("the new version (-want +got):\n%s", diff)
			}
			file := "/api/2.0/fs/files/Models/" + catalog + "/ml/m/1/MLmodel"
			if resp, b := w.raw("PUT", file, strings.NewReader("x")); resp.StatusCode != http.StatusNoContent {
				t.Fatalf("uploading: %d %s", resp.StatusCode, b)
			}
			w.must("POST unity-catalog/model-versions/finalize", `{"name":"`+full+`","version":"1"}`)
			w.must("POST unity-catalog/model-versions/create", `{"name":"`+full+`","source":"dbfs:/x"}`)

			refused("GET"+uc+"/"+full+"/aliases/champion", "", 404, "RESOURCE_DOES_NOT_EXIST")
			w.must("PUT"+uc+"/"+full+"/aliases/champion", `{"version_num":2}`)
			alias := w.must("PUT"+uc+"/"+full+"/aliases/champion", `{"version_num":1}`)
			wantAlias := map[string]any{"alias_name": "champion", "version_num": json.Number("1"), "catalog_name": catalog, "schema_name": "ml", "model_name": "m"}
			if diff := cmp.Diff(wantAlias, alias); diff != "" {
				t.Errorf("the alias (-want +got):\n%s", diff)
			}
			refused("PUT"+uc+"/"+full+"/aliases/champion", `{"version_num":9}`, 404, "RESOURCE_DOES_NOT_EXIST")
			refused("PUT"+uc+"/"+full+"/aliases/LATEST", `{"version_num":1}`, 400, "INVALID_PARAMETER_VALUE")
			if got := w.must("GET"+uc+"/"+full, ""); got["aliases"] != nil || got["comment"] != "c" || got["full_name"] != full {
				t.Errorf("without include_aliases: %v", got)
			}
			if got := w.must("GET"+uc+"/"+full, "include_aliases=true"); at(t, got, "aliases", 0, "version_num") != json.Number("1") {
				t.Errorf("with include_aliases: %v", got)
			}
			champion := w.must("GET"+uc+"/"+full+"/aliases/champion", "")
			if champion["version"] != json.Number("1") || champion["status"] != "READY" || champion["run_workspace_id"] != json.Number("6204") {
				t.Errorf("the champion is %v", champion)
			}
			list, _ := w.must("GET"+uc+"/"+full+"/versions", "")["model_versions"].([]any)
			if len(list) != 2 || at(t, list, 0, "aliases") != nil {
				t.Errorf("versions are %v, want two without aliases", list)
			}
			if got, _ := w.must("GET"+uc, "catalog_name="+catalog+"&schema_name=ml")["registered_models"].([]any); len(got) != 1 {
				t.Errorf("models of the schema: %v", got)
			}
			w.must("DELETE"+uc+"/"+full+"/aliases/champion", "")
			refused("GET"+uc+"/"+full+"/aliases/champion", "", 404, "RESOURCE_DOES_NOT_EXIST")
			w.must("DELETE"+uc+"/"+full+"/versions/1", "")
			if resp, _ := w.raw("GET", file, nil); resp.StatusCode != http.StatusNotFound {
				t.Errorf("a deleted version's file: %d", resp.StatusCode)
			}
			refused("GET"+uc+"/"+full+"/versions/1", "", 404, "RESOURCE_DOES_NOT_EXIST")

			// Another workspace has the same metastore, and no such model in its own registry.
			other := newTwin(t, backend, "unity-other-"+name, 6205)
			if got := other.must("GET unity-catalog/model-versions/get", "name="+full+"&version=2"); at(t, got, "model_version", "status") != "PENDING_REGISTRATION" {
				t.Errorf("seen from elsewhere: %v", got)
			}
			if status, _ := other.ask("GET registered-models/get", "name="+full); status != 404 {
				t.Errorf("a workspace registry shows Unity Catalog's model: %d", status)
			}
			w.must("DELETE"+uc+"/"+full, "")
			refused("GET"+uc+"/"+full, "", 404, "RESOURCE_DOES_NOT_EXIST")
		})
	}
}
