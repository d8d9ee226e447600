//go:build !windows

package python

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wheels writes packages of one module each, {"name-1.0": requirement or ""}, into a folder and returns it.
func wheels(t *testing.T, packages map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for id, needs := range packages {
		name, version, _ := strings.Cut(id, "-")
		file, err := os.Create(filepath.Join(dir, id+"-py3-none-any.whl"))
		if err != nil {
			t.Fatal(err)
		}
		w := zip.NewWriter(file)
		metadata := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version)
		if needs != "" {
			metadata += "Requires-Dist: " + needs + "\n"
		}
		files := [][2]string{
			{name + ".py", "version = '" + version + "'\n"},
			{id + ".dist-info/METADATA", metadata},
			{id + ".dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		}
		record := ""
		for _, f := range files {
			sum := sha256.Sum256([]byte(f[1]))
			record += fmt.Sprintf("%s,sha256=%s,%d\n", f[0], base64.RawURLEncoding.EncodeToString(sum[:]), len(f[1]))
		}
		for _, f := range append(files, [2]string{id + ".dist-info/RECORD", record + id + ".dist-info/RECORD,,\n"}) {
			out, err := w.Create(f[0])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := out.Write([]byte(f[1])); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
