package effects

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/databricks"
)

// imports is how many files go out at once: the service takes about 30 a second.
const imports = 12

// marker is the file of a release folder that is written last: the folder is whole when it is there.
const marker = ".barge.json"

// Folder is what an artifact puts into an environment: its notebooks and config files, rendered with the environment's
// bindings. It is named by what is in it and never changes.
type Folder struct {
	Path string
	// Bound counts how often each binding's text occurred.
	Bound map[string]int

	files  []rendered
	jobs   map[string]map[string]any // see Deployment.Jobs
	models []*Folder                 // that it names, and that are shared with other releases
	mark   []byte
}

type rendered struct {
	path string // below the folder, as deployed
	file artifacts.File
	body []byte
	open func(context.Context) (io.ReadCloser, error) // in place of body, for what may be large
}

// Deployment says what of an artifact an environment gets.
type Deployment struct {
	Only []string          // notebooks, with all they reach; empty: all
	Bind map[string]string // exact text and what replaces it
	// Jobs are the settings of the scores' jobs that a file of the commit defines, by score.
	Jobs map[string]json.RawMessage
	// Models are those of the artifact itself that the environment uses.
	Models []GitModel
}

// Files are what ships: an artifact's, or those of a commit that is not built yet.
type Files interface {
	Notebooks(context.Context) iter.Seq2[artifacts.Content, error]
	Config(context.Context) iter.Seq2[artifacts.Content, error]
	Graph(context.Context) (artifacts.Graph, error)
}

// Folder renders a deployment. A notebook of Only that is not there, and two files that would stand at one path, are
// errors.
func (s *Site) Folder(ctx context.Context, a Files, d Deployment) (*Folder, error) {
	f := &Folder{Bound: map[string]int{}}
	for key := range d.Bind {
		f.Bound[key] = 0
	}
	var wanted []string
	if len(d.Only) > 0 {
		graph, err := a.Graph(ctx)
		if err != nil {
			return nil, err
		}
		wanted = graph.Reaches(d.Only...)
	}
	for c, err := range a.Notebooks(ctx) {
		if err != nil {
			return nil, err
		}
		if len(d.Only) == 0 || slices.Contains(wanted, c.Path) {
			f.add(c.Object(), c, d.Bind)
		}
	}
	for c, err := range a.Config(ctx) {
		if err != nil {
			return nil, err
		}
		f.add(path.Join("conf", c.Path), c, d.Bind)
	}
	for _, notebook := range d.Only {
		if _, err := f.Notebook(notebook); err != nil {
			return nil, err
		}
	}
	if err := f.define(d); err != nil {
		return nil, err
	}
	var named []string
	for _, m := range d.Models {
		folder, err := s.ModelFolder(m)
		if err != nil {
			return nil, err
		}
		if at := path.Base(folder.Path); !slices.Contains(named, at) {
			f.models, named = append(f.models, folder), append(named, at)
		}
	}
	slices.Sort(named)
	return f, f.name(s.Releases(), named)
}

// Paths are the folders in the workspace that it takes: its own, and those of its models.
func (f *Folder) Paths() []string {
	all := []string{f.Path}
	for _, m := range f.models {
		all = append(all, m.Path)
	}
	return all
}

func (f *Folder) add(at string, c artifacts.Content, bind map[string]string) {
	body := c.Body
	keys := map[string]string{} // as they stand in the file, and as barge.hcl has them
	for key := range bind {
		if written := c.Written(key); bytes.Contains(body, []byte(written)) {
			keys[written] = key
		}
	}
	if len(keys) > 0 {
		body = anyOf(keys).ReplaceAllFunc(body, func(written []byte) []byte {
			key := keys[string(written)]
			f.Bound[key]++
			return []byte(c.Written(bind[key]))
		})
	}
	f.files = append(f.files, rendered{path: at, file: c.File, body: body})
}

// anyOf matches each key exactly, the longest where several begin. What replaced one is not looked at again.
func anyOf(keys map[string]string) *regexp.Regexp {
	all := slices.SortedFunc(maps.Keys(keys), longestFirst)
	for i, key := range all {
		all[i] = regexp.QuoteMeta(key)
	}
	return regexp.MustCompile(strings.Join(all, "|"))
}

// longestFirst keeps a short text from being found inside a longer one.
func longestFirst(a, b string) int {
	if len(a) != len(b) {
		return len(b) - len(a)
	}
	return strings.Compare(a, b)
}

// Line is one file of a release folder as its marker lists it.
type Line struct {
	Path   string         `json:"path"` // below the folder, as deployed
	SHA256 string         `json:"sha256"`
	Kind   artifacts.Kind `json:"kind,omitempty"`
}

// listing is what a marker holds.
type listing struct {
	Format string `json:"format"`
	Files  []Line `json:"files"`
	// Models names the folders of the artifact's own models, beside releases/.
	Models []string `json:"models,omitempty"`
}

// Lines are the folder's files, in the order of their paths.
func (f *Folder) Lines() []Line {
	lines := make([]Line, 0, len(f.files))
	for _, r := range f.files {
		lines = append(lines, Line{r.path, r.digest(), r.file.Kind})
	}
	slices.SortFunc(lines, func(a, b Line) int { return strings.Compare(a.Path, b.Path) })
	return lines
}

// Body is a file's content as deployed, its path one of Lines; nil where there is none.
func (f *Folder) Body(at string) []byte {
	for _, r := range f.files {
		if r.path == at {
			return r.body
		}
	}
	return nil
}

