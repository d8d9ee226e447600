package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bargeml/barge/internal/sandbox/sandboxtest"
)

// mlflowServer is the verb: an MLflow server of its own, which wants no token.
func mlflowServer(ts *testscript.TestScript, b *bench, _ []string) error {
	b.artifacts = ts.MkAbs(filepath.Join(".barge", "mlflow"))
	if err := os.MkdirAll(b.artifacts, 0o700); err != nil {
		return err
	}
	b.mlflow = httptest.NewServer(sandboxtest.MLflow(b.light(), "bare", "", b.artifacts))
	ts.Setenv("MLFLOW_URL", b.mlflow.URL)
	return nil
}

// trained registers a model in the registry that a training is told.
func (b *bench) trained(registry, name string, files map[string]string) (string, error) {
	switch {
	case registry == "databricks-uc":
		return b.inUnity(name, files)
	case b.mlflow != nil && registry == b.mlflow.URL:
		return b.inMLflow(name, files)
	case strings.HasPrefix(registry, "databricks"):
		return b.register(files, nil)
	}
	return "", fmt.Errorf("the training was told registry %q", registry)
}

type registration struct {
	Version struct {
		Version string `json:"version"`
	} `json:"model_version"`
}

func (b *bench) inUnity(name string, files map[string]string) (string, error) {
	const api = mlflowAPI + "unity-catalog/"
	_ = b.call("dev", http.MethodPost, api+"registered-models/create", map[string]any{"name": name}, nil) // or it is there
	var out registration
	if err := b.call("dev", http.MethodPost, api+"model-versions/create", map[string]any{"name": name, "source": "dbfs:/x"}, &out); err != nil {
		return "", err
	}
	number := out.Version.Version
	for file, content := range files {
		if err := b.put("dev", "/api/2.0/fs/files/Models/"+strings.ReplaceAll(name, ".", "/")+"/"+number+"/"+file, content); err != nil {
			return "", err
		}
	}
	return number, b.call("dev", http.MethodPost, api+"model-versions/finalize", map[string]any{"name": name, "version": number}, nil)
}

func (b *bench) put(workspace, at, content string) error {
	t, err := b.twin(workspace)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPut, t.URL+at, bytes.NewReader([]byte(content)))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+t.Token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s: %s", at, resp.Status)
	}
	return nil
}

func (b *bench) inMLflow(name string, files map[string]string) (string, error) {
	_ = b.call("mlflow", http.MethodPost, mlflowAPI+"registered-models/create", map[string]any{"name": name}, nil) // or it is there
	root, err := os.MkdirTemp(b.artifacts, "model")
	if err != nil {
		return "", err
	}
	for file, content := range files {
		if err := os.WriteFile(filepath.Join(root, file), []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	var out registration
	in := map[string]any{"name": name, "source": "mlflow-artifacts:/" + filepath.Base(root)}
	err = b.call("mlflow", http.MethodPost, mlflowAPI+"model-versions/create", in, &out)
	return out.Version.Version, err
}

// aliasNames is the verb.
func aliasNames(_ *testscript.TestScript, b *bench, args []string) error {
	if len(args) < 2 || len(args) > 3 {
		return errors.New("alias MODEL NAME [VERSION]")
	}
	workspace, at := "dev", "/api/2.0/mlflow/unity-catalog/registered-models/alias?"
	if b.mlflow != nil {
		workspace, at = "mlflow", "/api/2.0/mlflow/registered-models/alias?"
	}
	var out registration
	err := b.call(workspace, http.MethodGet, at+url.Values{"name": {args[0]}, "alias": {args[1]}}.Encode(), nil, &out)
	if len(args) == 2 {
		if err == nil {
			return fmt.Errorf("alias %s names version %s", args[1], out.Version.Version)
		}
		if !strings.Contains(err.Error(), "not found") {
			return err
		}
		return nil
	}
	if err == nil && out.Version.Version != args[2] {
		err = fmt.Errorf("alias %s names version %s", args[1], out.Version.Version)
	}
	return err
}
