package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/bargeml/barge/internal/sandbox"
	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/ml"
	"github.com/databricks/databricks-sdk-go/service/workspace"
)

// The messages that were recorded of the real service, one row for each place where one is known.
func TestGoSDKMessagesAsRecorded(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	w, j, s, p := workspace.NewWorkspace(f.api), jobs.NewJobs(f.api), workspace.NewSecrets(f.api), iam.NewPermissions(f.api)
	f.must(f.importFile(f.context(), "/Shared/file.txt", "1", false))
	f.notebooks("/Shared/Test")
	f.must(s.CreateScope(f.context(), workspace.CreateScope{Scope: "my_scope"}))
	job := fmt.Sprint(f.created(jobs.CreateJob{Name: "j"}))
	nobody, intruder := sdk(t, f.twin.URL, "dapi00000000000000000000000000000000"), sdk(t, f.twin.URL, f.twin.Token+"-x")
	me := func(c *iam.CurrentUserAPI) func(context.Context) error {
		return failing(func(ctx context.Context) (*iam.User, error) { return c.Me(ctx, iam.MeRequest{}) })
	}
	absent, wrong, there := apierr.ErrResourceDoesNotExist, apierr.ErrInvalidParameterValue, apierr.ErrResourceAlreadyExists
	f.refused(
		refusal{"jobs get of a missing job", failing(func(ctx context.Context) (*jobs.Job, error) { return j.GetByJobId(ctx, 1234) }), "400 INVALID_PARAMETER_VALUE Job 1234 does not exist.", absent},
		refusal{"runs get of a missing run", failing(func(ctx context.Context) (*jobs.Run, error) {
			return j.GetRun(ctx, jobs.GetRunRequest{RunId: 1234})
		}), "400 INVALID_PARAMETER_VALUE Run 1234 does not exist.", absent},
		refusal{"clusters get the same way", failing(func(ctx context.Context) (*compute.ClusterDetails, error) {
			return compute.NewClusters(f.api).GetByClusterId(ctx, "1-2-x")
		}), "400 INVALID_PARAMETER_VALUE Cluster 1-2-x does not exist", absent},
		refusal{"missing path", failing(func(ctx context.Context) (*workspace.ObjectInfo, error) { return w.GetStatusByPath(ctx, "/Users/x") }), "404 RESOURCE_DOES_NOT_EXIST Path (/Users/x) doesn't exist.", absent},
		refusal{"mkdirs over a file", func(ctx context.Context) error { return w.MkdirsByPath(ctx, "/Shared/file.txt") }, "400 RESOURCE_ALREADY_EXISTS /Shared/file.txtalready exists and it is not a folder", there},
		refusal{"import on an existing node", func(ctx context.Context) error {
			return w.Import(ctx, workspace.Import{Path: "/Shared/Test", Language: workspace.LanguagePython, Content: encoded("2")})
		}, "400 RESOURCE_ALREADY_EXISTS Path (/Shared/Test) already exists. Please pass overwrite=true to overwrite it.", there},
		refusal{"import with AUTO when the kinds differ", func(ctx context.Context) error {
			return w.Import(ctx, workspace.Import{Path: "/Shared/Test", Format: workspace.ImportFormatAuto, Overwrite: true, Content: encoded("2")})
		}, "400 RESOURCE_ALREADY_EXISTS Node named 'Test' already exists", there},
		refusal{"import without its folder", func(ctx context.Context) error {
			return w.Import(ctx, workspace.Import{Path: "/foo/x", Format: workspace.ImportFormatAuto, Content: encoded("2")})
		}, "404 RESOURCE_DOES_NOT_EXIST The parent folder (/foo) does not exist.", absent},
		refusal{"scope twice", func(ctx context.Context) error {
			return s.CreateScope(ctx, workspace.CreateScope{Scope: "my_scope"})
		}, "400 RESOURCE_ALREADY_EXISTS Scope my_scope already exists!", there},
		refusal{"empty backend_azure_keyvault", func(ctx context.Context) error {
			return s.CreateScope(ctx, workspace.CreateScope{Scope: "kv", ScopeBackendType: workspace.ScopeBackendTypeAzureKeyvault})
		}, "400 INVALID_PARAMETER_VALUE Missing required fields: backend_azure_keyvault.resource_id, backend_azure_keyvault.dns_name", wrong},
		refusal{"no such scope", func(ctx context.Context) error { return s.DeleteScopeByScope(ctx, "no") }, "404 RESOURCE_DOES_NOT_EXIST Secret Scope does not exist", absent},
		refusal{"no owner left", failing(func(ctx context.Context) (*iam.ObjectPermissions, error) {
			return p.Set(ctx, iam.SetObjectPermissions{RequestObjectType: "jobs", RequestObjectId: job, AccessControlList: []iam.AccessControlRequest{group("ops", "CAN_VIEW")}})
		}), "400 INVALID_PARAMETER_VALUE The job must have exactly one owner.", wrong},
		refusal{"git_source without provider", failing(func(ctx context.Context) (*jobs.CreateResponse, error) {
			return j.Create(ctx, jobs.CreateJob{GitSource: &jobs.GitSource{GitUrl: "u", GitCommit: "c"}})
		}), "400 INVALID_PARAMETER_VALUE git_source.git_provider must be one of: github,gitlab,bitbucketcloud,gitlabenterpriseedition,bitbucketserver,azuredevopsservices,githubenterprise,awscodecommit", wrong},
		refusal{"a model without a name", failing(func(ctx context.Context) (*ml.CreateModelResponse, error) {
			return ml.NewModelRegistry(f.api).CreateModel(ctx, ml.CreateModelRequest{})
		}), "400 INVALID_PARAMETER_VALUE Got an invalid name ''. Registered Model names cannot be empty strings.", wrong},
		refusal{"a wrong token", me(iam.NewCurrentUser(nobody)), "401 UNAUTHENTICATED Invalid access token.", apierr.ErrUnauthenticated},
		refusal{"a token with something behind it", me(iam.NewCurrentUser(intruder)), "401 UNAUTHENTICATED Invalid access token.", apierr.ErrUnauthenticated},
	)
}

