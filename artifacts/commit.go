package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// Commit is one commit of a repository, seen from a project folder in it. What is read from it comes from git's
// objects, never from the working tree. It serves one goroutine.
type Commit struct {
	Hash    string    // full, hex
	Ref     string    // the full name of the ref that was asked for, "" when it was a hash or HEAD is detached
	Time    time.Time // when it was committed
	Author  string    // "Name <mail>"
	Folder  string    // the project folder in the repository, slash-separated; "." is its root
	LeftOut []string  // what the working tree has otherwise than the commit, when that was allowed; sorted

	repo  *repository
	tree  *object.Tree
	lfs   *lfs
	packs *packReader // of one that reads many files, beside others; else nil

	borrowed []string // submodules whose files ship

	head, allowDirty bool // it was asked for as HEAD; its files may be changed in the working tree
}

// CommitOptions say which commit. The zero value is HEAD, of a clean working tree.
type CommitOptions struct {
	Ref        string // branch, tag, hash; "" is HEAD
	AllowDirty bool   // take HEAD although tracked files of the project are changed, and list them in LeftOut
	// HTTP reaches the git LFS server, for what the clone has not; nil: net/http's default.
	HTTP http.RoundTripper
}

// DirtyError names tracked files under the project that are not as HEAD has them.
type DirtyError struct {
	Folder string
	Files  []string
}

func (e *DirtyError) Error() string {
	const shown = 10
	list, more := e.Files, ""
	if len(list) > shown {
		list, more = list[:shown], fmt.Sprintf(" and %d more", len(e.Files)-shown)
	}
	return fmt.Sprintf("uncommitted changes in %s%s: an artifact is built from a commit: commit them, or leave them out with --allow-dirty",
		strings.Join(list, ", "), more)
}

// OpenCommit finds a commit of the repository that the project folder dir is in. Without a ref, changed tracked files
// under dir are a *DirtyError: what you see is not what would be built.
func OpenCommit(ctx context.Context, dir string, o CommitOptions) (*Commit, error) {
	r, err := openRepository(dir)
	if err != nil {
		return nil, err
	}
	folder, err := r.folder(dir)
	if err != nil {
		return nil, err
	}
	found, ref, err := r.resolve(o.Ref)
	if err != nil {
		return nil, err
	}
	if r.promisor, err = r.promisorOf(ctx); err != nil {
		return nil, err
	}
	tree, err := found.Tree()
	if err != nil {
		return nil, fmt.Errorf("reading commit %s: %w", found.Hash, missing(err))
	}
	c := &Commit{
		Hash: found.Hash.String(), Ref: ref, Time: found.Committer.When.UTC(), Folder: folder,
		Author: fmt.Sprintf("%s <%s>", found.Author.Name, found.Author.Email), repo: r, tree: tree,
	}
	c.lfs = &lfs{
		first: c.fetchFirst("origin"), answers: map[string]lfsAnswer{},
		server: sync.OnceValues(func() (*lfsServer, error) { return c.lfsServer(ctx, o.HTTP) }),
	}
	if o.Ref != "" {
		return c, nil
	}
	c.head, c.allowDirty = true, o.AllowDirty
	c.LeftOut, err = c.changed(ctx)
	if err == nil && len(c.LeftOut) > 0 && !o.AllowDirty {
		err = &DirtyError{Folder: folder, Files: c.LeftOut}
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// folder gives dir's place in the repository.
func (r *repository) folder(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", fmt.Errorf("opening git repository: %w", err)
	}
	below, err := filepath.Rel(r.root, dir)
	if err != nil {
		return "", fmt.Errorf("opening git repository: %w", err)
	}
	return filepath.ToSlash(below), nil
}

// missing explains an object that is not in a clone that should be whole.
func missing(err error) error {
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return fmt.Errorf("%w in this clone, which is damaged: git fsck tells more, and a new clone has it", err)
	}
	return err
}

