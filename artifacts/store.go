package artifacts

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
)

// Target is where a store keeps its bytes: an OCI layout here, a registry elsewhere.
type Target interface {
	oras.GraphTarget
	registry.TagLister
}

// claimer is a Target that can give a name away once, without a gap between looking and taking.
type claimer interface {
	Claim(ctx context.Context, d ocispec.Descriptor, name string) (ocispec.Descriptor, error)
}

// Store keeps artifacts by id, under names that are bound for ever, with what is attached to them.
// It is safe for concurrent use, by several processes too.
type Store struct {
	target   Target
	location string
}

var (
	// ErrNoRelease says that the store has no such name or id.
	ErrNoRelease = errors.New("no such release")
	// ErrBound says that a name belongs to another artifact.
	ErrBound = errors.New("release name is bound already")

	errNotOurs = errors.New("is no artifact of barge")
)

const layoutScheme = "oci-layout:"

// OpenStore opens the store that a project names, "oci-layout:DIR" with DIR relative to dir. A layout that does not
// exist is an empty store; the first write makes it.
func OpenStore(dir, location string) (*Store, error) {
	folder, ok := strings.CutPrefix(location, layoutScheme)
	if !ok || folder == "" {
		return nil, fmt.Errorf("opening store %q: this barge keeps releases in a folder: store = %q", location, layoutScheme+".barge/store")
	}
	if folder = filepath.FromSlash(folder); !filepath.IsAbs(folder) {
		folder = filepath.Join(dir, folder)
	}
	l, err := openLayout(folder)
	if err != nil {
		return nil, err
	}
	return NewStore(l, location), nil
}

// NewStore is a store over any target; location is what messages call it.
func NewStore(target Target, location string) *Store {
	return &Store{target: target, location: location}
}

// Location is the store as the project names it.
func (s *Store) Location() string { return s.location }

// Names of tags that are the store's own; no release may be called so.
const (
	idTag   = "id."   // id.<hex>: the artifact of that id
	liveTag = "live." // live.<environment>: the champion there
)

