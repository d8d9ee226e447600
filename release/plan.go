package release

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

const planFormat = "barge.plan/v1"

// Plan is the exact change that a promotion would make: data, from which pointers and steps are made anew. Two plans
// have the same digest when they put the same release, under the same rules, with the same changes, over the same
// champion since the same entry of the ledger.
type Plan struct {
	Format      string            `json:"format"`
	Project     string            `json:"project"`
	Environment string            `json:"environment"`
	Release     ledger.Release    `json:"release"`
	Rules       string            `json:"rules"` // digest
	Over        Over              `json:"over"`
	Folder      string            `json:"folder"`          // in the workspace
	Values      ledger.Values     `json:"values"`          // every pointer that the release has
	Pointers    []effects.Address `json:"pointers"`        // where they stand, and those that are switched off
	Bound       map[string]int    `json:"bound,omitempty"` // how often each binding's text was replaced
	Judges      []string          `json:"judges,omitempty"`
	Notebooks   map[string]string `json:"notebooks,omitempty"` // of its gates: digests, with all that they reach by %run
	Grants      []string          `json:"grants,omitempty"`    // principals that get rights, with the rights
}

// Over is the champion that a plan replaces, and the entry that made it so.
type Over struct {
	Live    int            `json:"live"`
	Release ledger.Release `json:"release"`
}

// Digest is the plan's name: "sha256:…" over its canonical JSON.
func (p *Plan) Digest() (string, error) { return environments.Digest(p) }

// prepared is a plan with what only this process needs of it.
type prepared struct {
	*Plan
	digest      string
	environment *environments.Environment // resolved
	brings      environments.Rules        // see place.rules
	rules       ledger.Rules              // the same, as the ledger records them
	folder      *effects.Folder
	task        gates.Task // what its notebooks are told, but for the run
}

// plan makes the plan of putting c into the environment over what the ledger says now. It changes nothing.
func (p *place) plan(ctx context.Context, c *candidate, s ledger.State) (*prepared, error) {
	e, diags := c.project.Resolve(p.name)
	if diags.HasErrors() {
		return nil, diags
	}
	rules, err := p.rules(ctx, c)
	if err != nil {
		return nil, err
	}
	text, err := environments.Canonical(rules)
	if err != nil {
		return nil, err
	}
	out := &prepared{environment: e, brings: rules, rules: ledger.Rules{Digest: rules.Digest(), Text: text}}
	out.Plan = &Plan{
		Format: planFormat, Project: p.Project.Name, Environment: p.name, Release: c.Release, Rules: rules.Digest(),
		Over: Over{Live: max(1, s.Champion.Live), Release: s.Champion.Release}, Values: ledger.Values{}, // 1 is Genesis
		Grants: grants(e), Notebooks: map[string]string{},
	}
	if out.folder, out.task, err = p.render(ctx, c, e); err != nil {
		return nil, err
	}
	out.Folder, out.Bound = out.folder.Path, out.folder.Bound
	if err := p.planSlots(ctx, c, e, out); err != nil {
		return nil, err
	}
	if err := p.planJobs(c, e, out); err != nil {
		return nil, err
	}
	if err := p.planOff(ctx, s, out); err != nil {
		return nil, err
	}
	for _, g := range e.Gates {
		if _, err := out.folder.Notebook(g.Notebook); err != nil {
			return nil, fmt.Errorf("gate %s: %w", g.Name, err)
		}
		if out.Notebooks[g.Name], err = c.notebook(ctx, g.Notebook); err != nil {
			return nil, fmt.Errorf("gate %s: %w", g.Name, err)
		}
	}
	out.digest, err = out.Digest()
	return out, err
}