// place turns a path as a project writes it (relative to its folder, maybe leaving it) into one in the repository.
func (c *Commit) place(written string) (string, error) {
	if path.IsAbs(written) || filepath.IsAbs(written) || strings.Contains(written, `\`) {
		return "", fmt.Errorf("path %q must be relative to barge.hcl and written with slashes", written)
	}
	p := path.Join(c.Folder, written)
	if p == ".." || strings.HasPrefix(p, "../") {
		return "", fmt.Errorf("path %q leaves the repository: an artifact holds what is in git", written)
	}
	return p, nil
}

// entry is one file, symlink or submodule of a commit.
type entry struct {
	path string // in the repository
	hash plumbing.Hash
	mode filemode.FileMode

	borrowed bool // it is in a submodule
}

// walk calls fn for all that is below a folder of the repository, in git's order. There being no such folder is
// object.ErrDirectoryNotFound.
func (c *Commit) walk(ctx context.Context, folder string, fn func(entry) error) error {
	tree := c.tree
	if folder != "." {
		t, err := c.tree.Tree(folder)
		if err != nil {
			return missing(err)
		}
		tree = t
	}
	return c.descend(ctx, tree, folder, fn)
}

func (c *Commit) descend(ctx context.Context, tree *object.Tree, at string, fn func(entry) error) error {
	for _, e := range tree.Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.Name == "" || e.Name == "." || e.Name == ".." || strings.ContainsAny(e.Name, "/\x00") {
			return fmt.Errorf("commit %s holds the file name %q, which no file can have", c.Hash, path.Join(at, e.Name))
		}
		p := path.Join(at, e.Name)
		if e.Mode != filemode.Dir {
			if err := fn(entry{path: p, hash: e.Hash, mode: e.Mode}); err != nil {
				return err
			}
			continue
		}
		sub, err := object.GetTree(c.repo, e.Hash)
		if err != nil {
			return fmt.Errorf("reading folder %s: %w", p, missing(err))
		}
		if err := c.descend(ctx, sub, p, fn); err != nil {
			return err
		}
	}
	return nil
}

// find looks one path up; false when the commit has no such thing.
func (c *Commit) find(p string) (entry, bool, error) {
	e, err := c.tree.FindEntry(p)
	if errors.Is(err, object.ErrEntryNotFound) || errors.Is(err, object.ErrDirectoryNotFound) || err != nil && c.inSubmodule(p) {
		return entry{}, false, nil
	}
	if err != nil {
		return entry{}, false, fmt.Errorf("reading %s: %w", p, missing(err))
	}
	return entry{path: p, hash: e.Hash, mode: e.Mode}, true, nil
}

// ReadFile reads one file of the commit, by its path as the project writes it.
func (c *Commit) ReadFile(written string) ([]byte, error) {
	p, err := c.place(written)
	if err != nil {
		return nil, err
	}
	e, ok, err := c.find(p)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("commit %.12s has no file %s", c.Hash, p)
	}
	if e, err = c.follow(e); err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	return c.content(context.Background(), e)
}

// atRoot reads a file at the repository's root; fs.ErrNotExist when there is none.
func (c *Commit) atRoot(name string) ([]byte, error) {
	e, ok, err := c.find(name)
	if err != nil {
		return nil, err
	}
	if !ok || !e.mode.IsFile() {
		return nil, fs.ErrNotExist
	}
	return readBlob(c.repo, e)
}

// Files lists the files directly in the project folder whose name matches a pattern of path.Match, sorted.
func (c *Commit) Files(pattern string) ([]string, error) {
	tree := c.tree
	if c.Folder != "." {
		t, err := c.tree.Tree(c.Folder)
		if errors.Is(err, object.ErrDirectoryNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, missing(err)
		}
		tree = t
	}
	var names []string
	for _, e := range tree.Entries {
		match, err := path.Match(pattern, e.Name)
		if err != nil {
			return nil, err
		}
		if match && e.Mode.IsFile() {
			names = append(names, e.Name)
		}
	}
	return names, nil
}

// follow replaces a symlink by the file that it leads to, inside the repository. Errors do not name the file.
func (c *Commit) follow(e entry) (entry, error) {
	for range 16 {
		switch e.mode {
		case filemode.Symlink:
		case filemode.Submodule:
			return e, errors.New("it is a git submodule, which is not part of the commit: begin a pattern of notebooks.include with it, exclude it, or bring its files into the repository")
		default:
			return e, nil
		}
		b, err := readBlob(c.repo, e)
		if err != nil {
			return e, err
		}
		to := path.Join(path.Dir(e.path), string(b))
		if path.IsAbs(string(b)) || to == ".." || strings.HasPrefix(to, "../") {
			return e, fmt.Errorf("it is a symlink out of the repository (to %s): replace it by the file, or exclude it", b)
		}
		next, ok, err := c.find(to)
		if err != nil {
			return e, err
		}
		if ok && next.mode == filemode.Dir {
			return e, fmt.Errorf("it is a symlink to the folder %s, whose files would not ship: name that folder (notebooks.from), or exclude it", to)
		}
		if !ok {
			return e, fmt.Errorf("it is a symlink to %s, which is no file of the commit: replace it by the file, or exclude it", to)
		}
		e = next
	}
	return e, errors.New("it is a symlink that leads nowhere: replace it by the file, or exclude it")
}

func openBlob(s storer.EncodedObjectStorer, e entry) (io.ReadCloser, int64, error) {
	o, err := s.EncodedObject(plumbing.BlobObject, e.hash)
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", e.path, missing(err))
	}
	r, err := o.Reader()
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", e.path, err)
	}
	return r, o.Size(), nil
}

func readBlob(s storer.EncodedObjectStorer, e entry) ([]byte, error) {
	r, size, err := openBlob(s, e)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	b.Grow(int(size))
	if _, err := io.Copy(&b, r); err != nil {
		return nil, fmt.Errorf("reading %s: %w", e.path, err)
	}
	return b.Bytes(), nil
}
