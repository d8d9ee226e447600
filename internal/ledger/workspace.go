package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/bargeml/barge/internal/databricks"
)

// Files are the calls of a databricks.Workspace that a ledger needs.
type Files interface {
	CreateFile(ctx context.Context, path string, content []byte) error
	ReadFile(ctx context.Context, path string) ([]byte, error)
	List(ctx context.Context, folder string) ([]databricks.Object, error)
}

// Workspace is a store in a folder of a Databricks workspace.
type Workspace struct {
	files Files
	root  string
}

// NewWorkspace returns the store at root, an absolute path of the workspace that need not be there yet.
func NewWorkspace(files Files, root string) Workspace { return Workspace{files: files, root: root} }

// Create writes a workspace file that must not be there.
func (w Workspace) Create(ctx context.Context, name string, b []byte) error {
	err := w.files.CreateFile(ctx, path.Join(w.root, name), b)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: %w", ErrExists, err)
	case databricks.Definite(err):
		return fmt.Errorf("%w: %w", ErrNotCreated, err)
	}
	return err
}

// Read returns the file's bytes.
func (w Workspace) Read(ctx context.Context, name string) ([]byte, error) {
	b, err := w.files.ReadFile(ctx, path.Join(w.root, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNotExist, err)
	}
	return b, err
}

// List returns what stands in dir.
func (w Workspace) List(ctx context.Context, dir string) ([]string, error) {
	objects, err := w.files.List(ctx, path.Join(w.root, dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, o := range objects {
		names = append(names, path.Base(o.Path))
	}
	return names, err
}
