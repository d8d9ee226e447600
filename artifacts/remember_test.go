package artifacts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bargeml/barge/environments"
)

// TestLargeModelsAreReadOnce: what a build has read of a large object stands for later builds into the same store; a
// store that lacks it, and a note that says nothing, have it read again. The id is the same with and without.
func TestLargeModelsAreReadOnce(t *testing.T) {
	y := newYard(t)
	y.write(map[string]string{"models/large.bin": strings.Repeat("0123456789abcdef", 1<<18), "models/small.bin": "small"})
	y.commit("models")
	y.project.Artifact.Models = []environments.Model{{Label: "m", Path: "models"}}
	first := y.build("")
	object := y.git("rev-parse", "HEAD:models/large.bin")
	note := filepath.Join(y.dir, ".git", "barge", "sha256", object)
	if said, err := os.ReadFile(note); err != nil || !strings.HasPrefix(string(said), first.Manifest.Models[0].Files[0].SHA256+" ") {
		t.Fatalf("the note is %q, %v", said, err)
	}
	if all, err := os.ReadDir(filepath.Dir(note)); err != nil || len(all) != 1 {
		t.Errorf("%d notes, %v, want one, of the large object", len(all), err)
	}

	loose := filepath.Join(y.dir, ".git", "objects", object[:2], object[2:])
	if err := os.Rename(loose, loose+".aside"); err != nil {
		t.Fatal(err)
	}
	if again := y.build(""); again.ID != first.ID {
		t.Errorf("from the note it is %s, want %s", again.ID, first.ID)
	}
	kept := y.store
	y.store = newStore(t)
	if _, err := y.try(""); err == nil {
		t.Error("a store without the object has got it from nowhere")
	}
	y.store = kept
	if err := os.Rename(loose+".aside", loose); err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{
		"", "nonsense\n", strings.Repeat("0", 64) + " 4194304\n", strings.Repeat("g", 64) + " 4194304\n",
		first.Manifest.Models[0].Files[0].SHA256 + " 5\n", first.Manifest.Models[0].Files[1].SHA256 + " 5\n",
	} {
		if err := os.WriteFile(note, []byte(said), 0o600); err != nil {
			t.Fatal(err)
		}
		if again := y.build(""); again.ID != first.ID {
			t.Errorf("with a note of %q it is %s, want %s", said, again.ID, first.ID)
		}
	}
}
