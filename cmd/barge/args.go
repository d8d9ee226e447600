package main

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// permute moves flags that stand behind positional arguments to the front of their command: urfave/cli stops at the
// first positional, and `promote 1.4.0 --yes` would silently mean something else. Arguments behind "--" stay.
func permute(app *cli.App, argv []string) []string {
	if len(argv) == 0 {
		return argv
	}
	commands, flags := app.Commands, app.Flags
	out, rest := argv[:1:1], argv[1:]
	for len(rest) > 0 {
		command := find(commands, rest[0])
		if command == nil {
			break
		}
		out, rest = append(out, rest[0]), rest[1:]
		commands, flags = command.Subcommands, command.Flags
	}
	var positional []string
	for len(rest) > 0 {
		arg := rest[0]
		rest = rest[1:]
		switch {
		case arg == "--":
			return append(append(append(out, "--"), positional...), rest...)
		case len(arg) < 2 || arg[0] != '-':
			positional = append(positional, arg)
		default:
			out = append(out, arg)
			if takesValue(flags, arg) && len(rest) > 0 {
				out, rest = append(out, rest[0]), rest[1:]
			}
		}
	}
	return append(out, positional...)
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// takesValue says whether the flag arg is followed by its value as an argument of its own.
func takesValue(flags []cli.Flag, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, f := range flags {
		for _, n := range f.Names() {
			if n == name {
				_, isBool := f.(*cli.BoolFlag)
				return !isBool
			}
		}
	}
	return false
}
