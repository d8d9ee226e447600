package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/release"
)

func approveCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:      "approve",
		Usage:     "accept other rules than those in force in an environment",
		ArgsUsage: "[RELEASE]",
		Description: "Shows which rules RELEASE (as promote chooses it) would bring, as barge.hcl has them here, and records who accepts\n" +
			"them. It holds for exactly these rules: another edit needs another approval. They come into force with the next\n" +
			"promotion that brings them.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "env", Usage: "`ENVIRONMENT` whose rules change"},
			&cli.BoolFlag{Name: "rules", Usage: "approve the rules"},
			&cli.StringFlag{Name: "reason", Usage: "why, for everybody who reads the ledger: `TEXT`"},
		},
		Action: func(c *cli.Context) error {
			if !c.Bool("rules") {
				return &usageError{message: "approving plans is not there yet", hint: "barge approve --rules --env ENVIRONMENT [RELEASE] accepts other rules"}
			}
			world, environment, err := h.about(c, "env", "[RELEASE]")
			if err != nil {
				return err
			}
			done, err := world.ApproveRules(c.Context, release.Request{Release: c.Args().First(), Environment: environment, Head: h.releaseOfHead}, c.String("reason"))
			return h.tell(done != nil, err, done, func(w io.Writer) { printApproved(w, done) })
		},
	}
}

func printApproved(w io.Writer, a *release.RulesApproved) {
	if a.Rules != nil {
		fmt.Fprintf(w, "%s: %s changes the rules in force\n", a.Environment, a.Release)
		printChanges(w, a.Rules.Changes)
	}
	if a.Outcome == "nothing-to-do" {
		fmt.Fprintf(w, "%s: %s: nothing to do\n", a.Environment, a.What)
		return
	}
	fmt.Fprintf(w, "%s: %s\n", a.Environment, a.What)
}

// printChanges lists rules that change, one to a line.
func printChanges(w io.Writer, changes []environments.RuleChange) {
	for _, c := range changes {
		fmt.Fprintf(w, "  %s\n", c)
	}
}

// printRules says which rules change, before anything else that a plan or a promotion says.
func printRules(w io.Writer, r *release.RulesChange) {
	switch {
	case r == nil:
		return
	case r.First:
		fmt.Fprintf(w, "  rules     the first ones: %.19s\n", r.Now)
		return
	}
	for _, c := range r.Changes {
		fmt.Fprintf(w, "  rules     %s\n", c)
	}
	if r.Approved == nil {
		fmt.Fprintln(w, "  rules     not approved: a promotion would stop (exit 8)")
		return
	}
	fmt.Fprintf(w, "  rules     %s\n", r.Approved)
}
