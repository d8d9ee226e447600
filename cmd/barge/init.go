package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/artifacts/survey"
	"github.com/bargeml/barge/environments"
)

func initCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:  "init",
		Usage: "look at a repository and write a first barge.hcl for it",
		Description: "Looks at notebooks, at a Databricks bundle, at requirements and pipelines, and writes what it guesses with\n" +
			"where each guess comes from. On a terminal it asks what it cannot know; elsewhere flags say it. A barge.hcl\n" +
			"that is there is never overwritten.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "project", Usage: "`NAME` of the project"},
			&cli.StringFlag{Name: "store", Usage: "`ADDRESS` of the artifacts: oci-layout:PATH or oci://HOST/REPOSITORY"},
			&cli.StringSliceFlag{Name: "model", Usage: "registered `NAME` of a model; may be repeated"},
			&cli.StringSliceFlag{Name: "train", Usage: "the `NOTEBOOK` that trains; MODEL=NOTEBOOK where there are several models"},
			&cli.StringSliceFlag{Name: "gate", Usage: "the `NOTEBOOK` that tests"},
			&cli.StringSliceFlag{Name: "score", Usage: "the `NOTEBOOK` that scores"},
			&cli.StringSliceFlag{Name: "host", Usage: "an environment and its workspace: `ENV=URL`; repeated in the order in which releases pass them"},
			&cli.BoolFlag{Name: "deploy", Usage: "a deploy project: releases come from a store, and are built elsewhere"},
			&cli.StringFlag{Name: "code", Usage: "`FOLDER` of the project that builds a deploy project's releases"},
			&cli.BoolFlag{Name: "print", Usage: "show barge.hcl and write nothing"},
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "ask nothing, also on a terminal"},
		},
		Action: func(c *cli.Context) error {
			if err := positionals(c); err != nil {
				return err
			}
			wishes, err := h.wishes(c)
			if err != nil {
				return err
			}
			if !c.Bool("print") {
				if err := h.unwritten(); err != nil {
					return err
				}
			}
			found, err := survey.Look(h.dir)
			if err != nil {
				return err
			}
			return h.initialize(c, found, wishes)
		},
	}
}

func (h *house) initialize(c *cli.Context, found *survey.Survey, wishes survey.Wishes) error {
	proposal, err := found.Propose(wishes)
	if err == nil && !c.Bool("yes") && !c.Bool("print") && !h.console.JSON {
		if ask := h.asker(c.Context); ask != nil {
			defer ask.close()
			if err := ask.about(found, &wishes, proposal); err != nil {
				return err
			}
			proposal, err = found.Propose(wishes)
		}
	}
	if err != nil {
		return &usageError{message: err.Error(), hint: "barge init --help shows what can be said"}
	}
	text, err := found.Write(proposal)
	if err != nil {
		return err
	}
	if !c.Bool("print") {
		if err := writeNew(filepath.Join(h.dir, "barge.hcl"), text); err != nil {
			return err
		}
	}
	return h.printInitial(initial{
		File: "barge.hcl", Written: !c.Bool("print"), Text: string(text), Proposal: proposal, Survey: found,
	})
}

// wishes reads the flags.
func (h *house) wishes(c *cli.Context) (survey.Wishes, error) {
	w := survey.Wishes{
		Project: c.String("project"), Store: c.String("store"), Deploy: c.Bool("deploy") || c.String("code") != "",
		Models: c.StringSlice("model"), Train: c.StringSlice("train"), Gate: c.StringSlice("gate"), Score: c.StringSlice("score"),
	}
	for _, pair := range c.StringSlice("host") {
		place, err := survey.ParsePlace(pair)
		if err != nil {
			return w, &usageError{message: "--host " + pair + ": " + err.Error(), hint: "--host dev=https://adb-….azuredatabricks.net --host prod=https://…"}
		}
		w.Places = append(w.Places, place)
	}
	code := c.String("code")
	if code == "" {
		return w, nil
	}
	at, err := h.folder(code)
	if err != nil {
		return w, err
	}
	project, diags := environments.Load(at, environments.Options{Vars: h.vars})
	if diags.HasErrors() {
		return w, fmt.Errorf("reading the project that builds the releases: %w", diags)
	}
	w.Code = project
	if w.Store == "" {
		w.Store = survey.StoreFrom(project.Store, at, h.dir)
	}
	return w, nil
}

// unwritten refuses a folder that has a project.
func (h *house) unwritten() error {
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if environments.IsFile(e.Name()) {
			return &usageError{
				message: e.Name() + " is there already, and init never overwrites",
				hint:    "barge init --print shows what init would write; move the file away to have it written",
			}
		}
	}
	return nil
}

// writeNew writes a file that must not be there.
func writeNew(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // as any file of the repository
	if errors.Is(err, fs.ErrExist) {
		return &usageError{message: file + " is there already, and init never overwrites", hint: "barge init --print"}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

// initial is what init did.
type initial struct {
	File     string           `json:"file"`
	Written  bool             `json:"written"`
	Text     string           `json:"text"`
	Proposal *survey.Proposal `json:"proposal"`
	Survey   *survey.Survey   `json:"survey"`
}

func (h *house) printInitial(in initial) error {
	p, s := in.Proposal, in.Survey
	for _, n := range s.Notes {
		h.console.Warn("%s", n)
	}
	return h.print(in, func(w io.Writer) {
		beside := w
		if in.Written {
			fmt.Fprintf(w, "wrote %s: project %s, %s, %s\n", in.File, p.Project, counted(len(p.Places), "environment"), counted(len(p.Models), "model"))
			for _, g := range p.Guesses {
				fmt.Fprintf(w, "  guessed %s: %s (%s)\n", g.What, g.Is, g.From)
			}
		} else {
			fmt.Fprint(w, in.Text)
			beside = h.console.Err
		}
		if len(s.Pipelines) > 0 {
			fmt.Fprintf(beside, "pipelines that are here and were not read: %s\n", strings.Join(s.Pipelines, ", "))
		}
		if len(p.ToDo) > 0 {
			fmt.Fprintln(beside, "to do, before a release goes through (docs/notebooks.md has the whole contract):")
		}
		for _, t := range p.ToDo {
			fmt.Fprintf(beside, "  - %s\n", t)
		}
		printNext(beside, in)
	})
}

func printNext(w io.Writer, in initial) {
	if !in.Written {
		return
	}
	fmt.Fprintln(w, "next:")
	if !in.Survey.Git {
		fmt.Fprintln(w, "  git init")
	}
	if !in.Survey.Ignored {
		fmt.Fprintln(w, "  echo .barge/ >> .gitignore")
	}
	fmt.Fprintln(w, "  git add . && git commit -m 'Release with barge'")
	fmt.Fprintln(w, "  barge sandbox up                 # a twin of each workspace, on this machine")
	if in.Proposal.Deploy {
		fmt.Fprintf(w, "  barge plan RELEASE --to %s --sandbox\n", in.Proposal.Places[0].Name)
		return
	}
	fmt.Fprintln(w, "  barge train --sandbox")
	fmt.Fprintln(w, "  barge build --sandbox")
}
