package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
)

// maxPointer is the largest blob that may be a git LFS pointer.
const maxPointer = 1024

// lfsPointer is what git LFS keeps in git in place of a file: its digest and size.
type lfsPointer struct {
	digest string
	size   int64
}

// parsePointer reads a blob as a git LFS pointer; false when it is none.
func parsePointer(b []byte) (lfsPointer, bool) {
	const version = "version https://git-lfs.github.com/spec/v1\n"
	if len(b) > maxPointer || !strings.HasPrefix(string(b), version) {
		return lfsPointer{}, false
	}
	p := lfsPointer{size: -1}
	for _, line := range strings.Split(string(b[len(version):]), "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "oid":
			p.digest = value
		case "size":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 0 {
				return lfsPointer{}, false
			}
			p.size = n
		}
	}
	hex, ok := strings.CutPrefix(p.digest, digestPrefix)
	return p, ok && p.size >= 0 && isHex(hex, 32)
}

func (p lfsPointer) oid() string { return strings.TrimPrefix(p.digest, digestPrefix) }

// lfs finds what git LFS keeps: in the clone, as `git lfs fetch` leaves it there, else at the server.
type lfs struct {
	server func() (*lfsServer, error) // found when it is needed, once
	first  string                     // what to type where there is no server

	mu       sync.Mutex
	expected [][]candidate
	answers  map[string]lfsAnswer // of the server, by oid
}

// open reads an object, which at its end is what the pointer says, or an error.
func (l *lfs) open(ctx context.Context, in *repository, p lfsPointer) (io.ReadCloser, error) {
	r, err := in.lfsObject(p)
	if errors.Is(err, fs.ErrNotExist) {
		r, err = l.download(ctx, in, p)
	}
	if err != nil {
		return nil, err
	}
	d := ocispec.Descriptor{Digest: digest.Digest(p.digest), Size: p.size}
	return verifying{content.NewVerifyReader(r, d), r, "git LFS object " + p.digest}, nil
}

// lfsObject opens an object in the clone, or in one that it borrows from. One of another size is a transfer that was cut
// off.
func (r *repository) lfsObject(p lfsPointer) (io.ReadCloser, error) {
	config, err := r.config()
	if err != nil {
		return nil, err
	}
	store := filepath.Join(r.common, "lfs")
	if at := config.Section("lfs").Option("storage"); at != "" {
		if store = filepath.FromSlash(at); !filepath.IsAbs(store) {
			store = filepath.Join(r.common, store)
		}
	}
	stores := []string{store}
	for _, lender := range r.objects[1:] {
		stores = append(stores, filepath.Join(filepath.Dir(lender), "lfs"))
	}
	oid := p.oid()
	for _, store := range stores {
		name := filepath.Join(store, "objects", oid[:2], oid[2:4], oid)
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && info.Size() == p.size {
			return os.Open(name)
		}
	}
	return nil, fs.ErrNotExist
}

// open reads the content of a file of the commit: what git LFS keeps for it, where there is but a pointer in git.
func (c *Commit) open(ctx context.Context, e entry) (io.ReadCloser, int64, error) {
	r, size, err := openBlob(c.repo, e)
	if err != nil || size > maxPointer {
		return r, size, err
	}
	b, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", e.path, err)
	}
	p, ok := parsePointer(b)
	if !ok {
		return io.NopCloser(bytes.NewReader(b)), size, nil
	}
	r, err = c.lfs.open(ctx, c.repo, p)
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s, which is in git LFS: %w", e.path, err)
	}
	return r, p.size, nil
}

// content reads a whole file of the commit.
func (c *Commit) content(ctx context.Context, e entry) ([]byte, error) {
	if c.packs != nil {
		if b, ok := c.packs.blob(e.hash); ok {
			if _, pointer := parsePointer(b); !pointer {
				return b, nil
			}
		}
	}
	r, size, err := c.open(ctx, e)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > maxFile {
		return nil, fmt.Errorf("it has %d MiB, and Databricks takes files up to %d: exclude it", size>>20, maxFile>>20)
	}
	var b bytes.Buffer
	b.Grow(int(size))
	if _, err := io.Copy(&b, r); err != nil {
		return nil, fmt.Errorf("reading %s: %w", e.path, err)
	}
	return b.Bytes(), nil
}

// pointer is the git LFS pointer that the commit has in place of a file; false where it has the file itself.
func (c *Commit) pointer(e entry) (lfsPointer, bool, error) {
	r, size, err := openBlob(c.repo, e)
	if err != nil {
		return lfsPointer{}, false, err
	}
	defer r.Close()
	if size > maxPointer {
		return lfsPointer{}, false, nil
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return lfsPointer{}, false, fmt.Errorf("reading %s: %w", e.path, err)
	}
	p, ok := parsePointer(b)
	return p, ok, nil
}
