package environments

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what is said now into the golden files")

// TestDiagnostics holds the whole text that each wrong configuration gives against its golden file. In args, "var
// NAME=VALUE" is a --var, "env NAME=VALUE" an environment variable, and "resolve NAME" asks for an environment.
func TestDiagnostics(t *testing.T) {
	cases, err := filepath.Glob("testdata/diagnostics/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatal("no cases", err)
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := diagnose(t, archive)
			if *update {
				archive.Files = append(without(archive.Files, "want"), txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(file(archive, "want"), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func diagnose(t *testing.T, archive *txtar.Archive) string {
	set := map[string]string{}
	opts := Options{Getenv: env(set), Vars: map[string]string{}}
	resolve := ""
	for _, line := range strings.Split(strings.TrimSpace(file(archive, "args")), "\n") {
		switch word, value, _ := strings.Cut(line, " "); word {
		case "var":
			k, v, _ := strings.Cut(value, "=")
			opts.Vars[k] = v
		case "env":
			k, v, _ := strings.Cut(value, "=")
			set[k] = v
		case "resolve":
			resolve = value
		}
	}
	dir := t.TempDir()
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, ".hcl") || strings.HasSuffix(f.Name, ".json") {
			if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(f.Name)), 0o750), os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	p, diags := Load(dir, opts)
	if resolve != "" && p != nil {
		_, more := p.Resolve(resolve)
		diags = append(diags, more...)
	}
	var b strings.Builder
	if err := diags.Render(&b, Style{}); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), dir, "DIR")
}

func file(archive *txtar.Archive, name string) string {
	for _, f := range archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func without(files []txtar.File, name string) (kept []txtar.File) {
	for _, f := range files {
		if f.Name != name {
			kept = append(kept, f)
		}
	}
	return kept
}

func TestRenderInColor(t *testing.T) {
	diags := Diagnostics{
		{Severity: "error", Summary: "bad", Hint: "do better", File: "barge.hcl", Line: 9, In: `gate "g"`, Snippet: []string{"a = 1", "b = 2"}},
		{Severity: "warning", Summary: "odd"},
	}
	want := "\x1b[31mbarge: error:\x1b[0m \x1b[1mbad\x1b[0m\n\n  on barge.hcl line 9, in gate \"g\":\n" +
		"  \x1b[2m   9:\x1b[0m a = 1\n  \x1b[2m  10:\x1b[0m b = 2\n\n\x1b[36mbarge: hint:\x1b[0m do better\n" +
		"\n\x1b[33mbarge: warning:\x1b[0m \x1b[1modd\x1b[0m\n"
	var b strings.Builder
	if err := diags.Render(&b, Style{Color: true}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	if want := "barge.hcl:9: bad (do better)\nodd"; diags.Err() == nil || diags.Err().Error() != want {
		t.Errorf("%v, want %s", diags.Err(), want)
	}
	if diags[1:].Err() != nil || diags[1:].HasErrors() || Diagnostics(nil).Err() != nil {
		t.Error("a warning is an error")
	}
}
