package artifacts

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// mediaTypeNone is the artifactType of what stands under live.<environment> where no release is live any more: a name
// cannot be taken away from every store.
const mediaTypeNone = "application/vnd.barge.none.v1"

// SetLive notes that an artifact is the champion of an environment; "" that none is, where one was noted before. The note
// is a projection: it moves, and the environment's ledger is right where they differ.
func (s *Store) SetLive(ctx context.Context, environment, id string) error {
	d, err := s.champion(ctx, environment, id)
	if err == nil && d.Digest != "" {
		err = s.target.Tag(ctx, d, liveTag+environment)
	}
	if err != nil {
		return fmt.Errorf("noting the champion of %s: %w", environment, err)
	}
	return nil
}

// champion is what is to stand under the environment's name; the zero Descriptor where nothing stands there and may stay so.
func (s *Store) champion(ctx context.Context, environment, id string) (ocispec.Descriptor, error) {
	if id != "" {
		return s.descriptor(ctx, id)
	}
	if was, _, err := s.Live(ctx, environment); err == nil && was == "" {
		return ocispec.Descriptor{}, nil
	}
	empty, err := s.push(ctx, ocispec.MediaTypeEmptyJSON, ocispec.DescriptorEmptyJSON.Data)
	if err != nil {
		return empty, err
	}
	return s.pushManifest(ctx, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: mediaTypeNone,
		Config: empty, Layers: []ocispec.Descriptor{empty},
	})
}

// Live gives the id last noted for an environment, "" for none; false when nothing ever was.
func (s *Store) Live(ctx context.Context, environment string) (id string, known bool, err error) {
	d, err := s.resolve(ctx, liveTag+environment)
	if errors.Is(err, ErrNoRelease) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	m, err := s.packed(ctx, d)
	if m.ArtifactType == mediaTypeNone {
		return "", true, nil
	}
	return string(m.Config.Digest), err == nil, err
}
