package environments

import (
	"strings"
	"testing"
)

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
