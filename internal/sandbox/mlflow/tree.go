package mlflow

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"
)

// tree is a folder whose files are served by slash-separated paths. No path leads out of it, by dots or by links.
// The folder is made when first written to.
type tree struct{ dir string }

// partial begins the names of uploads that are not complete yet; they lie at the top and are never listed.
const partial = ".partial-"

// entry is a file or folder, its path as it was asked for.
type entry struct {
	Path  string
	Dir   bool
	Size  int64
	Milli int64 // last modified
}

// within cleans a path; "" is the top.
func within(p string) string {
	if p = strings.TrimPrefix(path.Clean("/"+p), "/"); p == "" {
		return "."
	}
	return p
}

func (t tree) open() (*os.Root, error) {
	if t.dir == "" {
		return nil, fs.ErrNotExist
	}
	return os.OpenRoot(t.dir)
}

func (t tree) stat(p string) (fs.FileInfo, error) {
	root, err := t.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Stat(within(p))
}

func (t tree) isDir(p string) bool {
	info, err := t.stat(p)
	return err == nil && info.IsDir()
}

func (t tree) isFile(p string) bool {
	info, err := t.stat(p)
	return err == nil && info.Mode().IsRegular()
}

// read opens a file; the caller closes it.
func (t tree) read(p string) (*os.File, error) {
	root, err := t.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(within(p))
}

// list is the folder's entries by name, or the file itself when p is one.
func (t tree) list(p string) ([]entry, error) {
	root, err := t.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	p = within(p)
	info, err := root.Stat(p)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []entry{entryOf(p, info)}, nil
	}
	found, err := fs.ReadDir(root.FS(), p)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, d := range found {
		if strings.HasPrefix(d.Name(), partial) {
			continue
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, entryOf(path.Join(p, d.Name()), info))
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Path < entries[j].Path })
	return entries, nil
}

func entryOf(p string, info fs.FileInfo) entry {
	e := entry{Path: p, Dir: info.IsDir(), Milli: info.ModTime().UnixMilli()}
	if !e.Dir {
		e.Size = info.Size()
	}
	return e
}

// write stores a file and its folders. The file is there whole or not at all.
func (t tree) write(p string, from io.Reader) error {
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	root, err := t.open()
	if err != nil {
		return err
	}
	defer root.Close()
	p = within(p)
	if err := root.MkdirAll(path.Dir(p), 0o755); err != nil {
		return err
	}
	tmp := partial + newID()
	f, err := root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(tmp, p)
	}
	if err != nil {
		_ = root.Remove(tmp)
	}
	return err
}

func (t tree) mkdir(p string) error {
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	root, err := t.open()
	if err != nil {
		return err
	}
	defer root.Close()
	return root.MkdirAll(within(p), 0o755)
}

// remove deletes p with all below it; a missing one is fine. The top itself stays.
func (t tree) remove(p string) error {
	root, err := t.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	if p = within(p); p == "." {
		return fmt.Errorf("%s cannot be removed whole", t.dir)
	}
	return root.RemoveAll(p)
}

// copyTo copies the folder p into folder q of another tree.
func (t tree) copyTo(p string, other tree, q string) error {
	if err := other.mkdir(q); err != nil {
		return err
	}
	entries, err := t.list(p)
	if err != nil {
		return err
	}
	for _, e := range entries {
		to := path.Join(q, path.Base(e.Path))
		if e.Dir {
			err = t.copyTo(e.Path, other, to)
		} else {
			err = t.copyFile(e.Path, other, to)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t tree) copyFile(p string, other tree, q string) error {
	from, err := t.read(p)
	if err != nil {
		return err
	}
	defer from.Close()
	return other.write(q, from)
}
