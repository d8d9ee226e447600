package artifacts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/bargeml/barge/environments"
)

// Types of a provenance: an in-toto statement with SLSA's predicate.
const (
	MediaTypeStatement  = "application/vnd.in-toto+json"
	PredicateProvenance = "https://slsa.dev/provenance/v1"
)

const (
	statementType = "https://in-toto.io/Statement/v1"
	buildType     = "https://github.com/bargeml/barge/build/v1"
	builderID     = "https://github.com/bargeml/barge"

	annotationRef     = "io.github.bargeml.barge.ref"
	annotationProject = "io.github.bargeml.barge.project"
)

// Provenance says where a release comes from. It is attached to the artifact, under each of its names, and is no part
// of it.
type Provenance struct {
	Release    string    `json:"release"`
	Commit     string    `json:"commit"`
	Ref        string    `json:"ref,omitempty"`        // refs/tags/v1.4.0, refs/heads/main; "" when none was asked for
	Time       time.Time `json:"time"`                 // of the commit
	Author     string    `json:"author,omitempty"`     // of the commit
	Repository string    `json:"repository,omitempty"` // origin's address, without credentials
	Folder     string    `json:"folder"`               // of barge.hcl in the repository
	Barge      string    `json:"barge,omitempty"`      // the version that built it
}

// statement is p about an artifact, as in-toto and SLSA have it.
func (p Provenance) statement(project, id string) ([]byte, error) {
	type object = map[string]any
	source := object{"uri": "git+" + p.Repository, "digest": object{"gitCommit": p.Commit}}
	if p.Repository == "" {
		delete(source, "uri")
	}
	return environments.Canonical(object{
		"_type":         statementType,
		"subject":       []object{{"name": project + " " + p.Release, "digest": object{"sha256": strings.TrimPrefix(id, digestPrefix)}}},
		"predicateType": PredicateProvenance,
		"predicate": object{
			"buildDefinition": object{
				"buildType":            buildType,
				"externalParameters":   p,
				"resolvedDependencies": []object{source},
			},
			"runDetails": object{"builder": object{"id": builderID, "version": object{"barge": p.Barge}}},
		},
	})
}

// recordProvenance attaches p to the artifact, once for each pair of name and commit.
func (s *Store) recordProvenance(ctx context.Context, project, id string, p Provenance) error {
	known, err := s.provenanceOf(ctx, id, p.Release)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(known, func(k Provenance) bool { return k.Commit == p.Commit }) {
		return nil
	}
	body, err := p.statement(project, id)
	if err != nil {
		return err
	}
	return s.Attach(ctx, id, Attachment{MediaType: MediaTypeStatement, PredicateType: PredicateProvenance, Body: body, Annotations: map[string]string{
		ocispec.AnnotationVersion:  p.Release,
		ocispec.AnnotationRevision: p.Commit,
		ocispec.AnnotationCreated:  p.Time.Format(time.RFC3339),
		annotationRef:              p.Ref,
		annotationProject:          p.Folder,
	}})
}

// Provenance lists where an artifact comes from, the latest commit first: one for each name and commit.
func (s *Store) Provenance(ctx context.Context, id string) ([]Provenance, error) {
	var all []Provenance
	for a, err := range s.Attached(ctx, id, PredicateProvenance) {
		if err != nil {
			return nil, err
		}
		p, err := readProvenance(a.Body)
		if errors.Is(err, errForeign) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the provenance of %s: %w", id, err)
		}
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(a, b Provenance) int {
		if c := b.Time.Compare(a.Time); c != 0 {
			return c
		}
		return strings.Compare(b.Commit+b.Release, a.Commit+a.Release)
	})
	return all, nil
}

// errForeign marks a provenance that another builder than barge wrote.
var errForeign = errors.New("not made by barge")

func readProvenance(body []byte) (Provenance, error) {
	var s struct {
		Predicate struct {
			BuildDefinition struct {
				BuildType          string     `json:"buildType"`
				ExternalParameters Provenance `json:"externalParameters"`
			} `json:"buildDefinition"`
		} `json:"predicate"`
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return Provenance{}, err
	}
	if s.Predicate.BuildDefinition.BuildType != buildType {
		return Provenance{}, errForeign
	}
	return s.Predicate.BuildDefinition.ExternalParameters, nil
}

// provenanceOf lists where the artifact comes from under one name.
func (s *Store) provenanceOf(ctx context.Context, id, name string) ([]Provenance, error) {
	all, err := s.Provenance(ctx, id)
	return slices.DeleteFunc(all, func(p Provenance) bool { return p.Release != name }), err
}

// Listed is one name in a store.
type Listed struct {
	Name   string    `json:"name"`
	ID     string    `json:"id"`
	Commit string    `json:"commit,omitempty"` // the latest it was made from under this name
	Time   time.Time `json:"time,omitzero"`    // of that commit
	Live   []string  `json:"live,omitempty"`   // environments whose champion it was when last noted, sorted
}

// List gives all names, newest first: by the time of their commit, then by version.
func (s *Store) List(ctx context.Context) ([]Listed, error) {
	return s.list(ctx, func([]Provenance) bool { return true })
}

// list gives the names whose provenance is wanted.
func (s *Store) list(ctx context.Context, wanted func([]Provenance) bool) ([]Listed, error) {
	tags, err := s.tags(ctx)
	if err != nil {
		return nil, err
	}
	live := map[string][]string{}
	var all []Listed
	for _, tag := range tags {
		environment, isLive := strings.CutPrefix(tag, liveTag)
		if !isLive && CheckName(tag) != nil {
			continue
		}
		id, err := s.Lookup(ctx, tag)
		if errors.Is(err, errNotOurs) {
			continue // an image that somebody keeps in the same place
		}
		if err != nil {
			return nil, err
		}
		if isLive {
			live[id] = append(live[id], environment)
			continue
		}
		l := Listed{Name: tag, ID: id}
		from, err := s.provenanceOf(ctx, id, tag)
		if err != nil {
			return nil, err
		}
		if !wanted(from) {
			continue
		}
		if len(from) > 0 {
			l.Commit, l.Time = from[0].Commit, from[0].Time
		}
		all = append(all, l)
	}
	for i := range all {
		all[i].Live = live[all[i].ID]
	}
	slices.SortStableFunc(all, func(a, b Listed) int {
		if c := b.Time.Compare(a.Time); c != 0 {
			return c
		}
		return compareNames(b.Name, a.Name)
	})
	return all, nil
}
