package databricks

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/bargeml/barge/internal/transport"
)

// Grant is what one principal may do with an object. Principal is "user:NAME", "group:NAME" or
// "service-principal:APPLICATION-ID"; Level one of the service's, such as CAN_MANAGE.
type Grant struct {
	Principal string
	Level     string
	Inherited bool // from a folder above: cannot be taken back here
}

type accessEntry struct {
	User             string `json:"user_name,omitempty"`
	Group            string `json:"group_name,omitempty"`
	ServicePrincipal string `json:"service_principal_name,omitempty"`
	Level            string `json:"permission_level,omitempty"`
}

func (a accessEntry) principal() string {
	switch {
	case a.User != "":
		return "user:" + a.User
	case a.Group != "":
		return "group:" + a.Group
	}
	return "service-principal:" + a.ServicePrincipal
}

func entry(g Grant) (accessEntry, error) {
	kind, name, _ := strings.Cut(g.Principal, ":")
	e := accessEntry{Level: g.Level}
	switch kind {
	case "user":
		e.User = name
	case "group":
		e.Group = name
	case "service-principal":
		e.ServicePrincipal = name
	}
	if name == "" || e.principal() != g.Principal {
		return e, fmt.Errorf("principal %q: write user:NAME, group:NAME or service-principal:APPLICATION-ID", g.Principal)
	}
	return e, nil
}

// Permissions reads who may do what. Kind is the service's word (directories, jobs, registered-models), id its id.
func (w *Workspace) Permissions(ctx context.Context, kind, id string) ([]Grant, error) {
	var out struct {
		List []struct {
			accessEntry
			All []struct {
				Level     string `json:"permission_level"`
				Inherited bool   `json:"inherited"`
			} `json:"all_permissions"`
		} `json:"access_control_list"`
	}
	err := w.do(ctx, call{
		doing: "reading the permissions of " + kind + "/" + id, method: http.MethodGet,
		path: "/api/2.0/permissions/" + kind + "/" + id, out: &out,
	})
	var grants []Grant
	for _, e := range out.List {
		for _, p := range e.All {
			grants = append(grants, Grant{e.principal(), p.Level, p.Inherited})
		}
	}
	return grants, err
}

// PatchPermissions adds grants, or changes those of the same principals; it takes nothing from others. Safe to repeat.
func (w *Workspace) PatchPermissions(ctx context.Context, kind, id string, grants []Grant) error {
	list := make([]accessEntry, 0, len(grants))
	for _, g := range grants {
		e, err := entry(g)
		if err != nil {
			return err
		}
		list = append(list, e)
	}
	return w.do(transport.Default(ctx, transport.Safe), call{
		doing: "giving permissions on " + kind + "/" + id, method: http.MethodPatch,
		path: "/api/2.0/permissions/" + kind + "/" + id, in: map[string]any{"access_control_list": list},
	})
}
