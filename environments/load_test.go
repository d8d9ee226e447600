package environments

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// nothing is an environment in which no variable is set.
func nothing(string) string { return "" }

func env(set map[string]string) func(string) string {
	return func(name string) string { return set[name] }
}

func mustLoad(t *testing.T, dir string, opts Options) *Project {
	t.Helper()
	if opts.Getenv == nil {
		opts.Getenv = nothing
	}
	p, diags := Load(dir, opts)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return p
}

func ptr[T any](v T) *T { return &v }

func TestLoadReadsTheWholeExample(t *testing.T) {
	p := mustLoad(t, "testdata/diabetes", Options{})
	want := &Project{
		Name: "diabetes", Store: "oci-layout:.barge/store",
		Artifact: &Artifact{
			Notebooks: Notebooks{From: "notebooks", Include: []string{"**/*.py", "**/*.ipynb", "**/*.sql"}, Exclude: []string{"scratch/**"}},
			Config:    Config{From: "conf"},
			Models: []Model{{Label: "SparkModel", Registry: "shared", Version: "trained",
				Train: &Train{Environment: "dev", Notebook: "train-Spark-model", Compute: "ml"}}},
		},
		Workspaces: []Workspace{
			{Name: "dev", Host: "https://adb-1.1.azuredatabricks.net"},
			{Name: "test", Host: "https://adb-2.2.azuredatabricks.net"},
			{Name: "prod", Auth: &Auth{Kind: "azure-pipelines"}}, // neither variable nor environment is set
			{Name: "registry", Host: "https://adb-4.4.azuredatabricks.net"},
		},
		Registries: []Registry{{Name: "shared", Kind: "workspace", Workspace: "registry",
			Remote: &Remote{Label: "rmr", Scope: "rmr", Prefix: "rmr", Token: "keyvault://mlkv/registry-token"}}},
		Computes: []Compute{{Name: "ml", SparkVersion: "15.4.x-cpu-ml-scala2.12", NodeType: "Standard_DS3_v2",
			Autoscale: &Autoscale{1, 4}, Libraries: []string{"pypi:mlflow==2.16.2"}}},
		Environments: []Environment{
			{Name: "dev", Workspace: "dev", Path: "/Shared/diabetes"},
			{
				Name: "test", Title: "Test / Pre-Prod", Follows: []string{"dev"}, Workspace: "test", Path: "/Barge/diabetes",
				Deploy: Deploy{
					Bind:        map[string]string{"/mnt/modelData/test/": "/mnt/modelData/preprod/"},
					Permissions: map[string]string{"group:data-scientists": "CAN_RUN"},
				},
				Models: []ModelUse{{Label: "SparkModel", Stage: "Staging"}},
				Gates: []Gate{{
					Name: "test-model", Notebook: "Test-Pre-Prod-SparkModel", Compute: "ml", Timeout: "30m", ValidFor: "14d", Against: "prod",
					Expects: []Expect{
						{Name: "accurate enough", That: "metrics.accuracy >= 0.77"},
						{Name: "no worse than what runs in Prod", When: "champion != null", That: "metrics.accuracy >= champion.metrics.accuracy - 0.01"},
					},
				}},
			},
			{
				Name: "prod", Follows: []string{"test"}, Workspace: "prod", Path: "/Barge/diabetes",
				Operators: []string{"group:on-call"}, Soak: "24h",
				Deploy: Deploy{Only: []string{"Production_Batch_Scoring"}, Config: "conf/prod.yml"},
				Models: []ModelUse{{Label: "SparkModel", Stage: "Production", ArchiveExisting: true}},
				Scores: []Score{{
					Name: "nightly", Notebook: "Production_Batch_Scoring", Compute: "ml",
					Schedule: &Schedule{Cron: "0 0 2 * * ?", Timezone: "Europe/London"}, RunAs: "service-principal:scoring",
					Expects: []Expect{{Name: "every row scored", That: "output.rows_in > 0 && output.rows_out == output.rows_in"}},
				}},
			},
		},
	}
	if diff := cmp.Diff(want, p, cmpopts.IgnoreUnexported(Project{})); diff != "" {
		t.Error(diff)
	}
}
