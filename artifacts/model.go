package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/registry"
)

// TrainingTag is the tag that a trained version carries: the digest of what it was trained by.
const TrainingTag = "barge.training"

// Registry is what a build needs of a model registry.
type Registry interface {
	Resolve(ctx context.Context, model, selector string) (registry.Version, error)
	Files(ctx context.Context, v registry.Version) iter.Seq2[registry.File, error]
}

// TrainingDigest is what a training depends on: the train notebook with all it brings in, its parameters, the config
// file of its environment and its compute. A version that carries it needs no training anew.
func (s *Sources) TrainingDigest(p *environments.Project, label string) (string, error) {
	model := p.Artifact.Model(label)
	if model == nil || model.Train == nil {
		return "", fmt.Errorf("model %s: barge.hcl does not say how it is trained: it has no train block", label)
	}
	t := model.Train
	m := Manifest{Notebooks: s.NotebookFiles}
	f, ok := m.Notebook(t.Notebook)
	if !ok {
		return "", fmt.Errorf("model %s: the artifact has no notebook %s%s", label, t.Notebook, didYouMean(t.Notebook, m.objects()))
	}
	what := training{Notebook: f.Object(), Files: map[string]string{}, Parameters: t.Parameters}
	for _, file := range pick(s.NotebookFiles, s.Calls.Reaches(f.Path)) {
		what.Files[file.Path] = file.SHA256
	}
	if c := p.Compute(t.Compute); c != nil {
		what.Compute = *c
		what.Compute.Name = "" // another label is no other compute
	}
	if e := p.Environment(t.Environment); e != nil && e.Deploy.Config != "" {
		file, err := configFile(p.Artifact.Config.From, s.ConfigFiles, e.Deploy.Config)
		if err != nil {
			return "", fmt.Errorf("environment %s: %w", e.Name, err)
		}
		what.Config = file.SHA256
	}
	return environments.Digest(what)
}

type training struct {
	Notebook   string               `json:"notebook"`
	Files      map[string]string    `json:"files"` // sha256 by path
	Parameters map[string]string    `json:"parameters,omitempty"`
	Config     string               `json:"config,omitempty"`
	Compute    environments.Compute `json:"compute"`
}

// ConfigPath is the path in the artifact's config of a config file as barge.hcl writes it; from is config.from.
// False when the file is not below that folder.
func ConfigPath(from, written string) (string, bool) {
	from, written = path.Clean(orDot(from)), path.Clean(written)
	if from == "." {
		return written, cleanPath(written)
	}
	below, ok := strings.CutPrefix(written, from+"/")
	return below, ok
}

func configFile(from string, files []File, written string) (File, error) {
	at, ok := ConfigPath(from, written)
	if from == "" || !ok {
		return File{}, fmt.Errorf("config %q is not below the artifact's config.from (%q): only what is there ships", written, from)
	}
	i := slices.IndexFunc(files, func(f File) bool { return f.Path == at })
	if i < 0 {
		names := make([]string, len(files))
		for i, f := range files {
			names[i] = path.Join(from, f.Path)
		}
		return File{}, fmt.Errorf("config %q is not in the commit%s", written, didYouMean(written, names))
	}
	return files[i], nil
}

// pinner settles the exact bytes of every model.
type pinner struct {
	commit     *Commit
	sources    *Sources
	ahead      *readAhead
	project    *environments.Project
	registries func(ctx context.Context, label string) (Registry, error)
}

// pin gives the models in the order of labels, and the layers of those that are in git.
func (p pinner) pin(ctx context.Context) ([]ModelPin, []part, error) {
	models := slices.Clone(p.project.Artifact.Models)
	slices.SortFunc(models, func(a, b environments.Model) int { return strings.Compare(a.Label, b.Label) })
	var pins []ModelPin
	var parts []part
	for _, m := range models {
		pin, files, err := p.one(ctx, m)
		if err != nil {
			return nil, nil, fmt.Errorf("model %s: %w", m.Label, err)
		}
		pins, parts = append(pins, pin), append(parts, files...)
	}
	return pins, parts, nil
}

func (p pinner) one(ctx context.Context, m environments.Model) (ModelPin, []part, error) {
	if m.Path != "" {
		return p.inGit(ctx, m)
	}
	r, err := p.registries(ctx, m.Registry)
	if err != nil {
		return ModelPin{}, nil, err
	}
	selector := m.Version
	if selector == "trained" {
		training, err := p.sources.TrainingDigest(p.project, m.Label)
		if err != nil {
			return ModelPin{}, nil, err
		}
		selector = "tag:" + TrainingTag + "=" + training
	}
	v, err := r.Resolve(ctx, m.RegisteredName(), selector)
	if errors.Is(err, fs.ErrNotExist) && m.Version == "trained" {
		return ModelPin{}, nil, fmt.Errorf("no version of %s was trained by what this commit has: run barge train first", m.RegisteredName())
	}
	if err != nil {
		return ModelPin{}, nil, err
	}
	sums, err := registry.Digest(ctx, r.Files(ctx, v))
	if err != nil {
		return ModelPin{}, nil, fmt.Errorf("reading %s: %w", v, err)
	}
	pin := ModelPin{
		Label: m.Label, Registry: m.Registry, Name: m.RegisteredName(), Version: v.Number, RunID: v.RunID,
		Digest: sums.Digest, Excluded: sums.Excluded,
	}
	for _, f := range sums.Files {
		pin.Files = append(pin.Files, File{Path: f.Path, SHA256: f.SHA256, Size: f.Size})
	}
	return pin, nil, nil
}

// inGit pins a file, or a folder, of the commit. Its bytes are read once, and where they could not be put aside for the
// store once more; they are never held whole.
func (p pinner) inGit(ctx context.Context, m environments.Model) (ModelPin, []part, error) {
	files, err := p.commit.modelFiles(ctx, m.Path)
	if err != nil {
		return ModelPin{}, nil, err
	}
	if err := p.commit.unchanged(files); err != nil {
		return ModelPin{}, nil, err
	}
	pin := ModelPin{Label: m.Label}
	var parts []part
	for _, f := range files {
		at, err := p.commit.follow(f.entry)
		if err != nil {
			return ModelPin{}, nil, fmt.Errorf("%s: %w", f.path, err)
		}
		b, err := p.ahead.sum(ctx, p.commit, at)
		if err != nil {
			return ModelPin{}, nil, err
		}
		file := File{Path: f.as, SHA256: b.sha256, Size: b.size, Executable: at.mode == filemode.Executable}
		pin.Files = append(pin.Files, file)
		d := ocispec.Descriptor{
			MediaType: MediaTypeModelFile, Digest: digest.Digest(digestPrefix + file.SHA256), Size: file.Size,
			Annotations: map[string]string{ocispec.AnnotationTitle: path.Join("models", m.Label, f.as)},
		}
		parts = append(parts, part{d, func() (io.ReadCloser, error) {
			r, _, err := p.commit.open(ctx, at)
			return r, err
		}, b.aside})
	}
	pin.Digest = FolderDigest(pin.Files)
	return pin, parts, nil
}

// modelFiles lists a file under its own name, or all files of a folder.
func (c *Commit) modelFiles(ctx context.Context, written string) ([]candidate, error) {
	at, err := c.place(written)
	if err != nil {
		return nil, err
	}
	e, ok, err := c.find(at)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("commit %.12s has no %s: is it committed?", c.Hash, at)
	}
	if e.mode != filemode.Dir {
		files := []candidate{{path.Base(at), e}}
		c.lfs.expect(files)
		return files, nil
	}
	return c.matching(ctx, "path", written, []string{"**"}, nil)
}
