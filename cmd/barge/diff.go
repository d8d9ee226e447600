package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/release"
)

func diffCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:      "diff",
		Usage:     "compare two releases: notebooks by cell, config, models, jobs, rules",
		ArgsUsage: "RELEASE|ENVIRONMENT RELEASE|ENVIRONMENT",
		Description: "An environment stands for its champion. Exit codes: 0, whether they differ or not; 2 with --detailed-exitcode,\n" +
			"when they differ.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit 2 when they differ"},
			&cli.BoolFlag{Name: "markdown", Usage: "as Markdown, for pull requests and summaries"},
		},
		Action: func(c *cli.Context) error {
			if err := positionals(c, "RELEASE|ENVIRONMENT", "RELEASE|ENVIRONMENT"); err != nil {
				return err
			}
			world, err := h.world(c.Context)
			if err != nil {
				return err
			}
			d, err := world.Diff(c.Context, c.Args().Get(0), c.Args().Get(1))
			if err != nil {
				return err
			}
			err = h.print(d, func(w io.Writer) {
				if c.Bool("markdown") {
					markDifference(w, d)
				} else {
					printDifference(w, d)
				}
			})
			if err == nil && c.Bool("detailed-exitcode") && !d.Empty() {
				return errChanges
			}
			return err
		},
	}
}

// nothing says that two releases are the same, as far as they are.
func nothing(d *release.Difference) string {
	if !d.Empty() {
		return ""
	}
	if d.Before.Release.Name == d.After.Release.Name {
		return fmt.Sprintf("%s and %s are one release: %s", d.Before, d.After, d.Before.Release.Artifact)
	}
	return fmt.Sprintf("%s and %s are two names of one artifact: %s", d.Before, d.After, d.Before.Release.Artifact)
}

func printDifference(w io.Writer, d *release.Difference) {
	if text := nothing(d); text != "" {
		fmt.Fprintln(w, text)
		return
	}
	fmt.Fprintf(w, "%s -> %s\n", d.Before, d.After)
	for _, r := range d.Rules {
		row(w, "rules", "in force in %s, and in barge.hcl:", r.Environment)
		for _, c := range r.Changes {
			row(w, "", "%s", c)
		}
	}
	for _, part := range []struct {
		what    string
		changes []artifacts.FileChange
	}{{"notebook", d.Notebooks}, {"config", d.Config}} {
		for _, f := range part.changes {
			printFiles(w, part.what, []artifacts.Change{f.Change})
			for _, c := range f.Cells {
				fmt.Fprintf(w, "      %s\n", cell(c))
				hunk(w, c.Lines)
			}
			hunk(w, f.Lines)
		}
	}
	for _, m := range d.Models {
		printModelDifference(w, m)
	}
	for _, c := range d.Recorded {
		row(w, "barge.hcl", "%s", recorded(c))
	}
}

func hunk(w io.Writer, lines []string) {
	for _, l := range lines {
		fmt.Fprintf(w, "        %s\n", l)
	}
}

// cell names a changed cell by its number, in the second release where it is there, and by what people find it.
func cell(c artifacts.CellChange) string {
	n := c.After
	if n == 0 {
		n = c.Before
	}
	text := fmt.Sprintf("cell %d %s", n, c.Change)
	if c.Change == artifacts.CellChanged && c.Before != c.After {
		text += fmt.Sprintf(" (it was cell %d)", c.Before)
	}
	if c.Title != "" {
		text += ": " + c.Title
	}
	return text
}

func recorded(c artifacts.RecordedChange) string {
	switch {
	case c.Change == "changed":
		return fmt.Sprintf("%s: %s -> %s", c.What, c.Before, c.After)
	case c.After != "":
		return fmt.Sprintf("%s is new: %s", c.What, c.After)
	case c.Before != "":
		return fmt.Sprintf("%s is gone: it was %s", c.What, c.Before)
	}
	return c.What + " is " + c.Change
}

func printModelDifference(w io.Writer, m release.ModelDifference) {
	row(w, "model", "%s: %s -> %s", m.Label, pinned(m.Before), pinned(m.After))
	if m.SameFiles {
		row(w, "", "the same files under another address")
	}
	for _, c := range m.Metrics {
		row(w, "", "%s", metric(c))
	}
	for _, from := range sources(m) {
		row(w, "", "%s", from)
	}
	for _, p := range m.Parameters {
		row(w, "", "parameter %s: %s -> %s", p.Name, cmp.Or(p.Before, "-"), cmp.Or(p.After, "-"))
	}
	for _, line := range m.Signature {
		row(w, "", "signature %s", line)
	}
	for _, u := range m.Unread {
		row(w, "", "could not be read: %s", u)
	}
}

