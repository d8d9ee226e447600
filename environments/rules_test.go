package environments

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
