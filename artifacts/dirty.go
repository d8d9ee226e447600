package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// changed lists the tracked files under the project folder that the index or the working tree has otherwise than the
// commit, sorted. Line endings alone are no change: git converts them at checkout where it is told to.
func (c *Commit) changed(ctx context.Context) ([]string, error) {
	look, err := c.repo.lookAt()
	if err != nil {
		return nil, err
	}
	var changed []string
	inCommit := map[string]bool{}
	err = c.walk(ctx, c.Folder, func(e entry) error {
		inCommit[e.path] = true
		same, err := look.same(c, e)
		if err == nil && !same {
			changed = append(changed, e.path)
		}
		return err
	})
	if err != nil && !errors.Is(err, object.ErrDirectoryNotFound) {
		return nil, fmt.Errorf("comparing the working tree with HEAD: %w", err)
	}
	for name := range look.staged {
		if !inCommit[name] && (c.Folder == "." || strings.HasPrefix(name, c.Folder+"/")) {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed, nil
}

// unchanged holds files outside the project folder and those of submodules, which only the project's paths tell of, to
// what OpenCommit holds those in it.
func (c *Commit) unchanged(files []candidate) error {
	if !c.head || c.Folder == "." && len(c.borrowed) == 0 {
		return nil
	}
	look, err := c.repo.lookAt()
	if err != nil {
		return err
	}
	var changed []string
	for _, f := range files {
		here := c.Folder == "." || strings.HasPrefix(f.path, c.Folder+"/")
		if here && !f.borrowed || slices.Contains(c.LeftOut, f.path) {
			continue
		}
		same, err := look.same(c, f.entry)
		if err != nil {
			return fmt.Errorf("comparing the working tree with HEAD: %w", err)
		}
		if !same {
			changed = append(changed, f.path)
		}
	}
	if len(changed) > 0 && !c.allowDirty {
		return &DirtyError{Folder: c.Folder, Files: changed}
	}
	c.LeftOut = append(c.LeftOut, changed...)
	slices.Sort(c.LeftOut)
	return nil
}

// looker compares files of the working tree with blobs, and asks the index first: it remembers size and time of every
// file as git last saw it equal.
type looker struct {
	root      string
	staged    map[string]*index.Entry // nil entries: no index that can be read, every file is hashed
	indexTime time.Time
	sparse    map[string]plumbing.Hash // folders that a sparse index has whole, none of it being checked out
	execBits  bool
	symlinks  bool
}

func (r *repository) lookAt() (*looker, error) {
	config, err := r.config()
	if err != nil {
		return nil, err
	}
	core := config.Section("core")
	l := &looker{
		root: r.root, staged: map[string]*index.Entry{}, sparse: map[string]plumbing.Hash{},
		execBits: runtime.GOOS != "windows" && !strings.EqualFold(core.Option("filemode"), "false"),
		symlinks: runtime.GOOS != "windows" && !strings.EqualFold(core.Option("symlinks"), "false"),
	}
	file, err := os.Open(filepath.Join(r.gitDir, "index"))
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading git's index: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading git's index: %w", err)
	}
	l.indexTime = info.ModTime()
	var x index.Index
	isFolder := func(e *index.Entry) bool { return e.Mode == filemode.Dir }
	err = index.NewDecoder(file).Decode(&x)
	if isSparse := errors.Is(err, index.ErrUnknownExtension) && slices.ContainsFunc(x.Entries, isFolder); err != nil && !isSparse {
		return l, nil // a split index: it would only have saved the hashing
	}
	for _, e := range x.Entries {
		if isFolder(e) {
			l.sparse[strings.TrimSuffix(e.Name, "/")] = e.Hash
			continue
		}
		l.staged[e.Name] = e
	}
	return l, nil
}

func (l *looker) same(c *Commit, e entry) (bool, error) {
	if e.mode == filemode.Submodule {
		return true, nil // the files in it belong to another repository and cannot ship
	}
	staged := l.staged[e.path]
	if staged != nil && (staged.Hash != e.hash || staged.Mode != e.mode || staged.Stage != 0) {
		return false, nil
	}
	if staged == nil && len(l.staged) > 0 && !e.borrowed {
		return l.sameFolder(c, e) // or removed from the index
	}
	if staged != nil && staged.SkipWorktree {
		return true, nil // a sparse checkout has it not
	}
	name := filepath.Join(l.root, filepath.FromSlash(e.path))
	info, err := os.Lstat(name)
	if err != nil {
		return false, ignoreMissing(err)
	}
	if !l.sameKind(info, e.mode) {
		return false, nil
	}
	if staged != nil && l.fresh(staged, info) {
		return true, nil
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		to, err := os.Readlink(name)
		return err == nil && blobHash([]byte(filepath.ToSlash(to))) == e.hash, err
	}
	return l.sameContent(c, name, e)
}

// sameFolder says whether a file is in a folder that a sparse index has as the commit has it.
func (l *looker) sameFolder(c *Commit, e entry) (bool, error) {
	for dir := path.Dir(e.path); dir != "."; dir = path.Dir(dir) {
		if tree, ok := l.sparse[dir]; ok {
			in, _, err := c.find(dir)
			return in.hash == tree, err
		}
	}
	return false, nil
}

// ignoreMissing: a file that is gone, or whose folder became a file, is changed and no error.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "not a directory") {
		return nil
	}
	return err
}

func (l *looker) sameKind(info fs.FileInfo, mode filemode.FileMode) bool {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return mode == filemode.Symlink
	case !info.Mode().IsRegular():
		return false
	case mode == filemode.Symlink: // where the system has no symlinks git writes a file with the target in it
		return !l.symlinks
	}
	return !l.execBits || (info.Mode()&0o100 != 0) == (mode == filemode.Executable)
}

// fresh says that the file is as git last saw it. One that was changed in the instant in which the index was written
// could look so too, and is read instead.
func (l *looker) fresh(e *index.Entry, info fs.FileInfo) bool {
	if changed, known := changeTime(info); known && !changed.Equal(e.CreatedAt) {
		return false
	}
	return int64(e.Size) == info.Size() && e.ModifiedAt.Equal(info.ModTime()) && e.ModifiedAt.Before(l.indexTime)
}

func (l *looker) sameContent(c *Commit, name string, e entry) (bool, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return false, err
	}
	if blobHash(b) == e.hash {
		return true, nil
	}
	if bytes.Contains(b, []byte("\r\n")) && blobHash(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))) == e.hash {
		return true, nil
	}
	blob, err := readBlob(c.repo, e)
	if err != nil {
		return false, err
	}
	if pointer, ok := parsePointer(blob); ok {
		return pointer == lfsPointer{digestOf(b), int64(len(b))}, nil
	}
	unix := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }
	return bytes.Equal(unix(blob), unix(b)), nil
}

func blobHash(b []byte) plumbing.Hash {
	return plumbing.ComputeHash(plumbing.BlobObject, b)
}
