package release

import (
	"context"
	"fmt"
	"strings"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/registry"
)

// Trained is what a training made, or found made already.
type Trained struct {
	Model    string             `json:"model"` // its label
	Name     string             `json:"name"`
	Version  string             `json:"version"`
	RunID    string             `json:"run_id,omitempty"`
	Training string             `json:"training"` // digest of all that the training depends on
	Digest   string             `json:"digest"`   // of the model's files
	New      bool               `json:"new"`
	Metrics  map[string]float64 `json:"metrics,omitempty"`
	Run      string             `json:"run,omitempty"` // its page
}

// Train runs the training of a model as the commit's sources have it, and marks the version it registered with the
// digest of what it was trained by. What was trained already is not trained again, unless again.
func (w *World) Train(ctx context.Context, sources *artifacts.Sources, label string, again bool) (*Trained, error) {
	model := w.Project.Artifact.Model(label)
	if model == nil || model.Train == nil {
		return nil, fmt.Errorf("training %s: barge.hcl has no such model with a train block", label)
	}
	digest, err := sources.TrainingDigest(w.Project, label)
	if err != nil {
		return nil, err
	}
	p, err := w.place(model.Train.Environment)
	if err != nil {
		return nil, err
	}
	r, err := p.site.Registries(model.Registry)
	if err != nil {
		return nil, err
	}
	done := &Trained{Model: label, Name: model.RegisteredName(), Training: digest}
	if !again {
		v, err := r.Resolve(ctx, done.Name, "tag:"+artifacts.TrainingTag+"="+digest)
		if err == nil {
			return done, p.describe(ctx, done, r, v)
		}
		if !notFound(err) {
			return nil, fmt.Errorf("looking for a version that was trained already: %w", err)
		}
	}
	version, err := p.train(ctx, sources, model, r, done)
	if err != nil {
		return done, err
	}
	v, err := r.Resolve(ctx, done.Name, version)
	if err != nil {
		return done, fmt.Errorf("the training says it registered version %s of %s: %w", version, done.Name, err)
	}
	done.New = true
	if err := p.describe(ctx, done, r, v); err != nil {
		return done, err
	}
	return done, r.Tag(ctx, v, map[string]string{artifacts.TrainingTag: digest})
}

// describe reads what is known of the version. A run that is nowhere to be read says nothing against the version.
func (p *place) describe(ctx context.Context, t *Trained, r *effects.Registry, v registry.Version) error {
	t.Version, t.RunID = v.Number, v.RunID
	sums, err := registry.Digest(ctx, r.Files(ctx, v))
	if err != nil {
		return fmt.Errorf("reading %s: %w", v, err)
	}
	t.Digest = sums.Digest
	if len(t.Metrics) > 0 {
		return nil
	}
	run, err := p.ran(ctx, r, v, p.name)
	if notFound(err) {
		return nil
	}
	t.Metrics = run.metrics
	return err
}

// train runs the notebook and gives the version that it answers with.
func (p *place) train(
	ctx context.Context, sources *artifacts.Sources, model *environments.Model, r *effects.Registry, done *Trained,
) (string, error) {
	e, diags := p.Project.Resolve(p.name)
	if diags.HasErrors() {
		return "", diags
	}
	bind, err := p.bindings(e, gates.Task{})
	if err != nil {
		return "", err
	}
	folder, err := p.site.Folder(ctx, sources, effects.Deployment{Only: []string{model.Train.Notebook}, Bind: bind})
	if err != nil {
		return "", err
	}
	if _, err := p.site.Deploy(ctx, folder); err != nil {
		return "", err
	}
	if err := p.site.Provision(ctx, model.Registry); err != nil {
		return "", err
	}
	task, err := p.trainingTask(folder, e, model, r)
	if err != nil {
		return "", err
	}
	token := task.Parameters["barge_run"]
	p.Note("training %s in %s", model.Label, p.name)
	run, err := p.runOnce(ctx, effects.Order{Name: "train " + model.Label, Token: token, Task: task, Timeout: model.Train.RunTimeout()})
	if err != nil {
		return "", err
	}
	done.Run = run.URL
	v := gates.Judge(gates.Question{Told: map[string]string{model.Label: ""}}, run)
	if v.Outcome != gates.Passed {
		return "", stop(verdict(v.Outcome.String()), "see the run's page "+run.URL, "training %s %s: %s", model.Label, v.Outcome, strings.Join(v.Reasons, "; "))
	}
	done.Metrics = numbers(v.Answer.Metrics)
	return v.Answer.Models[model.Label], nil
}

func (p *place) trainingTask(folder *effects.Folder, e *environments.Environment, model *environments.Model, r *effects.Registry) (effects.Task, error) {
	config, err := configFile(folder, p.Project, e)
	if err != nil {
		return effects.Task{}, err
	}
	training := gates.Training{
		Environment: p.name, Run: runOfItsOwn("train " + model.Label), Config: config,
		Models: map[string]gates.Registered{model.Label: {Name: model.RegisteredName(), Registry: r.URI()}},
	}
	return task(p.Project, folder, model.Train.Notebook, model.Train.Compute, model.Train.Parameters, training.Told())
}
