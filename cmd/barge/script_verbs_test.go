package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bargeml/barge"
	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/sandboxtest"
)

func project(ts *testscript.TestScript, _ *bench, _ []string) error {
	dir := ts.MkAbs("project")
	files, err := fs.Sub(barge.Projects, "testdata/projects/diabetes")
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, files); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(".barge/\n"), 0o600); err != nil {
		return err
	}
	if err := ts.Chdir("project"); err != nil {
		return err
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"commit", "-qm", "The project"}} {
		if err := ts.Exec("git", args...); err != nil {
			return err
		}
	}
	return nil
}

func edit(ts *testscript.TestScript, _ *bench, args []string) error {
	if len(args) != 3 {
		return errors.New("edit FILE OLD NEW")
	}
	file := ts.MkAbs(args[0])
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	old, changed := strings.ReplaceAll(args[1], `\n`, "\n"), strings.ReplaceAll(args[2], `\n`, "\n")
	if !bytes.Contains(b, []byte(old)) {
		return fmt.Errorf("%s has no %q", args[0], old)
	}
	return os.WriteFile(file, bytes.ReplaceAll(b, []byte(old), []byte(changed)), 0o600)
}

var features = regexp.MustCompile(`features = "[^"]*"`)

func makeRelease(ts *testscript.TestScript, _ *bench, args []string) error {
	if len(args) == 2 {
		file := ts.MkAbs("barge.hcl")
		changed := features.ReplaceAllLiteralString(ts.ReadFile(file), fmt.Sprintf("features = %q", args[1]))
		if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
			return err
		}
	}
	for _, line := range [][]string{
		{"git", "commit", "-qam", args[0], "--allow-empty"},
		{"git", "tag", "v" + args[0]},
		{"barge", "train"},
		{"barge", "build"},
	} {
		if err := ts.Exec(line[0], line[1:]...); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(line, " "), err)
		}
	}
	return nil
}

// twin finds a running twin.
func (b *bench) twin(name string) (*sandbox.Twin, error) {
	if b.sandbox == nil || b.sandbox.Twin(name) == nil {
		return nil, fmt.Errorf("no twin %s is up", name)
	}
	return b.sandbox.Twin(name), nil
}

// call makes a call to a twin, which it answers whatever faults it has.
func (b *bench) call(workspace, method, at string, in, out any) error {
	if workspace == "mlflow" && b.mlflow != nil {
		return sandboxtest.Call(context.Background(), method, b.mlflow.URL+at, "", in, out)
	}
	t, err := b.twin(workspace)
	if err != nil {
		return err
	}
	return sandboxtest.Call(context.Background(), method, t.URL+at, t.Token, in, out)
}

