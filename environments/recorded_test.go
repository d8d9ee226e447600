package environments

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
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

func TestRulesAreTheExamplesRules(t *testing.T) {
	p := mustLoad(t, "testdata/diabetes", Options{})
	got, diags := p.Rules("prod")
	want := Rules{
		Follows: []string{"test"}, Operators: []string{"group:on-call"}, Soak: "24h",
		Scores: []Score{{Name: "nightly", Expects: []Expect{{Name: "every row scored", That: "output.rows_in > 0 && output.rows_out == output.rows_in"}}}},
		Upstream: map[string]Rules{"test": {
			Follows: []string{"dev"},
			Gates: []Gate{{Name: "test-model", ValidFor: "14d", Against: "prod", Expects: []Expect{
				{Name: "accurate enough", That: "metrics.accuracy >= 0.77"},
				{Name: "no worse than what runs in Prod", When: "champion != null", That: "metrics.accuracy >= champion.metrics.accuracy - 0.01"},
			}}},
			Upstream: map[string]Rules{"dev": {}},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" || len(diags) > 0 {
		t.Error(diags, diff)
	}
	raw, err := Canonical(got)
	if err != nil {
		t.Fatal(err)
	}
	back, err := RulesFromJSON(raw)
	if diff := cmp.Diff(got, back); diff != "" || err != nil {
		t.Error(err, diff)
	}
	// Once recorded in a ledger, it is never another.
	if digest, want := got.Digest(), "sha256:110656396ea232e9ce054481ad17210668cef3ec2510d30f347fbf14f18694fe"; digest != want {
		t.Errorf("digest %s, want %s", digest, want)
	}
}

func TestRulesOfANewerBargeAreRefused(t *testing.T) {
	for _, raw := range []string{`{"quorum": 2}`, `{"gates": [{"name": "g", "strict": true}]}`, `{"soak": "soon"}`, `{} {}`, `[]`, ``} {
		if r, err := RulesFromJSON([]byte(raw)); err == nil {
			t.Errorf("%s: %+v", raw, r)
		}
	}
}

// TestSpacingAndOrderChangeNothing: a file that says the same otherwise gives the same rules and records the same.
func TestSpacingAndOrderChangeNothing(t *testing.T) {
	head := `
project "p" {}
artifact {}
workspace "w" {
  host = "https://h.example"
}
`
	one := `
environment "a" {
  workspace = workspace.w
  path      = "/Barge/a"
  operators = ["group:x", "group:y"]

  gate "g" {
    notebook = "n"
    expect "first" {
      that = metrics.a >= 0.5
    }
    expect "second" {
      when = champion != null
      that = metrics.b >= 1
    }
  }
  gate "h" {
    notebook = "n"
    expect "x" {
      that = true
    }
  }
}
environment "b" {
  workspace = workspace.w
  path      = "/Barge/b"
  follows   = [environment.a, environment.c]
}
environment "c" {
  workspace = workspace.w
  path      = "/Barge/c"
}
`
	two := `
environment "c" {
  title     = "C"
  workspace = workspace.w
  path      = "/Barge/elsewhere"
}
environment "b" {
  follows   = [environment.c, environment.a]
  workspace = workspace.w
  path      = "/Barge/b"
}
environment "a" {
  operators = ["group:y", "group:x"]
  workspace = workspace.w
  path      = "/Barge/a"
  gate "h" {
    expect "x" { that = true }
    notebook = "n"
  }
  gate "g" {
    expect "second" {
      that = (
        metrics.b>=1 # one is enough
      )
      when = champion   !=   null
    }
    expect "first" { that = metrics.a>=0.5 }
    notebook = "n"
  }
}
`
	two = strings.ReplaceAll(two, "(\n        metrics.b>=1 # one is enough\n      )", "metrics.b>=1 // one is enough")
	var digests, records []string
	for _, src := range []string{one, two} {
		p, diags := load([]source{{mainFile, []byte(head + src)}}, Options{Getenv: nothing})
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		r, _ := p.Rules("b")
		digests, records = append(digests, r.Digest()), append(records, string(mustRecord(t, p)))
	}
	if digests[0] != digests[1] {
		t.Error("the rules differ")
	}
	if diff := cmp.Diff(records[0], records[1]); diff != "" {
		t.Error(diff)
	}
}

// TestEveryFieldIsInOneCopyAlone fills every field there is, and looks for each value in what is recorded, in the
// rules, and in what is neither.
func TestEveryFieldIsInOneCopyAlone(t *testing.T) {
	p := &Project{}
	n := 0
	fillAll(reflect.ValueOf(p).Elem(), &n)
	for i := range p.Environments {
		p.Environments[i].Follows = nil // else it is its own upstream
	}
	raw := mustRecord(t, p)
	rules, err := Canonical(p.rulesOf(p.Environments[0]))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := Canonical(p)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for path, value := range leaves("", whole) {
		places := ""
		if slices.Contains(values(raw), value) {
			places += " recorded"
		}
		if slices.Contains(values(rules), value) {
			places += " rule"
		}
		if places != " recorded" {
			got = append(got, path+places)
		}
	}
	slices.Sort(got)
	want := strings.Split(strings.TrimSpace(`
.environments.formerly
.environments.gates.against rule
.environments.gates.compare rule
.environments.gates.expects.name rule
.environments.gates.expects.that rule
.environments.gates.expects.when rule
.environments.gates.models rule
.environments.gates.name recorded rule
.environments.gates.parameters.k rule
.environments.gates.valid_for rule
.environments.operators rule
.environments.path
.environments.scores.expects.name rule
.environments.scores.expects.that rule
.environments.scores.expects.when rule
.environments.scores.first_run rule
.environments.scores.name recorded rule
.environments.scores.on_failure rule
.environments.soak rule
.environments.title
.environments.workspace
.name
.registries.remote.token
.registries.workspace
.store
.tag_prefix
.workspaces.auth.kind
.workspaces.auth.settings.k
.workspaces.auth.token
.workspaces.host
.workspaces.name`), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if r := p.rulesOf(p.Environments[0]); !r.Gates[0].Pinned {
		t.Error("pinned is no rule")
	}
}

// fillAll sets every field to a value of its own.
func fillAll(v reflect.Value, n *int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillAll(v.Field(i), n)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillAll(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillAll(v.Index(0), n)
	case reflect.Map:
		item := reflect.New(v.Type().Elem()).Elem()
		fillAll(item, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("k"), item)
	case reflect.String:
		*n++
		v.SetString(fmt.Sprintf("v%d", *n))
	case reflect.Int:
		*n++
		v.SetInt(int64(1000 + *n))
	case reflect.Bool:
		v.SetBool(true)
	}
}

// leaves are the scalar values of a JSON document by path, without the indexes of lists; true is none.
func leaves(path string, raw []byte) map[string]string {
	found := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, item := range v {
				walk(path+"."+k, item)
			}
		case []any:
			for _, item := range v {
				walk(path, item)
			}
		case bool:
		default:
			found[path] = fmt.Sprint(v)
		}
	}
	var tree any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&tree) == nil {
		walk(path, tree)
	}
	return found
}

