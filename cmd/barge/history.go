package main

import (
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/internal/console"
	"github.com/bargeml/barge/release"
)

func historyCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:  "history",
		Usage: "show what happened in an environment",
		Flags: []cli.Flag{&cli.StringFlag{Name: "env", Usage: "`ENVIRONMENT` whose ledger to read"}, copyFlag()},
		Action: func(c *cli.Context) error {
			world, environment, err := h.aboutLedger(c, "env")
			if err != nil {
				return err
			}
			events, err := world.History(c.Context, environment)
			if err != nil {
				return err
			}
			result := map[string]any{"format_version": 1, "environment": environment, "entries": append([]release.Event{}, events...)}
			return h.print(result, func(w io.Writer) { h.printHistory(w, events) })
		},
	}
}

func (h *house) printHistory(w io.Writer, events []release.Event) {
	var rows [][]string
	for _, e := range events {
		rows = append(rows, []string{fmt.Sprint(e.Seq), h.console.Time(e.At, time.Now()), e.Type, e.What, e.Actor})
	}
	console.Table(w, []string{"ENTRY", "AT", "TYPE", "WHAT", "WHO"}, rows)
}
