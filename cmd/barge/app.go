package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/release"
)

// version is set by the linker for a release of barge itself.
var version = "0.0.0-dev"

// run is one call of barge: it parses argv, does what it asks and gives the exit code.
func (h *house) run(ctx context.Context, argv []string) int {
	defer h.err.Close() // what is left of the last line
	h.console.JSON = asksForJSON(argv)
	app := newApp(h)
	argv, err := permute(app, argv)
	if err == nil {
		err = guarded(func() error { return app.RunContext(ctx, argv) })
	}
	if code, _ := exit(err); ctx.Err() != nil && (code == 1 || errors.Is(err, context.Canceled)) && !errors.Is(err, release.ErrInterrupted) {
		err = &interruptedError{err}
	}
	return h.delivered(h.finish(err))
}

// interrupted tells, at the first signal, what is finished or undone before the command ends.
func (h *house) interrupted() {
	step := h.step.Load()
	if step == nil || *step == "" {
		h.console.Warn("interrupted: stopping; a second ^C stops at once")
		return
	}
	h.console.Warn("interrupted: %s; a second ^C stops at once", *step)
}

// guarded turns a panic, which is a defect of barge, into an error that says so. BARGE_DEBUG=1 lets it through.
func guarded(do func() error) (err error) {
	if os.Getenv("BARGE_DEBUG") == "" {
		defer func() {
			if r := recover(); r != nil {
				err = &hintedError{fmt.Errorf("this is a defect in barge: %v", r), "BARGE_DEBUG=1 shows where; barge status shows what was done"}
			}
		}()
	}
	return do()
}

func newApp(h *house) *cli.App {
	cli.VersionPrinter = func(*cli.Context) {}
	app := &cli.App{
		Name:                      "barge",
		Usage:                     "release machine-learning projects on Azure Databricks: Dev, Test, Prod and back",
		Reader:                    h.in,
		Writer:                    h.console.Out,
		ErrWriter:                 h.console.Err,
		HideVersion:               true,
		Suggest:                   true,
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              usage,
		Commands: []*cli.Command{
			initCommand(h), validateCommand(h), fmtCommand(h),
			trainCommand(h), buildCommand(h), inspectCommand(h),
			planCommand(h), approveCommand(h), promoteCommand(h), gateCommand(h), scoreCommand(h), rollbackCommand(h), resumeCommand(h),
			statusCommand(h), whyNotCommand(h), historyCommand(h), verifyCommand(h), diffCommand(h),
			sandboxCommand(h), demoCommand(h), versionCommand(h),
		},
	}
	app.Commands = append(app.Commands, sayCommands(h)...)
	app.Action = func(c *cli.Context) error {
		if c.Args().Present() {
			return unknown(app.Commands, c.Args().First(), "command")
		}
		_ = cli.ShowAppHelp(c)
		return &usageError{message: "no command given", hint: "barge demo plays the whole story on this machine"}
	}
	for _, c := range app.Commands {
		prepare(h, c)
	}
	return app
}

// prepare gives a command, and those below it, what all of them have.
func prepare(h *house, c *cli.Command) {
	c.OnUsageError = usage
	c.HideHelpCommand = true
	if len(c.Subcommands) > 0 {
		below := c.Subcommands
		for _, s := range below {
			prepare(h, s)
		}
		name := c.Name
		c.Action = func(ctx *cli.Context) error {
			if ctx.Args().Present() {
				return unknown(below, ctx.Args().First(), name+" command")
			}
			_ = cli.ShowSubcommandHelp(ctx)
			return &usageError{message: "barge " + name + " needs a command", hint: "barge " + name + " --help lists them"}
		}
		return
	}
	c.Flags = append(c.Flags, h.commonFlags()...)
	c.Before = h.before
}

func usage(c *cli.Context, err error, _ bool) error {
	name := "barge"
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != "barge" {
		name += " " + strings.TrimPrefix(c.Command.HelpName, "barge ")
	}
	return &usageError{message: err.Error(), hint: name + " --help shows its flags"}
}

func unknown(commands []*cli.Command, name, what string) error {
	err := &usageError{message: fmt.Sprintf("no %s is called %q", what, name), hint: "barge --help lists the commands"}
	if near := cli.SuggestCommand(commands, name); near != "" {
		err.hint = strings.ToLower(near[:1]) + near[1:]
	}
	return err
}

// finish tells how the command ended and gives its exit code.
func (h *house) finish(err error) int {
	code, _ := exit(err)
	if errors.Is(err, errChanges) {
		err = nil
	}
	var hinted interface{ Hint() string }
	hint := ""
	if errors.As(err, &hinted) {
		hint = h.root.hint(h.logged(hinted.Hint()))
	}
	var stop *release.Stop
	if !errors.As(err, &stop) {
		stop = &release.Stop{}
	}
	for i, d := range stop.Do {
		stop.Do[i].Command = h.root.hint(d.Command)
	}
	if h.console.JSON {
		h.printDocument(err, hint, stop)
	}
	if err == nil {
		return code
	}
	var diagnostics environments.Diagnostics
	if errors.As(err, &diagnostics) {
		h.diagnose(diagnostics)
	} else {
		h.console.Error("%s", err)
	}
	if hint != "" {
		h.console.Hint("%s", hint)
	}
	h.instruct(stop)
	return code
}

// instruct writes what a person has to type, each command on a line of its own and ready to be copied.
func (h *house) instruct(s *release.Stop) {
	for i, d := range s.Do {
		h.console.Note("  %d. %s  # %s", i+1, d.Command, d.For)
	}
	if len(s.ByHand) > 0 {
		h.console.Note("what cannot wait for barge can be set by hand, with the rights for it; barge sets it again afterwards:")
	}
	for _, d := range s.ByHand {
		h.console.Note("  - %s  # %s", d.Command, d.For)
	}
}

func versionCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print barge's own version",
		Action: func(c *cli.Context) error {
			if err := positionals(c); err != nil {
				return err
			}
			return h.print(map[string]any{"version": version}, func(w io.Writer) {
				fmt.Fprintln(w, "barge "+version)
			})
		},
	}
}
