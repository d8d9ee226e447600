package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestAPanicIsAnErrorThatSaysSo(t *testing.T) {
	err := guarded(func() error {
		var none []string
		return errors.New(none[len(none)])
	})
	if err == nil || !strings.HasPrefix(err.Error(), "this is a defect in barge: runtime error: index out of range") {
		t.Errorf("got %v", err)
	}
	if code, _ := exit(err); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

// run is one call of barge, in this process.
func run(ctx context.Context, argv []string, in io.Reader, out, errOut io.Writer) int {
	return newHouse(in, out, errOut).run(ctx, argv)
}

// Whatever goes wrong in whatever verb, a script finds it in the same place.
func TestEveryErrorHasOneShape(t *testing.T) {
	empty := t.TempDir()
	for _, words := range verbs(newApp(newHouse(nil, io.Discard, io.Discard)).Commands, nil) {
		for _, wrong := range [][]string{{"--nonsense"}, {"a", "b", "c", "d", "--dir", empty}} {
			argv := append(append([]string{"barge"}, words...), append(wrong, "-o", "json")...)
			var out bytes.Buffer
			code := run(t.Context(), argv, strings.NewReader(""), &out, io.Discard)
			var got struct {
				FormatVersion int    `json:"format_version"`
				Error         string `json:"error"`
				Hint          string `json:"hint"`
				Exit          struct {
					Code int    `json:"code"`
					Name string `json:"name"`
				} `json:"exit"`
			}
			dec := json.NewDecoder(&out)
			dec.DisallowUnknownFields()
			if err := dec.Decode(&got); err != nil {
				t.Errorf("%s: %v", argv, err)
			}
			if code == 0 || got.Exit.Code != code || got.Exit.Name == "" || got.Error == "" || got.FormatVersion != 1 || dec.More() {
				t.Errorf("%s: exit code %d, document %+v", argv, code, got)
			}
		}
	}
}

// verbs are the words of every command that does something.
func verbs(commands []*cli.Command, before []string) [][]string {
	var all [][]string
	for _, c := range commands {
		words := append(slices.Clone(before), c.Name)
		if len(c.Subcommands) > 0 {
			all = append(all, verbs(c.Subcommands, words)...)
		} else {
			all = append(all, words)
		}
	}
	return all
}
