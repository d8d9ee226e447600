// Package access is who there is in a twin, and who may do what: SCIM and the permissions API.
//
// Rights are recorded and shown as the service would; they are not enforced, since a twin has one token. Users and
// groups need not be created before they are given rights: a twin stands in for workspaces whose people it does not
// know.
package access

import (
	"path/filepath"
	"strconv"
	"sync"

	"github.com/bargeml/barge/internal/sandbox/disk"
	"github.com/bargeml/barge/internal/sandbox/wire"
)

// User is whom the twin's token belongs to, an admin of the workspace.
type User struct {
	Name        string // an e-mail address
	DisplayName string
}

// Find looks an object up by the kind of its URL and its id; what is not there is 404 RESOURCE_DOES_NOT_EXIST.
type Find func(kind, id string) (Object, error)

// Service answers for one twin. It is safe for concurrent use.
type Service struct {
	file string
	find Find

	mu    sync.Mutex
	state state
}

// state is what is kept on disk. The first of the Users is the twin's own.
type state struct {
	LastID    int64                 `json:"last_id"`
	Resources map[string][]resource `json:"resources"`
	Grants    map[string][]grant    `json:"grants"`
}

// New opens the state kept under dir, or begins one with the user and the groups admins and users.
func New(dir string, user User, find Find) (*Service, error) {
	s := &Service{file: filepath.Join(dir, "access.json"), find: find}
	if err := disk.Load(s.file, &s.state); err != nil {
		return nil, err
	}
	if s.state.Resources != nil {
		return s, nil
	}
	s.state = state{LastID: 7_000_000_000_000, Resources: map[string][]resource{}, Grants: map[string][]grant{}}
	ids := map[string]string{}
	for _, name := range []string{"admins", "users"} {
		s.state.LastID++
		ids[name] = strconv.FormatInt(s.state.LastID, 10)
		s.add(directories[1], resource{"displayName": name}, ids[name])
	}
	s.state.LastID++
	s.add(directories[0], resource{
		"userName":    user.Name,
		"displayName": user.DisplayName,
		"emails":      []any{map[string]any{"type": "work", "value": user.Name, "primary": true}},
		"groups": []any{
			map[string]any{"display": "admins", "type": "direct", "value": ids["admins"], "$ref": "Groups/" + ids["admins"]},
			map[string]any{"display": "users", "type": "direct", "value": ids["users"], "$ref": "Groups/" + ids["users"]},
		},
	}, strconv.FormatInt(s.state.LastID, 10))
	return s, disk.Save(s.file, s.state)
}

// Close does nothing: there is nothing to stop.
func (s *Service) Close() error { return nil }

// Routes registers SCIM and the permissions API.
func (s *Service) Routes(m *wire.Mux) {
	s.scimRoutes(m)
	s.permissionRoutes(m)
}

// displayName is what the directory calls a principal, else nothing for a group and the name itself for the others.
func (s *Service) displayName(p principal) string {
	name, d := p.User, directories[0]
	switch {
	case p.Group != "":
		return ""
	case p.Service != "":
		name, d = p.Service, directories[2]
	}
	for _, r := range s.state.Resources[d.name] {
		if r.text(d.label) == name {
			return r.text("displayName")
		}
	}
	return name
}
