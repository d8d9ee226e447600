package environments

import (
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
// NAME=VALUE" is a --var, and "resolve NAME" asks for an environment.
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
	opts := Options{Getenv: nothing, Vars: map[string]string{}}
	resolve := ""
	for _, line := range strings.Split(strings.TrimSpace(file(archive, "args")), "\n") {
		switch word, value, _ := strings.Cut(line, " "); word {
		case "var":
			k, v, _ := strings.Cut(value, "=")
			opts.Vars[k] = v
		case "resolve":
			resolve = value
		}
	}
	dir := t.TempDir()
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, ".hcl") {
			if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
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
