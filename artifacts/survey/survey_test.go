package survey

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
)

// repository writes files into a folder that looks like a git repository.
func repository(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const first = "# Databricks notebook source\n"

// proposed surveys a folder and gives the project that init would write for it.
func proposed(t *testing.T, dir string, w Wishes) (*Proposal, *environments.Project, string) {
	t.Helper()
	s, err := Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Propose(w)
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.Write(p)
	if err != nil {
		t.Fatal(err)
	}
	again, diags := environments.Format(text, "barge.hcl")
	if diags.HasErrors() || string(again) != string(text) {
		t.Errorf("what was written is not formatted: %v", diags)
	}
	project, diags := environments.LoadFiles(map[string][]byte{"barge.hcl": text}, environments.Options{Getenv: func(string) string { return "" }})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return p, project, string(text)
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name                string
		files               map[string]string
		train, gate, scored string
		model               string
	}{
		{"by what they do", map[string]string{
			"a.py": first + `m.fit(x); mlflow.register_model(uri, "churn")`,
			"b.py": first + "m = mlflow.pyfunc.load_model(u)\naccuracy_score(y, m.predict(x))",
			"c.py": first + `m = mlflow.pyfunc.load_model(u)` + "\nm.predict(x).to_csv(p)",
		}, "", "b", "c", "churn"},
		{"a name in a widget", map[string]string{
			"train.py": first + "dbutils.widgets.text(\"model\", \"fraud\")\nNAME = dbutils.widgets.get(\"model\")\nm.fit(x)\nlog_model(m, registered_model_name=NAME)",
		}, "train", "", "", "fraud"},
		{"nothing registers", map[string]string{
			"score.py": first + `m = load_model("models:/churn/Production")` + "\nm.to_csv()",
		}, "", "", "score", "churn"},
		{"comments and text say nothing", map[string]string{
			"train.py": first + "# MAGIC %md registered_model_name=\"x\"\n\n# COMMAND ----------\n\n# registered_model_name=\"y\"\nm.fit(x)\nlog_model(registered_model_name=\"z\")",
		}, "train", "", "", "z"},
		{"Jupyter", map[string]string{
			"train.ipynb": `{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "source": ["m.fit(x)\n", "log_model(m, registered_model_name='z')"], "outputs": []}]}`,
			"train.py":    "m.fit(x)",
		}, "train", "", "", "z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, _, text := proposed(t, repository(t, tc.files), Wishes{Project: "p"})
			if len(p.Models) != 1 {
				t.Fatalf("%d models:\n%s", len(p.Models), text)
			}
			m := p.Models[0]
			got := []string{m.Train.Notebook, m.Gate.Notebook, m.Score.Notebook, m.Label}
			want := []string{tc.train, tc.gate, tc.scored, tc.model}
			if tc.name == "by what they do" {
				want[0] = "a"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What ships is the folder of the notebooks, with what they import from elsewhere in it.
func TestFolders(t *testing.T) {
	t.Parallel()
	train := first + "m.fit(x)\nlog_model(registered_model_name='z')\n"
	for name, tc := range map[string]struct {
		files         map[string]string
		from, exclude string
		notebook      string
	}{
		"one folder":       {map[string]string{"nb/train.py": train, "setup.py": ""}, "nb", "", "train"},
		"the root":         {map[string]string{"train.py": train, "tests/test_x.py": "", "setup.py": ""}, ".", "tests/**,setup.py", "train"},
		"a module beside":  {map[string]string{"nb/train.py": train + "from churn import x", "churn/x.py": "", "tests/t.py": ""}, ".", "tests/**", "nb/train"},
		"a package in src": {map[string]string{"nb/train.py": train + "import sys\nsys.path.append(root)\nfrom churn.x import y", "src/churn/x.py": ""}, ".", "", "nb/train"},
		"a file above":     {map[string]string{"nb/train.py": train + "open('../conf/a.yml')", "conf/a.yml": ""}, ".", "", "nb/train"},
		"data above":       {map[string]string{"nb/train.py": train + "open('../data/a.csv')", "data/a.csv": ""}, "nb", "", "train"},
		"nothing above":    {map[string]string{"nb/train.py": train + "open('../conf/b.yml')", "conf/a.yml": ""}, "nb", "", "train"},
		"tests that train": {map[string]string{"test/train.py": train, "nb/other.py": first}, ".", "", "test/train"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, project, text := proposed(t, repository(t, tc.files), Wishes{})
			n := project.Artifact.Notebooks
			got := []string{n.From, strings.Join(n.Exclude, ","), project.Artifact.Models[0].Train.Notebook}
			if diff := cmp.Diff([]string{tc.from, tc.exclude, tc.notebook}, got); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, text)
			}
		})
	}
}

// A model that is a file in git has no registry, no training and no slot.
func TestPickle(t *testing.T) {
	t.Parallel()
	p, project, text := proposed(t, repository(t, map[string]string{
		"models/titanic.pkl": "", "score.py": first + "m = joblib.load('models/titanic.pkl')\nm.predict(x).to_csv(p)",
	}), Wishes{Project: "p"})
	m := project.Artifact.Model("titanic")
	if m == nil || m.Path != "models/titanic.pkl" || len(project.Registries) > 0 || strings.Contains(text, "stage") {
		t.Errorf("it is no file in git:\n%s", text)
	}
	if want := `score.py: load the file that it is told: its path is dbutils.widgets.get("barge_model_titanic_uri")`; len(p.ToDo) == 0 || p.ToDo[0] != want {
		t.Errorf("to do: %q", p.ToDo)
	}
}

// A folder of a monorepo takes what it brings in from outside, and has its own tags.
func TestMonorepo(t *testing.T) {
	t.Parallel()
	dir := repository(t, map[string]string{
		"shared/lake.py":         first,
		"models/credit/train.py": first + "# MAGIC %run ../../shared/lake\n\n# COMMAND ----------\n\nm.fit(x)\nlog_model(registered_model_name='credit')\n",
		"models/fraud/train.py":  first,
	})
	_, project, text := proposed(t, filepath.Join(dir, "models", "credit"), Wishes{})
	n := project.Artifact.Notebooks
	got := []string{n.From, strings.Join(n.Include, " "), project.TagPrefix, project.Artifact.Models[0].Train.Notebook}
	want := []string{"../..", "models/credit/**/*.{py,ipynb,sql,scala,r,R} shared/**/*.{py,ipynb,sql,scala,r,R}", "credit/v", "models/credit/train"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s\n%s", diff, text)
	}
}

// Whatever stands in files, what is written of it is valid, and says exactly that.
func FuzzWrite(f *testing.F) {
	for _, text := range []string{"churn", `a"b`, "${env}", "%{if}", "a\\", "a\nb # c", "é\x00\xff", "a.b.c", "1", " "} {
		f.Add(text, text, text)
	}
	f.Fuzz(func(t *testing.T, model, widget, metric string) {
		if widget == "" || strings.HasPrefix(widget, bargeWidget) {
			t.Skip() // no notebook is read for these
		}
		s := &Survey{Dir: "/x", Notebooks: []Notebook{
			{Path: "train.py", Trains: true, Models: []string{model}, Needs: []string{widget}, Widgets: map[string]string{}},
			{Path: "test.py", Loads: true, Measures: true, Metrics: []string{metric}},
		}, Pipelines: []string{model}, Pinned: []string{widget}}
		p, err := s.Propose(Wishes{Project: "p", Places: []Place{{Name: "dev", Host: "https://x.net"}, {Name: "prod"}}})
		if err != nil {
			t.Skip()
		}
		if _, err := s.Write(p); err != nil {
			t.Errorf("%q %q %q: %v", model, widget, metric, err)
		}
	})
}
