package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/google/go-cmp/cmp"
)

func config(dir string, names ...string) sandbox.Config {
	return sandbox.Config{Dir: dir, Workspaces: names, Executor: &jobs.Canned{}, MLflow: mlflow.Light()}
}

// start brings up a sandbox that runs no Python.
func start(t *testing.T, names ...string) *sandbox.Sandbox {
	t.Helper()
	return startWith(t, config(t.TempDir(), names...))
}

func startWith(t *testing.T, c sandbox.Config) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

type reply struct {
	status int
	body   string
	header http.Header
}

func (r reply) String() string { return strings.TrimSpace(fmt.Sprintf("%d %s", r.status, r.body)) }

// ask calls a twin on a connection of its own.
func ask(t *testing.T, url, token, method, target, body string) (reply, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, strings.TrimSpace(string(b)), resp.Header}, err
}

func call(t *testing.T, twin *sandbox.Twin, what, body string) string {
	t.Helper()
	method, target, _ := strings.Cut(what, " ")
	r, err := ask(t, twin.URL, twin.Token, method, target, body)
	if err != nil {
		return err.Error()
	}
	return r.String()
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestTheFrontDoor(t *testing.T) {
	t.Parallel()
	twin := start(t, "dev").Twin("dev")
	if !regexp.MustCompile(`^dapi[0-9a-f]{32}$`).MatchString(twin.Token) {
		t.Errorf("token %q", twin.Token)
	}
	const (
		unsent = `401 {"error_code":"UNAUTHENTICATED","message":"Credential was not sent or was of an unsupported type for this API."}`
		wrong  = `401 {"error_code":"UNAUTHENTICATED","message":"Invalid access token."}`
		me     = "/api/2.0/preview/scim/v2/Me"
	)
	for _, row := range []struct{ name, token, target, want string }{
		{"no token", "", me, unsent},
		{"a wrong token", "dapi00000000000000000000000000000000", me, wrong},
		{"no token for DBFS", "", "/dbfs/x", unsent},
		{"no token behind a double slash", "", "//api//2.0/secrets/scopes/list", unsent},
		{"no token for control", "", "/_sandbox/log", unsent},
		{"no token for an unknown API", "", "/api/2.0/no", unsent},
		{"unknown API", twin.Token, "/api/2.0/no", `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'GET /no'"}`},
		{"a token that names a run", twin.Token + "-77", "/api/2.0/secrets/scopes/list", `200 {}`},
		{"a token with something else behind it", twin.Token + "-x", "/api/2.0/secrets/scopes/list", wrong},
		{"discovery needs no token", "", "/.well-known/databricks-config", fmt.Sprintf(
			`200 {"host_type":"workspace","oidc_endpoint":"%s/oidc","workspace_id":"%d"}`, twin.URL, twin.WorkspaceID)},
		{"clusters", twin.Token, "/api/2.1/clusters/get?cluster_id=1-2-x", `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Cluster 1-2-x does not exist"}`},
		{"no clusters", twin.Token, "/api/2.1/clusters/list", `200 {}`},
	} {
		got, err := ask(t, twin.URL, row.token, http.MethodGet, row.target, "")
		if err != nil {
			t.Fatal(err)
		}
		same(t, row.name, got.String(), row.want)
		same(t, row.name+": x-databricks-org-id", got.header.Get("X-Databricks-Org-Id"), strconv.FormatInt(twin.WorkspaceID, 10))
		if got.header.Get("Date") == "" {
			t.Errorf("%s: no Date", row.name)
		}
	}
	page, err := ask(t, twin.URL, "", http.MethodGet, "/", "")
	if err != nil || !strings.Contains(page.body, `workspace "dev"`) || strings.Contains(page.body, twin.Token) {
		t.Errorf("welcome: %s, %v", page, err)
	}
}

func TestTheLog(t *testing.T) {
	t.Parallel()
	twin := start(t, "dev").Twin("dev")
	call(t, twin, "GET /.well-known/databricks-config", "")
	call(t, twin, "GET /api/2.0/workspace/list?path=/Users", "")
	if _, err := ask(t, twin.URL, twin.Token+"-77", http.MethodPost, "/api/2.0/workspace/mkdirs", `{"path":"x"}`); err != nil {
		t.Fatal(err)
	}
	var log []sandbox.Call
	got := strings.TrimPrefix(call(t, twin, "GET /_sandbox/log", ""), "200 ")
	if err := json.Unmarshal([]byte(got), &log); err != nil {
		t.Fatal(err)
	}
	for i := range log {
		if log[i].At.IsZero() {
			t.Errorf("call %d has no time", i)
		}
		log[i].At = log[0].At
	}
	same(t, "log", log, []sandbox.Call{
		{Seq: 1, At: log[0].At, Method: "GET", Path: "/api/2.0/workspace/list", Query: "path=/Users", Status: 200},
		{Seq: 2, At: log[0].At, Method: "POST", Path: "/api/2.0/workspace/mkdirs", Status: 400, RunID: "77"},
	})
	same(t, "clear", call(t, twin, "DELETE /_sandbox/log", ""), `200 {}`)
	same(t, "cleared", call(t, twin, "GET /_sandbox/log", ""), `200 []`)
}

func TestTwinsAreKeptApart(t *testing.T) {
	t.Parallel()
	s := start(t, "dev", "prod")
	dev, prod := s.Twin("dev"), s.Twin("prod")
	same(t, "mkdirs", call(t, dev, "POST /api/2.0/workspace/mkdirs", `{"path":"/Shared/x"}`), `200 {}`)
	same(t, "the other", call(t, prod, "GET /api/2.0/workspace/get-status?path=/Shared/x", ""), `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Path (/Shared/x) doesn't exist."}`)
	got, err := ask(t, prod.URL, dev.Token, http.MethodGet, "/api/2.0/workspace/list?path=/", "")
	if err != nil || got.status != http.StatusUnauthorized {
		t.Errorf("dev's token in prod: %s, %v", got, err)
	}
	if s.Twin("no") != nil {
		t.Error("a twin that nobody asked for")
	}
}

func TestFiftyWritersOfOnePath(t *testing.T) {
	t.Parallel()
	twin := start(t, "dev").Twin("dev")
	answers := make([]string, 50)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			answers[i] = call(t, twin, "POST /api/2.0/workspace-files/import-file/Shared%2Fentry.json?overwrite=false", strconv.Itoa(i))
		})
	}
	wg.Wait()
	created := 0
	for _, a := range answers {
		switch a {
		case `200 {}`:
			created++
		case `409 {"message":"File already exists at path /Shared/entry.json"}`:
		default:
			t.Errorf("told %s", a)
		}
	}
	same(t, "created", created, 1)
}

