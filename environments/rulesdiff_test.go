package environments_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
)

// inForce are rules with one of everything.
func inForce() environments.Rules {
	return environments.Rules{
		Follows: []string{"test"}, Operators: []string{"group:on-call"}, Soak: "24h",
		Gates: []environments.Gate{{
			Name: "final", Parameters: map[string]string{"rows": "100"}, ValidFor: "14d", Against: "prod", Compare: "recorded", Models: []string{"m"},
			Expects: []environments.Expect{{Name: "accurate", That: "metrics.accuracy >= 0.77"}},
		}},
		Scores: []environments.Score{{
			Name: "nightly", FirstRun: "now", OnFailure: "keep", Expects: []environments.Expect{{Name: "every row", That: "output.rows > 0"}},
		}},
		Upstream: map[string]environments.Rules{"test": {
			Gates: []environments.Gate{{
				Name: "test-model", Pinned: true, Expects: []environments.Expect{{Name: "accurate", When: "champion != null", That: "metrics.accuracy >= 0.77"}},
			}},
			Pins: map[string]environments.Pin{"test-model": {Notebook: "check", Digest: digest("a"), Bind: map[string]string{"/mnt/a/": "/mnt/b/"}}},
		}},
	}
}

func digest(of string) string { return "sha256:" + strings.Repeat(of, 64) }

