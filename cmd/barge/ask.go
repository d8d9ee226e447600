package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/bargeml/barge/artifacts/survey"
)

// asker asks on the terminal. An empty answer takes what is proposed.
type asker struct {
	in  *bufio.Reader
	out io.Writer
	end func() error
}

// asker is nil where stdin is no terminal: then nothing is ever asked. Questions go to the terminal itself, wherever
// stdout and stderr lead.
func (h *house) asker() *asker {
	in, ok := h.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err == nil {
		return &asker{in: bufio.NewReader(in), out: tty, end: tty.Close}
	}
	if !h.console.Terminal {
		return nil
	}
	return &asker{in: bufio.NewReader(in), out: h.console.Err, end: func() error { return nil }}
}

func (a *asker) close() { _ = a.end() } // it was only written to

// line asks one question.
func (a *asker) line(question, proposed string) (string, error) {
	if proposed != "" {
		question += " [" + proposed + "]"
	}
	fmt.Fprintf(a.out, "%s: ", question)
	text, err := a.in.ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || text == "") {
		return "", fmt.Errorf("reading the answer to %q: %w", question, err)
	}
	if text = strings.TrimSpace(text); text == "" {
		return proposed, nil
	}
	return text, nil
}

// about asks what no flag said, each with what the survey guesses, and proposes anew.
func (a *asker) about(s *survey.Survey, w survey.Wishes, p *survey.Proposal) (*survey.Proposal, error) {
	var err error
	if w.Project == "" {
		if w.Project, err = a.line("Name of the project", p.Project); err != nil {
			return nil, err
		}
	}
	if len(w.Places) == 0 {
		if w.Places, err = a.places(p.Places); err != nil {
			return nil, err
		}
	}
	if !w.Deploy && len(p.Models) <= 1 {
		if err := a.model(&w, p); err != nil {
			return nil, err
		}
	}
	return s.Propose(w)
}

func (a *asker) places(proposed []survey.Place) ([]survey.Place, error) {
	var places []survey.Place
	for _, p := range proposed {
		host, err := a.line("Workspace of "+p.Name+", https://… (empty: later)", p.Host)
		if err != nil {
			return nil, err
		}
		if host != "" {
			parsed, err := survey.ParsePlace(p.Name + "=" + host)
			if err != nil {
				return nil, err
			}
			p.Host = parsed.Host
		}
		places = append(places, p)
	}
	return places, nil
}

// model asks for the one model's name and notebooks.
func (a *asker) model(w *survey.Wishes, p *survey.Proposal) error {
	var m survey.Model
	if len(p.Models) == 1 {
		m = p.Models[0]
	}
	if m.Path != "" {
		return nil
	}
	name := m.Name
	if name == "" {
		name = m.Label
	}
	if len(w.Models) == 0 {
		said, err := a.line("Registered name of the model", name)
		if err != nil {
			return err
		}
		if said != "" {
			w.Models = []string{said}
		}
	}
	if len(w.Models) == 0 {
		return nil
	}
	for _, q := range []struct {
		text     string
		said     *[]string
		proposed string
	}{
		{"Notebook that trains it", &w.Train, m.Train.Notebook},
		{"Notebook that tests it", &w.Gate, m.Gate.Notebook},
		{"Notebook that scores with it", &w.Score, m.Score.Notebook},
	} {
		if len(*q.said) > 0 {
			continue
		}
		said, err := a.line(q.text, q.proposed)
		if err != nil {
			return err
		}
		if said != "" && said != q.proposed {
			*q.said = []string{said}
		}
	}
	return nil
}
