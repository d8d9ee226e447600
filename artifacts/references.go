package artifacts

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// reference is what one file asks for, as it is written.
type reference struct {
	how   string // "%run", "dbutils.notebook.run", "import"
	path  string
	at    string // where in the file: ":12", or in Jupyter's format ", cell 3"
	maybe bool   // an import that may also mean no module: a name in a package, or one that is tried
}

var (
	notebookRun = regexp.MustCompile(`dbutils\s*\.\s*notebook\s*\.\s*run\s*\(\s*(?:path\s*=\s*)?(?:"([^"\n]+)"|'([^'\n]+)')`)
	importLine  = regexp.MustCompile(`^\s*(?:import\s+(.+)|from\s+(\.*[\w.]*)\s+import\s+(.+))$`)
	opened      = regexp.MustCompile(`^\s*from\s+\S+\s+import\s*\([^)]*$`)
)

// references finds what a file brings in. Text cells, comments and texts of several lines bring in nothing.
func references(c Content) ([]reference, error) {
	if c.Kind != Notebook && !strings.EqualFold(path.Ext(c.Path), ".py") {
		return nil, nil
	}
	cells, err := placedCells(c)
	if err != nil {
		return nil, err
	}
	var refs []reference
	for _, cell := range cells {
		at := func(line int) string {
			if c.Jupyter() {
				return fmt.Sprintf(", cell %d", cell.number)
			}
			return fmt.Sprintf(":%d", cell.line+line)
		}
		switch cell.Magic {
		case "run":
			first, _, _ := strings.Cut(cell.Source, "\n")
			if target := runTarget(first); target != "" {
				refs = append(refs, reference{how: "%run", path: target, at: at(0)})
			}
		case "", "python", "scala", "r":
			refs = append(refs, codeReferences(cell.Source, c.Language, at)...)
		}
	}
	return refs, nil
}

// runTarget is the notebook that a %run line names: bare, or in quotes, then maybe arguments.
func runTarget(line string) string {
	line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "%run"))
	if line != "" && strings.ContainsRune(`"'`, rune(line[0])) {
		target, _, _ := strings.Cut(line[1:], line[:1])
		return target
	}
	target, _, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	return target
}

func codeReferences(source, language string, at func(line int) string) []reference {
	python := language == "python" || language == ""
	if python {
		source = withoutTexts(source)
	}
	lines := strings.Split(strings.ReplaceAll(source, "\r", ""), "\n")
	for i, line := range lines {
		if t := strings.TrimSpace(line); strings.HasPrefix(t, "#") || strings.HasPrefix(t, "//") {
			lines[i] = ""
		}
	}
	var refs []reference
	code := strings.Join(lines, "\n")
	for _, m := range notebookRun.FindAllStringSubmatchIndex(code, -1) {
		target := ""
		for _, group := range [][]int{m[2:4], m[4:6]} {
			if group[0] >= 0 {
				target = code[group[0]:group[1]]
			}
		}
		refs = append(refs, reference{how: "dbutils.notebook.run", path: target, at: at(strings.Count(code[:m[0]], "\n"))})
	}
	if !python {
		return refs
	}
	before := ""
	for i, line := range lines {
		for j := i + 1; opened.MatchString(line) && j < len(lines); j++ {
			next, _, _ := strings.Cut(lines[j], "#")
			line = strings.TrimRight(line, " \t") + " " + strings.TrimSpace(next)
		}
		for _, r := range imports(line) {
			r.at, r.maybe = at(i), r.maybe || before == "try:"
			refs = append(refs, r)
		}
		if t := strings.TrimSpace(line); t != "" {
			before = t
		}
	}
	return refs
}

// withoutTexts blanks Python's texts in three quotes, which are prose as a rule, but for their line ends.
func withoutTexts(source string) string {
	var out strings.Builder
	quote := "" // of the text that we are in
	for i := 0; i < len(source); {
		rest := source[i:]
		n, shown := 1, true
		switch {
		case quote == "" && (strings.HasPrefix(rest, `"""`) || strings.HasPrefix(rest, "'''")):
			quote, n, shown = rest[:3], 3, false
		case quote == "" && (rest[0] == '"' || rest[0] == '\''):
			quote = rest[:1]
		case quote == "" && rest[0] == '#':
			if n = strings.IndexByte(rest, '\n'); n < 0 {
				n = len(rest)
			}
		case quote == "":
		case rest[0] == '\\' && len(rest) > 1:
			n, shown = 2, len(quote) == 1
		case strings.HasPrefix(rest, quote):
			n, shown = len(quote), len(quote) == 1
			quote = ""
		case len(quote) == 1 && rest[0] == '\n':
			quote = "" // it is not closed: this is no text, or no Python
		default:
			shown = len(quote) == 1
		}
		if shown {
			out.WriteString(rest[:n])
		} else {
			out.WriteString(strings.Repeat("\n", strings.Count(rest[:n], "\n")))
		}
		i += n
	}
	return out.String()
}

// imports are the modules that a line of Python imports; names imported from a package may be modules themselves.
func imports(line string) []reference {
	line, _, _ = strings.Cut(line, "#")
	m := importLine.FindStringSubmatch(strings.TrimRight(line, " \t\r"))
	if m == nil {
		return nil
	}
	var refs []reference
	list := func(prefix, names string, maybe bool) {
		for name := range strings.SplitSeq(strings.Trim(names, "( )"), ",") {
			if fields := strings.Fields(strings.Trim(name, "()")); len(fields) > 0 {
				refs = append(refs, reference{how: "import", path: prefix + fields[0], maybe: maybe})
			}
		}
	}
	if m[1] != "" {
		list("", m[1], false)
		return refs
	}
	whole := strings.Trim(m[2], ".") == "" // from . import a: a may be a name in __init__.py
	refs = append(refs, reference{how: "import", path: m[2], maybe: whole})
	prefix := m[2]
	if !whole {
		prefix += "."
	}
	list(prefix, m[3], true)
	return refs
}
