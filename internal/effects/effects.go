// Package effects is what a release does to the world: pointers, which make it live, and what is put beside them.
//
// A pointer is set, read and compared, never patched. What is put beside (folders, runs, secrets, grants) is
// immutable or safe to repeat, and touches nothing that is live.
package effects

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/registry"
	"github.com/bargeml/barge/internal/transport"
)

// Right is asked right before each sending of a call that changes something; its error keeps it from being sent.
type Right func() error

// under is the context of a Set's calls: each is sent once, and not without the right.
func (r Right) under(ctx context.Context) context.Context {
	return transport.Asking(transport.With(ctx, transport.Once), r)
}

// Pointer is a place that makes a release live.
type Pointer interface {
	// ID names the pointer in the ledger: "job:nightly", "slot:shared/diabetes/Production".
	ID() string
	// Read gives what it holds now; ledger.Off when it is at rest or was never there.
	Read(context.Context) (ledger.Value, error)
	// Holds tells whether it holds what want says. What the service adds of its own does not count.
	Holds(ctx context.Context, want ledger.Value) (bool, error)
	// Differs says in what it does not hold what want says; none: it does.
	Differs(ctx context.Context, want ledger.Value) ([]Difference, error)
	// Set makes it hold want, whatever it held. Safe to repeat.
	Set(ctx context.Context, want ledger.Value, right Right) error
}

// Site is where one environment's effects happen.
type Site struct {
	Project     string
	Environment string
	Path        string // the environment's folder; releases/, plans/ and ledger/ stand below it
	Workspace   *databricks.Workspace
	Registries  func(name string) (*Registry, error)
	Imports     int // how many files go out at once; 0: as many as the service takes
}

// Registry is a registry as an environment reaches it.
type Registry struct {
	registry.Registry
	// Where is what the ledger keeps of it, so that a rollback finds it without barge.hcl.
	Where ledger.Where
	// Remote is how notebooks of other workspaces find it; nil when it is their own workspace's.
	Remote *environments.Remote
	// Secrets resolves what a remote registry's secrets hold, at the last moment.
	Secrets func(context.Context) (registry.Remote, error)
}

// URI is what mlflow.set_registry_uri takes.
func (r *Registry) URI() string {
	switch {
	case r.Where.Kind == environments.UnityCatalog:
		return "databricks-uc"
	case r.Where.Kind == environments.MLflow:
		return r.Where.Host
	case r.Remote == nil:
		return "databricks"
	}
	return "databricks://" + r.Remote.Scope + ":" + r.Remote.Prefix
}

// ModelURI loads exactly one version.
func (r *Registry) ModelURI(name, version string) string {
	if r.Remote == nil {
		return "models:/" + name + "/" + version
	}
	return fmt.Sprintf("models://%s:%s@databricks/%s/%s", r.Remote.Scope, r.Remote.Prefix, name, version)
}

// Address says where a pointer stands. It is recorded with every plan, so that a rollback needs no barge.hcl.
type Address struct {
	ID   string       `json:"id"`
	Slot *SlotAddress `json:"slot,omitempty"`
	Job  *JobAddress  `json:"job,omitempty"`
}

// Memory is what the ledger knows of a pointer.
type Memory struct {
	Job    int64          // the id of a job; 0: none yet
	Recent []ledger.Value // what it may have been set to last: the champion's value, and those of every Begun since
	Out    []ledger.Value // versions that a rollback or a turn-back takes out of a slot
	Ever   []ledger.Value // all that this environment ever put into a slot
	Back   bool           // its value is given back: what is in it is nobody's champion
}

// Pointer makes the pointer at an address.
func (s *Site) Pointer(a Address, m Memory) (Pointer, error) {
	switch {
	case a.Job != nil:
		return &Job{id: a.ID, workspace: s.Workspace, address: *a.Job, number: m.Job, recent: m.Recent}, nil
	case a.Slot != nil:
		r, err := s.Registries(a.Slot.Registry)
		if err != nil {
			return nil, err
		}
		return s.slot(a, r, m)
	}
	return nil, fmt.Errorf("pointer %s: its address names neither a slot nor a job", a.ID)
}

// slot is the pointer of a model, as its registry has slots.
func (s *Site) slot(a Address, r *Registry, m Memory) (Pointer, error) {
	aliases, has := r.Registry.(registry.Aliases)
	switch {
	case has && a.Slot.Alias != "":
		return &Alias{id: a.ID, registry: aliases, address: *a.Slot, environment: s.Environment, memory: m}, nil
	case has || a.Slot.Alias != "":
		return nil, fmt.Errorf("pointer %s: registry %s is of another kind by now (%s), which has no %s", a.ID, a.Slot.Registry, r.Where.Kind, a.Slot)
	}
	return &Slot{id: a.ID, registry: r.Registry, address: *a.Slot, environment: s.Environment, memory: m}, nil
}

// Releases is the folder that holds an environment's release folders.
func (s *Site) Releases() string { return path.Join(s.Path, "releases") }

// Ledger is the folder of the environment's ledger.
func (s *Site) Ledger() string { return path.Join(s.Path, "ledger") }

// Compute is an environment's compute as the workspace takes it; nil is serverless.
func Compute(c *environments.Compute) databricks.Compute {
	if c == nil {
		return databricks.Compute{Serverless: true}
	}
	out := databricks.Compute{
		ExistingCluster: c.ExistingCluster, Serverless: c.Serverless, SparkVersion: c.SparkVersion, NodeType: c.NodeType,
		DriverNodeType: c.DriverNodeType, Policy: c.Policy, SparkConf: c.SparkConf, Env: c.Env,
	}
	if c.NumWorkers != nil {
		out.Workers = *c.NumWorkers
	}
	if c.Autoscale != nil {
		out.MinWorkers, out.MaxWorkers = c.Autoscale.Min, c.Autoscale.Max
	}
	return out
}

// Libraries are a compute's libraries.
func Libraries(c *environments.Compute) []string {
	if c == nil {
		return nil
	}
	return c.Libraries
}

// language is a file's language as the workspace spells it.
func language(l string) string { return strings.ToUpper(l) }
