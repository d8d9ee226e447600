package mlflow

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

type lightModel struct {
	Name        string          `json:"name"`
	Created     int64           `json:"creation_timestamp"`
	Updated     int64           `json:"last_updated_timestamp"`
	Description string          `json:"description,omitempty"`
	Latest      []*lightVersion `json:"latest_versions,omitempty"`
	Tags        []keyed         `json:"tags,omitempty"`
	Aliases     []lightAlias    `json:"aliases,omitempty"`
	versions    []*lightVersion // oldest first
	count       int             // numbers given, those of deleted versions too
}

type lightAlias struct {
	Alias   string `json:"alias"`
	Version string `json:"version"`
}

type lightVersion struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	Created     int64    `json:"creation_timestamp"`
	Updated     int64    `json:"last_updated_timestamp"`
	Stage       string   `json:"current_stage"`
	Description string   `json:"description"`
	Source      string   `json:"source"`
	RunID       string   `json:"run_id"`
	Status      string   `json:"status"`
	Tags        []keyed  `json:"tags,omitempty"`
	RunLink     string   `json:"run_link"`
	Aliases     []string `json:"aliases,omitempty"`
}

var stages = []string{"None", "Staging", "Production", "Archived"}

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }

func badStage(s string) error {
	return wire.Invalid("Invalid Model Version stage: %s. Value must be one of %s.", s, strings.Join(stages, ", "))
}

func (s *space) model(name string) (*lightModel, error) {
	if m := s.models[name]; m != nil {
		return m, nil
	}
	return nil, wire.NotFound("Registered Model with name=%s not found", name)
}

func (s *space) named(in params) (*lightModel, error) {
	v, err := in.required("name")
	if err != nil {
		return nil, err
	}
	return s.model(v[0])
}

// shown is a model with the latest version of every stage, in the order of their numbers.
func (m *lightModel) shown() map[string]any {
	m.Latest = m.latest(stages)
	return map[string]any{"registered_model": m}
}

func (m *lightModel) latest(of []string) []*lightVersion {
	var latest []*lightVersion
	for _, v := range slices.Backward(m.versions) {
		taken := slices.ContainsFunc(latest, func(l *lightVersion) bool { return l.Stage == v.Stage })
		if !taken && slices.Contains(of, v.Stage) {
			latest = append(latest, v)
		}
	}
	slices.Reverse(latest)
	return latest
}

func checkName(name string) error {
	if strings.ContainsAny(name, "/:") {
		return wire.Invalid("Invalid model name '%s'. Names cannot contain '/' or ':'.", name)
	}
	if name == "." || name == ".." {
		return wire.Invalid("Invalid value \"%s\" for parameter 'name' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '%s'", name, name)
	}
	return nil
}

func (s *space) createModel(in params) (any, error) {
	v, err := in.required("name")
	if err != nil {
		return nil, err
	}
	if err := checkName(v[0]); err != nil {
		return nil, err
	}
	if s.models[v[0]] != nil {
		return nil, wire.Errorf(400, "RESOURCE_ALREADY_EXISTS", "Registered Model (name=%s) already exists.", v[0])
	}
	description, err := in.text("description")
	if err != nil {
		return nil, err
	}
	now := s.now()
	m := &lightModel{Name: v[0], Created: now, Updated: now, Description: description, Tags: in.tags("tags")}
	s.models[m.Name] = m
	return m.shown(), nil
}

func (s *space) getModel(in params) (any, error) {
	m, err := s.named(in)
	if err != nil {
		return nil, err
	}
	return m.shown(), nil
}

func (s *space) updateModel(in params) (any, error) {
	m, err := s.named(in)
	if err != nil {
		return nil, err
	}
	if m.Description, err = in.text("description"); err != nil {
		return nil, err
	}
	m.Updated = s.now()
	return m.shown(), nil
}

func (s *space) deleteModel(in params) (any, error) {
	m, err := s.named(in)
	if err != nil {
		return nil, err
	}
	delete(s.models, m.Name)
	return struct{}{}, nil
}

func (s *space) renameModel(in params) (any, error) {
	v, err := in.required("name", "new_name")
	if err != nil {
		return nil, err
	}
	m, err := s.model(v[0])
	if err != nil {
		return nil, err
	}
	if s.models[v[1]] != nil {
		return nil, wire.Errorf(400, "RESOURCE_ALREADY_EXISTS", "Registered Model (name=%s) already exists.", v[1])
	}
	delete(s.models, m.Name)
	m.Name, m.Updated = v[1], s.now()
	s.models[m.Name] = m
	for _, version := range m.versions {
		version.Name, version.Updated = m.Name, m.Updated
	}
	return m.shown(), nil
}

