package databricks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/transport"
)

// fake is a workspace that keeps state. Fault, when set, may answer a request in its place.
type fake struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	calls   []string // "METHOD path"
	agents  []string
	tree    map[string]objectInfo
	content map[string][]byte
	scopes  map[string]map[string]string
	grants  map[string][]accessEntry
	jobs    map[int64]json.RawMessage
	tokens  map[string]int64
	runs    map[int64][]string // the answers of runs/get, one after the other; the last one stays
	bodies  map[string]string  // the last body of each path
	next    int64
	fault   func(w http.ResponseWriter, r *http.Request) bool
}

const fakeToken = "dapi-of-the-fake"

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{
		t: t, tree: map[string]objectInfo{"/": {Path: "/", ObjectType: Directory, ObjectID: 1}}, content: map[string][]byte{},
		scopes: map[string]map[string]string{}, grants: map[string][]accessEntry{}, jobs: map[int64]json.RawMessage{},
		tokens: map[string]int64{}, runs: map[int64][]string{}, bodies: map[string]string{}, next: 100,
	}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func (f *fake) open(options ...func(*Options)) *Workspace {
	o := Options{
		Name: "prod", Host: f.server.URL + "/", Version: "v1.2.3",
		Token:     func(context.Context) (string, time.Time, error) { return fakeToken, time.Time{}, nil },
		Transport: transport.New(transport.Options{Sleep: noSleep}),
		Sleep:     noSleep,
	}
	for _, option := range options {
		option(&o)
	}
	return Open(o)
}

func noSleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func (f *fake) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *fake) body(path string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bodies[path]
}

type problem struct {
	status        int
	code, message string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, r.Method+" "+r.URL.Path)
	f.agents = append(f.agents, r.Header.Get("User-Agent"))
	w.Header().Set("X-Databricks-Org-Id", "6201")
	if r.Header.Get("Authorization") != "Bearer "+fakeToken {
		answerProblem(w, &problem{401, "UNAUTHENTICATED", "Request to create this resource was denied: token is not valid."})
		return
	}
	body, _ := io.ReadAll(r.Body)
	f.bodies[r.URL.Path] = string(body)
	if f.fault != nil && f.fault(w, r) {
		return
	}
	out, p := f.answer(r, body)
	if p != nil {
		answerProblem(w, p)
		return
	}
	if raw, ok := out.([]byte); ok {
		_, _ = w.Write(raw)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if out == nil {
		out = struct{}{}
	}
	_ = json.NewEncoder(w).Encode(out)
}

func answerProblem(w http.ResponseWriter, p *problem) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.status)
	body := map[string]string{"message": p.message}
	if p.code != "" {
		body["error_code"] = p.code
	}
	_ = json.NewEncoder(w).Encode(body)
}

func (f *fake) answer(r *http.Request, body []byte) (any, *problem) {
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	str := func(key string) string { s, _ := in[key].(string); return s }
	query := r.URL.Query()
	const files = "/api/2.0/workspace-files/import-file/"
	switch p := r.URL.Path; {
	case strings.HasPrefix(p, files):
		return nil, f.put("/"+strings.TrimPrefix(p, files), File, "", body, query.Get("overwrite") == "true")
	case p == "/api/2.0/workspace/import":
		content, _ := base64.StdEncoding.DecodeString(str("content"))
		if len(content) == 0 {
			return nil, &problem{400, "INVALID_PARAMETER_VALUE", "No input data source provided"}
		}
		overwrite, _ := in["overwrite"].(bool)
		return nil, f.put(str("path"), Notebook, str("language"), content, overwrite)
	case p == "/api/2.0/workspace/mkdirs":
		return nil, f.mkdirs(str("path"))
	case p == "/api/2.0/workspace/get-status":
		return f.stat(query.Get("path"))
	case p == "/api/2.0/workspace/list":
		return f.list(query.Get("path"))
	case p == "/api/2.0/workspace/export":
		return f.export(query.Get("path"), query.Get("direct_download") == "true")
	case p == "/api/2.0/workspace/delete":
		if _, p := f.stat(str("path")); p != nil {
			return nil, p
		}
		delete(f.tree, str("path"))
		delete(f.content, str("path"))
		return nil, nil
	case strings.HasPrefix(p, "/api/2.0/secrets/"):
		return f.secret(strings.TrimPrefix(p, "/api/2.0/secrets/"), query.Get("scope"), in)
	case strings.HasPrefix(p, "/api/2.0/permissions/"):
		return f.permission(r.Method, p, body)
	case p == "/api/2.0/preview/scim/v2/Me":
		return map[string]any{"id": "7", "userName": "releaser", "displayName": "Releaser", "groups": []any{map[string]any{"display": "releasers"}}}, nil
	case strings.HasPrefix(p, "/api/2.2/jobs/"):
		return f.job(strings.TrimPrefix(p, "/api/2.2/jobs/"), query, in, body)
	}
	return nil, &problem{404, "ENDPOINT_NOT_FOUND", "No API found for '" + r.Method + " " + r.URL.Path + "'"}
}

