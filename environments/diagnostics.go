package environments

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Diagnostic is one thing that is wrong with the configuration, or (Severity "warning") looks so.
type Diagnostic struct {
	Severity string   `json:"severity"`
	Summary  string   `json:"summary"`
	Hint     string   `json:"hint,omitempty"`
	File     string   `json:"file,omitempty"` // relative to the folder that was loaded; empty: no place
	Line     int      `json:"line,omitempty"` // from 1
	Column   int      `json:"column,omitempty"`
	In       string   `json:"in,omitempty"`      // the block around it: gate "test-model"
	Snippet  []string `json:"snippet,omitempty"` // the lines from Line on, what looks like a secret blanked out
}

// Diagnostics are sorted by file (barge.hcl first) and position, and no two are equal.
type Diagnostics []Diagnostic

// HasErrors says whether one of them is more than a warning.
func (d Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(d, func(one Diagnostic) bool { return one.Severity == "error" })
}

// Err is the diagnostics as an error, nil when there are only warnings.
func (d Diagnostics) Err() error {
	if !d.HasErrors() {
		return nil
	}
	return d
}

// Error is all of them, a line each.
func (d Diagnostics) Error() string {
	lines := make([]string, len(d))
	for i, one := range d {
		lines[i] = one.Summary
		if one.File != "" {
			lines[i] = fmt.Sprintf("%s:%d: %s", one.File, one.Line, one.Summary)
		}
		if one.Hint != "" {
			lines[i] += " (" + one.Hint + ")"
		}
	}
	return strings.Join(lines, "\n")
}

// Style says how to render; the zero value is plain text.
type Style struct {
	Color bool
}

// Render writes the diagnostics for people, each with its place, its lines and its hint.
func (d Diagnostics) Render(w io.Writer, s Style) error {
	for i, one := range d {
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		if _, err := io.WriteString(w, one.text(s)); err != nil {
			return err
		}
	}
	return nil
}

func (d Diagnostic) text(s Style) string {
	paint := func(code, text string) string {
		if !s.Color {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	color := map[string]string{"error": "31", "warning": "33"}[d.Severity]
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", paint(color, "barge: "+d.Severity+":"), paint("1", d.Summary))
	if d.File != "" {
		fmt.Fprintf(&b, "\n  on %s line %d", d.File, d.Line)
		if d.In != "" {
			fmt.Fprintf(&b, ", in %s", d.In)
		}
		if len(d.Snippet) > 0 {
			b.WriteString(":")
		}
		b.WriteString("\n")
		for i, line := range d.Snippet {
			fmt.Fprintf(&b, "  %s %s\n", paint("2", fmt.Sprintf("%4d:", d.Line+i)), strings.TrimRight(line, " \t"))
		}
		if d.Hint != "" {
			b.WriteString("\n")
		}
	}
	if d.Hint != "" {
		fmt.Fprintf(&b, "%s %s\n", paint("36", "barge: hint:"), d.Hint)
	}
	return b.String()
}

// tidy sorts diagnostics and drops repeated ones.
func tidy(d Diagnostics) Diagnostics {
	key := func(one Diagnostic) string {
		if one.File == mainFile {
			return ""
		}
		return one.File
	}
	slices.SortStableFunc(d, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(key(a), key(b)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Summary, b.Summary))
	})
	return slices.CompactFunc(d, func(a, b Diagnostic) bool {
		return a.File == b.File && a.Line == b.Line && a.Column == b.Column && a.Summary == b.Summary
	})
}

const snippetLines = 3

// at places a diagnostic on a range of a file, whose text gives the snippet.
func (d Diagnostic) at(source []byte, r hcl.Range) Diagnostic {
	d.File, d.Line, d.Column = r.Filename, r.Start.Line, r.Start.Column
	lines := strings.Split(string(source), "\n")
	first := min(max(r.Start.Line-1, 0), len(lines))
	last := min(max(r.End.Line, r.Start.Line), first+snippetLines, len(lines))
	for _, line := range lines[first:last] {
		d.Snippet = append(d.Snippet, blank(strings.TrimSuffix(line, "\r")))
	}
	for n := len(d.Snippet); n > 0 && strings.TrimSpace(d.Snippet[n-1]) == ""; n-- {
		d.Snippet = d.Snippet[:n-1]
	}
	return d
}

var (
	givenSecret = regexp.MustCompile(`(?i)((?:token|secret|password|key)\w*"?\s*[=(:]\s*)"((?:\\.|[^"\\])*)(?:"|$)`)
	signedURL   = regexp.MustCompile(`://[^/@\s"]*@`)
	longLine    = 160
)

// blank makes a line of a file fit to be shown: no text that stands where a secret belongs, no control characters.
func blank(line string) string {
	line = givenSecret.ReplaceAllStringFunc(line, func(found string) string {
		parts := givenSecret.FindStringSubmatch(found)
		if _, err := ParseSecretRef(parts[2]); err == nil {
			return found
		}
		return parts[1] + `"…"`
	})
	line = signedURL.ReplaceAllString(line, "://…@")
	line = strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, line)
	if runes := []rune(line); len(runes) > longLine {
		return string(runes[:longLine]) + "…"
	}
	return line
}

