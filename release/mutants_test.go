package release_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var mutants = flag.Bool("mutants", false, "takes each rule out of the code once and demands that a test fails")

// mutant is a rule that is taken out of the code: old stands exactly once in the file, and what fails without it are
// tests of a package.
type mutant struct {
	rule      string
	file      string // below the module
	old, new  string
	pkg, test string
}

const (
	properties = "^TestProperties$"
	engine     = "./release"
	books      = "./internal/ledger"
)

var allMutants = []mutant{
	{
		"D after an unanswered Set", "release/set.go",
		"for o.sent != nil && o.sent.Left() > 0 {", "for o.sent != nil && o.sent.Left() > o.Terms.D {", engine, properties,
	},
	{
		"D when the owner is dead on this host", "internal/ledger/clocks.go",
		"if over > w.terms.D {", "if over >= 0 {", engine, properties,
	},
	{
		"D when the owner is dead on this host (ledger)", "internal/ledger/clocks.go",
		"if over > w.terms.D {", "if over >= 0 {", books, "^TestWatch$",
	},
	{
		"L counted from the first try", "release/switch.go",
		"return p.own(entry.State, right, at)", "_ = right\n\t\t\treturn p.own(entry.State, ledger.NoteRight(p.Terms, p.Clocks), at)", engine, properties,
	},
	{
		"L counted from the first try, renewing", "release/switch.go",
		"o.state, o.right = entry.State, right", "o.state, o.right = entry.State, ledger.NoteRight(o.Terms, o.Clocks)\n\t_ = right", engine, properties,
	},
	{
		"L checked at the send", "release/set.go",
		"	if !o.right.Holds() {\n		return errExpired", "	if false {\n		return errExpired", engine, properties,
	},
	{
		"a plan begun once", "release/promote.go",
		"if s.Champion.Live != plan.Over.Live {", "if false {", engine, properties,
	},
	{
		"a plan begun once (ledger)", "internal/ledger/begin.go",
		"if slices.Contains(s.Plans, b.Plan) {", "if false {", books, "^Test",
	},
	{
		"seen", "release/rollback.go",
		"if now.Decision != s.Decision || ", "if ", engine, properties,
	},
	{
		"seen (ledger)", "internal/ledger/begin.go",
		"case decides && b.Seen != s.Decision:", "case false:", books, "^Test",
	},
	{
		"job id before activation", "release/set.go",
		"if err := o.goOn(ctx, ledger.Made, map[string]int64{job.ID(): number}); err != nil {", "if err := o.renewed(ctx); err != nil {", engine, properties,
	},
	{
		"always Set", "release/switch.go",
		"	return o.set(ctx, p)\n", "	if held, _ := p.Holds(ctx, o.want(p)); held {\n\t\treturn nil\n\t}\n\treturn o.set(ctx, p)\n", engine, properties,
	},
	{
		"L + D < TTL", "internal/ledger/clocks.go",
		"TTL: 60 * time.Second}", "TTL: 40 * time.Second}", engine, properties,
	},
	{
		"L + D < TTL (ledger)", "internal/ledger/clocks.go",
		"|| t.L+t.D > t.TTL/10*9 {", "{", books, "^TestTerms$",
	},
	{
		"the further clock", "internal/ledger/clocks.go",
		"return max(wall, mono)", "return min(wall, mono)", engine, properties,
	},
	{
		"the further clock (ledger)", "internal/ledger/clocks.go",
		"return max(wall, mono)", "_ = wall\n\treturn mono", books, "^TestAnOwnerCountsByTheClockThatWentFurther$",
	},
	{
		"the lesser clock", "internal/ledger/clocks.go",
		"return min(wall, mono)", "return max(wall, mono)", engine, properties,
	},
	{
		"the lesser clock (ledger)", "internal/ledger/clocks.go",
		"return min(wall, mono)", "_ = mono\n\treturn wall", books, "^TestWhoWaitsCountsByTheClockThatWentLess$",
	},
}

// TestMutants is the test of the tests: without any one of the rules some test fails, and with all of them none does.
// The tree is not changed: each mutant is compiled over it.
func TestMutants(t *testing.T) {
	if !*mutants {
		t.Skip("only with -mutants: it compiles and runs the tests once for each rule")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("every rule in place", func(t *testing.T) {
		for _, whole := range []mutant{{pkg: engine, test: properties}, {pkg: books, test: "^Test"}} {
			if out, failed := whole.run(t, root, ""); failed != "" {
				t.Errorf("%s %s fails: %s\n%s", whole.pkg, whole.test, failed, out)
			}
		}
	})
	killed := 0
	for _, m := range allMutants {
		t.Run(m.rule, func(t *testing.T) {
			out, failed := m.run(t, root, m.overlay(t, root))
			switch failed {
			case "":
				t.Errorf("without the rule no test of %s fails", m.pkg)
			case "build":
				t.Errorf("it does not compile:\n%s", out)
			default:
				killed++
				t.Logf("found by %s: %s", m.pkg, failed)
			}
		})
	}
	t.Logf("rules taken out: %d, found: %d", len(allMutants), killed)
}

// overlay writes the file without the rule somewhere else, and what makes the compiler take it.
func (m mutant) overlay(t *testing.T, root string) string {
	t.Helper()
	file, dir := filepath.Join(root, filepath.FromSlash(m.file)), t.TempDir()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		t.Fatalf("%s has %d times %q, not once: say where the rule stands now", m.file, n, m.old)
	}
	instead, list := filepath.Join(dir, "instead.go"), filepath.Join(dir, "overlay.json")
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{file: instead}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(instead, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return list
}

var firstFailure = regexp.MustCompile(`(?m)^ +\w+_test\.go:\d+: (.*)$`)

// run runs the tests, with an overlay or without, and says what failed: "" nothing, "build" the compiler.
func (m mutant) run(t *testing.T, root, overlay string) (out, failed string) {
	t.Helper()
	args := []string{"test", "-tags", "urfave_cli_no_docs", "-count", "1", "-timeout", "10m", "-run", m.test}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	args = append(args, m.pkg)
	if m.pkg == engine {
		args = append(args, "-seeds", "600", "-first", "-tell", "0")
	}
	c := exec.CommandContext(t.Context(), "go", args...)
	c.Dir = root
	b, err := c.CombinedOutput()
	out = string(b)
	switch {
	case err == nil:
		return out, ""
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]") || !strings.Contains(out, "--- FAIL"):
		return out, "build"
	}
	if first := firstFailure.FindStringSubmatch(out); first != nil {
		return out, first[1]
	}
	return out, "a test failed"
}
