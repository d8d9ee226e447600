package artifacts

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// maxFile bounds one file of a tar: the largest workspace file that Databricks takes.
const maxFile = 500 << 20

// tarWriter writes files in the order of the manifest, and nothing that depends on who, when or where.
type tarWriter struct{ *tar.Writer }

func newTarWriter(w io.Writer) tarWriter { return tarWriter{tar.NewWriter(w)} }

// add writes one whole file. Long and non-ASCII paths get a PAX header, all others plain ustar.
func (t tarWriter) add(f File, body []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: f.Path, Mode: f.mode(), Size: f.Size, ModTime: time.Unix(0, 0).UTC()}
	if err := t.WriteHeader(h); err != nil {
		return fmt.Errorf("packing %s: %w", f.Path, err)
	}
	if _, err := t.Write(body); err != nil {
		return fmt.Errorf("packing %s: %w", f.Path, err)
	}
	return nil
}

// Content is one file with its bytes, which are those that its SHA256 names.
type Content struct {
	File
	Body []byte
}

// readTar yields the files of a tar, which must be exactly want, in that order and with these digests. The first
// difference ends it with an error.
func readTar(ctx context.Context, r io.Reader, want []File) iter.Seq2[Content, error] {
	return func(yield func(Content, error) bool) {
		t := tar.NewReader(r)
		for _, f := range want {
			c, err := readEntry(ctx, t, f)
			if !yield(c, err) || err != nil {
				return
			}
		}
		h, err := t.Next()
		if err == nil {
			yield(Content{}, fmt.Errorf("unpacking artifact: %s is not in its manifest", h.Name))
			return
		}
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r) // what checks r's own digest does so at its end
		}
		if err != nil {
			yield(Content{}, fmt.Errorf("unpacking artifact: %w", err))
		}
	}
}

func readEntry(ctx context.Context, t *tar.Reader, want File) (Content, error) {
	if err := ctx.Err(); err != nil {
		return Content{}, err
	}
	h, err := t.Next()
	if errors.Is(err, io.EOF) {
		return Content{}, fmt.Errorf("unpacking artifact: %s is missing", want.Path)
	}
	if err != nil {
		return Content{}, fmt.Errorf("unpacking artifact: %w", err)
	}
	if h.Name != want.Path || h.Typeflag != tar.TypeReg {
		return Content{}, fmt.Errorf("unpacking artifact: found %q where its manifest has %s", h.Name, want.Path)
	}
	if h.Size != want.Size || want.Size > maxFile {
		return Content{}, fmt.Errorf("unpacking artifact: %s has %d bytes, its manifest says %d", want.Path, h.Size, want.Size)
	}
	var body bytes.Buffer
	if _, err := io.Copy(&body, t); err != nil {
		return Content{}, fmt.Errorf("unpacking artifact: %s: %w", want.Path, err)
	}
	if sum := sha256.Sum256(body.Bytes()); hex.EncodeToString(sum[:]) != want.SHA256 {
		return Content{}, fmt.Errorf("unpacking artifact: %s is not what its manifest says (sha256 %x, not %s)", want.Path, sum, want.SHA256)
	}
	return Content{File: want, Body: body.Bytes()}, nil
}
