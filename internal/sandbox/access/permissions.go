package access

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/disk"
	"github.com/bargeml/barge/internal/sandbox/wire"
)

// Object is something that has rights. Kind is the word of its URL ("jobs", "directories"); Creator holds the
// highest level until rights are set; Within is what it inherits from, nil at the top.
type Object struct {
	Kind    string
	ID      string
	Creator string
	Within  *Object
}

// kind is what can be said of one kind of object: its type in answers, and its levels, lowest first.
type kind struct {
	object string
	levels []string
}

var (
	fileLevels = []string{"CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"}
	kinds      = map[string]kind{
		"directories":       {"directory", fileLevels},
		"notebooks":         {"notebook", fileLevels},
		"files":             {"file", fileLevels},
		"repos":             {"repo", fileLevels},
		"jobs":              {"job", []string{"CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"}},
		"experiments":       {"mlflowExperiment", []string{"CAN_READ", "CAN_EDIT", "CAN_MANAGE"}},
		"registered-models": {"registered-model", []string{"CAN_READ", "CAN_EDIT", "CAN_MANAGE_STAGING_VERSIONS", "CAN_MANAGE_PRODUCTION_VERSIONS", "CAN_MANAGE"}},
		"clusters":          {"cluster", []string{"CAN_ATTACH_TO", "CAN_RESTART", "CAN_MANAGE"}},
		"cluster-policies":  {"cluster-policy", []string{"CAN_USE"}},
		"instance-pools":    {"instance-pool", []string{"CAN_ATTACH_TO", "CAN_MANAGE"}},
		"pipelines":         {"pipelines", []string{"CAN_VIEW", "CAN_RUN", "CAN_MANAGE", "IS_OWNER"}},
		"serving-endpoints": {"serving-endpoint", []string{"CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"}},
		"sql/warehouses":    {"warehouses", []string{"CAN_USE", "CAN_MONITOR", "CAN_MANAGE", "IS_OWNER"}},
	}
	descriptions = map[string]string{
		"CAN_READ": "Can view", "CAN_VIEW": "Can view", "CAN_RUN": "Can run", "CAN_EDIT": "Can edit", "CAN_MANAGE": "Can manage",
		"CAN_MANAGE_RUN": "Can manage runs", "IS_OWNER": "Is owner", "CAN_ATTACH_TO": "Can attach to", "CAN_RESTART": "Can restart",
		"CAN_USE": "Can use", "CAN_QUERY": "Can query", "CAN_MONITOR": "Can monitor",
		"CAN_MANAGE_STAGING_VERSIONS": "Can manage staging versions", "CAN_MANAGE_PRODUCTION_VERSIONS": "Can manage production versions",
	}
	applicationID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

// principal is who holds a right: exactly one of the three.
type principal struct {
	User    string `json:"user_name,omitempty"`
	Group   string `json:"group_name,omitempty"`
	Service string `json:"service_principal_name,omitempty"` // an application id
}

// grant is one right of a principal. Grants of an object are kept in the order in which they were made.
type grant struct {
	principal
	Level string `json:"permission_level"`
}

func (s *Service) permissionRoutes(m *wire.Mux) {
	for name := range kinds {
		base := "/api/2.0/permissions/" + name + "/{id}"
		m.JSON("GET "+base, s.serve(name, s.read))
		m.JSON("PUT "+base, s.serve(name, s.set))
		m.JSON("PATCH "+base, s.serve(name, s.update))
		m.JSON("GET "+base+"/permissionLevels", s.serve(name, levels))
	}
}

func (s *Service) serve(name string, answer func(*http.Request, Object) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		o, err := s.find(name, r.PathValue("id"))
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return answer(r, o)
	}
}

func levels(_ *http.Request, o Object) (any, error) {
	var list []map[string]string
	for _, level := range slices.Backward(kinds[o.Kind].levels) {
		list = append(list, map[string]string{"permission_level": level, "description": descriptions[level]})
	}
	return map[string]any{"permission_levels": list}, nil
}

func (s *Service) read(_ *http.Request, o Object) (any, error) { return s.shown(o), nil }

func (s *Service) set(r *http.Request, o Object) (any, error) { return s.change(r, o, nil) }

func (s *Service) update(r *http.Request, o Object) (any, error) { return s.change(r, o, s.direct(o)) }

