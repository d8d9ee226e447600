package survey

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bargeml/barge/environments"
)

// Wishes are what the user says, by flags or answers; what is zero is left to the survey.
type Wishes struct {
	Project string
	Store   string
	Models  []string // registered names
	// Train, Gate and Score are notebooks: NOTEBOOK for the only model, MODEL=NOTEBOOK where there are several.
	Train, Gate, Score []string
	Places             []Place               // environments in their order
	Deploy             bool                  // no artifact: releases come from the store
	Code               *environments.Project // for a deploy project: the project that builds its releases
}

// Proposal is what barge.hcl would say.
type Proposal struct {
	Project   string  `json:"project"`
	Store     string  `json:"store"`
	TagPrefix string  `json:"tag_prefix,omitempty"`
	Deploy    bool    `json:"deploy_project"`
	Models    []Model `json:"models"`
	Places    []Place `json:"environments"`
	Guesses   []Guess `json:"guesses"`
	// ToDo is what the user still has to do before a release goes through.
	ToDo []string `json:"to_do"`

	from                       string
	include, exclude, external []string
	config                     string
	compute                    Cluster
	pins                       []string
	code                       *environments.Project
	below                      string
}

// Model is a model of the project with the notebooks that train, test and score it; a Run without a notebook is none.
type Model struct {
	Label string `json:"label"`
	Name  string `json:"name,omitempty"` // the registry's own, where it is another
	Path  string `json:"path,omitempty"` // where it is a file
	Train Run    `json:"train,omitzero"`
	Gate  Run    `json:"gate,omitzero"`
	Score Run    `json:"score,omitzero"`
}

