package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/urfave/cli/v2"
)

// permute moves flags that stand behind positional arguments to the front of their command: urfave/cli stops at the
// first positional, and `promote 1.4.0 --yes` would silently mean something else. Arguments behind "--" stay. A flag
// whose value is missing is an error: with what stood before it in its place it would mean something else, too. So is an
// empty value or argument, which is what a script's unset variable leaves: `rollback "$TO"` must not step back instead.
func permute(app *cli.App, argv []string) ([]string, error) {
	if len(argv) == 0 {
		return argv, nil
	}
	commands, flags := app.Commands, app.Flags
	out, rest, depth := argv[:1:1], argv[1:], 0
	for len(rest) > 0 {
		command := find(commands, rest[0])
		if command == nil {
			break
		}
		out, rest = append(out, rest[0]), rest[1:]
		commands, flags, depth = command.Subcommands, command.Flags, depth+1
	}
	hint := strings.Join(argv[:1+depth], " ") + " --help shows its flags"
	if slices.Contains(rest, "") {
		return nil, empty(flags, rest, hint)
	}
	if len(commands) > 0 && len(rest) > 0 && rest[0][0] != '-' {
		return argv, nil // there is no such command, and none of what follows is its
	}
	var positional []string
	for len(rest) > 0 {
		arg := rest[0]
		rest = rest[1:]
		switch {
		case arg == "--":
			return append(append(append(out, "--"), positional...), rest...), nil
		case arg == "--help" || arg == "-h":
			return append(slices.Clone(argv[:1+depth]), arg), nil // whatever else there is: it would be taken for a topic
		case len(arg) < 2 || arg[0] != '-':
			positional = append(positional, arg)
		case defined(flags, arg) == nil:
			return nil, noFlag(commands, flags, arg, hint)
		default:
			out = append(out, arg)
			if strings.HasSuffix(arg, "=") {
				return nil, empty(flags, []string{strings.TrimSuffix(arg, "="), ""}, hint)
			}
			if !takesValue(flags, arg) {
				continue
			}
			if len(rest) == 0 || rest[0] == "--" || defined(flags, rest[0]) != nil {
				return nil, &usageError{message: arg + " needs a value", hint: hint}
			}
			out, rest = append(out, rest[0]), rest[1:]
		}
	}
	return append(out, positional...), nil
}

// empty says what is empty in args: the value of a flag, or an argument of its own.
func empty(flags []cli.Flag, args []string, hint string) error {
	what, before := "", ""
	for i, arg := range args {
		if arg == "" {
			what = fmt.Sprintf("argument %d", i+1)
			break
		}
		before = arg
	}
	if takesValue(flags, before) {
		what = before
	}
	return &usageError{message: what + " is empty: leave it out, or give it a value", hint: hint}
}

// noFlag names the flag that is near to what was typed, or the command that is called so.
func noFlag(commands []*cli.Command, flags []cli.Flag, arg, hint string) error {
	typed, _, _ := strings.Cut(arg, "=")
	name := strings.TrimLeft(typed, "-")
	if c := find(commands, name); c != nil {
		hint = "did you mean the command " + c.Name + "?"
	}
	fewest := 1 + max(1, len(name)/3)
	for _, f := range flags {
		near := f.Names()[0]
		if d := levenshtein.Distance(name, near, nil); d < fewest && d < len(name) {
			fewest, hint = d, "did you mean --"+near+"?"
		}
	}
	return &usageError{message: "there is no flag " + typed, hint: hint}
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
	f := defined(flags, arg)
	if f == nil || strings.Contains(arg, "=") {
		return false
	}
	_, isBool := f.(*cli.BoolFlag)
	return !isBool
}

// defined is the flag that arg names, nil when there is none.
func defined(flags []cli.Flag, arg string) cli.Flag {
	if len(arg) < 2 || arg[0] != '-' {
		return nil
	}
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	i := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return nil
	}
	return flags[i]
}

// asksForJSON tells whether argv asks for JSON, for errors that come before the flags are read.
func asksForJSON(argv []string) bool {
	asked := os.Getenv("BARGE_OUTPUT") == "json"
	for i, arg := range argv {
		name, value, joined := strings.Cut(arg, "=")
		switch {
		case arg == "--":
			return asked
		case !slices.Contains([]string{"-o", "--o", "-output", "--output"}, name):
		case joined:
			asked = value == "json"
		case i+1 < len(argv):
			asked = argv[i+1] == "json"
		}
	}
	return asked
}
