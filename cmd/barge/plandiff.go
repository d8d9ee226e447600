package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/release"
)

// printPlan writes a plan in the order in which it is to be read: what judges it, what it changes, what stays, what it
// still has to pass, and its digest.
func printPlan(w io.Writer, s *release.Shown) {
	p := s.Plan
	if s.Nothing {
		fmt.Fprintf(w, "%s is the champion of %s and nothing drifted: nothing to do\n", p.Release, p.Environment)
		if s.Rules != nil {
			fmt.Fprintln(w, "The rules in barge.hcl are not those in force: they come into force with the next release.")
			printRules(w, s.Rules)
		}
		return
	}
	if p.Release.Artifact == s.Champion.Artifact && len(s.Drift) > 0 {
		fmt.Fprintf(w, "%s is the champion of %s, which has drifted: it is mended\n", p.Release, p.Environment)
	} else {
		fmt.Fprintf(w, "%s to %s, over %s (entry %d)\n", p.Release, p.Environment, p.Over.Release, p.Over.Live)
	}
	printRules(w, s.Rules)
	for _, g := range s.Judges {
		row(w, "judge", "the notebook of gate %s changes", g)
	}
	printFiles(w, "file", s.Files)
	printFiles(w, "config", s.Config)
	for _, m := range s.Models {
		printModel(w, m)
	}
	printPointers(w, s)
	printBesides(w, s)
	printStays(w, s.Stays)
	printAsked(w, s)
	for _, d := range s.Drift {
		row(w, "drift", "%s", d)
	}
	fmt.Fprintf(w, "plan %s\nnext: %s\n", s.Digest, s.Next)
}

func row(w io.Writer, what, format string, args ...any) {
	fmt.Fprintf(w, "  %-9s %s\n", what, fmt.Sprintf(format, args...))
}

func printFiles(w io.Writer, what string, changes []artifacts.Change) {
	for _, c := range changes {
		mark := "~"
		switch {
		case c.Before == "":
			mark = "+"
		case c.After == "":
			mark = "-"
		}
		row(w, what, "%s %s%s", mark, c.Path, lines(c))
	}
}

// lines are how many were added and removed, where they were counted.
func lines(c artifacts.Change) string {
	if c.Added < 0 {
		return ""
	}
	return fmt.Sprintf(" (+%d -%d)", c.Added, c.Removed)
}

func printModel(w io.Writer, m release.ShownModel) {
	version := func(v *ledger.Model) string {
		if v == nil {
			return "none"
		}
		return fmt.Sprintf("version %s (%.19s)", v.Version, v.Digest)
	}
	row(w, "model", "%s: %s -> %s", m.Label, version(m.Before), version(m.After))
	for _, name := range sortedKeys(m.Metrics) {
		was, by := "-", ""
		if old, ok := m.Old[name]; ok {
			was, by = gates.Figure(old), change(m.Metrics[name]-old)
		}
		row(w, "", "%s %s -> %s%s", name, was, gates.Figure(m.Metrics[name]), by)
	}
	switch {
	case m.From == "" && m.OldFrom == "":
	case m.From == m.OldFrom || m.OldFrom == "":
		row(w, "", "as told by %s", m.From)
	default:
		row(w, "", "as told by %s; the champion's by %s", orNothing(m.From), m.OldFrom)
	}
}

// change is a difference as far as people look; "" for none.
func change(by float64) string {
	switch text := strconv.FormatFloat(math.Round(by*1e4)/1e4, 'f', -1, 64); {
	case by == 0:
		return ""
	case text == "0" || text == "-0":
		return fmt.Sprintf(" (%+.2g)", by)
	case by > 0:
		return " (+" + text + ")"
	default:
		return " (" + text + ")"
	}
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

func printPointers(w io.Writer, s *release.Shown) {
	for _, j := range s.Jobs {
		switch j.Change {
		case release.JobNew:
			row(w, "job", "%s is new", j.Score)
		case release.JobOff:
			row(w, "job", "%s is switched off: it ran %s", j.Score, j.Before)
		default:
			row(w, "job", "%s", j.Score)
			for _, k := range j.Keys {
				row(w, "", "%s: %s -> %s", k.Key, release.Bare(k.Before), release.Bare(k.After))
			}
		}
	}
	for _, j := range s.Jobs {
		switch {
		case j.Change == release.JobNew:
			row(w, "schedule", "%s: %s", j.Score, j.After)
		case j.Change == release.JobChanged && j.Before != j.After:
			row(w, "schedule", "%s: %s -> %s", j.Score, j.Before, j.After)
		}
	}
	for _, c := range s.Slots {
		row(w, "slot", "%s in %s: %s -> %s", c.Model, c.Slot(), slotHolds(c.Before), slotHolds(c.After))
	}
}

func slotHolds(version string) string {
	if version == "" {
		return "nothing of ours"
	}
	return "version " + version
}

func printBesides(w io.Writer, s *release.Shown) {
	for _, g := range s.Grants {
		if g.New {
			row(w, "grant", "%s gets %s on %s", g.Principal, g.Level, g.On)
		}
	}
	for _, b := range s.Bindings {
		text := fmt.Sprintf("%q is replaced %s", b.Text, times(b.Count))
		if b.Before != 0 && b.Before != b.Count {
			text += ", it was " + times(b.Before)
		}
		row(w, "binding", "%s", text)
	}
	if s.Upload > 0 {
		row(w, "upload", "%s to %s", counted(s.Upload, "file"), s.Plan.Folder)
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func printStays(w io.Writer, s release.Stays) {
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{{s.Jobs, "job"}, {s.Slots, "slot"}, {s.Files, "file"}} {
		if part.n > 0 {
			parts = append(parts, counted(part.n, part.what))
		}
	}
	if len(parts) > 0 {
		row(w, "stays", "%s", strings.Join(parts, ", "))
	}
}

func printAsked(w io.Writer, s *release.Shown) {
	for _, g := range s.Gates {
		switch {
		case g.How == release.GateAsked:
			row(w, "gate", "%s is asked", g.Gate)
		case g.How == release.GateStands && g.Until != nil:
			row(w, "gate", "%s has evidence that stands until %s", g.Gate, g.Until.UTC().Format("2006-01-02 15:04:05 MST"))
		case g.How == release.GateStands:
			row(w, "gate", "%s has evidence that stands", g.Gate)
		}
	}
	for _, v := range s.Waived {
		row(w, "waived", "%s", v)
	}
}
