package survey

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	pipFile = regexp.MustCompile(`(?m)^\s*%pip\s+install\b.*?(?:-r\s*|--requirement[= ])["']?([^\s"']+)`)
	upward  = regexp.MustCompile(`["']((?:\.\./)+[^"'\s{}]+)["']`)
	shipped = []string{".py", ".yml", ".yaml", ".json", ".toml", ".ini"}
)

// readBeyond notes the files that a notebook names beside its code: those above its folder, and what pip installs from.
func (n *Notebook) readBeyond(pip string) {
	for _, m := range pipFile.FindAllStringSubmatch(pip, -1) {
		n.Requirements = with(n.Requirements, m[1])
	}
	for _, m := range upward.FindAllStringSubmatch(n.text, -1) {
		n.Above = with(n.Above, m[1])
	}
}

// named is where a notebook's relative path leads in the survey's folder; "" where nothing of it is there.
func (s *Survey) named(n Notebook, target string) string {
	at := path.Join(path.Dir(n.Path), target)
	if path.IsAbs(target) || strings.HasPrefix(n.Path, "../") {
		return ""
	}
	if !slices.ContainsFunc(s.Files, func(f string) bool { return f == at || strings.HasPrefix(f, at+"/") }) {
		return ""
	}
	return at
}

// beyond is the nearest folder that holds what notebooks name outside of their own folders and what can ship; "" where
// they name nothing.
func (s *Survey) beyond() string {
	found := ""
	for _, n := range s.Notebooks {
		for _, target := range n.Requirements {
			if at := s.named(n, target); at != "" {
				found = s.common(found, path.Join(s.Below, path.Dir(at)))
			}
		}
		for _, target := range n.Above {
			at := s.named(n, target)
			ships := func(f string) bool {
				return (f == at || strings.HasPrefix(f, at+"/")) && slices.Contains(shipped, path.Ext(f))
			}
			if at != "" && slices.ContainsFunc(s.Files, ships) {
				found = s.common(found, path.Join(s.Below, path.Dir(at)))
			}
		}
	}
	return found
}

// includeRequirements has requirements files ship that notebooks install from.
func (s *Survey) includeRequirements(p *Proposal) {
	var files []string
	for _, n := range s.Notebooks {
		for _, target := range n.Requirements {
			switch at := s.named(n, target); {
			case at == "":
			case strings.HasPrefix(p.from, ".."):
				files = with(files, "**/"+path.Base(at))
			default:
				files = with(files, strings.TrimPrefix(at, strings.TrimPrefix(p.from+"/", "./")))
			}
		}
	}
	if len(files) == 0 {
		return
	}
	if len(p.include) == 0 {
		p.include = []string{"**/*.{py,ipynb,sql,scala,r,R}"}
	}
	p.include = append(p.include, files...)
	p.guess("included", strings.Join(files, ", "), "installed by %pip")
}

// astray tells of files that notebooks name and that do not stand there in a release.
func (s *Survey) astray(p *Proposal) {
	for _, n := range s.Notebooks {
		for _, target := range n.Above {
			at := s.named(n, target)
			inConfig := p.config == "conf" && (at == "conf" || strings.HasPrefix(at, "conf/")) && p.from == "."
			switch {
			case at == "" || inConfig || s.hasModule(at) || path.Ext(at) == ".py":
			case p.config != "" && strings.HasPrefix(at, p.config+"/"):
				p.ToDo = append(p.ToDo, fmt.Sprintf("%s reads %s: in a release it stands at conf%s; deploy.config names it, and the widget barge_config says where it is",
					n.Path, target, strings.TrimPrefix(at, p.config)))
			default:
				p.ToDo = append(p.ToDo, fmt.Sprintf("%s names %s, which does not ship: put data where every workspace has it, and configuration into a folder that config.from names", n.Path, target))
			}
		}
	}
}
