package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/environments"
)

func validateCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:  "validate",
		Usage: "check barge.hcl, offline",
		Description: "Reads barge.hcl and the *.barge.hcl files beside it. Nothing is dialled; variables and env() that are\n" +
			"not set are unknown strings.",
		Action: func(c *cli.Context) error {
			if err := positionals(c); err != nil {
				return err
			}
			project, err := h.project()
			if err != nil {
				return err
			}
			result := map[string]any{"format_version": 1, "project": project.Name, "valid": true, "environments": len(project.Environments)}
			return h.print(result, func(w io.Writer) {
				fmt.Fprintf(w, "valid: project %s with %s\n", project.Name, counted(len(project.Environments), "environment"))
			})
		},
	}
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func fmtCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:      "fmt",
		Usage:     "format barge.hcl and the *.barge.hcl files beside it",
		ArgsUsage: "[FILE ...]",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "check", Usage: "change nothing; exit 1 when a file is not formatted"},
		},
		Action: func(c *cli.Context) error {
			files := c.Args().Slice()
			if len(files) == 0 {
				var err error
				if files, err = configFiles(h.dir); err != nil {
					return err
				}
			}
			var changed []string
			for _, file := range files {
				differs, err := formatFile(file, c.Bool("check"))
				if err != nil {
					return err
				}
				if differs {
					changed = append(changed, file)
				}
			}
			result := map[string]any{"format_version": 1, "changed": append([]string{}, changed...)}
			if err := h.print(result, func(w io.Writer) { fmt.Fprint(w, strings.Join(append(changed, ""), "\n")) }); err != nil {
				return err
			}
			if c.Bool("check") && len(changed) > 0 {
				return &hintedError{fmt.Errorf("%s not formatted", counted(len(changed), "file")), "barge fmt formats them"}
			}
			return nil
		},
	}
}

func configFiles(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.barge.hcl"))
	if err != nil {
		return nil, err
	}
	main := filepath.Join(dir, "barge.hcl")
	if _, err := os.Stat(main); err == nil {
		files = append(files, main)
	}
	if len(files) == 0 {
		return nil, &usageError{message: "there is no barge.hcl in " + dir, hint: "barge fmt FILE formats another file"}
	}
	sort.Strings(files)
	return files, nil
}

// formatFile formats a file in place, through a temporary one; with check it only tells whether it would change.
func formatFile(file string, check bool) (differs bool, err error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	formatted, diags := environments.Format(src, file)
	if diags.HasErrors() {
		return false, diags
	}
	if bytes.Equal(src, formatted) || check {
		return !bytes.Equal(src, formatted), nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return true, err
	}
	part, err := os.CreateTemp(filepath.Dir(file), ".barge-fmt-*")
	if err != nil {
		return true, err
	}
	defer os.Remove(part.Name()) // gone already when all went well
	_, err = part.Write(formatted)
	if closing := part.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Chmod(part.Name(), info.Mode())
	}
	if err == nil {
		err = os.Rename(part.Name(), file)
	}
	return true, err
}

// hintedError is an error with what to type next.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Hint() string  { return e.hint }
func (e *hintedError) Unwrap() error { return e.error }
