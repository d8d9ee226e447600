package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/registry"
)

// ModelDifference is a model that is another. What its registry does not tell is taken from evidence, or is not there.
type ModelDifference struct {
	Label      string              `json:"label"`
	Before     *artifacts.ModelPin `json:"before,omitempty"`
	After      *artifacts.ModelPin `json:"after,omitempty"`
	SameFiles  bool                `json:"same_files"` // only the address is another
	Metrics    []MetricChange      `json:"metrics"`    // all of them, changed or not
	From       [2]string           `json:"metrics_from"`
	Parameters []ValueChange       `json:"parameters"`
	Signature  []string            `json:"signature"` // columns, each with "-" or "+" before it
	Unread     []string            `json:"unread,omitempty"`
}

// MetricChange is a metric of both models, or of one.
type MetricChange struct {
	Name   string   `json:"name"`
	Before *float64 `json:"before,omitempty"`
	After  *float64 `json:"after,omitempty"`
}

// ValueChange is a text that is another; "" where there is none.
type ValueChange struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// made is what is known of one model: of the run that made it, and of its files.
type made struct {
	metrics    map[string]float64
	from       string
	parameters map[string]string
	signature  []string
}

// diffModels reads what is known of the models that differ. What cannot be read is noted, and keeps nothing else from being
// compared: the registries are asked at once, the environments for evidence only where runs say too little.
func (w *World) diffModels(ctx context.Context, d *Difference) error {
	site, unknown := w.reading(d)
	evidence := sync.OnceValues(func() (*place, error) { return w.answering(d) })
	for _, c := range artifacts.DiffModels(d.Before.artifact.Manifest, d.After.artifact.Manifest) {
		m := ModelDifference{Label: c.Label, Before: c.Before, After: c.After, SameFiles: c.SameFiles, Metrics: []MetricChange{}, Parameters: []ValueChange{}, Signature: []string{}}
		var was, is made
		if unknown != nil {
			m.Unread = append(m.Unread, unknown.Error())
		} else {
			was, is = m.bothMade(ctx, w, site, d)
		}
		if len(was.metrics) == 0 || len(is.metrics) == 0 { // both from one kind of source, as far as that goes
			if p, err := evidence(); p != nil {
				p.answeredOf(ctx, d.Before.artifact.ID(), &was.metrics, &was.from)
				p.answeredOf(ctx, d.After.artifact.ID(), &is.metrics, &is.from)
			} else if err != nil {
				m.Unread = append(m.Unread, fmt.Sprintf("evidence: %v", err))
			}
		}
		m.compare(was, is)
		d.Models = append(d.Models, m)
	}
	return ctx.Err()
}

// bothMade asks for both models at the same time.
func (m *ModelDifference) bothMade(ctx context.Context, w *World, site *effects.Site, d *Difference) (was, is made) {
	var unread [2]string
	var group sync.WaitGroup
	for i, side := range []struct {
		of   Side
		pin  *artifacts.ModelPin
		into *made
	}{{d.Before, m.Before, &was}, {d.After, m.After, &is}} {
		if side.pin == nil || side.pin.InGit() {
			continue
		}
		group.Go(func() {
			var err error
			if *side.into, err = w.made(ctx, site, *side.pin, trainedIn(side.of.project, side.pin.Label)); err != nil {
				unread[i] = fmt.Sprintf("version %s: %v", side.pin.Version, err)
			}
		})
	}
	group.Wait()
	m.Unread = append(m.Unread, slices.DeleteFunc(unread[:], func(said string) bool { return said == "" })...)
	return was, is
}

// reading is the site from which registries are read: that of an environment that was asked about, else of the last one. No
// site dials.
func (w *World) reading(d *Difference) (*effects.Site, error) {
	err := errors.New("barge.hcl has no environment to read registries from")
	for _, s := range []Side{d.After, d.Before} {
		if s.at != nil {
			return s.at.site, nil
		}
	}
	for _, e := range slices.Backward(w.Project.Environments) {
		var site *effects.Site
		if site, err = w.Site(e.Name); err == nil {
			return site, nil
		}
	}
	return nil, err
}

// answering is the environment whose evidence is read: one that was asked about, else the last that can be had. All are asked
// at once; the error is that of the last when none can, nil where there are none.
func (w *World) answering(d *Difference) (*place, error) {
	for _, s := range []Side{d.After, d.Before} {
		if s.at != nil {
			return s.at, nil
		}
	}
	found, failed := make([]*place, len(w.Project.Environments)), make([]error, len(w.Project.Environments))
	var group sync.WaitGroup
	for i, e := range w.Project.Environments {
		group.Go(func() { found[i], failed[i] = w.place(e.Name) })
	}
	group.Wait()
	var err error
	for i := range slices.Backward(found) {
		if failed[i] == nil {
			return found[i], nil
		}
		if err == nil {
			err = failed[i]
		}
	}
	return nil, err
}

