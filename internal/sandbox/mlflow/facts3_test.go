package mlflow_test

// The rows of the platform's registries, each as a client sees it over HTTP: the workspace's, Unity Catalog's, and how
// a model's files are read. Ids and times are shown as ID and 0.

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

var (
	anyID   = regexp.MustCompile(`[0-9a-f]{32}`)
	anyTime = regexp.MustCompile(`"(\w+_timestamp|created_at|updated_at)":\d+`)
)

// answered is a call's answer as "status body".
func (w *twin) answered(what, body string) string {
	w.t.Helper()
	method, path, _ := strings.Cut(what, " ")
	if !strings.HasPrefix(path, "/") {
		path = "/api/2.0/mlflow/" + path
	}
	var in io.Reader = http.NoBody
	if body != "" {
		in = strings.NewReader(body)
	}
	resp, b := w.raw(method, path, in)
	text := anyTime.ReplaceAllString(anyID.ReplaceAllString(string(b), "ID"), `"$1":0`)
	return strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, text))
}

type row struct{ name, call, body, want string }

func (w *twin) play(rows []row) {
	w.t.Helper()
	for _, r := range rows {
		if diff := cmp.Diff(r.want, w.answered(r.call, r.body)); diff != "" {
			w.t.Errorf("%s (-want +got):\n%s", r.name, diff)
		}
	}
}

