package artifacts

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// packedYard is a repository whose history is packed, with deltas by offset or by reference, and the blobs in it.
func packedYard(t *testing.T, byReference bool) (*repository, map[plumbing.Hash][]byte) {
	t.Helper()
	y := newRepo(t, nil)
	y.git("config", "repack.useDeltaBaseOffset", fmt.Sprint(!byReference))
	var text strings.Builder
	for line := range 400 {
		fmt.Fprintf(&text, "line %d of %d\n", line, line*line%1009)
	}
	for n := range 40 {
		y.write(map[string]string{fmt.Sprintf("file%d.py", n%4): strings.ReplaceAll(text.String(), fmt.Sprintf("line %d ", 7*n), fmt.Sprintf("changed %d ", n))})
		y.commit(fmt.Sprint(n))
	}
	y.write(map[string]string{"short": "x", "pointer": "version https://git-lfs.github.com/spec/v1\n", "large": strings.Repeat("many words ", 1<<17)})
	y.commit("more")
	y.git("gc", "-q")
	blobs := map[plumbing.Hash][]byte{}
	for line := range strings.Lines(y.git("cat-file", "--batch-all-objects", "--batch-check")) {
		if hash, rest, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(rest, "blob") {
			body, err := tryGit(y.dir, "cat-file", "blob", hash)
			if err != nil {
				t.Fatal(err)
			}
			blobs[plumbing.NewHash(hash)] = []byte(body)
		}
	}
	r, err := openRepository(y.dir)
	if err != nil {
		t.Fatal(err)
	}
	return r, blobs
}

// TestPacks: what the quick way gives is what git has, deltas and all; what it does not know it leaves alone.
func TestPacks(t *testing.T) {
	for _, byReference := range []bool{false, true} {
		repo, blobs := packedYard(t, byReference)
		ps := repo.openPacks()
		defer ps.Close()
		r := ps.reader()
		for hash, want := range blobs {
			got, ok := r.blob(hash)
			if large := len(want) > maxBlob; ok == large || ok && !bytes.Equal(got, want) {
				t.Errorf("%s of %d bytes: %v, %d bytes", hash, len(want), ok, len(got))
			}
		}
		if len(ps.bases) == 0 {
			t.Error("no object was a delta: this repository shows nothing")
		}
		head, _, err := repo.head()
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []plumbing.Hash{head.Hash, head.TreeHash, {1, 2, 3}} {
			if b, ok := r.blob(other); ok {
				t.Errorf("%s is no blob, and is given as %q", other, b)
			}
		}
	}
}

// TestDamagedPacks: a byte that is another one anywhere in a pack never gives a blob that is not what its hash says.
func TestDamagedPacks(t *testing.T) {
	repo, blobs := packedYard(t, false)
	names, err := filepath.Glob(filepath.Join(repo.common, "objects", "pack", "*.pack"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	if err := os.Chmod(names[0], 0o600); err != nil {
		t.Fatal(err)
	}
	pack, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for at := 12; at < len(pack)-20; at += 1 + len(pack)/500 {
		damaged := bytes.Clone(pack)
		damaged[at] ^= 0x55
		if err := os.WriteFile(names[0], damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		ps := repo.openPacks()
		r := ps.reader()
		for hash, want := range blobs {
			got, ok := r.blob(hash)
			if ok && !bytes.Equal(got, want) {
				t.Errorf("byte %d: %s has %d bytes that are not its own", at, hash, len(got))
			}
			if !ok {
				refused++
			}
		}
		ps.Close()
	}
	if refused < 500 {
		t.Errorf("%d blobs were refused: the damage did nothing", refused)
	}
}
