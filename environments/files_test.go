package environments

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, top string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(top, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFileReadsTheRepositoryAlone: relative to barge.hcl, through symlinks within the repository, and nothing else.
func TestFileReadsTheRepositoryAlone(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, map[string]string{"secret": "hunter2"})
	top := t.TempDir()
	write(t, top, map[string]string{
		".git/HEAD": "", "shared/policy": "beside", "p/conf/policy": "within", "p/bytes": "a\xff", "p/nul": "a\x00b",
		"p/large": strings.Repeat("a", largest+1), "p/full": strings.Repeat("a", largest),
	})
	for name, to := range map[string]string{
		"p/near": "../shared/policy", "p/far": filepath.Join(outside, "secret"), "p/up": "../../" + filepath.Base(outside) + "/secret", "p/away": outside,
	} {
		if err := os.Symlink(to, filepath.Join(top, filepath.FromSlash(name))); err != nil {
			t.Skip(err)
		}
	}
	for _, c := range []struct{ path, want, err string }{
		{path: "conf/policy", want: "within"},
		{path: "../shared/policy", want: "beside"},
		{path: "near", want: "beside"},
		{path: "none", err: "there is no file none"},
		{path: "conf", err: "conf is no file"},
		{path: "far", err: "far cannot be read within the repository: path escapes from parent"},
		{path: "up", err: "up cannot be read within the repository: path escapes from parent"},
		{path: "away/secret", err: "away/secret cannot be read within the repository: path escapes from parent"},
		{path: "../../secret", err: "../../secret is outside of the repository"},
		{path: "/etc/passwd", err: `path "/etc/passwd" must be relative to the folder of barge.hcl`},
		{path: "conf/../conf/policy", err: `path "conf/../conf/policy" is not a clean path: write "conf/policy"`},
		{path: "", err: `path "" must not be empty`},
		{path: "bytes", err: "bytes is no UTF-8 text"},
		{path: "nul", err: "nul is no UTF-8 text"},
		{path: "large", err: "large is larger than 1048576 bytes"},
	} {
		write(t, top, map[string]string{"p/barge.hcl": fmt.Sprintf("project \"p\" {}\nartifact {}\ncompute \"c\" {\n  node_type = \"x\"\n  spark_version = file(%q)\n}\n", c.path)})
		p, diags := Load(filepath.Join(top, "p"), Options{Getenv: nothing})
		want := ""
		if c.err != "" {
			want = "barge.hcl:5: file(): " + c.err
		}
		if diags.Error() != want || c.err == "" && p.Computes[0].SparkVersion != c.want {
			t.Errorf("%s: %v, want %s", c.path, diags, want)
		}
		if strings.Contains(diags.Error(), "hunter2") {
			t.Error("the file is shown")
		}
	}
	write(t, top, map[string]string{"p/barge.hcl": "project \"p\" {\n  store = length(split(\"\", file(\"full\"))) > 9 ? \"oci-layout:x\" : \"y\"\n}\n"})
	mustLoad(t, filepath.Join(top, "p"), Options{})
}

// TestFileOfACommit: what reads the commit is asked, and the working tree is not.
func TestFileOfACommit(t *testing.T) {
	files := map[string][]byte{mainFile: []byte("project \"p\" {\n  store = \"oci-layout:${trimspace(file(\"../where\"))}\"\n}\n")}
	p, diags := LoadFiles(files, Options{Getenv: nothing, ReadFile: func(path string) ([]byte, error) { return []byte(path + "\n"), nil }})
	if len(diags) > 0 || p.Store != "oci-layout:../where" {
		t.Error(p, diags)
	}
	_, diags = LoadFiles(files, Options{Getenv: nothing, ReadFile: func(string) ([]byte, error) { return nil, errors.New("it is gone") }})
	if diags.Error() != "barge.hcl:2: file(): it is gone" {
		t.Error(diags)
	}
	if _, diags = LoadFiles(files, Options{Getenv: nothing}); diags.Error() != "barge.hcl:2: file(): no file can be read here" {
		t.Error(diags)
	}
}

// TestFileWithoutARepository: the folder of barge.hcl is all there is.
func TestFileWithoutARepository(t *testing.T) {
	top := t.TempDir()
	write(t, top, map[string]string{"p/barge.hcl": "project \"p\" {\n  store = file(\"../x\")\n}\n", "x": "oci-layout:x"})
	if _, diags := Load(filepath.Join(top, "p"), Options{Getenv: nothing}); diags.Error() != "barge.hcl:2: file(): ../x is outside of the repository" {
		t.Error(diags)
	}
}
