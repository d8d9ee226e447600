package artifacts

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/bargeml/barge/environments"
)

// Sources are the notebooks and config files of a commit as they would ship, before any model is known. Close them.
type Sources struct {
	NotebookFiles []File // sorted by path
	ConfigFiles   []File
	Calls         Graph
	Warnings      []string // what will ship, and may not work

	notebooks, config *spool
	pips              map[string][]string // what notebooks install, by path
}

// Pack takes the notebooks and config files of a project from a commit. Every file that cannot ship is named, with
// what to do about it.
func Pack(ctx context.Context, c *Commit, a *environments.Artifact) (*Sources, error) {
	return pack(ctx, c, a, "")
}

// pack is Pack with the folder for what is put aside; "" is that for temporary files.
func pack(ctx context.Context, c *Commit, a *environments.Artifact, aside string) (*Sources, error) {
	if a == nil {
		return nil, errors.New("barge.hcl has no artifact block: a deploy project takes its releases from the store by name")
	}
	if err := c.borrow(a.Notebooks); err != nil {
		return nil, err
	}
	folder, err := c.place(a.Notebooks.From)
	if err != nil {
		return nil, fmt.Errorf("notebooks.from: %w", err)
	}
	notebooks, err := c.matching(ctx, "notebooks.from", a.Notebooks.From, a.Notebooks.Includes(), a.Notebooks.Exclude)
	if err != nil {
		return nil, err
	}
	if err := c.unchanged(notebooks); err != nil {
		return nil, err
	}
	if len(notebooks) == 0 {
		return nil, fmt.Errorf("commit %.12s has no notebooks: nothing in %s matches include %q", c.Hash, orDot(a.Notebooks.From), a.Notebooks.Includes())
	}
	s := &Sources{pips: map[string][]string{}}
	refs := map[string][]reference{}
	s.notebooks, s.NotebookFiles, err = c.spool(ctx, notebooks, aside, func(p string, d demands) {
		refs[p] = d.refs
		if len(d.pips) > 0 {
			s.pips[p] = d.pips
		}
	})
	if err != nil {
		return nil, err
	}
	calls, unresolved := graph(s.NotebookFiles, refs, a.Notebooks.External)
	s.Calls = calls
	var problems []error
	for _, r := range unresolved {
		r.path = path.Join(folder, r.path)
		if notebook := (*importError)(nil); errors.As(r, &notebook) && notebook.maybe {
			s.Warnings = append(s.Warnings, r.Error())
		} else {
			problems = append(problems, r)
		}
	}
	stand := standing("", folder, s.NotebookFiles)
	if a.Config.From != "" {
		if folder, err = s.packConfig(ctx, c, a.Config.From, aside); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		stand = append(stand, standing("conf", folder, s.ConfigFiles)...)
	}
	if err := listProblems(append(collisions(stand), problems...)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// packConfig takes the config files, and gives their folder in the repository.
func (s *Sources) packConfig(ctx context.Context, c *Commit, from, aside string) (folder string, err error) {
	if folder, err = c.place(from); err != nil {
		return "", fmt.Errorf("config.from: %w", err)
	}
	config, err := c.matching(ctx, "config.from", from, []string{"**"}, nil)
	if err != nil {
		return "", err
	}
	if err := c.unchanged(config); err != nil {
		return "", err
	}
	s.config, s.ConfigFiles, err = c.spool(ctx, config, aside, nil)
	return folder, err
}

// Close removes what Pack has put aside. It is safe to repeat.
func (s *Sources) Close() error { return errors.Join(s.notebooks.Close(), s.config.Close()) }

// Notebooks yields the notebooks' folder in the order of NotebookFiles.
func (s *Sources) Notebooks(ctx context.Context) iter.Seq2[Content, error] {
	return s.notebooks.read(ctx, s.NotebookFiles)
}

// Config yields the config files in the order of ConfigFiles.
func (s *Sources) Config(ctx context.Context) iter.Seq2[Content, error] {
	return s.config.read(ctx, s.ConfigFiles)
}

// Graph says which file brings in which.
func (s *Sources) Graph(context.Context) (Graph, error) { return s.Calls, nil }

func orDot(p string) string {
	if p == "" {
		return "."
	}
	return p
}

// candidate is a file that is to ship under a path.
type candidate struct {
	as string
	entry
}

// matching lists the files below a folder whose path there matches a pattern, sorted.
func (c *Commit) matching(ctx context.Context, what, from string, include, exclude []string) ([]candidate, error) {
	root, err := c.place(from)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	for _, pattern := range append(slices.Clone(include), exclude...) {
		if !doublestar.ValidatePattern(pattern) {
			return nil, fmt.Errorf("notebooks: %q is no pattern: ** stands for folders, * for part of a name, {a,b} for either", pattern)
		}
		if e, ok, err := c.find(path.Join(root, pattern)); err != nil {
			return nil, err
		} else if ok && e.mode == filemode.Dir {
			return nil, fmt.Errorf("notebooks: %q is a folder, and patterns are of files: write %q", pattern, path.Join(pattern, "**"))
		}
	}
	matchesAny := func(patterns []string, p string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return doublestar.MatchUnvalidated(pattern, p) })
	}
	var found []candidate
	var take func(e entry) error
	take = func(e entry) error {
		as := e.path
		if root != "." {
			as = strings.TrimPrefix(e.path, root+"/")
		}
		if matchesAny(exclude, as) || e.path == root {
			return nil
		}
		if tree, ok, err := c.submodule(e); ok || err != nil {
			if err != nil {
				return err
			}
			return c.descend(ctx, tree, e.path, func(e entry) error {
				e.borrowed = true
				return take(e)
			})
		}
		hides, err := c.hidesFolder(e)
		if hides || matchesAny(include, as) {
			found = append(found, candidate{as, e})
		}
		return err
	}
	err = c.walk(ctx, root, take)
	if errors.Is(err, object.ErrDirectoryNotFound) {
		return nil, fmt.Errorf("%s: commit %.12s has no folder %s: is it committed?", what, c.Hash, root)
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b candidate) int { return strings.Compare(a.as, b.as) })
	c.lfs.expect(found)
	return found, c.repo.bring(found)
}