// Run is a notebook in one of the three roles.
type Run struct {
	Notebook   string            `json:"notebook"` // relative to the survey's folder, no extension
	Why        string            `json:"why,omitempty"`
	Metric     string            `json:"metric,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Unset      []string          `json:"unset,omitempty"` // parameters whose value nobody told
	Cron       string            `json:"cron,omitempty"`
	Timezone   string            `json:"timezone,omitempty"`

	nb *Notebook
}

// Place is an environment and the address of its workspace, "" when nobody told.
type Place struct {
	Name string `json:"name"`
	Host string `json:"host,omitempty"`
	Why  string `json:"why,omitempty"`
}

// Guess is something that barge.hcl says, and where it was read.
type Guess struct {
	What string `json:"what"`
	Is   string `json:"is"`
	From string `json:"from"`
}

// Propose makes a project of what was found and wished. An error says which wish cannot be met.
func (s *Survey) Propose(w Wishes) (*Proposal, error) {
	p := &Proposal{Store: cmp.Or(w.Store, "oci-layout:.barge/store"), Deploy: w.Deploy, Models: []Model{}, ToDo: []string{}, below: s.Below, code: w.Code}
	s.proposeProject(p, w)
	s.proposePlaces(p, w)
	if p.Deploy {
		return p, nil
	}
	if err := s.proposeModels(p, w); err != nil {
		return nil, err
	}
	s.proposeFiles(p)
	s.proposeCompute(p)
	if s.Below != "" && len(p.Models) > 0 {
		p.TagPrefix = p.Project + "/v"
		p.guess("tag_prefix", p.TagPrefix, "the folder is one of several in its repository")
	}
	s.toDo(p)
	return p, nil
}

func (p *Proposal) guess(what, is, from string) { p.Guesses = append(p.Guesses, Guess{what, is, from}) }

func (s *Survey) proposeProject(p *Proposal, w Wishes) {
	switch {
	case w.Project != "":
		p.Project = Label(w.Project)
		return
	case w.Code != nil:
		p.Project = w.Code.Name
		p.guess("project", p.Project, "the project that builds its releases")
	case s.Bundle != nil && s.Bundle.Name != "":
		p.Project = Label(s.Bundle.Name)
		p.guess("project", p.Project, s.Bundle.File)
	default:
		p.Project = Label(path.Base(strings.ReplaceAll(s.Dir, `\`, "/")))
		p.guess("project", p.Project, "the name of the folder")
	}
}

func (s *Survey) proposePlaces(p *Proposal, w Wishes) {
	switch {
	case len(w.Places) > 0:
		p.Places = slices.Clone(w.Places)
	case w.Code != nil:
		for _, e := range w.Code.Environments {
			place := Place{Name: e.Name, Why: "the project that builds its releases"}
			if ws, diags := w.Code.Workspace(e.Workspace); !diags.HasErrors() {
				place.Host = ws.Host
			}
			p.Places = append(p.Places, place)
		}
	case s.Bundle != nil && len(s.Bundle.Targets) > 0:
		for _, t := range s.Bundle.Targets {
			p.Places = append(p.Places, Place{Name: Label(t.Name), Host: t.Host, Why: s.Bundle.File})
		}
	default:
		p.Places = []Place{{Name: "dev"}, {Name: "test"}, {Name: "prod"}}
	}
	var names []string
	for _, place := range p.Places {
		names = append(names, place.Name)
	}
	from := "the usual ones: nothing here names any"
	if p.Places[0].Why != "" {
		from = p.Places[0].Why
	}
	if len(w.Places) == 0 {
		p.guess("environments", strings.Join(names, ", "), from)
	}
}

// Candidates are the notebooks that look like one of a role, the likeliest first.
func (s *Survey) candidates(r role, among func(Notebook) bool) []*Notebook {
	var found []*Notebook
	for i := range s.Notebooks {
		if n := &s.Notebooks[i]; !strings.HasPrefix(n.Path, "../") && n.points(r) >= 4 && (among == nil || among(*n)) {
			found = append(found, n)
		}
	}
	slices.SortStableFunc(found, func(a, b *Notebook) int {
		return cmp.Or(cmp.Compare(s.weight(b, r), s.weight(a, r)), cmp.Compare(a.Path, b.Path))
	})
	return found
}

// weight is a notebook's points, and more where a job of the bundle runs it.
func (s *Survey) weight(n *Notebook, r role) int {
	w := n.points(r)
	if j := s.Bundle.job(n.Object()); j != nil {
		w += 1 + points(j.Cron != "" && r == scoring, 2)
	}
	return w
}

// proposeModels finds the models and who trains, tests and scores each.
func (s *Survey) proposeModels(p *Proposal, w Wishes) error {
	p.Models = s.models(p, w)
	for i := range p.Models {
		m := &p.Models[i]
		only := len(p.Models) == 1
		for _, r := range []struct {
			is   role
			flag string
			said []string
			run  *Run
		}{{training, "--train", w.Train, &m.Train}, {gating, "--gate", w.Gate, &m.Gate}, {scoring, "--score", w.Score, &m.Score}} {
			if m.Path != "" && r.is == training {
				continue
			}
			said, err := s.said(r.flag, r.said, *m, only)
			switch {
			case err != nil:
				return err
			case said != nil:
				*r.run = s.run(said, r.is, "")
			default:
				*r.run = s.guessRun(p, r.is, r.flag, *m, only)
			}
		}
	}
	return unknownModels(p.Models, slices.Concat(w.Train, w.Gate, w.Score))
}

func unknownModels(models []Model, said []string) error {
	for _, text := range said {
		label, _, named := strings.Cut(text, "=")
		if named && !slices.ContainsFunc(models, func(m Model) bool { return m.called(label) }) {
			return fmt.Errorf("%s: there is no model %q; --model names one", text, label)
		}
		if !named && len(models) > 1 {
			return fmt.Errorf("%s: there are %d models: write MODEL=%s", text, len(models), text)
		}
	}
	return nil
}

func (m Model) called(name string) bool { return name == m.Label || name == m.Name }

// said finds the notebook that was named for a role; nil when none was.
func (s *Survey) said(flag string, said []string, m Model, only bool) (*Notebook, error) {
	for _, text := range said {
		label, notebook, named := strings.Cut(text, "=")
		if !named {
			label, notebook = m.Label, text
		}
		if named && !m.called(label) || !named && !only {
			continue
		}
		n := s.Notebook(path.Clean(notebook))
		if n == nil {
			return nil, fmt.Errorf("%s %s: there is no such notebook here%s", flag, text, s.listed())
		}
		return n, nil
	}
	return nil, nil
}

func (s *Survey) listed() string {
	var all []string
	for _, n := range s.Notebooks {
		all = append(all, n.Object())
	}
	if len(all) == 0 {
		return ": a notebook's first line is \"# Databricks notebook source\", or it is an .ipynb"
	}
	if len(all) > 12 {
		all = append(all[:12], "…")
	}
	return ": there are " + strings.Join(all, ", ")
}

// models are those wished, else those that training notebooks register, else those that others load, else files.
func (s *Survey) models(p *Proposal, w Wishes) []Model {
	names, from := w.Models, ""
	trainers := s.candidates(training, nil)
	if len(names) == 0 {
		for _, n := range trainers {
			for _, name := range n.Models {
				names, from = with(names, name), "registered by "+n.Path
			}
		}
	}
	if len(names) == 0 && len(trainers) > 0 {
		names, from = []string{p.Project}, "the project: "+trainers[0].Path+" trains, and does not say what it registers"
	}
	for _, n := range s.Notebooks {
		if len(w.Models) > 0 || len(trainers) > 0 {
			break
		}
		for _, name := range n.Models {
			names, from = with(names, name), "loaded by "+n.Path
		}
	}
	var models []Model
	for _, name := range names {
		m := Model{Label: Label(name[strings.LastIndex(name, ".")+1:]), Name: name}
		if m.Label == m.Name {
			m.Name = ""
		}
		if !slices.ContainsFunc(models, func(o Model) bool { return environments.Fold(o.Label) == environments.Fold(m.Label) }) {
			models = append(models, m)
			if len(w.Models) == 0 {
				p.guess("model", name, from)
			}
		}
	}
	if len(models) == 0 && len(s.Pickles) == 1 {
		file := s.Pickles[0]
		models = []Model{{Label: Label(strings.TrimSuffix(path.Base(file), path.Ext(file))), Path: file}}
		p.guess("model", file, "a file in the repository")
	}
	return models
}

// guessRun finds the likeliest notebook of a role for a model: with several models one that names it or stands beside
// what trains it.
func (s *Survey) guessRun(p *Proposal, r role, flag string, m Model, only bool) Run {
	var among func(Notebook) bool
	names := func(n Notebook) bool { return slices.ContainsFunc(n.Models, m.called) }
	if !only {
		home := path.Dir(m.Train.Notebook)
		among = func(n Notebook) bool {
			return names(n) || r != training && m.Train.Notebook != "" && home != "." && strings.HasPrefix(n.Path, home+"/") && len(n.Models) == 0
		}
	}
	found := s.candidates(r, among)
	if r == training { // one that names the model before one that does not
		slices.SortStableFunc(found, func(a, b *Notebook) int { return points(names(*b), 1) - points(names(*a), 1) })
	}
	if len(found) == 0 {
		return Run{}
	}
	run := s.run(found[0], r, found[0].why(r))
	what := map[role]string{training: "training", gating: "test", scoring: "scoring"}[r] + " of " + m.Label
	if len(found) > 1 {
		also := found[1].Object()
		if !only {
			also = m.Label + "=" + also
		}
		run.Why += "; also possible: " + flag + " " + also
	}
	p.guess(what, found[0].Path, run.Why)
	return run
}

// why says by what a notebook was taken for its role.
func (n Notebook) why(r role) string {
	var by []string
	if slices.ContainsFunc(roleNames[r], func(word string) bool { return strings.Contains(n.name(), word) }) {
		by = append(by, "its name")
	}
	switch r {
	case training:
		by = append(by, "it trains")
	case gating:
		if n.Loads {
			by = append(by, "it loads a model")
		}
		if n.Measures {
			by = append(by, "it measures")
		}
	case scoring:
		if n.Loads {
			by = append(by, "it loads a model")
		}
		if n.Writes {
			by = append(by, "it writes results")
		}
	}
	return strings.Join(by, ", ")
}

func (s *Survey) run(n *Notebook, r role, why string) Run {
	out := Run{Notebook: n.Object(), Why: why, Parameters: map[string]string{}, nb: n}
	job := s.Bundle.job(n.Object())
	if job != nil {
		for name, value := range job.Parameters {
			if !strings.HasPrefix(name, bargeWidget) {
				out.Parameters[name] = value
			}
		}
	}
	if job != nil && r == scoring && len(strings.Fields(job.Cron)) >= 6 {
		out.Cron, out.Timezone = job.Cron, job.Timezone
	}
	for _, name := range n.Needs {
		if _, told := out.Parameters[name]; !told {
			out.Unset, out.Parameters[name] = append(out.Unset, name), ""
		}
	}
	if r == gating {
		out.Metric = bestMetric(n.Metrics)
	}
	return out
}

// favourites are metrics that people set a bar for, the first that is there counts.
var favourites = []string{"accuracy", "auc", "roc_auc", "f1", "f1_score", "r2", "rmse", "mae", "mse"}

func bestMetric(names []string) string {
	for _, f := range favourites {
		for _, n := range names {
			if strings.EqualFold(n, f) {
				return n
			}
		}
	}
	return append(slices.Clone(names), "")[0]
}

// lessIsBetter tells metrics that measure an error.
func lessIsBetter(metric string) bool {
	m := strings.ToLower(metric)
	return slices.ContainsFunc([]string{"rmse", "mae", "mse", "loss", "error", "mape"}, func(e string) bool { return strings.Contains(m, e) })
}

// Label makes a name that HCL takes as one, from any text.
func Label(text string) string {
	label := strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '_', r == '-':
			return r
		}
		return '-'
	}, text)
	if label = strings.Trim(label, "-"); label == "" || '0' <= label[0] && label[0] <= '9' {
		label = strings.TrimRight("m-"+label, "-")
	}
	return label
}
