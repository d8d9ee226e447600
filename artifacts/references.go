package artifacts

import (
	"fmt"
	"path"
	"strings"
)

// reference is what one file asks for, as it is written.
type reference struct {
	how   string // "%run", "dbutils.notebook.run", "import", pipInstall
	path  string
	at    string // where in the file: ":12", or in Jupyter's format ", cell 3"
	tried bool   // an import that may fail
	name  bool   // a name that is imported from a package, and may be no module
}

const pipInstall = "%pip install -r"

var (
	// A path that is made of more than one text ("./" + name) is not known before it runs.
	notebookRun = whenNeeded(`dbutils\s*\.\s*notebook\s*\.\s*run\s*\(\s*(?:[^()"']*\bpath\s*=\s*)?[rRuU]?(?:"([^"\n]+)"|'([^'\n]+)')\s*[,)]`)
	importLine  = whenNeeded(`^\s*(?:import\s+(.+)|from\s+(\.*[\w.]*)\s+import\s+(.+))$`)
	opened      = whenNeeded(`^\s*from\s+\S+\s+import\s*\([^)]*$`)
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
			refs = append(refs, runs(strings.Split(cell.Source, "\n"), at)...)
		case "pip":
			refs = append(refs, installs(strings.Split(cell.Source, "\n"), at)...)
		case "", "python", "scala", "r":
			refs = append(refs, codeReferences(cell.Source, c.Language, at)...)
		}
	}
	return refs, nil
}

// runs are the notebooks that %run lines name.
func runs(lines []string, at func(line int) string) []reference {
	var refs []reference
	for i, line := range lines {
		if magicOf(line) != "run" {
			continue
		}
		target := runTarget(strings.TrimLeft(strings.TrimSpace(line), "%")[len("run"):])
		if target == "" && i+1 < len(lines) {
			target = runTarget(lines[i+1])
		}
		if target != "" {
			refs = append(refs, reference{how: "%run", path: target, at: at(i)})
		}
	}
	return refs
}

// runTarget is the notebook that a %run names: bare, or in quotes, then maybe arguments.
func runTarget(line string) string {
	line = strings.TrimSpace(line)
	if line != "" && strings.ContainsRune(`"'`, rune(line[0])) {
		target, _, _ := strings.Cut(line[1:], line[:1])
		return target
	}
	target, _, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	return target
}

func codeReferences(source, language string, at func(line int) string) []reference {
	if !strings.Contains(source, "import") && !strings.Contains(source, "dbutils") && !strings.Contains(source, "%") {
		return nil // nothing below finds anything then, and most cells are so
	}
	python := language == "python" || language == ""
	if python {
		source = withoutProse(source)
	}
	lines := strings.Split(strings.ReplaceAll(source, "\r", ""), "\n")
	for i, line := range lines {
		if t := strings.TrimSpace(line); !python && (strings.HasPrefix(t, "#") || strings.HasPrefix(t, "//")) {
			lines[i] = ""
		}
	}
	refs := append(runs(lines, at), installs(lines, at)...)
	code := strings.Join(lines, "\n")
	var called [][]int
	if strings.Contains(code, "dbutils") {
		called = notebookRun().FindAllStringSubmatchIndex(code, -1)
	}
	for _, m := range called {
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
		t := strings.TrimSpace(line)
		if t == "" {
			continue
		}
		if strings.Contains(t, "import") {
			for j := i + 1; opened().MatchString(line) && j < len(lines); j++ {
				line = strings.TrimRight(line, " \t") + " " + strings.TrimSpace(lines[j])
			}
			for statement := range strings.SplitSeq(line, ";") {
				for _, r := range imports(statement) {
					r.at, r.tried = at(i), before == "try:"
					refs = append(refs, r)
				}
			}
		}
		before = t
	}
	return refs
}

// withoutProse leaves Python's comments out, and its texts in three quotes, which are prose as a rule, but for their
// line ends.
func withoutProse(source string) string {
	var out strings.Builder
	out.Grow(len(source))
	quote := "" // of the text that we are in
	for i := 0; i < len(source); {
		rest := source[i:]
		n, shown := 1, true
		switch next := strings.IndexAny(rest, turns(quote)); {
		case next != 0:
			if n, shown = next, len(quote) < 3; n < 0 {
				n = len(rest)
			}
		case quote == "" && (strings.HasPrefix(rest, `"""`) || strings.HasPrefix(rest, "'''")):
			quote, n, shown = rest[:3], 3, false
		case quote == "" && (rest[0] == '"' || rest[0] == '\''):
			quote = rest[:1]
		case quote == "" && rest[0] == '#':
			if n, shown = strings.IndexByte(rest, '\n'), false; n < 0 {
				n = len(rest)
			}
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

// turns are the characters at which Python's code, or a text in it, may become something else.
func turns(quote string) string {
	switch quote {
	case "":
		return `"'#`
	case `"`, `"""`:
		return "\"\\\n"
	}
	return "'\\\n"
}

// imports are the modules that a statement of Python imports; names imported from a package may be modules themselves.
func imports(line string) []reference {
	m := importLine().FindStringSubmatch(strings.TrimRight(line, " \t\r"))
	if m == nil {
		return nil
	}
	var refs []reference
	list := func(prefix, names string, name bool) {
		for one := range strings.SplitSeq(names, ",") {
			if fields := strings.Fields(strings.Trim(one, `()\`)); len(fields) > 0 && fields[0] != "*" {
				refs = append(refs, reference{how: "import", path: prefix + fields[0], name: name})
			}
		}
	}
	if m[1] != "" {
		list("", m[1], false)
		return refs
	}
	prefix := m[2]
	if strings.Trim(prefix, ".") == "" {
		refs = append(refs, reference{how: "import", path: prefix, name: true})
	} else {
		refs = append(refs, reference{how: "import", path: prefix})
		prefix += "."
	}
	list(prefix, m[3], true)
	return refs
}
