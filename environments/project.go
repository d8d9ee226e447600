// Package environments reads what the user wrote in barge.hcl: what is released, where it goes, and under which rules.
//
// Only what the user wrote is set in the types of this package; a default is the answer of a method, so that neither an
// artifact nor a ledger ever records one. Secrets are references from the first byte on: no value of one passes here.
// Loading is offline and repeatable: it reads the files of one folder, variables, and nothing else.
package environments

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Project is one barge.hcl with the *.barge.hcl files beside it. Its lists are in the order of the files.
//
// Three copies of it count. Where (store, tag prefix, workspaces, a registry's workspace and token, an environment's
// title, workspace and path) and the rules (Rules) are read where barge runs; everything else (Recorded) comes from
// the artifact. WithArtifact puts them together.
type Project struct {
	Name      string    `json:"name,omitempty"`
	Store     string    `json:"store,omitempty"`      // "oci-layout:PATH" or "oci://HOST/REPOSITORY"
	TagPrefix string    `json:"tag_prefix,omitempty"` // see TagPrefixOrDefault
	Artifact  *Artifact `json:"artifact,omitempty"`   // nil: a deploy project, releases come from the store

	Workspaces   []Workspace   `json:"workspaces,omitempty"`
	Registries   []Registry    `json:"registries,omitempty"`
	Computes     []Compute     `json:"computes,omitempty"`
	Environments []Environment `json:"environments,omitempty"`

	holes []hole // what could not be known when it was loaded
}

// TagPrefixOrDefault is what the tag of a release begins with, "v" unless the user wrote another.
func (p *Project) TagPrefixOrDefault() string {
	if p.TagPrefix == "" {
		return "v"
	}
	return p.TagPrefix
}

// Artifact says what a build takes from a commit. Paths are relative to the folder of barge.hcl, with slashes.
type Artifact struct {
	Notebooks Notebooks `json:"notebooks,omitzero"`
	Config    Config    `json:"config,omitzero"`
	Models    []Model   `json:"models,omitempty"`
}

// Model returns the model of that label, nil when there is none.
func (a *Artifact) Model(label string) *Model {
	if a == nil {
		return nil
	}
	return find(a.Models, func(m *Model) string { return m.Label }, label)
}

// Notebooks are the files below From that ship as notebooks.
type Notebooks struct {
	From    string   `json:"from,omitempty"`
	Include []string `json:"include,omitempty"` // doublestar patterns, relative to From
	Exclude []string `json:"exclude,omitempty"`
	// External are patterns of what notebooks run or import and the artifact has not: absolute paths, or relative to From.
	External []string `json:"external,omitempty"`
}

// Includes are the patterns of what ships, by default every file that can be a notebook.
func (n Notebooks) Includes() []string {
	if len(n.Include) == 0 {
		return []string{"**/*.py", "**/*.ipynb", "**/*.sql", "**/*.scala", "**/*.r", "**/*.R"}
	}
	return n.Include
}

// IsZero says whether nothing is said.
func (n Notebooks) IsZero() bool {
	return n.From == "" && len(n.Include) == 0 && len(n.Exclude) == 0 && len(n.External) == 0
}

// Config is the folder whose files ship as workspace files.
type Config struct {
	From string `json:"from,omitempty"`
}

// Model is a model of the artifact: a version of a registered model, or (Path) a file of the commit.
type Model struct {
	Label    string `json:"label"`
	Name     string `json:"name,omitempty"` // see RegisteredName
	Registry string `json:"registry,omitempty"`
	Version  string `json:"version,omitempty"` // "trained", a number, "latest", a stage, "@alias"
	Path     string `json:"path,omitempty"`
	Train    *Train `json:"train,omitempty"`
}

// RegisteredName is the registry's own name of the model, by default its label.
func (m Model) RegisteredName() string {
	if m.Name == "" {
		return m.Label
	}
	return m.Name
}

// Train is how a version of the model comes to be.
type Train struct {
	Environment string            `json:"environment"`
	Notebook    string            `json:"notebook"`
	Compute     string            `json:"compute,omitempty"`
	Parameters  map[string]string `json:"parameters,omitempty"`
	Timeout     Duration          `json:"timeout,omitempty"` // see RunTimeout
}

// RunTimeout is how long a training may take, two hours unless the user wrote another.
func (t Train) RunTimeout() time.Duration { return t.Timeout.Or(runTimeout) }

// Workspace is a Databricks workspace.
type Workspace struct {
	Name string `json:"name"`
	Host string `json:"host,omitempty"` // URL without path, no slash at its end
	Auth *Auth  `json:"auth,omitempty"` // nil: azidentity's chain
}