func TestPermissionsOfEverything(t *testing.T) {
	t.Parallel()
	twin := start(t, "dev").Twin("dev")
	id := func(what, body string, field string) string {
		t.Helper()
		var answer map[string]any
		got := call(t, twin, what, body)
		dec := json.NewDecoder(strings.NewReader(strings.TrimPrefix(got, "200 ")))
		dec.UseNumber()
		if err := dec.Decode(&answer); err != nil {
			t.Fatalf("%s: %s", what, got)
		}
		return fmt.Sprint(answer[field])
	}
	call(t, twin, "POST /api/2.0/workspace-files/import-file/Shared%2Fn.py", "# Databricks notebook source\n1")
	notebook := id("GET /api/2.0/workspace/get-status?path=/Shared/n", "", "object_id")
	folder := id("GET /api/2.0/workspace/get-status?path=/Shared", "", "object_id")
	job := id("POST /api/2.2/jobs/create", `{"name":"j","tasks":[{"task_key":"t","notebook_task":{"notebook_path":"/Shared/n"}}]}`, "job_id")
	experiment := id("POST /api/2.0/mlflow/experiments/create", `{"name":"/Shared/e"}`, "experiment_id")
	for target, want := range map[string]string{
		"notebooks/" + notebook:     `"group_name":"users","all_permissions":[{"permission_level":"CAN_MANAGE","inherited":true,"inherited_from_object":["/directories/` + folder + `"]}]`,
		"directories/" + folder:     `"group_name":"users","all_permissions":[{"permission_level":"CAN_MANAGE","inherited":false}]`,
		"directories/0":             `"object_id":"/directories/0","object_type":"directory"`,
		"jobs/" + job:               `"user_name":"admin@sandbox.test","display_name":"Sandbox Admin","all_permissions":[{"permission_level":"IS_OWNER","inherited":false}]`,
		"experiments/" + experiment: `"object_type":"mlflowExperiment"`,
		"notebooks/" + folder:       `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Node ID ` + folder + ` is not of type notebooks."}`,
		"notebooks/7":               `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Node ID 7 does not exist."}`,
		"jobs/7":                    `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Job 7 does not exist."}`,
		"clusters/7":                `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No object of type clusters with id 7 exists."}`,
		"experiments/7777":          `404 {"error_code":"RESOURCE_DOES_NOT_EXIST"`,
		"registered-models/no":      `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Registered model with id no does not exist."}`,
	} {
		if got := call(t, twin, "GET /api/2.0/permissions/"+target, ""); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

func TestWhatIsKeptAndWhatIsReset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startWith(t, config(dir, "dev", "prod"))
	for _, name := range []string{"dev", "prod"} {
		same(t, "mkdirs", call(t, s.Twin(name), "POST /api/2.0/workspace/mkdirs", `{"path":"/Shared/x"}`), `200 {}`)
		same(t, "model", call(t, s.Twin(name), "POST /api/2.0/mlflow/experiments/create", `{"name":"/Shared/e"}`)[:4], "200 ")
	}
	before := *s.Twin("dev")
	if _, err := sandbox.Start(t.Context(), config(dir)); err == nil || !strings.Contains(err.Error(), "locked by another server") {
		t.Errorf("a second server on the folder: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := startWith(t, config(dir)) // the twins of before come up by themselves
	dev, prod := again.Twin("dev"), again.Twin("prod")
	same(t, "what stays", []any{dev.URL, dev.Token, dev.WorkspaceID}, []any{before.URL, before.Token, before.WorkspaceID})
	const status, gone = "GET /api/2.0/workspace/get-status?path=/Shared/x", `404 {"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Path (/Shared/x) doesn't exist."}`
	same(t, "kept", call(t, dev, status, "")[:4], "200 ")
	same(t, "reset", call(t, prod, "POST /_sandbox/reset", `{"workspaces":["dev"]}`), `200 {}`)
	same(t, "wiped", call(t, dev, status, ""), gone)
	same(t, "wiped from MLflow", call(t, dev, "GET /api/2.0/mlflow/experiments/get-by-name?experiment_name=/Shared/e", "")[:4], "404 ")
	same(t, "the other is kept", call(t, prod, status, "")[:4], "200 ")
	same(t, "reset of a stranger", call(t, prod, "POST /_sandbox/reset", `{"workspaces":["no"]}`), `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"resetting workspace no: there is no such workspace"}`)
	same(t, "reset of all", call(t, prod, "POST /_sandbox/reset", `{}`), `200 {}`)
	same(t, "wiped too", call(t, prod, status, ""), gone)
	for _, file := range []string{dev.TokenFile(), dev.Dir + "/twin.json"} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
}

func TestATakenPort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	home := filepath.Join(dir, "dev")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "twin.json"), []byte(`{"workspace_id":5,"port":`+port+`}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c := config(dir)
	c.Progress = &said
	twin := startWith(t, c).Twin("dev")
	if strings.HasSuffix(twin.URL, ":"+port) {
		t.Errorf("serves at %s, which is taken", twin.URL)
	}
	same(t, "said", said.String(), "port "+port+" of workspace dev is taken; it gets another\n")
	same(t, "serves", call(t, twin, "GET /api/2.0/secrets/scopes/list", ""), `200 {}`)
}

func TestNamesOfWorkspaces(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "..", "a/b", "-x", "1", "_server"} {
		if s, err := sandbox.Start(t.Context(), config(t.TempDir(), name)); err == nil {
			t.Errorf("%q was taken", name)
			_ = s.Close()
		}
	}
}
