package artifacts

import (
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Order says how one commit stands to another.
type Order int

// The orders of one commit to another.
const (
	Unknown   Order = iota // a commit, or the history between, is not in this clone
	Same                   // they are one commit
	Newer                  // it descends from the other
	Older                  // the other descends from it
	Unrelated              // neither descends from the other
)

func (o Order) String() string {
	return [...]string{"unknown", "same", "newer", "older", "unrelated"}[o]
}

// Compare says how commit a stands to commit b (both full hashes) in the repository that dir is in. Histories that are
// cut off by a shallow or partial clone are Unknown, never guessed.
func Compare(dir, a, b string) (Order, error) {
	if !isHex(a, 20) || !isHex(b, 20) {
		return Unknown, fmt.Errorf("comparing commits: %q and %q are not both full hashes", a, b)
	}
	if a == b {
		return Same, nil
	}
	r, err := openRepository(dir)
	if err != nil {
		return Unknown, err
	}
	from, to := plumbing.NewHash(a), plumbing.NewHash(b)
	found, wholeA, err := r.descends(from, to)
	if err != nil || found {
		return Newer, err
	}
	found, wholeB, err := r.descends(to, from)
	switch {
	case err != nil:
		return Unknown, err
	case found:
		return Older, nil
	case wholeA && wholeB:
		return Unrelated, nil
	}
	return Unknown, nil
}

// descends walks the ancestors of a commit in search of another; whole says that all of them were there to be seen.
func (r *repository) descends(from, ancestor plumbing.Hash) (found, whole bool, err error) {
	cut := map[plumbing.Hash]bool{}
	shallow, err := r.Shallow()
	if err != nil {
		return false, false, fmt.Errorf("comparing commits: %w", err)
	}
	for _, h := range shallow {
		cut[h] = true
	}
	whole = true
	seen := map[plumbing.Hash]bool{from: true}
	for queue := []plumbing.Hash{from}; len(queue) > 0; {
		h := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if h == ancestor {
			return true, whole, nil
		}
		if cut[h] {
			whole = false
			continue
		}
		c, err := object.GetCommit(r, h)
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			whole = false
			continue
		}
		if err != nil {
			return false, false, fmt.Errorf("comparing commits: %w", err)
		}
		for _, p := range c.ParentHashes {
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		}
	}
	return false, whole, nil
}
