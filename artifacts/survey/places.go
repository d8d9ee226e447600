package survey

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var importOf = regexp.MustCompile(`(?m)^\s*(?:from|import)\s+([A-Za-z_]\w*)`)

// proposeFiles says which folder ships, and what of it.
func (s *Survey) proposeFiles(p *Proposal) {
	if len(s.Notebooks) == 0 {
		return
	}
	own, shared := "", []string{}
	for _, n := range s.Notebooks {
		at := path.Join(s.Below, path.Dir(n.Path))
		if strings.HasPrefix(n.Path, "../") {
			shared = with(shared, at)
			continue
		}
		own = s.common(own, at)
	}
	why := fmt.Sprintf("all %d of them stand below it", len(s.Notebooks))
	alone := own
	own = s.common(s.common(own, s.modules()), s.beyond())
	if own != alone {
		why += ", and what they bring in"
	}
	all := own
	for _, at := range shared {
		all = s.common(all, at)
	}
	p.from = s.relative(all)
	if len(shared) > 0 {
		for _, at := range append([]string{own}, shared...) {
			p.include = with(p.include, path.Join(strings.TrimPrefix(strings.TrimPrefix(at, all), "/"), "**/*.{py,ipynb,sql,scala,r,R}"))
		}
		p.guess("notebooks", p.from, "the folder's own, and what they bring in by %run from "+strings.Join(shared, ", "))
	} else {
		p.guess("notebooks", p.from, why)
		s.excludes(p)
	}
	s.includeRequirements(p)
	s.externals(p)
	s.proposeConfig(p)
	s.astray(p)
}

// common is the folder that holds both; "" stands for none yet.
func (s *Survey) common(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	n := 0
	for n < len(x) && n < len(y) && x[n] == y[n] {
		n++
	}
	if n == 0 {
		return "."
	}
	return strings.Join(x[:n], "/")
}

// relative gives a folder of the repository as seen from the survey's.
func (s *Survey) relative(at string) string {
	up := ""
	for base := s.Below; base != "" && base != "."; base = path.Dir(base) {
		if at == base {
			return path.Clean("./" + up)
		}
		if rest, ok := strings.CutPrefix(at, base+"/"); ok {
			return path.Join(up, rest)
		}
		up = path.Join(up, "..")
	}
	return path.Join(up, at)
}

// modules is the nearest folder that holds the Python modules which notebooks import and which do not stand beside
// them; "" when there are none.
func (s *Survey) modules() string {
	found := ""
	for _, n := range s.Notebooks {
		for _, m := range importOf.FindAllStringSubmatch(n.text, -1) {
			for dir := path.Dir(n.Path); ; dir = path.Dir(dir) {
				if s.hasModule(path.Join(dir, m[1])) || s.hasModule(path.Join(dir, "src", m[1])) {
					found = s.common(found, path.Join(s.Below, dir))
					break
				}
				if dir == "." || strings.HasPrefix(dir, "..") {
					break
				}
			}
		}
	}
	return found
}

func (s *Survey) hasModule(at string) bool {
	return slices.ContainsFunc(s.Files, func(f string) bool {
		return f == at+".py" || strings.HasPrefix(f, at+"/") && strings.HasSuffix(f, ".py")
	})
}

// leftAside are folders and files beside notebooks that hardly ever ship.
var leftAside = []string{"tests", "test", "scratch", "sandbox", "archive", "old", "experiments", "exploration", "drafts", "setup.py", "conftest.py", "noxfile.py"}

func (s *Survey) excludes(p *Proposal) {
	prefix := ""
	if p.from != "." {
		prefix = p.from + "/"
	}
	var used []string
	for _, m := range p.Models {
		for _, r := range []Run{m.Train, m.Gate, m.Score} {
			if r.nb != nil {
				used = append(used, s.reach(r.nb, map[string]bool{})...)
			}
		}
	}
	for _, name := range leftAside {
		below := func(f string) bool { return f == prefix+name || strings.HasPrefix(f, prefix+name+"/") }
		code := func(f string) bool {
			return below(f) && slices.Contains([]string{".py", ".ipynb", ".sql"}, path.Ext(f))
		}
		if !slices.ContainsFunc(s.Files, code) || slices.ContainsFunc(used, below) {
			continue
		}
		pattern := name
		if path.Ext(name) == "" {
			pattern += "/**"
		}
		p.exclude = append(p.exclude, pattern)
	}
	if len(p.exclude) > 0 {
		p.guess("left out", strings.Join(p.exclude, ", "), "what seldom ships")
	}
}

// reach are the paths of a notebook and of all that it brings in by %run.
func (s *Survey) reach(n *Notebook, seen map[string]bool) []string {
	if seen[n.Path] {
		return nil
	}
	seen[n.Path] = true
	all := []string{n.Path}
	for _, target := range n.Runs {
		if next := s.Notebook(path.Join(path.Dir(n.Path), target)); next != nil {
			all = append(all, s.reach(next, seen)...)
		}
	}
	return all
}

// externals declares what notebooks run by an absolute path, and tells of what is missing.
func (s *Survey) externals(p *Proposal) {
	for _, n := range s.Notebooks {
		for _, target := range n.Runs {
			switch {
			case path.IsAbs(target):
				p.external = with(p.external, target)
			case s.Notebook(path.Join(path.Dir(n.Path), target)) == nil:
				p.ToDo = append(p.ToDo, fmt.Sprintf("%s runs %s, which is not here: barge build refuses that", n.Path, target))
			}
		}
	}
	if len(p.external) > 0 {
		p.guess("external", strings.Join(p.external, ", "), "run by an absolute path: what stands there can change behind a release's back")
	}
}

