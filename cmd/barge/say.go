package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/release"
)

// saying is a verb that writes one thing a person says into an environment's ledger.
type saying struct {
	name, usage, description string
	arguments                []string
	flags                    []cli.Flag
	say                      func(ctx context.Context, w *release.World, c *cli.Context, environment, reason string) (*release.Said, error)
}

var sayings = []saying{
	{
		name: "hold", usage: "keep every release out of an environment for a while",
		description: "Nothing is promoted to the environment or mended until unhold. Rollback is not stopped by it.",
		say: func(ctx context.Context, w *release.World, _ *cli.Context, environment, reason string) (*release.Said, error) {
			return w.Hold(ctx, environment, reason)
		},
	},
	{
		name: "unhold", usage: "end a hold",
		say: func(ctx context.Context, w *release.World, _ *cli.Context, environment, reason string) (*release.Said, error) {
			return w.Unhold(ctx, environment, reason)
		},
	},
	{
		name: "bar", usage: "keep a release out of an environment for good", arguments: []string{"RELEASE"},
		flags: []cli.Flag{&cli.StringFlag{Name: "fault", Value: "artifact", Usage: "`WHAT` is barred: the artifact, or every artifact with its model"}},
		say: func(ctx context.Context, w *release.World, c *cli.Context, environment, reason string) (*release.Said, error) {
			return w.Bar(ctx, environment, c.Args().First(), c.String("fault"), reason)
		},
	},
	{
		name: "unbar", usage: "take the bars on a release away", arguments: []string{"RELEASE"},
		say: func(ctx context.Context, w *release.World, c *cli.Context, environment, reason string) (*release.Said, error) {
			return w.Unbar(ctx, environment, c.Args().First(), reason)
		},
	},
	{
		name: "waive", usage: "let one release pass one gate, or its first scoring, without its evidence", arguments: []string{"gate:NAME|score:NAME", "RELEASE"},
		description: "Stands in the ledger with whose word it is.",
		say: func(ctx context.Context, w *release.World, c *cli.Context, environment, reason string) (*release.Said, error) {
			return w.Waive(ctx, environment, c.Args().Get(0), c.Args().Get(1), reason)
		},
	},
}

func sayCommands(h *house) []*cli.Command {
	var commands []*cli.Command
	for _, s := range sayings {
		args := ""
		for _, a := range s.arguments {
			args += a + " "
		}
		commands = append(commands, &cli.Command{
			Name: s.name, Usage: s.usage, Description: s.description, ArgsUsage: args,
			Flags: append([]cli.Flag{
				&cli.StringFlag{Name: "env", Usage: "`ENVIRONMENT` it is said of"}, ledgerFlag(),
				&cli.StringFlag{Name: "reason", Usage: "why, for everybody who reads the ledger: `TEXT`"},
			}, s.flags...),
			Action: func(c *cli.Context) error { return h.say(c, s) },
		})
	}
	return commands
}

func (h *house) say(c *cli.Context, s saying) error {
	world, environment, err := h.about(c, "env", s.arguments...)
	if err != nil {
		return err
	}
	reason := c.String("reason")
	if reason == "" {
		return &usageError{message: "--reason TEXT is missing", hint: "whoever reads the ledger later wants to know why"}
	}
	done, err := s.say(c.Context, world, c, environment, reason)
	return h.tell(done != nil, err, done, func(w io.Writer) {
		if done.Outcome == "nothing-to-do" {
			fmt.Fprintf(w, "%s: nothing to do\n", done.Environment)
			return
		}
		fmt.Fprintf(w, "%s: %s (entry %d)\n", done.Environment, done.What, done.Entry)
	})
}

func whyNotCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:      "why-not",
		Usage:     "say everything that keeps a release out of an environment",
		ArgsUsage: "[RELEASE]",
		Description: "Every reason at once, what clears each and who can, the earliest time it could go, and the command to run then.\n" +
			"Runs no gate and changes nothing.",
		Flags: []cli.Flag{&cli.StringFlag{Name: "to", Usage: "`ENVIRONMENT` it should go to"}},
		Action: func(c *cli.Context) error {
			world, environment, err := h.about(c, "to", "[RELEASE]")
			if err != nil {
				return err
			}
			why, err := world.WhyNot(c.Context, release.Request{Release: c.Args().First(), Environment: environment, Head: h.releaseOfHead})
			if err != nil {
				return err
			}
			return h.print(why, func(w io.Writer) { printWhyNot(w, why) })
		},
	}
}

func printWhyNot(w io.Writer, why *release.WhyNot) {
	switch {
	case why.Release.Artifact == why.Champion.Artifact:
		fmt.Fprintf(w, "%s is the champion of %s already\n", why.Release, why.Environment)
		return
	case len(why.Obstacles) == 0:
		fmt.Fprintf(w, "nothing keeps %s out of %s: %s\n", why.Release, why.Environment, why.Command)
		for _, v := range why.Waived {
			fmt.Fprintf(w, "  %s\n", v)
		}
		return
	}
	fmt.Fprintf(w, "%s does not go to %s:\n", why.Release, why.Environment)
	for _, o := range why.Obstacles {
		fmt.Fprintf(w, "  - %s\n", o.Text)
		for _, c := range o.Changes {
			fmt.Fprintf(w, "      %s\n", c)
		}
		if o.Clear != "" && o.Clear != o.Command {
			fmt.Fprintf(w, "    %s\n", o.Clear)
		}
		fmt.Fprintf(w, "    by %s%s\n", o.Who, runs(o.Command))
	}
	switch {
	case !why.NextAt.IsZero():
		fmt.Fprintf(w, "it could go at %s\n", stamp(why.NextAt))
	case !why.NotBefore.IsZero():
		fmt.Fprintf(w, "it could go at %s at the earliest, when the rest is cleared by then\n", stamp(why.NotBefore))
	default:
		fmt.Fprintln(w, "it could go as soon as that is cleared")
	}
	for _, v := range why.Waived {
		fmt.Fprintf(w, "no obstacle: %s\n", v)
	}
	fmt.Fprintf(w, "then: %s\n", why.Command)
}

func runs(command string) string {
	if command == "" {
		return ""
	}
	return ": " + command
}
