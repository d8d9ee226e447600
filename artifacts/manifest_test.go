package artifacts

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample() Manifest {
	file := func(p, body string) File {
		return File{Path: p, SHA256: strings.TrimPrefix(digestOf([]byte(body)), digestPrefix), Size: int64(len(body))}
	}
	model := []File{file("MLmodel", "model\n"), file("data/model.pkl", "bytes")}
	a := file("a.py", notebook("1"))
	a.Kind, a.Language = Notebook, "python"
	run := file("lib/run.sh", "#!/bin/sh\n")
	run.Executable = true
	return Manifest{
		Format: Format, Project: "wine", Notebooks: []File{a, run}, Config: []File{file("prod.yml", "a: <b> & \u2028\n")},
		Models:   []ModelPin{{Label: "m", Registry: "shared", Name: "M", Version: "3", RunID: "r1", Digest: FolderDigest(model), Files: model, Excluded: []string{"registered_model_meta"}}},
		Recorded: []byte(`{"b":[1.50,"<&>"],"a":null}`),
	}
}

// The canonical form and with it every id is fixed by the format: this text may never change.
const sampleCanonical = `{"config":[{"path":"prod.yml","sha256":"2b73edcda84e3a9cb598b98394857af10aa18b53e4bffc0d1e3eeb80d2e90f11","size":13}],"format":"barge.artifact/v1","models":[{"digest":"sha256:68e23e05cf28ed436982e4e2e4f14e6bedd0054483a6627316e95b039933edec","excluded":["registered_model_meta"],"files":[{"path":"MLmodel","sha256":"98ad61a25e3683b6adf2474b01bbe1c27de6aad2ce3a80ff4140fe473c14e691","size":6},{"path":"data/model.pkl","sha256":"277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9","size":5}],"label":"m","name":"M","registry":"shared","run_id":"r1","version":"3"}],"notebooks":[{"kind":"notebook","language":"python","path":"a.py","sha256":"d3ad70b10a3b2fa6851a21fd266358a2ef9d82e86bfddd226c8c976d9247534a","size":31},{"executable":true,"path":"lib/run.sh","sha256":"a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf","size":10}],"project":"wine","recorded":{"a":null,"b":[1.50,"<&>"]}}`

