package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Data is a file or folder to be copied into twins.
type Data struct {
	Workspace string // its name; "": every twin
	Path      string // where notebooks find it: dbfs:/… or /Volumes/…
	Source    string
}

// Copied is what became of a Data in one twin. Files that were there already, as old and as long, are not copied again.
type Copied struct {
	Workspace string `json:"workspace"`
	Path      string `json:"path"`
	Folder    string `json:"folder"` // on this machine
	Files     int    `json:"files"`
	Bytes     int64  `json:"bytes"`
	Fresh     int    `json:"fresh"` // how many of the files were copied now
}

var dataTarget = regexp.MustCompile(`^(?:([A-Za-z][A-Za-z0-9_-]{0,62}):)??(dbfs:/.*|/dbfs/.*|/Volumes/.*)$`)

// ParseData reads [WORKSPACE:]PATH=SOURCE.
func ParseData(text string) (Data, error) {
	target, source, _ := strings.Cut(text, "=")
	m := dataTarget.FindStringSubmatch(target)
	if m == nil || source == "" {
		return Data{}, fmt.Errorf("%q: write PATH=SOURCE, with dbfs:/… or /Volumes/… as PATH and a file or folder of this machine as SOURCE", text)
	}
	return Data{Workspace: m[1], Path: m[2], Source: source}, nil
}

// Check tells whether the source can be read and, where a workspace is named, whether it is one of names.
func (d Data) Check(names []string) error {
	if _, err := os.Stat(d.Source); err != nil {
		return fmt.Errorf("data for %s: %w", d.Path, err)
	}
	for _, name := range names {
		if d.Workspace == "" || d.Workspace == name {
			return nil
		}
	}
	return fmt.Errorf("data for %s: the sandbox has no workspace %q", d.Path, d.Workspace)
}

// folder is where Path lies in a twin.
func (d Data) folder(t TwinStatus) string {
	plain := strings.TrimPrefix(d.Path, "dbfs:")
	if d.Path != plain && !strings.HasPrefix(plain, "/Volumes/") {
		plain = "/dbfs" + path.Clean(plain)
	}
	plain = path.Clean(plain)
	if rest, ok := strings.CutPrefix(plain, "/Volumes"); ok {
		return filepath.Join(t.Volumes, filepath.FromSlash(rest))
	}
	return filepath.Join(t.DBFS, filepath.FromSlash(strings.TrimPrefix(plain, "/dbfs")))
}

// Put copies data into the twins it is meant for: a folder's content into the folder that Path names, over what is
// there; a file to Path, or into it where it ends with a slash or is a folder.
func (s Status) Put(d Data) ([]Copied, error) {
	var all []Copied
	for _, t := range s.Twins {
		if d.Workspace != "" && d.Workspace != t.Name {
			continue
		}
		c := Copied{Workspace: t.Name, Path: d.Path, Folder: d.folder(t)}
		if err := c.from(d.Source, strings.HasSuffix(d.Path, "/")); err != nil {
			return all, fmt.Errorf("copying %s to %s of workspace %s: %w", d.Source, d.Path, t.Name, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("data for %s: the sandbox has no workspace %q", d.Path, d.Workspace)
	}
	return all, nil
}

func (c *Copied) from(source string, into bool) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		to, err := os.Stat(c.Folder)
		if into || err == nil && to.IsDir() {
			return c.file(source, filepath.Join(c.Folder, filepath.Base(source)))
		}
		return c.file(source, c.Folder)
	}
	return filepath.WalkDir(source, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(source, name)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(c.Folder, inside), 0o700)
		}
		return c.file(name, filepath.Join(c.Folder, inside))
	})
}

// file copies one file beside its place and renames it there: a notebook that reads meanwhile sees the old one or the
// new one.
func (c *Copied) file(from, to string) error {
	info, err := os.Stat(from)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a link to a folder: name that folder as a source of its own", from)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", from)
	}
	c.Files, c.Bytes = c.Files+1, c.Bytes+info.Size()
	if old, err := os.Lstat(to); err == nil && old.Mode().IsRegular() && old.Size() == info.Size() && old.ModTime().Equal(info.ModTime()) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), ".barge-data-")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Chmod(0o600), out.Close()); err == nil {
		err = errors.Join(os.Chtimes(out.Name(), info.ModTime(), info.ModTime()), os.Rename(out.Name(), to))
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	c.Fresh++
	return nil
}
