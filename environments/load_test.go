package environments

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"
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

func TestVariablesComeFromTheNearest(t *testing.T) {
	src := `
project "p" {
  store = "oci-layout:${var.a}-${var.b}-${var.c}-${var.d}-${local.e}"
}
variable "a" {
  default = "a0"
}
variable "b" {
  default = "b0"
}
variable "c" {
  default = "c0"
}
variable "d" {
  type    = number
  default = 1
}
locals {
  e = var.f ? upper(local.g) : "no"
}
locals {
  g = env("G")
}
variable "f" {
  type = bool
}
`
	p, diags := one(t, src, Options{
		Vars:   map[string]string{"a": "a2", "d": "7", "f": "true"},
		Getenv: env(map[string]string{"BARGE_VAR_a": "a1", "BARGE_VAR_b": "b1", "BARGE_VAR_none": "x", "G": "g"}),
	})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if want := "oci-layout:a2-b1-c0-7-G"; p.Store != want {
		t.Errorf("store %s, want %s", p.Store, want)
	}
}

func TestResolveAsksForNoOtherEnvironment(t *testing.T) {
	p := mustLoad(t, "testdata/diabetes", Options{})
	for _, name := range []string{"dev", "test"} {
		if e, diags := p.Resolve(name); len(diags) > 0 || e.Name != name {
			t.Errorf("%s: %v", name, diags)
		}
	}
	_, diags := p.Resolve("prod")
	want := `barge.hcl:38: variable "prod_host" is not set (give it by --var prod_host=VALUE or BARGE_VAR_prod_host)
barge.hcl:41: environment variable SC_PROD is not set (set SC_PROD where barge runs)`
	if diff := cmp.Diff(want, diags.Error()); diff != "" {
		t.Error(diff)
	}
	if _, diags := p.Workspace("test"); len(diags) > 0 {
		t.Error(diags)
	}
	if _, diags := p.Workspace("prod"); !diags.HasErrors() {
		t.Error("prod's workspace is known")
	}
	if _, diags := p.Workspace("prd"); diags.Error() != `there is no workspace "prd" (did you mean prod?)` {
		t.Error(diags)
	}

	given := Options{Vars: map[string]string{"prod_host": "https://ADB-3.3.azuredatabricks.net/"}, Getenv: env(map[string]string{"SC_PROD": "sc"})}
	w, diags := mustLoad(t, "testdata/diabetes", given).Workspace("prod")
	whole := &Workspace{
		Name: "prod", Host: "https://adb-3.3.azuredatabricks.net",
		Auth: &Auth{Kind: "azure-pipelines", Settings: map[string]string{"service_connection": "sc"}},
	}
	if diff := cmp.Diff(whole, w); diff != "" || len(diags) > 0 {
		t.Error(diags, diff)
	}
}

func TestTheSandboxNeedsNoHosts(t *testing.T) {
	p := mustLoad(t, "testdata/diabetes", Options{Sandbox: true})
	if _, diags := p.Resolve("prod"); len(diags) > 0 {
		t.Error(diags)
	}
	p, diags := one(t, "project \"p\" {}\nvariable \"x\" {}\nworkspace \"w\" {\n  host = var.x\n}\n"+
		"environment \"e\" {\n  workspace = workspace.w\n  path = \"/${var.x}\"\n}\n", Options{Sandbox: true})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if _, diags := p.Resolve("e"); !diags.HasErrors() {
		t.Error("a path is not known, and nobody minds")
	}
}

func TestLoadReadsAllFilesOfTheFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"barge.hcl": "project \"p\" {}\n", "a.barge.hcl": "workspace \"w\" {\n  host = \"https://h.example\"\n}\n",
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
		{dir, "reading barge.hcl: is a directory"},
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
project "p" {}
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