// Auth is how barge signs in to a workspace.
type Auth struct {
	Kind     string            `json:"kind"` // "azure-cli", "azure-pipelines", "client-secret", "github-oidc", …
	Settings map[string]string `json:"settings,omitempty"`
	Token    SecretRef         `json:"token,omitempty"` // the kind's one secret
}

// The kinds of a registry. The first has stages, the others have aliases.
const (
	WorkspaceRegistry = "workspace"
	UnityCatalog      = "unity_catalog"
	MLflow            = "mlflow"
)

// Registry is where model versions live.
type Registry struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"`
	Workspace string    `json:"workspace,omitempty"` // whose registry or metastore it is
	Host      string    `json:"host,omitempty"`      // of an MLflow server
	Token     SecretRef `json:"token,omitempty"`     // of an MLflow server; empty: it wants none
	Remote    *Remote   `json:"remote,omitempty"`
}

// Remote makes a registry known in the workspaces that use it, as databricks://<scope>:<prefix>: the three secrets
// <prefix>-host, <prefix>-token and <prefix>-workspace-id of the scope.
type Remote struct {
	Label  string    `json:"label"`
	Scope  string    `json:"scope"`
	Prefix string    `json:"prefix"`
	Token  SecretRef `json:"token,omitempty"`
}

// Compute is what a run gets: a cluster of its own, an existing one, or serverless.
type Compute struct {
	Name            string            `json:"name"`
	SparkVersion    string            `json:"spark_version,omitempty"`
	NodeType        string            `json:"node_type,omitempty"`
	DriverNodeType  string            `json:"driver_node_type,omitempty"`
	NumWorkers      *int              `json:"num_workers,omitempty"` // nil with Autoscale nil: one node alone
	Autoscale       *Autoscale        `json:"autoscale,omitempty"`
	Libraries       []string          `json:"libraries,omitempty"` // "pypi:mlflow==2.16.2"
	ExistingCluster string            `json:"existing_cluster,omitempty"`
	Policy          string            `json:"policy,omitempty"`
	SparkConf       map[string]string `json:"spark_conf,omitempty"`
	Env             map[string]string `json:"env,omitempty"`
	Serverless      bool              `json:"serverless,omitempty"`
}

// Autoscale bounds the number of workers.
type Autoscale struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// Environment is a place that a release is promoted to.
type Environment struct {
	Name      string     `json:"name"`
	Title     string     `json:"title,omitempty"`    // see TitleOrName
	Formerly  []string   `json:"formerly,omitempty"` // the names that it had before, the oldest first; see Key
	Follows   []string   `json:"follows,omitempty"`
	Workspace string     `json:"workspace,omitempty"`
	Path      string     `json:"path,omitempty"` // absolute, in the workspace; releases/ and ledger/ stand below it
	Operators []string   `json:"operators,omitempty"`
	Soak      Duration   `json:"soak,omitempty"`
	Deploy    Deploy     `json:"deploy,omitzero"`
	Models    []ModelUse `json:"models,omitempty"`
	Gates     []Gate     `json:"gates,omitempty"`
	Scores    []Score    `json:"scores,omitempty"`
}

// TitleOrName is how people call the environment.
func (e Environment) TitleOrName() string {
	if e.Title == "" {
		return e.Name
	}
	return e.Title
}

// Gate returns the gate of that name, nil when there is none.
func (e *Environment) Gate(name string) *Gate {
	return find(e.Gates, func(g *Gate) string { return g.Name }, name)
}

// Score returns the score of that name, nil when there is none.
func (e *Environment) Score(name string) *Score {
	return find(e.Scores, func(s *Score) string { return s.Name }, name)
}

// Model returns the use of the model of that label, nil when there is none.
func (e *Environment) Model(label string) *ModelUse {
	return find(e.Models, func(m *ModelUse) string { return m.Label }, label)
}

// Deploy says what of the artifact goes to the environment, and how it is bound to it.
type Deploy struct {
	Only        []string          `json:"only,omitempty"`   // notebooks, with all they reach by %run; empty: all
	Config      string            `json:"config,omitempty"` // the environment's config file, in the repository
	Bind        map[string]string `json:"bind,omitempty"`   // exact text → what stands there instead, see Expand
	Permissions map[string]string `json:"permissions,omitempty"`
}

// IsZero says whether nothing is said.
func (d Deploy) IsZero() bool {
	return len(d.Only) == 0 && d.Config == "" && len(d.Bind) == 0 && len(d.Permissions) == 0
}

