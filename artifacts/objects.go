package artifacts

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// opened is the repository for one goroutine. Large objects are streamed.
func (r *repository) opened(o filesystem.Options) *repository {
	o.LargeObjectThreshold = 4 << 20
	own := *r
	files := dotgit.NewRepositoryFilesystem(osfs.New(r.gitDir), osfs.New(r.common))
	own.Storage, own.lenders = filesystem.NewStorageWithOptions(files, cache.NewObjectLRU(4*cache.MiByte), o), nil
	for _, folder := range r.objects[1:] {
		lender := filesystem.NewStorageWithOptions(osfs.New(filepath.Dir(folder)), cache.NewObjectLRU(4*cache.MiByte), o)
		own.lenders = append(own.lenders, lender)
	}
	return &own
}

// objectFolders lists a folder of objects, and those that it borrows from, and they in turn. go-git follows alternates by
// itself, but only to the next, and opens it anew for every object.
func objectFolders(own string) ([]string, error) {
	folders := []string{own}
	for i := 0; i < len(folders); i++ {
		f, err := os.Open(filepath.Join(folders[i], "info", "alternates"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("opening git repository: %w", err)
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			at, ok := alternate(folders[i], lines.Text())
			if ok && !slices.Contains(folders, at) {
				folders = append(folders, at)
			}
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return nil, fmt.Errorf("opening git repository: %w", err)
		}
	}
	return folders, nil
}

// alternate reads a line of a folder's list; false where it names none that is there, which git passes over too.
func alternate(folder, line string) (string, bool) {
	if line == "" || line[0] == '#' {
		return "", false
	}
	if quoted, err := strconv.Unquote(line); err == nil && line[0] == '"' {
		line = quoted
	}
	at := filepath.FromSlash(line)
	if !filepath.IsAbs(at) {
		at = filepath.Join(folder, at)
	}
	info, err := os.Stat(at)
	return filepath.Clean(at), err == nil && info.IsDir() && filepath.Base(at) == "objects"
}

// EncodedObject also gives what is borrowed, and trees and blobs that a partial clone lacks, which are fetched. A commit or
// a tag that is not there is beyond what was cloned.
func (r *repository) EncodedObject(kind plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject, error) {
	o, err := r.here(kind, h)
	if r.promisor == nil || !errors.Is(err, plumbing.ErrObjectNotFound) || kind != plumbing.TreeObject && kind != plumbing.BlobObject {
		return o, err
	}
	if err := r.promisor.fetch([]plumbing.Hash{h}); err != nil {
		return nil, err
	}
	r.Reindex()
	return r.here(kind, h)
}

func (r *repository) here(kind plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject, error) {
	o, err := r.Storage.EncodedObject(kind, h)
	for _, lender := range r.lenders {
		if !errors.Is(err, plumbing.ErrObjectNotFound) {
			break
		}
		o, err = lender.EncodedObject(kind, h)
	}
	return o, err
}

// HasEncodedObject is plumbing.ErrObjectNotFound for what is neither the repository's own nor borrowed.
func (r *repository) HasEncodedObject(h plumbing.Hash) error {
	err := r.Storage.HasEncodedObject(h)
	for _, lender := range r.lenders {
		if !errors.Is(err, plumbing.ErrObjectNotFound) {
			break
		}
		err = lender.HasEncodedObject(h)
	}
	return err
}

// HashesWithPrefix lists the objects whose hash begins so.
func (r *repository) HashesWithPrefix(prefix []byte) ([]plumbing.Hash, error) {
	all, err := r.Storage.HashesWithPrefix(prefix)
	for _, lender := range r.lenders {
		more, problem := lender.HashesWithPrefix(prefix)
		all, err = append(all, more...), errors.Join(err, problem)
	}
	slices.SortFunc(all, func(a, b plumbing.Hash) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all), err
}

// Close closes what is open of the repository's files.
func (r *repository) Close() error {
	err := r.Storage.Close()
	for _, lender := range r.lenders {
		err = errors.Join(err, lender.Close())
	}
	return err
}
