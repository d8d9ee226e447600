package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// handbook is the page for the person on call. Its fenced blocks of commands are "```sh NAME": NAME is the situation that
// they are for, and a script below testdata/operations brings it about and types them.
const handbook = "../../docs/operations.md"

// typed is one line of a block, and how the page says that it ends.
type typed struct {
	block, line string
	exit        int
}

var (
	fences    = regexp.MustCompile("(?ms)^```sh ([a-z-]+)\n(.*?)^```$")
	otherExit = regexp.MustCompile(`# exit (\d+)\b`)
	inline    = regexp.MustCompile("`(barge [^`]+)`")
)

// read gives the page's commands in their order, and its text without them.
func readHandbook(t *testing.T) (commands []typed, prose string) {
	t.Helper()
	page, err := os.ReadFile(handbook)
	if err != nil {
		t.Fatal(err)
	}
	commands = commandsOf(t, string(page))
	prose = fences.ReplaceAllString(string(page), "")
	if len(commands) == 0 || strings.Contains(prose, "```") {
		t.Fatalf("%s: every fenced block is to be sh with a situation's name", handbook)
	}
	return commands, prose
}

// commandsOf are the commands of a page, in their order.
func commandsOf(t *testing.T, page string) []typed {
	t.Helper()
	var commands []typed
	for _, fence := range fences.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(fence[2]) {
			c := typed{block: fence[1], line: strings.TrimSpace(line)}
			if m := otherExit.FindStringSubmatch(line); m != nil {
				var err error
				if c.exit, err = strconv.Atoi(m[1]); err != nil {
					t.Fatal(err)
				}
			}
			commands = append(commands, c)
		}
	}
	return commands
}

// TestOperations types every command of the handbook, as it stands there, in the situation that it is for. Scripts have
// one more verb: page BLOCK [N] types the lines of a block of the page, or its N-th, and each must end as the page says.
func TestOperations(t *testing.T) {
	commands, prose := readHandbook(t)
	var mu sync.Mutex
	played := 0
	p := scripts("operations")
	p.Setup = func(env *testscript.Env) error {
		mu.Lock()
		defer mu.Unlock()
		played++
		return setup(env)
	}
	untyped := typing(p, commands)
	t.Run("page", func(t *testing.T) { testscript.Run(t, p) })
	if all, err := filepath.Glob(filepath.Join(p.Dir, "*.txtar")); err != nil || len(all) != played {
		return // some situations were left out by -run
	}
	for _, c := range untyped() {
		t.Errorf("no script types %q of block %s", c.line, c.block)
	}
	for _, span := range inline.FindAllStringSubmatch(prose, -1) {
		if strings.Count(span[1], " ") > 1 && !slices.ContainsFunc(commands, func(c typed) bool { return bare(c.line) == span[1] }) {
			t.Errorf("%q stands in the text, and no block has it", span[1])
		}
	}
}

// typing gives scripts one more verb: page BLOCK [N] types the lines of a block, or its N-th, and each must end as the page
// says. untyped are the commands that no script has typed yet.
func typing(p testscript.Params, commands []typed) (untyped func() []typed) {
	var mu sync.Mutex
	seen := map[typed]bool{}
	p.Cmds["page"] = verb(func(ts *testscript.TestScript, _ *bench, args []string) error {
		lines, err := chosen(commands, args)
		for _, c := range lines {
			if err := c.do(ts); err != nil {
				return err
			}
			mu.Lock()
			seen[c] = true
			mu.Unlock()
		}
		return err
	})
	return func() []typed {
		mu.Lock()
		defer mu.Unlock()
		return slices.DeleteFunc(slices.Clone(commands), func(c typed) bool { return seen[c] })
	}
}

func chosen(commands []typed, args []string) ([]typed, error) {
	var lines []typed
	for _, c := range commands {
		if c.block == args[0] {
			lines = append(lines, c)
		}
	}
	if len(args) == 2 {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 || n > len(lines) {
			return nil, fmt.Errorf("block %s has no line %s", args[0], args[1])
		}
		return lines[n-1 : n], nil
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("the page has no block %s", args[0])
	}
	return lines, nil
}

// bare is a line without its comment.
func bare(line string) string {
	command, _, _ := strings.Cut(line, " #")
	return strings.TrimSpace(command)
}

func (c typed) do(ts *testscript.TestScript) error {
	err := ts.Exec("sh", "-c", c.line)
	code := 0
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		code = ended.ExitCode()
	case err != nil:
		return err
	}
	if code != c.exit {
		return fmt.Errorf("%s ended with exit code %d, and the page says %d", c.line, code, c.exit)
	}
	return nil
}