// trainedIn is the environment that a model is trained in; "" where it is not trained by barge.
func trainedIn(p *environments.Project, label string) string {
	if m := p.Artifact.Model(label); m != nil && m.Train != nil {
		return m.Train.Environment
	}
	return ""
}

// made reads a model's description from its registry, and its run.
func (w *World) made(ctx context.Context, site *effects.Site, pin artifacts.ModelPin, trainedIn string) (made, error) {
	r, err := site.Registries(pin.Registry)
	if err != nil {
		return made{}, err
	}
	v, err := r.Resolve(ctx, pin.Name, pin.Version)
	if err != nil {
		return made{}, err
	}
	out, unread := w.ran(ctx, r, v, trainedIn)
	out.signature, err = signature(ctx, r, v)
	return out, errors.Join(unread, err)
}

// ran reads the run that made a version from the workspace of its registry, else from that of the environment where it
// was trained: a registry that several share has versions whose runs it does not have.
func (w *World) ran(ctx context.Context, r registry.Registry, v registry.Version, trainedIn string) (made, error) {
	var out made
	err := out.run(ctx, r, v)
	if !notFound(err) || trainedIn == "" {
		return out, err
	}
	if site, unknown := w.Site(trainedIn); unknown == nil {
		err = out.run(ctx, registry.NewWorkspace(site.Workspace), v)
	}
	return out, err
}

// run reads what the run that made a version logged.
func (m *made) run(ctx context.Context, r registry.Registry, v registry.Version) (err error) {
	if m.metrics, err = r.Metrics(ctx, v); err != nil {
		return err
	}
	if len(m.metrics) > 0 {
		m.from = "the run that made it"
	}
	m.parameters, err = r.Parameters(ctx, v)
	return err
}

const largestDescription = 1 << 20

// signature reads what a model takes and gives, as MLflow describes it beside the model: a line for each column.
func signature(ctx context.Context, r registry.Registry, v registry.Version) ([]string, error) {
	for f, err := range r.Files(ctx, v) {
		if err != nil {
			return nil, err
		}
		if f.Path != "MLmodel" {
			continue
		}
		body, err := f.Open(ctx)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		text, err := io.ReadAll(io.LimitReader(body, largestDescription))
		if err != nil {
			return nil, fmt.Errorf("reading the signature of %s: %w", v, err)
		}
		return columns(string(text)), nil
	}
	return nil, nil
}

// columns takes the signature out of an MLmodel file. What is not as MLflow writes it is told as it stands.
func columns(description string) []string {
	var out []string
	within, part, text := false, "", ""
	end := func() {
		out = append(out, described(part, text)...)
		part, text = "", ""
	}
	for line := range strings.Lines(description) {
		line = strings.TrimRight(line, "\r\n")
		name, rest, isKey := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case !strings.HasPrefix(line, " "):
			end()
			within = line == "signature:"
		case !within:
		case strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "   ") && isKey:
			end()
			part, text = name, strings.TrimSpace(rest)
		default:
			text += " " + strings.TrimSpace(line)
		}
	}
	end()
	return out
}

func described(part, text string) []string {
	if part == "" || text == "" || text == "null" {
		return nil
	}
	if inner, ok := strings.CutPrefix(text, "'"); ok {
		text = strings.ReplaceAll(strings.TrimSuffix(inner, "'"), "''", "'")
	}
	var parsed []struct {
		Name   string          `json:"name"`
		Type   string          `json:"type"`
		Tensor json.RawMessage `json:"tensor-spec"`
	}
	if json.Unmarshal([]byte(text), &parsed) != nil {
		return []string{part + " " + text}
	}
	var out []string
	for _, c := range parsed {
		out = append(out, strings.Join(strings.Fields(part+" "+c.Name+" "+c.Type+" "+string(c.Tensor)), " "))
	}
	return out
}

func (m *ModelDifference) compare(was, is made) {
	m.From = [2]string{was.from, is.from}
	for _, name := range eitherOf(was.metrics, is.metrics) {
		m.Metrics = append(m.Metrics, MetricChange{name, pointer(was.metrics, name), pointer(is.metrics, name)})
	}
	for _, name := range eitherOf(was.parameters, is.parameters) {
		if was.parameters[name] != is.parameters[name] {
			m.Parameters = append(m.Parameters, ValueChange{name, was.parameters[name], is.parameters[name]})
		}
	}
	for _, c := range was.signature {
		if !slices.Contains(is.signature, c) {
			m.Signature = append(m.Signature, "- "+c)
		}
	}
	for _, c := range is.signature {
		if !slices.Contains(was.signature, c) {
			m.Signature = append(m.Signature, "+ "+c)
		}
	}
}

func eitherOf[V any](a, b map[string]V) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

// pointer is a finite number of a table; JSON has no other.
func pointer(table map[string]float64, name string) *float64 {
	v, ok := table[name]
	if !ok || v != v || v > 1e308 || v < -1e308 {
		return nil
	}
	return &v
}
