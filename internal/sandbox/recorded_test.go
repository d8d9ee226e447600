package sandbox_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// What is known of the real service's own words, place by place, as bytes on the wire.
func TestMessagesAsRecorded(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	f.notebooks("/Shared/Test", "/Shared/fails")
	file := "POST /api/2.0/workspace-files/import-file/Shared%2Ffile.txt"
	same(t, "a file", call(t, f.twin, file, "1"), `200 {}`)
	same(t, "a scope", call(t, f.twin, "POST /api/2.0/secrets/scopes/create", `{"scope":"my_scope"}`), `200 {}`)
	same(t, "a secret", call(t, f.twin, "POST /api/2.0/secrets/put", `{"scope":"my_scope","key":"k","string_value":"hello"}`), `200 {}`)
	job := f.id("POST /api/2.2/jobs/create", `{"name":"j"}`, "job_id")
	refusal := func(code, message string) string {
		return fmt.Sprintf(`400 {"error_code":%q,"message":%q}`, code, message)
	}
	for _, row := range []struct{ name, what, body, want string }{
		{"jobs get of a missing job", "GET /api/2.2/jobs/get?job_id=123", ``, refusal("INVALID_PARAMETER_VALUE", "Job 123 does not exist.")},
		{"runs get of a missing run", "GET /api/2.2/jobs/runs/get?run_id=5", ``, refusal("INVALID_PARAMETER_VALUE", "Run 5 does not exist.")},
		{"clusters get the same way", "GET /api/2.1/clusters/get?cluster_id=1-2-x", ``, refusal("INVALID_PARAMETER_VALUE", "Cluster 1-2-x does not exist")},
		{"workspace: missing path", "GET /api/2.0/workspace/get-status?path=/Users/x", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Path (/Users/x) doesn't exist."}`},
		{"workspace: mkdirs over a file", "POST /api/2.0/workspace/mkdirs", `{"path":"/Shared/file.txt"}`, refusal("RESOURCE_ALREADY_EXISTS", "/Shared/file.txtalready exists and it is not a folder")},
		{"workspace: import on an existing node", "POST /api/2.0/workspace/import", `{"path":"/Shared/Test","language":"PYTHON","content":"MQ=="}`, refusal("RESOURCE_ALREADY_EXISTS", "Path (/Shared/Test) already exists. Please pass overwrite=true to overwrite it.")},
		{"workspace: AUTO over another kind", "POST /api/2.0/workspace/import", `{"path":"/Shared/Test","format":"AUTO","overwrite":true,"content":"MQ=="}`, refusal("RESOURCE_ALREADY_EXISTS", "Node named 'Test' already exists")},
		{"workspace: parent folder", "POST /api/2.0/workspace/import", `{"path":"/foo/x","format":"AUTO","content":"MQ=="}`, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"The parent folder (/foo) does not exist."}`},
		{"workspace: a success is {}", "POST /api/2.0/workspace/mkdirs", `{"path":"/Shared/d"}`, `200 {}`},
		{"secrets: scope twice", "POST /api/2.0/secrets/scopes/create", `{"scope":"my_scope"}`, refusal("RESOURCE_ALREADY_EXISTS", "Scope my_scope already exists!")},
		{"secrets: empty backend_azure_keyvault", "POST /api/2.0/secrets/scopes/create", `{"scope":"kv","scope_backend_type":"AZURE_KEYVAULT","backend_azure_keyvault":{}}`, refusal("INVALID_PARAMETER_VALUE", "Missing required fields: backend_azure_keyvault.resource_id, backend_azure_keyvault.dns_name")},
		{"secrets: get is base64", "GET /api/2.0/secrets/get?scope=my_scope&key=k", ``, `200 {"key":"k","value":"aGVsbG8="}`},
		{"secrets: no such scope", "POST /api/2.0/secrets/scopes/delete", `{"scope":"no"}`, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Secret Scope does not exist"}`},
		{"permissions: no owner left", "PUT /api/2.0/permissions/jobs/" + strconv.FormatInt(job, 10), `{"access_control_list":[{"group_name":"ops","permission_level":"CAN_VIEW"}]}`, refusal("INVALID_PARAMETER_VALUE", "The job must have exactly one owner.")},
		{
			"permissions: the last level of a principal wins", "PUT /api/2.0/permissions/jobs/" + strconv.FormatInt(job, 10), `{"access_control_list":[{"user_name":"a@b.c","permission_level":"CAN_VIEW"},{"user_name":"a@b.c","permission_level":"IS_OWNER"}]}`,
			fmt.Sprintf(`200 {"access_control_list":[{"user_name":"a@b.c","display_name":"a@b.c","all_permissions":[{"permission_level":"IS_OWNER","inherited":false}]},{"group_name":"admins","all_permissions":[{"permission_level":"CAN_MANAGE","inherited":true,"inherited_from_object":["/jobs/"]}]}],"object_id":"/jobs/%d","object_type":"job"}`, job),
		},
		{"jobs create: git_source without provider", "POST /api/2.2/jobs/create", `{"git_source":{"git_url":"u","git_commit":"c"}}`, refusal("INVALID_PARAMETER_VALUE", "git_source.git_provider must be one of: github,gitlab,bitbucketcloud,gitlabenterpriseedition,bitbucketserver,azuredevopsservices,githubenterprise,awscodecommit")},
		{"registry: a model without a name", "POST /api/2.0/mlflow/registered-models/create", `{"name":""}`, refusal("INVALID_PARAMETER_VALUE", "Got an invalid name ''. Registered Model names cannot be empty strings.")},
		{"registry: an alias is Unity Catalog's", "POST /api/2.0/mlflow/registered-models/alias", `{"name":"m","alias":"a","version":"1"}`, `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'POST /mlflow/registered-models/alias'"}`},
	} {
		same(t, row.name, call(t, f.twin, row.what, row.body), row.want)
	}
	run := f.ended(f.submitted(oneOff("/Shared/fails")))
	same(t, "a failed run", run.State.StateMessage, "Task main failed with message: Workload failed, see run output for details.")
	for token, want := range map[string]string{
		"":                                     "Credential was not sent or was of an unsupported type for this API.",
		"dapi00000000000000000000000000000000": "Invalid access token.",
	} {
		got, err := ask(t, f.twin.URL, token, http.MethodGet, "/api/2.0/preview/scim/v2/Me", "")
		f.must(err)
		same(t, "who is not known", got.String(), fmt.Sprintf(`401 {"error_code":"UNAUTHENTICATED","message":%q}`, want))
	}
	same(t, "an empty body is no answer to a success", strings.Contains(call(t, f.twin, "POST /api/2.0/secrets/scopes/delete", `{"scope":"my_scope"}`), "{}"), true)
}