func (s *space) setModelTag(in params) (any, error) {
	v, err := in.required("name", "key")
	if err != nil {
		return nil, err
	}
	m, err := s.model(v[0])
	if err != nil {
		return nil, err
	}
	m.Tags = setKey(m.Tags, keyed{v[1], text(in, "value")})
	return struct{}{}, nil
}

func (s *space) deleteModelTag(in params) (any, error) {
	v, err := in.required("name", "key")
	if err != nil {
		return nil, err
	}
	m, err := s.model(v[0])
	if err != nil {
		return nil, err
	}
	m.Tags = slices.DeleteFunc(m.Tags, func(t keyed) bool { return t.Key == v[1] })
	return struct{}{}, nil
}

func (s *space) latest(in params) (any, error) {
	m, err := s.named(in)
	if err != nil {
		return nil, err
	}
	asked := stages
	if list := in.list("stages"); len(list) > 0 {
		asked = nil
		for _, name := range list {
			stage, err := stageName(name)
			if err != nil {
				return nil, err
			}
			asked = append(asked, stage)
		}
	}
	if latest := m.latest(asked); len(latest) > 0 {
		return map[string]any{"model_versions": latest}, nil
	}
	return struct{}{}, nil
}

var (
	aliasName     = regexp.MustCompile(`^[\w\-]*$`)
	versionalName = regexp.MustCompile(`(?i)^v\d+$`)
)

func checkAlias(alias string) error {
	switch {
	case !aliasName.MatchString(alias):
		return wire.Invalid("Invalid alias name: '%s'. Names may only contain alphanumerics, underscores (_), and dashes (-).", alias)
	case equalFold(alias, "latest"):
		return wire.Invalid("'latest' alias name (case insensitive) is reserved.")
	case versionalName.MatchString(alias):
		return wire.Invalid("Version alias name '%s' is reserved.", alias)
	}
	return nil
}

func (s *space) setAlias(in params) (any, error) {
	v, err := in.required("name", "alias", "version")
	if err != nil {
		return nil, err
	}
	if err := checkAlias(v[1]); err != nil {
		return nil, err
	}
	version, err := s.version(in)
	if err != nil {
		return nil, err
	}
	m := s.models[v[0]]
	m.dropAlias(v[1])
	m.Aliases = append(m.Aliases, lightAlias{v[1], version.Version})
	version.Aliases = append(version.Aliases, v[1])
	return struct{}{}, nil
}

func (m *lightModel) dropAlias(alias string) {
	m.Aliases = slices.DeleteFunc(m.Aliases, func(a lightAlias) bool { return a.Alias == alias })
	for _, v := range m.versions {
		v.Aliases = slices.DeleteFunc(v.Aliases, func(a string) bool { return a == alias })
	}
}

func (s *space) deleteAlias(in params) (any, error) {
	v, err := in.required("name", "alias")
	if err != nil {
		return nil, err
	}
	m, err := s.model(v[0])
	if err != nil {
		return nil, err
	}
	m.dropAlias(v[1])
	return struct{}{}, nil
}

func (s *space) getAlias(in params) (any, error) {
	v, err := in.required("name", "alias")
	if err != nil {
		return nil, err
	}
	m, err := s.model(v[0])
	if err != nil {
		return nil, err
	}
	for _, version := range m.versions {
		if slices.Contains(version.Aliases, v[1]) {
			return map[string]any{"model_version": version}, nil
		}
	}
	return nil, wire.Invalid("Registered model alias %s not found.", v[1])
}

// version finds the one that a request names.
func (s *space) version(in params) (*lightVersion, error) {
	v, err := in.required("name", "version")
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(v[1])
	if err != nil {
		return nil, wire.Invalid("Parameter 'version' must be an integer, got '%s'.", v[1])
	}
	if m := s.models[v[0]]; m != nil {
		for _, version := range m.versions {
			if version.Version == strconv.Itoa(number) {
				return version, nil
			}
		}
	}
	return nil, wire.NotFound("Model Version (name=%s, version=%d) not found", v[0], number)
}
