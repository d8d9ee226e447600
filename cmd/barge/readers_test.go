package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var readerTools = flag.String("readers", "", "the folder with oras and crane; skopeo is looked for on PATH")

const specification = "../../docs/artifact.md"

// TestReaders types the commands of the specification's "Other tools": skopeo and oras read a store that barge wrote,
// copy to a registry and back, and barge reads what they wrote. `make readers` brings the tools and runs it. Scripts have
// one more verb: page BLOCK [N], as the handbook's. $REGISTRY is a registry in a process of its own.
func TestReaders(t *testing.T) {
	if *readerTools == "" {
		t.Skip("make readers runs it: it needs skopeo, oras and crane")
	}
	t.Setenv("PATH", *readerTools+string(filepath.ListSeparator)+os.Getenv("PATH"))
	for _, tool := range []string{"skopeo", "oras", "crane"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%v: skopeo is a package of every Linux distribution, make brings the others", err)
		}
	}
	text, err := os.ReadFile(specification)
	if err != nil {
		t.Fatal(err)
	}
	address := serveRegistry(t)
	home := t.TempDir()
	settings := filepath.Join(home, ".config", "containers")
	plain := fmt.Sprintf("[[registry]]\nlocation = %q\ninsecure = true\n", address) // skopeo wants TLS on this machine too
	if err := os.MkdirAll(settings, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(settings, "registries.conf"), []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	commands := commandsOf(t, string(text))
	p := scripts("readers")
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("REGISTRY", address)
		env.Setenv("HOME", home)
		return setup(env)
	}
	untyped := typing(p, commands)
	t.Run("page", func(t *testing.T) { testscript.Run(t, p) })
	if t.Failed() {
		return
	}
	for _, c := range untyped() {
		t.Errorf("no script types %q of block %s", c.line, c.block)
	}
}

var servingOn = regexp.MustCompile(`serving on port (\d+)`)

// serveRegistry runs an empty registry until the test ends, and gives its address.
func serveRegistry(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(*readerTools, "crane"), "registry", "serve", "--address", "localhost:0")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var said strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if m := servingOn.FindStringSubmatch(lines.Text()); m != nil {
			go func() {
				for lines.Scan() { // a full pipe would stop it
				}
			}()
			return "localhost:" + m[1]
		}
	}
	t.Fatalf("crane registry serve: %s", said.String())
	return ""
}
