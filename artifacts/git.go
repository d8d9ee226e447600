package artifacts

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	gitconfig "github.com/go-git/go-git/v5/plumbing/format/config"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// ErrNoRepository says that a folder is in no git repository that can be built from.
var ErrNoRepository = errors.New("not a git repository")

// repository is a git repository on disk, read without git: objects loose and packed, worktrees, alternates, shallow
// clones; only what a partial clone lacks is fetched with it. go-git's own Repository is not used: it refuses repositories for extensions that do not concern a reader.
type repository struct {
	root    string // of the working tree
	gitDir  string
	common  string   // what worktrees share; gitDir but in a linked worktree
	objects []string // the folders of its objects: its own, and those that it borrows from
	*filesystem.Storage
	lenders  []*filesystem.Storage // of the objects that it borrows
	promisor *promisor             // of a partial clone whose commit is read, else nil
}

// openRepository finds the repository that a folder is in.
func openRepository(dir string) (*repository, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("opening git repository: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(filepath.Join(at, ".git"))
		if errors.Is(err, fs.ErrNotExist) {
			if isGitDir(at) {
				return nil, fmt.Errorf("%w with a working tree: %s is bare: run barge in a clone of it, beside barge.hcl", ErrNoRepository, at)
			}
			if at == filepath.Dir(at) {
				return nil, fmt.Errorf("%w: %s: an artifact is built from a commit: git init, git add and git commit come first", ErrNoRepository, dir)
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("opening git repository: %w", err)
		}
		return openAt(at, info.IsDir())
	}
}

func isGitDir(dir string) bool {
	for _, name := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

func openAt(root string, plainDir bool) (*repository, error) {
	r := &repository{root: root, gitDir: filepath.Join(root, ".git")}
	if !plainDir { // a linked worktree or a submodule
		to, err := readPointer(r.gitDir, "gitdir: ", root)
		if err != nil {
			return nil, err
		}
		r.gitDir = to
	}
	r.common = r.gitDir
	if to, err := readPointer(filepath.Join(r.gitDir, "commondir"), "", r.gitDir); err == nil {
		r.common = to
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if !isGitDir(r.common) {
		return nil, fmt.Errorf("%w: %s points to %s, which is none", ErrNoRepository, filepath.Join(root, ".git"), r.common)
	}
	if err := r.readable(); err != nil {
		return nil, err
	}
	var err error
	if r.objects, err = objectFolders(filepath.Join(r.common, "objects")); err != nil {
		return nil, err
	}
	return r.opened(filesystem.Options{}), nil
}

// readPointer reads a one-line file that names a folder, relative to base.
func readPointer(file, prefix, base string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("opening git repository: %w", err)
	}
	to, ok := strings.CutPrefix(strings.TrimSpace(string(b)), prefix)
	if !ok || to == "" {
		return "", fmt.Errorf("%w: %s names no folder", ErrNoRepository, file)
	}
	if to = filepath.FromSlash(to); !filepath.IsAbs(to) {
		to = filepath.Join(base, to)
	}
	return to, nil
}

// config reads the repository's own configuration; neither the user's nor the system's can change what is built.
func (r *repository) config() (*gitconfig.Config, error) {
	b, err := os.ReadFile(filepath.Join(r.common, "config"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening git repository: %w", err)
	}
	c := gitconfig.New()
	if err := gitconfig.NewDecoder(bytes.NewReader(b)).Decode(c); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(r.common, "config"), err)
	}
	return c, nil
}

func (r *repository) readable() error {
	c, err := r.config()
	if err != nil {
		return err
	}
	extensions := c.Section("extensions")
	if f := extensions.Option("objectformat"); f != "" && !strings.EqualFold(f, "sha1") {
		return fmt.Errorf("opening git repository %s: objects named by %s are not supported: "+
			"git init --object-format=sha1 COPY && git fast-export --all | git -C COPY fast-import makes a copy that is", r.root, f)
	}
	if f := extensions.Option("refstorage"); f != "" && !strings.EqualFold(f, "files") {
		return fmt.Errorf("opening git repository %s: refs kept as %s are not supported: git refs migrate --ref-format=files", r.root, f)
	}
	return nil
}

// origin is where the repository was cloned from, without any credentials in it; "" when it says nothing.
func (r *repository) origin() string {
	c, err := r.config()
	if err != nil {
		return ""
	}
	remote := c.Section("remote").Subsection("origin").Option("url")
	if u, err := url.Parse(remote); err == nil && u.Scheme != "" {
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		return u.String()
	}
	if strings.Contains(remote, "://") { // a URL that does not parse may still hold a password
		return ""
	}
	return remote
}

func (r *repository) shallow() bool {
	hashes, err := r.Shallow()
	return err == nil && len(hashes) > 0
}

// resolve finds the commit that a ref means: "" is HEAD, else a branch, a tag, or a commit's hash, full or from four
// digits on. It also says what the ref was called in full, "" for a hash.
func (r *repository) resolve(ref string) (*object.Commit, string, error) {
	if ref == "" || ref == "HEAD" {
		return r.head()
	}
	if isHex(ref, 20) {
		c, err := r.peel(plumbing.NewHash(ref))
		if err != nil {
			return nil, "", fmt.Errorf("resolving %s: %w%s", ref, err, r.shallowHint())
		}
		return c, "", nil
	}
	for _, rule := range append(slices.Clone(plumbing.RefRevParseRules), "refs/remotes/origin/%s") {
		name := plumbing.ReferenceName(fmt.Sprintf(rule, ref))
		found, err := storer.ResolveReference(r, name)
		if err != nil {
			continue
		}
		c, err := r.peel(found.Hash())
		if err != nil {
			return nil, "", fmt.Errorf("resolving %s: %w", name, err)
		}
		return c, string(name), nil
	}
	c, err := r.abbreviated(ref)
	return c, "", err
}

func (r *repository) head() (*object.Commit, string, error) {
	head, err := storer.ResolveReference(r, plumbing.HEAD)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return nil, "", fmt.Errorf("%s has no commit yet: an artifact is built from one: git add and git commit come first", r.root)
	}
	if err != nil {
		return nil, "", fmt.Errorf("resolving HEAD: %w", err)
	}
	c, err := r.peel(head.Hash())
	if err != nil {
		return nil, "", fmt.Errorf("resolving HEAD: %w", err)
	}
	name := ""
	if head.Name() != plumbing.HEAD {
		name = string(head.Name())
	}
	return c, name, nil
}

