package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Folder is a store in a folder of this host's file system, which must know hard links. A crash leaves at most a
// temporary file behind, which is never listed.
type Folder struct{ root string }

// NewFolder returns the store at root, which need not be there yet.
func NewFolder(root string) Folder { return Folder{root: root} }

const temporary = ".new-"

// Create writes the bytes beside the name, brings them to the disk, and links them to it.
func (f Folder) Create(_ context.Context, name string, b []byte) error {
	path := filepath.Join(f.root, filepath.FromSlash(name))
	dir := filepath.Dir(path)
	temp, err := write(dir, b)
	if err != nil {
		return fmt.Errorf("writing %s: %w: %w", path, ErrNotCreated, err)
	}
	defer os.Remove(temp)
	switch err := os.Link(temp, path); {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("creating %s: %w", path, ErrExists)
	case err != nil:
		return fmt.Errorf("creating %s: %w: %w", path, ErrNotCreated, err)
	}
	// Until the folders are on the disk too, a crash could still take the entry back.
	for ; ; dir = filepath.Dir(dir) {
		if err := syncDir(dir); err != nil {
			return fmt.Errorf("creating %s: %w", path, err)
		}
		if dir == filepath.Clean(f.root) || dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// write brings the bytes to the disk in a temporary file of dir.
func write(dir string, b []byte) (path string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	temp, err := os.CreateTemp(dir, temporary+"*")
	if err != nil {
		return "", err
	}
	defer func() {
		if closed := temp.Close(); err == nil {
			err = closed
		}
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	if err := temp.Chmod(0o444); err != nil {
		return "", err
	}
	if _, err := temp.Write(b); err != nil {
		return "", err
	}
	return temp.Name(), temp.Sync()
}

// Read returns the file's bytes.
func (f Folder) Read(_ context.Context, name string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(f.root, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(f.root, name), ErrNotExist)
	}
	return b, err
}

// List returns what stands in dir.
func (f Folder) List(_ context.Context, dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(f.root, filepath.FromSlash(dir)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), temporary) {
			names = append(names, e.Name())
		}
	}
	return names, err
}
