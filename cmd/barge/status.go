package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/internal/console"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/release"
)

func statusCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "show what is live where, whether it still is, and what waits",
		Description: "One line for each environment; what does not fit stands below it. A candidate is the champion of the environment\n" +
			"followed; what it waits for is told as far as the ledgers say: why-not asks its artifact, too. Needs the\n" +
			"workspaces alone, no artifact store, and changes nothing.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "env", Usage: "one `ENVIRONMENT` alone"}, ledgerFlag(),
			&cli.BoolFlag{Name: "drift", Usage: "only the pointers that are not what the ledger says, field by field"},
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit 2 when a pointer has drifted, 0 when none has; candidates do not count"},
		},
		Action: func(c *cli.Context) error {
			world, only, err := h.aboutAll(c, "env")
			if err != nil {
				return err
			}
			all, err := world.Status(c.Context, only)
			if err != nil {
				return err
			}
			result := map[string]any{"environments": all}
			human := func(w io.Writer) { h.printStatus(w, all) }
			if c.Bool("drift") {
				human = func(w io.Writer) { printDrift(w, all) }
			}
			if err := h.print(result, human); err != nil {
				return err
			}
			if !c.Bool("detailed-exitcode") {
				return nil
			}
			return drifted(all)
		},
	}
}

// drifted is errChanges when a pointer has drifted. What could not be read is an error: it is not known to be right.
func drifted(all []release.Status) error {
	for _, s := range all {
		if len(s.Drift) > 0 {
			return errChanges
		}
	}
	for _, s := range all {
		if err := s.Err(); err != nil {
			return fmt.Errorf("asking whether %s has drifted: %w", s.Environment, err)
		}
	}
	return nil
}

func (h *house) printStatus(w io.Writer, all []release.Status) {
	var rows [][]string
	for _, s := range all {
		rows = append(rows, h.statusRow(s))
	}
	console.Table(w, []string{"ENVIRONMENT", "CHAMPION", "MODEL", "SINCE", "PROVEN", "CANDIDATE", "SCORED", "DRIFT"}, rows)
	for _, s := range all {
		for _, note := range h.statusNotes(s) {
			fmt.Fprintf(w, "%s: %s\n", s.Environment, note)
		}
	}
}

func (h *house) statusRow(s release.Status) []string {
	champion, proven, drift := s.Release.String(), string(s.Proven), "none"
	switch {
	case s.Problem != "" && s.Live == 0:
		champion, proven, drift = "?", "?", "?"
	case s.Problem != "":
		drift = "?"
	case s.Release.Artifact == "":
		champion, proven, drift = "-", "-", "-"
	case s.InFlight != nil:
		drift = "-" // they are on their way
	}
	if s.Unproven != nil {
		proven = "not yet"
	}
	if len(s.Drift) > 0 {
		drift = counted(len(s.Drift), "pointer")
	}
	var models []string
	for _, label := range sortedKeys(s.Release.Models) {
		models = append(models, label+" "+s.Release.Models[label].Version)
	}
	return []string{
		s.Environment, champion, cmp.Or(strings.Join(models, ", "), "-"), h.console.Time(s.Since, time.Now()), proven,
		candidateCell(s), h.scoredCell(s.Scorings), drift,
	}
}

// candidateCell names the candidates, and whether the first may go.
func candidateCell(s release.Status) string {
	var names []string
	may := "may go"
	for _, c := range s.Candidates {
		names = append(names, c.Release.String())
		if len(c.Waits) > 0 {
			may = "waits"
		}
	}
	switch {
	case s.Hold != nil:
		return strings.TrimSpace(list(names) + " held")
	case len(names) == 0:
		return "-"
	}
	return list(names) + " " + may
}

// scoredCell is when the champion was last scored well, or how the last scoring ended that was not.
func (h *house) scoredCell(all []effects.Scoring) string {
	var last time.Time
	for _, s := range all {
		if !s.Good {
			return strings.ToLower(s.State)
		}
		if s.At.After(last) {
			last = s.At
		}
	}
	return h.console.Time(last, time.Now())
}

