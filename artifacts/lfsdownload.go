package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/go-git/go-git/v5/storage/filesystem"
)

// expect notes files of the commit that will be read: when the first of them is asked of the server, all are.
func (l *lfs) expect(files []candidate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expected = append(l.expected, files)
}

// download opens an object at the server. Its bytes are not checked yet.
func (l *lfs) download(ctx context.Context, in *repository, p lfsPointer) (io.ReadCloser, error) {
	s, err := l.server()
	if err != nil {
		return nil, fmt.Errorf("object %.19s is not in this clone: %w: %s", p.digest, err, l.first)
	}
	action, err := l.locate(ctx, s, in, p)
	if err != nil {
		return nil, fmt.Errorf("object %.19s is not in this clone: asking %s for it: %w", p.digest, s.at.Host, err)
	}
	r, err := s.get(ctx, action, 0)
	if err != nil {
		return nil, fmt.Errorf("object %.19s is not in this clone: downloading it: %w", p.digest, err)
	}
	return &resumed{ctx: ctx, server: s, action: action, pointer: p, body: r}, nil
}

// locate asks the server where an object is, and with it where all others are that are expected and not here.
func (l *lfs) locate(ctx context.Context, s *lfsServer, in *repository, p lfsPointer) (*lfsAction, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a, known := l.answers[p.oid()]; known {
		delete(l.answers, p.oid()) // an address is good for a while: who asks again wants another
		return s.action(a, p)
	}
	wanted := l.lacking(in, p)
	for from := 0; from < len(wanted); from += lfsBatch {
		answers, err := s.ask(ctx, wanted[from:min(from+lfsBatch, len(wanted))])
		if err != nil {
			return nil, err
		}
		for oid, a := range answers {
			l.answers[oid] = a
		}
	}
	a := l.answers[p.oid()]
	delete(l.answers, p.oid())
	return s.action(a, p)
}

// lacking lists the objects that are expected and not in the clone, p first. What goes wrong with another is told when its
// turn comes.
func (l *lfs) lacking(in *repository, p lfsPointer) []lfsPointer {
	lacking, seen := []lfsPointer{p}, map[string]bool{p.oid(): true}
	own := Commit{repo: in.opened(filesystem.Options{KeepDescriptors: true})}
	defer own.repo.Close()
	for _, files := range l.expected {
		for _, f := range files {
			if !f.mode.IsFile() {
				continue
			}
			q, ok, err := own.pointer(f.entry)
			if err != nil || !ok || seen[q.oid()] {
				continue
			}
			seen[q.oid()] = true
			if r, err := in.lfsObject(q); err == nil {
				_ = r.Close()
			} else if errors.Is(err, fs.ErrNotExist) {
				lacking = append(lacking, q)
			}
		}
	}
	l.expected = nil
	return lacking
}

// resumed is a download that goes on where it was cut off.
type resumed struct {
	ctx     context.Context //nolint:containedctx // of the download
	server  *lfsServer
	action  *lfsAction
	pointer lfsPointer
	offset  int64
	body    io.ReadCloser
	resumes int
}

const mostResumes = 5

func (r *resumed) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if r.offset += int64(n); n > 0 {
		r.resumes = 0
	}
	if err == nil || r.offset >= r.pointer.size || r.ctx.Err() != nil {
		return n, err
	}
	if r.resumes == mostResumes {
		return n, fmt.Errorf("downloading git LFS object %.19s: it ends after %d of %d bytes: %s", r.pointer.digest, r.offset, r.pointer.size, r.server.first)
	}
	r.resumes++
	body, problem := r.server.get(r.ctx, r.action, r.offset)
	if problem != nil {
		return n, fmt.Errorf("going on with a download that was cut off: %w", problem)
	}
	_ = r.body.Close()
	r.body = body
	return n, nil
}

func (r *resumed) Close() error { return r.body.Close() }