// What the twin is told to answer, the SDK takes for what it is; 429 and 503 it asks again by itself.
func TestGoSDKFaults(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	w := workspace.NewWorkspace(f.api)
	status := failing(func(ctx context.Context) (*workspace.ObjectInfo, error) { return w.GetStatusByPath(ctx, "/Shared") })
	for _, row := range []struct {
		fault sandbox.Fault
		told  string
		is    error
	}{
		{sandbox.Fault{Status: 403, ErrorCode: "MAX_CHILD_NODE_SIZE_EXCEEDED", Message: "full"}, "403 MAX_CHILD_NODE_SIZE_EXCEEDED full", apierr.ErrPermissionDenied},
		{sandbox.Fault{Status: 403}, "403 PERMISSION_DENIED The sandbox was told to answer 403.", apierr.ErrPermissionDenied},
		{sandbox.Fault{Status: 409, ErrorCode: "ABORTED"}, "409 ABORTED The sandbox was told to answer 409.", apierr.ErrAborted},
		{sandbox.Fault{}, "500 INTERNAL_ERROR The sandbox was told to answer 500.", apierr.ErrInternalError},
		{sandbox.Fault{Status: 504}, "504 DEADLINE_EXCEEDED The sandbox was told to answer 504.", apierr.ErrDeadlineExceeded},
	} {
		row.fault.Action = sandbox.FaultStatus
		f.must(f.twin.Fault(row.fault))
		f.refused(refusal{row.told, status, row.told, row.is})
	}
	f.must(f.twin.Fault(sandbox.Fault{Action: sandbox.FaultStatus, Status: 503}))
	before := len(f.twin.Log())
	f.must(status(f.context()))
	same(t, "calls, the first of them told 503", len(f.twin.Log())-before, 2)
}

