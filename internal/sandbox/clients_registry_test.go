package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/catalog"
	"github.com/databricks/databricks-sdk-go/service/ml"
)

// model registers a model with as many versions, all of the same files, and gives back their source.
func (f foreigner) model(name string, versions int) string {
	f.Helper()
	const source = "dbfs:/tmp/model"
	for file, content := range map[string]string{"MLmodel": "flavors: {}\n", "data/a b.txt": "1,2,3"} {
		same(f.T, "upload", call(f.T, f.twin, "POST /dbfs/tmp/model/"+strings.ReplaceAll(file, " ", "%20"), content), `200 {}`)
	}
	r := ml.NewModelRegistry(f.api)
	_, err := r.CreateModel(f.context(), ml.CreateModelRequest{Name: name, Description: "d", Tags: []ml.ModelTag{{Key: "team", Value: "risk"}}})
	f.must(err)
	for i := range versions {
		made, err := r.CreateModelVersion(f.context(), ml.CreateModelVersionRequest{Name: name, Source: source, RunId: fmt.Sprint("run", i+1)})
		f.must(err)
		same(f.T, "version", fmt.Sprint(made.ModelVersion.Version, " ", made.ModelVersion.CurrentStage, " ", made.ModelVersion.Status), fmt.Sprint(i+1, " None READY"))
	}
	return source
}

func TestGoSDKWorkspaceRegistryRefused(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	source := f.model("diabetes", 1)
	r := ml.NewModelRegistry(f.api)
	create := func(name string) func(context.Context) error {
		return failing(func(ctx context.Context) (*ml.CreateModelResponse, error) {
			return r.CreateModel(ctx, ml.CreateModelRequest{Name: name})
		})
	}
	move := func(version, stage string, archive bool) func(context.Context) error {
		return failing(func(ctx context.Context) (*ml.TransitionStageResponse, error) {
			return r.TransitionStage(ctx, ml.TransitionModelVersionStageDatabricks{Name: "diabetes", Version: version, Stage: stage, ArchiveExistingVersions: archive})
		})
	}
	const invalid, missing = "400 INVALID_PARAMETER_VALUE ", "404 RESOURCE_DOES_NOT_EXIST "
	absent, wrong := apierr.ErrResourceDoesNotExist, apierr.ErrInvalidParameterValue
	f.refused(
		refusal{"create twice", create("diabetes"), "400 RESOURCE_ALREADY_EXISTS Registered Model (name=diabetes) already exists.", apierr.ErrResourceAlreadyExists},
		refusal{"create without a name", create(""), invalid + "Got an invalid name ''. Registered Model names cannot be empty strings.", wrong},
		refusal{"get of a missing model", failing(func(ctx context.Context) (*ml.GetModelResponse, error) {
			return r.GetModel(ctx, ml.GetModelRequest{Name: "no"})
		}), missing + "RegisteredModel 'no' does not exist. It might have been deleted.", absent},
		refusal{"get of a missing version", failing(func(ctx context.Context) (*ml.GetModelVersionResponse, error) {
			return r.GetModelVersion(ctx, ml.GetModelVersionRequest{Name: "diabetes", Version: "9"})
		}), missing + "Model Version (name=diabetes, version=9) not found", absent},
		refusal{"get of no number", failing(func(ctx context.Context) (*ml.GetModelVersionResponse, error) {
			return r.GetModelVersion(ctx, ml.GetModelVersionRequest{Name: "diabetes", Version: "one"})
		}), invalid + "Parameter 'version' must be an integer, got 'one'.", wrong},
		refusal{"download uri of a missing version", failing(func(ctx context.Context) (*ml.GetModelVersionDownloadUriResponse, error) {
			return r.GetModelVersionDownloadUri(ctx, ml.GetModelVersionDownloadUriRequest{Name: "diabetes", Version: "9"})
		}), missing + "Model Version (name=diabetes, version=9) not found", absent},
		refusal{"version of a missing model", failing(func(ctx context.Context) (*ml.CreateModelVersionResponse, error) {
			return r.CreateModelVersion(ctx, ml.CreateModelVersionRequest{Name: "no", Source: source})
		}), missing + "RegisteredModel 'no' does not exist. It might have been deleted.", absent},
		refusal{"an unknown stage", move("1", "Live", false), invalid + "Invalid Model Version stage: Live. Value must be one of None, Staging, Production, Archived.", wrong},
		refusal{
			"archiving for a stage that holds nothing live", move("1", "Archived", true),
			invalid + "Model version transition cannot archive existing model versions because 'Archived' is not an Active stage. Valid stages are ['Staging', 'Production']", wrong,
		},
		refusal{"stage of a missing version", move("9", "Staging", true), missing + "Model Version (name=diabetes, version=9) not found", absent},
		refusal{"tag of a missing version", func(ctx context.Context) error {
			return r.SetModelVersionTag(ctx, ml.SetModelVersionTagRequest{Name: "diabetes", Version: "9", Key: "k", Value: "v"})
		}, missing + "Model Version (name=diabetes, version=9) not found", absent},
		refusal{"approval that nobody asked for", failing(func(ctx context.Context) (*ml.ApproveTransitionRequestResponse, error) {
			return r.ApproveTransitionRequest(ctx, ml.ApproveTransitionRequest{Name: "diabetes", Version: "1", Stage: "Staging"})
		}), missing + "There is no open request to transition model version 1 of diabetes to stage Staging.", absent},
		refusal{"an empty comment", failing(func(ctx context.Context) (*ml.CreateCommentResponse, error) {
			return r.CreateComment(ctx, ml.CreateComment{Name: "diabetes", Version: "1"})
		}), invalid + "Comments cannot be empty.", wrong},
		refusal{"more versions than one answer holds", failing(func(ctx context.Context) ([]ml.ModelVersion, error) {
			return r.SearchModelVersionsAll(ctx, ml.SearchModelVersionsRequest{Filter: "name='diabetes'", MaxResults: 10_001})
		}), invalid + "Invalid value for request parameter max_results. It must be at most 10000, but got value 10001", wrong},
		refusal{"an alias", func(ctx context.Context) error {
			return f.api.Do(ctx, http.MethodPost, "/api/2.0/mlflow/registered-models/alias", nil, nil, map[string]string{"name": "diabetes", "alias": "champion", "version": "1"}, nil)
		}, "404 ENDPOINT_NOT_FOUND No API found for 'POST /mlflow/registered-models/alias'", apierr.ErrNotFound},
		refusal{"rights of a model by its name", failing(func(ctx context.Context) (*ml.RegisteredModelPermissions, error) {
			return r.GetPermissionsByRegisteredModelId(ctx, "diabetes")
		}), missing + "Registered model with id diabetes does not exist.", absent},
	)
}