// statusNotes are what the line of an environment has no room for.
func (h *house) statusNotes(s release.Status) []string {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if s.Problem != "" {
		note("%s", s.Problem)
	}
	for _, d := range s.Drift {
		note("drift: %s", d)
	}
	if s.Mend != "" {
		note("%s", s.Mend)
	}
	if f := s.InFlight; f != nil {
		note("%s", release.InFlight(*f))
	}
	if s.Hold != nil {
		note("on hold since %s by %s: %s", s.Hold.At.Format(time.RFC3339), s.Hold.Actor, s.Hold.Said.Reason)
	}
	if o := s.Unproven; o != nil {
		note("%s; %s", o.Text, o.Clear)
	}
	for _, c := range s.Candidates {
		notes = append(notes, candidateNotes(c)...)
	}
	for _, b := range s.Bars {
		note("%s is barred: %s", b.Name, b.Reason)
	}
	for _, waiver := range s.Waivers {
		note("%s: %s", s.Release, waiver)
	}
	for _, a := range s.Approvals {
		note("other rules are %s", a)
	}
	notes = append(notes, attemptNotes(s.Attempts)...)
	notes = append(notes, h.jobNotes(s)...)
	for _, p := range s.Problems {
		note("%s", p)
	}
	return notes
}

func candidateNotes(c release.Candidate) []string {
	var notes, briefs []string
	for _, o := range c.Waits {
		briefs = append(briefs, o.Brief)
	}
	if len(briefs) == 0 {
		notes = append(notes, fmt.Sprintf("%s may go: %s", c.Release, c.Command))
	} else {
		notes = append(notes, fmt.Sprintf("%s waits: %s", c.Release, strings.Join(briefs, "; ")))
	}
	for _, waiver := range c.Waivers {
		notes = append(notes, fmt.Sprintf("%s: %s", c.Release, waiver))
	}
	return notes
}

// attemptNotes tell the last attempt at each gate that did not pass at once.
func attemptNotes(all []release.Attempt) []string {
	var notes []string
	for i, a := range all {
		last := i == len(all)-1 || all[i+1].Gate != a.Gate || all[i+1].Release != a.Release
		if last && (a.Outcome != "passed" || a.Attempt > 1) {
			notes = append(notes, a.String())
		}
	}
	return notes
}

func (h *house) jobNotes(s release.Status) []string {
	var notes []string
	for _, r := range s.Scorings {
		if !r.Good {
			notes = append(notes, fmt.Sprintf("score %s: %s at %s: %s", r.Score, strings.ToLower(r.State), r.At.Format(time.RFC3339), r.Page))
		} else if r.Running {
			notes = append(notes, fmt.Sprintf("score %s is running", r.Score))
		}
	}
	for _, j := range s.SpareJobs {
		state := "paused"
		if !j.Paused {
			state = "NOT paused: it runs beside the one in use"
		}
		notes = append(notes, fmt.Sprintf("job %d of score %s is spare (%s): the ledger does not use it, and it may be deleted", j.ID, j.Score, state))
	}
	return notes
}

// printDrift tells of every environment which pointers are not what the ledger says, and in what.
func printDrift(w io.Writer, all []release.Status) {
	for _, s := range all {
		switch {
		case len(s.Drift) > 0:
		case s.Problem != "":
			fmt.Fprintf(w, "%s: %s\n", s.Environment, s.Problem)
		case s.InFlight != nil:
			fmt.Fprintf(w, "%s: %s; its pointers are on their way\n", s.Environment, release.InFlight(*s.InFlight))
		case s.Release.Artifact == "":
			fmt.Fprintf(w, "%s: nothing of barge's is live\n", s.Environment)
		default:
			fmt.Fprintf(w, "%s: every pointer is what the ledger says\n", s.Environment)
		}
		for _, d := range s.Drift {
			fmt.Fprintf(w, "%s: %s is not what the ledger says\n", s.Environment, d.Pointer)
			for _, f := range d.Differences {
				fmt.Fprintf(w, "  %s\n    holds   %s\n    ledger  %s\n", f.What, f.Holds, f.Want)
			}
		}
		if len(s.Drift) > 0 {
			fmt.Fprintf(w, "%s: %s\n", s.Environment, s.Mend)
		}
	}
}
