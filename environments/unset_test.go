package environments

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
	p, diags := one(t, "project \"p\" {\n  store = \"oci-layout:x\"\n}\nvariable \"x\" {}\nworkspace \"w\" {\n  host = var.x\n}\n"+
		"environment \"e\" {\n  workspace = workspace.w\n  path = \"/${var.x}\"\n}\n", Options{Sandbox: true})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if _, diags := p.Resolve("e"); !diags.HasErrors() {
		t.Error("a path is not known, and nobody minds")
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