// Begin gives a new object its rights: the creator's, unless the list names another owner, and those of the list.
// An object without an id only has its list checked.
func (s *Service) Begin(o Object, list json.RawMessage) error {
	var given []grant
	if err := wire.Unmarshal(fmt.Appendf(nil, `{"access_control_list":%s}`, list), &struct {
		List *[]grant `json:"access_control_list"`
	}{&given}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	grants := s.direct(o)
	if slices.ContainsFunc(given, func(g grant) bool { return g.Level == "IS_OWNER" }) {
		grants = nil
	}
	grants, err := o.laid(grants, given)
	if err != nil || o.ID == "" {
		return err
	}
	return s.keep(o, grants)
}

// change lays the request's grants over those that stand.
func (s *Service) change(r *http.Request, o Object, grants []grant) (any, error) {
	var body struct {
		List []grant `json:"access_control_list"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return nil, err
	}
	grants, err := o.laid(grants, body.List)
	if err != nil {
		return nil, err
	}
	if err := s.keep(o, grants); err != nil {
		return nil, err
	}
	return s.shown(o), nil
}

// laid are the grants with those given laid over them: the last level named for a principal wins.
func (o Object) laid(grants, given []grant) ([]grant, error) {
	for _, g := range given {
		if err := g.check(o.Kind); err != nil {
			return nil, err
		}
		grants = append(slices.DeleteFunc(slices.Clone(grants), func(old grant) bool { return old.principal == g.principal }), g)
	}
	if slices.Contains(kinds[o.Kind].levels, "IS_OWNER") {
		if owners := slices.DeleteFunc(slices.Clone(grants), func(g grant) bool { return g.Level != "IS_OWNER" }); len(owners) != 1 {
			return nil, wire.Invalid("The %s must have exactly one owner.", kinds[o.Kind].object)
		}
	}
	return grants, nil
}

func (s *Service) keep(o Object, grants []grant) error {
	before := maps.Clone(s.state.Grants)
	s.state.Grants[o.path()] = grants
	if err := disk.Save(s.file, s.state); err != nil {
		s.state.Grants = before
		return err
	}
	return nil
}

func (g grant) check(name string) error {
	named := 0
	for _, who := range []string{g.User, g.Group, g.Service} {
		if who != "" {
			named++
		}
	}
	k := kinds[name]
	switch {
	case named != 1:
		return wire.Invalid("Exactly one of user_name, group_name and service_principal_name must be given")
	case g.Level == "":
		return wire.Missing("permission_level")
	case !slices.Contains(k.levels, g.Level):
		return wire.Invalid("Permission level %s is not valid for object type %s, allowed are %s", g.Level, k.object, strings.Join(k.levels, ", "))
	case g.Service != "" && !applicationID.MatchString(g.Service):
		return wire.NotFound("Principal: ServicePrincipalName(%s) does not exist", g.Service)
	case g.Level == "IS_OWNER" && g.Group != "":
		return wire.Invalid("A group cannot be the owner of object type %s", k.object)
	}
	return nil
}

func (o Object) path() string { return "/" + o.Kind + "/" + o.ID }

// direct is what stands at the object itself: what was set, or the creator's right.
func (s *Service) direct(o Object) []grant {
	if grants, ok := s.state.Grants[o.path()]; ok {
		return grants
	}
	if o.Creator == "" {
		return nil
	}
	k := kinds[o.Kind]
	g := grant{Level: k.levels[len(k.levels)-1]}
	switch {
	case applicationID.MatchString(o.Creator):
		g.Service = o.Creator
	case strings.HasPrefix(o.Creator, "group:"):
		g.Group = strings.TrimPrefix(o.Creator, "group:")
	default:
		g.User = o.Creator
	}
	return []grant{g}
}

// right is one level of a principal as an answer shows it.
type right struct {
	Level     string   `json:"permission_level"`
	Inherited bool     `json:"inherited"`
	From      []string `json:"inherited_from_object,omitempty"`
}

type entry struct {
	principal
	DisplayName string  `json:"display_name,omitempty"`
	All         []right `json:"all_permissions"`
}

// shown is an object's rights, its own first, then what it inherits from the nearest upwards, the admins' last.
func (s *Service) shown(o Object) any {
	var list []*entry
	add := func(g grant, from string) {
		r := right{Level: g.Level, Inherited: from != ""}
		if from != "" {
			r.From = []string{from}
		}
		for _, e := range list {
			if e.principal == g.principal {
				e.All = append(e.All, r)
				return
			}
		}
		list = append(list, &entry{principal: g.principal, DisplayName: s.displayName(g.principal), All: []right{r}})
	}
	for _, g := range s.direct(o) {
		add(g, "")
	}
	for up := o.Within; up != nil; up = up.Within {
		for _, g := range s.direct(*up) {
			add(g, up.path())
		}
	}
	if slices.Contains(kinds[o.Kind].levels, "CAN_MANAGE") {
		add(grant{principal{Group: "admins"}, "CAN_MANAGE"}, o.top())
	}
	return map[string]any{"object_id": o.path(), "object_type": kinds[o.Kind].object, "access_control_list": list}
}

// top is where the admins' right comes from.
func (o Object) top() string {
	switch o.Kind {
	case "directories", "notebooks", "files", "repos":
		return "/directories/0"
	case "registered-models":
		return "/registered-models/root"
	}
	return "/" + o.Kind + "/"
}
