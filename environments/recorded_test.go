package environments

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var exportedOnly = cmpopts.IgnoreUnexported(Project{})

func mustRecord(t *testing.T, p *Project) []byte {
	t.Helper()
	raw, diags := p.Recorded()
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return raw
}

func TestRecordedHasNeitherWhereNorRules(t *testing.T) {
	p := mustLoad(t, "testdata/diabetes", Options{})
	const want = `{
	"artifact": {
		"config": {"from": "conf"},
		"models": [{"label": "SparkModel", "registry": "shared",
			"train": {"compute": "ml", "environment": "dev", "notebook": "train-Spark-model"}, "version": "trained"}],
		"notebooks": {"exclude": ["scratch/**"], "from": "notebooks", "include": ["**/*.py", "**/*.ipynb", "**/*.sql"]}},
	"computes": [{"autoscale": {"max": 4, "min": 1}, "libraries": ["pypi:mlflow==2.16.2"], "name": "ml",
		"node_type": "Standard_DS3_v2", "spark_version": "15.4.x-cpu-ml-scala2.12"}],
	"environments": [
		{"name": "dev"},
		{"deploy": {"config": "conf/prod.yml", "only": ["Production_Batch_Scoring"]},
			"models": [{"archive_existing": true, "label": "SparkModel", "stage": "Production"}],
			"name": "prod",
			"scores": [{"compute": "ml", "name": "nightly", "notebook": "Production_Batch_Scoring", "run_as": "service-principal:scoring",
				"schedule": {"cron": "0 0 2 * * ?", "timezone": "Europe/London"}}]},
		{"deploy": {"bind": {"/mnt/modelData/test/": "/mnt/modelData/preprod/"}, "permissions": {"group:data-scientists": "CAN_RUN"}},
			"gates": [{"compute": "ml", "name": "test-model", "notebook": "Test-Pre-Prod-SparkModel", "timeout": "30m"}],
			"models": [{"label": "SparkModel", "stage": "Staging"}],
			"name": "test"}],
	"registries": [{"kind": "workspace", "name": "shared", "remote": {"label": "rmr", "prefix": "rmr", "scope": "rmr"}}]}`
	wanted, err := Canonical(json.RawMessage(want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(wanted), string(mustRecord(t, p))); diff != "" {
		t.Error(diff)
	}
}

func TestWithArtifactTakesEachPartFromItsCopy(t *testing.T) {
	vars := map[string]string{"prod_host": "https://adb-3.3.azuredatabricks.net"}
	sc := env(map[string]string{"SC_PROD": "sc"})
	p := mustLoad(t, "testdata/diabetes", Options{Vars: vars, Getenv: sc})
	carried, err := FromRecorded(mustRecord(t, p))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, p.WithArtifact(carried), exportedOnly); diff != "" {
		t.Errorf("with its own artifact it is another: %s", diff)
	}

	today := mustLoad(t, "testdata/diabetes", Options{Vars: vars, Getenv: sc})
	test := today.Environment("test")
	test.Path, test.Gates[0].Notebook, test.Gates[0].Expects[0].That = "/Barge/new", "Another", "metrics.accuracy >= 0.9"
	test.Deploy.Bind = nil
	today.Computes[0].NodeType = "Standard_DS4_v2"
	today.Registries[0].Remote.Token = "env:TOKEN"
	test.Gates = append(test.Gates, Gate{Name: "new", Notebook: "New", Expects: []Expect{{Name: "x", That: "true"}}})
	got := today.WithArtifact(carried)

	want := mustLoad(t, "testdata/diabetes", Options{Vars: vars, Getenv: sc})
	test = want.Environment("test")
	test.Path, test.Gates[0].Expects[0].That = "/Barge/new", "metrics.accuracy >= 0.9"
	test.Gates = append(test.Gates, Gate{Name: "new", Expects: []Expect{{Name: "x", That: "true"}}})
	want.Registries[0].Remote.Token = "env:TOKEN"
	if diff := cmp.Diff(want, got, exportedOnly); diff != "" {
		t.Error(diff)
	}
}

func TestRecordedNeedsWhatItRecords(t *testing.T) {
	src := `
project "p" {}
variable "host" {}
variable "folder" {}
variable "least" {}
artifact {
  notebooks {
    from = var.folder
  }
}
workspace "w" {
  host = var.host
}
environment "e" {
  workspace = workspace.w
  path      = "/Barge/${var.host}"
  gate "g" {
    notebook   = "n"
    parameters = { least = var.least }
    expect "x" {
      that = true
    }
  }
}
`
	p, diags := load([]source{{mainFile, []byte(src)}}, Options{Getenv: nothing})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	_, diags = p.Recorded()
	if want := `barge.hcl:8: variable "folder" is not set (give it by --var folder=VALUE or BARGE_VAR_folder)`; diags.Error() != want {
		t.Errorf("recorded: %v", diags)
	}
	_, diags = p.Rules("e")
	if want := `barge.hcl:19: variable "least" is not set (give it by --var least=VALUE or BARGE_VAR_least)`; diags.Error() != want {
		t.Errorf("rules: %v", diags)
	}
	_, diags = p.Workspace("w")
	if want := `barge.hcl:12: variable "host" is not set (give it by --var host=VALUE or BARGE_VAR_host)`; diags.Error() != want {
		t.Errorf("workspace: %v", diags)
	}
	carried := &Project{
		Artifact:     &Artifact{Notebooks: Notebooks{From: "n"}, Models: []Model{{Label: "m", Registry: "gone"}}},
		Environments: []Environment{{Name: "e", Models: []ModelUse{{Label: "m", Stage: "Staging"}}}},
	}
	if _, diags := p.WithArtifact(carried).Resolve("e"); !strings.Contains(diags.Error(), `variable "host"`) {
		t.Errorf("resolve: %v", diags)
	}
	if _, diags := p.WithArtifact(carried).Recorded(); len(diags) > 0 {
		t.Errorf("an artifact brings its own: %v", diags)
	}
}
