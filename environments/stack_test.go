package environments

import (
	"fmt"
	"strings"
	"testing"
)

// TestNothingOverflowsTheStack: what a recursion over it would end, is refused before.
func TestNothingOverflowsTheStack(t *testing.T) {
	for _, expr := range []string{
		"1" + strings.Repeat("+1", 5_000), strings.Repeat("!", 5_000) + "true", strings.Repeat("-", 5_000) + "1",
		strings.Repeat("true?1:", 5_000) + "1", strings.Repeat("[", 5_000), "x" + strings.Repeat("[0]", 5_000),
		strings.Repeat("(", 5_000), strings.Repeat("{a=", 5_000), `"` + strings.Repeat("%{if true}", 5_000) + `"`,
		`"` + strings.Repeat(`${"`, 5_000), "lower(\"a\")" + strings.Repeat(".*", 5_000), strings.Repeat("{a=!!!!!", 5_000),
	} {
		src := "project \"p\" {\n store = " + expr + "\n}\n"
		if _, diags := load([]source{{mainFile, []byte(src)}}, Options{Getenv: nothing}); !diags.HasErrors() {
			t.Errorf("%.20s… loaded", expr)
		}
		if _, err := ParseExpect("x", "", expr); err == nil {
			t.Errorf("%.20s… is a condition", expr)
		}
	}
	deep := "x" + strings.Repeat(".a", 5_000)
	if _, err := ParseExpect("x", "", deep); err == nil {
		t.Error("a name without a fact is a condition")
	}
	chain := strings.Repeat("metrics.a + ", 999) + "1 > 0"
	if _, err := ParseExpect("x", "", chain); err != nil {
		t.Errorf("a long sum is refused: %.200v", err)
	}
}

// TestNothingDoublesWithoutEnd: a few lines of locals do not fill the memory.
func TestNothingDoublesWithoutEnd(t *testing.T) {
	for _, twice := range []string{`"${local.v%d}${local.v%d}"`, `[local.v%d, local.v%d]`, `{ a = local.v%d, b = local.v%d }`} {
		src := "project \"p\" {}\nlocals {\n  v0 = \"0123456789abcdef\"\n"
		for i := range 30 {
			src += fmt.Sprintf("  v%d = "+twice+"\n", i+1, i, i)
		}
		_, diags := load([]source{{mainFile, []byte(src + "}\n")}}, Options{Getenv: nothing})
		if !strings.Contains(diags.Error(), "this value is larger than 1048576 bytes") {
			t.Errorf("%s: %v", twice, diags)
		}
	}
}
