package mlflow

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	temp, err := os.MkdirTemp("", "sweep") // a socket's name is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	long := time.Now().Add(-time.Hour)
	for name, old := range map[string]bool{"dead": true, "living": true, "starting": false, "empty": true, "other": true} {
		dir := filepath.Join(temp, private+name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if name == "other" {
			if err := os.WriteFile(filepath.Join(dir, "notes"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if name != "empty" && name != "other" {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s")})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			if name == "living" {
				defer l.Close()
			} else if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if old {
			if err := os.Chtimes(dir, long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	sweep(temp)
	left, err := filepath.Glob(filepath.Join(temp, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if want := []string{private + "living", private + "other", private + "starting"}; !slices.Equal(left, want) {
		t.Errorf("%q, not %q", left, want)
	}
}
