package python

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// candidates are the names by which a Python is looked for, best first.
var candidates = []string{"python3.13", "python3.12", "python3.11", "python3"}

// found is a Python that notebooks can stand on.
type found struct {
	Executable string
	Version    string
	Minor      [2]int
	Arch       string
	Missing    []string // modules that notebooks need and this Python was built without
	CanVenv    bool     // has venv and ensurepip; Debian packs them apart
	CanPip     bool
}

const probe = `
import importlib, importlib.util, json, platform, sys
def missing(*names):
    lost = []
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            lost.append(name)
    return lost
print(json.dumps({
    "Executable": sys.executable, "Version": platform.python_version(), "Minor": sys.version_info[:2],
    "Arch": platform.machine(), "Missing": missing("ctypes", "sqlite3", "ssl", "zlib"),
    "CanVenv": not missing("venv", "ensurepip"), "CanPip": importlib.util.find_spec("pip") is not None,
}))
`

// findPython returns the first fitting Python: BARGE_PYTHON alone where it is set, else the best on the PATH.
func findPython(ctx context.Context, environ []string) (found, error) {
	if named := getenv(environ, "BARGE_PYTHON"); named != "" {
		python, err := examine(ctx, environ, named)
		if err != nil {
			return found{}, fmt.Errorf("BARGE_PYTHON: %s: %w", named, err)
		}
		return python, nil
	}
	var rejected []string
	for _, name := range candidates {
		executable := lookPath(environ, name)
		if executable == "" {
			continue
		}
		python, err := examine(ctx, environ, executable)
		if err == nil {
			return python, nil
		}
		if ctx.Err() != nil {
			return found{}, context.Cause(ctx)
		}
		rejected = append(rejected, fmt.Sprintf("\n  %s: %s", executable, err))
	}
	what := "found none"
	if len(rejected) > 0 {
		what = "found only" + strings.Join(rejected, "")
	}
	return found{}, fmt.Errorf("the sandbox needs Python 3.11 or later; %s\n"+
		"install one (apt install python3 python3-venv, brew install python, or https://www.python.org/downloads) "+
		"or name one in BARGE_PYTHON", what)
}

func examine(ctx context.Context, environ []string, executable string) (found, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, executable, "-I", "-c", probe)
	cmd.Env, cmd.WaitDelay = environ, time.Second
	out, err := cmd.Output()
	if err != nil {
		if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
			return found{}, fmt.Errorf("does not run: %s", tail(string(failed.Stderr), 1))
		}
		return found{}, fmt.Errorf("does not run: %w", err)
	}
	var python found
	if err := json.Unmarshal(out, &python); err != nil {
		return found{}, errors.New("does not answer as Python does")
	}
	switch {
	case python.Minor[0] != 3 || python.Minor[1] < 11:
		return found{}, fmt.Errorf("is Python %s; 3.11 or later is needed", python.Version)
	case len(python.Missing) > 0:
		return found{}, fmt.Errorf("is Python %s built without %s", python.Version, strings.Join(python.Missing, ", "))
	}
	return python, nil
}

// getenv reads one variable of an environment; the last one of a name counts, as for a process.
func getenv(environ []string, name string) string {
	for i := len(environ) - 1; i >= 0; i-- {
		if key, value, ok := strings.Cut(environ[i], "="); ok && key == name {
			return value
		}
	}
	return ""
}

// lookPath finds a program on the PATH of an environment; "": it is not there.
func lookPath(environ []string, name string) string {
	for _, dir := range filepath.SplitList(getenv(environ, "PATH")) {
		if !filepath.IsAbs(dir) {
			continue // a program of the working directory is nobody's choice of a Python
		}
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// tail returns the last n lines that are not blank.
func tail(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n\t "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