func TestWorkspaceRegistry(t *testing.T) {
	t.Parallel()
	w := newTwin(t, mlflow.Light(), "dev", 11)
	w.put("src/MLmodel", "flavors: {}\n")
	w.play([]row{
		{"CreateModel", "POST registered-models/create", `{"name":"m"}`, `200 {"registered_model":{"name":"m","creation_timestamp":0,"last_updated_timestamp":0}}`},
		{"CreateModel, again", "POST registered-models/create", `{"name":"m"}`, `400 {"error_code":"RESOURCE_ALREADY_EXISTS","message":"Registered Model (name=m) already exists."}`},
		{"GetModel", "GET databricks/registered-models/get?name=m", ``, `200 {"registered_model_databricks":{"creation_timestamp":0,"id":"ID","last_updated_timestamp":0,"name":"m","permission_level":"CAN_MANAGE","user_id":"dana@example.com"}}`},
		{"GetModel of nothing", "GET databricks/registered-models/get?name=no", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"RegisteredModel 'no' does not exist. It might have been deleted."}`},
		{"CreateModelVersion", "POST model-versions/create", `{"name":"m","source":"dbfs:/src","run_id":"r"}`, `200 {"model_version":{"name":"m","version":"1","creation_timestamp":0,"last_updated_timestamp":0,"current_stage":"None","description":"","source":"dbfs:/src","run_id":"r","status":"READY","run_link":""}}`},
		{"CreateModelVersion of a source that is not there", "POST model-versions/create", `{"name":"m","source":"dbfs:/none"}`, `200 {"model_version":{"creation_timestamp":0,"current_stage":"None","description":"","last_updated_timestamp":0,"name":"m","run_id":"","run_link":"","source":"dbfs:/none","status":"FAILED_REGISTRATION","status_message":"Failed registration. The given source path does not exist.","version":"2"}}`},
		{"GetModelVersion", "GET model-versions/get?name=m&version=1", ``, `200 {"model_version":{"creation_timestamp":0,"current_stage":"None","description":"","last_updated_timestamp":0,"name":"m","run_id":"r","run_link":"","source":"dbfs:/src","status":"READY","version":"1"}}`},
		{"GetModelVersion of nothing", "GET model-versions/get?name=m&version=9", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Model Version (name=m, version=9) not found"}`},
		{"GetModelVersionDownloadUri", "GET model-versions/get-download-uri?name=m&version=1", ``, `200 {"artifact_uri":"dbfs:/databricks/mlflow-registry/ID/models/m"}`},
		{"TransitionStage", "POST databricks/model-versions/transition-stage", `{"name":"m","version":"1","stage":"Production","archive_existing_versions":false}`, `200 {"model_version_databricks":{"creation_timestamp":0,"current_stage":"Production","description":"","last_updated_timestamp":0,"name":"m","permission_level":"CAN_MANAGE","run_id":"r","run_link":"","source":"dbfs:/src","status":"READY","user_id":"dana@example.com","version":"1"}}`},
		{"TransitionStage, as mlflow calls it", "POST model-versions/transition-stage", `{"name":"m","version":"1","stage":"Staging"}`, `200 {"model_version":{"creation_timestamp":0,"current_stage":"Staging","description":"","last_updated_timestamp":0,"name":"m","run_id":"r","run_link":"","source":"dbfs:/src","status":"READY","version":"1"}}`},
		{"TransitionStage to an unknown stage", "POST databricks/model-versions/transition-stage", `{"name":"m","version":"1","stage":"Live"}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Invalid Model Version stage: Live. Value must be one of None, Staging, Production, Archived."}`},
		{"GetLatestVersions, READY only", "POST registered-models/get-latest-versions", `{"name":"m"}`, `200 {"model_versions":[{"creation_timestamp":0,"current_stage":"Staging","description":"","last_updated_timestamp":0,"name":"m","run_id":"r","run_link":"","source":"dbfs:/src","status":"READY","version":"1"}]}`},
		{"SearchModelVersions", "GET model-versions/search?filter=name%3D%27m%27&order_by=version_number+ASC", ``, `200 {"model_versions":[{"creation_timestamp":0,"current_stage":"Staging","description":"","last_updated_timestamp":0,"name":"m","run_id":"r","run_link":"","source":"dbfs:/src","status":"READY","version":"1"},{"creation_timestamp":0,"current_stage":"None","description":"","last_updated_timestamp":0,"name":"m","run_id":"","run_link":"","source":"dbfs:/none","status":"FAILED_REGISTRATION","status_message":"Failed registration. The given source path does not exist.","version":"2"}]}`},
		{"SetModelVersionTag", "POST model-versions/set-tag", `{"name":"m","version":"1","key":"k","value":"v"}`, `200 {}`},
		{"SetModelTag", "POST registered-models/set-tag", `{"name":"m","key":"k","value":"v"}`, `200 {}`},
		{"CreateTransitionRequest", "POST transition-requests/create", `{"name":"m","version":"1","stage":"Production","comment":"please"}`, `200 {"request":{"id":"ID","activity_type":"REQUESTED_TRANSITION","user_id":"dana@example.com","comment":"please","from_stage":"Staging","to_stage":"Production","creation_timestamp":0,"last_updated_timestamp":0,"available_actions":["APPROVE_TRANSITION_REQUEST","REJECT_TRANSITION_REQUEST","CANCEL_TRANSITION_REQUEST"]}}`},
		{"ListTransitionRequests", "GET transition-requests/list?name=m&version=1", ``, `200 {"requests":[{"id":"ID","activity_type":"REQUESTED_TRANSITION","user_id":"dana@example.com","comment":"please","from_stage":"Staging","to_stage":"Production","creation_timestamp":0,"last_updated_timestamp":0,"available_actions":["APPROVE_TRANSITION_REQUEST","REJECT_TRANSITION_REQUEST","CANCEL_TRANSITION_REQUEST"]}]}`},
		{"RejectTransitionRequest", "POST transition-requests/reject", `{"name":"m","version":"1","stage":"Production","comment":"no"}`, `200 {"activity":{"id":"ID","activity_type":"REJECTED_REQUEST","user_id":"dana@example.com","comment":"no","from_stage":"Staging","to_stage":"Production","creation_timestamp":0,"last_updated_timestamp":0}}`},
		{"CreateTransitionRequest, again", "POST transition-requests/create", `{"name":"m","version":"1","stage":"Archived"}`, `200 {"request":{"id":"ID","activity_type":"REQUESTED_TRANSITION","user_id":"dana@example.com","from_stage":"Staging","to_stage":"Archived","creation_timestamp":0,"last_updated_timestamp":0,"available_actions":["APPROVE_TRANSITION_REQUEST","REJECT_TRANSITION_REQUEST","CANCEL_TRANSITION_REQUEST"]}}`},
		{"DeleteTransitionRequest", "DELETE transition-requests/delete?name=m&version=1&stage=Archived&creator=dana@example.com", ``, `200 {"activity":{"id":"ID","activity_type":"CANCELLED_REQUEST","user_id":"dana@example.com","from_stage":"Staging","to_stage":"Archived","creation_timestamp":0,"last_updated_timestamp":0}}`},
		{"ApproveTransitionRequest of none", "POST transition-requests/approve", `{"name":"m","version":"1","stage":"Production","archive_existing_versions":true}`, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"There is no open request to transition model version 1 of m to stage Production."}`},
		{"CreateComment", "POST comments/create", `{"name":"m","version":"1","comment":"good"}`, `200 {"comment":{"id":"ID","user_id":"dana@example.com","comment":"good","creation_timestamp":0,"last_updated_timestamp":0,"available_actions":["EDIT_COMMENT","DELETE_COMMENT"]}}`},
		{"CreateWebhook", "POST registry-webhooks/create", `{"events":["MODEL_VERSION_CREATED"]}`, `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'POST /mlflow/registry-webhooks/create'"}`},
		{"UpdateModelVersion", "PATCH model-versions/update", `{"name":"m","version":"1","description":"d"}`, `200 {"model_version":{"creation_timestamp":0,"current_stage":"Staging","description":"d","last_updated_timestamp":0,"name":"m","run_id":"r","run_link":"","source":"dbfs:/src","status":"READY","tags":[{"key":"k","value":"v"}],"version":"1"}}`},
		{"DeleteModelVersion, as the Go SDK calls it", "DELETE model-versions/delete?name=m&version=2", ``, `200 {}`},
		{"DeleteModelVersion, as mlflow calls it", "DELETE model-versions/delete", `{"name":"m","version":"1"}`, `200 {}`},
		{"aliases", "POST registered-models/alias", `{"name":"m","alias":"a","version":"1"}`, `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'POST /mlflow/registered-models/alias'"}`},
	})
}