// render makes the release's folder for the environment, and what its notebooks are told.
func (p *place) render(ctx context.Context, c *candidate, e *environments.Environment) (*effects.Folder, gates.Task, error) {
	task := gates.Task{Release: c.Name, Environment: p.name, Models: map[string]gates.Model{}}
	var own []effects.GitModel
	for _, use := range e.Models {
		pin, ok := c.artifact.Manifest.Model(use.Label)
		if !ok {
			return nil, task, fmt.Errorf("environment %s uses model %s, which release %s does not have", p.name, use.Label, c.Release)
		}
		if pin.InGit() {
			m, err := p.gitModel(c, use.Label)
			if err != nil {
				return nil, task, err
			}
			uri, err := p.site.ModelURI(m)
			if err != nil {
				return nil, task, err
			}
			task.Models[use.Label] = gates.Model{URI: uri, Version: pin.Number()}
			own = append(own, m)
			continue
		}
		r, err := p.site.Registries(pin.Registry)
		if err != nil {
			return nil, task, err
		}
		task.Models[use.Label] = gates.Model{URI: r.ModelURI(pin.Name, pin.Version), Version: pin.Version}
	}
	bind, err := p.bindings(e, task)
	if err != nil {
		return nil, task, err
	}
	folder, err := p.site.Folder(ctx, c.artifact, effects.Deployment{Only: shipped(e), Bind: bind, Jobs: defined(e), Models: own})
	if err != nil {
		return nil, task, fmt.Errorf("planning %s for %s: %w", c.Release, p.name, err)
	}
	if unbound := folder.Unbound(); len(unbound) > 0 {
		return nil, task, fmt.Errorf("binding %q in environment %s: no deployed file of %s has that text", unbound[0], p.name, c.Release)
	}
	task.Config, err = configFile(folder, c.project, e)
	return folder, task, err
}

// gitModel is a model that is part of the release's artifact.
func (p *place) gitModel(c *candidate, label string) (effects.GitModel, error) {
	files, err := c.artifact.ModelFiles(label)
	m := effects.GitModel{Files: files}
	if written := c.project.Artifact.Model(label); written != nil {
		m.Written = written.Path
	}
	return m, err
}

// bindings fills what is known at deploy only into the environment's bindings.
func (p *place) bindings(e *environments.Environment, task gates.Task) (map[string]string, error) {
	bind := map[string]string{}
	for text, template := range e.Deploy.Bind {
		filled, err := environments.Expand(template, func(name string) (string, error) {
			kind, rest, _ := strings.Cut(name, ".")
			label, attr, _ := strings.Cut(rest, ".")
			m, used := task.Models[label]
			switch {
			case kind == "workspace" && attr == "host":
				w, diags := p.Project.Workspace(label)
				if diags.HasErrors() {
					return "", diags
				}
				return w.Host, nil
			case kind == "model" && used && attr == "uri":
				return m.URI, nil
			case kind == "model" && used && attr == "version":
				return m.Version, nil
			}
			return "", fmt.Errorf("%s is not known in environment %s", name, p.name)
		})
		if err != nil {
			return nil, err
		}
		bind[text] = filled
	}
	return bind, nil
}

// shipped are the notebooks that the environment gets, gates and scores always among them; nil: all.
func shipped(e *environments.Environment) []string {
	if len(e.Deploy.Only) == 0 {
		return nil
	}
	only := slices.Clone(e.Deploy.Only)
	for _, g := range e.Gates {
		only = append(only, g.Notebook)
	}
	for _, s := range e.Scores {
		only = append(only, s.Notebooks()...)
	}
	slices.Sort(only)
	return slices.Compact(only)
}

// defined are the jobs of the environment's scores that a file of the commit defines.
func defined(e *environments.Environment) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for _, s := range e.Scores {
		if len(s.Definition) > 0 {
			all[s.Name] = s.Definition
		}
	}
	return all
}

func grants(e *environments.Environment) []string {
	var out []string
	for _, principal := range slices.Sorted(maps.Keys(e.Deploy.Permissions)) {
		out = append(out, principal+" "+e.Deploy.Permissions[principal])
	}
	for _, principal := range e.Operators {
		out = append(out, principal+" CAN_MANAGE")
	}
	return out
}

func (p *place) planSlots(ctx context.Context, c *candidate, e *environments.Environment, out *prepared) error {
	for _, use := range e.Models {
		if use.Stage == "" && use.Alias == "" {
			continue
		}
		pin, _ := c.artifact.Manifest.Model(use.Label)
		if err := p.ours(ctx, pin); err != nil {
			return err
		}
		address := effects.SlotAddress{Registry: pin.Registry, Model: pin.Name, Stage: use.Stage, Alias: use.Alias, Archive: use.ArchiveExisting}
		for _, other := range p.Project.Environments {
			neighbour := p.neighbour(other, use.Label)
			if carried := c.project.Environment(other.Name); neighbour == nil {
				neighbour = p.neighbour(*carried, use.Label) // a deploy project's barge.hcl names no slots
			}
			switch {
			case neighbour == nil:
			case p.follows(p.name, other.Name, map[string]bool{}):
				address.Upstream = append(address.Upstream, *neighbour)
			case p.follows(other.Name, p.name, map[string]bool{}):
				address.Downstream = append(address.Downstream, *neighbour)
			}
		}
		value, err := effects.SlotValue(pin.Version)
		if err != nil {
			return err
		}
		at := effects.SlotPointer(address)
		out.Pointers = append(out.Pointers, at)
		out.Values[at.ID] = value
	}
	return nil
}

