package ledger_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/ledger/ledgertest"
)

func TestStores(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		stores := map[string]*ledgertest.Memory{}
		ledgertest.Conformance(t, func(_ *testing.T, name string) ledger.Store {
			if stores[name] == nil {
				stores[name] = ledgertest.NewMemory()
			}
			return stores[name].Client()
		})
	})
	t.Run("folder", func(t *testing.T) {
		root := t.TempDir()
		ledgertest.Conformance(t, func(_ *testing.T, name string) ledger.Store {
			return ledger.NewFolder(filepath.Join(root, name))
		})
	})
	t.Run("workspace", func(t *testing.T) {
		w := &workspace{files: map[string][]byte{}}
		ledgertest.Conformance(t, func(_ *testing.T, name string) ledger.Store {
			return ledger.NewWorkspace(w, "/Barge/"+name+"/ledger")
		})
	})
}

// workspace answers as databricks.Workspace does.
type workspace struct {
	mu    sync.Mutex
	files map[string][]byte
	fail  error
}

func (w *workspace) CreateFile(_ context.Context, p string, content []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return w.fail
	}
	if _, taken := w.files[p]; taken {
		return &databricks.Error{Status: 400, Err: fs.ErrExist}
	}
	w.files[p] = content
	return nil
}

func (w *workspace) ReadFile(_ context.Context, p string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b, ok := w.files[p]; ok {
		return b, nil
	}
	return nil, &databricks.Error{Status: 404, Err: fs.ErrNotExist}
}

func (w *workspace) List(_ context.Context, folder string) ([]databricks.Object, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := map[string]bool{}
	var objects []databricks.Object
	for p := range w.files {
		if below, ok := strings.CutPrefix(p, folder+"/"); ok {
			child, _, _ := strings.Cut(below, "/")
			if !seen[child] {
				objects = append(objects, databricks.Object{Path: path.Join(folder, child)})
			}
			seen[child] = true
		}
	}
	if objects == nil {
		return nil, &databricks.Error{Status: 404, Err: fs.ErrNotExist}
	}
	return objects, nil
}

func TestWorkspaceTellsWhatIsDefinite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail     error
		definite bool
	}{
		"no right":      {&databricks.Error{Status: 403, Err: databricks.ErrForbidden}, true},
		"bad gateway":   {&databricks.Error{Status: 502}, false},
		"no answer":     {&databricks.Error{Err: context.DeadlineExceeded}, false},
		"another error": {errors.New("reset"), false},
	} {
		err := ledger.NewWorkspace(&workspace{fail: c.fail}, "/l").Create(context.Background(), "0/1.json", nil)
		if got := errors.Is(err, ledger.ErrNotCreated); got != c.definite || !errors.Is(err, c.fail) {
			t.Errorf("%s: definite %v, want %v, and the error kept: %v", name, got, c.definite, err)
		}
	}
}

func TestFolderSurvivesACrashBeforeTheLink(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "0"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "0", ".new-123"), []byte(`{"half`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := ledger.NewFolder(root)
	if names, err := s.List(context.Background(), "0"); err != nil || len(names) != 0 {
		t.Errorf("listed %v, %v, want nothing", names, err)
	}
	if err := s.Create(context.Background(), "0/1.json", []byte("{}")); err != nil {
		t.Error(err)
	}
}

func TestFolderSaysThatNothingWasCreated(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(root, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ledger.NewFolder(root).Create(context.Background(), "0/1.json", nil); !errors.Is(err, ledger.ErrNotCreated) {
		t.Errorf("%v, want ErrNotCreated", err)
	}
}
