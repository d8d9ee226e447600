package access_test

// The rows of the platform's permissions API and of SCIM, each as a client sees it over HTTP.

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/sandbox/access"
	"github.com/bargeml/barge/internal/sandbox/wire"
	"github.com/google/go-cmp/cmp"
)

const me = "me@sandbox.test"

// objects are a folder in a folder, a job, a model and an experiment.
func objects(kind, id string) (access.Object, error) {
	top := &access.Object{Kind: "directories", ID: "1", Creator: me}
	for _, o := range []access.Object{
		{Kind: "directories", ID: "1", Creator: me},
		{Kind: "notebooks", ID: "2", Within: top},
		{Kind: "jobs", ID: "5", Creator: me},
		{Kind: "registered-models", ID: "ab", Creator: me},
		{Kind: "experiments", ID: "9", Creator: me},
	} {
		if o.Kind == kind && o.ID == id {
			return o, nil
		}
	}
	return access.Object{}, wire.NotFound("No object of type %s with id %s exists.", kind, id)
}

func open(t *testing.T, dir string) *wire.Mux {
	t.Helper()
	_, m := service(t, dir)
	return m
}

func service(t *testing.T, dir string) (*access.Service, *wire.Mux) {
	t.Helper()
	s, err := access.New(dir, access.User{Name: me, DisplayName: "Me"}, objects)
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
	m.ServeHTTP(w, httptest.NewRequest(method, "/api/2.0/"+target, strings.NewReader(body)))
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

func shown(object, kind, list string) string {
	return `200 {"access_control_list":[` + list + `],"object_id":"` + object + `","object_type":"` + kind + `"}`
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	const (
		admins = `{"group_name":"admins","all_permissions":[{"permission_level":"CAN_MANAGE","inherited":true,"inherited_from_object":["%s"]}]}`
		owner  = `{"user_name":"me@sandbox.test","display_name":"Me","all_permissions":[{"permission_level":"IS_OWNER","inherited":false}]}`
		sp     = "11111111-2222-3333-4444-555555555555"
	)
	jobAdmins, dirAdmins := fmt.Sprintf(admins, "/jobs/"), fmt.Sprintf(admins, "/directories/0")
	const ops = `{"group_name":"ops","all_permissions":[{"permission_level":"CAN_MANAGE_RUN","inherited":false}]}`
	m := open(t, t.TempDir())
	play(t, m, []step{
		{"a job's creator owns it, admins inherit", "GET permissions/jobs/5", ``, shown("/jobs/5", "job", owner+","+jobAdmins)},
		{"PATCH adds", "PATCH permissions/jobs/5", `{"access_control_list":[{"group_name":"ops","permission_level":"CAN_MANAGE_RUN"}]}`, shown("/jobs/5", "job", owner+","+ops+","+jobAdmins)},
		{"PATCH cannot remove", "PATCH permissions/jobs/5", `{"access_control_list":[]}`, shown("/jobs/5", "job", owner+","+ops+","+jobAdmins)},
		{"PUT without an owner", "PUT permissions/jobs/5", `{"access_control_list":[{"group_name":"ops","permission_level":"CAN_VIEW"}]}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"The job must have exactly one owner."}`},
		{"PUT with two owners", "PUT permissions/jobs/5", `{"access_control_list":[{"user_name":"a@b.c","permission_level":"IS_OWNER"},{"user_name":"me@sandbox.test","permission_level":"IS_OWNER"}]}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"The job must have exactly one owner."}`},
		{"PATCH that takes the owner away", "PATCH permissions/jobs/5", `{"access_control_list":[{"user_name":"me@sandbox.test","permission_level":"CAN_VIEW"}]}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"The job must have exactly one owner."}`},
		{"a group as owner", "PUT permissions/jobs/5", `{"access_control_list":[{"group_name":"ops","permission_level":"IS_OWNER"}]}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"A group cannot be the owner of object type job"}`},
		{"nothing of that has changed", "GET permissions/jobs/5", ``, shown("/jobs/5", "job", owner+","+ops+","+jobAdmins)},
		{
			"PUT replaces, the last level of a principal wins", "PUT permissions/jobs/5",
			`{"access_control_list":[{"service_principal_name":"` + sp + `","permission_level":"CAN_VIEW"},{"user_name":"me@sandbox.test","permission_level":"CAN_VIEW"},{"service_principal_name":"` + sp + `","permission_level":"CAN_MANAGE"},{"user_name":"me@sandbox.test","permission_level":"IS_OWNER"}]}`,
			shown("/jobs/5", "job", `{"service_principal_name":"`+sp+`","display_name":"`+sp+`","all_permissions":[{"permission_level":"CAN_MANAGE","inherited":false}]},`+owner+","+jobAdmins),
		},
		{"a service principal by its name", "PATCH permissions/jobs/5", `{"access_control_list":[{"service_principal_name":"scoring","permission_level":"CAN_VIEW"}]}`, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Principal: ServicePrincipalName(scoring) does not exist"}`},
		{"a level of another type", "PATCH permissions/jobs/5", `{"access_control_list":[{"group_name":"ops","permission_level":"CAN_READ"}]}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Permission level CAN_READ is not valid for object type job, allowed are CAN_VIEW, CAN_MANAGE_RUN, CAN_MANAGE, IS_OWNER"}`},
		{"no level", "PATCH permissions/jobs/5", `{"access_control_list":[{"group_name":"ops"}]}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Missing required field: permission_level"}`},
		{"no principal", "PATCH permissions/jobs/5", `{"access_control_list":[{"permission_level":"CAN_VIEW"}]}`, `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Exactly one of user_name, group_name and service_principal_name must be given"}`},
		{"a job that is not there", "GET permissions/jobs/6", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No object of type jobs with id 6 exists."}`},
		{"a model by its name", "GET permissions/registered-models/SparkModel", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No object of type registered-models with id SparkModel exists."}`},
		{"a type that is none", "GET permissions/dogs/1", ``, `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'GET /permissions/dogs/1'"}`},

		{"a folder", "PUT permissions/directories/1", `{"access_control_list":[{"group_name":"ops","permission_level":"CAN_RUN"}]}`, shown("/directories/1", "directory", `{"group_name":"ops","all_permissions":[{"permission_level":"CAN_RUN","inherited":false}]},`+dirAdmins)},
		{
			"what is in it inherits", "PATCH permissions/notebooks/2", `{"access_control_list":[{"group_name":"ops","permission_level":"CAN_EDIT"}]}`,
			shown("/notebooks/2", "notebook", `{"group_name":"ops","all_permissions":[{"permission_level":"CAN_EDIT","inherited":false},{"permission_level":"CAN_RUN","inherited":true,"inherited_from_object":["/directories/1"]}]},`+dirAdmins),
		},
		{
			"and cannot take that back", "PUT permissions/notebooks/2", `{"access_control_list":[]}`,
			shown("/notebooks/2", "notebook", `{"group_name":"ops","all_permissions":[{"permission_level":"CAN_RUN","inherited":true,"inherited_from_object":["/directories/1"]}]},`+dirAdmins),
		},
		{"a model", "GET permissions/registered-models/ab", ``, shown("/registered-models/ab", "registered-model", `{"user_name":"me@sandbox.test","display_name":"Me","all_permissions":[{"permission_level":"CAN_MANAGE","inherited":false}]},`+fmt.Sprintf(admins, "/registered-models/root"))},
		{"its levels", "GET permissions/registered-models/ab/permissionLevels", ``, `200 {"permission_levels":[{"description":"Can manage","permission_level":"CAN_MANAGE"},{"description":"Can manage production versions","permission_level":"CAN_MANAGE_PRODUCTION_VERSIONS"},{"description":"Can manage staging versions","permission_level":"CAN_MANAGE_STAGING_VERSIONS"},{"description":"Can edit","permission_level":"CAN_EDIT"},{"description":"Can view","permission_level":"CAN_READ"}]}`},
		{"levels of nothing", "GET permissions/jobs/6/permissionLevels", ``, `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No object of type jobs with id 6 exists."}`},
	})
}

func TestRightsFromTheBeginning(t *testing.T) {
	t.Parallel()
	const jobAdmins = `{"group_name":"admins","all_permissions":[{"permission_level":"CAN_MANAGE","inherited":true,"inherited_from_object":["/jobs/"]}]}`
	const owned = `200 {"access_control_list":[{"user_name":"%s","display_name":"%s","all_permissions":[{"permission_level":"IS_OWNER","inherited":false}]},`
	for _, row := range []struct{ name, list, said, want string }{
		{
			"beside the creator's", `[{"group_name":"ops","permission_level":"CAN_VIEW"}]`, "<nil>",
			fmt.Sprintf(owned, me, "Me") + `{"group_name":"ops","all_permissions":[{"permission_level":"CAN_VIEW","inherited":false}]},` + jobAdmins + `],"object_id":"/jobs/5","object_type":"job"}`,
		},
		{
			"another owner", `[{"user_name":"a@b.c","permission_level":"IS_OWNER"}]`, "<nil>",
			fmt.Sprintf(owned, "a@b.c", "a@b.c") + jobAdmins + `],"object_id":"/jobs/5","object_type":"job"}`,
		},
		{"an empty list", `[]`, "<nil>", fmt.Sprintf(owned, me, "Me") + jobAdmins + `],"object_id":"/jobs/5","object_type":"job"}`},
		{
			"a level that jobs have not", `[{"group_name":"ops","permission_level":"CAN_READ"}]`,
			"INVALID_PARAMETER_VALUE: Permission level CAN_READ is not valid for object type job, allowed are CAN_VIEW, CAN_MANAGE_RUN, CAN_MANAGE, IS_OWNER",
			fmt.Sprintf(owned, me, "Me") + jobAdmins + `],"object_id":"/jobs/5","object_type":"job"}`,
		},
		{
			"no list", `{}`, "MALFORMED_REQUEST: Could not parse request object: Expected array for field access_control_list, found OBJECT",
			fmt.Sprintf(owned, me, "Me") + jobAdmins + `],"object_id":"/jobs/5","object_type":"job"}`,
		},
	} {
		s, m := service(t, t.TempDir())
		for _, id := range []string{"", "5"} {
			if got := fmt.Sprint(s.Begin(access.Object{Kind: "jobs", ID: id, Creator: me}, []byte(row.list))); got != row.said {
				t.Errorf("%s: %s, want %s", row.name, got, row.said)
			}
		}
		if diff := cmp.Diff(row.want, call(m, "GET permissions/jobs/5", "")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}

func TestPermissionsOutliveTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	set := call(open(t, dir), "PATCH permissions/experiments/9", `{"access_control_list":[{"group_name":"ops","permission_level":"CAN_READ"}]}`)
	if got := call(open(t, dir), "GET permissions/experiments/9", ``); got != set || !strings.Contains(got, "ops") {
		t.Errorf("got %s, want %s", got, set)
	}
}

func TestSCIM(t *testing.T) {
	t.Parallel()
	m := open(t, t.TempDir())
	const user = `"urn:ietf:params:scim:schemas:core:2.0:User"`
	meShown := `{"active":true,"displayName":"Me","emails":[{"primary":true,"type":"work","value":"me@sandbox.test"}],` +
		`"groups":[{"$ref":"Groups/7000000000001","display":"admins","type":"direct","value":"7000000000001"},{"$ref":"Groups/7000000000002","display":"users","type":"direct","value":"7000000000002"}],` +
		`"id":"7000000000003","schemas":[` + user + `],"userName":"me@sandbox.test"}`
	const list = `"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"]`
	const scimError = `"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"]`
	const ops = `{"displayName":"ops","id":"7000000000004","members":[{"value":"1"}],"meta":{"resourceType":"WorkspaceGroup"},"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]}`
	const base = "preview/scim/v2/"
	play(t, m, []step{
		{"Me", "GET " + base + "Me", ``, "200 " + meShown},
		{"user by name", "GET " + base + "Users?filter=userName+eq+%22ME@sandbox.test%22", ``, `200 {"Resources":[` + meShown + `],"itemsPerPage":1,` + list + `,"startIndex":1,"totalResults":1}`},
		{"user by id", "GET " + base + "Users/7000000000003", ``, "200 " + meShown},
		{"no user", "GET " + base + "Users/1", ``, `404 {"detail":"User with id 1 not found.",` + scimError + `,"status":"404"}`},
		{"a page", "GET " + base + "Groups?startIndex=2&count=1&attributes=id", ``, `200 {"Resources":[{"displayName":"users","id":"7000000000002","meta":{"resourceType":"WorkspaceGroup"},"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]}],"itemsPerPage":1,` + list + `,"startIndex":2,"totalResults":2}`},
		{"behind the last page", "GET " + base + "Groups?startIndex=101&count=100", ``, `200 {"itemsPerPage":0,` + list + `,"startIndex":101,"totalResults":2}`},
		{"create a group", "POST " + base + "Groups", `{"displayName":"ops","members":[{"value":"1"}]}`, "201 " + ops},
		{"create it again", "POST " + base + "Groups", `{"displayName":"OPS"}`, `409 {"detail":"Group with displayName OPS already exists.",` + scimError + `,"status":"409"}`},
		{"without a name", "POST " + base + "Groups", `{}`, `400 {"detail":"Required attribute displayName is missing.",` + scimError + `,"status":"400"}`},
		{"no JSON", "POST " + base + "Groups", `x`, `400 {"detail":"Request is unparsable, syntactically incorrect, or violates schema.",` + scimError + `,"status":"400"}`},
		{"add a member", "PATCH " + base + "Groups/7000000000004", `{"Operations":[{"op":"add","path":"members","value":[{"value":"2"}]}]}`, "200 " + strings.Replace(ops, `{"value":"1"}`, `{"value":"1"},{"value":"2"}`, 1)},
		{"remove a member", "PATCH " + base + "Groups/7000000000004", `{"Operations":[{"op":"remove","path":"members[value eq \"2\"]"}]}`, "200 " + ops},
		{"unknown operation", "PATCH " + base + "Groups/7000000000004", `{"Operations":[{"op":"swap"}]}`, `400 {"detail":"Unsupported patch operation \"swap\" on path \"\".",` + scimError + `,"status":"400"}`},
		{"delete", "DELETE " + base + "Groups/7000000000004", ``, `204`},
		{"delete again", "DELETE " + base + "Groups/7000000000004", ``, `404 {"detail":"Group with id 7000000000004 not found.",` + scimError + `,"status":"404"}`},
		{"a service principal's application id", "POST " + base + "ServicePrincipals", `{"applicationId":"11111111-2222-3333-4444-555555555555","displayName":"scoring"}`, `201 {"active":true,"applicationId":"11111111-2222-3333-4444-555555555555","displayName":"scoring","id":"7000000000005","schemas":["urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"]}`},
		{"a filter that is not understood", "GET " + base + "Users?filter=x", ``, `400 {"detail":"Given filter operator is not supported: x",` + scimError + `,"status":"400"}`},
	})
	if got := call(m, "POST "+base+"ServicePrincipals", `{"displayName":"made"}`); !regexp.MustCompile(`"applicationId":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`).MatchString(got) {
		t.Errorf("made without an application id: %s", got)
	}
}
