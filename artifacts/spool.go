package artifacts

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"os"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// spool is what is written once, and put aside in a temporary file with its digest, so that memory does not grow with
// the artifact. It is to be written, finished, read any number of times, and closed.
type spool struct {
	*bufio.Writer
	file *os.File
	sum  hash.Hash
	desc ocispec.Descriptor
	kept bool // a store has taken the file
}

// newSpool makes one in a folder, "" being that for temporary files.
func newSpool(dir string) (*spool, error) {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o777); err != nil { //nolint:gosec // the store's folders have the user's umask
			return nil, fmt.Errorf("packing: %w", err)
		}
	}
	f, err := os.CreateTemp(dir, "barge-*")
	if err != nil {
		return nil, fmt.Errorf("packing: %w", err)
	}
	s := &spool{file: f, sum: sha256.New()}
	s.Writer = bufio.NewWriterSize(io.MultiWriter(f, s.sum), 1<<17)
	return s, nil
}

func (s *spool) finish() error {
	if err := s.Flush(); err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	size, err := s.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	s.desc = ocispec.Descriptor{Digest: digest.NewDigest(digest.SHA256, s.sum), Size: size}
	return nil
}

// open reads from the start; several readers do not disturb each other.
func (s *spool) open() (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(s.file, 0, s.desc.Size)), nil
}

func (s *spool) read(ctx context.Context, files []File) iter.Seq2[Content, error] {
	if s == nil {
		return func(func(Content, error) bool) {}
	}
	return readTar(ctx, io.NewSectionReader(s.file, 0, s.desc.Size), files)
}

// Close removes the file, unless a store has taken it. It is safe to repeat.
func (s *spool) Close() error {
	if s == nil || s.file == nil {
		return nil
	}
	err := s.file.Close()
	if !s.kept {
		err = errors.Join(err, os.Remove(s.file.Name()))
	}
	s.file = nil
	return err
}

// part is what was put aside as a layer.
func (s *spool) part(mediaType, title string) part {
	d := s.desc
	d.MediaType = mediaType
	d.Annotations = map[string]string{ocispec.AnnotationTitle: title}
	return part{d, s.open, s}
}