func api(ts *testscript.TestScript, b *bench, args []string) error {
	var in any
	if len(args) == 4 {
		if err := json.Unmarshal([]byte(args[3]), &in); err != nil {
			return err
		}
	}
	var out any
	if err := b.call(args[0], args[1], args[2], in, &out); err != nil {
		return err
	}
	return writeJSON(ts.Stdout(), out)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

const mlflowAPI = "/api/2.0/mlflow/"

// register makes a version of the model from files and returns its number.
func (b *bench) register(files map[string]string, tags []map[string]string) (string, error) {
	t, err := b.twin("registry")
	if err != nil {
		return "", err
	}
	dbfs := t.Files().DBFS()
	if err := os.MkdirAll(dbfs, 0o700); err != nil {
		return "", err
	}
	source, err := os.MkdirTemp(dbfs, "model")
	if err != nil {
		return "", err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(source, name), []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	return b.registerFrom("dbfs:/"+filepath.Base(source), tags)
}

func (b *bench) registerFrom(source string, tags []map[string]string) (string, error) {
	_ = b.call("registry", http.MethodPost, mlflowAPI+"registered-models/create", map[string]any{"name": "diabetes"}, nil) // or it is there
	var out struct {
		Version struct {
			Version string `json:"version"`
		} `json:"model_version"`
	}
	err := b.call("registry", http.MethodPost, mlflowAPI+"model-versions/create", map[string]any{"name": "diabetes", "source": source, "tags": tags}, &out)
	return out.Version.Version, err
}

// registerVersion is the verb: the number must be the one that comes, "-" for whichever.
func registerVersion(_ *testscript.TestScript, b *bench, args []string) error {
	if len(args) != 2 {
		return errors.New("register VERSION CONTENT")
	}
	var number string
	var err error
	if strings.HasPrefix(args[1], "dbfs:") {
		number, err = b.registerFrom(args[1], nil)
	} else {
		number, err = b.register(map[string]string{"model.pkl": args[1]}, nil)
	}
	if err == nil && args[0] != "-" && number != args[0] {
		err = fmt.Errorf("it became version %s", number)
	}
	return err
}

// tamper is the verb: other bytes under a version's number.
func tamper(_ *testscript.TestScript, b *bench, args []string) error {
	t, err := b.twin("registry")
	if err != nil {
		return err
	}
	changed := false
	err = filepath.WalkDir(t.Dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != "model.pkl" {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil || string(content) != args[0] {
			return err
		}
		changed = true
		return os.WriteFile(file, []byte(args[1]), 0o600)
	})
	if err == nil && !changed {
		err = fmt.Errorf("no model has the content %q", args[0])
	}
	return err
}

func fault(_ *testscript.TestScript, b *bench, args []string) error {
	t, err := b.twin(args[0])
	if err != nil {
		return err
	}
	if args[1] == "clear" {
		t.ClearFaults()
		return nil
	}
	var f sandbox.Fault
	if err := json.Unmarshal([]byte(args[1]), &f); err != nil {
		return err
	}
	return t.Fault(f)
}

func begun(_ *testscript.TestScript, b *bench, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.notebooks.begun.Begun(ctx, n); err != nil {
		return fmt.Errorf("%d notebooks have begun: %w", len(b.notebooks.begun.Attempts()), err)
	}
	return nil
}

// jobs are the settings of a workspace's jobs, by name, with their ids.
func (b *bench) jobs(workspace string) (map[string]any, error) {
	var out struct {
		Jobs []struct {
			ID       json.Number    `json:"job_id"`
			Settings map[string]any `json:"settings"`
		} `json:"jobs"`
	}
	if err := b.call(workspace, http.MethodGet, "/api/2.2/jobs/list?expand_tasks=true", nil, &out); err != nil {
		return nil, err
	}
	all := map[string]any{}
	for _, j := range out.Jobs {
		all[j.ID.String()] = j.Settings
	}
	return all, nil
}

// jobOf is prod's job of a score.
func (b *bench) jobOf(score string) (id string, settings map[string]any, err error) {
	all, err := b.jobs("prod")
	if err != nil {
		return "", nil, err
	}
	for id, s := range all {
		settings, _ := s.(map[string]any)
		if tags, ok := settings["tags"].(map[string]any); ok && tags["barge"] == "diabetes.prod."+score {
			return id, settings, nil
		}
	}
	return "", nil, fmt.Errorf("prod has no job of score %s", score)
}

func job(ts *testscript.TestScript, b *bench, args []string) error {
	id, settings, err := b.jobOf(args[0])
	if err != nil || len(args) == 1 {
		return errors.Join(err, writeJSON(ts.Stdout(), settings))
	}
	if settings, err = merged(settings, args[1]); err != nil {
		return err
	}
	return b.call("prod", http.MethodPost, "/api/2.2/jobs/reset", map[string]any{"job_id": json.Number(id), "new_settings": settings}, nil)
}

func fire(_ *testscript.TestScript, b *bench, args []string) error {
	id, _, err := b.jobOf(args[0])
	if err != nil {
		return err
	}
	return b.call("prod", http.MethodPost, "/_sandbox/jobs/"+id+"/fire", nil, nil)
}

func requestLog(ts *testscript.TestScript, b *bench, args []string) error {
	t, err := b.twin(args[0])
	if err != nil {
		return err
	}
	if len(args) == 2 && args[1] == "clear" {
		t.ClearLog()
		return nil
	}
	for _, c := range t.Log() {
		if c.Method == http.MethodGet || c.Method == http.MethodHead {
			continue
		}
		if _, err := fmt.Fprintf(ts.Stdout(), "%s %s %d\n", c.Method, c.Path, c.Status); err != nil {
			return err
		}
	}
	return nil
}