func TestCanonicalManifest(t *testing.T) {
	b, err := sample().Canonical()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleCanonical, string(b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, err := ReadManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	want.Recorded = []byte(`{"a":null,"b":[1.50,"<&>"]}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is read is not what was written (-want +got):\n%s", diff)
	}
	id, err := got.ID()
	if err != nil || id != digestOf(b) {
		t.Errorf("id %s, %v, want %s", id, err, digestOf(b))
	}
}

func TestEmptyListsAreOneForm(t *testing.T) {
	nils, empties := Manifest{Format: Format}, Manifest{Format: Format, Notebooks: []File{}, Config: []File{}, Models: []ModelPin{}, Recorded: []byte("null")}
	a, errA := nils.ID()
	b, errB := empties.ID()
	if a != b || errA != nil || errB != nil {
		t.Errorf("ids differ: %s %v, %s %v", a, errA, b, errB)
	}
}

func TestRefusedManifests(t *testing.T) {
	good, err := sample().Canonical()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, from, to, want string }{
		{"newer format", `barge.artifact/v1`, `barge.artifact/v2`, `unknown artifact format "barge.artifact/v2": this barge reads "barge.artifact/v1"`},
		{"unknown field", `{"config"`, `{"author":"x","config"`, `unknown field "author"`},
		{"space", `{"config"`, `{ "config"`, "not in canonical form"},
		{"order", `{"a":null,"b":`, `{"b":0,"b":`, "not in canonical form"},
		{"path out", `"path":"a.py"`, `"path":"../a.py"`, "no clean relative path"},
		{"absolute path", `"path":"a.py"`, `"path":"/a.py"`, "no clean relative path"},
		{"unclean path", `"path":"a.py"`, `"path":"./a.py"`, "no clean relative path"},
		{"backslash", `"path":"a.py"`, `"path":"..\\a.py"`, "no clean relative path"},
		{"twice", `"path":"a.py"`, `"path":"lib/run.sh"`, "not sorted"},
		{"digest", `"sha256":"`, `"sha256":"X`, "no proper size and sha256"},
		{"kind", `"kind":"notebook"`, `"kind":"link"`, "unknown kind"},
		{"model digest", `"digest":"sha256:`, `"digest":"sha256:0`, "not that of its files"},
		{"no JSON", `{`, `[`, "reading manifest"},
	} {
		bad := strings.Replace(string(good), tc.from, tc.to, 1)
		if bad == string(good) {
			t.Fatalf("%s changes nothing", tc.name)
		}
		if _, err := ReadManifest([]byte(bad)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", tc.name, err, tc.want)
		}
	}
	if _, err := ReadManifest([]byte(`{"format":"barge.artifact/v9"}`)); !errors.Is(err, ErrFormat) {
		t.Errorf("a foreign format is %v, want ErrFormat", err)
	}
}

func FuzzReadManifest(f *testing.F) {
	good, err := sample().Canonical()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format":"barge.artifact/v1"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ReadManifest(b)
		if err != nil {
			return
		}
		again, err := m.Canonical()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("a manifest was read that is not written so: %v\n%s\n%s", err, b, again)
		}
	})
}

func packed(t testing.TB, files ...Content) []byte {
	t.Helper()
	var b bytes.Buffer
	w := newTarWriter(&b)
	for _, f := range files {
		if err := w.add(f.File, f.Body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func shipped(t testing.TB, p, body string) Content {
	t.Helper()
	c, err := prepare(p, false, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTarIsPlain(t *testing.T) {
	long := strings.Repeat("long/", 60) + "ü.py"
	a, b := shipped(t, "a.py", notebook("1")), shipped(t, long, "x\n")
	a.Executable = true
	raw := packed(t, a, b)
	if raw[156] != tar.TypeReg || raw[1024+156] != tar.TypeXHeader {
		t.Error("PAX headers belong to paths that need them, and to no others")
	}
	r := tar.NewReader(bytes.NewReader(raw))
	for _, want := range []tar.Header{{Name: "a.py", Mode: 0o755}, {Name: long, Mode: 0o644}} {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != want.Name || h.Mode != want.Mode || h.ModTime.Unix() != 0 || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" {
			t.Errorf("header says more than it may: %+v", h)
		}
	}
	var got []Content
	for c, err := range readTar(context.Background(), bytes.NewReader(raw), []File{a.File, b.File}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c)
	}
	if diff := cmp.Diff([]Content{a, b}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTarMustBeItsManifest(t *testing.T) {
	a, b := shipped(t, "a.py", "one\n"), shipped(t, "b.py", "two\n")
	forged := b
	forged.Body = []byte("TWO\n")
	var link bytes.Buffer
	w := tar.NewWriter(&link)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "a.py", Linkname: "/etc/passwd"}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"missing", packed(t, a), "b.py is missing"},
		{"more", packed(t, a, b, shipped(t, "c.py", "x")), "c.py is not in its manifest"},
		{"order", packed(t, b, a), `found "b.py" where its manifest has a.py`},
		{"bytes", packed(t, a, forged), "b.py is not what its manifest says"},
		{"size", packed(t, shipped(t, "a.py", "longer\n"), b), "a.py has 7 bytes, its manifest says 4"},
		{"link", link.Bytes(), `found "a.py" where its manifest has a.py`},
		{"cut", packed(t, a, b)[:1000], "unpacking artifact"},
		{"empty", nil, "a.py is missing"},
	} {
		var last error
		for _, err := range readTar(context.Background(), bytes.NewReader(tc.raw), []File{a.File, b.File}) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", tc.name, last, tc.want)
		}
	}
}

func FuzzReadTar(f *testing.F) {
	a, b := shipped(f, "a.py", "one\n"), shipped(f, "b.py", "two\n")
	f.Add(packed(f, a, b))
	f.Fuzz(func(t *testing.T, raw []byte) {
		n := 0
		var last error
		for c, err := range readTar(context.Background(), bytes.NewReader(raw), []File{a.File, b.File}) {
			if last = err; err != nil {
				break
			}
			if want := []Content{a, b}[n]; !bytes.Equal(c.Body, want.Body) {
				t.Errorf("%s was read as %q", want.Path, c.Body)
			}
			n++
		}
		if last == nil && n != 2 {
			t.Errorf("%d files were read and nothing said", n)
		}
	})
}
