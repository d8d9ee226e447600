package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/errdef"
)

func newStore(t testing.TB) *Store {
	t.Helper()
	s, err := OpenStore(t.TempDir(), "oci-layout:store")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// put stores an artifact of one notebook.
func put(t testing.TB, s *Store, code string) string {
	t.Helper()
	id, err := tryPut(t.Context(), t, s, code)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func tryPut(ctx context.Context, t testing.TB, s *Store, code string) (string, error) {
	c := shipped(t, "a.py", notebook(code))
	sp, err := newSpool("")
	if err != nil {
		return "", err
	}
	defer sp.Close()
	w := newTarWriter(sp)
	if err := errors.Join(w.add(c.File, c.Body), w.Close(), sp.finish()); err != nil {
		return "", err
	}
	return s.put(ctx, Manifest{Format: Format, Project: "p", Notebooks: []File{c.File}}, []part{sp.part(MediaTypeNotebooks, "notebooks.tar")})
}

func TestNamesAreBoundForEver(t *testing.T) {
	s := newStore(t)
	one, two := put(t, s, "1"), put(t, s, "2")
	for range 2 {
		if err := s.Bind(t.Context(), "1.0.0", one); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Bind(t.Context(), "again", one); err != nil {
		t.Fatal(err)
	}
	err := s.Bind(t.Context(), "1.0.0", two)
	if !errors.Is(err, ErrBound) || !strings.Contains(err.Error(), one) || !strings.Contains(err.Error(), two) {
		t.Errorf("binding it anew: %v, want ErrBound naming both ids", err)
	}
	if got, err := s.Lookup(t.Context(), "1.0.0"); got != one || err != nil {
		t.Errorf("the name is %s, %v, want %s", got, err, one)
	}
	if err := s.Bind(t.Context(), "2.0.0", digestOf([]byte("nothing"))); !errors.Is(err, ErrNoRelease) {
		t.Errorf("binding what is not there: %v, want ErrNoRelease", err)
	}
}

func TestCheckName(t *testing.T) {
	for _, good := range []string{"1.4.0", "1.4.0-m18", "g0123456789ab", "2026-09", "_x", "liver"} {
		if err := CheckName(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "live.prod", "id.0", "sha256-0", "1.0.0+5", "a/b", "-m", ".x", "ü", "a b", strings.Repeat("x", 129)} {
		if CheckName(bad) == nil {
			t.Errorf("%q was taken for a name", bad)
		}
	}
}

func TestOpen(t *testing.T) {
	s := newStore(t)
	if _, err := s.Open(t.Context(), "1.0.0"); !errors.Is(err, ErrNoRelease) || !strings.Contains(err.Error(), "is empty: run barge build") {
		t.Errorf("an empty store: %v", err)
	}
	id := put(t, s, "1")
	if err := s.Bind(t.Context(), "1.0.0", id); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"1.0.0", id, strings.TrimPrefix(id, "sha256:"), id[:13], id[7:13]} {
		a, err := s.Open(t.Context(), ref)
		if err != nil {
			t.Fatalf("%s: %v", ref, err)
		}
		var got []string
		for c, err := range a.Notebooks(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, c.Path+" "+string(c.Body))
		}
		if diff := cmp.Diff([]string{"a.py " + notebook("1")}, got); diff != "" || a.ID() != id {
			t.Errorf("%s is %s (-want +got):\n%s", ref, a.ID(), diff)
		}
	}
	for ref, want := range map[string]string{
		"1.0.1":              "did you mean 1.0.0?",
		id[7:12]:             "no such release",
		"live.prod":          "no such release",
		digestOf([]byte("")): "no such release",
		"":                   "no such release",
	} {
		if _, err := s.Open(t.Context(), ref); !errors.Is(err, ErrNoRelease) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", ref, err, want)
		}
	}
	if _, err := OpenStore(".", "oci://registry.example.com/x"); err == nil {
		t.Error("a store of another kind was opened")
	}
}

func TestLive(t *testing.T) {
	s := newStore(t)
	one, two := put(t, s, "1"), put(t, s, "2")
	if id, known, err := s.Live(t.Context(), "prod"); known || err != nil {
		t.Errorf("nothing is live, but: %s, %v", id, err)
	}
	if err := s.SetLive(t.Context(), "prod", ""); err != nil {
		t.Fatal(err)
	}
	if _, known, err := s.Live(t.Context(), "prod"); known || err != nil {
		t.Errorf("that nothing is live was noted, and nothing ever was: %v", err)
	}
	for _, id := range []string{one, two, one, one, "", "", two} {
		if err := s.SetLive(t.Context(), "prod", id); err != nil {
			t.Fatal(err)
		}
		if got, known, err := s.Live(t.Context(), "prod"); got != id || !known || err != nil {
			t.Errorf("live is %s, %v, want %s", got, err, id)
		}
		if _, err := s.Open(t.Context(), one[:20]); err != nil {
			t.Errorf("with %q live the store does not find what it has: %v", id, err)
		}
	}
	if _, err := s.Open(t.Context(), two); err != nil {
		t.Errorf("who is live no more is lost: %v", err)
	}
	if l, err := s.List(t.Context()); err != nil || len(l) != 0 {
		t.Errorf("a list of names has %v, %v", l, err)
	}
}

func TestAttachments(t *testing.T) {
	s := newStore(t)
	one, two := put(t, s, "1"), put(t, s, "2")
	evidence := Attachment{MediaType: "application/vnd.test+json", PredicateType: "https://example.com/gate/v1", Body: []byte(`{"outcome":"passed"}`), Annotations: map[string]string{"k": "v"}}
	other := Attachment{MediaType: "application/vnd.test+json", PredicateType: "https://example.com/other/v1", Body: []byte(`{}`)}
	for _, a := range []Attachment{evidence, evidence, other} {
		if err := s.Attach(t.Context(), one, a); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Attach(t.Context(), digestOf(nil), other); !errors.Is(err, ErrNoRelease) {
		t.Errorf("attaching to nothing: %v, want ErrNoRelease", err)
	}
	for _, tc := range []struct {
		id, predicate string
		want          []Attachment
	}{
		{one, evidence.PredicateType, []Attachment{evidence}},
		{one, "", []Attachment{evidence, other}},
		{one, "https://example.com/none", nil},
		{two, "", nil},
	} {
		var got []Attachment
		for a, err := range s.Attached(t.Context(), tc.id, tc.predicate) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, a)
		}
		slices.SortFunc(got, func(a, b Attachment) int { return strings.Compare(a.PredicateType, b.PredicateType) })
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", tc.id, tc.predicate, diff)
		}
	}
}

