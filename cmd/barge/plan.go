package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/release"
)

func planCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "show exactly what a promotion would change",
		ArgsUsage: "[RELEASE]",
		Description: "Changes nothing. The digest names the change: promote --plan FILE carries out that plan and no other, or exits 5\n" +
			"and says what has moved.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "`ENVIRONMENT` to plan for"},
			&cli.StringFlag{Name: "out", Usage: "write the plan to `FILE`"},
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit 2 when there is something to change"},
		},
		Action: func(c *cli.Context) error {
			world, environment, err := h.about(c, "to", "[RELEASE]")
			if err != nil {
				return err
			}
			shown, err := world.Plan(c.Context, release.Request{Release: c.Args().First(), Environment: environment, Head: h.releaseOfHead})
			if err != nil {
				return err
			}
			if file := c.String("out"); file != "" {
				if err := savePlan(file, shown); err != nil {
					return err
				}
			}
			result := struct {
				FormatVersion int `json:"format_version"`
				*release.Shown
			}{1, shown}
			if err := h.print(result, func(w io.Writer) { printPlan(w, shown) }); err != nil {
				return err
			}
			if c.Bool("detailed-exitcode") && !shown.Nothing {
				return errChanges
			}
			return nil
		},
	}
}

func savePlan(file string, shown *release.Shown) error {
	b, err := json.MarshalIndent(release.Saved{FormatVersion: 1, Digest: shown.Digest, Plan: shown.Plan}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

func readPlan(file string) (*release.Saved, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return release.ReadPlan(b)
}

func printPlan(w io.Writer, s *release.Shown) {
	p := s.Plan
	if s.Nothing {
		fmt.Fprintf(w, "%s is the champion of %s and nothing drifted: nothing to do\n", p.Release, p.Environment)
		return
	}
	fmt.Fprintf(w, "%s to %s, over %s (entry %d)\n", p.Release, p.Environment, p.Over.Release, p.Over.Live)
	printRules(w, s.Rules)
	for _, g := range s.Judges {
		fmt.Fprintf(w, "  judge     the notebook of gate %s changes\n", g)
	}
	for _, v := range s.Waived {
		fmt.Fprintf(w, "  waived    %s\n", v)
	}
	for _, m := range s.Models {
		printModel(w, m)
	}
	for _, c := range append(append([]artifacts.Change{}, s.Files...), s.Config...) {
		fmt.Fprintf(w, "  file      %s %s\n", c.Path, lines(c))
	}
	for _, v := range s.Pointers {
		fmt.Fprintf(w, "  pointer   %s: %s -> %s\n", v.ID, short(v.Before), short(v.After))
	}
	for _, g := range s.Gates {
		fmt.Fprintf(w, "  gate      %s is asked\n", g)
	}
	for _, g := range p.Grants {
		fmt.Fprintf(w, "  grant     %s\n", g)
	}
	if s.Upload > 0 {
		fmt.Fprintf(w, "  upload    %s to %s\n", counted(s.Upload, "file"), p.Folder)
	}
	for _, d := range s.Drift {
		fmt.Fprintf(w, "  drift     %s\n", d)
	}
	fmt.Fprintf(w, "plan %s\n", s.Digest)
}

func printModel(w io.Writer, m release.ShownModel) {
	version := func(v *ledger.Model) string {
		if v == nil {
			return "none"
		}
		return fmt.Sprintf("version %s (%.19s)", v.Version, v.Digest)
	}
	fmt.Fprintf(w, "  model     %s: %s -> %s\n", m.Label, version(m.Before), version(m.After))
	for _, name := range sortedKeys(m.Metrics) {
		was := "-"
		if old, ok := m.Old[name]; ok {
			was = fmt.Sprintf("%.4g", old)
		}
		fmt.Fprintf(w, "            %s %s -> %.4g\n", name, was, m.Metrics[name])
	}
}

func lines(c artifacts.Change) string {
	switch {
	case c.Before == "":
		return "added"
	case c.After == "":
		return "removed"
	case c.Added < 0:
		return "changed"
	}
	return fmt.Sprintf("+%d -%d", c.Added, c.Removed)
}

// short is a pointer's value for one line: a version, off, or that it is a whole definition.
func short(v ledger.Value) string {
	switch {
	case v == "":
		return "new"
	case len(v) <= 20:
		return string(v)
	}
	return "a definition"
}
