package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/release"
)

func resumeCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:  "resume",
		Usage: "go on with what somebody left open in an environment",
		Description: "Says what was open, what it will do, and does it: finishes a switch whose owner is gone by its recorded plan\n" +
			"(or turns it back), or judges a release whose first scoring nobody judged. An owner is gone when it said so, when\n" +
			"its process is seen dead on this host, or after a minute of silence.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "env", Usage: "`ENVIRONMENT` to go on in"},
			&cli.BoolFlag{Name: "turn-back", Usage: "give a promotion up: back to the champion"},
			waitFlag(), ledgerFlag(),
		},
		Action: func(c *cli.Context) error {
			world, environment, err := h.about(c, "env")
			if err != nil {
				return err
			}
			done, err := world.Resume(c.Context, release.Resumption{Environment: environment, TurnBack: c.Bool("turn-back"), Wait: c.Duration("wait")})
			return h.tell(done != nil, err, done, func(w io.Writer) { printResumed(w, done) })
		},
	}
}

func printResumed(w io.Writer, r *release.Resumed) {
	printScorings(w, r.Scorings)
	fmt.Fprintf(w, "%s: %s: %s\n", r.Environment, r.Outcome, r.Found)
	if r.Live != 0 {
		fmt.Fprintf(w, "%s is the champion\n", r.Release)
	}
}