// neighbour is the stage in which another environment holds the same model; nil when it holds none.
func (p *place) neighbour(e environments.Environment, label string) *effects.Place {
	use := e.Model(label)
	if e.Name == p.name || use == nil || use.Stage == "" {
		return nil
	}
	return &effects.Place{Environment: e.Key(), Stage: use.Stage}
}

func (p *place) planJobs(c *candidate, e *environments.Environment, out *prepared) error {
	for _, score := range e.Scores {
		value, err := p.jobValue(c, score, out)
		if err != nil {
			return fmt.Errorf("score %s: %w", score.Name, err)
		}
		at := p.site.JobPointer(score.Name)
		out.Pointers = append(out.Pointers, at)
		out.Values[at.ID] = value
		if score.RunsNow() {
			out.Judges = append(out.Judges, score.Name)
		}
	}
	return nil
}

func (p *place) jobValue(c *candidate, score environments.Score, out *prepared) (ledger.Value, error) {
	const run = "{{job.run_id}}"
	if len(score.Definition) > 0 {
		if _, err := score.Answers(); err != nil { // the rules here may expect what those of its commit did not
			return "", err
		}
		told := out.task
		told.Run = run
		return p.site.DefinedJob(score, out.folder, told.Told())
	}
	task, err := p.order(c.project, out.folder, out.task, score.Notebook, score.Compute, score.Parameters, run)
	if err != nil {
		return "", err
	}
	task.Timeout = score.RunTimeout()
	return p.site.JobValue(score, task)
}

// planOff adds where the pointers stand that are ours and not the release's: they are switched off with it.
func (p *place) planOff(ctx context.Context, s ledger.State, out *prepared) error {
	at, err := p.addresses(ctx, s, nil)
	if err != nil {
		return err
	}
	for _, id := range s.Ours() {
		if _, named := out.Values[id]; named {
			continue
		}
		i := slices.IndexFunc(at, func(a effects.Address) bool { return a.ID == id })
		if i < 0 {
			return fmt.Errorf("pointer %s of environment %s: no recorded plan says where it stands", id, p.name)
		}
		out.Pointers = append(out.Pointers, at[i])
	}
	return nil
}

// recordPlan keeps the plan and the artifact's manifest beside the ledger.
func (p *place) recordPlan(ctx context.Context, c *candidate, plan *prepared) error {
	b, err := environments.Canonical(plan.Plan)
	if err != nil {
		return err
	}
	if err := p.site.Record(ctx, "plans", plan.digest, b); err != nil {
		return err
	}
	manifest, err := c.artifact.Manifest.Canonical()
	if err != nil {
		return err
	}
	return p.site.Record(ctx, "artifacts", c.Artifact, manifest)
}

// recordedPlan reads a plan that was carried out here; nil for none ("").
func (p *place) recordedPlan(ctx context.Context, digest string) (*Plan, error) {
	if known := p.plans[digest]; known != nil || digest == "" {
		return known, nil
	}
	b, err := p.site.Recorded(ctx, "plans", digest)
	if err != nil {
		return nil, err
	}
	var plan Plan
	if err := json.Unmarshal(b, &plan); err != nil {
		return nil, fmt.Errorf("reading plan %s: %w", digest, err)
	}
	p.plans[digest] = &plan
	return &plan, nil
}

// addresses says where every pointer stands that is ours or will be: from the plans that are recorded, and from the
// one at hand (may be nil), which comes first.
func (p *place) addresses(ctx context.Context, s ledger.State, plan *Plan) ([]effects.Address, error) {
	var at []effects.Address
	if plan != nil {
		at = append(at, plan.Pointers...)
	}
	digests := []string{s.Champion.Plan}
	if s.Champion.Plan == "" {
		digests = []string{s.Genesis.Plan}
	}
	if s.Flight != nil && len(s.Plans) > 0 {
		digests = append(digests, s.Flight.Plan, s.Plans[len(s.Plans)-1]) // a turn-back sets what the last start had
	}
	for _, digest := range slices.Compact(digests) {
		recorded, err := p.recordedPlan(ctx, digest)
		if err != nil {
			return nil, err
		}
		if recorded != nil {
			at = append(at, recorded.Pointers...)
		}
	}
	return at, nil
}
