//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/python"
)

const firstSteps = "../../docs/getting-started.md"

var (
	pageFiles = regexp.MustCompile("(?ms)^```python (\\S+)\n(.*?)^```$")
	drawings  = regexp.MustCompile("(?ms)^```\n.*?^```$")
)

// TestGettingStarted types the whole page in the repository that its script makes. Scripts below testdata/getting-started
// have two more verbs: page BLOCK [N], as the handbook's, and file PATH, which writes a file as the page shows it.
func TestGettingStarted(t *testing.T) {
	t.Parallel()
	if _, err := (python.Env{}).Ensure(t.Context(), os.Stderr); err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(firstSteps)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, m := range pageFiles.FindAllStringSubmatch(string(text), -1) {
		files[m[1]] = m[2]
	}
	commands := commandsOf(t, string(text))
	shown := map[string]bool{}
	p := scripts("getting-started")
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("XDG_CACHE_HOME", cache) // the managed Python is made once
		env.Defer(func() {
			_, _ = sandbox.Down(context.Background(), filepath.Join(env.WorkDir, "churn", ".barge", "sandbox"))
		})
		return setup(env)
	}
	untyped := typing(p, commands)
	p.Cmds["file"] = verb(func(ts *testscript.TestScript, _ *bench, args []string) error {
		shown[args[0]] = true
		if files[args[0]] == "" {
			return fmt.Errorf("the page does not show %s", args[0])
		}
		return os.WriteFile(ts.MkAbs(args[0]), []byte(files[args[0]]), 0o600)
	})
	t.Run("page", func(t *testing.T) { testscript.Run(t, p) })
	whole := !t.Failed()
	for _, c := range untyped() {
		if whole {
			t.Errorf("%q of block %s was not typed", c.line, c.block)
		}
	}
	for name := range files {
		if !shown[name] && whole {
			t.Errorf("%s was not written", name)
		}
	}
	if rest := drawings.ReplaceAllString(pageFiles.ReplaceAllString(fences.ReplaceAllString(string(text), ""), ""), ""); strings.Contains(rest, "```") {
		t.Errorf("%s has a block that no test reads", firstSteps)
	}
}
