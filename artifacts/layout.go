package artifacts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/lockedfile"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/errdef"
)

// layout is a folder in the OCI image layout that many processes may write at once. It is an oras.GraphTarget.
//
// Blobs are oras's own business. The index is ours: oras rewrites it in place from what it once read, so that two
// builders would lose each other's names and a killed one the whole store. Here it is changed under a lock and replaced
// by rename, and looked at anew for every question.
type layout struct {
	*oci.Storage
	dir string

	mu       sync.Mutex
	subjects map[digest.Digest]digest.Digest // of manifests in the index; they never change
	seen     ocispec.Index                   // as parsed from the file that seenAs describes
	seenAs   fs.FileInfo
}

// openLayout opens a layout; a missing one is an empty one and is made by the first write.
func openLayout(dir string) (*layout, error) {
	storage, err := oci.NewStorage(dir)
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", dir, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, ocispec.ImageLayoutFile)); err == nil {
		var l ocispec.ImageLayout
		if err := json.Unmarshal(b, &l); err != nil || l.Version != ocispec.ImageLayoutVersion {
			return nil, fmt.Errorf("opening store %s: its %s file is of no version that is known here", dir, ocispec.ImageLayoutFile)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	return &layout{Storage: storage, dir: dir, subjects: map[digest.Digest]digest.Digest{}}, nil
}

// index is the index as it is on disk now. Its entries are shared: whoever changes them clones them first. The file is
// parsed only when it is another one than last time, for it is only ever replaced.
func (l *layout) index() (ocispec.Index, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	f, err := os.Open(filepath.Join(l.dir, ocispec.ImageIndexFile))
	if errors.Is(err, fs.ErrNotExist) {
		return x, nil
	}
	if err != nil {
		return x, fmt.Errorf("reading the store's index: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && l.seenAs != nil && os.SameFile(info, l.seenAs) && info.ModTime().Equal(l.seenAs.ModTime()) && info.Size() == l.seenAs.Size() {
		return l.seen, nil
	}
	if err == nil {
		err = json.NewDecoder(f).Decode(&x)
	}
	if err != nil {
		return x, fmt.Errorf("reading the store's index: %w", err)
	}
	l.seen, l.seenAs = x, info
	return x, nil
}

// update changes the index: edit sees it as it is now, and no other process writes until edit's result is on disk.
func (l *layout) update(edit func(*ocispec.Index) error) (err error) {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return fmt.Errorf("making store: %w", err)
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(l.dir, "index.json.lock")).Lock()
	if err != nil {
		return fmt.Errorf("locking store: %w", err)
	}
	defer unlock()
	x, err := l.index()
	if err != nil {
		return err
	}
	x.Manifests = slices.Clone(x.Manifests)
	if err := edit(&x); err != nil {
		return err
	}
	slices.SortFunc(x.Manifests, compareEntries)
	if err := l.replace(ocispec.ImageLayoutFile, ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion}); err != nil {
		return err
	}
	return l.replace(ocispec.ImageIndexFile, x)
}

