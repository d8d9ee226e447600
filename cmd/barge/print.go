package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/release"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func list(words []string) string { return strings.Join(words, ", ") }

func printInspection(w io.Writer, in artifacts.Inspection) {
	fmt.Fprintf(w, "release  %s\nid       %s\n", list(in.Names), in.ID)
	for _, p := range in.Provenance {
		fmt.Fprintf(w, "built    from commit %.12s of %s\n", p.Commit, p.Time.UTC().Format("2006-01-02 15:04:05 MST"))
	}
	if len(in.Live) > 0 {
		fmt.Fprintf(w, "live     in %s\n", list(in.Live))
	}
	for _, m := range in.Models {
		where := "in git"
		if !m.InGit() {
			where = fmt.Sprintf("version %s of %s in registry %s, run %s", m.Version, m.Name, m.Registry, m.RunID)
		}
		fmt.Fprintf(w, "model    %s: %s\n         %s, %s, %d B\n", m.Label, where, m.Digest, counted(len(m.Files), "file"), m.Size)
		if len(m.Sklearn) > 0 {
			fmt.Fprintf(w, "         written by scikit-learn %s\n", list(m.Sklearn))
		}
		for _, name := range sortedKeys(m.Metrics) {
			fmt.Fprintf(w, "         %s %s\n", name, gates.Figure(m.Metrics[name]))
		}
	}
	for _, f := range in.Notebooks {
		fmt.Fprintf(w, "notebook %-32s %.12s %7d B\n", f.Path, f.SHA256, f.Size)
	}
	for _, f := range in.Config {
		fmt.Fprintf(w, "config   %-32s %.12s %7d B\n", f.Path, f.SHA256, f.Size)
	}
}

func printGates(w io.Writer, all []release.GateResult) {
	for _, g := range all {
		switch {
		case g.Waived != nil:
			fmt.Fprintf(w, "gate %s: waived by %s: %s\n", g.Gate, g.Waived.By, g.Waived.Reason)
		case g.Judge != "":
			fmt.Fprintf(w, "gate %s: %s (%s, by the pinned notebook of %s)\n", g.Gate, g.Outcome, g.How, g.Judge)
		default:
			fmt.Fprintf(w, "gate %s: %s (%s)\n", g.Gate, g.Outcome, g.How)
		}
		for _, e := range g.Expects {
			mark, text := "held   ", gates.Figures(e.Text)
			switch {
			case e.Held != nil && !*e.Held:
				mark = "false  "
			case e.Skipped != "":
				mark, text = "skipped", e.Skipped
			case e.Errored != "":
				mark, text = "errored", e.Errored
			}
			fmt.Fprintf(w, "  %s %s: %s\n", mark, e.Name, text)
		}
	}
}

func printScorings(w io.Writer, all []release.ScoreResult) {
	for _, s := range all {
		fmt.Fprintf(w, "score %s: %s\n", s.Score, s.Outcome)
		if out, ok := s.Output.(map[string]any); ok {
			for _, key := range sortedKeys(out) {
				fmt.Fprintf(w, "  %-14s %v\n", key, out[key])
			}
		}
		if s.Outcome != gates.Passed {
			fmt.Fprintf(w, "  %s\n", strings.Join(s.Reasons, "\n  "))
		}
	}
}
