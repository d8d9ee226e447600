// Package release decides and records: which release goes where, why not, and back. It names no vendor.
//
// A promotion reads from top to bottom in promote.go. Everything that is added beside what is live is prepared without
// a lock; one entry of the ledger (Begun) gives the right to change the pointers for seconds; one (Live) ends it; the
// first scoring is judged afterwards, without a lock.
package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// World is what releases act on. Sites and ledgers are made when first asked for.
type World struct {
	Project *environments.Project // as barge.hcl says now: where, and the rules
	// Store holds the artifacts. Status, history and rollback need none: where it is nil, NoStore says why to what does.
	Store   *artifacts.Store
	NoStore error
	Site    func(environment string) (*effects.Site, error)
	Ledger  func(environment string) (*ledger.Ledger, error)
	Source  ledger.Genesis // whose ledgers these are: repository and path of barge.hcl
	Run     string         // the page of the pipeline's run that this process is part of, if it is; for people
	// Age says how old the first commit is to the second.
	Age func(a, b string) (artifacts.Order, error)

	Terms  ledger.Terms
	Clocks ledger.Clocks
	Sleep  func(context.Context, time.Duration) error
	Dead   func(ledger.Author) bool         // nil: ledger.SeenDead
	Note   func(format string, args ...any) // progress, for people
	Step   func(what string)                // hears what an interrupt would finish or undo now, "" for nothing; may be nil

	seen map[string]ledger.State // for who only looks: the folds as they were read
}

// place is one environment with its site and ledger.
type place struct {
	*World
	name string
	site *effects.Site
	book *ledger.Ledger

	plans map[string]*Plan // recorded ones that were read, by digest
}

func (w *World) place(name string) (*place, error) {
	if w.Project.Environment(name) == nil {
		_, diags := w.Project.Resolve(name)
		return nil, diags
	}
	site, err := w.Site(name)
	if err != nil {
		return nil, err
	}
	book, err := w.Ledger(name)
	if err != nil {
		return nil, err
	}
	return &place{World: w, name: name, site: site, book: book, plans: map[string]*Plan{}}, nil
}

// watch tells when an owner is gone.
func (p *place) watch() *ledger.Watch {
	dead := p.Dead
	if dead == nil {
		dead = ledger.SeenDead
	}
	return ledger.NewWatch(p.Terms, p.Clocks, dead)
}

// state is the ledger's fold up to its head.
func (p *place) state(ctx context.Context) (ledger.State, error) {
	if s, ok := p.seen[p.name]; ok {
		return s, nil
	}
	head, err := p.book.Head(ctx)
	if err != nil {
		return ledger.State{}, fmt.Errorf("reading the ledger of %s: %w", p.name, err)
	}
	s := head.State
	if s.Seq > 0 && s.Genesis.Project != p.Project.Name {
		return s, stop(ErrConflict, "give this project's environment a path of its own",
			"the ledger of %s at %s belongs to project %q, not to %q", p.name, p.site.Ledger(), s.Genesis.Project, p.Project.Name)
	}
	if was := s.Genesis.Environment; s.Seq > 0 && was != "" && was != p.key() {
		return s, stop(ErrConflict, fmt.Sprintf("where %s was renamed, write formerly = [%q] in it; else give it a path of its own", p.name, was),
			"the ledger of %s at %s is that of environment %s", p.name, p.site.Ledger(), was)
	}
	return s, nil
}

// key is what ledger, evidence, rules and tags call the environment; see environments.Environment.Key.
func (p *place) key() string { return p.Project.Environment(p.name).Key() }

// candidate is a release that wants in: its artifact, and the project as it counts for it.
type candidate struct {
	ledger.Release
	artifact *artifacts.Artifact
	project  *environments.Project // where and rules of barge.hcl, everything else of the artifact
	graph    *artifacts.Graph      // which notebook brings in which; see calls
}