// abbreviated resolves the first digits of a commit's hash.
func (r *repository) abbreviated(ref string) (*object.Commit, error) {
	var commits []*object.Commit
	even, err := hex.DecodeString(ref[:len(ref)&^1])
	if err == nil && len(ref) >= 4 {
		hashes, err := r.HashesWithPrefix(even)
		if err != nil {
			return nil, fmt.Errorf("resolving %s: %w", ref, err)
		}
		for _, h := range hashes {
			if c, err := object.GetCommit(r, h); err == nil && strings.HasPrefix(h.String(), strings.ToLower(ref)) {
				commits = append(commits, c)
			}
		}
	}
	switch len(commits) {
	case 1:
		return commits[0], nil
	case 0:
		return nil, fmt.Errorf("resolving %s: no branch, tag or commit of that name%s%s", ref, didYouMean(ref, r.refNames()), r.shallowHint())
	}
	return nil, fmt.Errorf("resolving %s: it begins %d commits: give more digits", ref, len(commits))
}

func (r *repository) shallowHint() string {
	if !r.shallow() {
		return ""
	}
	return " (this clone is shallow: git fetch --unshallow --tags brings the rest)"
}

// peel follows annotated tags to their commit.
func (r *repository) peel(h plumbing.Hash) (*object.Commit, error) {
	for range 16 {
		o, err := r.EncodedObject(plumbing.AnyObject, h)
		if err != nil {
			return nil, fmt.Errorf("object %s: %w", h, err)
		}
		switch o.Type() {
		case plumbing.CommitObject:
			return object.DecodeCommit(r, o)
		case plumbing.TagObject:
			t, err := object.DecodeTag(r, o)
			if err != nil {
				return nil, err
			}
			h = t.Target
		default:
			return nil, fmt.Errorf("object %s is a %s, not a commit", h, o.Type())
		}
	}
	return nil, fmt.Errorf("object %s: too many tags of tags", h)
}

func (r *repository) refNames() []string {
	var names []string
	refs, err := r.IterReferences()
	if err != nil {
		return nil
	}
	_ = refs.ForEach(func(ref *plumbing.Reference) error {
		if ref.Name().IsBranch() || ref.Name().IsTag() || ref.Name().IsRemote() {
			names = append(names, strings.TrimPrefix(ref.Name().Short(), "origin/"))
		}
		return nil
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// tagsOf lists the tags with a prefix that point to a commit, lightweight and annotated, sorted.
func (r *repository) tagsOf(commit plumbing.Hash, prefix string) ([]string, error) {
	refs, err := r.IterReferences()
	if err != nil {
		return nil, fmt.Errorf("listing tags: %w", err)
	}
	var names []string
	err = refs.ForEach(func(ref *plumbing.Reference) error {
		name, isTag := strings.CutPrefix(string(ref.Name()), "refs/tags/")
		if !isTag || !strings.HasPrefix(name, prefix) || ref.Type() != plumbing.HashReference {
			return nil
		}
		h := ref.Hash()
		if h != commit { // an annotated tag; what cannot be peeled (a tag of a blob, one that is not here) is no release
			c, err := r.peel(h)
			if err != nil {
				return nil
			}
			h = c.Hash
		}
		if h == commit {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing tags: %w", err)
	}
	slices.Sort(names)
	return names, nil
}