// TestEveryBlockCanBeEmpty: a block without anything in it gives diagnostics at most.
func TestEveryBlockCanBeEmpty(t *testing.T) {
	var walk func(kind *blockType, head, tail string)
	walk = func(kind *blockType, head, tail string) {
		for _, b := range kind.blocks {
			label := ""
			if b.label != noLabel {
				label = ` "x"`
			}
			open, shut := head+b.name+label+" {\n", "}\n"+tail
			p, diags := one(t, open+shut, Options{})
			if b.later && !strings.Contains(diags.Error(), "is not yet supported") {
				t.Errorf("%s: %v", b.name, diags)
			}
			if p != nil && b.name != "project" {
				t.Errorf("%s loads without a project", b.name)
			}
			for _, a := range b.attrs {
				for _, value := range []string{"null", `""`, "1", "-1", "true", "[]", "[null]", "{}", "{ a = null }", `secret("env:X")`, `env("X")`, "[env(\"X\")]", "x.y", "x[0].y", "x", "workspace.x", "environment.x", "environment.x.gate.x"} {
					one(t, open+a.name+" = "+value+"\n"+shut, Options{})
				}
			}
			walk(b, open, shut)
		}
	}
	walk(root, "", "")
}

// TestTheSchemaIsWhole: what the docs are made of is there, and every reference names a block that exists.
func TestTheSchemaIsWhole(t *testing.T) {
	var walk func(kind *blockType)
	walk = func(kind *blockType) {
		names := map[string]bool{}
		for _, a := range kind.attrs {
			if names[a.name] || !a.later && a.doc == "" || a.ref != "" && root.block(a.ref) == nil {
				t.Errorf("attribute %s of %s", a.name, kind.name)
			}
			names[a.name] = true
		}
		for _, b := range kind.blocks {
			if names[b.name] || !b.later && b.doc == "" {
				t.Errorf("block %s of %s", b.name, kind.name)
			}
			names[b.name] = true
			walk(b)
		}
	}
	walk(root)
}

func TestFunctions(t *testing.T) {
	inBarge := functions(Options{Getenv: nothing})
	inConditions := pureFunctions(true)
	listed := Functions()
	if len(listed) != len(inBarge) {
		t.Errorf("%d functions, %d in the docs", len(inBarge), len(listed))
	}
	for _, f := range listed {
		_, here := inBarge[f.Name]
		if _, there := inConditions[f.Name]; !here || there != f.Conditions || f.Doc == "" {
			t.Errorf("%+v", f)
		}
	}
}

func TestFold(t *testing.T) {
	for label, want := range map[string]string{"SparkModel": "SparkModel", "risk-model": "risk_model", "é1": "_1", "": ""} {
		if got := Fold(label); got != want {
			t.Errorf("%s: %s, want %s", label, got, want)
		}
	}
}

// FuzzLoad: whatever stands in the files, in variables and in what file() reads, there is a project or an error, and
// to format it changes nothing.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile("testdata/diabetes/barge.hcl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example, "")
	f.Add([]byte(family+shortCousin), "x")
	cases, _ := filepath.Glob("testdata/diagnostics/*.txtar")
	for _, name := range cases {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			f.Add(file.Data, `["a"]`)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, given string) {
		opts := Options{Getenv: func(name string) string {
			if strings.HasPrefix(name, varPrefix) {
				return given
			}
			return ""
		}, ReadFile: func(string) ([]byte, error) { return []byte(given), nil }}
		p, diags := load([]source{{mainFile, src}, {"more.barge.hcl", src}}, opts)
		if (p == nil) != diags.HasErrors() {
			t.Fatalf("%v and %v", p, diags)
		}
		if err := diags.Render(io.Discard, Style{Color: true}); err != nil {
			t.Fatal(err)
		}
		if p, _ = load([]source{{mainFile, src}}, opts); p == nil {
			return
		}
		said := p.everything(t)
		formatted, diags := Format(src, mainFile)
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		p, diags = load([]source{{mainFile, formatted}}, opts)
		if diags.HasErrors() || p.everything(t) != said {
			t.Fatalf("formatted: %v\n%s\n%s", diags, said, formatted)
		}
	})
}

