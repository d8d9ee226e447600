package artifacts

import (
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Graph says which files of the notebooks' folder each one brings in: notebooks that it runs (%run, and
// dbutils.notebook.run with a literal path) and modules that it imports from beside it.
type Graph struct {
	brings  map[string][]string // by path in the manifest
	objects map[string]string   // a notebook's path, by its object path
}

// Reaches gives the paths of the files at these paths with all that they bring in, sorted. A notebook may be named by
// its object path; what the graph does not have is left out.
func (g Graph) Reaches(paths ...string) []string {
	seen := map[string]bool{}
	for queue := slices.Clone(paths); len(queue) > 0; {
		p := path.Clean(queue[len(queue)-1])
		queue = queue[:len(queue)-1]
		if file, ok := g.objects[p]; ok {
			p = file
		}
		if next, ok := g.brings[p]; ok && !seen[p] {
			seen[p] = true
			queue = append(queue, next...)
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// reference is what one file asks for, as it is written.
type reference struct {
	how  string // "%run", "dbutils.notebook.run", "import"
	path string
}

var (
	notebookRun = regexp.MustCompile(`dbutils\s*\.\s*notebook\s*\.\s*run\s*\(\s*(?:path\s*=\s*)?(?:"([^"\n]+)"|'([^'\n]+)')`)
	importLine  = regexp.MustCompile(`^\s*(?:import\s+(.+)|from\s+(\.*[\w.]*)\s+import\s+(.+))$`)
)

// references finds what a file brings in. Text cells and comments bring in nothing.
func references(c Content) ([]reference, error) {
	if c.Kind != Notebook && !strings.HasSuffix(c.Path, ".py") {
		return nil, nil
	}
	cells, err := Cells(c)
	if err != nil {
		return nil, err
	}
	var refs []reference
	for _, cell := range cells {
		switch cell.Magic {
		case "run":
			first, _, _ := strings.Cut(cell.Source, "\n")
			if target := runTarget(first); target != "" {
				refs = append(refs, reference{"%run", target})
			}
		case "", "python", "scala", "r":
			refs = append(refs, codeReferences(cell.Source, c.Language)...)
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

func codeReferences(source, language string) []reference {
	var code []string
	for line := range strings.SplitSeq(source, "\n") {
		if t := strings.TrimSpace(line); !strings.HasPrefix(t, "#") && !strings.HasPrefix(t, "//") {
			code = append(code, line)
		}
	}
	var refs []reference
	for _, m := range notebookRun.FindAllStringSubmatch(strings.Join(code, "\n"), -1) {
		refs = append(refs, reference{"dbutils.notebook.run", m[1] + m[2]})
	}
	if language != "python" && language != "" {
		return refs
	}
	for _, line := range code {
		refs = append(refs, imports(line)...)
	}
	return refs
}

// imports are the modules that a line of Python imports; names imported from a package may be modules themselves.
func imports(line string) []reference {
	line, _, _ = strings.Cut(line, "#")
	m := importLine.FindStringSubmatch(strings.TrimRight(line, " \t\r"))
	if m == nil {
		return nil
	}
	var refs []reference
	list := func(prefix, names string) {
		for name := range strings.SplitSeq(strings.Trim(names, "( )"), ",") {
			if fields := strings.Fields(name); len(fields) > 0 {
				refs = append(refs, reference{"import", prefix + fields[0]})
			}
		}
	}
	if m[1] != "" {
		list("", m[1])
		return refs
	}
	refs = append(refs, reference{"import", m[2]})
	list(strings.TrimSuffix(m[2], ".")+".", m[3])
	return refs
}

// graph resolves references among files. A notebook that is run and is not there is a problem; an import that is not
// there is a library.
func graph(files []File, refs map[string][]reference) (Graph, []error) {
	g := Graph{brings: map[string][]string{}, objects: map[string]string{}}
	plain := map[string]bool{}
	for _, f := range files {
		if f.Kind == Notebook {
			g.objects[f.Object()] = f.Path
		} else {
			plain[f.Path] = true
		}
	}
	var problems []error
	for _, f := range files {
		var to []string
		for _, r := range refs[f.Path] {
			if r.how == "import" {
				to = append(to, modules(f.Path, r.path, plain)...)
				continue
			}
			target, err := notebookTarget(f.Path, r, g.objects)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", f.Path, err))
			} else if target != "" {
				to = append(to, target)
			}
		}
		slices.Sort(to)
		g.brings[f.Path] = slices.Compact(to)
	}
	return g, problems
}

func notebookTarget(from string, r reference, objects map[string]string) (string, error) {
	if strings.HasPrefix(r.path, "/") {
		if r.how == "%run" {
			return "", fmt.Errorf("%%run %s leaves the artifact, so that what runs could change behind its back: bring that notebook into the project and name it by a relative path", r.path)
		}
		return "", nil // a job of somebody else's, started and not included
	}
	at := path.Join(path.Dir(from), r.path)
	if p, ok := objects[at]; ok {
		return p, nil
	}
	bare := strings.TrimSuffix(at, path.Ext(at))
	if p, ok := objects[bare]; ok && p == at {
		return "", fmt.Errorf("%s %s names the file: on Databricks a notebook has no extension: write %s", r.how, r.path, strings.TrimSuffix(r.path, path.Ext(r.path)))
	}
	return "", fmt.Errorf("%s %s finds no notebook %s in the artifact%s: add it, or widen notebooks.include", r.how, r.path, at,
		didYouMean(at, slices.Collect(maps.Keys(objects))))
}

// modules are the files that an import means: a module or a package's __init__.py, looked for beside the importer and
// at the root of the notebooks' folder.
func modules(from, module string, plain map[string]bool) []string {
	dirs := []string{path.Dir(from), "."}
	if dots := len(module) - len(strings.TrimLeft(module, ".")); dots > 0 {
		dirs = []string{path.Join(path.Dir(from), strings.Repeat("../", dots-1))}
		module = module[dots:]
	}
	var found []string
	for _, dir := range dirs {
		parts := strings.Split(module, ".")
		for i := range parts {
			at := path.Join(dir, path.Join(parts[:i+1]...))
			for _, p := range []string{at + ".py", at + "/__init__.py"} {
				if plain[p] {
					found = append(found, p)
				}
			}
		}
	}
	return found
}

// Graph reads the notebooks of the artifact and says which brings in which.
func (a *Artifact) Graph(ctx context.Context) (Graph, error) {
	refs := map[string][]reference{}
	for c, err := range a.Notebooks(ctx) {
		if err != nil {
			return Graph{}, err
		}
		if refs[c.Path], err = references(c); err != nil {
			return Graph{}, fmt.Errorf("%s: %w", c.Path, err)
		}
	}
	g, _ := graph(a.Manifest.Notebooks, refs)
	return g, nil
}

// NotebookDigest is the digest of a notebook with all it brings in: of the folder of just these files.
func (g Graph) NotebookDigest(m Manifest, notebook string) (string, error) {
	f, ok := m.Notebook(notebook)
	if !ok {
		return "", fmt.Errorf("the artifact has no notebook %s%s", notebook, didYouMean(notebook, m.objects()))
	}
	return FolderDigest(pick(m.Notebooks, g.Reaches(f.Path))), nil
}

// pick are the files at these paths, in the order of files.
func pick(files []File, paths []string) []File {
	var out []File
	for _, f := range files {
		if slices.Contains(paths, f.Path) {
			out = append(out, f)
		}
	}
	return out
}

func (m Manifest) objects() []string {
	var out []string
	for _, f := range m.Notebooks {
		out = append(out, f.Object())
	}
	return out
}