func TestGoSDKWorkspaceRegistry(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	source := f.model("diabetes", 3)
	r := ml.NewModelRegistry(f.api)
	model, err := r.GetModel(f.context(), ml.GetModelRequest{Name: "diabetes"})
	f.must(err)
	m := model.RegisteredModelDatabricks
	same(t, "model", []any{m.Name, m.Description, m.PermissionLevel, len(m.Id), m.Tags[0].Value}, []any{"diabetes", "d", ml.PermissionLevelCanManage, 32, "risk"})

	move := func(version, stage string, archive bool) {
		t.Helper()
		moved, err := r.TransitionStage(f.context(), ml.TransitionModelVersionStageDatabricks{Name: "diabetes", Version: version, Stage: stage, ArchiveExistingVersions: archive, Comment: "by hand"})
		f.must(err)
		same(t, "moved", moved.ModelVersionDatabricks.Version+" "+moved.ModelVersionDatabricks.CurrentStage, version+" "+stage)
	}
	stages := func() string {
		t.Helper()
		all, err := r.SearchModelVersionsAll(f.context(), ml.SearchModelVersionsRequest{Filter: "name='diabetes'", OrderBy: []string{"version_number ASC"}, MaxResults: 2})
		f.must(err)
		var found []string
		for _, v := range all {
			found = append(found, v.Version+" "+v.CurrentStage)
		}
		return strings.Join(found, ", ")
	}
	move("1", "Production", false)
	move("2", "Production", false)
	same(t, "two at once", stages(), "1 Production, 2 Production, 3 None")
	move("3", "Production", true)
	same(t, "archive_existing_versions", stages(), "1 Archived, 2 Archived, 3 Production")
	latest, err := r.GetLatestVersionsAll(f.context(), ml.GetLatestVersionsRequest{Name: "diabetes", Stages: []string{"Production", "Staging"}})
	f.must(err)
	same(t, "latest", fmt.Sprint(len(latest), latest[0].Version, latest[0].RunId), "13run3")

	f.must(r.SetModelVersionTag(f.context(), ml.SetModelVersionTagRequest{Name: "diabetes", Version: "3", Key: strings.Repeat("k", 250), Value: strings.Repeat("v", 5000)}))
	f.must(r.SetModelTag(f.context(), ml.SetModelTagRequest{Name: "diabetes", Key: "release", Value: "1.0"}))
	got, err := r.GetModelVersion(f.context(), ml.GetModelVersionRequest{Name: "diabetes", Version: "3"})
	f.must(err)
	v := got.ModelVersion
	same(t, "version", []any{v.Source, v.RunId, v.Status, len(v.Tags[0].Key), len(v.Tags[0].Value)}, []any{source, "run3", ml.ModelVersionStatusReady, 250, 5000})

	asked, err := r.CreateTransitionRequest(f.context(), ml.CreateTransitionRequest{Name: "diabetes", Version: "2", Stage: "Staging", Comment: "please"})
	f.must(err)
	open, err := r.ListTransitionRequestsAll(f.context(), ml.ListTransitionRequestsRequest{Name: "diabetes", Version: "2"})
	f.must(err)
	same(t, "open requests", []any{len(open), open[0].Comment, open[0].ToStage}, []any{1, asked.Request.Comment, "Staging"})
	_, err = r.ApproveTransitionRequest(f.context(), ml.ApproveTransitionRequest{Name: "diabetes", Version: "2", Stage: "Staging", ArchiveExistingVersions: true})
	f.must(err)
	same(t, "approved", stages(), "1 Archived, 2 Staging, 3 Production")

	rights, err := r.UpdatePermissions(f.context(), ml.RegisteredModelPermissionsRequest{RegisteredModelId: m.Id, AccessControlList: []ml.RegisteredModelAccessControlRequest{{GroupName: "ops", PermissionLevel: "CAN_MANAGE_STAGING_VERSIONS"}}})
	f.must(err)
	same(t, "rights", []any{rights.ObjectType, len(rights.AccessControlList)}, []any{"registered-model", 3})

	f.must(r.DeleteModelVersion(f.context(), ml.DeleteModelVersionRequest{Name: "diabetes", Version: "1"}))
	same(t, "deleted", stages(), "2 Staging, 3 Production")
	failed, err := r.CreateModelVersion(f.context(), ml.CreateModelVersionRequest{Name: "diabetes", Source: "dbfs:/tmp/none"})
	f.must(err)
	same(t, "a source that is not there", fmt.Sprint(failed.ModelVersion.Version, " ", failed.ModelVersion.Status), "4 FAILED_REGISTRATION")
	f.must(r.DeleteModel(f.context(), ml.DeleteModelRequest{Name: "diabetes"}))
	if _, err := r.GetModel(f.context(), ml.GetModelRequest{Name: "diabetes"}); !errors.Is(err, apierr.ErrResourceDoesNotExist) {
		t.Errorf("a deleted model: %v", err)
	}
}

