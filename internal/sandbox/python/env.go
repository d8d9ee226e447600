package python

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// marker is written last: an environment without it is half made, and is made again.
const marker = ".complete"

// Env is the managed Python environment: libraries at locked versions, the same on every machine.
// The zero value is the one of this user.
type Env struct {
	Cache   string   // where environments are kept; "": barge/python in the user's cache directory
	Environ []string // PATH, BARGE_PYTHON, HOME, proxies and pip's settings are read from it; nil: this process's

	locked *requirements // nil: those that are embedded
}

// Interpreter is a Python that has the libraries of notebooks.
type Interpreter struct {
	Python  string // path of the executable
	Dir     string // the environment it belongs to
	Version string // "3.11.7"
	cache   string // where layers and the runner stand
	runner  string
	environ []string
}

// Ensure returns the interpreter of the environment, which is made if it is not there yet: that takes half a minute
// to several, needs a package index and about 1 GB, and is told on progress. Several processes may ask at once: one
// makes it, the others wait. An interrupted one is made anew by the next call.
func (e Env) Ensure(ctx context.Context, progress io.Writer) (Interpreter, error) {
	if runtime.GOOS == "windows" {
		return Interpreter{}, errors.New("the sandbox runs notebooks on Linux and macOS: on Windows, use it inside WSL")
	}
	if e.Environ == nil {
		e.Environ = os.Environ()
	}
	if e.Cache == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return Interpreter{}, fmt.Errorf("finding a place for the Python environment: %w", err)
		}
		e.Cache = filepath.Join(cache, "barge", "python")
	}
	if e.locked == nil {
		e.locked = &requirements{notebookRequirements, dataRequirements, uvRequirements}
	}
	found, err := findPython(ctx, e.Environ)
	if err != nil {
		return Interpreter{}, err
	}
	run, err := writeRunner(e.Cache)
	if err != nil {
		return Interpreter{}, err
	}
	dir := filepath.Join(e.Cache, e.locked.digest()+"-"+found.Version+"-"+runtime.GOOS+"-"+found.Arch)
	interpreter := Interpreter{
		Python: filepath.Join(dir, "bin", "python"), Dir: dir, Version: found.Version,
		cache: e.Cache, runner: run, environ: e.Environ,
	}
	if complete(dir) {
		return interpreter, nil
	}
	steps := newSteps(progress)
	unlock, err := lock(ctx, dir+".lock", steps)
	if err != nil {
		return Interpreter{}, err
	}
	defer unlock()
	if complete(dir) {
		return interpreter, nil
	}
	began := time.Now()
	if err := (maker{found, e, dir, steps}).make(ctx); err != nil {
		return Interpreter{}, fmt.Errorf("making the Python environment of the sandbox: %w", err)
	}
	steps.say("the Python environment is ready, after %s", time.Since(began).Round(time.Second))
	return interpreter, nil
}

// complete says whether the environment was made to its end, and the Python that it stands on is still there.
func complete(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, marker)); err != nil {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "bin", "python"))
	return err == nil
}

// lock waits until this process alone may make the environment, or ctx ends.
func lock(ctx context.Context, path string, steps *steps) (unlock func(), err error) {
	type held struct {
		unlock func()
		err    error
	}
	got := make(chan held, 1)
	go func() {
		unlock, err := lockedfile.MutexAt(path).Lock()
		got <- held{unlock, err}
	}()
	patience := time.NewTimer(500 * time.Millisecond)
	defer patience.Stop()
	for {
		select {
		case h := <-got:
			if h.err != nil {
				return nil, fmt.Errorf("locking the Python environment: %w", h.err)
			}
			return h.unlock, nil
		case <-patience.C:
			steps.say("waiting for another barge, which is making the Python environment")
		case <-ctx.Done():
			go func() {
				if h := <-got; h.err == nil {
					h.unlock()
				}
			}()
			return nil, fmt.Errorf("waiting for another barge to make the Python environment: %w", context.Cause(ctx))
		}
	}
}
