package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/sandbox"
)

func demoCommand(h *house) *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "play a release, a refusal, a better release and a rollback, on this machine",
		Description: "Copies the example project into a folder of its own with a fresh git repository, starts the sandbox there,\n" +
			"and runs each command as you would type it. The notebooks, the model and the registry are real.",
		Flags: []cli.Flag{&cli.StringFlag{Name: "into", Usage: "`FOLDER` to play in, empty or not there yet (default: a new one)"}},
		Action: func(c *cli.Context) error {
			if err := positionals(c); err != nil {
				return err
			}
			return h.demo(c.Context, c.String("into"))
		},
	}
}

func (h *house) demo(ctx context.Context, into string) (err error) {
	s, err := h.openStage(ctx, into)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, l := range prologue {
		if err := s.play(ctx, l); err != nil {
			return err
		}
	}
	played := performance{Folder: s.dir, Acts: []performedAct{}, Next: []proposal{}}
	for _, a := range story {
		s.heading(a)
		act := performedAct{Title: a.title}
		for _, l := range a.lines {
			if err := s.play(ctx, l); err != nil {
				return fmt.Errorf("%s: %w", a.title, err)
			}
			act.Commands = append(act.Commands, performedCommand{l.typed, l.exit})
		}
		played.Acts = append(played.Acts, act)
	}
	for _, n := range epilogue {
		played.Next = append(played.Next, proposal{n.typed, n.about})
	}
	s.farewell()
	return h.print(played, func(io.Writer) {}) // as text the story was the result
}

// performance is the story as a result: what was typed, and how it ended.
type performance struct {
	Folder string         `json:"folder"` // the project's, which is kept with its twins
	Acts   []performedAct `json:"acts"`
	Next   []proposal     `json:"next"`
}

type performedAct struct {
	Title    string             `json:"title"`
	Commands []performedCommand `json:"commands"`
}

type performedCommand struct {
	Typed string `json:"typed"`
	Exit  int    `json:"exit"`
}

type proposal struct {
	Typed string `json:"typed"`
	About string `json:"about"`
}

// stage is where the story is played: a copy of the example project, its git repository, and its twins, which serve
// in this process.
type stage struct {
	h     *house
	dir   string    // of the project
	out   io.Writer // where the story is told: under -o json beside the result
	twins *sandbox.Sandbox
}

// openStage sets the stage in a folder that is empty or not there yet; "" is a new one.
func (h *house) openStage(ctx context.Context, into string) (*stage, error) {
	into, err := emptyFolder(into)
	if err != nil {
		return nil, err
	}
	s := &stage{h: h, dir: filepath.Join(into, "diabetes"), out: h.console.Out}
	if h.console.JSON {
		s.out = h.console.Err
	}
	if err := copyProject(s.dir); err != nil {
		return nil, err
	}
	project, diags := environments.Load(s.dir, environments.Options{Sandbox: true})
	if diags.HasErrors() {
		return nil, diags
	}
	var names []string
	for _, w := range project.Workspaces {
		names = append(names, w.Name)
	}
	if s.twins, err = sandbox.Start(ctx, sandbox.Config{Dir: s.sandboxDir(), Workspaces: names, Progress: h.console.Err}); err != nil {
		return nil, err
	}
	s.say("A copy of the example project, and a twin on this machine for each of its workspaces: %s.\n"+
		"The notebooks, the model and the registry are real. Every command stands here as you would type it.\n\n"+
		"$ cd %s\n$ export BARGE_SANDBOX=1\n", list(names), s.dir)
	return s, nil
}

func (s *stage) sandboxDir() string { return filepath.Join(s.dir, ".barge", "sandbox") }

// Close ends the twins and all that they started. What they hold is kept.
func (s *stage) Close() error { return s.twins.Close() }

func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

// bold is for headings and what is typed, where somebody watches.
func (s *stage) bold(text string) string {
	if !s.h.console.Terminal {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

func (s *stage) heading(a act) {
	s.say("\n%s\n%s\n%s\n", s.bold(a.title), strings.Repeat("=", len(a.title)), a.shows)
}

func (s *stage) farewell() {
	widest := 0
	for _, n := range epilogue {
		widest = max(widest, len(n.typed))
	}
	s.say("\n%s\n\n  cd %s\n", s.bold("The project and its twins are kept. What to try next:"), s.dir)
	for _, n := range epilogue {
		s.say("  %-*s  # %s\n", widest, n.typed, n.about)
	}
	s.say("\nThen make the model better: change barge.hcl, git commit, barge train, barge build, barge promote --to test.\n")
}

// play shows a line as a user would type it, does what it says, and checks how it ended.
func (s *stage) play(ctx context.Context, l line) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	words := split(l.typed)
	if words[0] == "edit" {
		changed, err := setValue(filepath.Join(s.dir, words[1]), words[2], words[3])
		s.say("\n# in %s: %s\n", words[1], s.bold(changed))
		return err
	}
	s.say("\n$ %s\n", s.bold(l.typed))
	if err := s.do(ctx, l, words); err != nil {
		return err
	}
	if l.exit != 0 {
		s.say("# exit code %d\n", l.exit)
	}
	if l.check != nil {
		return l.check(ctx, s)
	}
	return nil
}

func (s *stage) do(ctx context.Context, l line, words []string) error {
	if words[0] == "git" {
		return git(ctx, s.h.console.Err, s.dir, words[1:]...)
	}
	h := newHouse(strings.NewReader(""), s.out, s.h.console.Err)
	h.here, h.console.Terminal = s.dir, s.h.console.Terminal
	code := h.run(ctx, append(words, "--sandbox", "--sandbox-dir", s.sandboxDir())) // whatever the caller's variables say
	switch {
	case code == l.exit:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("%s ended with exit code %d, not %d", l.typed, code, l.exit)
}

// emptyFolder makes the folder to play in, or a new one below the system's temporary folder.
func emptyFolder(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "barge-demo-")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return "", &usageError{message: dir + " is not empty", hint: "barge demo without --into makes a folder of its own"}
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// copyProject writes the example that barge carries inside itself.
func copyProject(dir string) error {
	project, err := fs.Sub(barge.Projects, "testdata/projects/diabetes")
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, project); err != nil {
		return fmt.Errorf("copying the example project: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(".barge/\n"), 0o644)
}

// git runs git as somebody without settings of their own could.
func git(ctx context.Context, out io.Writer, dir string, args ...string) error {
	who := []string{"-c", "user.name=Barge demo", "-c", "user.email=demo@barge.invalid", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"}
	cmd := exec.CommandContext(ctx, "git", append(who, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// setValue changes the one line of a file that sets key, in HCL or YAML, and gives that line.
func setValue(file, key, value string) (changed string, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	setting := regexp.MustCompile(`(?m)^([ \t]*` + regexp.QuoteMeta(key) + `[ \t]*[=:][ \t]*)(.*)$`)
	at := setting.FindAllSubmatchIndex(b, -1)
	if len(at) != 1 {
		return "", fmt.Errorf("%s sets %s %d times, not once", file, key, len(at))
	}
	from, to := at[0][4], at[0][5]
	text := string(b[:from]) + value + string(b[to:])
	changed = strings.TrimSpace(string(b[at[0][2]:at[0][3]]) + value)
	return changed, os.WriteFile(file, []byte(text), 0o644)
}

// split splits words as a shell does, single quotes understood.
func split(typed string) []string {
	var words []string
	for i, part := range strings.Split(typed, "'") {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	return words
}
