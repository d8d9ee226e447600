package artifacts

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
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

// graph resolves references among files. What is asked for and is not there is a problem, unless it is declared
// external; a module that is not there is a library, if its import does not begin with a dot.
func graph(files []File, refs map[string][]reference, external []string) (Graph, []error) {
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
			found, err := g.resolve(f.Path, r, plain)
			if err != nil && !r.declared(f.Path, external) {
				problems = append(problems, &referenceError{f.Path, r.at, err})
			}
			to = append(to, found...)
		}
		slices.Sort(to)
		g.brings[f.Path] = slices.Compact(to)
	}
	return g, problems
}

// referenceError says where a file asks for something that is not there.
type referenceError struct {
	path, at string
	err      error
}

func (e *referenceError) Error() string { return e.path + e.at + ": " + e.err.Error() }
func (e *referenceError) Unwrap() error { return e.err }

// declared says whether a pattern of notebooks.external means what is asked for: an absolute path, or one in the
// notebooks' folder.
func (r reference) declared(from string, external []string) bool {
	at := r.path
	switch {
	case r.how == "import":
		dir, module := packageOf(from, r.path)
		at = path.Join(dir, strings.ReplaceAll(module, ".", "/"))
	case !strings.HasPrefix(at, "/"):
		at = path.Join(path.Dir(from), at)
	}
	return slices.ContainsFunc(external, func(pattern string) bool { return doublestar.MatchUnvalidated(pattern, at) })
}

// resolve gives the files that a reference means.
func (g Graph) resolve(from string, r reference, plain map[string]bool) ([]string, error) {
	if r.how != "import" {
		target, err := g.notebook(from, r)
		if err != nil {
			return nil, err
		}
		return []string{target}, nil
	}
	found := modules(from, r.path, plain)
	if len(found) > 0 || r.maybe || !strings.HasPrefix(r.path, ".") {
		return found, nil
	}
	dir, module := packageOf(from, r.path)
	at := path.Join(dir, strings.ReplaceAll(module, ".", "/"))
	if isPackage(at, plain) {
		return nil, nil
	}
	return nil, fmt.Errorf("import of %s finds no module %s.py in the artifact%s: add it, widen notebooks.include, or declare it in notebooks.external",
		r.path, at, didYouMean(at+".py", slices.Sorted(maps.Keys(plain))))
}

// isPackage says whether a folder of the artifact has modules: that it has no __init__.py matters not.
func isPackage(dir string, plain map[string]bool) bool {
	for p := range plain {
		if dir == "." || strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return false
}

func (g Graph) notebook(from string, r reference) (string, error) {
	if strings.HasPrefix(r.path, "/") {
		return "", fmt.Errorf("%s %s leaves the artifact, so that what runs could change behind its back: bring that notebook into the project and name it by a relative path, or declare it in notebooks.external",
			r.how, r.path)
	}
	at := path.Join(path.Dir(from), r.path)
	if p, ok := g.objects[at]; ok {
		return p, nil
	}
	bare := strings.TrimSuffix(at, path.Ext(at))
	if p, ok := g.objects[bare]; ok && p == at {
		return "", fmt.Errorf("%s %s names the file: on Databricks a notebook has no extension: write %s", r.how, r.path, strings.TrimSuffix(r.path, path.Ext(r.path)))
	}
	return "", fmt.Errorf("%s %s finds no notebook %s in the artifact%s: add it, widen notebooks.include, or declare it in notebooks.external",
		r.how, r.path, at, didYouMean(at, slices.Sorted(maps.Keys(g.objects))))
}

// packageOf is the folder in which an import with dots before it looks, and what it looks for there.
func packageOf(from, module string) (dir, rest string) {
	rest = strings.TrimLeft(module, ".")
	return path.Join(path.Dir(from), strings.Repeat("../", len(module)-len(rest)-1)), rest
}

// modules are the files that an import means: a module or a package's __init__.py, looked for beside the importer and
// at the root of the notebooks' folder.
func modules(from, module string, plain map[string]bool) []string {
	dirs := []string{path.Dir(from), "."}
	if strings.HasPrefix(module, ".") {
		dir, rest := packageOf(from, module)
		dirs, module = []string{dir}, rest
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
	g, _ := graph(a.Manifest.Notebooks, refs, nil) // what is external was said when it was built
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
