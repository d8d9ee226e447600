package mlflow

import (
	"slices"
	"strconv"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

func (s *space) createVersion(in params) (any, error) {
	req, err := in.required("name", "source")
	if err != nil {
		return nil, err
	}
	m, err := s.model(req[0])
	if err != nil {
		return nil, err
	}
	var opt [3]string
	for i, key := range []string{"run_id", "description", "run_link"} {
		if opt[i], err = in.text(key); err != nil {
			return nil, err
		}
	}
	now := s.now()
	m.count++
	v := &lightVersion{
		Name: m.Name, Version: strconv.Itoa(m.count), Created: now, Updated: now, Stage: "None", Source: req[1], Status: "READY",
		RunID: opt[0], Description: opt[1], RunLink: opt[2], Tags: in.tags("tags"),
	}
	m.versions, m.Updated = append(m.versions, v), now
	return map[string]any{"model_version": v}, nil
}

func (s *space) getVersion(in params) (any, error) {
	v, err := s.version(in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"model_version": v}, nil
}

func (s *space) updateVersion(in params) (any, error) {
	v, err := s.version(in)
	if err != nil {
		return nil, err
	}
	if v.Description, err = in.text("description"); err != nil {
		return nil, err
	}
	v.Updated = s.now()
	return map[string]any{"model_version": v}, nil
}

func (s *space) deleteVersion(in params) (any, error) {
	v, err := s.version(in)
	if err != nil {
		return nil, err
	}
	m := s.models[v.Name]
	for _, alias := range slices.Clone(v.Aliases) {
		m.dropAlias(alias)
	}
	m.versions = slices.DeleteFunc(m.versions, func(o *lightVersion) bool { return o == v })
	m.Updated = s.now()
	return struct{}{}, nil
}

func (s *space) setVersionTag(in params) (any, error) {
	req, err := in.required("name", "version", "key")
	if err != nil {
		return nil, err
	}
	v, err := s.version(in)
	if err != nil {
		return nil, err
	}
	v.Tags = setKey(v.Tags, keyed{req[2], text(in, "value")})
	return struct{}{}, nil
}

func (s *space) deleteVersionTag(in params) (any, error) {
	req, err := in.required("name", "version", "key")
	if err != nil {
		return nil, err
	}
	v, err := s.version(in)
	if err != nil {
		return nil, err
	}
	v.Tags = slices.DeleteFunc(v.Tags, func(t keyed) bool { return t.Key == req[2] })
	return struct{}{}, nil
}

// transition moves a version, and on request every other one of that stage to Archived.
func (s *space) transition(in params) (any, error) {
	req, err := in.required("name", "version", "stage")
	if err != nil {
		return nil, err
	}
	stage, err := stageName(req[2])
	if err != nil {
		return nil, err
	}
	archive, _ := in["archive_existing_versions"].(bool)
	if archive && stage != "Staging" && stage != "Production" {
		return nil, wire.Errorf(500, "INTERNAL_ERROR", notActive+" because '%s' is not an Active stage. Valid stages are ['Staging', 'Production']", req[2])
	}
	v, err := s.version(in)
	if err != nil {
		return nil, err
	}
	m, now := s.models[v.Name], s.now()
	for _, other := range m.versions {
		if archive && other != v && other.Stage == stage {
			other.Stage, other.Updated = "Archived", now
		}
	}
	v.Stage, v.Updated, m.Updated = stage, now, now
	return map[string]any{"model_version": v}, nil
}
