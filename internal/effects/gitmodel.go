package effects

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"

	"github.com/bargeml/barge/artifacts"
)

// GitModel is a model that is part of the artifact: a file of the commit, or a folder.
type GitModel struct {
	Written string // its path as barge.hcl has it
	Files   []artifacts.ModelFile
}

// models is the folder of the environment that models of artifacts stand in.
func (s *Site) models() string { return path.Join(s.Path, "models") }

// ModelFolder is where a model of the artifact stands: a folder of its own, named by what is in it, that releases
// with the same model share.
func (s *Site) ModelFolder(m GitModel) (*Folder, error) {
	f := &Folder{Bound: map[string]int{}}
	for _, file := range m.Files {
		f.files = append(f.files, rendered{path: file.Path, file: file.File, open: file.Open})
	}
	return f, f.name(s.models(), nil)
}

// ModelURI is the path under which notebooks find a model of the artifact: of its file, or of its folder.
func (s *Site) ModelURI(m GitModel) (string, error) {
	f, err := s.ModelFolder(m)
	if err != nil {
		return "", err
	}
	at := path.Join("/Workspace", f.Path)
	if len(m.Files) == 1 && m.Files[0].Path == path.Base(m.Written) {
		at = path.Join(at, m.Files[0].Path)
	}
	return at, nil
}

// content is the file as deployed; one of a model is read when it is sent.
func (r rendered) content(ctx context.Context) ([]byte, error) {
	if r.open == nil {
		return r.body, nil
	}
	in, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var body bytes.Buffer
	if _, err := io.Copy(&body, in); err != nil {
		return nil, fmt.Errorf("reading %s of the artifact: %w", r.path, err)
	}
	return body.Bytes(), nil
}

// digest is the sha256 of the file as deployed, in hex.
func (r rendered) digest() string {
	if r.open != nil {
		return r.file.SHA256
	}
	sum := sha256.Sum256(r.body)
	return hex.EncodeToString(sum[:])
}