// ModelUse says which slot of a model's registry is the environment's.
type ModelUse struct {
	Label           string `json:"label"`
	Stage           string `json:"stage,omitempty"`
	Alias           string `json:"alias,omitempty"`
	ArchiveExisting bool   `json:"archive_existing,omitempty"`
}

// Gate is a question that must be answered before an environment may change.
type Gate struct {
	Name       string            `json:"name"`
	Notebook   string            `json:"notebook,omitempty"`
	Compute    string            `json:"compute,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Timeout    Duration          `json:"timeout,omitempty"`   // see RunTimeout
	ValidFor   Duration          `json:"valid_for,omitempty"` // see Validity
	Against    string            `json:"against,omitempty"`   // the environment whose champion is compared with; empty: its own
	Compare    string            `json:"compare,omitempty"`   // see Comparison
	Retries    int               `json:"retries,omitempty"`   // how often an errored gate is run again
	Pinned     bool              `json:"pinned,omitempty"`    // the notebook is a rule
	Models     []string          `json:"models,omitzero"`     // which models it must have loaded; nil: all, empty: none
	Expects    []Expect          `json:"expects,omitempty"`
}

// RunTimeout is how long the gate's run may take, two hours unless the user wrote another.
func (g Gate) RunTimeout() time.Duration { return g.Timeout.Or(runTimeout) }

// Validity is how long its evidence stands, thirty days unless the user wrote another.
func (g Gate) Validity() time.Duration { return g.ValidFor.Or(30 * day) }

// Comparison is how the champion's facts are come by: "rerun" (the default) or "recorded".
func (g Gate) Comparison() string {
	if g.Compare == "" {
		return "rerun"
	}
	return g.Compare
}

// Score is a scheduled scoring: one job, for ever.
type Score struct {
	Name       string            `json:"name"`
	Notebook   string            `json:"notebook,omitempty"`
	Compute    string            `json:"compute,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Job        string            `json:"job,omitempty"`        // the file that defines its job, in place of these three
	Definition json.RawMessage   `json:"definition,omitempty"` // what stands in it: the settings of a job, see Notebooks and Answers
	Schedule   *Schedule         `json:"schedule,omitempty"`   // nil: started by hand alone
	RunAs      string            `json:"run_as,omitempty"`     // a principal
	FirstRun   string            `json:"first_run,omitempty"`
	OnFailure  string            `json:"on_failure,omitempty"`
	Timeout    Duration          `json:"timeout,omitempty"` // see RunTimeout
	Retries    int               `json:"retries,omitempty"` // how often an errored first scoring is run again
	Expects    []Expect          `json:"expects,omitempty"`
}

// RunsNow says whether the score runs right after a switch and decides whether the release is proven (the default).
func (s Score) RunsNow() bool { return s.FirstRun != "scheduled" }

// KeepsOnFailure says whether a release stays although its first scoring was bad.
func (s Score) KeepsOnFailure() bool { return s.OnFailure == "keep" }

// RunTimeout is how long a scoring may take, two hours unless the user wrote another.
func (s Score) RunTimeout() time.Duration { return s.Timeout.Or(runTimeout) }

// Schedule is a Quartz expression and the zone that it is read in.
type Schedule struct {
	Cron     string `json:"cron"`
	Timezone string `json:"timezone"`
}

// Expect is a condition on an answer. When and That are HCL expressions, in the spacing of barge fmt on one line;
// an empty When always applies.
type Expect struct {
	Name string `json:"name"`
	When string `json:"when,omitempty"`
	That string `json:"that"`
}

const (
	day        = 24 * time.Hour
	runTimeout = 2 * time.Hour
)

// Environment returns the environment of that name, nil when there is none. See Resolve for one that can be used.
func (p *Project) Environment(name string) *Environment {
	return find(p.Environments, func(e *Environment) string { return e.Name }, name)
}

// Registry returns the registry of that name, nil when there is none.
func (p *Project) Registry(name string) *Registry {
	return find(p.Registries, func(r *Registry) string { return r.Name }, name)
}

// Compute returns the compute of that name, nil when there is none.
func (p *Project) Compute(name string) *Compute {
	return find(p.Computes, func(c *Compute) string { return c.Name }, name)
}

func find[T any](all []T, name func(*T) string, want string) *T {
	if i := slices.IndexFunc(all, func(t T) bool { return name(&t) == want }); i >= 0 {
		return &all[i]
	}
	return nil
}

// Fold is a label as it stands in the name of a widget: every character outside [A-Za-z0-9_] becomes "_".
func Fold(label string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, label)
}
