// Package survey looks at a repository that has no barge.hcl yet: which notebooks it has and what each seems to be for,
// which models they register, what a Databricks bundle says of workspaces and jobs. Looking is offline, changes
// nothing, and guesses: every guess says where it was read. Write makes a first barge.hcl of it.
package survey

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/bargeml/barge/artifacts"
)

const (
	largest = 10 << 20 // bytes of one file that is read
	most    = 20000    // files that are looked at
)

// Survey is what a folder holds. Paths are relative to it, with slashes; those of shared notebooks outside begin with
// "../".
type Survey struct {
	Dir       string     `json:"-"`
	Below     string     `json:"below,omitempty"` // the folder's own path in its git repository; "": its root, or no repository
	Git       bool       `json:"git"`
	Ignored   bool       `json:"ignored"` // .gitignore has .barge/
	Notebooks []Notebook `json:"notebooks"`
	Files     []string   `json:"-"` // all of them
	Pickles   []string   `json:"pickles,omitempty"`
	Bundle    *Bundle    `json:"bundle,omitempty"`
	Pinned    []string   `json:"requirements,omitempty"` // exact versions of requirements.txt
	Pipelines []string   `json:"pipelines,omitempty"`
	Notes     []string   `json:"notes,omitempty"` // what could not be read, or was left out
}

// skipped are folders that hold nothing of the project's own.
var skipped = []string{"node_modules", "venv", "env", "__pycache__", "site-packages", "build", "dist", "target", "mlruns"}

// Look surveys a folder of the working tree.
func Look(dir string) (*Survey, error) {
	s := &Survey{Dir: dir, Notebooks: []Notebook{}}
	if root, below := repositoryOf(dir); root != "" {
		s.Git, s.Below = true, below
		s.Ignored = ignores(filepath.Join(root, ".gitignore")) || ignores(filepath.Join(dir, ".gitignore"))
	}
	if err := s.list(); err != nil {
		return nil, fmt.Errorf("looking at %s: %w", dir, err)
	}
	for _, file := range s.Files {
		s.file(file)
	}
	s.follow()
	s.readBundle()
	slices.SortFunc(s.Notebooks, func(a, b Notebook) int { return cmp.Compare(a.Path, b.Path) })
	return s, nil
}

// repositoryOf finds the git repository around a folder.
func repositoryOf(dir string) (root, below string) {
	for root = dir; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, ".git")); err == nil {
			rel, err := filepath.Rel(root, dir)
			if err != nil || rel == "." {
				rel = ""
			}
			return root, filepath.ToSlash(rel)
		}
		if root == filepath.Dir(root) {
			return "", ""
		}
	}
}

func ignores(gitignore string) bool {
	b, err := os.ReadFile(gitignore)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if strings.Trim(strings.TrimSpace(line), "/") == ".barge" {
			return true
		}
	}
	return false
}

// list gathers the files of the folder; what begins with a dot is left out but for pipelines.
func (s *Survey) list() error {
	return filepath.WalkDir(s.Dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrPermission) && file != s.Dir {
				s.Notes = append(s.Notes, err.Error())
				return fs.SkipDir
			}
			return err
		}
		rel, err := filepath.Rel(s.Dir, file)
		if err != nil || rel == "." {
			return err
		}
		rel = filepath.ToSlash(rel)
		hidden := strings.HasPrefix(d.Name(), ".") && d.Name() != ".github" && d.Name() != ".azure-pipelines"
		switch {
		case d.IsDir() && (hidden || slices.Contains(skipped, d.Name())):
			return fs.SkipDir
		case d.IsDir() || !d.Type().IsRegular() || hidden:
			return nil
		case len(s.Files) == most:
			s.Notes = append(s.Notes, fmt.Sprintf("more than %d files: the rest was not looked at", most))
			return fs.SkipAll
		}
		s.Files = append(s.Files, rel)
		return nil
	})
}

// file looks at one file by its name, and into what may be a notebook.
func (s *Survey) file(at string) {
	base := path.Base(at)
	isPipeline, _ := doublestar.Match("{.github/workflows/*.{yml,yaml},.azure-pipelines/**/*.{yml,yaml},**/azure-pipelines*.{yml,yaml}}", at)
	switch extension := strings.ToLower(path.Ext(at)); {
	case isPipeline:
		s.Pipelines = append(s.Pipelines, at)
	case base == "requirements.txt":
		s.requirements(at)
	case slices.Contains([]string{".pkl", ".pickle", ".joblib", ".onnx"}, extension):
		s.Pickles = append(s.Pickles, at)
	case slices.Contains([]string{".py", ".sql", ".scala", ".r", ".ipynb"}, extension):
		n, is, err := s.readNotebook(at)
		if err != nil {
			s.Notes = append(s.Notes, err.Error())
		} else if is {
			s.Notebooks = append(s.Notebooks, n)
		}
	}
}

func (s *Survey) read(at string) ([]byte, error) {
	file := filepath.Join(s.Dir, filepath.FromSlash(at))
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > largest {
		return nil, fmt.Errorf("%s is larger than 10 MiB: it was not read", at)
	}
	return os.ReadFile(file)
}

// readNotebook reads a file, and tells whether it is a notebook, which its first line says.
func (s *Survey) readNotebook(at string) (Notebook, bool, error) {
	body, err := s.read(at)
	if err != nil {
		return Notebook{}, false, err
	}
	c, is, err := artifacts.AsNotebook(at, body)
	if err != nil {
		return Notebook{}, false, fmt.Errorf("%s: %w", at, err)
	}
	if !is {
		return Notebook{}, false, nil
	}
	n, err := notebookOf(c)
	return n, err == nil, err
}

// requirements keeps what requirements.txt pins exactly.
func (s *Survey) requirements(at string) {
	body, err := s.read(at)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(bytes.ToValidUTF8(body, nil))) {
		line, _, _ = strings.Cut(line, "#")
		line, _, _ = strings.Cut(line, ";")
		if line = strings.ReplaceAll(strings.TrimSpace(line), " ", ""); pinned.MatchString(line) && !slices.Contains(s.Pinned, line) {
			s.Pinned = append(s.Pinned, line)
		}
	}
}

// follow adds the notebooks outside of the folder, and within the repository, that those inside bring in by %run.
func (s *Survey) follow() {
	depth := 0
	if s.Below != "" {
		depth = strings.Count(s.Below, "/") + 1
	}
	for i := 0; i < len(s.Notebooks); i++ { // grows
		n := s.Notebooks[i]
		for _, target := range n.Runs {
			at := path.Join(path.Dir(n.Path), target)
			if path.IsAbs(target) || !strings.HasPrefix(at, "../") || strings.Count(at, "../") > depth || s.Notebook(at) != nil {
				continue
			}
			for _, extension := range []string{".py", ".ipynb", ".sql", ".scala", ".r", ".R"} {
				if shared, is, err := s.readNotebook(at + extension); err == nil && is {
					s.Notebooks = append(s.Notebooks, shared)
					break
				}
			}
		}
	}
}

// Notebook finds a notebook by its path, with or without the extension; nil when there is none.
func (s *Survey) Notebook(at string) *Notebook {
	for i := range s.Notebooks {
		if n := &s.Notebooks[i]; n.Path == at || n.Object() == at {
			return n
		}
	}
	return nil
}