func (s *Survey) proposeConfig(p *Proposal) {
	for _, dir := range []string{"conf", "config", "configs"} {
		if slices.ContainsFunc(s.Files, func(f string) bool {
			return strings.HasPrefix(f, dir+"/") && slices.Contains([]string{".yml", ".yaml", ".json", ".toml", ".ini"}, path.Ext(f))
		}) {
			p.config = dir
			p.guess("config", dir, "it holds configuration files")
			return
		}
	}
}

// configOf is the config file named after an environment; "" when there is none.
func (p *Proposal) configOf(files []string, environment string) string {
	for _, extension := range []string{".yml", ".yaml", ".json"} {
		if at := path.Join(p.config, environment+extension); p.config != "" && slices.Contains(files, at) {
			return at
		}
	}
	return ""
}

// ordinaryCompute is what is written where nothing here says what to run on.
var ordinaryCompute = Cluster{Spark: "15.4.x-cpu-ml-scala2.12", Node: "Standard_DS3_v2", Workers: 1}

func (s *Survey) proposeCompute(p *Proposal) {
	p.compute, p.pins = ordinaryCompute, s.Pinned
	for _, m := range p.Models {
		for _, r := range []Run{m.Train, m.Score, m.Gate} {
			if j := s.Bundle.job(r.Notebook); r.Notebook != "" && j != nil && j.Cluster != nil {
				p.compute = *j.Cluster
				p.guess("compute", strings.TrimSpace(p.compute.Spark+" "+p.compute.Node+p.compute.Existing), "job "+j.Name+" in "+j.File)
				return
			}
		}
	}
	p.guess("compute", p.compute.Spark+" "+p.compute.Node, "the usual one: change it to what your workspace has")
}

// toDo is what the notebooks do not do yet for the contract between them and barge.
func (s *Survey) toDo(p *Proposal) {
	for _, m := range p.Models {
		p.trainToDo(m)
		uri := "barge_model_" + m.folded() + "_uri"
		for _, r := range []Run{m.Gate, m.Score} {
			if r.nb == nil || strings.Contains(r.nb.text, uri) {
				continue
			}
			what := "load the version that it is told: mlflow.pyfunc.load_model(dbutils.widgets.get(%q))"
			if m.Path != "" {
				what = "load the file that it is told: its path is dbutils.widgets.get(%q)"
			}
			p.ToDo = append(p.ToDo, r.nb.Path+": "+fmt.Sprintf(what, uri))
		}
		if m.Gate.nb != nil && !m.Gate.nb.Answers {
			p.ToDo = append(p.ToDo, fmt.Sprintf(`%s: end with what it measured: dbutils.notebook.exit(json.dumps({"models": {%q: {"version": dbutils.widgets.get("barge_model_%s_version")}}, "metrics": {%q: …}}))`,
				m.Gate.nb.Path, m.Label, m.folded(), m.Gate.metric()))
		}
		if m.Gate.nb == nil {
			p.ToDo = append(p.ToDo, fmt.Sprintf("no notebook here tests %s: write one and add a gate, or --gate names it; until then anything goes through", m.Label))
		}
		for _, r := range []Run{m.Train, m.Gate, m.Score} {
			if len(r.Unset) > 0 {
				p.ToDo = append(p.ToDo, fmt.Sprintf("%s reads the widgets %s: fill in their values in barge.hcl", r.nb.Path, strings.Join(r.Unset, ", ")))
			}
		}
	}
	if len(p.Models) == 0 {
		p.ToDo = append(p.ToDo, "no model was found: --model names one, or add an artifact.model block")
	}
}

func (p *Proposal) trainToDo(m Model) {
	if strings.Contains(m.Name, ".") {
		p.ToDo = append(p.ToDo, fmt.Sprintf("%s is a model in Unity Catalog, which barge does not serve yet: it is to be registered in the workspace registry, as %q", m.Name, m.Label))
	}
	if m.Train.nb == nil {
		return
	}
	registry := "barge_model_" + m.folded() + "_registry"
	if !slices.Contains(m.Train.nb.Told, registry) {
		p.ToDo = append(p.ToDo, fmt.Sprintf("%s: register where it is told: mlflow.set_registry_uri(dbutils.widgets.get(%q))", m.Train.nb.Path, registry))
	}
	if !m.Train.nb.Answers {
		p.ToDo = append(p.ToDo, fmt.Sprintf(`%s: end with what it registered: dbutils.notebook.exit(json.dumps({"models": {%q: {"version": …}}}))`, m.Train.nb.Path, m.Label))
	}
}

// ParsePlace reads ENV=URL; a path at the end of the address, as browsers show it, is left out.
func ParsePlace(text string) (Place, error) {
	name, host, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return Place{}, errors.New("write ENV=URL")
	}
	if name != Label(name) {
		return Place{}, fmt.Errorf("%q is no name of an environment: write %q", name, Label(name))
	}
	if host == "" {
		return Place{Name: name}, nil
	}
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	u, err := url.Parse(host)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" {
		return Place{}, errors.New("is no address of a workspace: write https://HOST")
	}
	return Place{Name: name, Host: "https://" + u.Host}, nil
}

// StoreFrom gives the address of a store in a folder as it is written in another project's folder.
func StoreFrom(store, dir, here string) string {
	at, local := strings.CutPrefix(store, "oci-layout:")
	if !local || filepath.IsAbs(at) {
		return store
	}
	rel, err := filepath.Rel(here, filepath.Join(dir, at))
	if err != nil {
		rel = filepath.Join(dir, at)
	}
	return "oci-layout:" + filepath.ToSlash(rel)
}
