package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/release"
)

// about is how every verb about one environment begins: its arguments are counted, the environment's flag is read, and
// the world is made.
func (h *house) about(c *cli.Context, flag string, arguments ...string) (*release.World, string, error) {
	if err := positionals(c, arguments...); err != nil {
		return nil, "", err
	}
	if c.String("ledger") != "" {
		return h.rooted(c, flag)
	}
	environment, err := needed(c, flag)
	if err != nil {
		return nil, "", err
	}
	world, err := h.world(c.Context)
	return world, environment, err
}

// aboutAll is about, for a verb that is about every environment where the flag names none.
func (h *house) aboutAll(c *cli.Context, flag string, arguments ...string) (*release.World, string, error) {
	if err := positionals(c, arguments...); err != nil {
		return nil, "", err
	}
	if c.String("ledger") != "" {
		return h.rooted(c, flag)
	}
	world, err := h.world(c.Context)
	return world, c.String(flag), err
}

// waitFlag is for verbs that may meet an owner who is still alive.
func waitFlag() cli.Flag {
	return &cli.DurationFlag{Name: "wait", Value: release.Wait, Usage: "how long to wait for an owner that may be alive: `DURATION`; then exit 5"}
}

// needed is a flag that must be given.
func needed(c *cli.Context, name string) (string, error) {
	if v := c.String(name); v != "" {
		return v, nil
	}
	return "", &usageError{message: "--" + name + " ENVIRONMENT is missing", hint: c.Command.HelpName + " --" + name + " ENVIRONMENT"}
}

// positionals checks how many arguments a command was given and names them in the error.
func positionals(c *cli.Context, names ...string) error {
	most := len(names)
	least := most
	for least > 0 && strings.HasPrefix(names[least-1], "[") {
		least--
	}
	n := c.NArg()
	hint := strings.TrimSpace(c.Command.HelpName + " " + strings.Join(names, " "))
	switch {
	case n < least:
		return &usageError{message: names[n] + " is missing", hint: hint}
	case n > most:
		return &usageError{message: fmt.Sprintf("unexpected argument %q", c.Args().Get(most)), hint: hint}
	}
	return nil
}
