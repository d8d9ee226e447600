package artifacts

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSubmodule: its files ship when a pattern of include begins with it, as the commit that is named has them.
func TestSubmodule(t *testing.T) {
	y := newYard(t)
	vendor := newRepo(t, map[string]string{"lib/clean.py": notebook("1"), "lib/m.py": "X = 1\n", "README.md": "x"})
	y.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "file://"+vendor.dir, "notebooks/vendor")
	y.write(map[string]string{"notebooks/more.py": notebook("# MAGIC %run ./vendor/lib/clean")})
	y.commit("vendor")
	y.project.Artifact.Notebooks.Include = []string{"*.py", "*.ipynb", "shared/*", "vendor/lib/*.py"}
	m := y.build("").Manifest
	if _, ok := m.Notebook("vendor/lib/clean"); !ok || !strings.Contains(strings.Join(m.objects(), " "), "vendor/lib/m.py") {
		t.Fatalf("it ships %v", m.objects())
	}

	y.write(map[string]string{"notebooks/vendor/lib/clean.py": notebook("2")})
	if _, err := y.try(""); err == nil || !strings.Contains(err.Error(), "uncommitted changes in notebooks/vendor/lib/clean.py") {
		t.Errorf("changed in the submodule: %v", err)
	}

	clone := filepath.Join(t.TempDir(), "clone")
	gitIn(t, t.TempDir(), "clone", "-q", "file://"+y.dir, clone)
	y.dir = clone
	_, err := y.try("")
	for _, want := range []string{"notebooks/vendor: it is a git submodule that is not in this clone", "git submodule update --init notebooks/vendor brings it"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("not in the clone: %v", err)
		}
	}
	y.git("-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init", "--depth", "1")
	if diff := cmp.Diff(m, y.build("").Manifest); diff != "" {
		t.Errorf("a clone's (-want +got):\n%s", diff)
	}
}
