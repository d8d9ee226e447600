package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/ci"
	"github.com/bargeml/barge/internal/console"
	"github.com/bargeml/barge/release"
)

func commitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "ref", Usage: "tag, branch or commit `REF` to take instead of HEAD"},
		&cli.BoolFlag{Name: "allow-dirty", Usage: "take HEAD although tracked files have changes, which are left out"},
	}
}

func buildCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:  "build",
		Usage: "make the artifact of a commit",
		Description: "Takes notebooks and config from a commit, never from the working tree, pins every model to one version\n" +
			"with a digest over its files, and stores the artifact under the commit's release name.",
		Flags: commitFlags(),
		Action: func(c *cli.Context) error {
			if err := positionals(c); err != nil {
				return err
			}
			built, err := h.build(c.Context, c)
			if err != nil {
				return err
			}
			for _, file := range built.LeftOut {
				h.console.Warn("left out: %s has changes that are not committed", file)
			}
			for _, warning := range built.Warnings {
				h.console.Warn("%s", warning)
			}
			return h.print(built, func(w io.Writer) { printRelease(w, built) })
		},
	}
}

func printRelease(w io.Writer, r artifacts.Release) {
	what := "built"
	if !r.New {
		what = "built already"
	}
	fmt.Fprintf(w, "%s %s\n  id      %s\n  commit  %.12s\n  files   %d notebooks, %d config\n", what, r.Name, r.ID, r.Commit, len(r.Manifest.Notebooks), len(r.Manifest.Config))
	for _, m := range r.Manifest.Models {
		if m.InGit() {
			fmt.Fprintf(w, "  model   %s: %s in git (%.19s)\n", m.Label, counted(len(m.Files), "file"), m.Digest)
			continue
		}
		fmt.Fprintf(w, "  model   %s: version %s of %s (%.19s)\n", m.Label, m.Version, m.Name, m.Digest)
	}
	fmt.Fprintf(w, "  store   %s\n", r.Store)
}

// build makes the artifact of the commit that the command names.
func (h *house) build(ctx context.Context, c *cli.Context) (artifacts.Release, error) {
	commit, project, err := h.committed(ctx, c)
	if err != nil {
		return artifacts.Release{}, err
	}
	store, err := h.store()
	if err != nil {
		return artifacts.Release{}, err
	}
	tag, of := ci.Tag(os.Getenv)
	built, err := artifacts.Build(ctx, commit, artifacts.BuildOptions{
		Project: project, Store: store, Barge: version, Tag: tag, TagOf: of,
		Registry: func(_ context.Context, label string) (artifacts.Registry, error) { return h.registry(label, "") },
	})
	return built, committedFirst(err)
}

// committedFirst makes of uncommitted changes what is to be typed otherwise.
func committedFirst(err error) error {
	var dirty *artifacts.DirtyError
	if errors.As(err, &dirty) {
		return &usageError{message: err.Error(), hint: "commit them, or --allow-dirty builds HEAD without them"}
	}
	return err
}

func inspectCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "show what a release is made of",
		ArgsUsage: "RELEASE",
		Action: func(c *cli.Context) error {
			if err := positionals(c, "RELEASE"); err != nil {
				return err
			}
			store, err := h.store()
			if err != nil {
				return err
			}
			found, err := store.Inspect(c.Context, c.Args().First())
			if err != nil {
				return err
			}
			return h.print(found, func(w io.Writer) { printInspection(w, found) })
		},
	}
}

func trainCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:      "train",
		Usage:     "run a model's training as the commit has it, and register what comes of it",
		ArgsUsage: "[MODEL]",
		Description: "What was trained already by the same notebooks, parameters, config and compute is not trained again,\n" +
			"unless --again.",
		Flags: append(commitFlags(), &cli.BoolFlag{Name: "again", Usage: "train although a version of this training exists"}),
		Action: func(c *cli.Context) error {
			if err := positionals(c, "[MODEL]"); err != nil {
				return err
			}
			trained, err := h.train(c.Context, c)
			if err != nil {
				return err
			}
			return h.print(trained, func(w io.Writer) { printTrained(w, trained) })
		},
	}
}

func printTrained(w io.Writer, t *release.Trained) {
	what := "trained"
	if !t.New {
		what = "trained already"
	}
	fmt.Fprintf(w, "%s %s: version %s of %s (%.19s)\n", what, t.Model, t.Version, t.Name, t.Digest)
	var rows [][]string
	for _, name := range sortedKeys(t.Metrics) {
		rows = append(rows, []string{"  " + name, fmt.Sprintf("%.4g", t.Metrics[name])})
	}
	if len(rows) > 0 {
		console.Table(w, []string{"  metric", "value"}, rows)
	}
}

func (h *house) train(ctx context.Context, c *cli.Context) (*release.Trained, error) {
	commit, project, err := h.committed(ctx, c)
	if err != nil {
		return nil, err
	}
	label, err := trainable(project, c.Args().First())
	if err != nil {
		return nil, err
	}
	sources, err := artifacts.Pack(ctx, commit, project.Artifact)
	if err != nil {
		return nil, committedFirst(err)
	}
	defer sources.Close()
	world, err := h.world(ctx)
	if err != nil {
		return nil, err
	}
	world.Project = world.Project.WithArtifact(project)
	return world.Train(ctx, sources, label, c.Bool("again"))
}

// trainable finds the model to train: the one named, or the only one that can be.
func trainable(project *environments.Project, named string) (string, error) {
	var labels []string
	if project.Artifact != nil {
		for _, m := range project.Artifact.Models {
			if m.Train != nil {
				labels = append(labels, m.Label)
			}
			if m.Label == named {
				return named, nil
			}
		}
	}
	switch {
	case named != "":
		return "", &usageError{message: fmt.Sprintf("barge.hcl has no model %q", named), hint: "it has " + list(labels)}
	case len(labels) == 0:
		return "", &usageError{message: "barge.hcl has no model with a train block"}
	case len(labels) > 1:
		return "", &usageError{message: "barge.hcl has more than one model to train", hint: "name one of " + list(labels)}
	}
	return labels[0], nil
}