// name gives the folder its name below another: the digest of its marker, which lists every file.
func (f *Folder) name(below string, models []string) error {
	lines := f.Lines()
	for i, l := range lines {
		if l.Path == marker || i > 0 && l.Path == lines[i-1].Path {
			return fmt.Errorf("rendering the release's folder: two files would stand at %s; rename one of them", l.Path)
		}
	}
	var err error
	if f.mark, err = environments.Canonical(listing{"barge.folder/v1", lines, models}); err != nil {
		return err
	}
	f.Path = path.Join(below, named(f.mark))
	return nil
}

// named is the name of the folder with that marker.
func named(mark []byte) string {
	sum := sha256.Sum256(mark)
	return hex.EncodeToString(sum[:16])
}

// Notebook is the workspace path of a notebook of the folder; an error names those that are there.
func (f *Folder) Notebook(object string) (string, error) {
	if object == "" {
		return "", errors.New("the release names no notebook for it: it was built when barge.hcl had none of that name; build it anew")
	}
	object = strings.TrimPrefix(path.Clean(object), "/")
	var there []string
	for _, r := range f.files {
		if r.file.Kind != artifacts.Notebook {
			continue
		}
		if r.path == object || r.file.Path == object {
			return path.Join(f.Path, r.path), nil
		}
		there = append(there, r.path)
	}
	return "", fmt.Errorf("notebook %q is not in the artifact: it has %s", object, strings.Join(there, ", "))
}

// Config is the workspace path of a config file, named as in the artifact.
func (f *Folder) Config(file string) (string, error) {
	for _, r := range f.files {
		if r.path == path.Join("conf", file) {
			return path.Join("/Workspace", f.Path, r.path), nil
		}
	}
	return "", fmt.Errorf("config file %q is not in the artifact", file)
}

// Unbound are the bindings whose text occurs in no file.
func (f *Folder) Unbound() []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(f.Bound)) {
		if f.Bound[key] == 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

// Missing is how many files Deploy would send.
func (s *Site) Missing(ctx context.Context, f *Folder) (int, error) {
	missing := 0
	for _, m := range f.models {
		n, err := s.Missing(ctx, m)
		if err != nil {
			return 0, err
		}
		missing += n
	}
	damaged, err := s.Damage(ctx, f.Path)
	if slices.Contains(damaged, marker) {
		return missing + len(f.files), err
	}
	own := slices.DeleteFunc(damaged, func(at string) bool { return strings.HasPrefix(at, "../") })
	return missing + len(own), err
}

// Deployed tells whether the whole folder is there, and the folders of its models.
func (s *Site) Deployed(ctx context.Context, folder string) (bool, error) {
	mark, err := s.Workspace.ReadFile(ctx, path.Join(folder, marker))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var l listing
	if json.Unmarshal(mark, &l) != nil {
		return true, nil // what it is like, Damage tells
	}
	for _, model := range l.Models {
		if there, err := s.Deployed(ctx, path.Join(s.models(), model)); err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

// Deploy puts the folder there, marker last. What is there whole is not sent again; half a folder is sent anew, and of a
// damaged one what is damaged. It returns the number of files sent.
func (s *Site) Deploy(ctx context.Context, f *Folder) (int, error) {
	before := 0
	for _, m := range f.models {
		sent, err := s.Deploy(ctx, m)
		if err != nil {
			return 0, err
		}
		before += sent
	}
	damaged, err := s.Damage(ctx, f.Path)
	if err != nil {
		return 0, fmt.Errorf("deploying to %s: %w", f.Path, err)
	}
	if len(damaged) == 0 {
		return before, nil
	}
	files := f.files
	if !slices.Contains(damaged, marker) {
		files = slices.DeleteFunc(slices.Clone(files), func(r rendered) bool { return !slices.Contains(damaged, r.path) })
	}
	if err := s.folders(ctx, f); err != nil {
		return 0, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(cmp.Or(s.Imports, imports))
	for _, r := range files {
		g.Go(func() error { return s.put(gctx, f.Path, r) })
	}
	if err := g.Wait(); err != nil {
		return 0, fmt.Errorf("deploying to %s: %w", f.Path, err)
	}
	if err := s.Workspace.PutFile(ctx, path.Join(f.Path, marker), f.mark); err != nil {
		return 0, fmt.Errorf("deploying to %s: %w", f.Path, err)
	}
	return before + len(files), nil
}

// folders makes every folder once, so that no import has to find out.
func (s *Site) folders(ctx context.Context, f *Folder) error {
	made := map[string]bool{f.Path: true}
	for _, r := range f.files {
		made[path.Join(f.Path, path.Dir(r.path))] = true
	}
	for _, folder := range slices.Sorted(maps.Keys(made)) {
		if err := s.Workspace.Mkdirs(ctx, folder); err != nil {
			return fmt.Errorf("deploying to %s: %w", f.Path, err)
		}
	}
	return nil
}

func (s *Site) put(ctx context.Context, folder string, r rendered) error {
	at := path.Join(folder, r.path)
	if r.file.Kind != artifacts.Notebook {
		body, err := r.content(ctx)
		if err != nil {
			return err
		}
		return s.Workspace.PutFile(ctx, at, body)
	}
	source := databricks.Source{Content: r.body, Format: "SOURCE", Language: language(r.file.Language)}
	if r.file.Jupyter() {
		source = databricks.Source{Content: r.body, Format: "JUPYTER"}
	}
	return s.Workspace.ImportNotebook(ctx, at, source, true)
}
