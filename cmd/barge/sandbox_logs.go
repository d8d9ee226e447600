package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/internal/console"
	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/jobs"
)

// latestRuns is how many runs are listed when none is named.
const latestRuns = 20

func sandboxLogs(h *house) *cli.Command {
	return &cli.Command{
		Name:        "logs",
		Usage:       "show a run of the sandbox cell by cell; without RUN, list the latest runs",
		ArgsUsage:   "[RUN]",
		Description: "RUN is the number of a run, or the address of its page, as barge and the twins print it.",
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return &usageError{message: "barge sandbox logs takes one RUN", hint: "barge sandbox logs --help"}
			}
			status, err := sandbox.Look(h.sandboxDir())
			if err != nil {
				return err
			}
			if c.NArg() == 0 {
				return h.listTwinRuns(c, status)
			}
			attempts, err := status.Run(c.Context, c.Args().First())
			if err != nil {
				return hintedRuns(err)
			}
			return h.print(map[string]any{"attempts": attempts}, func(w io.Writer) {
				for i, r := range attempts {
					if i > 0 {
						fmt.Fprintln(w)
					}
					printTwinRun(w, status, r)
				}
			})
		},
	}
}

// logged names the command that shows a run of the sandbox, in place of the run's page, which there is none of.
func (h *house) logged(hint string) string {
	page, ok := strings.CutPrefix(hint, "see the run's page ")
	if !ok || !h.sandbox {
		return hint
	}
	return "barge sandbox logs '" + page + "'"
}

func hintedRuns(err error) error {
	if errors.Is(err, sandbox.ErrNotRunning) {
		return &hintedError{err, "barge sandbox up brings it up, with the runs that it has kept"}
	}
	return &hintedError{err, "barge sandbox logs lists the latest runs"}
}

func (h *house) listTwinRuns(c *cli.Context, status sandbox.Status) error {
	runs, err := status.Runs(c.Context)
	if err != nil {
		return hintedRuns(err)
	}
	runs = runs[:min(len(runs), latestRuns)]
	for i := range runs {
		runs[i].Cells = nil
	}
	return h.print(map[string]any{"runs": append([]sandbox.Run{}, runs...)}, func(w io.Writer) {
		if len(runs) == 0 {
			fmt.Fprintln(w, "nothing has run yet")
			return
		}
		var rows [][]string
		for _, r := range runs {
			rows = append(rows, []string{strconv.FormatInt(r.RunID, 10), r.Workspace, r.RunName, r.Notebook, howItStands(r), moment(r.Start), took(r)})
		}
		console.Table(w, []string{"RUN", "WORKSPACE", "NAME", "NOTEBOOK", "RESULT", "STARTED", "TOOK"}, rows)
	})
}

func printTwinRun(w io.Writer, status sandbox.Status, r sandbox.Run) {
	fmt.Fprintf(w, "run %d in workspace %s: %s, task %s, attempt %d\n", r.RunID, r.Workspace, r.RunName, r.TaskKey, r.Attempt+1)
	rows := [][]string{{"  result", howItStands(r)}, {"  started", moment(r.Start)}, {"  took", took(r)}, {"  page", r.PageURL}}
	if twin, ok := status.Twin(r.Workspace); ok {
		rows = append(rows, []string{"  log", filepath.Join(twin.Dir, "runs", strconv.FormatInt(r.TaskRunID, 10), "driver.log")})
	}
	console.Table(w, []string{"  notebook", r.Notebook}, rows)
	for _, c := range r.Cells {
		printCell(w, c)
	}
	if r.Exited {
		fmt.Fprintf(w, "\nexited with %s\n", r.ExitValue)
	}
	switch {
	case r.Error != "":
		fmt.Fprintln(w)
		indented(w, "error: ", r.Error)
		indented(w, "  ", r.Trace)
	case r.Message != "":
		fmt.Fprintln(w)
		indented(w, "", r.Message)
	case r.End == 0:
		fmt.Fprintln(w, "\nit is under way: its cells are known at its end, what they print stands in the log meanwhile")
	}
}

func printCell(w io.Writer, c jobs.Cell) {
	took := (time.Duration(c.Millis) * time.Millisecond).String()
	fmt.Fprintf(w, "\ncell %d, %s, %s, %s", c.N, c.Language, moment(c.Start), took)
	if c.Title != "" {
		fmt.Fprintf(w, ": %s", c.Title)
	}
	fmt.Fprintln(w)
	if c.FirstLine != "" {
		fmt.Fprintf(w, "  > %s\n", c.FirstLine)
	}
	indented(w, "  ", c.Stdout)
	indented(w, "  stderr: ", c.Stderr)
	indented(w, "  error: ", c.Error)
}

// indented writes a text, each of its lines behind the same words.
func indented(w io.Writer, words, text string) {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintln(w, strings.TrimRight(words+line, " "))
	}
}

func howItStands(r sandbox.Run) string {
	if r.Result != "" {
		return r.Result
	}
	return r.State
}

func moment(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}

func took(r sandbox.Run) string {
	if r.Start == 0 || r.End == 0 {
		return "-"
	}
	return (time.Duration(r.End-r.Start) * time.Millisecond).String()
}
