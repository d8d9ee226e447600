package artifacts

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// worthNoting is from what size on an object's digest is noted: reading a smaller one again is nothing.
const worthNoting = 1 << 20

// noted is the digest of an object that an earlier build has read. An object never changes under its hash, and the note
// is kept among git's own files: who could change it could as well change the object.
func (r *repository) noted(h plumbing.Hash) (blob, bool) {
	text, err := os.ReadFile(r.note(h))
	if err != nil {
		return blob{}, false
	}
	digest, size, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), " ")
	n, err := strconv.ParseInt(size, 10, 64)
	return blob{sha256: digest, size: n}, err == nil && n >= worthNoting && isHex(digest, 32)
}

// takeNote keeps what was read of an object for builds to come. Where git's files cannot be written there is no note.
func (r *repository) takeNote(h plumbing.Hash, b blob) {
	if b.size < worthNoting || os.MkdirAll(filepath.Dir(r.note(h)), 0o755) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(r.note(h)), ".new-*")
	if err != nil {
		return
	}
	_, err = fmt.Fprintf(f, "%s %d\n", b.sha256, b.size)
	if f.Close() != nil || err != nil || os.Rename(f.Name(), r.note(h)) != nil {
		_ = os.Remove(f.Name())
	}
}

func (r *repository) note(h plumbing.Hash) string {
	return filepath.Join(r.common, "barge", "sha256", h.String())
}