// A model's files are read by calls that the SDK has no methods for.
func TestGoSDKFilesOfAModel(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	f.model("diabetes", 1)
	get := func(ctx context.Context, path, version, file string, out any) error {
		q := url.Values{"name": {"diabetes"}, "version": {version}, "path": {file}}
		return f.api.Do(ctx, http.MethodGet, "/api/2.0/mlflow/model-versions/"+path+"?"+q.Encode(), nil, nil, nil, out)
	}
	type listed struct {
		Files []struct {
			Path  string
			IsDir bool  `json:"is_dir"`
			Size  int64 `json:"file_size"`
		}
	}
	for folder, want := range map[string]string{"": "[{MLmodel false 12} {data true 0}]", "data": "[{data/a b.txt false 5}]", "MLmodel": "[{MLmodel false 12}]"} {
		var l listed
		f.must(get(f.context(), "list-artifacts", "1", folder, &l))
		same(t, "list of "+folder, fmt.Sprint(l.Files), want)
	}
	var signed struct {
		URI     string `json:"signed_uri"`
		Headers []any
	}
	f.must(get(f.context(), "get-signed-download-uri", "1", "data/a b.txt", &signed))
	content, err := ask(t, signed.URI, "", http.MethodGet, "", "")
	f.must(err)
	same(t, "content, without a token", content.String(), "200 1,2,3")
	forged, err := ask(t, signed.URI+"0", "", http.MethodGet, "", "")
	f.must(err)
	same(t, "a forged signature", forged.String(), `403 {"error_code":"PERMISSION_DENIED","message":"the signature of this URL does not match"}`)
	var at struct {
		URI string `json:"artifact_uri"`
	}
	f.must(get(f.context(), "get-download-uri", "1", "", &at))
	if !strings.HasPrefix(at.URI, "dbfs:/databricks/mlflow-registry/") || !strings.HasSuffix(at.URI, "/models/diabetes") {
		t.Errorf("artifact_uri %s", at.URI)
	}
	f.refused(
		refusal{
			"files of a missing version", func(ctx context.Context) error { return get(ctx, "list-artifacts", "9", "", nil) },
			"404 RESOURCE_DOES_NOT_EXIST Model Version (name=diabetes, version=9) not found", apierr.ErrResourceDoesNotExist,
		},
		refusal{
			"address of a missing version's file", func(ctx context.Context) error { return get(ctx, "get-signed-download-uri", "9", "x", nil) },
			"404 RESOURCE_DOES_NOT_EXIST Model Version (name=diabetes, version=9) not found", apierr.ErrResourceDoesNotExist,
		},
	)
}

