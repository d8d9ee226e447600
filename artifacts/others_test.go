package artifacts

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"
)

// TestLayoutIsReadByOthers: oras's own store finds in the folder what ours wrote.
func TestLayoutIsReadByOthers(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenStore(dir, "oci-layout:store")
	if err != nil {
		t.Fatal(err)
	}
	id := put(t, s, "1")
	err = errors.Join(s.Bind(t.Context(), "1.0.0", id), s.SetLive(t.Context(), "prod", id), s.Attach(t.Context(), id, Attachment{MediaType: "text/plain", Body: []byte("x")}))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := oci.New(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	if err := theirs.Tags(t.Context(), "", func(page []string) error { tags = append(tags, page...); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1.0.0", "id." + id[7:], "live.prod"}, tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	d, err := theirs.Resolve(t.Context(), "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	attached, err := theirs.Predecessors(t.Context(), d)
	if err != nil || len(attached) != 1 {
		t.Errorf("attached are %v, %v", attached, err)
	}

	// and the other way round: over their store ours works too, without promising names for ever to two processes
	over := NewStore(theirs, "theirs")
	if got, err := over.Lookup(t.Context(), "1.0.0"); got != id || err != nil {
		t.Errorf("over theirs it is %s, %v", got, err)
	}
	if err := over.Bind(t.Context(), "1.0.1", id); err != nil {
		t.Error(err)
	}
	if err := over.Bind(t.Context(), "1.0.0", put(t, over, "2")); !errors.Is(err, ErrBound) {
		t.Errorf("a second binding over theirs: %v, want ErrBound", err)
	}
}

// TestStoreOfOthers: a folder that another tool wrote, name by name and beside images of its own, is a store.
func TestStoreOfOthers(t *testing.T) {
	ours, dir := newStore(t), t.TempDir()
	one, two := put(t, ours, "1"), put(t, ours, "2")
	err := errors.Join(
		ours.Bind(t.Context(), "1.0.0", one), ours.Bind(t.Context(), "2.0.0", two), ours.SetLive(t.Context(), "prod", one),
		ours.Attach(t.Context(), one, Attachment{MediaType: "text/plain", PredicateType: "gate", Body: []byte("x")}),
	)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := oci.New(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	for name, copied := range map[string]func() error{
		"1.0.0": func() error {
			_, err := oras.ExtendedCopy(t.Context(), ours.target, "1.0.0", theirs, "1.0.0", oras.DefaultExtendedCopyOptions)
			return err
		},
		"2.0.0": func() error {
			_, err := oras.Copy(t.Context(), ours.target, "2.0.0", theirs, "2.0.0", oras.DefaultCopyOptions)
			return err
		},
		"an image": func() error {
			d, err := oras.PackManifest(t.Context(), theirs, oras.PackManifestVersion1_1, "application/vnd.other", oras.PackManifestOptions{})
			return errors.Join(err, theirs.Tag(t.Context(), d, "latest"))
		},
		"an index": func() error {
			const index = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
			d, err := oras.PushBytes(t.Context(), theirs, ocispec.MediaTypeImageIndex, []byte(index))
			return errors.Join(err, theirs.Tag(t.Context(), d, "3.0.0"))
		},
	} {
		if err := copied(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}

	s, err := OpenStore(dir, "oci-layout:store")
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{"1.0.0": one, one: one, one[:13]: one, one[7:17]: one, "2.0.0": two, two[7:]: two} {
		a, err := s.Open(t.Context(), ref)
		if err != nil || a.ID() != want {
			t.Errorf("%s is %v, %v, want %s", ref, a, err, want)
			continue
		}
		for _, err := range a.Notebooks(t.Context()) {
			if err != nil {
				t.Errorf("%s: %v", ref, err)
			}
		}
	}
	all, err := s.List(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != "2.0.0" || all[1].Name != "1.0.0" {
		t.Errorf("it lists %+v, %v", all, err)
	}
	in, err := s.Inspect(t.Context(), "1.0.0")
	if diff := cmp.Diff(map[string]int{"gate": 1}, in.Attachments); err != nil || diff != "" {
		t.Errorf("%v, attached (-want +got):\n%s", err, diff)
	}
	for ref, want := range map[string]string{
		"latest":               "is no artifact of barge (application/vnd.other)",
		"3.0.0":                "is no artifact of barge (application/vnd.oci.image.index.v1+json)",
		digestOf([]byte("no")): "no such release",
	} {
		if _, err := s.Open(t.Context(), ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", ref, err, want)
		}
	}

	// and barge goes on in it
	if err := s.Bind(t.Context(), "1.0.1", one); err != nil {
		t.Error(err)
	}
	if err := s.Bind(t.Context(), "2.0.0", one); !errors.Is(err, ErrBound) {
		t.Errorf("a second binding: %v, want ErrBound", err)
	}
	if id := put(t, s, "1"); id != one {
		t.Errorf("stored again it is %s, want %s", id, one)
	}
	if d, err := s.target.Resolve(t.Context(), idTag+one[7:]); err != nil || d.Size == 0 {
		t.Errorf("stored again it has no tag of its id: %v", err)
	}
}