func pinned(p *artifacts.ModelPin) string {
	switch {
	case p == nil:
		return "none"
	case p.InGit():
		return fmt.Sprintf("files in git (%.19s)", p.Digest)
	}
	return fmt.Sprintf("version %s of %s (%.19s)", p.Version, p.Name, p.Digest)
}

func metric(c release.MetricChange) string {
	was, is, by := "-", "-", ""
	if c.Before != nil {
		was = gates.Figure(*c.Before)
	}
	if c.After != nil {
		is = gates.Figure(*c.After)
	}
	if c.Before != nil && c.After != nil {
		by = change(*c.After - *c.Before)
	}
	return fmt.Sprintf("%s %s -> %s%s", c.Name, was, is, by)
}

// sources say where metrics are from.
func sources(m release.ModelDifference) []string {
	switch before, after := m.From[0], m.From[1]; {
	case len(m.Metrics) == 0:
		return nil
	case before == after || before == "":
		return []string{"as told by " + after}
	case after == "":
		return []string{"as told by " + before}
	default:
		return []string{"as told by " + before + ", and by " + after}
	}
}

func markDifference(w io.Writer, d *release.Difference) {
	if text := nothing(d); text != "" {
		fmt.Fprintln(w, text)
		return
	}
	fmt.Fprintf(w, "### %s → %s\n", marked(d.Before.String()), marked(d.After.String()))
	for _, m := range d.Models {
		fmt.Fprintf(w, "\n**Model %s**: %s → %s\n", marked(m.Label), marked(pinned(m.Before)), marked(pinned(m.After)))
		markMetrics(w, m)
		for _, p := range m.Parameters {
			fmt.Fprintf(w, "- parameter %s: %s → %s\n", marked(p.Name), marked(cmp.Or(p.Before, "-")), marked(cmp.Or(p.After, "-")))
		}
		fenced(w, m.Signature)
		for _, u := range m.Unread {
			fmt.Fprintf(w, "- could not be read: %s\n", marked(u))
		}
	}
	markList(w, "Rules in force, and in barge.hcl", rulesApart(d))
	var said []string
	for _, c := range d.Recorded {
		said = append(said, recorded(c))
	}
	markList(w, "barge.hcl", said)
	markFiles(w, "Notebook", d.Notebooks)
	markFiles(w, "Config", d.Config)
}

func rulesApart(d *release.Difference) []string {
	var all []string
	for _, r := range d.Rules {
		for _, c := range r.Changes {
			all = append(all, r.Environment+": "+c.String())
		}
	}
	return all
}

func markList(w io.Writer, heading string, items []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(w, "\n**%s**\n\n", heading)
	for _, item := range items {
		fmt.Fprintf(w, "- %s\n", marked(item))
	}
}

func markMetrics(w io.Writer, m release.ModelDifference) {
	if len(m.Metrics) == 0 {
		return
	}
	fmt.Fprint(w, "\n| metric | before | after |\n|---|--:|--:|\n")
	for _, c := range m.Metrics {
		words := strings.SplitN(strings.TrimPrefix(metric(c), c.Name+" "), " -> ", 2)
		fmt.Fprintf(w, "| %s | %s | %s |\n", marked(c.Name), words[0], words[1])
	}
	for _, from := range sources(m) {
		fmt.Fprintf(w, "\n%s\n\n", marked(from))
	}
}

func markFiles(w io.Writer, what string, files []artifacts.FileChange) {
	for _, f := range files {
		fmt.Fprintf(w, "\n<details><summary>%s <code>%s</code>%s</summary>\n", what, escaped(f.Path), fileEnds(f.Change))
		for _, c := range f.Cells {
			fmt.Fprintf(w, "\n%s\n", marked(cell(c)))
			fenced(w, c.Lines)
		}
		fenced(w, f.Lines)
		fmt.Fprint(w, "\n</details>\n")
	}
}

func fileEnds(c artifacts.Change) string {
	switch {
	case c.Before == "":
		return " is new"
	case c.After == "":
		return " is gone"
	}
	return lines(c)
}

// fenced is a block of a diff; its fence is longer than any within.
func fenced(w io.Writer, text []string) {
	if len(text) == 0 {
		return
	}
	fence := "```"
	for strings.Contains(strings.Join(text, "\n"), fence) {
		fence += "`"
	}
	fmt.Fprintf(w, "\n%sdiff\n%s\n%s\n", fence, strings.Join(text, "\n"), fence)
}

var (
	htmlMarks = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	textMarks = strings.NewReplacer("\\", "\\\\", "&", "&amp;", "<", "&lt;", ">", "&gt;", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "|", "\\|", "@", "@\u200b", "\n", " ")
)

func escaped(text string) string { return htmlMarks.Replace(text) }

// marked is a text that Markdown leaves as it is; a name in it calls nobody.
func marked(text string) string { return textMarks.Replace(text) }
