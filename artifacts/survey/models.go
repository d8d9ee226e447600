package survey

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bargeml/barge/environments"
)

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
		if name = oneLine(name); name == "" {
			continue
		}
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