// open finds an artifact by name, id or the beginning of one.
func (w *World) open(ctx context.Context, ref string) (*candidate, error) {
	if w.Store == nil {
		return nil, fmt.Errorf("opening release %s: %w", ref, w.NoStore)
	}
	a, err := w.Store.Open(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("opening release %s: %w", ref, err)
	}
	recorded, err := environments.FromRecorded(a.Manifest.Recorded)
	if err != nil {
		return nil, fmt.Errorf("opening release %s: %w", ref, err)
	}
	c := &candidate{artifact: a, project: w.Project.WithArtifact(recorded), Release: ledger.Release{Name: ref, Artifact: a.ID(), Models: map[string]ledger.Model{}}}
	for _, pin := range a.Manifest.Models {
		c.Models[pin.Label] = ledger.Model{Name: pin.Name, Version: pin.Number(), Digest: pin.Digest}
	}
	provenance, err := w.Store.Provenance(ctx, a.ID())
	if err != nil {
		return nil, err
	}
	for _, from := range provenance { // the latest commit first
		if from.Release == ref || c.Commit == "" {
			c.Commit = from.Commit
		}
		if byID(a.ID(), ref) && from.Release != "" {
			c.Name = from.Release
			break
		}
	}
	return c, nil
}

// asked is the environment and the release that a request means.
func (w *World) asked(ctx context.Context, r Request) (*place, *candidate, error) {
	p, err := w.place(r.Environment)
	if err != nil {
		return nil, nil, err
	}
	name, err := w.choose(ctx, r.Release, r.Environment, r.Head)
	if err != nil {
		return nil, nil, err
	}
	c, err := w.open(ctx, name)
	return p, c, err
}

// byID tells whether ref means an artifact by its id, or the beginning of one.
func byID(id, ref string) bool {
	return strings.HasPrefix(id, ref) || strings.HasPrefix(strings.TrimPrefix(id, "sha256:"), ref)
}

// choose says which release a command means: the one named, else the champion of the environment followed, else the
// release of HEAD, which head gives.
func (w *World) choose(ctx context.Context, named, environment string, head func(context.Context) (string, error)) (string, error) {
	if named != "" {
		return named, nil
	}
	var found []ledger.Release
	for _, up := range w.upstream(environment) {
		p, err := w.place(up)
		if err != nil {
			return "", err
		}
		s, err := p.state(ctx)
		if err != nil {
			return "", err
		}
		if r := s.Champion.Release; r.Artifact != "" && !slices.ContainsFunc(found, func(f ledger.Release) bool { return f.Artifact == r.Artifact }) {
			found = append(found, r)
		}
	}
	switch {
	case len(found) == 1:
		return found[0].Name, nil
	case len(found) > 1:
		names := make([]string, len(found))
		for i, r := range found {
			names[i] = r.String()
		}
		return "", stop(ErrConflict, "name one of them", "more than one release could go to %s: %s", environment, strings.Join(names, ", "))
	case w.gated(environment):
		return "", stop(ErrConflict, "barge promote --to "+w.upstream(environment)[0],
			"nothing was promoted yet to what %s follows (%s)", environment, strings.Join(w.upstream(environment), ", "))
	}
	return head(ctx)
}

// upstream are the environments that must have had a release before environment may: those followed, or where one of
// them has no gate or soak of its own, those that it follows.
func (w *World) upstream(environment string) []string {
	var out []string
	seen := map[string]bool{}
	var walk func(string)
	walk = func(name string) {
		e := w.Project.Environment(name)
		if e == nil {
			return
		}
		for _, up := range e.Follows {
			if seen[up] {
				continue
			}
			seen[up] = true
			if u := w.Project.Environment(up); u != nil && (len(u.Gates) > 0 || u.Soak != "") {
				out = append(out, up)
			} else {
				walk(up)
			}
		}
	}
	walk(environment)
	return out
}

func (w *World) gated(environment string) bool { return len(w.upstream(environment)) > 0 }

// follows tells whether name follows target, directly or not.
func (w *World) follows(name, target string, seen map[string]bool) bool {
	e := w.Project.Environment(name)
	if e == nil || seen[name] {
		return false
	}
	seen[name] = true
	for _, up := range e.Follows {
		if up == target || w.follows(up, target, seen) {
			return true
		}
	}
	return false
}

// configFile is where the environment's config file stands in a release folder; "" when it names none.
func configFile(f *effects.Folder, project *environments.Project, e *environments.Environment) (string, error) {
	if e.Deploy.Config == "" || project.Artifact == nil {
		return "", nil
	}
	at, ok := artifacts.ConfigPath(project.Artifact.Config.From, e.Deploy.Config)
	if !ok {
		return "", fmt.Errorf("config file %s of environment %s is not below %s", e.Deploy.Config, e.Name, project.Artifact.Config.From)
	}
	return f.Config(at)
}

func notFound(err error) bool { return errors.Is(err, fs.ErrNotExist) }
