package environments

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBindNamesWhatIsKnownAtDeployOnly(t *testing.T) {
	src := `
project "p" {}
variable "mount" {
  default = "/mnt/$${x}/$"
}
locals {
  folder = "${var.mount}/data"
}
artifact {
  notebooks {
    from = "n"
  }
  model "m" {
    path = "m.pkl"
  }
}
workspace "w" {
  host = "https://h.example/"
}
environment "e" {
  workspace = workspace.w
  path      = "/Barge/e"
  deploy {
    bind = {
      "HOST"   = workspace.w.host
      "MODEL"  = "$${model}: $${${model.m.uri}}, $${model.m.version}$${"
      "FOLDER" = local.folder
      "N"      = 5
      "VERSION" = (model.m["version"])
    }
  }
}
`
	p, diags := load([]source{{mainFile, []byte(src)}}, Options{Getenv: nothing})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	bind := p.Environments[0].Deploy.Bind
	want := map[string]string{
		"HOST": "${workspace.w.host}", "MODEL": "$${model}: $${${model.m.uri}}, $${model.m.version}$${",
		"FOLDER": "/mnt/$${x}/$$/data", "N": "5", "VERSION": "${model.m.version}",
	}
	if diff := cmp.Diff(want, bind); diff != "" {
		t.Error(diff)
	}
	expanded := map[string]string{}
	for key, text := range bind {
		var err error
		if expanded[key], err = Expand(text, func(name string) (string, error) { return "<" + name + ">", nil }); err != nil {
			t.Error(err)
		}
	}
	want = map[string]string{
		"HOST": "<workspace.w.host>", "MODEL": "${model}: ${<model.m.uri>}, ${model.m.version}${",
		"FOLDER": "/mnt/${x}/$/data", "N": "5", "VERSION": "<model.m.version>",
	}
	if diff := cmp.Diff(want, expanded); diff != "" {
		t.Error(diff)
	}
}

func TestExpandSaysWhatIsWrong(t *testing.T) {
	gone := errors.New("no workspace gone")
	for text, want := range map[string]string{
		"a${workspace.gone.host}": `binding "a${workspace.gone.host}": no workspace gone`,
		"${x":                     `binding "${x": neither $$ nor ${NAME} follows a $`,
		"5$":                      `binding "5$": neither $$ nor ${NAME} follows a $`,
		"$x}":                     `binding "$x}": neither $$ nor ${NAME} follows a $`,
	} {
		got, err := Expand(text, func(string) (string, error) { return "", gone })
		if fmt.Sprint(err) != want || got != "" {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestNobodyMakesAPlaceholderOfText(t *testing.T) {
	for _, text := range []string{`"\u0000workspace.w.host\u0000"`, `"a\u0000"`, "\"\x00x\x00\""} {
		src := "project \"p\" {\n  tag_prefix = " + text + "\n}\n"
		if p, diags := load([]source{{mainFile, []byte(src)}}, Options{Getenv: nothing}); p != nil || !diags.HasErrors() {
			t.Errorf("%s loads", text)
		}
	}
}
