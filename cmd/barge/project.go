package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/environments"
)

func validateCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:  "validate",
		Usage: "check barge.hcl, offline",
		Description: "Reads barge.hcl and the *.barge.hcl files beside it. Nothing is dialled; variables and env() that are\n" +
			"not set are unknown strings. With -o json every mistake and warning has its file, line and column; in GitHub\n" +
			"Actions and Azure Pipelines each is also told beside its line.",
		Action: func(c *cli.Context) error {
			if err := positionals(c); err != nil {
				return err
			}
			project, err := h.project()
			result := map[string]any{"valid": err == nil, "diagnostics": append(environments.Diagnostics{}, h.found...)}
			if project != nil {
				result["project"], result["environments"] = project.Name, len(project.Environments)
			}
			return h.tell(true, err, result, func(w io.Writer) {
				if project != nil {
					fmt.Fprintf(w, "valid: project %s with %s\n", project.Name, counted(len(project.Environments), "environment"))
				}
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
		Description: "Formats the files of the project, or those that are named; what cannot be read is told, and nothing is\n" +
			"changed. - formats stdin to stdout. With --check or --diff nothing is written. Exit codes: 0 everything is\n" +
			"formatted, or was; 2 with --check, when a file is not; 64 when one cannot be read.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "check", Usage: "change nothing; list the files that are not formatted, and exit 2 when there are any"},
			&cli.BoolFlag{Name: "diff", Usage: "change nothing; show what would change"},
		},
		Action: func(c *cli.Context) error {
			files, err := h.toFormat(c.Args().Slice(), c.String("dir"))
			if err != nil {
				return err
			}
			var changed []*formatted
			for _, f := range files {
				if !bytes.Equal(f.before, f.after) {
					changed = append(changed, f)
				}
			}
			check, shown, piped := c.Bool("check"), c.Bool("diff"), len(files) == 1 && files[0].name == stdin
			if !check && !shown && !piped {
				for _, f := range changed {
					if err := f.write(); err != nil {
						return fmt.Errorf("writing %s: %w", f.name, err)
					}
				}
			}
			if err := h.printFormatted(files, changed, shown, piped && !check); err != nil {
				return err
			}
			if check && len(changed) > 0 {
				h.console.Hint("barge fmt formats %s", strings.Join(names(changed), ", "))
				return errChanges
			}
			return nil
		},
	}
}

func (h *house) printFormatted(files, changed []*formatted, shown, piped bool) error {
	result := map[string]any{"changed": append([]string{}, names(changed)...)}
	if shown {
		result["diff"] = diffs(changed)
	}
	if piped {
		result["text"] = string(files[0].after)
	}
	return h.print(result, func(w io.Writer) {
		switch {
		case shown:
			fmt.Fprint(w, diffs(changed))
		case piped:
			fmt.Fprint(w, string(files[0].after))
		default:
			fmt.Fprint(w, strings.Join(append(names(changed), ""), "\n"))
		}
	})
}

// stdin is what a command line calls it.
const stdin = "-"

// formatted is a file as it stands and as it should.
type formatted struct {
	name          string // as it was typed
	path          string // where it really is; symlinks are followed
	before, after []byte
}

func names(files []*formatted) []string {
	var all []string
	for _, f := range files {
		all = append(all, f.name)
	}
	return all
}

func diffs(files []*formatted) string {
	var b strings.Builder
	for _, f := range files {
		b.Write(diff.Diff(f.name, f.before, f.name+" (formatted)", f.after))
	}
	return b.String()
}

// toFormat reads the files that were named, or all of the project in dir, and formats them: when one cannot be read, none is
// touched.
func (h *house) toFormat(named []string, dir string) ([]*formatted, error) {
	if len(named) == 0 {
		found, err := environments.Files(h.dir)
		if err != nil {
			return nil, &usageError{message: err.Error(), hint: "--dir says where it is, and barge fmt - formats stdin"}
		}
		for _, name := range found {
			named = append(named, filepath.Join(dir, name))
		}
	}
	var files []*formatted
	var diags environments.Diagnostics
	for _, name := range named {
		f, err := h.read(name, len(named))
		if err != nil {
			return nil, err
		}
		var wrong environments.Diagnostics
		f.after, wrong = environments.Format(f.before, name)
		diags = append(diags, wrong...)
		files = append(files, f)
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return files, nil
}

func (h *house) read(name string, of int) (*formatted, error) {
	f := &formatted{name: name}
	var err error
	switch {
	case name == stdin && of > 1:
		return nil, &usageError{message: "- is stdin, and stands alone", hint: "barge fmt -"}
	case name == stdin:
		f.before, err = io.ReadAll(h.in)
		return f, err
	case !environments.IsFile(filepath.Base(name)):
		return nil, &usageError{message: name + " is no file of a project: those are barge.hcl and NAME.barge.hcl", hint: "barge fmt - formats what it is given"}
	}
	if f.path, err = h.folder(name); err == nil {
		f.path, err = filepath.EvalSymlinks(f.path)
	}
	if err == nil {
		f.before, err = environments.ReadFile(f.path)
	}
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if err != nil {
		return nil, &usageError{message: "reading " + name + ": " + err.Error()}
	}
	return f, nil
}

// write puts the formatted text in the file's place, whole or not at all.
func (f *formatted) write() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(f.path), ".barge-fmt-*")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name()) // gone already when all went well
	_, err = part.Write(f.after)
	if closing := part.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Chmod(part.Name(), info.Mode().Perm())
	}
	if err == nil {
		err = os.Rename(part.Name(), f.path)
	}
	return err
}

// hintedError is an error with what to type next.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Hint() string  { return e.hint }
func (e *hintedError) Unwrap() error { return e.error }
