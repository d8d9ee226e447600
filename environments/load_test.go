package environments

import (
	"os"
	"path/filepath"
	"strings"
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

func TestLoadReadsTheWholeExample(t *testing.T) {
	p := mustLoad(t, "testdata/diabetes", Options{})
	want := &Project{
		Name: "diabetes", Store: "oci-layout:.barge/store",
		Artifact: &Artifact{
			Notebooks: Notebooks{From: "notebooks", Include: []string{"**/*.py", "**/*.ipynb", "**/*.sql"}, Exclude: []string{"scratch/**"}},
			Config:    Config{From: "conf"},
			Models: []Model{{
				Label: "SparkModel", Registry: "shared", Version: "trained",
				Train: &Train{Environment: "dev", Notebook: "train-Spark-model", Compute: "ml"},
			}},
		},
		Workspaces: []Workspace{
			{Name: "dev", Host: "https://adb-1.1.azuredatabricks.net"},
			{Name: "test", Host: "https://adb-2.2.azuredatabricks.net"},
			{Name: "prod", Auth: &Auth{Kind: "azure-pipelines"}}, // neither variable nor environment is set
			{Name: "registry", Host: "https://adb-4.4.azuredatabricks.net"},
		},
		Registries: []Registry{{
			Name: "shared", Kind: "workspace", Workspace: "registry",
			Remote: &Remote{Label: "rmr", Scope: "rmr", Prefix: "rmr", Token: "keyvault://mlkv/registry-token"},
		}},
		Computes: []Compute{{
			Name: "ml", SparkVersion: "15.4.x-cpu-ml-scala2.12", NodeType: "Standard_DS3_v2",
			Autoscale: &Autoscale{1, 4}, Libraries: []string{"pypi:mlflow==2.16.2"},
		}},
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

// one is a project in one file.
func one(t *testing.T, src string, opts Options) (*Project, Diagnostics) {
	t.Helper()
	if opts.Getenv == nil {
		opts.Getenv = nothing
	}
	return load([]source{{mainFile, []byte(src)}}, opts)
}

func TestLoadReadsAllFilesOfTheFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"barge.hcl": "project \"p\" {\n  store = \"oci-layout:x\"\n}\n", "a.barge.hcl": "workspace \"w\" {\n  host = \"https://h.example\"\n}\n",
		"other.hcl": "nonsense", ".barge.hcl": "nonsense", "b.barge.hcl.bak": "nonsense",
		"z.barge.hcl": "environment \"e\" {\n  workspace = workspace.w\n  path = \"/Barge/e\"\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := mustLoad(t, dir, Options{})
	if p.Name != "p" || len(p.Workspaces) != 1 || p.Environment("e") == nil {
		t.Errorf("%+v", p)
	}
}

func TestLoadSaysWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, mainFile), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dir, want string }{
		{dir, "reading barge.hcl: it is no file"},
		{filepath.Join(dir, "none"), "reading the configuration: open " + filepath.Join(dir, "none") + ": no such file or directory"},
	} {
		if p, diags := Load(c.dir, Options{}); p != nil || diags.Error() != c.want {
			t.Errorf("%v, want %s", diags, c.want)
		}
	}
	if p, diags := one(t, strings.Repeat("#", largest+1), Options{}); p != nil || diags.Error() != "reading barge.hcl: it is larger than 1048576 bytes" {
		t.Error(diags)
	}
}

func TestDeployProjectNeedsNoNotebooks(t *testing.T) {
	src := `
project "p" {
  store = "oci-layout:x"
}
workspace "w" {
  host = "https://h.example"
}
environment "e" {
  workspace = workspace.w
  path      = "/Barge/e"
  gate "g" {
    models = []
    expect "x" {
      that = metrics.a > 0
    }
  }
  score "s" {
    first_run = "scheduled"
  }
}
`
	p, diags := one(t, src, Options{})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if g := p.Environments[0].Gate("g"); p.Artifact != nil || g.Models == nil || len(g.Models) > 0 || p.Environments[0].Score("s").RunsNow() {
		t.Errorf("%+v", p)
	}
	r, _ := p.Rules("e")
	if raw, err := Canonical(r); err != nil || string(raw) != `{"gates":[{"expects":[{"name":"x","that":"metrics.a > 0"}],"models":[],"name":"g"}],"scores":[{"first_run":"scheduled","name":"s"}]}` {
		t.Errorf("%s %v", raw, err)
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, diags := Load("testdata/diabetes", Options{Getenv: nothing}); len(diags) > 0 {
			b.Fatal(diags)
		}
	}
}

func TestLineEndsOfWindows(t *testing.T) {
	src, err := os.ReadFile("testdata/diabetes/barge.hcl")
	if err != nil {
		t.Fatal(err)
	}
	p, diags := one(t, strings.ReplaceAll(string(src), "\n", "\r\n"), Options{})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if diff := cmp.Diff(mustLoad(t, "testdata/diabetes", Options{}), p, cmpopts.IgnoreUnexported(Project{})); diff != "" {
		t.Error(diff)
	}
}
