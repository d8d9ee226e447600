package workspace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// spoolDir holds content that is still arriving, inside its area so that it is renamed into place. No object may
// have its name, and a start sweeps it.
const spoolDir = ".barge-spool"

// area is one folder of content on disk. Names are slash paths that begin with a slash. Nothing in it reaches
// outside: neither .. nor a symbolic link that a notebook made.
type area struct {
	dir  string
	root *os.Root
	next atomic.Int64
	mu   sync.Mutex // between the look and the rename of a create-only write
}

func openArea(dir string) (*area, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder %s: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder %s: %w", dir, err)
	}
	a := &area{dir: dir, root: root}
	if err := root.RemoveAll(spoolDir); err != nil {
		return nil, fmt.Errorf("sweeping the folder %s: %w", dir, err)
	}
	if err := root.Mkdir(spoolDir, 0o700); err != nil {
		return nil, fmt.Errorf("preparing the folder %s: %w", dir, err)
	}
	return a, nil
}

func (a *area) close() error { return a.root.Close() }

// local turns a name into one that os.Root takes.
func local(name string) string {
	name = strings.TrimPrefix(path.Clean(name), "/")
	if name == "" {
		return "."
	}
	return filepath.FromSlash(name)
}

// stat returns nil for what is not there, and for a link that leads outside.
func (a *area) stat(name string) fs.FileInfo {
	info, err := a.root.Stat(local(name))
	if err != nil {
		return nil
	}
	return info
}

func (a *area) open(name string) (*os.File, error) { return a.root.Open(local(name)) }

func (a *area) mkdirs(name string) error { return a.root.MkdirAll(local(name), 0o755) }

func (a *area) removeAll(name string) error { return a.root.RemoveAll(local(name)) }

func (a *area) rename(from, to string) error { return a.root.Rename(local(from), local(to)) }

// list returns what a folder holds, by name, without what leads nowhere.
func (a *area) list(name string) ([]fs.FileInfo, error) {
	f, err := a.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	infos := make([]fs.FileInfo, 0, len(names))
	for _, n := range names {
		if n == spoolDir && path.Clean(name) == "/" {
			continue
		}
		if info := a.stat(path.Join(name, n)); info != nil {
			infos = append(infos, named{info, n})
		}
	}
	return infos, nil
}

// named keeps the name of a link, whose target's own name os.Root would give.
type named struct {
	fs.FileInfo
	name string
}

func (n named) Name() string { return n.name }

// errTooLarge is what spooling more than the limit ends in; the size is at least that much.
type errTooLarge struct{ size, limit int64 }

func (e errTooLarge) Error() string {
	return fmt.Sprintf("%d bytes are more than %d", e.size, e.limit)
}

// spooled is content that has arrived whole and has no name yet.
type spooled struct {
	area *area
	name string
	size int64
	head []byte // the first bytes, enough for a notebook's first line
}

// spool takes content in, up to limit bytes; drop what is not placed.
func (a *area) spool(r io.Reader, limit int64) (*spooled, error) {
	s := &spooled{area: a, name: fmt.Sprintf("%s/%d", spoolDir, a.next.Add(1))}
	f, err := a.root.OpenFile(local(s.name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("receiving content: %w", err)
	}
	s.size, err = io.Copy(f, io.LimitReader(r, limit+1))
	if err == nil && s.size > limit {
		err = errTooLarge{s.size, limit}
	}
	if err == nil {
		s.head = make([]byte, 256)
		n, readErr := f.ReadAt(s.head, 0)
		if s.head = s.head[:n]; readErr != nil && !errors.Is(readErr, io.EOF) {
			err = readErr
		}
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		s.drop()
		return nil, err
	}
	return s, nil
}

func (s *spooled) bytes() ([]byte, error) { return s.area.root.ReadFile(local(s.name)) }

// replace swaps the content before it is placed.
func (s *spooled) replace(content []byte) error {
	s.size = int64(len(content))
	return s.area.root.WriteFile(local(s.name), content, 0o644)
}

func (s *spooled) drop() { _ = s.area.root.Remove(local(s.name)) }

// errNotFolder says that a file stands where a folder is needed, errExists that something has the name already.
var (
	errNotFolder = errors.New("not a folder")
	errExists    = errors.New("already there")
)

// place gives spooled content its name at once, making the folders above. Without overwrite exactly one of any
// number of concurrent writers of a name succeeds; the others get errExists.
func (s *spooled) place(name string, overwrite bool) error {
	s.area.mu.Lock()
	defer s.area.mu.Unlock()
	if info := s.area.stat(name); info != nil && (info.IsDir() || !overwrite) {
		return errExists
	}
	if err := s.area.mkdirs(path.Dir(name)); err != nil {
		return fmt.Errorf("%w: %s", errNotFolder, path.Dir(name))
	}
	return s.area.rename(s.name, name)
}
