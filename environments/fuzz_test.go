package environments

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

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