// TestForgedStore: whatever is changed in a store is noticed when it is read.
func TestForgedStore(t *testing.T) {
	read := func(s *Store, ref string) error {
		a, err := s.Open(t.Context(), ref)
		if err != nil {
			return err
		}
		for _, err := range a.Notebooks(t.Context()) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	dir := t.TempDir()
	s, err := OpenStore(dir, "oci-layout:.")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(t.Context(), "1.0.0", put(t, s, "1")); err != nil {
		t.Fatal(err)
	}
	if err := read(s, "1.0.0"); err != nil {
		t.Fatal(err)
	}
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
	if err != nil || len(blobs) != 3 {
		t.Fatalf("blobs are %v, %v", blobs, err)
	}
	for _, name := range blobs {
		was, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		forged := slices.Clone(was)
		forged[len(was)/3] ^= 1
		replace := func(b []byte) {
			if err := errors.Join(os.Remove(name), os.WriteFile(name, b, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		replace(forged)
		if err := read(s, "1.0.0"); err == nil {
			t.Errorf("a changed %s was read", filepath.Base(name))
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if err := read(s, "1.0.0"); err == nil {
			t.Errorf("without %s it was read", filepath.Base(name))
		}
		if err := os.WriteFile(name, was, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestManyWriters: names, marks and attachments of many stores over one folder at once are all kept, and of two that
// want one name one gets it.
func TestManyWriters(t *testing.T) {
	dir := t.TempDir()
	const writers = 4
	won := make([]bool, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			s, err := OpenStore(dir, "oci-layout:store")
			if err != nil {
				t.Error(err)
				return
			}
			for n := range 3 {
				id, err := tryPut(t.Context(), t, s, fmt.Sprintf("%d-%d", i, n))
				if err == nil {
					err = s.Bind(t.Context(), fmt.Sprintf("1.%d.%d", i, n), id)
				}
				if err == nil {
					err = s.Attach(t.Context(), id, Attachment{MediaType: "text/plain", Body: []byte(id)})
				}
				if err != nil {
					t.Error(err)
				}
				if n == 0 {
					err = s.Bind(t.Context(), "wanted", id)
					won[i] = err == nil
					if err != nil && !errors.Is(err, ErrBound) {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	s, err := OpenStore(dir, "oci-layout:store")
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.List(t.Context())
	if err != nil || len(all) != 3*writers+1 {
		t.Errorf("%d names are left, %v, want %d", len(all), err, 3*writers+1)
	}
	for _, l := range all {
		n := 0
		for a, err := range s.Attached(t.Context(), l.ID, "") {
			if err != nil || string(a.Body) != l.ID {
				t.Errorf("%s has %q, %v attached", l.Name, a.Body, err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%s has %d attachments, want 1", l.Name, n)
		}
	}
	if n := len(slices.DeleteFunc(won, func(w bool) bool { return !w })); n != 1 {
		t.Errorf("%d writers got the one name", n)
	}
}

// failing is a target that stops answering after a number of calls.
type failing struct {
	Target
	left int
}

var errStopped = errors.New("stopped")

func (f *failing) stop() error {
	if f.left--; f.left < 0 {
		return errStopped
	}
	return nil
}

func (f *failing) Push(ctx context.Context, d ocispec.Descriptor, r io.Reader) error {
	if err := f.stop(); err != nil {
		return err
	}
	return f.Target.Push(ctx, d, r)
}

func (f *failing) Tag(ctx context.Context, d ocispec.Descriptor, name string) error {
	if err := f.stop(); err != nil {
		return err
	}
	return f.Target.Tag(ctx, d, name)
}

// TestStoppedWriter: wherever storing stops, what can be opened is whole, and storing again finishes it.
func TestStoppedWriter(t *testing.T) {
	for calls := 0; ; calls++ {
		s := newStore(t)
		_, err := tryPut(t.Context(), t, NewStore(&failing{s.target, calls}, "failing"), "1")
		if err != nil && !errors.Is(err, errStopped) {
			t.Fatal(err)
		}
		id := put(t, s, "1")
		if _, err := s.Open(t.Context(), id); err != nil {
			t.Errorf("stopped at call %d: %v", calls, err)
		}
		if err == nil {
			return
		}
	}
}

func TestUnknownIsNotFound(t *testing.T) {
	if _, err := newStore(t).target.Resolve(t.Context(), "x"); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}