var tagGrammar = whenNeeded(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// CheckName says why a release cannot have this name, or nil.
func CheckName(name string) error {
	switch {
	case strings.HasPrefix(name, liveTag), strings.HasPrefix(name, idTag), strings.HasPrefix(name, "sha256-"):
		return fmt.Errorf("%q cannot name a release: the store uses such names itself", name)
	case !tagGrammar().MatchString(name):
		return fmt.Errorf("%q cannot name a release: a name has up to 128 letters, digits, '.', '_' and '-' and begins with neither '.' nor '-'", name)
	}
	return nil
}

// Bind gives an artifact a name for ever. Binding it again to the same artifact does nothing; to another is ErrBound.
func (s *Store) Bind(ctx context.Context, name, id string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	d, err := s.descriptor(ctx, id)
	if err != nil {
		return err
	}
	holder, err := s.claim(ctx, d, name)
	if err != nil {
		return fmt.Errorf("naming release %s: %w", name, err)
	}
	if holder.Digest == d.Digest {
		return nil
	}
	other, err := s.idOf(ctx, holder)
	if err != nil {
		return fmt.Errorf("naming release %s: %w", name, err)
	}
	if other == id {
		return nil
	}
	return fmt.Errorf("%w: %s is %s and cannot become %s: tag the commit with a new version", ErrBound, name, other, id)
}

func (s *Store) claim(ctx context.Context, d ocispec.Descriptor, name string) (ocispec.Descriptor, error) {
	if c, ok := s.target.(claimer); ok {
		return c.Claim(ctx, d, name)
	}
	holder, err := s.target.Resolve(ctx, name)
	if errors.Is(err, errdef.ErrNotFound) {
		return d, s.target.Tag(ctx, d, name)
	}
	return holder, err
}

// Lookup gives the id that a name is bound to; ErrNoRelease when it is free.
func (s *Store) Lookup(ctx context.Context, name string) (string, error) {
	d, err := s.resolve(ctx, name)
	if err != nil {
		return "", err
	}
	return s.idOf(ctx, d)
}

// resolve finds what stands under a name.
func (s *Store) resolve(ctx context.Context, name string) (ocispec.Descriptor, error) {
	d, err := s.target.Resolve(ctx, name)
	if errors.Is(err, errdef.ErrNotFound) {
		return d, fmt.Errorf("%w: %s in %s", ErrNoRelease, name, s.location)
	}
	if err != nil {
		return d, fmt.Errorf("looking up release %s: %w", name, err)
	}
	return d, nil
}

// Open finds an artifact by name, by id, or by the first hex digits of an id (six at least).
func (s *Store) Open(ctx context.Context, ref string) (*Artifact, error) {
	id, err := s.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	d, err := s.descriptor(ctx, id)
	if err != nil {
		return nil, err
	}
	m, err := s.packed(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("opening release %s: %w", ref, err)
	}
	if m.Config.Size > maxManifest {
		return nil, fmt.Errorf("opening release %s: its manifest has %d bytes", ref, m.Config.Size)
	}
	b, err := content.FetchAll(ctx, s.target, m.Config)
	if err != nil {
		return nil, fmt.Errorf("opening release %s: %w", ref, err)
	}
	manifest, err := ReadManifest(b)
	if err != nil {
		return nil, fmt.Errorf("opening release %s: %w", ref, err)
	}
	return &Artifact{Manifest: manifest, id: id, target: s.target, layers: m.Layers}, nil
}

func (s *Store) find(ctx context.Context, ref string) (string, error) {
	if isHex(strings.TrimPrefix(ref, digestPrefix), 32) {
		return digestPrefix + strings.TrimPrefix(ref, digestPrefix), nil
	}
	if CheckName(ref) == nil {
		id, err := s.Lookup(ctx, ref)
		if !errors.Is(err, ErrNoRelease) {
			return id, err
		}
	}
	names, err := s.tags(ctx)
	if err != nil {
		return "", err
	}
	var ids, releases []string
	for _, name := range names {
		if hex, isID := strings.CutPrefix(name, idTag); isID && strings.HasPrefix(hex, strings.TrimPrefix(ref, digestPrefix)) {
			ids = append(ids, digestPrefix+hex)
		} else if CheckName(name) == nil {
			releases = append(releases, name)
		}
	}
	if len(ids) == 0 {
		if ids, err = s.beginning(ctx, releases, ref); err != nil {
			return "", err
		}
	}
	switch {
	case len(ids) > 1 && len(strings.TrimPrefix(ref, digestPrefix)) >= 6:
		return "", fmt.Errorf("%w: %s begins several ids: %s", ErrNoRelease, ref, strings.Join(ids, ", "))
	case len(ids) == 1 && len(strings.TrimPrefix(ref, digestPrefix)) >= 6:
		return ids[0], nil
	case len(releases) == 0:
		return "", fmt.Errorf("%w: %s: the store %s is empty: run barge build", ErrNoRelease, ref, s.location)
	}
	return "", fmt.Errorf("%w: %s in %s%s", ErrNoRelease, ref, s.location, didYouMean(ref, releases))
}

// beginning gives the ids that begin with ref and are known by their names alone, since another tool copied no more.
func (s *Store) beginning(ctx context.Context, names []string, ref string) ([]string, error) {
	var ids []string
	for _, name := range names {
		id, err := s.Lookup(ctx, name)
		if errors.Is(err, errNotOurs) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(id, ref) || strings.HasPrefix(id, digestPrefix+ref) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

func (s *Store) tags(ctx context.Context) ([]string, error) {
	var names []string
	err := s.target.Tags(ctx, "", func(page []string) error { names = append(names, page...); return nil })
	if err != nil {
		return nil, fmt.Errorf("listing store %s: %w", s.location, err)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// descriptor finds the OCI manifest of an id: by its tag, or by any name, since other tools copy names one by one.
func (s *Store) descriptor(ctx context.Context, id string) (ocispec.Descriptor, error) {
	d, err := s.target.Resolve(ctx, idTag+strings.TrimPrefix(id, digestPrefix))
	if errors.Is(err, errdef.ErrNotFound) {
		return s.byName(ctx, id)
	}
	if err != nil {
		return d, fmt.Errorf("looking up %s: %w", id, err)
	}
	actual, err := s.idOf(ctx, d)
	if err == nil && actual != id {
		err = fmt.Errorf("the store %s has %s in its place", s.location, actual)
	}
	if err != nil {
		return d, fmt.Errorf("looking up %s: %w", id, err)
	}
	return d, nil
}

// byName finds the OCI manifest of an id by the names in the store.
func (s *Store) byName(ctx context.Context, id string) (ocispec.Descriptor, error) {
	names, err := s.tags(ctx)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	for _, name := range names {
		if strings.HasPrefix(name, idTag) {
			continue
		}
		d, err := s.target.Resolve(ctx, name)
		if err != nil {
			return d, fmt.Errorf("looking up %s: %w", id, err)
		}
		switch actual, err := s.idOf(ctx, d); {
		case actual == id && err == nil:
			return d, nil
		case err != nil && !errors.Is(err, errNotOurs):
			return d, fmt.Errorf("looking up %s: %w", id, err)
		}
	}
	return ocispec.Descriptor{}, fmt.Errorf("%w: %s in %s", ErrNoRelease, id, s.location)
}

func (s *Store) idOf(ctx context.Context, d ocispec.Descriptor) (string, error) {
	m, err := s.packed(ctx, d)
	return string(m.Config.Digest), err
}

// packed reads the OCI manifest of an artifact.
func (s *Store) packed(ctx context.Context, d ocispec.Descriptor) (ocispec.Manifest, error) {
	var m ocispec.Manifest
	b, err := content.FetchAll(ctx, s.target, d)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("reading %s: %w", d.Digest, err)
	}
	if m.ArtifactType != MediaTypeArtifact || m.Config.MediaType != MediaTypeManifest {
		return m, fmt.Errorf("%s: %w (%s)", d.Digest, errNotOurs, cmp.Or(m.ArtifactType, m.Config.MediaType, d.MediaType))
	}
	return m, nil
}

// push stores bytes that may be there already.
func (s *Store) push(ctx context.Context, mediaType string, b []byte) (ocispec.Descriptor, error) {
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
	_, err := oras.PushBytes(ctx, s.target, mediaType, b)
	if err != nil && !errors.Is(err, errdef.ErrAlreadyExists) {
		return d, fmt.Errorf("storing %s: %w", d.Digest, err)
	}
	return d, nil
}
