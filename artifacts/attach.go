package artifacts

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
)

// annotationPredicate names an attachment's predicate type, so that it is found without reading its body.
const annotationPredicate = "in-toto.io/predicate-type"

// maxAttachment bounds what is read as an attachment.
const maxAttachment = 32 << 20

// Attachment is a statement about an artifact that travels with it: provenance, evidence. It is an OCI referrer.
type Attachment struct {
	MediaType     string // of Body; also the referrer's artifactType
	PredicateType string
	Annotations   map[string]string // more, for whoever lists; may be nil
	Body          []byte
}

// Attach stores an attachment of the artifact. Attaching the same again does nothing.
func (s *Store) Attach(ctx context.Context, id string, a Attachment) error {
	subject, err := s.descriptor(ctx, id)
	if err != nil {
		return err
	}
	layer, err := s.push(ctx, a.MediaType, a.Body)
	if err != nil {
		return err
	}
	config, err := s.push(ctx, ocispec.MediaTypeEmptyJSON, ocispec.DescriptorEmptyJSON.Data)
	if err != nil {
		return err
	}
	subject = plain(subject)
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: a.MediaType,
		Config: config, Layers: []ocispec.Descriptor{layer}, Subject: &subject, Annotations: maps.Clone(a.Annotations),
	}
	if a.PredicateType != "" {
		if m.Annotations == nil {
			m.Annotations = map[string]string{}
		}
		m.Annotations[annotationPredicate] = a.PredicateType
	}
	if _, err := s.pushManifest(ctx, m); err != nil {
		return fmt.Errorf("attaching %s to %s: %w", a.PredicateType, id, err)
	}
	return nil
}

// Attached yields what is attached to an artifact under a predicate type ("" is all), in no meaningful order.
func (s *Store) Attached(ctx context.Context, id, predicateType string) iter.Seq2[Attachment, error] {
	return func(yield func(Attachment, error) bool) {
		for m, err := range s.referrers(ctx, id) {
			if err == nil && (predicateType != "" && m.Annotations[annotationPredicate] != predicateType || len(m.Layers) != 1) {
				continue
			}
			a := Attachment{}
			if err == nil {
				a, err = s.attachment(ctx, m)
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
	}
}

// referrers yields the OCI manifests whose subject is the artifact.
func (s *Store) referrers(ctx context.Context, id string) iter.Seq2[ocispec.Manifest, error] {
	return func(yield func(ocispec.Manifest, error) bool) {
		subject, err := s.descriptor(ctx, id)
		if err != nil {
			yield(ocispec.Manifest{}, err)
			return
		}
		found, err := s.target.Predecessors(ctx, subject)
		if err != nil {
			yield(ocispec.Manifest{}, fmt.Errorf("listing what is attached to %s: %w", id, err))
			return
		}
		for _, d := range found {
			var m ocispec.Manifest
			b, err := content.FetchAll(ctx, s.target, d)
			if err == nil {
				err = json.Unmarshal(b, &m)
			}
			if err != nil {
				err = fmt.Errorf("reading what is attached to %s: %w", id, err)
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

func (s *Store) attachment(ctx context.Context, m ocispec.Manifest) (Attachment, error) {
	a := Attachment{MediaType: m.Layers[0].MediaType, PredicateType: m.Annotations[annotationPredicate], Annotations: maps.Clone(m.Annotations)}
	delete(a.Annotations, annotationPredicate)
	if len(a.Annotations) == 0 {
		a.Annotations = nil
	}
	if m.Layers[0].Size > maxAttachment {
		return a, fmt.Errorf("reading an attachment: it has %d bytes", m.Layers[0].Size)
	}
	b, err := content.FetchAll(ctx, s.target, m.Layers[0])
	if err != nil {
		return a, fmt.Errorf("reading an attachment: %w", err)
	}
	a.Body = b
	return a, nil
}
