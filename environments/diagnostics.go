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
)

// Diagnostic is one thing that is wrong with the configuration, or (Severity "warning") looks so.
type Diagnostic struct {
	Severity  string   `json:"severity"`
	Summary   string   `json:"summary"`
	Hint      string   `json:"detail,omitempty"`
	File      string   `json:"file,omitempty"` // relative to the folder that was loaded; empty: no place
	Line      int      `json:"line,omitempty"` // from 1
	Column    int      `json:"column,omitempty"`
	EndLine   int      `json:"end_line,omitempty"`
	EndColumn int      `json:"end_column,omitempty"` // the first that does not belong to it any more
	In        string   `json:"in,omitempty"`         // the block around it: gate "test-model"
	Snippet   []string `json:"snippet,omitempty"`    // the lines from Line on, what looks like a secret blanked out
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
	d.File, d.Line, d.Column, d.EndLine, d.EndColumn = r.Filename, r.Start.Line, r.Start.Column, r.End.Line, r.End.Column
	lines := withoutSecrets(strings.Split(string(source), "\n"))
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

// withoutSecrets blanks the lines of a text of several lines that stands where a secret belongs.
func withoutSecrets(lines []string) []string {
	end := ""
	for i, line := range lines {
		switch begun := secretLines().FindStringSubmatch(line); {
		case end == "" && begun != nil:
			end = begun[1]
		case end == "":
		case strings.TrimSpace(line) == end:
			end = ""
		default:
			lines[i] = "…"
		}
	}
	return lines
}

var (
	secretName  = regexp.MustCompile(`(?i)token|secret|password|key`)
	secretLines = whenNeeded(`(?i)(?:token|secret|password|key)\w*"?\s*[=(:]\s*<<-?\s*(\w+)`)
	givenSecret = whenNeeded(`(?i)(\w*(?:token|secret|password|key)\w*"?\s*[=(:]\s*)"((?:\\.|[^"\\])*)(?:"|$)`)
	jobKey      = whenNeeded(`^(?:task|job_cluster|environment)_key"`) // a name within the file of a job
	signedURL   = whenNeeded(`://[^/@\s"]*@`)
	longLine    = 160
)

// blank makes a line of a file fit to be shown: no text that stands where a secret belongs, no control characters.
func blank(line string) string {
	line = givenSecret().ReplaceAllStringFunc(line, func(found string) string {
		parts := givenSecret().FindStringSubmatch(found)
		if _, err := ParseSecretRef(parts[2]); err == nil || jobKey().MatchString(parts[1]) {
			return found
		}
		return parts[1] + `"…"`
	})
	line = signedURL().ReplaceAllString(line, "://…@")
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

// fromHCL turns a diagnostic of the parser or of an evaluation into ours: lower case, no full stop, "did you mean" a hint.
func fromHCL(d *hcl.Diagnostic, sources map[string][]byte, in string) Diagnostic {
	out := Diagnostic{Severity: "error", Summary: lower(d.Summary), In: in}
	if d.Subject != nil {
		out = out.at(sources[d.Subject.Filename], *d.Subject)
		if ours := inOurWords(d, sources[d.Subject.Filename]); ours != nil {
			out.Summary, out.Hint = ours.summary, ours.hint
			return out
		}
	}
	if call := ofCall(d); call != "" {
		out.Summary = call
		return out
	}
	detail, meant, found := strings.Cut(d.Detail, " Did you mean ")
	if found {
		out.Hint = "did you mean " + strings.TrimSuffix(meant, ".")
	}
	detail, more, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(detail), "\n", " "), ". ")
	if detail = strings.TrimSuffix(detail, "."); detail != "" {
		out.Summary += ": " + lower(detail)
	}
	if more = strings.TrimSuffix(more, "."); out.Hint == "" && more != "" {
		out.Hint = lower(more)
	}
	return out
}

// lower makes a sentence begin in lower case, unless its first word is a name.
func lower(sentence string) string {
	first, size := utf8.DecodeRuneInString(sentence)
	if second, _ := utf8.DecodeRuneInString(sentence[size:]); unicode.IsUpper(second) {
		return sentence
	}
	return string(unicode.ToLower(first)) + sentence[size:]
}