func TestAnswersOfTheTwin(t *testing.T) {
	t.Parallel()
	twin := start(t, "dev").Twin("dev")
	const unknown, noBody = `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for '%s'"}`, ""
	for what, want := range map[string]string{
		"GET /api/2.0/workspace/import":           fmt.Sprintf(unknown, "GET /workspace/import"),
		"PUT /api/2.0/workspace/mkdirs":           fmt.Sprintf(unknown, "PUT /workspace/mkdirs"),
		"DELETE /api/2.0/secrets/delete":          fmt.Sprintf(unknown, "DELETE /secrets/delete"),
		"GET /api/2.2/jobs/create":                fmt.Sprintf(unknown, "GET /api/2.2/jobs/create"),
		"POST /api/2.2/jobs/get":                  fmt.Sprintf(unknown, "POST /api/2.2/jobs/get"),
		"GET /api/2.3/jobs/list":                  fmt.Sprintf(unknown, "GET /api/2.3/jobs/list"),
		"GET /api/2.0/workspace/list/?path=/":     fmt.Sprintf(unknown, "GET /workspace/list/"),
		"GET /api/2.0":                            fmt.Sprintf(unknown, "GET "),
		"GET /api/2.0/fs/directories/Volumes":     fmt.Sprintf(unknown, "GET /fs/directories/Volumes"),
		"GET /ml":                                 fmt.Sprintf(unknown, "GET /ml"),
		"HEAD /api/2.0/workspace/list?path=/":     `200`,
		"GET //api//2.0//workspace//list?path=//": `200`,
		"POST /api/2.0/workspace/mkdirs":          `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Missing required field: path"}`,
		"GET /api/2.0/workspace/list":             `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"Missing required field: path"}`,
		"GET /api/2.2/jobs/list":                  `200 {"has_more":false}`,
		"GET /api/2.2/jobs/runs/list":             `200 {"has_more":false}`,
		"GET /api/2.0/secrets/scopes/list":        `200 {}`,
	} {
		method, target, _ := strings.Cut(what, " ")
		got, err := ask(t, twin.URL, twin.Token, method, target, noBody)
		if err != nil {
			t.Fatal(err)
		}
		if text := got.String(); text != want && (want != `200` || !strings.HasPrefix(text, want)) {
			t.Errorf("%s: %s, want %s", what, text, want)
		}
		same(t, what+": type", got.header.Get("Content-Type"), "application/json")
		same(t, what+": workspace", got.header.Get("X-Databricks-Org-Id"), strconv.FormatInt(twin.WorkspaceID, 10))
		if _, err := http.ParseTime(got.header.Get("Date")); err != nil {
			t.Errorf("%s: Date: %v", what, err)
		}
	}
}

// One client that keeps its connections, used by a hundred at once, is one that the service is used to.
func TestAHundredAtOnce(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	pool := &http.Transport{MaxConnsPerHost: 20, MaxIdleConnsPerHost: 20}
	defer pool.CloseIdleConnections()
	c := &http.Client{Transport: pool, Timeout: patience}
	do := func(method, target, body string) error {
		r, err := http.NewRequestWithContext(f.context(), method, f.twin.URL+target, strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+f.twin.Token)
		resp, err := c.Do(r)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK {
			err = errors.Join(err, fmt.Errorf("%s %s: %s %s", method, target, resp.Status, b))
		}
		return errors.Join(err, resp.Body.Close())
	}
	errs := make([]error, 100)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			name := "/Shared/" + strconv.Itoa(i)
			errs[i] = errors.Join(
				do(http.MethodPost, "/api/2.0/workspace-files/import-file/"+url.PathEscape(name[1:]), name),
				do(http.MethodGet, "/api/2.0/workspace/get-status?path="+name, ""),
				do(http.MethodPost, "/api/2.2/jobs/create", `{"name":"`+name+`"}`),
				do(http.MethodGet, "/api/2.2/jobs/list?name="+name, ""),
			)
		})
	}
	all.Wait()
	f.must(errors.Join(errs...))
	listed, err := workspace.NewWorkspace(f.api).ListAll(f.context(), workspace.ListWorkspaceRequest{Path: "/Shared"})
	f.must(err)
	same(t, "files", len(listed), 100)
	made, err := jobs.NewJobs(f.api).ListAll(f.context(), jobs.ListJobsRequest{Limit: 100})
	f.must(err)
	same(t, "jobs", len(made), 100)
}
