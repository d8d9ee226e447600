package artifacts

import (
	"cmp"
	"context"
	"fmt"
)

// Inspection is an artifact for people and programs to look at.
type Inspection struct {
	Release     string         `json:"release,omitempty"`
	Names       []string       `json:"names"` // all of the id, newest first
	ID          string         `json:"id"`
	Project     string         `json:"project"`
	Live        []string       `json:"live,omitempty"` // environments
	Provenance  []Provenance   `json:"provenance"`     // latest commit first
	Notebooks   []File         `json:"notebooks"`
	Config      []File         `json:"config"`
	Models      []Inspected    `json:"models"`
	Attachments map[string]int `json:"attachments,omitempty"` // number by predicate type, or by artifact type where another tool attached it
}

// Inspected is a model of an artifact. Metrics are for whoever asks the registry to fill in.
type Inspected struct {
	ModelPin
	Size    int64              `json:"size"`              // of all its files, bytes
	Sklearn []string           `json:"sklearn,omitempty"` // versions of scikit-learn that wrote its pickles, of a model in git
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// Inspect gathers what the store knows of a release: by name, id, or the first digits of an id.
func (s *Store) Inspect(ctx context.Context, ref string) (Inspection, error) {
	a, err := s.Open(ctx, ref)
	if err != nil {
		return Inspection{}, err
	}
	in := Inspection{
		ID: a.ID(), Project: a.Manifest.Project, Names: []string{}, Models: []Inspected{},
		Notebooks: listed(a.Manifest.Notebooks), Config: listed(a.Manifest.Config), Attachments: map[string]int{},
	}
	for _, p := range a.Manifest.Models {
		m := Inspected{ModelPin: p}
		for _, f := range p.Files {
			m.Size += f.Size
		}
		if m.Sklearn, err = a.Sklearn(ctx, p.Label); err != nil {
			return Inspection{}, fmt.Errorf("inspecting %s: %w", ref, err)
		}
		in.Models = append(in.Models, m)
	}
	all, err := s.List(ctx)
	if err != nil {
		return Inspection{}, fmt.Errorf("inspecting %s: %w", ref, err)
	}
	for _, l := range all {
		if l.ID != in.ID {
			continue
		}
		in.Names, in.Live = append(in.Names, l.Name), l.Live
		if l.Name == ref || in.Release == "" {
			in.Release = l.Name
		}
	}
	if in.Provenance, err = s.Provenance(ctx, in.ID); err != nil {
		return Inspection{}, fmt.Errorf("inspecting %s: %w", ref, err)
	}
	for m, err := range s.referrers(ctx, in.ID) {
		if err != nil {
			return Inspection{}, fmt.Errorf("inspecting %s: %w", ref, err)
		}
		in.Attachments[cmp.Or(m.Annotations[annotationPredicate], m.ArtifactType, m.Config.MediaType)]++
	}
	return in, nil
}
