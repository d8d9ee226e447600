package release

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/ledger"
)

// Rooted is the project as the ledger of one environment has it: for what is done without barge.hcl. The rules are those
// in force. Workspaces are called by their addresses: the environment's is where the ledger was found, at host, and the
// registries' are where the latest start says.
func Rooted(s ledger.State, host, path string) (*environments.Project, error) {
	rules, err := recordedRules(s.Rules.Text)
	if err != nil {
		return nil, fmt.Errorf("reading the ledger of %s: %w: a newer barge has written there, use that one", s.Genesis.Environment, err)
	}
	project := &environments.Project{
		Name:       s.Genesis.Project,
		Workspaces: []environments.Workspace{{Name: address(host), Host: host}},
		Environments: []environments.Environment{{
			Name: s.Genesis.Environment, Workspace: address(host), Path: path, Follows: rules.Follows, Operators: rules.Operators,
			Soak: rules.Soak, Gates: rules.Gates, Scores: rules.Scores,
		}},
	}
	for _, name := range sorted(s.Where) {
		at := s.Where[name]
		if !akin(at.Host, host) {
			return nil, fmt.Errorf("the ledger says that registry %s is at %s: nobody is signed in there by a ledger's word alone; "+
				"where barge.hcl is, the same command works without --ledger", name, at.Host)
		}
		project.Registries = append(project.Registries, environments.Registry{Name: name, Kind: at.Kind, Workspace: address(at.Host)})
		known := slices.ContainsFunc(project.Workspaces, func(w environments.Workspace) bool { return w.Host == at.Host })
		if !known {
			project.Workspaces = append(project.Workspaces, environments.Workspace{Name: address(at.Host), Host: at.Host})
		}
	}
	return project, nil
}

// clouds are the domains of Azure Databricks, where nobody but the service has hosts.
var clouds = []string{".azuredatabricks.net", ".databricks.azure.us", ".databricks.azure.cn"}

// akin tells whether a host that stands in a ledger may be given a token: it is the ledger's own, or both are the
// service's, or on this machine. Else who can write a ledger could have tokens sent to himself.
func akin(host, own string) bool {
	if host == own {
		return true
	}
	a, errA := url.Parse(host)
	b, errB := url.Parse(own)
	if errA != nil || errB != nil || a.Scheme != b.Scheme {
		return false
	}
	loopback := func(u *url.URL) bool { return u.Hostname() == "127.0.0.1" }
	service := func(u *url.URL) bool {
		return u.Scheme == "https" && slices.ContainsFunc(clouds, func(domain string) bool { return strings.HasSuffix(u.Hostname(), domain) })
	}
	return loopback(a) && loopback(b) || service(a) && service(b)
}

// address is a URL without its scheme: what a workspace is called that no barge.hcl names.
func address(host string) string {
	_, rest, _ := strings.Cut(host, "://")
	return rest
}

// where says where the registries of a plan's slots are.
func (p *place) where(plan *Plan) (map[string]ledger.Where, error) {
	where := map[string]ledger.Where{}
	for _, at := range plan.Pointers {
		if at.Slot == nil {
			continue
		}
		r, err := p.site.Registries(at.Slot.Registry)
		if err != nil {
			return nil, err
		}
		where[at.Slot.Registry] = r.Where
	}
	return where, nil
}

// recordedRules reads rules as a ledger has them; none are the zero Rules.
func recordedRules(text json.RawMessage) (environments.Rules, error) {
	if len(text) == 0 {
		return environments.Rules{}, nil
	}
	return environments.RulesFromJSON(text)
}
