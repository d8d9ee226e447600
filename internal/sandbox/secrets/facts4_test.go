package secrets_test

// The rows of the platform's secrets API, each as a client sees it over HTTP.

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox/secrets"
	"github.com/bargeml/barge/internal/sandbox/wire"
	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, dir string) (*secrets.Service, *wire.Mux) {
	t.Helper()
	s, err := secrets.New(dir, "me@sandbox.test", func() time.Time { return time.UnixMilli(1_700_000_000_000) })
	if err != nil {
		t.Fatal(err)
	}
	m := &wire.Mux{}
	s.Routes(m)
	return s, m
}

func call(m *wire.Mux, what, body string) string {
	method, target, _ := strings.Cut(what, " ")
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(method, "/api/2.0/secrets/"+target, strings.NewReader(body)))
	return strings.TrimSpace(fmt.Sprintf("%d %s", w.Code, w.Body))
}

type step struct{ name, call, body, want string }

func play(t *testing.T, m *wire.Mux, steps []step) {
	t.Helper()
	for _, s := range steps {
		if diff := cmp.Diff(s.want, call(m, s.call, s.body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, diff)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	_, m := open(t, t.TempDir())
	const vault = `"backend_azure_keyvault":{"resource_id":"/subscriptions/s","dns_name":"https://v.vault.azure.net/"}`
	play(t, m, []step{
		{"none", "GET scopes/list", ``, `200 {}`},
		{"create", "POST scopes/create", `{"scope":"my_scope","unknown":1}`, `200 {}`},
		{"twice", "POST scopes/create", `{"scope":"my_scope"}`, `400 {"error_code":"RESOURCE_ALREADY_EXISTS","message":"Scope my_scope already exists!"}`},
		{"managed by its creator", "GET acls/list?scope=my_scope", ``, `200 {"items":[{"permission":"MANAGE","principal":"me@sandbox.test"}]}`},
		{"initial_manage_principal users", "POST scopes/create", `{"scope":"open","initial_manage_principal":"users"}`, `200 {}`},
		{"managed by users", "GET acls/list?scope=open", ``, `200 {"items":[{"permission":"MANAGE","principal":"users"}]}`},
		{"initial_manage_principal of another", "POST scopes/create", `{"scope":"x","initial_manage_principal":"ops"}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"initial_manage_principal must be 'users' or not set, got 'ops'"}`},
		{"list", "GET scopes/list", ``, `200 {"scopes":[{"backend_type":"DATABRICKS","name":"my_scope"},{"backend_type":"DATABRICKS","name":"open"}]}`},
		{"name", "POST scopes/create", `{"scope":"a b"}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Scope name \"a b\" is invalid: it must consist of alphanumeric characters, dashes, underscores, and periods, and may not exceed 128 characters"}`},
		{"empty backend_azure_keyvault", "POST scopes/create", `{"scope":"kv","scope_backend_type":"AZURE_KEYVAULT","backend_azure_keyvault":{}}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Missing required fields: backend_azure_keyvault.resource_id, backend_azure_keyvault.dns_name"}`},
		{"Key Vault with a personal access token", "POST scopes/create", `{"scope":"kv","scope_backend_type":"AZURE_KEYVAULT",` + vault + `}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Scope with Azure KeyVault must have userAADToken defined!"}`},
		{"delete", "POST scopes/delete", `{"scope":"open"}`, `200 {}`},
		{"delete again", "POST scopes/delete", `{"scope":"open"}`, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Secret Scope does not exist"}`},
		{"no name", "POST scopes/create", `{}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Missing required field: scope"}`},
		{"wrong type", "POST scopes/create", `{"scope":1}`, `400 {"error_code":"MALFORMED_REQUEST","message":"Could not parse request object: Expected string for field scope, found NUMBER"}`},
	})
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	s, m := open(t, t.TempDir())
	play(t, m, []step{
		{"no scope", "POST put", `{"scope":"rmr","key":"k","string_value":"v"}`, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Secret Scope does not exist"}`},
		{"scope", "POST scopes/create", `{"scope":"rmr"}`, `200 {}`},
		{"empty list", "GET list?scope=rmr", ``, `200 {}`},
		{"put", "POST put", `{"scope":"rmr","key":"rmr-host","string_value":"first"}`, `200 {}`},
		{"put overwrites silently", "POST put", `{"scope":"rmr","key":"rmr-host","string_value":"http://127.0.0.1"}`, `200 {}`},
		{"put bytes", "POST put", `{"scope":"rmr","key":"b","bytes_value":"/wA="}`, `200 {}`},
		{"get is base64", "GET get?scope=rmr&key=rmr-host", ``, `200 {"key":"rmr-host","value":"aHR0cDovLzEyNy4wLjAuMQ=="}`},
		{"get bytes", "GET get?scope=rmr&key=b", ``, `200 {"key":"b","value":"/wA="}`},
		{"list", "GET list?scope=rmr", ``, `200 {"secrets":[{"key":"b","last_updated_timestamp":1700000000000},{"key":"rmr-host","last_updated_timestamp":1700000000000}]}`},
		{"get nothing", "GET get?scope=rmr&key=no", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Secret does not exist with scope: rmr and key: no"}`},
		{"get from no scope", "GET get?scope=no&key=k", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Secret does not exist with scope: no and key: k"}`},
		{"delete", "POST delete", `{"scope":"rmr","key":"b"}`, `200 {}`},
		{"delete again", "POST delete", `{"scope":"rmr","key":"b"}`, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Secret does not exist with scope: rmr and key: b"}`},
		{"both values", "POST put", `{"scope":"rmr","key":"k","string_value":"v","bytes_value":"dg=="}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Exactly one of string_value and bytes_value must be given"}`},
		{"no value", "POST put", `{"scope":"rmr","key":"k"}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Exactly one of string_value and bytes_value must be given"}`},
		{"key's name", "POST put", `{"scope":"rmr","key":"k/1","string_value":"v"}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Key name \"k/1\" is invalid: it must consist of alphanumeric characters, dashes, underscores, and periods, and may not exceed 128 characters"}`},
		{"128 KB", "POST put", `{"scope":"rmr","key":"k","string_value":"` + strings.Repeat("x", 128<<10) + `"}`, `200 {}`},
		{"more than 128 KB", "POST put", `{"scope":"rmr","key":"k","string_value":"` + strings.Repeat("x", 128<<10+1) + `"}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"The secret's value of 131073 bytes exceeds the maximum of 131072 bytes"}`},
		{"wrong verb", "GET put", ``, `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'GET /secrets/put'"}`},
	})
	if got, err := s.Get("rmr", "rmr-host"); got != "http://127.0.0.1" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestACLs(t *testing.T) {
	t.Parallel()
	_, m := open(t, t.TempDir())
	play(t, m, []step{
		{"scope", "POST scopes/create", `{"scope":"s"}`, `200 {}`},
		{"put", "POST acls/put", `{"scope":"s","principal":"data-scientists","permission":"READ"}`, `200 {}`},
		{"put overwrites", "POST acls/put", `{"scope":"s","principal":"data-scientists","permission":"WRITE"}`, `200 {}`},
		{"get", "GET acls/get?scope=s&principal=data-scientists", ``, `200 {"permission":"WRITE","principal":"data-scientists"}`},
		{"list", "GET acls/list?scope=s", ``, `200 {"items":[{"permission":"WRITE","principal":"data-scientists"},{"permission":"MANAGE","principal":"me@sandbox.test"}]}`},
		{"delete", "POST acls/delete", `{"scope":"s","principal":"data-scientists"}`, `200 {}`},
		{"get nothing", "GET acls/get?scope=s&principal=data-scientists", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Failed to get secret acl for principal data-scientists for scope s."}`},
		{"delete nothing", "POST acls/delete", `{"scope":"s","principal":"data-scientists"}`, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Failed to get secret acl for principal data-scientists for scope s."}`},
		{"permission", "POST acls/put", `{"scope":"s","principal":"p","permission":"CAN_READ"}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Permission must be one of READ, WRITE, MANAGE, got 'CAN_READ'"}`},
		{"no scope", "GET acls/list?scope=no", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Secret Scope does not exist"}`},
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	_, m := open(t, t.TempDir())
	for i := range 1000 {
		if got := call(m, "POST scopes/create", fmt.Sprintf(`{"scope":"s%d"}`, i)); got != `200 {}` {
			t.Fatal(got)
		}
		if got := call(m, "POST put", fmt.Sprintf(`{"scope":"s0","key":"k%d","string_value":"v"}`, i)); got != `200 {}` {
			t.Fatal(got)
		}
	}
	play(t, m, []step{
		{"1001st scope", "POST scopes/create", `{"scope":"more"}`, `400 {"error_code":"RESOURCE_LIMIT_EXCEEDED","message":"The workspace has reached its limit of 1000 secret scopes"}`},
		{"1001st secret", "POST put", `{"scope":"s0","key":"more","string_value":"v"}`, `400 {"error_code":"RESOURCE_LIMIT_EXCEEDED","message":"The scope s0 has reached its limit of 1000 secrets"}`},
		{"an old secret anew", "POST put", `{"scope":"s0","key":"k1","string_value":"v"}`, `200 {}`},
	})
}

func TestSecretsOutliveTheServerForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, first := open(t, dir)
	for _, name := range []string{"plain", ".", ".."} {
		if got := call(first, "POST scopes/create", fmt.Sprintf(`{"scope":%q}`, name)); got != `200 {}` {
			t.Fatal(name, got)
		}
	}
	call(first, "POST put", `{"scope":"..","key":"k","string_value":"hidden"}`)
	_, second := open(t, dir)
	want := fmt.Sprintf(`200 {"key":"k","value":%q}`, base64.StdEncoding.EncodeToString([]byte("hidden")))
	if got := call(second, "GET get?scope=..&key=k", ``); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	files := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		info, err := os.Stat(name)
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
		return err
	})
	if err != nil || files != 3 {
		t.Errorf("%d files, %v", files, err)
	}
}