// hidesFolder says whether an entry stands for a folder whose files would be missed: a submodule, or a symlink to one.
// Reading it tells what to do.
func (c *Commit) hidesFolder(e entry) (bool, error) {
	if e.mode != filemode.Symlink {
		return e.mode == filemode.Submodule, nil
	}
	to, err := readBlob(c.repo, e)
	if err != nil || path.IsAbs(string(to)) {
		return false, err
	}
	at := path.Join(path.Dir(e.path), string(to))
	if at == ".." || strings.HasPrefix(at, "../") {
		return false, nil
	}
	target, ok, err := c.find(at)
	return ok && target.mode == filemode.Dir, err
}

// stands is where a file will stand in a release's folder, and its path in the repository.
type stands struct{ at, path string }

// standing places files: below in the release's folder, from a folder of the repository.
func standing(below, folder string, files []File) []stands {
	all := make([]stands, len(files))
	for i, f := range files {
		all[i] = stands{path.Join(below, f.Object()), path.Join(folder, f.Path)}
	}
	return all
}

// collisions finds files that would be one object in a workspace: x.py and x.ipynb, a notebook and a folder of its
// name, and names that differ in case alone.
func collisions(files []stands) []error {
	var problems []error
	seen := map[string]stands{}
	for _, f := range files {
		key := strings.ToLower(f.at)
		other, taken := seen[key]
		switch {
		case !taken:
			seen[key] = f
		case other.at == f.at:
			problems = append(problems, fmt.Errorf("%s and %s: on Databricks both are %s: rename or exclude one", other.path, f.path, f.at))
		default:
			problems = append(problems, fmt.Errorf("%s and %s differ in case alone: rename or exclude one", other.path, f.path))
		}
	}
	folders := map[string]stands{}
	for _, f := range files {
		in := stands{path.Dir(f.at), path.Dir(f.path)}
		for ; in.at != "."; in = (stands{path.Dir(in.at), path.Dir(in.path)}) {
			key := strings.ToLower(in.at)
			if other, ok := folders[key]; ok && other.at != in.at {
				problems = append(problems, fmt.Errorf("the folders %s and %s differ in case alone: rename one", other.path, in.path))
			} else if !ok {
				folders[key] = in
				if n, ok := seen[key]; ok {
					problems = append(problems, fmt.Errorf("%s: on Databricks it and the folder %s would be one name: rename or exclude it", n.path, in.path))
				}
			}
		}
	}
	return problems
}

// listProblems makes one error of all problems, a line each.
func listProblems(problems []error) error {
	const shown = 20
	switch n := len(problems); {
	case n == 0:
		return nil
	case n == 1:
		return problems[0]
	case n > shown:
		problems = append(problems[:shown:shown], fmt.Errorf("and %d more", n-shown))
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = "\n  " + p.Error()
	}
	return &problemsError{problems, strings.Join(lines, "")}
}

type problemsError struct {
	all  []error
	text string
}

func (e *problemsError) Error() string {
	return fmt.Sprintf("%d files of the commit cannot ship:%s", len(e.all), e.text)
}

func (e *problemsError) Unwrap() []error { return e.all }