func TestUnityCatalogModels(t *testing.T) {
	t.Parallel()
	w := newTwin(t, mlflow.Light(), "dev", 11)
	const models = "/api/2.1/unity-catalog/models"
	w.play([]row{
		{"Create", "POST " + models, `{"catalog_name":"main","schema_name":"ml","name":"m"}`, `200 {"catalog_name":"main","created_at":0,"created_by":"dana@example.com","full_name":"main.ml.m","name":"m","owner":"dana@example.com","schema_name":"ml","storage_location":"abfss://metastore@sandbox.dfs.core.windows.net/main/ml/m","updated_at":0,"updated_by":"dana@example.com"}`},
		{"Create, again", "POST " + models, `{"catalog_name":"main","schema_name":"ml","name":"m"}`, `400 {"error_code":"RESOURCE_ALREADY_EXISTS","message":"Registered Model (name=main.ml.m) already exists."}`},
		{"List", "GET " + models + "?catalog_name=main&schema_name=ml", ``, `200 {"registered_models":[{"catalog_name":"main","created_at":0,"created_by":"dana@example.com","full_name":"main.ml.m","name":"m","owner":"dana@example.com","schema_name":"ml","storage_location":"abfss://metastore@sandbox.dfs.core.windows.net/main/ml/m","updated_at":0,"updated_by":"dana@example.com"}]}`},
		{"a new version, as mlflow makes it", "POST unity-catalog/model-versions/create", `{"name":"main.ml.m","source":"dbfs:/src","run_id":"r"}`, `200 {"model_version":{"aliases":[],"creation_timestamp":0,"description":"","last_updated_timestamp":0,"name":"main.ml.m","run_id":"r","source":"dbfs:/src","status":"PENDING_REGISTRATION","storage_location":"abfss://metastore@sandbox.dfs.core.windows.net/main/ml/m/1","tags":[],"version":"1"}}`},
		{"pending", "GET " + models + "/main.ml.m/versions/1", ``, `200 {"catalog_name":"main","comment":"","created_at":0,"created_by":"dana@example.com","model_name":"m","run_id":"r","schema_name":"ml","source":"dbfs:/src","status":"PENDING_REGISTRATION","storage_location":"abfss://metastore@sandbox.dfs.core.windows.net/main/ml/m/1","updated_at":0,"updated_by":"dana@example.com","version":1}`},
		{"where its files go", "POST unity-catalog/model-versions/generate-temporary-credentials", `{"name":"main.ml.m","version":"1","operation":"MODEL_VERSION_OPERATION_READ"}`, `200 {"credentials":{"expiration_time":4102444800000,"storage_mode":"DEFAULT_STORAGE"}}`},
		{"finalize", "POST unity-catalog/model-versions/finalize", `{"name":"main.ml.m","version":"1"}`, `200 {"model_version":{"aliases":[],"creation_timestamp":0,"description":"","last_updated_timestamp":0,"name":"main.ml.m","run_id":"r","source":"dbfs:/src","status":"READY","storage_location":"abfss://metastore@sandbox.dfs.core.windows.net/main/ml/m/1","tags":[],"version":"1"}}`},
		{"SetAlias", "PUT " + models + "/main.ml.m/aliases/champion", `{"version_num":1}`, `200 {"alias_name":"champion","catalog_name":"main","model_name":"m","schema_name":"ml","version_num":1}`},
		{"SetAlias to latest", "PUT " + models + "/main.ml.m/aliases/LATEST", `{"version_num":1}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"'latest' alias name (case insensitive) is reserved."}`},
		{"SetAlias to no version", "PUT " + models + "/main.ml.m/aliases/champion", `{"version_num":9}`, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Model Version (name=main.ml.m, version=9) not found"}`},
		{"Get does not echo aliases", "GET " + models + "/main.ml.m", ``, `200 {"catalog_name":"main","created_at":0,"created_by":"dana@example.com","full_name":"main.ml.m","name":"m","owner":"dana@example.com","schema_name":"ml","storage_location":"abfss://metastore@sandbox.dfs.core.windows.net/main/ml/m","updated_at":0,"updated_by":"dana@example.com"}`},
		{"Get with include_aliases", "GET " + models + "/main.ml.m?include_aliases=true", ``, `200 {"aliases":[{"alias_name":"champion","catalog_name":"main","model_name":"m","schema_name":"ml","version_num":1}],"catalog_name":"main","created_at":0,"created_by":"dana@example.com","full_name":"main.ml.m","name":"m","owner":"dana@example.com","schema_name":"ml","storage_location":"abfss://metastore@sandbox.dfs.core.windows.net/main/ml/m","updated_at":0,"updated_by":"dana@example.com"}`},
		{"ModelVersions.Get", "GET " + models + "/main.ml.m/versions/1", ``, `200 {"catalog_name":"main","comment":"","created_at":0,"created_by":"dana@example.com","model_name":"m","run_id":"r","schema_name":"ml","source":"dbfs:/src","status":"READY","storage_location":"abfss://metastore@sandbox.dfs.core.windows.net/main/ml/m/1","updated_at":0,"updated_by":"dana@example.com","version":1}`},
		{"ModelVersions.GetByAlias", "GET " + models + "/main.ml.m/aliases/champion", ``, `200 {"catalog_name":"main","comment":"","created_at":0,"created_by":"dana@example.com","model_name":"m","run_id":"r","schema_name":"ml","source":"dbfs:/src","status":"READY","storage_location":"abfss://metastore@sandbox.dfs.core.windows.net/main/ml/m/1","updated_at":0,"updated_by":"dana@example.com","version":1}`},
		{"ModelVersions.List, no aliases", "GET " + models + "/main.ml.m/versions", ``, `200 {"model_versions":[{"catalog_name":"main","comment":"","created_at":0,"created_by":"dana@example.com","model_name":"m","run_id":"r","schema_name":"ml","source":"dbfs:/src","status":"READY","storage_location":"abfss://metastore@sandbox.dfs.core.windows.net/main/ml/m/1","updated_at":0,"updated_by":"dana@example.com","version":1}]}`},
		{"ModelVersions.Update", "PATCH " + models + "/main.ml.m/versions/1", `{"comment":"c"}`, `200 {"catalog_name":"main","comment":"c","created_at":0,"created_by":"dana@example.com","model_name":"m","run_id":"r","schema_name":"ml","source":"dbfs:/src","status":"READY","storage_location":"abfss://metastore@sandbox.dfs.core.windows.net/main/ml/m/1","updated_at":0,"updated_by":"dana@example.com","version":1}`},
		{"Update ignores aliases", "PATCH " + models + "/main.ml.m", `{"comment":"c","aliases":[{"alias_name":"x","version_num":1}]}`, `200 {"catalog_name":"main","comment":"c","created_at":0,"created_by":"dana@example.com","full_name":"main.ml.m","name":"m","owner":"dana@example.com","schema_name":"ml","storage_location":"abfss://metastore@sandbox.dfs.core.windows.net/main/ml/m","updated_at":0,"updated_by":"dana@example.com"}`},
		{"stages are unsupported", "POST unity-catalog/model-versions/transition-stage", `{"name":"main.ml.m","version":"1","stage":"Staging"}`, `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'POST /mlflow/unity-catalog/model-versions/transition-stage'"}`},
		{"DeleteAlias", "DELETE " + models + "/main.ml.m/aliases/champion", ``, `200 {}`},
		{"GetByAlias of none", "GET " + models + "/main.ml.m/aliases/champion", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Registered model alias champion not found."}`},
		{"ModelVersions.Delete", "DELETE " + models + "/main.ml.m/versions/1", ``, `200 {}`},
		{"ModelVersions.Get of nothing", "GET " + models + "/main.ml.m/versions/1", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Model Version (name=main.ml.m, version=1) not found"}`},
		{"Grants.Update", "PATCH /api/2.1/unity-catalog/permissions/function/main.ml.m", `{"changes":[{"principal":"ops","add":["EXECUTE"]}]}`, `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'PATCH /api/2.1/unity-catalog/permissions/function/main.ml.m'"}`},
		{"EntityTagAssignments", "GET /api/2.1/unity-catalog/entity-tag-assignments/function/main.ml.m/tags", ``, `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'GET /api/2.1/unity-catalog/entity-tag-assignments/function/main.ml.m/tags'"}`},
		{"Delete", "DELETE " + models + "/main.ml.m", ``, `200 {}`},
		{"Get of nothing", "GET " + models + "/main.ml.m", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"RegisteredModel 'main.ml.m' does not exist. It might have been deleted."}`},
	})
}

func TestReadingAModelsFiles(t *testing.T) {
	t.Parallel()
	w := newTwin(t, mlflow.Light(), "dev", 11)
	w.put("src/MLmodel", "flavors: {}\n")
	w.put("src/data/a b.txt", "1,2,3")
	w.play([]row{
		{"model", "POST registered-models/create", `{"name":"m"}`, `200 {"registered_model":{"name":"m","creation_timestamp":0,"last_updated_timestamp":0}}`},
		{"version", "POST model-versions/create", `{"name":"m","source":"dbfs:/src"}`, `200 {"model_version":{"name":"m","version":"1","creation_timestamp":0,"last_updated_timestamp":0,"current_stage":"None","description":"","source":"dbfs:/src","run_id":"","status":"READY","run_link":""}}`},
		{"list-artifacts", "GET model-versions/list-artifacts?name=m&version=1&path=", ``, `200 {"files":[{"path":"MLmodel","is_dir":false,"file_size":12},{"path":"data","is_dir":true}]}`},
		{"list-artifacts of a folder", "GET model-versions/list-artifacts?name=m&version=1&path=data", ``, `200 {"files":[{"path":"data/a b.txt","is_dir":false,"file_size":5}]}`},
		{"list-artifacts of a file", "GET model-versions/list-artifacts?name=m&version=1&path=MLmodel", ``, `200 {"files":[{"path":"MLmodel","is_dir":false,"file_size":12}]}`},
		{"list-artifacts of nothing", "GET model-versions/list-artifacts?name=m&version=1&path=none", ``, `200 {"files":[]}`},
		{"list-artifacts of no version", "GET model-versions/list-artifacts?name=m&version=9", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Model Version (name=m, version=9) not found"}`},
		{"get-signed-download-uri of no version", "GET model-versions/get-signed-download-uri?name=m&version=9&path=MLmodel", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Model Version (name=m, version=9) not found"}`},
		{"get-signed-download-uri of nothing", "GET model-versions/get-signed-download-uri?name=m&version=1&path=none", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"The version has no file \"none\""}`},
	})
	signed := w.must("GET model-versions/get-signed-download-uri", "name=m&version=1&path=data/a b.txt")
	if headers, ok := signed["headers"].([]any); !ok || len(headers) > 0 {
		t.Errorf("headers %v", signed["headers"])
	}
	uri, _ := signed["signed_uri"].(string)
	resp, err := http.Get(uri) // no token goes there
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "1,2,3" {
		t.Errorf("%s %q, %v", resp.Status, b, err)
	}
}
