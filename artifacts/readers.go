package artifacts

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"unique"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"golang.org/x/sync/errgroup"
)

// demands are what a notebook or module asks for.
type demands struct {
	refs []reference
	pips []string // words of %pip install
}

// demandsOf copies what it finds, for what is cut out of a text keeps all of it in memory.
func demandsOf(c Content) (d demands, err error) {
	if d.pips, err = pipArguments(c); err != nil {
		return d, err
	}
	for i, word := range d.pips {
		d.pips[i] = strings.Clone(word)
	}
	d.refs, err = references(c)
	for i, r := range d.refs {
		d.refs[i].path = unique.Make(r.path).Value()
	}
	return d, err
}

// spool reads the files, in parallel, and puts them into a tar beside; each, unless it is nil, is told in order what
// every file asks for.
func (c *Commit) spool(ctx context.Context, files []candidate, aside string, each func(path string, d demands)) (*spool, []File, error) {
	s, err := newSpool(aside)
	if err != nil {
		return nil, nil, err
	}
	tar := newTarWriter(s)
	packed := make([]File, 0, len(files))
	var problems []error
	for r := range c.readAll(ctx, files, each != nil) {
		if r.err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", r.path, r.err))
			continue
		}
		if err := tar.add(r.content.File, r.content.Body); err != nil {
			return nil, nil, errors.Join(err, s.Close())
		}
		if each != nil {
			each(r.content.Path, r.demands)
		}
		packed = append(packed, r.content.File)
	}
	err = ctx.Err()
	if err == nil {
		err = listProblems(problems)
	}
	if err == nil {
		err = tar.Close()
	}
	if err == nil {
		err = s.finish()
	}
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, packed, nil
}

// result of reading one candidate.
type result struct {
	path    string // in the repository
	content Content
	demands demands
	err     error
}

// readAll reads files with several readers and yields them in their order, with their demands if these are wanted. It
// holds a few of them at a time.
func (c *Commit) readAll(ctx context.Context, files []candidate, demands bool) iter.Seq[result] {
	return func(yield func(result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		readers := min(runtime.GOMAXPROCS(0), 4, len(files))
		type job struct {
			candidate
			done chan result
		}
		jobs, order := make(chan job), make(chan job, 4*readers)
		packs := c.repo.openPacks()
		defer packs.Close()
		var group errgroup.Group
		group.Go(func() error {
			defer close(jobs)
			defer close(order)
			for _, f := range files {
				j := job{f, make(chan result, 1)}
				select {
				case <-ctx.Done():
					return nil
				case order <- j:
				}
				select {
				case <-ctx.Done():
					return nil
				case jobs <- j:
				}
			}
			return nil
		})
		for range readers {
			group.Go(func() error {
				own, err := c.again()
				if err == nil {
					defer own.repo.Close()
					own.packs = packs.reader()
				}
				for j := range jobs {
					if err != nil {
						j.done <- result{path: j.path, err: err}
						continue
					}
					j.done <- own.read(ctx, j.candidate, demands)
				}
				return nil
			})
		}
		defer group.Wait() //nolint:errcheck // they return none
		defer cancel()
		for j := range order {
			select {
			case r := <-j.done:
				if !yield(r) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// again is the same commit for another goroutine.
func (c *Commit) again() (*Commit, error) {
	own := *c
	own.repo = c.repo.opened(filesystem.Options{KeepDescriptors: true})
	var err error
	if own.tree, err = object.GetTree(own.repo, c.tree.Hash); err != nil {
		return nil, errors.Join(missing(err), own.repo.Close())
	}
	return &own, nil
}

func (c *Commit) read(ctx context.Context, f candidate, demands bool) result {
	r := result{path: f.path}
	var at entry
	if at, r.err = c.follow(f.entry); r.err != nil {
		return r
	}
	body, err := c.content(ctx, at)
	if err != nil {
		r.err = err
		return r
	}
	if r.content, r.err = prepare(f.as, at.mode == filemode.Executable, body); r.err != nil {
		return r
	}
	if secret := findSecret(r.content); secret != nil {
		r.path, r.err = r.path+secret.at, secret
		return r
	}
	if demands {
		r.demands, r.err = demandsOf(r.content)
	}
	return r
}
