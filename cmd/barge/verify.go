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
		Flags: []cli.Flag{&cli.StringFlag{Name: "env", Usage: "`ENVIRONMENT` whose ledger to check"}},
		Action: func(c *cli.Context) error {
			world, environment, err := h.about(c, "env")
			if err != nil {
				return err
			}
			problems, err := world.Verify(c.Context, environment)
			if err != nil {
				return err
			}
			result := map[string]any{"format_version": 1, "environment": environment, "problems": append([]ledger.Problem{}, problems...)}
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
