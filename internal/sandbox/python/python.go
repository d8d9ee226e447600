// Package python runs notebooks for the sandbox: real Python, real libraries, dbutils beside them.
//
// Env makes the environment that the notebooks and the MLflow server share, once per machine and user. Runtime keeps
// warm interpreters in it, and Executor runs the notebooks of one twin. Whatever is started stands under a supervisor
// that ends it with all its descendants when the process that started it dies, however it dies. The Python files that
// do this are embedded: see the folder runner.
package python

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

//go:embed runner/*.py
var runner embed.FS

//go:embed requirements/notebooks.txt
var notebookRequirements []byte

//go:embed requirements/data.txt
var dataRequirements []byte

//go:embed requirements/uv.txt
var uvRequirements []byte

// requirements are the packages of an environment, each at one version whose files are known by their hashes.
type requirements struct {
	notebooks []byte
	data      []byte // taken for the data in them alone: what they depend on is not installed
	uv        []byte // the installer itself
}

func (r requirements) digest() string {
	sum := sha256.New()
	for _, file := range [][]byte{r.notebooks, r.data} {
		fmt.Fprintf(sum, "%d\n%s", len(file), file)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

// writeRunner puts the runner's files below the folder, once for each version of them, and returns where.
func writeRunner(below string) (string, error) {
	names, err := fs.Glob(runner, "runner/*.py")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	files := map[string][]byte{}
	for _, name := range names {
		content, err := runner.ReadFile(name)
		if err != nil {
			return "", err
		}
		files[path.Base(name)] = content
		fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
	}
	dir := filepath.Join(below, "runner-"+hex.EncodeToString(sum.Sum(nil))[:16])
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(below, 0o755); err != nil {
		return "", fmt.Errorf("writing the notebook runner: %w", err)
	}
	temp, err := os.MkdirTemp(below, "runner-new-")
	if err != nil {
		return "", fmt.Errorf("writing the notebook runner: %w", err)
	}
	defer os.RemoveAll(temp)
	if err := os.Mkdir(filepath.Join(temp, "barge_runner"), 0o755); err != nil {
		return "", fmt.Errorf("writing the notebook runner: %w", err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(temp, "barge_runner", name), content, 0o644); err != nil {
			return "", fmt.Errorf("writing the notebook runner: %w", err)
		}
	}
	if err := os.Rename(temp, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return "", fmt.Errorf("writing the notebook runner: %w", err)
		}
	}
	return dir, nil
}
