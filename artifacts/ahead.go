package artifacts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/bargeml/barge/environments"
)

// blob is the content of a file of a model, known by its digest.
type blob struct {
	sha256 string
	size   int64
	aside  *spool // its bytes, for the store; nil where they are to be read when they are stored
}

// readAhead reads the files of models in git while the notebooks are packed: each once, for its digest and for the store.
type readAhead struct {
	store *Store
	stop  context.CancelFunc
	done  sync.WaitGroup // before what is below is looked at
	blobs map[plumbing.Hash]blob
}

// readAhead begins with what the project names. What goes wrong is told when the file is asked for. Close it.
func (c *Commit) readAhead(ctx context.Context, a *environments.Artifact, store *Store) *readAhead {
	ctx, stop := context.WithCancel(ctx)
	r := &readAhead{store: store, stop: stop, blobs: map[plumbing.Hash]blob{}}
	if a == nil {
		return r
	}
	own, err := c.again() // now, for the commit learns more while its notebooks are packed
	if err != nil {
		return r
	}
	r.done.Go(func() {
		defer own.repo.Close()
		for _, m := range a.Models {
			if m.Path == "" {
				continue
			}
			files, err := own.modelFiles(ctx, m.Path)
			if err != nil {
				return
			}
			for _, f := range files {
				if at, err := own.follow(f.entry); err != nil || r.read(ctx, own, at) != nil {
					return
				}
			}
		}
	})
	return r
}

// sum is the blob of one file of a model.
func (r *readAhead) sum(ctx context.Context, c *Commit, e entry) (blob, error) {
	r.done.Wait()
	if err := r.read(ctx, c, e); err != nil {
		return blob{}, err
	}
	return r.blobs[e.hash], nil
}

// read reads a file that it has not read yet. Of one in git LFS the pointer says it all, and of one that an earlier build
// has read and the store has, that build's note.
func (r *readAhead) read(ctx context.Context, c *Commit, e entry) error {
	if _, known := r.blobs[e.hash]; known {
		return nil
	}
	if b, ok := c.repo.noted(e.hash); ok && r.store.has(ctx, b) {
		r.blobs[e.hash] = b
		return nil
	}
	if p, ok, err := c.pointer(e); err != nil || ok {
		if ok {
			r.blobs[e.hash] = blob{sha256: p.oid(), size: p.size}
		}
		return err
	}
	from, size, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	defer from.Close()
	b := blob{size: size}
	sum := sha256.New()
	var to io.Writer = sum
	if aside := r.store.aside(); aside != "" {
		if b.aside, err = newSpool(aside); err != nil {
			return err
		}
		to = b.aside
	}
	n, err := io.Copy(to, contextReader{ctx, from})
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && b.aside != nil {
		err = b.aside.finish()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("reading %s: %w", e.path, err), b.aside.Close())
	}
	if b.sha256 = hex.EncodeToString(sum.Sum(nil)); b.aside != nil {
		b.sha256 = b.aside.desc.Digest.Encoded()
	}
	r.blobs[e.hash] = b
	c.repo.takeNote(e.hash, b)
	return nil
}

// Close ends the reading, and removes what was put aside and not stored.
func (r *readAhead) Close() {
	r.stop()
	r.done.Wait()
	for _, b := range r.blobs {
		_ = b.aside.Close()
	}
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