// ofFunction is what HCL says of a call; what the function itself said comes after.
var ofFunction = regexp.MustCompile(`^(?:Invalid value for "[^"]*" parameter|Call to function "[^"]*" failed): (.+)$`)

// fromHCL turns a diagnostic of the parser or of an evaluation into ours: lower case, no full stop, "did you mean" a hint.
func fromHCL(d *hcl.Diagnostic, sources map[string][]byte, in string) Diagnostic {
	out := Diagnostic{Severity: "error", Summary: lower(d.Summary), In: in}
	if ours := inOurWords(d); ours != nil {
		out.Summary, out.Hint = ours[0], ours[1]
		return out.at(sources[d.Subject.Filename], *d.Subject)
	}
	detail, meant, found := strings.Cut(d.Detail, " Did you mean ")
	if found {
		out.Hint = "did you mean " + strings.TrimSuffix(meant, ".")
	}
	detail, more, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(detail), "\n", " "), ". ")
	detail = strings.TrimSuffix(detail, ".")
	if parts := ofFunction.FindStringSubmatch(detail); parts != nil {
		out.Summary = parts[1]
		if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); ok && call.CalledFunctionName() != "" {
			out.Summary = call.CalledFunctionName() + "(): " + parts[1]
		}
	} else if detail != "" {
		out.Summary += ": " + lower(detail)
	}
	if more = strings.TrimSuffix(more, "."); out.Hint == "" && more != "" {
		out.Hint = lower(more)
	}
	if d.Subject != nil {
		out = out.at(sources[d.Subject.Filename], *d.Subject)
	}
	return out
}

var (
	setBefore = regexp.MustCompile(`^The argument "([^"]*)" was already set at (\S+?):([0-9]+),`)
	noSuch    = regexp.MustCompile(`^There is no function named "([^"]*)"\.(?: Did you mean "([^"]*)"\?)?`)
)

const oneEach = "write each attribute on a line of its own"

// mistakes are the frequent ones of who writes HCL for the first time: summary and hint, by what HCL calls them.
var mistakes = map[string][]string{
	"Argument or block definition required":    {"an attribute or a block must stand here", `an attribute is written NAME = VALUE, a block NAME "LABEL" { … }`},
	"Invalid block definition":                 {"this is neither an attribute nor a block", `an attribute is written NAME = VALUE, a block NAME "LABEL" { … }`},
	"Invalid expression":                       {"this is no value", `text stands in "double quotes", a list in [ ], a map in { }`},
	"Missing newline after argument":           {"there is more than one attribute on this line", oneEach},
	"Invalid single-argument block definition": {"a block on one line holds one attribute", oneEach},
	"Missing attribute separator":              {"a comma is missing in this map", "write { a = 1, b = 2 }"},
	"Missing item separator":                   {"a comma is missing in this list", `write ["a", "b"]`},
	"Unclosed configuration block":             {"this block is not closed", "its } is missing, or that of a block within it"},
	"Invalid multi-line string":                {"this text is not closed on its line", "write its closing quote; text of several lines stands between <<EOT and EOT"},
	"Unclosed template interpolation sequence": {"a ${ is not closed", "its } is missing; to write ${ itself, write $${"},
}

// inOurWords are summary and hint of what HCL says in words of its own; nil where those will do.
func inOurWords(d *hcl.Diagnostic) []string {
	if d.Subject == nil {
		return nil
	}
	if ours, ok := mistakes[d.Summary]; ok {
		return ours
	}
	if parts := setBefore.FindStringSubmatch(d.Detail); parts != nil {
		return []string{fmt.Sprintf("%q is set twice", parts[1]), "the first is on " + parts[2] + " line " + parts[3]}
	}
	if parts := noSuch.FindStringSubmatch(d.Detail); parts != nil {
		var names []string
		for _, f := range Functions() {
			if f.Name == parts[1] {
				return []string{parts[1] + "() is not allowed here", ""}
			}
			names = append(names, f.Name)
		}
		hint := ""
		if best := nearest(parts[1], names); best != "" {
			hint = "did you mean " + best + "?"
		}
		return []string{fmt.Sprintf("unknown function %q", parts[1]), hint}
	}
	if strings.HasSuffix(d.Detail, "string required, but have secret.") {
		return []string{"a secret cannot be part of a text", `it stands alone, where a secret is wanted: token = secret("env:NAME")`}
	}
	return nil
}

// lower makes a sentence begin in lower case, unless its first word is a name.
func lower(sentence string) string {
	first, size := utf8.DecodeRuneInString(sentence)
	if second, _ := utf8.DecodeRuneInString(sentence[size:]); unicode.IsUpper(second) {
		return sentence
	}
	return string(unicode.ToLower(first)) + sentence[size:]
}
