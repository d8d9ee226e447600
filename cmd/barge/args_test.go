package main

import (
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
		{"barge promote 1.4.0 --unknown", "barge promote --unknown 1.4.0"},
		{"barge promote - --to prod", "barge promote --to prod -"},
		{"barge", "barge"},
		{"barge nonsense --to x", "barge --to nonsense x"},
	} {
		got := strings.Join(permute(app, strings.Fields(c.in)), " ")
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.in, diff)
		}
	}
}
