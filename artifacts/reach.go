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
// dbutils.notebook.run with a literal path), modules that it imports, and requirements files that it installs.
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
// external; a module that is not there is a library, unless its import begins with a dot or with a package that is there.
func graph(files []File, refs map[string][]reference, external []string) (Graph, []*referenceError) {
	g := Graph{brings: map[string][]string{}, objects: map[string]string{}}
	plain := map[string]bool{}
	for _, f := range files {
		if f.Kind == Notebook {
			g.objects[f.Object()] = f.Path
		} else {
			plain[f.Path] = true
		}
	}
	type answer struct {
		found []string
		err   error
	}
	known := map[asked]answer{} // files of one folder ask for much the same
	var problems []*referenceError
	for _, f := range files {
		var to []string
		for _, r := range refs[f.Path] {
			question := asked{path.Dir(f.Path), r}
			question.at = ""
			a, ok := known[question]
			if !ok {
				a.found, a.err = g.resolve(f.Path, r, plain)
				known[question] = a
			}
			found, err := a.found, a.err
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

// asked is a reference as files of one folder make it.
type asked struct {
	folder string
	reference
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
	switch r.how {
	case "import":
		return g.modules(from, r, plain)
	case pipInstall:
		return installed(from, r, plain)
	}
	target, err := g.notebook(from, r)
	if err != nil {
		return nil, err
	}
	return []string{target}, nil
}

// installed are the files that pip may be told to install from. Where a notebook is run by another one, paths count from
// that one: the file may stand in any folder. What ships as config is not among the notebooks' files.
func installed(from string, r reference, plain map[string]bool) ([]string, error) {
	at := path.Join(path.Dir(from), r.path)
	if plain[at] {
		return []string{at}, nil
	}
	if strings.HasPrefix(at, "conf/") {
		return nil, nil
	}
	var found []string
	below := "/" + strings.TrimLeft(path.Clean(r.path), "./")
	for p := range plain {
		if strings.HasSuffix("/"+p, below) {
			found = append(found, p)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	return nil, fmt.Errorf("%s %s finds no file %s in the artifact%s: widen notebooks.include, or name what it installs in compute.libraries",
		r.how, r.path, at, didYouMean(at, slices.Sorted(maps.Keys(plain))))
}

// sources are the folders above a file that are called src: notebooks put them on Python's path.
func sources(from string) []string {
	var dirs []string
	for dir := path.Dir(from); ; dir = path.Dir(dir) {
		dirs = append(dirs, path.Join(dir, "src"))
		if dir == "." || dir == "/" {
			return dirs
		}
	}
}

// modules are the files that an import means. It looks beside the importer, at the root of the notebooks' folder, and in
// folders called src above the importer.
func (g Graph) modules(from string, r reference, plain map[string]bool) ([]string, error) {
	dirs, module, relative := append([]string{path.Dir(from), "."}, sources(from)...), r.path, strings.HasPrefix(r.path, ".")
	if relative {
		dir, rest := packageOf(from, r.path)
		dirs, module = []string{dir}, rest
	}
	var all imported
	notebook := ""
	for _, dir := range dirs {
		i := look(dir, module, plain)
		i.within = i.within || relative && plain[path.Join(dir, "__init__.py")]
		all.add(i)
		if _, ok := g.objects[i.at]; ok && !i.whole {
			notebook = i.at
		}
	}
	elsewhere := !relative && !all.within
	if r.name { // it is a module for sure where its package has no __init__.py, and is there itself
		elsewhere = !relative || all.within || !isPackage(path.Dir(all.at), plain)
	}
	switch {
	case all.whole, r.tried, elsewhere && notebook == "", isPackage(all.at, plain):
		return all.files, nil
	case notebook != "":
		return all.files, &importError{r.path, notebook, elsewhere}
	}
	return nil, fmt.Errorf("import of %s finds no module %s.py in the artifact%s: add it, widen notebooks.include, or declare it in notebooks.external",
		r.path, all.at, didYouMean(all.at+".py", slices.Sorted(maps.Keys(plain))))
}

// importError is the import of a notebook.
type importError struct {
	module, notebook string
	maybe            bool // a library may be meant
}

func (e *importError) Error() string {
	return fmt.Sprintf("import of %s finds the notebook %s, and Databricks imports no notebooks: run it with %%run, or take its first line away, which makes it a module",
		e.module, e.notebook)
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
	return path.Join(path.Dir(from), strings.Repeat("../", max(0, len(module)-len(rest)-1))), rest
}

// imported is what an import finds: in a folder, or in all that it looks in.
type imported struct {
	at     string   // what it asks for, without an extension
	files  []string // modules, and the __init__.py of packages on the way to them
	whole  bool     // what it asks for is there
	within bool     // a module or package that it begins with is there, so that Python looks nowhere else
}

func (i *imported) add(other imported) {
	if i.at == "" || other.within && !i.within {
		i.at = other.at
	}
	i.files, i.whole, i.within = append(i.files, other.files...), i.whole || other.whole, i.within || other.within
}

// look finds a module by its dotted name below a folder; "" is the folder itself.
func look(dir, module string, plain map[string]bool) imported {
	i := imported{at: dir, whole: module == ""}
	if file := path.Join(dir, "__init__.py"); i.whole && plain[file] {
		i.files = append(i.files, file)
	}
	for rest := module; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, ".")
		i.at, i.whole = path.Join(i.at, part), false
		for _, p := range []string{i.at + ".py", i.at + "/__init__.py"} {
			if plain[p] {
				i.files, i.whole = append(i.files, p), true
			}
		}
		i.within = i.within || i.whole && rest != ""
	}
	return i
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
