// Package artifacts makes one immutable artifact of one git commit, and keeps it under names in a store.
//
// The id of an artifact is the sha256 of its canonical manifest. It depends on the files that ship, on the exact model
// versions and on what the user wrote, and on nothing else: not on commit, time, host, path or Barge's version. The
// same inputs give the same id on any machine.
package artifacts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bargeml/barge/environments"
)

// Format is the only manifest format this Barge writes. It also fixes how the outputs of `.ipynb` notebooks are
// stripped, how tars are laid out and how digests of folders are taken: what changes any of these is another format.
const Format = "barge.artifact/v1"

// Digest of a piece of content: "sha256:" and 64 lower-case hex digits.
const digestPrefix = "sha256:"

// maxManifest bounds what is read as a manifest; ten thousand notebooks need about 2 MB.
const maxManifest = 32 << 20

// Manifest says everything that an artifact is.
type Manifest struct {
	Format    string     `json:"format"`
	Project   string     `json:"project"`
	Notebooks []File     `json:"notebooks"` // sorted by path, relative to the notebooks' folder
	Config    []File     `json:"config"`    // sorted by path, relative to the config folder
	Models    []ModelPin `json:"models"`    // sorted by label
	// Recorded is what the project's HCL says beyond files, where and rules, as canonical JSON; null when it says nothing.
	Recorded json.RawMessage `json:"recorded"`
}

// Kind of a shipped file.
type Kind string

// The kinds of files.
const (
	PlainFile Kind = ""         // deployed as it is, extension included
	Notebook  Kind = "notebook" // deployed as a Databricks notebook, under its path without extension
)

// File is one file of an artifact. Size and SHA256 are those of the bytes that ship: an `.ipynb` without its outputs.
type File struct {
	Path       string `json:"path"` // slash-separated, clean, relative
	SHA256     string `json:"sha256"`
	Size       int64  `json:"size"`
	Kind       Kind   `json:"kind,omitempty"`
	Language   string `json:"language,omitempty"` // of a notebook: python, sql, scala, r
	Executable bool   `json:"executable,omitempty"`
}

// Object is the path under which the file is found once deployed: a notebook loses its extension.
func (f File) Object() string {
	if f.Kind == Notebook {
		return strings.TrimSuffix(f.Path, path.Ext(f.Path))
	}
	return f.Path
}

// Jupyter says whether the file is a notebook in Jupyter's format.
func (f File) Jupyter() bool {
	return f.Kind == Notebook && strings.EqualFold(path.Ext(f.Path), ".ipynb")
}

// mode is the file's mode in tars and folder digests: git knows no other two.
func (f File) mode() int64 {
	if f.Executable {
		return 0o755
	}
	return 0o644
}

// ModelPin is the exact model that ships under a label: a registry's version, or files of the commit (Registry is "").
type ModelPin struct {
	Label    string   `json:"label"`
	Registry string   `json:"registry,omitempty"` // the registry's label in HCL
	Name     string   `json:"name,omitempty"`     // the registry's own name of the model
	Version  string   `json:"version,omitempty"`
	RunID    string   `json:"run_id,omitempty"`
	Digest   string   `json:"digest"`             // of Files, see FolderDigest
	Files    []File   `json:"files"`              // sorted by path, relative to the model
	Excluded []string `json:"excluded,omitempty"` // files that the registry adds, left out of Files; sorted
}

// Number is what notebooks are told as the model's version: the registry's own, or of a model in git the first twelve
// digits of its digest.
func (m ModelPin) Number() string {
	if m.InGit() {
		return strings.TrimPrefix(m.Digest, digestPrefix)[:12]
	}
	return m.Version
}

// InGit says whether the model's bytes are part of the artifact itself.
func (m ModelPin) InGit() bool { return m.Registry == "" }

// Canonical gives the bytes whose sha256 is the id: JSON with sorted keys, no insignificant space, no HTML escapes.
func (m Manifest) Canonical() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("writing manifest: %w", err)
	}
	m.Notebooks, m.Config, m.Models = listed(m.Notebooks), listed(m.Config), listed(m.Models)
	for i := range m.Models {
		m.Models[i].Files = listed(m.Models[i].Files)
	}
	return environments.Canonical(m)
}

// listed is a copy that is [] in JSON and never null.
func listed[T any](s []T) []T { return append([]T{}, s...) }