// everything asks for all that a project can say.
func (p *Project) everything(t *testing.T) string {
	var b strings.Builder
	for _, e := range p.Environments {
		_, diags := p.Resolve(e.Name)
		fmt.Fprintln(&b, e.Name, len(diags), p.ByKey(e.Key()) != nil)
		if r, diags := p.Rules(e.Name); !diags.HasErrors() {
			fmt.Fprintln(&b, r.Digest())
		}
		for _, g := range e.Gates {
			for _, x := range g.Expects {
				Evaluate(x, Facts{Metrics: map[string]any{"accuracy": 0.7}})
			}
		}
	}
	for _, w := range p.Workspaces {
		p.Workspace(w.Name)
	}
	raw, diags := p.Recorded()
	if diags.HasErrors() {
		return b.String()
	}
	if _, err := FromRecorded(raw); err != nil {
		t.Fatal(err)
	}
	return b.String() + string(raw)
}

func FuzzEvaluate(f *testing.F) {
	for _, that := range []string{"metrics.accuracy >= 0.77", "champion != null || output.x", `"${metrics.a}" == "1"`, "!metrics.a ? 1/0 : -metrics.b"} {
		f.Add("champion != null", that)
	}
	f.Fuzz(func(t *testing.T, when, that string) {
		facts := Facts{Metrics: map[string]any{"a": 1.0, "accuracy": 0.7}, Output: map[string]any{"x": []any{nil, "s"}}}
		for _, champion := range []*Facts{nil, {Metrics: map[string]any{"a": 2.0}}} {
			facts.Champion = champion
			e, err := ParseExpect("e", when, that)
			got := Evaluate(Expect{Name: "e", When: when, That: that}, facts)
			if err != nil && got.Outcome == Held {
				t.Fatalf("%q %q: held, although %v", when, that, err)
			}
			if err == nil && Evaluate(e, facts).Outcome != got.Outcome {
				t.Fatalf("%q %q: %v, and in canonical spacing %v", when, that, got, Evaluate(e, facts))
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, diags := Load("testdata/diabetes", Options{Getenv: nothing}); len(diags) > 0 {
			b.Fatal(diags)
		}
	}
}

// TestNothingUnknownGetsLost: whatever is made of a variable that is not set is not set either, and says so.
func TestNothingUnknownGetsLost(t *testing.T) {
	for _, expr := range []string{
		`var.x`, `"a${var.x}"`, `upper(var.x)`, `format("%s-%d", var.x, 1)`, `join(",", [var.x, "b"])`, `split(",", var.x)[0]`,
		`var.x == "a" ? "b" : "c"`, `var.x != null && true ? "b" : "c"`, `[var.x][0]`, `{ a = var.x }.a`, `[for v in [var.x] : v][0]`,
		`join(",", [{ a = var.x }][*].a)`, `coalesce(var.x, "b")`, `lookup({ a = "b" }, var.x, "c")`, `merge({ a = var.x }, { b = "c" }).a`, `local.y`,
		`replace("abc", var.x, "d")`, `length(split(",", var.x)) > 0 ? "b" : "c"`, `contains([var.x], "a") ? "b" : "c"`, `concat([var.x], ["b"])[0]`,
		`"%{ if var.x == "a" }b%{ endif }"`, `keys({ (var.x) = "b" })[0]`, `trimspace(" ${var.x} ")`, `sort(["b", var.x])[0]`,
	} {
		p, diags := one(t, "project \"p\" {\n  store = "+expr+"\n}\nvariable \"x\" {}\nlocals {\n  y = lower(var.x)\n}\n"+
			"workspace \"w\" {\n  host = \"https://h.example\"\n}\nenvironment \"e\" {\n  workspace = workspace.w\n  path = \"/e\"\n}\n", Options{})
		if diags.HasErrors() {
			t.Errorf("%s: %v", expr, diags)
			continue
		}
		_, diags = p.Resolve("e")
		if want := `barge.hcl:2: variable "x" is not set (give it by --var x=VALUE or BARGE_VAR_x)`; diags.Error() != want || p.Store != "" {
			t.Errorf("%s is %q: %v", expr, p.Store, diags)
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
