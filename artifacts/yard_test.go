package artifacts

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/registry"
)

// models is a registry in memory.
type models struct {
	versions []registry.Version
	files    map[string]map[string]string // by "model/number"
}

// add registers a version as training did.
func (m *models) add(model string, tags map[string]string, files map[string]string) registry.Version {
	n := 1
	for _, v := range m.versions {
		if v.Model == model {
			n++
		}
	}
	v := registry.Version{Model: model, Number: strconv.Itoa(n), RunID: fmt.Sprintf("run%d", n), Status: registry.Ready, Tags: tags}
	m.versions = append(m.versions, v)
	if m.files == nil {
		m.files = map[string]map[string]string{}
	}
	m.files[model+"/"+v.Number] = files
	return v
}

func (m *models) Resolve(_ context.Context, model, selector string) (registry.Version, error) {
	for _, v := range slices.Backward(m.versions) {
		key, value, _ := strings.Cut(strings.TrimPrefix(selector, "tag:"), "=")
		byTag := strings.HasPrefix(selector, "tag:") && v.Tags[key] == value
		if v.Model == model && (v.Number == selector || selector == "latest" || v.Stage != "" && v.Stage == selector || byTag) {
			return v, nil
		}
	}
	return registry.Version{}, fmt.Errorf("model %s has no %s: %w", model, selector, fs.ErrNotExist)
}

func (m *models) Files(_ context.Context, v registry.Version) iter.Seq2[registry.File, error] {
	return func(yield func(registry.File, error) bool) {
		for p, body := range m.files[v.Model+"/"+v.Number] {
			f := registry.File{Path: p, Size: int64(len(body)), Open: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(body)), nil
			}}
			if !yield(f, nil) {
				return
			}
		}
	}
}

func modelOf(body string) map[string]string {
	return map[string]string{"MLmodel": "flavors: {}\n", "data/model.pkl": body, "registered_model_meta": "added"}
}

// wine is a project with a trained model, as a user would write it.
func wine() *environments.Project {
	return &environments.Project{
		Name: "wine",
		Artifact: &environments.Artifact{
			Notebooks: environments.Notebooks{From: "notebooks", Exclude: []string{"scratch/**"}},
			Config:    environments.Config{From: "conf"},
			Models: []environments.Model{{Label: "wine", Registry: "shared", Version: "trained", Train: &environments.Train{
				Environment: "dev", Notebook: "train", Compute: "ml", Parameters: map[string]string{"c": "1.0"},
			}}},
		},
		Registries: []environments.Registry{{Name: "shared", Kind: "workspace", Workspace: "registry"}},
		Computes:   []environments.Compute{{Name: "ml", SparkVersion: "15.4.x"}},
		Environments: []environments.Environment{
			{Name: "dev", Workspace: "dev", Path: "/Barge/wine", Deploy: environments.Deploy{Config: "conf/dev.yml"}},
			{
				Name: "prod", Follows: []string{"dev"}, Workspace: "prod", Path: "/Barge/wine",
				Deploy: environments.Deploy{Only: []string{"score"}, Config: "conf/prod.yml"},
				Scores: []environments.Score{{Name: "nightly", Notebook: "score", Compute: "ml"}},
			},
		},
	}
}

func wineFiles() map[string]string {
	return map[string]string{
		"notebooks/train.py":         notebook("# MAGIC %run ./shared/prep\n\n# COMMAND ----------\n\nfit()"),
		"notebooks/shared/prep.py":   notebook("data = 1"),
		"notebooks/score.ipynb":      ran,
		"notebooks/helpers.py":       "def f(): pass\n",
		"notebooks/scratch/x.py":     notebook("no"),
		"notebooks/README.md":        "no notebook\n",
		"conf/dev.yml":               "table: dev\n",
		"conf/prod.yml":              "table: prod\n",
		"README.md":                  "read\n",
		"notebooks/größe/zählen.sql": "-- Databricks notebook source\nSELECT 'ä'\n",
	}
}

// yard is what a build needs, all real but the registry.
type yard struct {
	repo
	store   *Store
	models  *models
	project *environments.Project
}

func newYard(t testing.TB) *yard {
	t.Helper()
	y := &yard{newRepo(t, wineFiles()), newStore(t), &models{}, wine()}
	y.train("first")
	return y
}

// train registers a model for the code of HEAD.
func (y *yard) train(body string) registry.Version {
	y.t.Helper()
	c, err := OpenCommit(context.Background(), y.dir, CommitOptions{})
	if err != nil {
		y.t.Fatal(err)
	}
	s, err := Pack(context.Background(), c, y.project.Artifact)
	if err != nil {
		y.t.Fatal(err)
	}
	defer s.Close()
	digest, err := s.TrainingDigest(y.project, "wine")
	if err != nil {
		y.t.Fatal(err)
	}
	return y.models.add("wine", map[string]string{TrainingTag: digest}, modelOf(body))
}

func (y *yard) try(ref string) (Release, error) {
	c, err := OpenCommit(context.Background(), y.dir, CommitOptions{Ref: ref})
	if err != nil {
		return Release{}, err
	}
	return Build(context.Background(), c, BuildOptions{
		Project: y.project, Store: y.store, Barge: "0.0.0-test",
		Registry: y.registry,
	})
}

func (y *yard) registry(_ context.Context, label string) (Registry, error) {
	if label != "shared" {
		return nil, fmt.Errorf("asked for registry %q", label)
	}
	return y.models, nil
}

func (y *yard) build(ref string) Release {
	y.t.Helper()
	r, err := y.try(ref)
	if err != nil {
		y.t.Fatal(err)
	}
	return r
}
