package main

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/internal/console"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/release"
)

func historyCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:  "history",
		Usage: "show what happened in an environment, or what was live there at a time",
		Description: "Every entry of the ledger, oldest first: who, when and what, with the reasons that were given. --at takes\n" +
			"2026-03-03T14:00:00Z, \"2026-03-03 14:00\" and \"2026-03-03\", the last two in this machine's time zone; a day is\n" +
			"asked about as of its end.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "env", Usage: "`ENVIRONMENT` whose ledger to read"},
			&cli.StringFlag{Name: "at", Usage: "tell what was live at `TIME` instead"},
			copyFlag(),
		},
		Action: func(c *cli.Context) error {
			at, err := parseAt(c.String("at"), time.Local)
			if err != nil {
				return err
			}
			world, environment, err := h.aboutLedger(c, "env")
			if err != nil {
				return err
			}
			if !at.IsZero() {
				return h.historyAt(c, world, environment, at)
			}
			events, err := world.History(c.Context, environment)
			if err != nil {
				return err
			}
			result := map[string]any{"environment": environment, "entries": append([]release.Event{}, events...)}
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

// parseAt reads a time as people type it, in the zone where it names none; a day is its end. Nothing is the zero time.
func parseAt(text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(form, text, zone); err == nil {
			return at, nil
		}
	}
	day, err := time.ParseInLocation(time.DateOnly, text, zone)
	if err != nil {
		return time.Time{}, &usageError{
			message: fmt.Sprintf("--at %s is no time", text), hint: `write 2026-03-03T14:00:00Z, "2026-03-03 14:00" or 2026-03-03, the last two in this machine's time zone`,
		}
	}
	return day.AddDate(0, 0, 1).Add(-time.Second), nil
}

func (h *house) historyAt(c *cli.Context, world *release.World, environment string, at time.Time) error {
	was, err := world.HistoryAt(c.Context, environment, at)
	if err != nil {
		return err
	}
	return h.print(was, func(w io.Writer) { printWas(w, was) })
}

func printWas(w io.Writer, was *release.Was) {
	// As asked, with its zone, so that nobody takes it for another.
	asked := was.Asked.Format("2006-01-02 15:04:05 -07:00")
	if name, _ := was.Asked.Zone(); name != "" {
		asked += " (" + name + ")"
	}
	switch {
	case was.Entry == 0 && was.Began.IsZero():
		fmt.Fprintf(w, "%s at %s: its ledger has not begun\n", was.Environment, asked)
		return
	case was.Entry == 0:
		fmt.Fprintf(w, "%s at %s: its ledger begins later, at %s\n", was.Environment, asked, stamp(was.Began))
		return
	}
	fmt.Fprintf(w, "%s at %s, as of entry %d of %s:\n", was.Environment, asked, was.Entry, stamp(was.At))
	fmt.Fprintf(w, "  champion   %s\n", was.Release)
	if was.Release.Artifact != "" {
		fmt.Fprintf(w, "  artifact   %s\n", was.Release.Artifact)
	}
	for _, label := range sortedKeys(was.Release.Models) {
		m := was.Release.Models[label]
		of := "of " + m.Name
		if m.Name == "" {
			of = "in git"
		}
		fmt.Fprintf(w, "  model      %s: version %s %s (%s)\n", label, cmp.Or(m.Version, "-"), of, m.Digest)
	}
	fmt.Fprintf(w, "  since      %s (entry %d)", stamp(was.Since), was.Live)
	switch was.By {
	case "":
	case ledger.Start:
		fmt.Fprintf(w, ", over %s", was.Replaced)
	default:
		fmt.Fprintf(w, ", by a %s", was.By)
	}
	fmt.Fprintf(w, "\n  proven     %s\n", cmp.Or(string(was.Proven), "not yet"))
	if was.Rules != "" {
		fmt.Fprintf(w, "  rules      %s\n", was.Rules)
	}
	if was.InFlight != nil {
		fmt.Fprintf(w, "  in flight  %s\n", release.InFlight(*was.InFlight))
	}
	if was.Hold != nil {
		fmt.Fprintf(w, "  on hold    since %s by %s: %s\n", stamp(was.Hold.At), was.Hold.Actor, was.Hold.Said.Reason)
	}
	for _, waiver := range was.Waivers {
		fmt.Fprintf(w, "  waived     %s\n", waiver)
	}
}

// stamp is a time of the ledger, the same for every reader.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
