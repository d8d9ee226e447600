package environments

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var authNamed = regexp.MustCompile("auth \"([a-z-]+)\"|`\"([a-z-]+)\"`")

// TestKindsOfAuthAreThere holds what the README says of signing in against the kinds that there are.
func TestKindsOfAuthAreThere(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	paragraph := regexp.MustCompile(`(?s)## Sign-in\n.*?\n## `).Find(text)
	found := authNamed.FindAllStringSubmatch(string(paragraph), -1)
	if len(found) < 4 {
		t.Fatalf("the README names %d kinds of auth", len(found))
	}
	for _, m := range found {
		if _, ok := authKinds[m[1]+m[2]]; !ok {
			t.Errorf("the README names auth %q, which there is not", m[1]+m[2])
		}
	}
}
