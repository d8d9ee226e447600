package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/internal/ledger"
)

func verifyCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "check that an environment's ledger is whole",
		Description: "Reads every entry and recomputes the ledger: an entry that is missing, changed, out of its place, written twice, that\n" +
			"no rule allows or whose recorded state is not what the entries add up to is named. With --ledger no barge.hcl is\n" +
			"needed, and a folder with a copy of the ledger is enough.",
		Flags: []cli.Flag{&cli.StringFlag{Name: "env", Usage: "`ENVIRONMENT` whose ledger to check"}, copyFlag()},
		Action: func(c *cli.Context) error {
			world, environment, err := h.aboutLedger(c, "env")
			if err != nil {
				return err
			}
			problems, err := world.Verify(c.Context, environment)
			if err != nil {
				return err
			}
			result := map[string]any{"environment": environment, "problems": append([]ledger.Problem{}, problems...)}
			if err := h.print(result, func(w io.Writer) { printProblems(w, environment, problems) }); err != nil {
				return err
			}
			if len(problems) > 0 {
				return fmt.Errorf("the ledger of %s is not intact: %s", environment, counted(len(problems), "problem"))
			}
			return nil
		},
	}
}

func printProblems(w io.Writer, environment string, problems []ledger.Problem) {
	if len(problems) == 0 {
		fmt.Fprintf(w, "the ledger of %s is intact\n", environment)
	}
	for _, p := range problems {
		fmt.Fprintf(w, "entry %d: %s: %s\n", p.Seq, p.Kind, p.Text)
	}
}
