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

// proposeTargets makes an environment of each of the bundle's targets. A host that is none is left to the user.
func (s *Survey) proposeTargets(p *Proposal) {
	for _, t := range s.Bundle.Targets {
		place := Place{Name: Label(t.Name), Why: s.Bundle.File}
		if slices.ContainsFunc(p.Places, func(o Place) bool { return environments.Fold(o.Name) == environments.Fold(place.Name) }) {
			p.ToDo = append(p.ToDo, fmt.Sprintf("%s: target %q has the name of another, and was left out", s.Bundle.File, t.Name))
			continue
		}
		said, err := ParsePlace(place.Name + "=" + t.Host)
		if place.Host = said.Host; err != nil {
			p.ToDo = append(p.ToDo, fmt.Sprintf("%s: the host of target %q %v: write it into barge.hcl", s.Bundle.File, t.Name, err))
		}
		p.Places = append(p.Places, place)
	}
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
			if ws, _ := w.Code.Workspace(e.Workspace); ws != nil {
				place.Host = ws.Host // "" where a variable is not set
			}
			p.Places = append(p.Places, place)
		}
	case s.Bundle != nil && len(s.Bundle.Targets) > 0:
		s.proposeTargets(p)
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