// ID is the artifact's id, "sha256:…".
func (m Manifest) ID() (string, error) {
	b, err := m.Canonical()
	if err != nil {
		return "", err
	}
	return digestOf(b), nil
}

// Model gives the pin of a label.
func (m Manifest) Model(label string) (ModelPin, bool) {
	i := slices.IndexFunc(m.Models, func(p ModelPin) bool { return p.Label == label })
	if i < 0 {
		return ModelPin{}, false
	}
	return m.Models[i], true
}

// Notebook gives the notebook at an object path (without extension), or the file at an exact path.
func (m Manifest) Notebook(object string) (File, bool) {
	object = path.Clean(object)
	i := slices.IndexFunc(m.Notebooks, func(f File) bool { return f.Object() == object || f.Path == object })
	if i < 0 {
		return File{}, false
	}
	return m.Notebooks[i], true
}

// ErrFormat is wrapped by ReadManifest for a manifest of a format that this Barge does not know.
var ErrFormat = errors.New("unknown artifact format")

// ReadManifest reads canonical manifest bytes. Whatever is not byte for byte what Canonical writes is refused, so that
// two readers can never understand one id differently.
func ReadManifest(b []byte) (Manifest, error) {
	var head struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return Manifest{}, fmt.Errorf("reading manifest: %w", err)
	}
	if head.Format != Format {
		return Manifest{}, fmt.Errorf("reading manifest: %w %q: this barge reads %q; a newer one is needed", ErrFormat, head.Format, Format)
	}
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("reading manifest: %w", err)
	}
	again, err := m.Canonical()
	if err != nil {
		return Manifest{}, fmt.Errorf("reading manifest: %w", err)
	}
	if !bytes.Equal(again, b) {
		return Manifest{}, errors.New("reading manifest: it is not in canonical form")
	}
	return m, nil
}

// check holds what every manifest must be before it may have an id.
func (m Manifest) check() error {
	if m.Format != Format {
		return fmt.Errorf("%w %q", ErrFormat, m.Format)
	}
	if err := checkFiles("notebooks", m.Notebooks); err != nil {
		return err
	}
	if err := checkFiles("config", m.Config); err != nil {
		return err
	}
	for i, p := range m.Models {
		if p.Label == "" || i > 0 && m.Models[i-1].Label >= p.Label {
			return fmt.Errorf("models are not sorted by label at %q", p.Label)
		}
		if err := checkFiles("model "+p.Label, p.Files); err != nil {
			return err
		}
		if p.Digest != FolderDigest(p.Files) {
			return fmt.Errorf("model %s: its digest is not that of its files", p.Label)
		}
		if !slices.IsSorted(p.Excluded) {
			return fmt.Errorf("model %s: excluded files are not sorted", p.Label)
		}
	}
	return nil
}

func checkFiles(where string, files []File) error {
	for i, f := range files {
		switch {
		case !cleanPath(f.Path):
			return fmt.Errorf("%s: %q is no clean relative path", where, f.Path)
		case i > 0 && files[i-1].Path >= f.Path:
			return fmt.Errorf("%s: files are not sorted by path at %q", where, f.Path)
		case f.Size < 0 || !isHex(f.SHA256, sha256.Size):
			return fmt.Errorf("%s: %s has no proper size and sha256", where, f.Path)
		case f.Kind != PlainFile && f.Kind != Notebook:
			return fmt.Errorf("%s: %s is of unknown kind %q", where, f.Path, f.Kind)
		}
	}
	return nil
}

// cleanPath says whether p stays below the folder that it is relative to, on every system.
func cleanPath(p string) bool {
	return p != "" && p != "." && path.Clean(p) == p && !strings.HasPrefix(p, "/") && p != ".." && !strings.HasPrefix(p, "../") &&
		!strings.ContainsAny(p, "\\\x00\n") && utf8.ValidString(p)
}

func isHex(s string, size int) bool {
	if len(s) != 2*size || s != strings.ToLower(s) {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return digestPrefix + hex.EncodeToString(sum[:])
}

// FolderDigest is the digest of a folder of files sorted by path: the sha256 over a line
// `mode SP path NUL sha256 LF` for each, mode being 644 or 755 in octal with its leading 100 as git writes it.
func FolderDigest(files []File) string {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "100%o %s\x00%s\n", f.mode(), f.Path, f.SHA256)
	}
	return digestPrefix + hex.EncodeToString(h.Sum(nil))
}
