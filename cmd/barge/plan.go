package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

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
				shown.Next = strings.Replace(shown.Next, "barge promote ", "barge promote --plan "+file+" ", 1)
			}
			if err := h.print(shown, func(w io.Writer) { printPlan(w, shown) }); err != nil {
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
	if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	return nil
}

func readPlan(file string) (*release.Saved, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	plan, err := release.ReadPlan(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return plan, nil
}
