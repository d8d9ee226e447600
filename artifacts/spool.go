package artifacts

import (
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

// spool is a tar put aside in a temporary file, so that memory does not grow with the artifact.
type spool struct {
	file *os.File
	sum  hash.Hash
	tar  tarWriter
	desc ocispec.Descriptor
}

func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "barge-*.tar")
	if err != nil {
		return nil, fmt.Errorf("packing: %w", err)
	}
	s := &spool{file: f, sum: sha256.New()}
	s.tar = newTarWriter(io.MultiWriter(f, s.sum))
	return s, nil
}

func (s *spool) finish() error {
	if err := s.tar.Close(); err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	size, err := s.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	s.desc = ocispec.Descriptor{Digest: digest.NewDigest(digest.SHA256, s.sum), Size: size}
	return nil
}

// open reads the tar from its start; several readers do not disturb each other.
func (s *spool) open() (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(s.file, 0, s.desc.Size)), nil
}

func (s *spool) read(ctx context.Context, files []File) iter.Seq2[Content, error] {
	if s == nil {
		return func(func(Content, error) bool) {}
	}
	return readTar(ctx, io.NewSectionReader(s.file, 0, s.desc.Size), files)
}

func (s *spool) Close() error {
	if s == nil || s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Close(), os.Remove(s.file.Name()))
	s.file = nil
	return err
}

// part is the tar as a layer.
func (s *spool) part(mediaType, title string) part {
	d := s.desc
	d.MediaType = mediaType
	d.Annotations = map[string]string{ocispec.AnnotationTitle: title}
	return part{d, s.open}
}
