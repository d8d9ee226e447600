package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

// TestStrangers takes repositories of strangers' shape from init to a promotion, over twins whose notebooks answer by the
// contract. Scripts below testdata/strangers have other verbs:
//
//	twins             the sandbox of the project in the working directory
//	rehearse TAG ENVIRONMENT ...   commits all there is, tags it, trains and builds every model of the project, and promotes
//	                  the release to the environments in their order
func TestStrangers(t *testing.T) {
	t.Parallel()
	p := scripts("strangers")
	p.Cmds["twins"] = verb(strangersTwins)
	p.Cmds["rehearse"] = verb(rehearse)
	testscript.Run(t, p)
}

// contract stands for notebooks that do what docs/notebooks.md says: they register what they are told to train, and
// answer what they were told to load.
type contract struct{ bench *bench }

func (c contract) Execute(_ context.Context, a jobs.Attempt) jobs.Outcome {
	models := map[string]any{}
	for name, value := range a.Parameters {
		label, about, ok := cutLast(strings.TrimPrefix(name, "barge_model_"))
		switch {
		case !ok || !strings.HasPrefix(name, "barge_model_"):
		case about == "name":
			version, err := c.register(value, a)
			if err != nil {
				return jobs.Outcome{Result: jobs.InternalError, Message: err.Error()}
			}
			models[label] = map[string]any{"version": version}
		case about == "version":
			models[label] = map[string]any{"version": value}
		}
	}
	text, err := json.Marshal(map[string]any{"models": models, "metrics": map[string]any{"accuracy": 0.9}, "output": map[string]any{"rows_in": 3, "rows_out": 3}})
	if err != nil {
		return jobs.Outcome{Result: jobs.InternalError, Message: err.Error()}
	}
	return jobs.Outcome{Result: jobs.Success, ExitValue: string(text), Exited: true}
}

func cutLast(text string) (before, after string, ok bool) {
	i := strings.LastIndex(text, "_")
	if i < 0 {
		return "", "", false
	}
	return text[:i], text[i+1:], true
}

// register makes a version in the registry that the project written by init has: that of prod's workspace.
func (c contract) register(model string, a jobs.Attempt) (string, error) {
	t, err := c.bench.twin("prod")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(t.Files().DBFS(), 0o700); err != nil {
		return "", err
	}
	source, err := os.MkdirTemp(t.Files().DBFS(), "model")
	if err != nil {
		return "", err
	}
	content := fmt.Sprintf("%s trained by %s in run %d", model, a.NotebookPath, a.RunID)
	if err := os.WriteFile(filepath.Join(source, "model.pkl"), []byte(content), 0o600); err != nil {
		return "", err
	}
	_ = c.bench.call("prod", http.MethodPost, mlflowAPI+"registered-models/create", map[string]any{"name": model}, nil) // or it is there
	run, err := c.run(filepath.Base(source))
	if err != nil {
		return "", err
	}
	var out struct {
		Version struct {
			Version string `json:"version"`
		} `json:"model_version"`
	}
	in := map[string]any{"name": model, "source": "dbfs:/" + filepath.Base(source), "run_id": run}
	err = c.bench.call("prod", http.MethodPost, mlflowAPI+"model-versions/create", in, &out)
	return out.Version.Version, err
}

// run is a run of dev's, which the registry's workspace does not have.
func (c contract) run(name string) (string, error) {
	var experiment struct {
		ID string `json:"experiment_id"`
	}
	if err := c.bench.call("dev", http.MethodPost, mlflowAPI+"experiments/create", map[string]any{"name": "/" + name}, &experiment); err != nil {
		return "", err
	}
	var out struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	if err := c.bench.call("dev", http.MethodPost, mlflowAPI+"runs/create", map[string]any{"experiment_id": experiment.ID}, &out); err != nil {
		return "", err
	}
	metric := map[string]any{"run_id": out.Run.Info.ID, "key": "trees", "value": 40, "timestamp": 1}
	return out.Run.Info.ID, c.bench.call("dev", http.MethodPost, mlflowAPI+"runs/log-metric", metric, nil)
}

func strangersTwins(ts *testscript.TestScript, b *bench, _ []string) error {
	project, diags := environments.Load(ts.MkAbs("."), environments.Options{Sandbox: true})
	if diags.HasErrors() {
		return diags
	}
	var names []string
	for _, w := range project.Workspaces {
		names = append(names, w.Name)
	}
	b.close()
	dir := ts.Getenv("BARGE_SANDBOX_DIR")
	if dir == "" {
		dir = ts.MkAbs(filepath.Join(".barge", "sandbox"))
	}
	var err error
	b.sandbox, err = sandbox.Start(context.Background(), sandbox.Config{Dir: dir, Workspaces: names, Executor: contract{b}, MLflow: mlflow.Light()})
	return err
}

func rehearse(ts *testscript.TestScript, b *bench, args []string) error {
	if len(args) < 2 {
		return errors.New("rehearse TAG ENVIRONMENT ...")
	}
	project, diags := environments.Load(ts.MkAbs("."), environments.Options{Sandbox: true})
	if diags.HasErrors() {
		return diags
	}
	lines := [][]string{{"git", "add", "--all", "."}, {"git", "commit", "-qm", args[0], "--allow-empty"}, {"git", "tag", args[0]}}
	for _, m := range project.Artifact.Models {
		lines = append(lines, []string{"barge", "train", m.Label})
	}
	lines = append(lines, []string{"barge", "build"})
	name := strings.TrimPrefix(args[0], project.TagPrefixOrDefault())
	for _, environment := range args[1:] {
		lines = append(lines, []string{"barge", "promote", name, "--to", environment})
	}
	if err := strangersTwins(ts, b, nil); err != nil {
		return err
	}
	for _, line := range lines {
		if err := ts.Exec(line[0], line[1:]...); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(line, " "), err)
		}
	}
	return nil
}
