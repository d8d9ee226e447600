package artifacts

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/bargeml/barge/environments"
)

// borrow lets those submodules be read that a pattern of include begins with: their files ship, as the commit that the
// repository names has them. It is safe to repeat.
func (c *Commit) borrow(n environments.Notebooks) error {
	for _, pattern := range n.Include {
		at, err := c.place(n.From)
		if err != nil {
			return nil //nolint:nilerr // it is told where the folder is looked for
		}
		for part := range strings.SplitSeq(pattern, "/") {
			if strings.ContainsAny(part, `*?[{\`) {
				break
			}
			at = path.Join(at, part)
			e, ok, err := c.find(at)
			if err != nil {
				return err
			}
			if !ok || e.mode != filemode.Submodule {
				continue
			}
			if !slices.Contains(c.borrowed, at) {
				if err := c.borrowFrom(e); err != nil {
					return err
				}
			}
			break
		}
	}
	return nil
}

func (c *Commit) borrowFrom(e entry) error {
	absent := func(err error) error {
		return fmt.Errorf("%s: it is a git submodule that is not in this clone (%w): git submodule update --init %s brings it (in a pipeline: checkout with submodules)",
			e.path, err, e.path)
	}
	root := filepath.Join(c.repo.root, filepath.FromSlash(e.path))
	info, err := os.Stat(filepath.Join(root, ".git"))
	if err != nil {
		return absent(err)
	}
	sub, err := openAt(root, info.IsDir())
	if err != nil {
		return absent(err)
	}
	with := *c.repo
	for _, folder := range sub.objects {
		if !slices.Contains(with.objects, folder) {
			with.objects = append(slices.Clone(with.objects), folder)
		}
	}
	own := with.opened(filesystem.Options{})
	if _, err := object.GetCommit(own, e.hash); err != nil {
		return absent(fmt.Errorf("its commit %.12s: %w", e.hash, err))
	}
	c.repo, c.borrowed = own, append(slices.Clone(c.borrowed), e.path)
	return nil
}

// inSubmodule says whether a path leads into a submodule, so that it is not in the commit itself.
func (c *Commit) inSubmodule(p string) bool {
	for i := range len(p) {
		if p[i] != '/' {
			continue
		}
		if e, err := c.tree.FindEntry(p[:i]); err == nil && e.Mode == filemode.Submodule {
			return true
		}
	}
	return false
}

// submodule is the tree of a submodule whose files ship; false for any other.
func (c *Commit) submodule(e entry) (*object.Tree, bool, error) {
	if e.mode != filemode.Submodule || !slices.Contains(c.borrowed, e.path) {
		return nil, false, nil
	}
	commit, err := object.GetCommit(c.repo, e.hash)
	if err != nil {
		return nil, false, fmt.Errorf("reading submodule %s: %w", e.path, err)
	}
	tree, err := commit.Tree()
	if err != nil {
		return nil, false, fmt.Errorf("reading submodule %s: %w", e.path, missing(err))
	}
	return tree, true, nil
}
