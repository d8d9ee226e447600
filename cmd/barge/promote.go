package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/release"
)

func promoteCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:      "promote",
		Usage:     "make a release the champion of an environment",
		ArgsUsage: "[RELEASE]",
		Description: "Without RELEASE: the champion of the environment followed, else the release of HEAD.\n" +
			"Deploys what is missing, asks the gates, and switches model, jobs and schedules together. A gate that fails\n" +
			"(exit 3) leaves the environment as it was; a first scoring that fails is rolled back (exit 6).",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "`ENVIRONMENT` to promote to (that of the plan, where one is given)"},
			&cli.StringFlag{Name: "plan", Usage: "carry out the plan in `FILE` and no other"},
			&cli.BoolFlag{Name: "allow-older", Usage: "also when the release is older than the champion"},
			&cli.BoolFlag{Name: "rerun-gates", Usage: "ask every gate anew"},
			&cli.BoolFlag{Name: "no-wait", Usage: "do not wait for the first scoring (exit 8)"},
		},
		Action: func(c *cli.Context) error {
			plan, err := given(c)
			if err != nil {
				return err
			}
			world, environment, err := h.about(c, "to", "[RELEASE]")
			if err != nil {
				return err
			}
			done, err := world.Promote(c.Context, release.Request{
				Release: planned(c.Args().First(), plan), Environment: environment, Head: h.releaseOfHead, Plan: plan,
				AllowOlder: c.Bool("allow-older"), RerunGates: c.Bool("rerun-gates"), NoWait: c.Bool("no-wait"),
			})
			return h.tell(done != nil, err, done, func(w io.Writer) { printPromoted(w, done) })
		},
	}
}

// given is the plan that a promotion holds to, nil for none. It names the environment where the command does not.
func given(c *cli.Context) (*release.Saved, error) {
	file := c.String("plan")
	if file == "" {
		return nil, nil //nolint:nilnil // no plan is no error
	}
	plan, err := readPlan(file)
	if err == nil && c.String("to") == "" {
		err = c.Set("to", plan.Plan.Environment)
	}
	return plan, err
}

// planned is the release that a command names, else the one that its plan puts.
func planned(named string, plan *release.Saved) string {
	if named == "" && plan != nil {
		return plan.Plan.Release.String()
	}
	return named
}

func printPromoted(w io.Writer, p *release.Promoted) {
	if p.Rules != nil && !p.Rules.First {
		printRules(w, p.Rules)
	}
	for _, v := range p.Waived {
		fmt.Fprintf(w, "waived: %s\n", v)
	}
	printGates(w, p.Gates)
	printScorings(w, p.Scorings)
	switch {
	case p.Live == 0, p.Outcome == "rolled-back", p.Outcome == "partial": // the error says all
	case p.Outcome == "nothing-to-do":
		fmt.Fprintf(w, "%s is the champion of %s already: nothing to do\n", p.Release, p.Environment)
	case p.Outcome == "mended":
		fmt.Fprintf(w, "%s mended: %s is live as the ledger says\n", p.Environment, p.Release)
	default:
		fmt.Fprintf(w, "%s is the champion of %s (it was %s)\n", p.Release, p.Environment, p.Replaced)
	}
}

// releaseOfHead is the name under which HEAD's release is in the store.
func (h *house) releaseOfHead(ctx context.Context) (string, error) {
	store, err := h.store()
	if err != nil {
		return "", err
	}
	commit, err := artifacts.OpenCommit(ctx, h.dir, artifacts.CommitOptions{AllowDirty: true})
	if err != nil {
		return "", err
	}
	names, err := store.ReleasesOf(ctx, commit.Hash)
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return "", &hintedError{fmt.Errorf("the store %s has no release of HEAD (%.12s)", store.Location(), commit.Hash), "barge build makes it"}
	}
	return names[0], nil
}

func gateCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:      "gate",
		Usage:     "ask an environment's gates about a release, and change nothing that is live",
		ArgsUsage: "[RELEASE]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "env", Usage: "`ENVIRONMENT` whose gates to ask"},
			&cli.StringFlag{Name: "gate", Usage: "one `GATE` alone"},
			&cli.BoolFlag{Name: "rerun", Usage: "also where evidence stands"},
		},
		Action: func(c *cli.Context) error {
			world, environment, err := h.about(c, "env", "[RELEASE]")
			if err != nil {
				return err
			}
			r := release.Request{Release: c.Args().First(), Environment: environment, Head: h.releaseOfHead, RerunGates: c.Bool("rerun")}
			done, err := world.Gate(c.Context, r, c.String("gate"))
			return h.tell(done != nil, err, done, func(w io.Writer) { printGates(w, done.Gates) })
		},
	}
}

func scoreCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:      "score",
		Usage:     "start the champion's scoring by hand and judge what it answers",
		ArgsUsage: "[SCORE]",
		Flags:     []cli.Flag{&cli.StringFlag{Name: "env", Usage: "`ENVIRONMENT` to score in"}},
		Action: func(c *cli.Context) error {
			world, environment, err := h.about(c, "env", "[SCORE]")
			if err != nil {
				return err
			}
			done, err := world.Score(c.Context, environment, c.Args().First())
			return h.tell(done != nil, err, done, func(w io.Writer) { printScorings(w, done.Scorings) })
		},
	}
}

func rollbackCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:      "rollback",
		Usage:     "make an earlier champion the champion again",
		ArgsUsage: "[RELEASE]",
		Description: "Without RELEASE: the champion before this one that was proven and is not barred. Nothing is uploaded and\n" +
			"nothing is run; no gate, soak, approval or hold stands in its way. What it removes is barred. With --ledger no\n" +
			"barge.hcl is needed: the ledger records what it takes.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "env", Usage: "`ENVIRONMENT` to roll back"},
			&cli.StringFlag{Name: "fault", Value: "artifact", Usage: "`WHAT` was at fault and is barred: artifact, model, or data (nothing is)"},
			&cli.StringFlag{Name: "reason", Usage: "why, for everybody who reads the ledger: `TEXT`"},
			&cli.BoolFlag{Name: "let-finish", Usage: "do not cancel runs of the release that is removed"},
			waitFlag(), ledgerFlag(),
		},
		Action: func(c *cli.Context) error {
			switch c.String("fault") {
			case "artifact", "model", "data":
			default:
				return &usageError{message: fmt.Sprintf("--fault %s: there are artifact, model and data", c.String("fault"))}
			}
			world, environment, err := h.about(c, "env", "[RELEASE]")
			if err != nil {
				return err
			}
			done, err := world.Rollback(c.Context, release.Return{
				Environment: environment, Release: c.Args().First(), Fault: c.String("fault"), Reason: c.String("reason"), LetFinish: c.Bool("let-finish"),
				Wait: c.Duration("wait"),
			})
			return h.tell(done != nil, err, done, func(w io.Writer) { printRolledBack(w, done) })
		},
	}
}

func printRolledBack(w io.Writer, r *release.RolledBack) {
	if r.Outcome == "nothing-to-do" {
		fmt.Fprintf(w, "%s is the champion of %s already: nothing to do\n", r.Release, r.Environment)
		return
	}
	fmt.Fprintf(w, "%s is the champion of %s again, %s is removed\n", r.Release, r.Environment, r.Removed)
	for _, b := range r.Bars {
		fmt.Fprintf(w, "  %s is barred: %s\n", b.Name, b.Reason)
	}
	for _, page := range r.Cancelled {
		fmt.Fprintf(w, "  cancelled, may have written something: %s\n", page)
	}
}