func missing(p string) *problem {
	return &problem{404, "RESOURCE_DOES_NOT_EXIST", "Path (" + p + ") doesn't exist."}
}

// put refuses in the shapes that the service really has.
func (f *fake) put(p, kind, language string, content []byte, overwrite bool) *problem {
	old, there := f.tree[p]
	switch {
	case there && !overwrite && kind == Notebook:
		return &problem{400, "RESOURCE_ALREADY_EXISTS", "Path (" + p + ") already exists. Please pass overwrite=true"}
	case there && !overwrite && old.ObjectType == Notebook:
		return &problem{400, "", "Path (" + p + ") already exists."}
	case there && !overwrite:
		return &problem{409, "", "File already exists at path " + p}
	case there && old.ObjectType != kind:
		return &problem{400, "INVALID_PARAMETER_VALUE", "type mismatch (asked: " + kind + ", actual: " + old.ObjectType + ")"}
	}
	if _, ok := f.tree[path.Dir(p)]; !ok {
		return &problem{404, "", "The parent folder (" + path.Dir(p) + ") does not exist."}
	}
	f.next++
	f.tree[p] = objectInfo{Path: p, ObjectType: kind, ObjectID: f.next, Language: language, Size: int64(len(content)), ModifiedAt: 1700000000000}
	f.content[p] = content
	return nil
}

func (f *fake) mkdirs(p string) *problem {
	for ; p != "/"; p = path.Dir(p) {
		if o, ok := f.tree[p]; ok && o.ObjectType != Directory {
			return &problem{400, "RESOURCE_ALREADY_EXISTS", p + "already exists and it is not a folder"}
		}
		f.next++
		f.tree[p] = objectInfo{Path: p, ObjectType: Directory, ObjectID: f.next}
	}
	return nil
}

func (f *fake) stat(p string) (any, *problem) {
	o, ok := f.tree[p]
	if !ok {
		return nil, missing(p)
	}
	return o, nil
}

func (f *fake) list(p string) (any, *problem) {
	if _, ok := f.tree[p]; !ok {
		return nil, missing(p)
	}
	objects := []objectInfo{}
	for _, o := range f.tree {
		if o.Path != "/" && path.Dir(o.Path) == p {
			objects = append(objects, o)
		}
	}
	slices.SortFunc(objects, func(a, b objectInfo) int { return strings.Compare(a.Path, b.Path) })
	if len(objects) == 0 {
		return map[string]any{}, nil
	}
	return map[string]any{"objects": objects}, nil
}

func (f *fake) export(p string, direct bool) (any, *problem) {
	b, ok := f.content[p]
	if !ok {
		return nil, missing(p)
	}
	if direct {
		return b, nil
	}
	return map[string]any{"content": b}, nil
}

func (f *fake) secret(verb, scope string, in map[string]any) (any, *problem) {
	str := func(key string) string { s, _ := in[key].(string); return s }
	switch verb {
	case "scopes/create":
		if _, ok := f.scopes[str("scope")]; ok {
			return nil, &problem{400, "RESOURCE_ALREADY_EXISTS", "Scope " + str("scope") + " already exists!"}
		}
		f.scopes[str("scope")] = map[string]string{}
	case "scopes/list":
		list := []any{}
		for name := range f.scopes {
			list = append(list, map[string]any{"name": name})
		}
		return map[string]any{"scopes": list}, nil
	case "put":
		if f.scopes[str("scope")] == nil {
			return nil, &problem{404, "RESOURCE_DOES_NOT_EXIST", "Scope " + str("scope") + " does not exist!"}
		}
		f.scopes[str("scope")][str("key")] = str("string_value")
	case "list":
		if f.scopes[scope] == nil {
			return nil, &problem{404, "RESOURCE_DOES_NOT_EXIST", "Scope " + scope + " does not exist!"}
		}
		list := []any{}
		for key := range f.scopes[scope] {
			list = append(list, map[string]any{"key": key})
		}
		return map[string]any{"secrets": list}, nil
	}
	return nil, nil
}

