package artifacts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
)

// What an artifact is in OCI terms: an image manifest (image-spec 1.1) of artifactType MediaTypeArtifact, whose config
// is the manifest of this package and whose layers are one tar of notebooks, one tar of config where there is any, and
// one blob per file of a model in git, each titled with the name under which `oras pull` unpacks it. It carries no time
// and no annotation, so that one id is one digest.
const (
	MediaTypeArtifact  = "application/vnd.barge.artifact.v1"
	MediaTypeManifest  = "application/vnd.barge.manifest.v1+json"
	MediaTypeNotebooks = "application/vnd.barge.notebooks.v1.tar"
	MediaTypeConfig    = "application/vnd.barge.config.v1.tar"
	MediaTypeModelFile = "application/vnd.barge.model.file.v1"
)

// Artifact is one artifact of a store. Everything read from it is what its manifest says, or an error.
type Artifact struct {
	Manifest Manifest

	id     string
	target content.Fetcher
	layers []ocispec.Descriptor
}

// ID is the artifact's id.
func (a *Artifact) ID() string { return a.id }

// Notebooks yields the notebooks' folder in the order of the manifest.
func (a *Artifact) Notebooks(ctx context.Context) iter.Seq2[Content, error] {
	return a.unpack(ctx, MediaTypeNotebooks, a.Manifest.Notebooks)
}

// Config yields the config files in the order of the manifest.
func (a *Artifact) Config(ctx context.Context) iter.Seq2[Content, error] {
	return a.unpack(ctx, MediaTypeConfig, a.Manifest.Config)
}

func (a *Artifact) unpack(ctx context.Context, mediaType string, want []File) iter.Seq2[Content, error] {
	return func(yield func(Content, error) bool) {
		if len(want) == 0 {
			return
		}
		r, err := a.layer(ctx, func(d ocispec.Descriptor) bool { return d.MediaType == mediaType })
		if err != nil {
			yield(Content{}, err)
			return
		}
		defer r.Close()
		for c, err := range readTar(ctx, r, want) {
			if !yield(c, err) {
				return
			}
		}
	}
}

func (a *Artifact) layer(ctx context.Context, is func(ocispec.Descriptor) bool) (io.ReadCloser, error) {
	for _, d := range a.layers {
		if is(d) {
			r, err := a.target.Fetch(ctx, d)
			if err != nil {
				return nil, fmt.Errorf("reading artifact %s: %w", a.id, err)
			}
			return verifying{content.NewVerifyReader(r, d), r, "artifact"}, nil
		}
	}
	return nil, fmt.Errorf("reading artifact %s: a part that its manifest names is missing", a.id)
}

// ModelFile is one file of a model that is part of the artifact. Open may be called again; reading past a difference
// to SHA256 is an error at the end of the file, so use nothing before io.EOF.
type ModelFile struct {
	File
	Open func(context.Context) (io.ReadCloser, error)
}

// ModelFiles lists the files of a model in git. A model of a registry has its bytes there and none here.
func (a *Artifact) ModelFiles(label string) ([]ModelFile, error) {
	pin, ok := a.Manifest.Model(label)
	if !ok {
		return nil, fmt.Errorf("artifact %s has no model %q", a.id, label)
	}
	if !pin.InGit() {
		return nil, nil
	}
	files := make([]ModelFile, len(pin.Files))
	for i, f := range pin.Files {
		d := ocispec.Descriptor{MediaType: MediaTypeModelFile, Digest: digest.Digest(digestPrefix + f.SHA256), Size: f.Size}
		files[i] = ModelFile{File: f, Open: func(ctx context.Context) (io.ReadCloser, error) {
			return a.layer(ctx, func(l ocispec.Descriptor) bool { return l.Digest == d.Digest && l.Size == d.Size })
		}}
	}
	return files, nil
}

// verifying turns the end of a blob that is not what its digest says into an error.
type verifying struct {
	*content.VerifyReader
	io.Closer
	what string
}

func (v verifying) Read(p []byte) (int, error) {
	n, err := v.VerifyReader.Read(p)
	if errors.Is(err, io.EOF) {
		if bad := v.Verify(); bad != nil {
			return n, fmt.Errorf("reading %s: %w", v.what, bad)
		}
	}
	return n, err
}

// part is a layer to store: open is called only when the target lacks it. A target that is a folder may take the file
// that it was put aside in.
type part struct {
	ocispec.Descriptor
	open  func() (io.ReadCloser, error)
	aside *spool // nil: it was not
}

// keeper is a Target that can take over a file with a part in it, if it was written in the folder that it says.
type keeper interface {
	aside() string
	keep(*spool) bool
}

// aside is the folder for what is put aside for the store; "" when it takes no files.
func (s *Store) aside() string {
	if k, ok := s.target.(keeper); ok {
		return k.aside()
	}
	return ""
}

// has says whether the store has the bytes of a model's file.
func (s *Store) has(ctx context.Context, b blob) bool {
	there, err := s.target.Exists(ctx, ocispec.Descriptor{MediaType: MediaTypeModelFile, Digest: digest.Digest(digestPrefix + b.sha256), Size: b.size})
	return err == nil && there
}

// put stores an artifact whole; it has its id and no name yet. What is there already is not sent again.
func (s *Store) put(ctx context.Context, m Manifest, parts []part) (string, error) {
	config, err := m.Canonical()
	if err != nil {
		return "", err
	}
	packed := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: MediaTypeArtifact,
	}
	for _, p := range parts {
		if err := s.pushPart(ctx, p); err != nil {
			return "", err
		}
		packed.Layers = append(packed.Layers, p.Descriptor)
	}
	if packed.Config, err = s.push(ctx, MediaTypeManifest, config); err != nil {
		return "", err
	}
	d, err := s.pushManifest(ctx, packed)
	if err != nil {
		return "", err
	}
	id := string(packed.Config.Digest)
	if err := s.target.Tag(ctx, d, idTag+strings.TrimPrefix(id, digestPrefix)); err != nil {
		return "", fmt.Errorf("storing artifact %s: %w", id, err)
	}
	return id, nil
}

// stored is the artifact that put has stored, without reading it again.
func (s *Store) stored(id string, m Manifest, parts []part) *Artifact {
	a := &Artifact{Manifest: m, id: id, target: s.target}
	for _, p := range parts {
		a.layers = append(a.layers, p.Descriptor)
	}
	return a
}

func (s *Store) pushPart(ctx context.Context, p part) error {
	there, err := s.target.Exists(ctx, p.Descriptor)
	if err != nil || there {
		return err
	}
	if k, ok := s.target.(keeper); ok && p.aside != nil && k.keep(p.aside) {
		return nil
	}
	r, err := p.open()
	if err != nil {
		return err
	}
	defer r.Close()
	if err := s.target.Push(ctx, p.Descriptor, r); err != nil && !errors.Is(err, errdef.ErrAlreadyExists) {
		return fmt.Errorf("storing %s: %w", p.Annotations[ocispec.AnnotationTitle], err)
	}
	return nil
}

func (s *Store) pushManifest(ctx context.Context, m ocispec.Manifest) (ocispec.Descriptor, error) {
	if len(m.Layers) == 0 {
		m.Layers = []ocispec.Descriptor{ocispec.DescriptorEmptyJSON}
		if _, err := s.push(ctx, ocispec.MediaTypeEmptyJSON, ocispec.DescriptorEmptyJSON.Data); err != nil {
			return ocispec.Descriptor{}, err
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	return s.push(ctx, ocispec.MediaTypeImageManifest, b)
}
