package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// LeftOut are the names of files that a registry adds on registration or copy, at the top of a version: no part of
// the model, and so of no digest.
var LeftOut = []string{"registered_model_meta"}

// mode is that of every file of a model: a registry keeps no modes.
const mode = "100644"

// Sum is one file of a digest.
type Sum struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // hex
	Size   int64  `json:"size"`
}

// Sums is what Digest read of a version.
type Sums struct {
	Digest   string   `json:"digest"`             // "sha256:…" over Files
	Files    []Sum    `json:"files"`              // sorted by path
	Excluded []string `json:"excluded,omitempty"` // paths that are LeftOut
}

// atOnce is how many files Digest reads at once.
const atOnce = 8

// Digest reads every file and sums up: sha256 over sorted lines "mode SP path NUL sha256(file) LF". No file at all, a
// path twice, and a path that leads out are errors.
func Digest(ctx context.Context, files iter.Seq2[File, error]) (Sums, error) {
	var s Sums
	var mu sync.Mutex
	seen := map[string]bool{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	err := func() error {
		for f, err := range files {
			switch {
			case err != nil:
				return err
			case !local(f.Path) || seen[f.Path]:
				return fmt.Errorf("summing up files: path %q is listed twice or leads elsewhere", f.Path)
			case ctx.Err() != nil:
				return nil // group.Wait says why
			}
			seen[f.Path] = true
			if slices.Contains(LeftOut, f.Path) {
				s.Excluded = append(s.Excluded, f.Path)
				continue
			}
			group.Go(func() error {
				sum, err := sumOf(ctx, f)
				if err != nil {
					return fmt.Errorf("summing up %s: %w", f.Path, err)
				}
				mu.Lock()
				defer mu.Unlock()
				s.Files = append(s.Files, sum)
				return nil
			})
		}
		return nil
	}()
	if err := errors.Join(err, group.Wait()); err != nil {
		return Sums{}, err
	}
	if len(s.Files) == 0 {
		return Sums{}, errors.New("summing up files: there is none")
	}
	slices.Sort(s.Excluded)
	slices.SortFunc(s.Files, func(a, b Sum) int { return strings.Compare(a.Path, b.Path) })
	s.Digest = Fold(s.Files)
	return s, nil
}

// Fold is the digest of a folder with these files, sorted by path.
func Fold(files []Sum) string {
	h := sha256.New()
	for _, f := range files {
		_, _ = fmt.Fprintf(h, "%s %s\x00%s\n", mode, f.Path, f.SHA256) // a hash never fails
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func sumOf(ctx context.Context, f File) (Sum, error) {
	body, err := f.Open(ctx)
	if err != nil {
		return Sum{}, err
	}
	defer func() { _ = body.Close() }()
	h := sha256.New()
	n, err := io.Copy(h, body)
	if err != nil {
		return Sum{}, err
	}
	if f.Size >= 0 && n != f.Size {
		return Sum{}, fmt.Errorf("%d bytes came, %d were listed", n, f.Size)
	}
	return Sum{f.Path, hex.EncodeToString(h.Sum(nil)), n}, nil
}

func local(p string) bool {
	return p != "" && path.Clean(p) == p && !path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../") &&
		p != "." && !strings.ContainsAny(p, "\x00\n")
}
