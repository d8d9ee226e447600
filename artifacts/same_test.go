package artifacts

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bargeml/barge/internal/registry"
)

// TestMain lets the test binary be a second process that builds.
func TestMain(m *testing.M) {
	if os.Getenv("BARGE_TEST_BUILD") == "" {
		for name, value := range map[string]string{"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1"} {
			if err := os.Setenv(name, value); err != nil {
				panic(err)
			}
		}
		os.Exit(m.Run())
	}
	if err := buildElsewhere(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// buildElsewhere builds the ref in BARGE_TEST_REF of the repository in BARGE_TEST_BUILD into the store in
// BARGE_TEST_STORE, with the registry that BARGE_TEST_MODELS holds as JSON.
func buildElsewhere() error {
	m := &models{files: map[string]map[string]string{}}
	if err := json.Unmarshal([]byte(os.Getenv("BARGE_TEST_MODELS")), &m.versions); err != nil {
		return err
	}
	for _, v := range m.versions {
		m.files[v.Model+"/"+v.Number] = modelOf("first")
	}
	store, err := OpenStore(os.Getenv("BARGE_TEST_STORE"), "oci-layout:store")
	if err != nil {
		return err
	}
	ctx := context.Background()
	c, err := OpenCommit(ctx, os.Getenv("BARGE_TEST_BUILD"), CommitOptions{Ref: os.Getenv("BARGE_TEST_REF")})
	if err != nil {
		return err
	}
	r, err := Build(ctx, c, BuildOptions{
		Project: wine(), Store: store, Barge: os.Getenv("BARGE_TEST_VERSION"),
		Registry: func(context.Context, string) (Registry, error) { return m, nil },
	})
	if err != nil {
		return err
	}
	d, err := store.descriptor(ctx, r.ID)
	fmt.Println(r.Name, r.ID, d.Digest)
	return err
}

// elsewhere runs buildElsewhere in a process of its own.
func elsewhere(t *testing.T, versions []registry.Version, dir, ref, umask string, env ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	known, err := json.Marshal(versions)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "umask "+umask+` && exec "$0"`, self)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "BARGE_TEST_BUILD=" + dir, "BARGE_TEST_REF=" + ref, "BARGE_TEST_MODELS=" + string(known), "BARGE_TEST_STORE=" + cmd.Dir}, env...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// TestSameEverywhere: the same commit and model are the same artifact, byte for byte, whoever builds it where.
func TestSameEverywhere(t *testing.T) {
	y := newYard(t)
	if err := os.Chmod(filepath.Join(y.dir, "notebooks/helpers.py"), 0o755); err != nil {
		t.Fatal(err)
	}
	y.commit("executable")
	y.git("tag", "v1.4.0")
	want, err := elsewhere(t, y.models.versions, y.dir, "v1.4.0", "022")
	if err != nil {
		t.Fatal(want, err)
	}
	if here := y.build("v1.4.0"); !strings.HasPrefix(want, "1.4.0 "+here.ID+" ") {
		t.Errorf("another process made %s, this one %s", want, here.ID)
	}

	shallow := y.clone("--depth", "1", "--branch", "v1.4.0")
	crlf := y.clone("-c", "core.autocrlf=true", "-c", "core.fileMode=false")
	packed := y.clone()
	packed.git("gc", "-q", "--aggressive")
	linked := filepath.Join(t.TempDir(), "a linked worktree, with a ü")
	y.git("worktree", "add", "-q", linked, "v1.4.0")
	dirty := y.clone()
	dirty.write(map[string]string{"notebooks/train.py": notebook("changed")})

	for _, tc := range []struct {
		name, dir, ref, umask string
		env                   []string
	}{
		{"home and time zone", y.dir, "", "022", []string{"HOME=" + t.TempDir(), "TZ=Asia/Kathmandu"}},
		{"umask and locale", y.dir, "", "077", []string{"LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8"}},
		{"one processor", y.dir, "", "022", []string{"GOMAXPROCS=1"}},
		{"many processors", y.dir, "", "000", []string{"GOMAXPROCS=16", "GOGC=5"}},
		{"shallow clone, detached", shallow.dir, "", "022", nil},
		{"clone with Windows line endings", crlf.dir, "", "022", nil},
		{"packed", packed.dir, "v1.4.0", "022", nil},
		{"linked worktree", linked, "", "022", nil},
		{"dirty clone, by ref", dirty.dir, "main", "022", nil},
		{"another version of barge", y.dir, "", "022", []string{"BARGE_TEST_VERSION=9.9.9"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := elsewhere(t, y.models.versions, tc.dir, tc.ref, tc.umask, tc.env...)
			if err != nil || got != want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, want)
			}
		})
	}
}

// TestTwoProcessesOneStore: processes that build different releases into one folder at once lose none.
func TestTwoProcessesOneStore(t *testing.T) {
	y := newYard(t)
	dir := t.TempDir()
	const builders = 4
	for i := range builders {
		y.write(map[string]string{"notebooks/helpers.py": fmt.Sprintf("x = %d\n", i)})
		y.commit("change")
		y.git("tag", fmt.Sprintf("v1.%d.0", i))
	}
	var wg sync.WaitGroup
	for i := range builders {
		wg.Go(func() {
			out, err := elsewhere(t, y.models.versions, y.dir, fmt.Sprintf("v1.%d.0", i), "022", "BARGE_TEST_STORE="+dir)
			if err != nil {
				t.Error(out, err)
			}
		})
	}
	wg.Wait()
	s, err := OpenStore(dir, "oci-layout:store")
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.List(t.Context())
	if err != nil || len(all) != builders {
		t.Errorf("the store has %+v, %v, want %d names", all, err, builders)
	}
	for _, l := range all {
		if l.Commit == "" {
			t.Errorf("%s has lost where it comes from", l.Name)
		}
	}
}
