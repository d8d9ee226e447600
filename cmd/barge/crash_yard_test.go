//go:build unix

package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox"
)

// yard is a project over twins that can be put back to how it was, and that sees every call of a command.
type yard struct {
	dir      string
	terms    string // of BARGE_TERMS
	bench    bench
	registry *taped
	lies     map[string]moored // the project's state as it was last read or written
	fresh    berth             // nothing was promoted to prod
	used     berth             // 1.0.0 and then 1.1.0 were
	flying   *berth            // 1.2.0 was being promoted over that when its owner died; see inFlight

	order   sync.Mutex // calls of all twins, one at a time
	passing *passage   // of the command that runs; nil: the calls are the test's own
	holds   atomic.Bool

	crowd atomic.Pointer[crowd] // takes the calls of several commands at once; nil: there is one
}

// The terms of commands in a yard. Those of crashes are short, since whoever goes on after one on another host waits
// out the last of them.
const (
	yardTerms  = "5s,200ms,6s"
	crashTerms = "2400ms,1s,4s"
)

// openYard makes a project with four releases, of which prod has seen none (fresh) or two (used).
func openYard(t *testing.T) *yard {
	t.Helper()
	y := &yard{dir: filepath.Join(t.TempDir(), "project"), terms: yardTerms, registry: &taped{}, lies: map[string]moored{}}
	y.bench.notebooks.bench = &y.bench
	y.registry.play(t, nil)
	t.Cleanup(func() { y.down(t) })
	for name, text := range yardFiles {
		file := filepath.Join(y.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	y.up(t)
	y.git(t, "init", "-q", "-b", "main")
	for i, name := range []string{"1.0.0", "1.1.0", "1.2.0", "1.3.0"} {
		if err := os.WriteFile(filepath.Join(y.dir, "conf", "prod.yml"), []byte("release: "+name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := y.bench.register(map[string]string{"model.pkl": name}, nil); err != nil {
			t.Fatal(err)
		}
		y.git(t, "add", ".")
		y.git(t, "commit", "-qm", name)
		y.git(t, "tag", "v"+name)
		y.must(t, "build")
		if i == 2 {
			y.must(t, "promote", name, "--to", "test")
		}
	}
	y.fresh = y.keep(t)
	y.must(t, "promote", "1.0.0", "--to", "prod")
	y.must(t, "promote", "1.1.0", "--to", "prod")
	y.used = y.keep(t)
	return y
}

// inFlight is a promotion whose owner died when it had set the first of its pointers.
func (y *yard) inFlight(t *testing.T) berth {
	t.Helper()
	if y.flying != nil {
		return *y.flying
	}
	y.back(t, y.used)
	calls := y.barge(t, promote...).calls
	dies := 1 + slices.IndexFunc(calls, func(call string) bool { return strings.HasSuffix(call, "/transition-stage") })
	y.back(t, y.used)
	if e := y.pass(t, &passage{host: here, dies: dies, after: true}, promote...); dies == 0 || !e.died || y.head(t).Flight == nil {
		t.Fatalf("nothing is in flight: %v", e)
	}
	b := y.keep(t)
	y.flying = &b
	return b
}

func (y *yard) up(t *testing.T) {
	t.Helper()
	for n := 1; ; n++ {
		var err error
		y.bench.sandbox, err = sandbox.Start(t.Context(), sandbox.Config{
			Dir: filepath.Join(y.dir, ".barge", "sandbox"), Workspaces: []string{"test", "prod", "registry"},
			Executor: &y.bench.notebooks, MLflow: y.registry, Through: y.through,
		})
		switch {
		case err == nil:
			return
		case !errors.Is(err, sandbox.ErrInUse) || n == 200: // the process of another yard, just born, may still hold the lock
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (y *yard) down(t *testing.T) {
	t.Helper()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections() //nolint:forcetypeassert // nobody has changed it
	if y.bench.sandbox == nil {
		return
	}
	if err := y.bench.sandbox.Close(); err != nil {
		t.Fatal(err)
	}
	y.bench.sandbox = nil
	// A process that is being forked has the folder's lock, too, until it is the command that it shall be.
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
}

// fail makes the first scoring of 1.2.0 fail, or not.
func (y *yard) fail(fails bool) {
	y.bench.notebooks.mu.Lock()
	defer y.bench.notebooks.mu.Unlock()
	y.bench.notebooks.told = nil
	if fails {
		y.bench.notebooks.told = []told{{notebook: "batch-scoring", version: "3", what: "with", text: `{"output": {"rows_out": 0}}`}}
	}
}

var yardFiles = map[string]string{
	"conf/prod.yml":              "",
	".gitignore":                 ".barge/\n",
	"notebooks/test-model.py":    "# Databricks notebook source\n# is the model good enough?\n",
	"notebooks/batch-scoring.py": "# Databricks notebook source\n# score everything\n",
	"notebooks/lib/tables.py":    "# Databricks notebook source\nTABLE = \"scores\"\n",
	"barge.hcl": `project "diabetes" {
  store = "oci-layout:.barge/store"
}

artifact {
  notebooks {
    from    = "notebooks"
    include = ["**/*.py"]
  }
  config {
    from = "conf"
  }
  model "diabetes" {
    registry = registry.shared
    version  = "latest"
  }
}

workspace "test" {
  host = "https://adb-2.2.azuredatabricks.net"
}

workspace "prod" {
  host = "https://adb-3.3.azuredatabricks.net"
}

workspace "registry" {
  host = "https://adb-4.4.azuredatabricks.net"
}

registry "shared" {
  kind      = "workspace"
  workspace = workspace.registry
  remote "rmr" {
    scope  = "rmr"
    prefix = "rmr"
    token  = secret("env:REGISTRY_TOKEN")
  }
}

compute "ml" {
  spark_version = "15.4.x-cpu-ml-scala2.12"
  node_type     = "Standard_DS3_v2"
  num_workers   = 1
}

environment "test" {
  workspace = workspace.test
  path      = "/Barge/diabetes"

  model "diabetes" {
    stage            = "Staging"
    archive_existing = true
  }
}

environment "prod" {
  follows   = [environment.test]
  workspace = workspace.prod
  path      = "/Barge/diabetes"
  operators = ["group:on-call"]

  deploy {
    config      = "conf/prod.yml"
    permissions = { "group:data-scientists" = "CAN_RUN" }
  }
  model "diabetes" {
    stage            = "Production"
    archive_existing = true
  }
  gate "test-model" {
    notebook = "test-model"
    compute  = compute.ml

    expect "accurate enough" {
      that = metrics.accuracy >= 0.77
    }
  }
  score "nightly" {
    notebook = "batch-scoring"
    compute  = compute.ml
    schedule = { cron = "0 0 2 * * ?", timezone = "Europe/London" }

    expect "every row scored" {
      that = output.rows_in > 0 && output.rows_out == output.rows_in
    }
  }
}
`,
}
