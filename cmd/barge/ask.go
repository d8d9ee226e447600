package main

import (
	"bufio"
	"context"
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
	ctx context.Context //nolint:containedctx // of the one command that asks
	out io.Writer
	end func() error
}

// asker is nil where stdin is no terminal: then nothing is ever asked. Questions go to the terminal itself, wherever
// stdout and stderr lead.
func (h *house) asker(ctx context.Context) *asker {
	in, ok := h.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err == nil {
		return &asker{in: bufio.NewReader(in), ctx: ctx, out: tty, end: tty.Close}
	}
	if !h.console.Terminal {
		return nil
	}
	return &asker{in: bufio.NewReader(in), ctx: ctx, out: h.console.Err, end: func() error { return nil }}
}

func (a *asker) close() { _ = a.end() } // it was only written to

// line asks one question, again until check takes the answer. What is proposed is not checked.
func (a *asker) line(question, proposed string, check func(string) error) (string, error) {
	prompt := question
	if proposed != "" {
		prompt += " [" + proposed + "]"
	}
	for {
		fmt.Fprintf(a.out, "%s: ", prompt)
		text, err := a.read()
		if err != nil {
			return "", fmt.Errorf("reading the answer to %q: %w", question, err)
		}
		if text == "" {
			return proposed, nil
		}
		if check == nil {
			return text, nil
		}
		if err = check(text); err == nil {
			return text, nil
		}
		fmt.Fprintf(a.out, "%s: %v\n", text, err)
	}
}

// read waits for one line, or for an interrupt.
func (a *asker) read() (string, error) {
	type line struct {
		text string
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		text, err := a.in.ReadString('\n')
		typed <- line{text, err}
	}()
	select {
	case <-a.ctx.Done():
		return "", a.ctx.Err()
	case l := <-typed:
		if l.text = strings.TrimSpace(l.text); l.text != "" && errors.Is(l.err, io.EOF) {
			l.err = nil
		}
		return l.text, l.err
	}
}

// about asks what no flag said, each with what the survey guesses.
func (a *asker) about(s *survey.Survey, w *survey.Wishes, p *survey.Proposal) (err error) {
	if w.Project == "" {
		if w.Project, err = a.line("Name of the project", p.Project, nil); err != nil {
			return err
		}
	}
	if len(w.Places) == 0 {
		if w.Places, err = a.places(p.Places); err != nil {
			return err
		}
	}
	if !w.Deploy && len(p.Models) <= 1 {
		return a.model(s, w, p)
	}
	return nil
}

func (a *asker) places(proposed []survey.Place) ([]survey.Place, error) {
	var places []survey.Place
	for _, p := range proposed {
		_, err := a.line("Workspace of "+p.Name+", https://… (empty: later)", p.Host, func(host string) error {
			said, err := survey.ParsePlace(p.Name + "=" + host)
			if err == nil {
				p.Host = said.Host
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		places = append(places, p)
	}
	return places, nil
}

// model asks for the one model's name and notebooks.
func (a *asker) model(s *survey.Survey, w *survey.Wishes, p *survey.Proposal) error {
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
		said, err := a.line("Registered name of the model", name, nil)
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
		said, err := a.line(q.text, q.proposed, func(notebook string) error {
			if s.Notebook(notebook) == nil {
				return errors.New("there is no such notebook here")
			}
			return nil
		})
		if err != nil {
			return err
		}
		if said != "" && said != q.proposed {
			*q.said = []string{said}
		}
	}
	return nil
}
