package disk_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/sandbox/disk"
)

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "deep", "state.json")
	got := map[string]int{"kept": 1}
	if err := disk.Load(file, &got); err != nil || got["kept"] != 1 {
		t.Errorf("loading nothing: %v, %v", got, err)
	}
	for n := range 3 {
		if err := disk.Save(file, map[string]int{"n": n}); err != nil {
			t.Fatal(err)
		}
	}
	if err := disk.Load(file, &got); err != nil || got["n"] != 2 {
		t.Errorf("got %v, %v", got, err)
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside it lie %v, %v", entries, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := disk.Load(file, &got); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("loading half a file: %v", err)
	}
}