func values(raw []byte) (all []string) {
	for _, v := range leaves("", raw) {
		all = append(all, v)
	}
	return all
}

// TestRecordedRoundTrip: whatever is recorded is read back as it was, and recorded again as the same bytes.
func TestRecordedRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := &Project{}
		randomise(reflect.ValueOf(p).Elem(), r)
		raw := mustRecord(t, p)
		back, err := FromRecorded(raw)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, raw)
		}
		if again := mustRecord(t, back); !bytes.Equal(raw, again) {
			t.Fatalf("seed %d: %s", seed, cmp.Diff(string(raw), string(again)))
		}
		recorded := p.recorded()
		if diff := cmp.Diff(&recorded, back, exportedOnly, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
		for i, e := range p.Environments {
			rules := p.rulesOf(e)
			raw, _ := Canonical(rules)
			back, err := RulesFromJSON(raw)
			if again, _ := Canonical(back); err != nil || !bytes.Equal(raw, again) || rules.Digest() != back.Digest() {
				t.Fatalf("seed %d, environment %d: %v %s", seed, i, err, cmp.Diff(string(raw), string(again)))
			}
		}
	}
}

// randomise sets some of the fields, with text that JSON and HTML mind.
func randomise(v reflect.Value, r *rand.Rand) {
	if r.IntN(4) == 0 && v.Kind() != reflect.Struct {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				randomise(v.Field(i), r)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		randomise(v.Elem(), r)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 3))
		for i := range v.Len() {
			randomise(v.Index(i), r)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(3) {
			item := reflect.New(v.Type().Elem()).Elem()
			randomise(item, r)
			v.SetMapIndex(reflect.ValueOf(randomText(r)), item)
		}
	case reflect.String:
		if v.Type() == reflect.TypeFor[Duration]() {
			v.SetString(fmt.Sprintf("%dm", r.IntN(100)))
			return
		}
		v.SetString(randomText(r))
	case reflect.Int:
		v.SetInt(int64(r.IntN(100)))
	case reflect.Bool:
		v.SetBool(true)
	}
}

func randomText(r *rand.Rand) string {
	const letters = "ab<>&\"\\/\u2028é日\n\t ${}"
	runes := []rune(letters)
	var b strings.Builder
	for range 1 + r.IntN(6) {
		b.WriteRune(runes[r.IntN(len(runes))])
	}
	return b.String()
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