func (f *fake) permission(method, p string, body []byte) (any, *problem) {
	if method == http.MethodPatch {
		var in struct {
			List []accessEntry `json:"access_control_list"`
		}
		_ = json.Unmarshal(body, &in)
		f.grants[p] = append(f.grants[p], in.List...)
		return nil, nil
	}
	list := []any{map[string]any{"group_name": "admins", "all_permissions": []any{map[string]any{"permission_level": "CAN_MANAGE", "inherited": true}}}}
	for _, e := range f.grants[p] {
		raw, _ := json.Marshal(e)
		m := map[string]any{}
		_ = json.Unmarshal(raw, &m)
		m["all_permissions"] = []any{map[string]any{"permission_level": e.Level, "inherited": false}}
		list = append(list, m)
	}
	return map[string]any{"access_control_list": list}, nil
}

func (f *fake) job(verb string, query map[string][]string, in map[string]any, body []byte) (any, *problem) {
	id := func(key string) int64 { n, _ := in[key].(float64); return int64(n) }
	asked := func(key string) int64 {
		var n int64
		_, _ = fmt.Sscan(strings.Join(query[key], ""), &n)
		return n
	}
	switch verb {
	case "create":
		f.next++
		f.jobs[f.next] = body
		return map[string]any{"job_id": f.next}, nil
	case "reset":
		var raw struct {
			Settings json.RawMessage `json:"new_settings"`
		}
		_ = json.Unmarshal(body, &raw)
		if _, ok := f.jobs[id("job_id")]; !ok {
			return nil, &problem{400, "INVALID_PARAMETER_VALUE", fmt.Sprintf("Job %d does not exist.", id("job_id"))}
		}
		f.jobs[id("job_id")] = raw.Settings
	case "get":
		settings, ok := f.jobs[asked("job_id")]
		if !ok {
			return nil, &problem{400, "INVALID_PARAMETER_VALUE", fmt.Sprintf("Job %d does not exist.", asked("job_id"))}
		}
		return map[string]any{"job_id": asked("job_id"), "settings": settings, "creator_user_name": "releaser", "created_time": 1700000000000}, nil
	case "list": // two pages
		ids := []int64{}
		for id := range f.jobs {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		slices.Reverse(ids)
		first := len(ids) / 2
		out := map[string]any{"next_page_token": "2"}
		if query["page_token"] != nil {
			ids, out = ids[first:], map[string]any{}
		} else {
			ids = ids[:first]
		}
		list := []any{}
		for _, id := range ids {
			list = append(list, map[string]any{"job_id": id, "settings": f.jobs[id], "created_time": id})
		}
		out["jobs"] = list
		return out, nil
	case "delete":
		if _, ok := f.jobs[id("job_id")]; !ok {
			return nil, &problem{400, "INVALID_PARAMETER_VALUE", fmt.Sprintf("Job %d does not exist.", id("job_id"))}
		}
		delete(f.jobs, id("job_id"))
	case "runs/submit", "run-now":
		token, _ := in["idempotency_token"].(string)
		if run, ok := f.tokens[token]; ok && token != "" {
			return map[string]any{"run_id": run}, nil
		}
		f.next++
		f.tokens[token] = f.next
		return map[string]any{"run_id": f.next}, nil
	case "runs/get":
		answers := f.runs[asked("run_id")]
		if len(answers) == 0 {
			return nil, &problem{400, "INVALID_PARAMETER_VALUE", fmt.Sprintf("Run %d does not exist.", asked("run_id"))}
		}
		if len(answers) > 1 {
			f.runs[asked("run_id")] = answers[1:]
		}
		return json.RawMessage(answers[0]), nil
	case "runs/get-output":
		return map[string]any{"notebook_output": map[string]any{"result": fmt.Sprintf("output of %d", asked("run_id")), "truncated": false}}, nil
	case "runs/list":
		list := []json.RawMessage{}
		for _, answers := range f.runs {
			list = append(list, json.RawMessage(answers[0]))
		}
		return map[string]any{"runs": list}, nil
	}
	return nil, nil
}
