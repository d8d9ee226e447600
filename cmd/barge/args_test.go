package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

func TestFlagsMayStandBehindPositionals(t *testing.T) {
	app := &cli.App{Commands: []*cli.Command{
		{Name: "promote", Flags: []cli.Flag{&cli.StringFlag{Name: "to"}, &cli.BoolFlag{Name: "yes", Aliases: []string{"y"}}}},
		{Name: "sandbox", Subcommands: []*cli.Command{{Name: "up", Flags: []cli.Flag{&cli.StringSliceFlag{Name: "workspace"}}}}},
	}}
	for _, c := range []struct{ in, want string }{
		{"barge promote 1.4.0 --to prod", "barge promote --to prod 1.4.0"},
		{"barge promote 1.4.0 --yes --to=prod", "barge promote --yes --to=prod 1.4.0"},
		{"barge promote --yes 1.4.0 -y", "barge promote --yes -y 1.4.0"},
		{"barge promote --to prod -- --odd", "barge promote --to prod -- --odd"},
		{"barge promote a -- --to b", "barge promote -- a --to b"},
		{"barge sandbox up x --workspace dev --workspace test", "barge sandbox up --workspace dev --workspace test x"},
		{"barge promote - --to prod", "barge promote --to prod -"},
		{"barge", "barge"},
		{"barge promote x --to prod --help", "barge promote --help"},
		{"barge sandbox up -h x", "barge sandbox up -h"},
		{"barge promote --to prod -- --help", "barge promote --to prod -- --help"},
		{"barge nonsense --to x", "barge nonsense --to x"},
		{"barge sandbox nonsense --to x", "barge sandbox nonsense --to x"},
	} {
		argv, err := permute(app, strings.Fields(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		}
		if diff := cmp.Diff(c.want, strings.Join(argv, " ")); diff != "" {
			t.Errorf("%s: %s", c.in, diff)
		}
	}
	for in, want := range map[string]string{
		"barge promote x --to":          "--to needs a value; barge promote --help shows its flags",
		"barge promote --to --yes x":    "--to needs a value; barge promote --help shows its flags",
		"barge promote x --to -- y":     "--to needs a value; barge promote --help shows its flags",
		"barge promote 1.4.0 --unknown": "there is no flag --unknown; barge promote --help shows its flags",
		"barge sandbox up --workspace":  "--workspace needs a value; barge sandbox up --help shows its flags",
	} {
		_, err := permute(app, strings.Fields(in))
		var usage *usageError
		if !errors.As(err, &usage) {
			t.Errorf("%s: got %v, want a usage error", in, err)
			continue
		}
		if diff := cmp.Diff(want, usage.message+"; "+usage.hint); diff != "" {
			t.Errorf("%s: %s", in, diff)
		}
	}
}

// A script's unset variable leaves an empty argument, which must not mean "none": another thing would be done.
func TestNothingEmptyIsTakenForNothing(t *testing.T) {
	app := newApp(newHouse(strings.NewReader(""), nil, nil))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"rollback", "", "--env", "prod"}, "argument 1 is empty"},
		{[]string{"promote", "--to", "prod", "--plan", ""}, "--plan is empty"},
		{[]string{"promote", "--to", "prod", "--plan="}, "--plan is empty"},
		{[]string{"rollback", "--env", "prod", "--ledger", ""}, "--ledger is empty"},
		{[]string{"history", "--env", "prod", "--at="}, "--at is empty"},
		{[]string{"promote", "--to", "prod", "--", ""}, "argument 4 is empty"},
	} {
		_, err := permute(app, append([]string{"barge"}, c.args...))
		var usage *usageError
		if !errors.As(err, &usage) || !strings.HasPrefix(usage.message, c.want+": leave it out") {
			t.Errorf("%q: %v, want %s", c.args, err, c.want)
		}
	}
}

func TestWhoAsksForJSON(t *testing.T) {
	for in, want := range map[string]bool{
		"barge status -o json": true, "barge status --output=json x": true, "barge -o json status": true, "barge status": false,
		"barge status -o": false, "barge status -- -o json": false, "barge status -o json -o text": false, "barge --oh json": false,
	} {
		if got := asksForJSON(strings.Fields(in)); got != want {
			t.Errorf("%s: %v", in, got)
		}
	}
}
