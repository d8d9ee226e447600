package artifacts

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bargeml/barge/environments"
)

// sklearnPinned is what a requirement says that fixes the version of scikit-learn.
var sklearnPinned = whenNeeded(`(?i)^scikit[-_.]learn\s*(?:\[[^\]]*\])?\s*===?\s*([0-9][0-9A-Za-z.+]*)$`)

// pipArguments are the words behind a notebook's lines of %pip install.
func pipArguments(c Content) ([]string, error) {
	if !bytes.Contains(c.Body, []byte("%pip")) {
		return nil, nil
	}
	cells, err := Cells(c)
	var words []string
	for _, cell := range cells {
		if cell.Magic == "md" {
			continue
		}
		for line := range strings.Lines(cell.Source) {
			words = append(words, pipWords(line)...)
		}
	}
	return words, err
}

// pipWords are the words behind %pip install, where a line is that.
func pipWords(line string) []string {
	if !strings.Contains(line, "%pip") {
		return nil
	}
	fields := strings.Fields(strings.NewReplacer(`"`, "", "'", "").Replace(line))
	if len(fields) < 3 || fields[0] != "%pip" || fields[1] != "install" {
		return nil
	}
	return fields[2:]
}

// requirementsFile is the file that pip reads for the word at i, "" where it reads none.
func requirementsFile(words []string, i int) string {
	word := words[i]
	file, ok := strings.CutPrefix(word, "--requirement=")
	switch {
	case ok:
	case (word == "-r" || word == "--requirement") && i+1 < len(words):
		file = words[i+1]
	case strings.HasPrefix(word, "-r"):
		file = word[len("-r"):]
	default:
		return ""
	}
	return file
}

// installs are the requirements files that lines of %pip install name; what is made as it runs, or is elsewhere for all
// releases, is not looked for.
func installs(lines []string, at func(line int) string) []reference {
	var refs []reference
	for i, line := range lines {
		words := pipWords(line)
		for j := range words {
			if file := requirementsFile(words, j); file != "" && !path.IsAbs(file) && !strings.ContainsAny(file, "$:{") {
				refs = append(refs, reference{how: pipInstall, path: file, at: at(i)})
			}
		}
	}
	return refs
}

// otherLibraries warns where another scikit-learn is installed than wrote a model that is used there: by a compute, or
// after it by %pip lines of a notebook and by requirements files that they name and that ship.
func (s *Sources) otherLibraries(ctx context.Context, a *Artifact, p *environments.Project) ([]string, error) {
	var warnings []string
	for _, model := range p.Artifact.Models {
		if model.Path == "" {
			continue
		}
		pins, err := s.sklearnPins(ctx, p, model.Label)
		if err != nil || len(pins) == 0 {
			return warnings, err
		}
		written, err := a.Sklearn(ctx, model.Label)
		if err != nil {
			return nil, err
		}
		for _, pin := range pins {
			if len(written) > 0 && !slices.Equal(written, []string{pin.version}) {
				warnings = append(warnings, fmt.Sprintf("model %s was written by scikit-learn %s, and %s installs %s: it may load wrongly, or not at all",
					model.Label, strings.Join(written, " and "), pin.who, pin.version))
			}
		}
	}
	return warnings, nil
}

// pin is a version of scikit-learn, and who installs it.
type pin struct{ who, version string }

// sklearnPins are what the gates and scores that use a model install, each once.
func (s *Sources) sklearnPins(ctx context.Context, p *environments.Project, label string) ([]pin, error) {
	var pins []pin
	add := func(notebook, compute string) error {
		found, err := s.notebookPin(ctx, notebook)
		if err != nil {
			return err
		}
		if c := p.Compute(compute); found.version == "" && c != nil {
			for _, l := range c.Libraries {
				if m := sklearnPinned().FindStringSubmatch(strings.TrimPrefix(l, "pypi:")); m != nil {
					found = pin{"compute " + c.Name, m[1]}
				}
			}
		}
		if found.version != "" && !slices.Contains(pins, found) {
			pins = append(pins, found)
		}
		return nil
	}
	for _, e := range p.Environments {
		if e.Model(label) == nil {
			continue
		}
		for _, g := range e.Gates {
			if err := add(g.Notebook, g.Compute); err != nil {
				return nil, err
			}
		}
		for _, score := range e.Scores {
			for _, notebook := range score.Notebooks() {
				if err := add(notebook, score.Compute); err != nil {
					return nil, err
				}
			}
		}
	}
	return pins, nil
}

// notebookPin is what a notebook, with all that it reaches, installs last.
func (s *Sources) notebookPin(ctx context.Context, notebook string) (pin, error) {
	var found pin
	for _, file := range s.Calls.Reaches(notebook) {
		v, err := s.sklearnIn(ctx, s.pips[file], path.Dir(notebook), map[string]bool{})
		if err != nil {
			return pin{}, err
		}
		if v != "" {
			found = pin{"notebook " + notebook, v}
		}
	}
	return found, nil
}

// sklearnIn is the version that pip's arguments fix, in requirements files too; paths are relative to a folder.
func (s *Sources) sklearnIn(ctx context.Context, words []string, dir string, seen map[string]bool) (string, error) {
	version := ""
	for i, word := range words {
		if m := sklearnPinned().FindStringSubmatch(word); m != nil {
			version = m[1]
		}
		file := requirementsFile(words, i)
		if file == "" {
			continue
		}
		at := path.Join(dir, file)
		if seen[at] {
			continue
		}
		seen[at] = true
		lines, err := s.requirements(ctx, at)
		if err != nil {
			return "", err
		}
		v, err := s.sklearnIn(ctx, lines, path.Dir(at), seen)
		if err != nil {
			return "", err
		}
		version = cmp.Or(v, version)
	}
	return version, nil
}

// requirements are the words of a requirements file in the release's folder; none where it does not ship.
func (s *Sources) requirements(ctx context.Context, at string) ([]string, error) {
	files, all, name := s.NotebookFiles, s.Notebooks(ctx), at
	if below, ok := strings.CutPrefix(at, "conf/"); ok {
		files, all, name = s.ConfigFiles, s.Config(ctx), below
	}
	if !slices.ContainsFunc(files, func(f File) bool { return f.Path == name }) {
		return nil, nil
	}
	var words []string
	for c, err := range all {
		if err != nil {
			return nil, err
		}
		if c.Path != name {
			continue
		}
		for line := range strings.Lines(string(c.Body)) {
			line, _, _ = strings.Cut(line, "#")
			line, _, _ = strings.Cut(line, ";")
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "-") {
				words = append(words, strings.Fields(line)...)
			} else {
				words = append(words, line)
			}
		}
		break
	}
	return words, nil
}