func TestGoSDKUnityCatalogModels(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	models, versions := catalog.NewRegisteredModels(f.api), catalog.NewModelVersions(f.api)
	const name = "main.ml.diabetes"
	made, err := models.Create(f.context(), catalog.CreateRegisteredModelRequest{CatalogName: "main", SchemaName: "ml", Name: "diabetes", Comment: "c"})
	f.must(err)
	same(t, "created", []any{made.FullName, made.Comment, made.Owner}, []any{name, "c", "admin@sandbox.test"})
	for i := range 2 { // as mlflow does: the SDK has no method for it
		same(t, "version", call(t, f.twin, "POST /api/2.0/mlflow/unity-catalog/model-versions/create", `{"name":"`+name+`","source":"dbfs:/x"}`)[:4], "200 ")
		same(t, "finalize", call(t, f.twin, "POST /api/2.0/mlflow/unity-catalog/model-versions/finalize", `{"name":"`+name+`","version":"`+strconv.Itoa(i+1)+`"}`)[:4], "200 ")
	}
	for _, n := range []int{1, 2} { // moves
		_, err = models.SetAlias(f.context(), catalog.SetRegisteredModelAliasRequest{FullName: name, Alias: "champion", VersionNum: n})
		f.must(err)
	}
	champion, err := versions.GetByAlias(f.context(), catalog.GetByAliasRequest{FullName: name, Alias: "champion"})
	f.must(err)
	same(t, "champion", fmt.Sprint(champion.Version, " ", champion.Status), "2 READY")
	for echo, want := range map[bool]int{false: 0, true: 1} {
		shown, err := models.Get(f.context(), catalog.GetRegisteredModelRequest{FullName: name, IncludeAliases: echo})
		f.must(err)
		same(t, "aliases", len(shown.Aliases), want)
	}
	_, err = models.Update(f.context(), catalog.UpdateRegisteredModelRequest{FullName: name, Comment: "new", Aliases: []catalog.RegisteredModelAlias{{AliasName: "other", VersionNum: 1}}})
	f.must(err)
	all, err := versions.ListAll(f.context(), catalog.ListModelVersionsRequest{FullName: name})
	f.must(err)
	same(t, "versions, without aliases", []any{len(all), len(all[0].Aliases)}, []any{2, 0})
	const missing = "404 RESOURCE_DOES_NOT_EXIST "
	absent := apierr.ErrResourceDoesNotExist
	get := func(name string) func(context.Context) error {
		return failing(func(ctx context.Context) (*catalog.RegisteredModelInfo, error) {
			return models.Get(ctx, catalog.GetRegisteredModelRequest{FullName: name})
		})
	}
	alias := func(alias string, n int) func(context.Context) error {
		return failing(func(ctx context.Context) (*catalog.RegisteredModelAlias, error) {
			return models.SetAlias(ctx, catalog.SetRegisteredModelAliasRequest{FullName: name, Alias: alias, VersionNum: n})
		})
	}
	f.refused(
		refusal{"create twice", failing(func(ctx context.Context) (*catalog.RegisteredModelInfo, error) {
			return models.Create(ctx, catalog.CreateRegisteredModelRequest{CatalogName: "main", SchemaName: "ml", Name: "diabetes"})
		}), "400 RESOURCE_ALREADY_EXISTS Registered Model (name=main.ml.diabetes) already exists.", apierr.ErrResourceAlreadyExists},
		refusal{"get of nothing", get("main.ml.no"), missing + "RegisteredModel 'main.ml.no' does not exist. It might have been deleted.", absent},
		refusal{"a reserved alias", alias("Latest", 1), "400 INVALID_PARAMETER_VALUE 'latest' alias name (case insensitive) is reserved.", apierr.ErrInvalidParameterValue},
		refusal{"an alias of no version", alias("champion", 9), missing + "Model Version (name=main.ml.diabetes, version=9) not found", absent},
		refusal{"update ignores aliases", failing(func(ctx context.Context) (*catalog.ModelVersionInfo, error) {
			return versions.GetByAlias(ctx, catalog.GetByAliasRequest{FullName: name, Alias: "other"})
		}), missing + "Registered model alias other not found.", absent},
		refusal{"a missing version", failing(func(ctx context.Context) (*catalog.ModelVersionInfo, error) {
			return versions.Get(ctx, catalog.GetModelVersionRequest{FullName: name, Version: 9})
		}), missing + "Model Version (name=main.ml.diabetes, version=9) not found", absent},
	)
	f.must(models.DeleteAlias(f.context(), catalog.DeleteAliasRequest{FullName: name, Alias: "champion"}))
	f.must(versions.DeleteByFullNameAndVersion(f.context(), name, 1))
}