// replace writes a file whole or not at all; one that holds the same already is left alone.
func (l *layout) replace(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	name = filepath.Join(l.dir, name)
	if old, err := os.ReadFile(name); err == nil && string(old) == string(b) {
		return nil
	}
	f, err := os.CreateTemp(l.dir, ".new-*")
	if err != nil {
		return fmt.Errorf("writing store: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("writing store: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

func compareEntries(a, b ocispec.Descriptor) int {
	if c := strings.Compare(a.Annotations[ocispec.AnnotationRefName], b.Annotations[ocispec.AnnotationRefName]); c != 0 {
		return c
	}
	return strings.Compare(string(a.Digest), string(b.Digest))
}

func isManifest(d ocispec.Descriptor) bool {
	return d.MediaType == ocispec.MediaTypeImageManifest || d.MediaType == ocispec.MediaTypeImageIndex
}

func (l *layout) aside() string { return filepath.Join(l.dir, "ingest") }

// keep makes a blob of a finished spool by moving its file: its digest is that of what was written. False: it cannot be
// moved, and is to be pushed.
func (l *layout) keep(s *spool) bool {
	blobs := filepath.Join(l.dir, ocispec.ImageBlobsDir, s.desc.Digest.Algorithm().String())
	err := os.MkdirAll(blobs, 0o777)
	if err == nil {
		err = s.file.Chmod(0o444)
	}
	if err == nil {
		err = os.Rename(s.file.Name(), filepath.Join(blobs, s.desc.Digest.Encoded()))
	}
	s.kept = err == nil
	return s.kept
}

// Push stores a blob; a manifest also comes into the index, without a name.
func (l *layout) Push(ctx context.Context, want ocispec.Descriptor, r io.Reader) error {
	err := l.Storage.Push(ctx, want, r)
	if !isManifest(want) || err != nil && !errors.Is(err, errdef.ErrAlreadyExists) {
		return err
	}
	return l.update(func(x *ocispec.Index) error {
		if !slices.ContainsFunc(x.Manifests, func(d ocispec.Descriptor) bool { return d.Digest == want.Digest }) {
			x.Manifests = append(x.Manifests, want)
		}
		return nil
	})
}

// Tag gives a name to a manifest; a name that another one has moves.
func (l *layout) Tag(_ context.Context, d ocispec.Descriptor, name string) error {
	return l.update(func(x *ocispec.Index) error {
		setEntry(x, d, name)
		return nil
	})
}

// Claim gives a name to a manifest once: the descriptor that has the name afterwards is told.
func (l *layout) Claim(_ context.Context, d ocispec.Descriptor, name string) (ocispec.Descriptor, error) {
	holder := d
	err := l.update(func(x *ocispec.Index) error {
		if i := findEntry(x, name); i >= 0 {
			holder = x.Manifests[i]
			return nil
		}
		setEntry(x, d, name)
		return nil
	})
	return holder, err
}

func findEntry(x *ocispec.Index, name string) int {
	return slices.IndexFunc(x.Manifests, func(d ocispec.Descriptor) bool { return d.Annotations[ocispec.AnnotationRefName] == name })
}

// setEntry names d. A manifest has one entry per name, and one without a name only while it has none.
func setEntry(x *ocispec.Index, d ocispec.Descriptor, name string) {
	d.Annotations = map[string]string{ocispec.AnnotationRefName: name}
	var moved []ocispec.Descriptor
	x.Manifests = slices.DeleteFunc(x.Manifests, func(e ocispec.Descriptor) bool {
		if e.Annotations[ocispec.AnnotationRefName] == name {
			if e.Digest != d.Digest {
				moved = append(moved, e)
			}
			return true
		}
		return e.Digest == d.Digest && e.Annotations[ocispec.AnnotationRefName] == ""
	})
	x.Manifests = append(x.Manifests, d)
	for _, e := range moved { // who lost its last name stays in the index, or a cleaner would take it for rubbish
		if !slices.ContainsFunc(x.Manifests, func(o ocispec.Descriptor) bool { return o.Digest == e.Digest }) {
			e.Annotations = nil
			x.Manifests = append(x.Manifests, e)
		}
	}
}

// Resolve finds a manifest by its name or its digest.
func (l *layout) Resolve(_ context.Context, ref string) (ocispec.Descriptor, error) {
	x, err := l.index()
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	for _, d := range x.Manifests {
		if d.Annotations[ocispec.AnnotationRefName] == ref || string(d.Digest) == ref {
			return plain(d), nil
		}
	}
	return ocispec.Descriptor{}, fmt.Errorf("%s: %w", ref, errdef.ErrNotFound)
}

// Tags lists the names after last, in order.
func (l *layout) Tags(_ context.Context, last string, fn func([]string) error) error {
	x, err := l.index()
	if err != nil {
		return err
	}
	var names []string
	for _, d := range x.Manifests {
		if name := d.Annotations[ocispec.AnnotationRefName]; name > last {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return fn(slices.Compact(names))
}

// Predecessors lists the manifests whose subject is node, in the order of their digests.
func (l *layout) Predecessors(ctx context.Context, node ocispec.Descriptor) ([]ocispec.Descriptor, error) {
	x, err := l.index()
	if err != nil {
		return nil, err
	}
	var found []ocispec.Descriptor
	for _, d := range x.Manifests {
		if d.MediaType != ocispec.MediaTypeImageManifest || slices.ContainsFunc(found, func(f ocispec.Descriptor) bool { return f.Digest == d.Digest }) {
			continue
		}
		subject, err := l.subject(ctx, d)
		if err != nil {
			return nil, err
		}
		if subject == node.Digest {
			found = append(found, plain(d))
		}
	}
	slices.SortFunc(found, func(a, b ocispec.Descriptor) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	return found, nil
}

func (l *layout) subject(ctx context.Context, d ocispec.Descriptor) (digest.Digest, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, known := l.subjects[d.Digest]; known {
		return s, nil
	}
	b, err := content.FetchAll(ctx, l.Storage, plain(d))
	if err != nil {
		return "", fmt.Errorf("reading %s of the store: %w", d.Digest, err)
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return "", fmt.Errorf("reading %s of the store: %w", d.Digest, err)
	}
	var s digest.Digest
	if m.Subject != nil {
		s = m.Subject.Digest
	}
	l.subjects[d.Digest] = s
	return s, nil
}

// plain is a descriptor without what an index adds to it.
func plain(d ocispec.Descriptor) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}
