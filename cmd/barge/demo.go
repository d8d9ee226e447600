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
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/sandbox"
)

// act is one act of the story: what is typed, and with which exit code it ends.
type act struct {
	title string
	lines []line
}

type line struct {
	typed string
	exit  int // of a barge command
}

// story is the diabetes project's: a release, a refusal, a better release, a rollback.
var story = []act{
	{"Act 1: train in dev, tag, build, promote to test and prod", []line{
		{"git tag v1.0.0", 0},
		{"barge train", 0},
		{"barge build", 0},
		{"barge inspect 1.0.0", 0},
		{"barge promote --to test", 0},
		{"barge promote --to prod", 0},
	}},
	{"Act 2: a worse model, and the gate says no", []line{
		{"edit features Age,BMI", 0},
		{"git commit -qam 'Use age and BMI'", 0},
		{"git tag v1.1.0", 0},
		{"barge train", 0},
		{"barge build", 0},
		{"barge promote 1.1.0 --to test", 3},
		{"barge status", 0},
	}},
	{"Act 3: a better model goes through to prod", []line{
		{"edit features Pregnancies,Glucose,BloodPressure,SkinThickness,Insulin,BMI,DiabetesPedigreeFunction,Age", 0},
		{"git commit -qam 'Use all features'", 0},
		{"git tag v1.2.0", 0},
		{"barge train", 0},
		{"barge build", 0},
		{"barge promote 1.2.0 --to test", 0},
		{"barge promote --to prod", 0},
		{"barge status", 0},
	}},
	{"Act 4: take it back", []line{
		{"barge rollback --env prod --reason 'scores look wrong'", 0},
		{"barge status", 0},
		{"barge history --env prod", 0},
		{"barge promote --to prod", 8},
	}},
}

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

func (h *house) demo(ctx context.Context, dir string) (err error) {
	if dir, err = emptyFolder(dir); err != nil {
		return err
	}
	out := h.console.Out
	fmt.Fprintf(out, "playing in %s\n", dir)
	if err := copyProject(dir); err != nil {
		return err
	}
	for _, typed := range []string{"git init -q", "git add .", "git commit -qm 'The diabetes project'"} {
		if err := play(ctx, h, dir, line{typed, 0}); err != nil {
			return err
		}
	}
	project, diags := environments.Load(dir, environments.Options{Sandbox: true})
	if diags.HasErrors() {
		return diags
	}
	var names []string
	for _, w := range project.Workspaces {
		names = append(names, w.Name)
	}
	s, err := sandbox.Start(ctx, sandbox.Config{Dir: filepath.Join(dir, ".barge", "sandbox"), Workspaces: names, Progress: h.console.Err})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, a := range story {
		fmt.Fprintf(out, "\n== %s ==\n", a.title)
		for _, l := range a.lines {
			if err := play(ctx, h, dir, l); err != nil {
				return fmt.Errorf("%s: %w", a.title, err)
			}
		}
	}
	fmt.Fprintf(out, "\nThe project and its twins are kept. What to try next:\n\n"+
		"  cd %s\n  export BARGE_SANDBOX=1\n"+
		"  barge sandbox up                  the twins, again\n"+
		"  barge history --env test          every gate and its outcome\n"+
		"  barge rollback 1.2.0 --env prod   refused: it is barred\n"+
		"  $EDITOR barge.hcl                 then commit, barge train, barge build, barge promote --to test\n"+
		"  barge sandbox down\n", dir)
	return nil
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

// play shows a line as a user would type it and does what it says.
func play(ctx context.Context, h *house, dir string, l line) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	words := split(l.typed)
	switch words[0] {
	case "edit":
		fmt.Fprintf(h.console.Out, "\n# in barge.hcl: features = %q\n", words[2])
		return editFeatures(filepath.Join(dir, "barge.hcl"), words[2])
	case "git":
		fmt.Fprintf(h.console.Out, "\n$ %s\n", l.typed)
		return git(ctx, h.console.Err, dir, words[1:]...)
	}
	fmt.Fprintf(h.console.Out, "\n$ %s\n", l.typed)
	argv := append(words, "--sandbox", "--dir", dir)
	if code := run(ctx, argv, strings.NewReader(""), h.console.Out, h.console.Err); code != l.exit {
		return fmt.Errorf("%s ended with exit code %d, not %d", l.typed, code, l.exit)
	}
	if l.exit != 0 {
		fmt.Fprintf(h.console.Out, "(exit code %d)\n", l.exit)
	}
	return nil
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

// editFeatures changes the one line that the trainings of the story differ in.
func editFeatures(file, features string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := strings.Split(string(b), "\n")
	for i, l := range lines {
		if strings.Contains(l, "features = ") {
			lines[i] = l[:strings.Index(l, "features")] + fmt.Sprintf("features = %q", features)
			return os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644)
		}
	}
	return fmt.Errorf("%s has no features to edit", file)
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
