package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/internal/console"
	"github.com/bargeml/barge/release"
)

func statusCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "show what is live where, and whether it still is",
		Flags: []cli.Flag{&cli.StringFlag{Name: "env", Usage: "one `ENVIRONMENT` alone"}},
		Action: func(c *cli.Context) error {
			if err := positionals(c); err != nil {
				return err
			}
			world, err := h.world(c.Context)
			if err != nil {
				return err
			}
			all, err := world.Status(c.Context, c.String("env"))
			if err != nil {
				return err
			}
			result := map[string]any{"format_version": 1, "environments": all}
			return h.print(result, func(w io.Writer) { h.printStatus(w, all) })
		},
	}
}

func (h *house) printStatus(w io.Writer, all []release.Status) {
	var rows [][]string
	var notes []string
	for _, s := range all {
		champion, proven, drift := s.Release.String(), string(s.Proven), "none"
		switch {
		case s.Problem != "":
			champion, proven, drift = "?", "?", "?"
			notes = append(notes, s.Environment+": "+s.Problem)
		case s.Release.Artifact == "":
			champion, proven, drift = "-", "-", "-"
		case s.Proven == "":
			proven = "not yet"
		}
		if len(s.Drift) > 0 {
			drift = counted(len(s.Drift), "pointer")
		}
		var models []string
		for _, label := range sortedKeys(s.Release.Models) {
			models = append(models, label+" "+s.Release.Models[label].Version)
		}
		rows = append(rows, []string{s.Environment, champion, orDash(strings.Join(models, ", ")), h.console.Time(s.Since, time.Now()), proven, drift})
		notes = append(notes, statusNotes(s)...)
	}
	console.Table(w, []string{"ENVIRONMENT", "CHAMPION", "MODEL", "SINCE", "PROVEN", "DRIFT"}, rows)
	for _, n := range notes {
		fmt.Fprintln(w, n)
	}
}

func statusNotes(s release.Status) []string {
	var notes []string
	for _, d := range s.Drift {
		notes = append(notes, s.Environment+": drift: "+d.String())
	}
	if f := s.InFlight; f != nil {
		notes = append(notes, fmt.Sprintf("%s: a %s of %s is in flight, begun by %s at %s", s.Environment, f.Kind, f.Release, f.Actor, f.At.Format(time.RFC3339)))
	}
	if s.Hold != nil {
		notes = append(notes, s.Environment+": on hold: "+s.Hold.Said.Reason)
	}
	for _, b := range s.Bars {
		notes = append(notes, fmt.Sprintf("%s: %s is barred: %s", s.Environment, b.Name, b.Reason))
	}
	return notes
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
