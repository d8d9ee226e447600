package artifacts

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/bargeml/barge/environments"
)

// BuildOptions say what to build for.
type BuildOptions struct {
	Project *environments.Project
	Store   *Store
	// Registry gives the registry of a label in barge.hcl. It is asked only for models that are in one.
	Registry func(ctx context.Context, label string) (Registry, error)
	Barge    string // the version that builds, for the provenance alone
	// Tag is the tag that a pipeline says it runs for, on the commit TagOf. It names the release where the clone has no
	// tag for it: pipelines often fetch none.
	Tag, TagOf string
}

// Release is what a build made, or found made already.
type Release struct {
	Name     string   `json:"release"`
	Names    []string `json:"names"` // all that the tags on the commit give, the one taken first
	ID       string   `json:"id"`
	Commit   string   `json:"commit"`
	Ref      string   `json:"ref,omitempty"`
	Store    string   `json:"store"`
	New      bool     `json:"new"`                // false: the store had this name for it already
	LeftOut  []string `json:"left_out,omitempty"` // files whose changes are not in it
	Warnings []string `json:"warnings,omitempty"` // what will ship, and may not work
	Manifest Manifest `json:"-"`
}

// Build makes the artifact of a commit, stores it, and names it. It is safe to repeat: the same commit and model give
// the same id and name, and nothing is stored twice.
func Build(ctx context.Context, c *Commit, o BuildOptions) (Release, error) {
	if o.Project.Artifact != nil {
		if err := c.borrow(o.Project.Artifact.Notebooks); err != nil { // before others read beside
			return Release{}, fmt.Errorf("building commit %.12s: %w", c.Hash, err)
		}
	}
	ahead := c.readAhead(ctx, o.Project.Artifact, o.Store)
	defer ahead.Close()
	sources, err := pack(ctx, c, o.Project.Artifact, o.Store.aside())
	if err != nil {
		return Release{}, fmt.Errorf("building commit %.12s: %w", c.Hash, err)
	}
	defer sources.Close()
	m, parts, err := describe(ctx, c, sources, ahead, o)
	if err != nil {
		return Release{}, fmt.Errorf("building commit %.12s: %w", c.Hash, err)
	}
	if parts, err = append(sources.parts(), parts...), m.check(); err != nil {
		return Release{}, fmt.Errorf("building commit %.12s: %w", c.Hash, err)
	}
	names, err := c.releaseNames(o)
	if err != nil {
		return Release{}, err
	}
	id, err := o.Store.put(ctx, m, parts)
	if err != nil {
		return Release{}, err
	}
	r := Release{ID: id, Commit: c.Hash, Ref: c.Ref, Store: o.Store.Location(), LeftOut: c.LeftOut, Manifest: m}
	more, err := sources.otherLibraries(ctx, o.Store.stored(id, m, parts), o.Project)
	if err != nil {
		return Release{}, err
	}
	r.Warnings = append(sources.Warnings, more...)
	for range 3 { // another build of the same commit may take a free name in the same instant
		if r.Name, err = o.Store.nameFor(ctx, names[0], id, m, c.Hash); err != nil {
			return Release{}, err
		}
		if r.New, err = o.Store.name(ctx, c, r, o); !errors.Is(err, ErrBound) {
			break
		}
	}
	r.Names = append([]string{r.Name}, names[1:]...)
	return r, err
}

// name gives the artifact its name, after writing down where it comes from: a name without that would be one that
// nobody can tell the age of.
func (s *Store) name(ctx context.Context, c *Commit, r Release, o BuildOptions) (isNew bool, err error) {
	_, err = s.Lookup(ctx, r.Name)
	isNew = errors.Is(err, ErrNoRelease)
	if err != nil && !isNew {
		return false, err
	}
	p := Provenance{
		Release: r.Name, Commit: c.Hash, Ref: c.Ref, Time: c.Time, Author: c.Author,
		Repository: c.repo.origin(), Folder: c.Folder, Barge: o.Barge,
	}
	if err := s.recordProvenance(ctx, o.Project.Name, r.ID, p); err != nil {
		return false, err
	}
	return isNew, s.Bind(ctx, r.Name, r.ID)
}

// releaseNames are the names that the tags on the commit give, the best first.
func (c *Commit) releaseNames(o BuildOptions) ([]string, error) {
	prefix := o.Project.TagPrefixOrDefault()
	tags, err := c.repo.tagsOf(plumbing.NewHash(c.Hash), prefix)
	if err != nil {
		return nil, err
	}
	if len(tags) == 0 && o.TagOf == c.Hash && strings.HasPrefix(o.Tag, prefix) {
		tags = []string{o.Tag}
	}
	return releaseNames(c.Hash, tags, prefix)
}

// describe makes the manifest, and the layers of models in git.
func describe(ctx context.Context, c *Commit, s *Sources, ahead *readAhead, o BuildOptions) (Manifest, []part, error) {
	if err := errors.Join(s.named(o.Project), c.noSecrets(o.Project)); err != nil {
		return Manifest{}, nil, err
	}
	recorded, diags := o.Project.Recorded()
	if diags.HasErrors() {
		return Manifest{}, nil, diags
	}
	p := pinner{commit: c, sources: s, ahead: ahead, project: o.Project, registries: o.Registry}
	models, parts, err := p.pin(ctx)
	if err != nil {
		return Manifest{}, nil, err
	}
	return Manifest{
		Format: Format, Project: o.Project.Name, Notebooks: s.NotebookFiles, Config: s.ConfigFiles,
		Models: models, Recorded: recorded,
	}, parts, nil
}

// named checks that every notebook and config file that barge.hcl names is in the commit.
func (s *Sources) named(p *environments.Project) error {
	var problems []error
	m := Manifest{Notebooks: s.NotebookFiles}
	notebook := func(where, name string) {
		if _, ok := m.Notebook(name); name != "" && !ok {
			problems = append(problems, fmt.Errorf("%s: the commit has no notebook %s%s", where, name, didYouMean(name, m.objects())))
		}
	}
	for _, model := range p.Artifact.Models {
		if model.Train != nil {
			notebook("model "+model.Label, model.Train.Notebook)
		}
	}
	for _, e := range p.Environments {
		where := "environment " + e.Name
		for _, name := range e.Deploy.Only {
			notebook(where+", deploy.only", name)
		}
		for _, g := range e.Gates {
			notebook(where+", gate "+g.Name, g.Notebook)
		}
		for _, score := range e.Scores {
			for _, name := range score.Notebooks() {
				notebook(where+", score "+score.Name, name)
			}
		}
		if e.Deploy.Config == "" {
			continue
		}
		if _, err := configFile(p.Artifact.Config.From, s.ConfigFiles, e.Deploy.Config); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", where, err))
		}
	}
	return errors.Join(problems...)
}

// parts are the tars as layers.
func (s *Sources) parts() []part {
	parts := []part{s.notebooks.part(MediaTypeNotebooks, "notebooks.tar")}
	if len(s.ConfigFiles) > 0 {
		parts = append(parts, s.config.part(MediaTypeConfig, "config.tar"))
	}
	return parts
}