func TestDiff(t *testing.T) {
	t.Parallel()
	test := func(change func(*environments.Rules)) func(*environments.Rules) {
		return func(r *environments.Rules) {
			upstream := r.Upstream["test"]
			change(&upstream)
			r.Upstream["test"] = upstream
		}
	}
	pin := func(p environments.Pin) func(*environments.Rules) {
		return test(func(r *environments.Rules) { r.Pins["test-model"] = p })
	}
	for name, c := range map[string]struct {
		change func(*environments.Rules)
		want   []string
	}{
		"nothing": {change: func(*environments.Rules) {}},
		"a threshold": {
			change: func(r *environments.Rules) { r.Gates[0].Expects[0].That = "metrics.accuracy >= 0.5" },
			want:   []string{`gate final, expect "accurate": that: metrics.accuracy >= 0.77 -> metrics.accuracy >= 0.5`},
		},
		"a condition that applies less often": {
			change: func(r *environments.Rules) { r.Gates[0].Expects[0].When = "champion != null" },
			want:   []string{`gate final, expect "accurate": when: always -> champion != null`},
		},
		"no expect": {
			change: func(r *environments.Rules) { r.Gates[0].Expects = nil },
			want:   []string{`gate final, expect "accurate" is gone`},
		},
		"another name for it": {
			change: func(r *environments.Rules) { r.Gates[0].Expects[0].Name, r.Gates[0].Expects[0].When = "good", "true" },
			want:   []string{`gate final, expect "accurate" is gone`, `gate final, expect "good" is new: metrics.accuracy >= 0.77, when true`},
		},
		"no gate": {change: func(r *environments.Rules) { r.Gates = nil }, want: []string{"gate final is gone"}},
		"a gate more": {
			change: func(r *environments.Rules) {
				r.Gates = append(r.Gates, environments.Gate{Name: "again", ValidFor: "1h", Expects: r.Gates[0].Expects})
			},
			want: []string{"gate again is new", "gate again: valid_for: default (30d) -> 1h", `gate again, expect "accurate" is new: metrics.accuracy >= 0.77`},
		},
		"every other word of a gate": {
			change: func(r *environments.Rules) {
				g := &r.Gates[0]
				g.Parameters, g.ValidFor, g.Against, g.Compare, g.Models = map[string]string{"rows": "1", "seed": "4"}, "", "", "", nil
			},
			want: []string{
				`gate final: parameter "rows": "100" -> "1"`, `gate final: parameter "seed": none -> "4"`, "gate final: valid_for: 14d -> default (30d)",
				"gate final: against: prod -> default (its own)", "gate final: compare: recorded -> default (rerun)", "gate final: models: m -> default (every one)",
			},
		},
		"no model loaded": {change: func(r *environments.Rules) { r.Gates[0].Models = []string{} }, want: []string{"gate final: models: m -> none"}},
		"soak and who": {
			change: func(r *environments.Rules) { r.Soak, r.Operators = "", []string{"group:a", "group:b"} },
			want:   []string{"operators: group:on-call -> group:a, group:b", "soak: 24h -> none"},
		},
		"a score": {
			change: func(r *environments.Rules) {
				s := &r.Scores[0]
				s.FirstRun, s.OnFailure, s.Expects[0].That = "scheduled", "", "true"
			},
			want: []string{
				"score nightly: first_run: now -> scheduled", "score nightly: on_failure: keep -> default (rollback)",
				`score nightly, expect "every row": that: output.rows > 0 -> true`,
			},
		},
		"scores that come and go": {
			change: func(r *environments.Rules) { r.Scores[0] = environments.Score{Name: "hourly"} },
			want:   []string{"score hourly is new", "score nightly is gone"},
		},
		"upstream's gate": {
			change: test(func(r *environments.Rules) { r.Gates, r.Pins = nil, nil }),
			want:   []string{"test: gate test-model is gone"},
		},
		"nobody followed": {
			change: func(r *environments.Rules) { r.Follows, r.Upstream = nil, nil },
			want:   []string{"follows: test -> none"},
		},
		"one more followed": {
			change: func(r *environments.Rules) {
				r.Follows, r.Upstream["qa"] = []string{"qa", "test"}, environments.Rules{Soak: "1h"}
			},
			want: []string{"follows: test -> qa, test", "qa: soak: none -> 1h"},
		},
		"one further up, told once": {
			change: func(r *environments.Rules) {
				dev := map[string]environments.Rules{"dev": {Soak: "1h"}}
				r.Follows, r.Upstream["qa"] = []string{"qa", "test"}, environments.Rules{Follows: []string{"dev"}, Upstream: dev}
				test(func(r *environments.Rules) { r.Follows, r.Upstream = []string{"dev"}, dev })(r)
			},
			want: []string{"follows: test -> qa, test", "dev: soak: none -> 1h", "qa: follows: none -> dev", "test: follows: none -> dev"},
		},
		"a pinned notebook": {
			change: pin(environments.Pin{Notebook: "check", Digest: digest("b"), Bind: map[string]string{"/mnt/a/": "/mnt/b/"}}),
			want:   []string{"test: gate test-model: its pinned notebook check changed (sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb)"},
		},
		"another pinned notebook": {
			change: pin(environments.Pin{Notebook: "look", Digest: digest("b"), Bind: map[string]string{"/mnt/a/": "/mnt/b/"}}),
			want: []string{
				"test: gate test-model: its pinned notebook: check -> look",
				"test: gate test-model: its pinned notebook look changed (sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb)",
			},
		},
		"what is bound in it": {
			change: pin(environments.Pin{Notebook: "check", Digest: digest("a"), Bind: map[string]string{"accuracy": "1.0 #"}}),
			want: []string{
				`test: gate test-model: in its pinned notebook, bind "/mnt/a/": "/mnt/b/" -> none`,
				`test: gate test-model: in its pinned notebook, bind "accuracy": none -> "1.0 #"`,
			},
		},
		"pinned no more": {
			change: test(func(r *environments.Rules) { r.Gates[0].Pinned, r.Pins = false, nil }),
			want:   []string{"test: gate test-model: pinned: check (sha256:aaaaaaaaaaaa) -> no"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := inForce()
			c.change(&other)
			if diff := cmp.Diff(c.want, lines(inForce().Diff(other))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func lines(changes []environments.RuleChange) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.String())
	}
	return out
}

// TestDiffIsEmptyForTheSameRulesAlone draws rules that differ in few places, and holds the difference against the digest.
func TestDiffIsEmptyForTheSameRulesAlone(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(4, 4))
	same := 0
	for range 6_000 {
		a, b := drawn(random), drawn(random)
		changes := a.Diff(b)
		if (len(changes) == 0) != (a.Digest() == b.Digest()) {
			t.Fatalf("the changes are %v:\n%s", changes, cmp.Diff(a, b))
		}
		if len(changes) == 0 {
			same++
		}
	}
	if same < 5 {
		t.Errorf("only %d pairs were the same", same)
	}
}

// drawn are rules of which nearly everything is as it is most of the time.
func drawn(random *rand.Rand) environments.Rules {
	r := inForce()
	maybe := func(change func()) {
		if random.IntN(24) == 0 {
			change()
		}
	}
	expect := func(expects *[]environments.Expect) {
		maybe(func() { *expects = nil })
		maybe(func() { *expects = []environments.Expect{{Name: "n", When: "w", That: "t"}} })
		maybe(func() { *expects = []environments.Expect{{Name: "n", When: "v", That: "t"}} })
		maybe(func() { *expects = []environments.Expect{{Name: "n", When: "v", That: "u"}} })
	}
	maybe(func() { r.Operators = nil })
	maybe(func() { r.Soak = "" })
	maybe(func() { r.Follows, r.Upstream = nil, nil })
	g, s := &r.Gates[0], &r.Scores[0]
	maybe(func() { g.Name = "other" })
	maybe(func() { g.Parameters = nil })
	maybe(func() { g.Parameters = map[string]string{"rows": "", "none": "none"} })
	maybe(func() { g.ValidFor = "" })
	maybe(func() { g.ValidFor = "30d" })
	maybe(func() { g.Against = "" })
	maybe(func() { g.Compare = "" })
	maybe(func() { g.Compare = "rerun" })
	maybe(func() { g.Models = nil })
	maybe(func() { g.Models = []string{} })
	expect(&g.Expects)
	maybe(func() { s.Name = "other" })
	maybe(func() { s.FirstRun = "" })
	maybe(func() { s.OnFailure = "" })
	expect(&s.Expects)
	maybe(func() { r.Gates = nil })
	maybe(func() { r.Scores = nil })
	if test, ok := r.Upstream["test"]; ok {
		maybe(func() { test.Pins["test-model"] = environments.Pin{Notebook: "look", Digest: digest("a")} })
		maybe(func() { test.Pins["test-model"] = environments.Pin{Notebook: "check", Digest: digest("b")} })
		maybe(func() { test.Gates[0].Pinned, test.Pins = false, nil })
		maybe(func() { test.Gates, test.Pins = nil, nil })
		r.Upstream["test"] = test
	}
	return r
}

func TestPinned(t *testing.T) {
	t.Parallel()
	r := inForce()
	got, err := r.Pinned("prod", func(environment, gate string) (environments.Pin, error) {
		return environments.Pin{Notebook: gate, Digest: environment}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]environments.Pin{"test-model": {Notebook: "test-model", Digest: "test"}}, got.Upstream["test"].Pins); diff != "" || got.Pins != nil {
		t.Errorf("prod pins %v; test (-want +got):\n%s", got.Pins, diff)
	}
	if diff := cmp.Diff(inForce(), r); diff != "" {
		t.Errorf("the rules that were asked have changed:\n%s", diff)
	}
	none := errors.New("no such notebook")
	if _, err := r.Pinned("prod", func(string, string) (environments.Pin, error) { return environments.Pin{}, none }); !errors.Is(err, none) {
		t.Errorf("the error is %v", err)
	}
	read, err := environments.RulesFromJSON([]byte(canonical(t, got)))
	if err != nil || read.Digest() != got.Digest() || got.Digest() == r.Digest() {
		t.Errorf("read again %v: %v", read, err)
	}
}

func canonical(t *testing.T, v any) string {
	t.Helper()
	raw, err := environments.Canonical(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
