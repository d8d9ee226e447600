package release_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
)

// where is the part of the project that no test changes.
const where = `
project "p" {
  store = "oci-layout:.barge/store"
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
}
`

// source is a project in a git repository of its own, from which releases are built.
type source struct {
	dir   string
	steps int // of git, each a second after the one before
}

func (s *source) git(args ...string) error {
	s.steps++
	at := fmt.Sprintf("%d +0000", 1_760_000_000+s.steps)
	c := exec.Command("git", args...)
	c.Dir = s.dir
	c.Env = append(os.Environ(),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_AUTHOR_NAME=Test", "GIT_AUTHOR_EMAIL=test@barge.invalid",
		"GIT_COMMITTER_NAME=Test", "GIT_COMMITTER_EMAIL=test@barge.invalid", "GIT_AUTHOR_DATE="+at, "GIT_COMMITTER_DATE="+at)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("git %v: %w\n%s", args, err, out)
	}
	return nil
}

// write writes a file, in the project unless its path is absolute.
func (s *source) write(file, text string) error {
	if !filepath.IsAbs(file) {
		file = filepath.Join(s.dir, file)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o600)
}

func (s *source) load() (*environments.Project, error) {
	project, diags := environments.Load(s.dir, environments.Options{Sandbox: true})
	if diags.HasErrors() {
		return nil, diags
	}
	return project, nil
}

// build commits a project with these environments, notebooks (what stands in each besides its first line) and that
// version of the model, and builds it under a name.
func (s *source) build(
	ctx context.Context, name, version, environments string, notebooks map[string]string, store *artifacts.Store, shared artifacts.Registry,
) (artifacts.Release, error) {
	files := map[string]string{"barge.hcl": where + environments + `
artifact {
  notebooks {
    from = "notebooks"
  }
  model "m" {
    registry = registry.shared
    version  = "` + version + `"
  }
}
`}
	for notebook, text := range notebooks {
		files["notebooks/"+notebook+".py"] = "# Databricks notebook source\n" + text
	}
	for file, text := range files {
		if err := s.write(file, text); err != nil {
			return artifacts.Release{}, err
		}
	}
	for _, args := range [][]string{{"add", "barge.hcl", "notebooks"}, {"commit", "-q", "--allow-empty", "-m", name}, {"tag", "v" + name}} {
		if err := s.git(args...); err != nil {
			return artifacts.Release{}, err
		}
	}
	commit, err := artifacts.OpenCommit(ctx, s.dir, artifacts.CommitOptions{})
	if err != nil {
		return artifacts.Release{}, err
	}
	project, err := s.load()
	if err != nil {
		return artifacts.Release{}, err
	}
	return artifacts.Build(ctx, commit, artifacts.BuildOptions{
		Project: project, Store: store,
		Registry: func(context.Context, string) (artifacts.Registry, error) { return shared, nil },
	})
}
