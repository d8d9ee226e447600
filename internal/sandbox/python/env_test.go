//go:build !windows

package python

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// small is an environment of one package, with an index that has nothing else; uv says whether uv is on its PATH.
func small(t *testing.T, uv bool) Env {
	t.Helper()
	i := interpreter(t)
	dir := wheels(t, map[string]string{"onething-1.0": "", "dataset-1.0": "somethingold==0.1"})
	lock := func(id string) []byte {
		content, err := os.ReadFile(filepath.Join(dir, id+"-py3-none-any.whl"))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Appendf(nil, "%s \\\n    --hash=sha256:%x\n", strings.Replace(id, "-", "==", 1), sha256.Sum256(content))
	}
	bin := t.TempDir()
	link(t, filepath.Join(filepath.Dir(realPath(t, i.Python)), "python3"), filepath.Join(bin, "python3"))
	if uv {
		link(t, uvOfThisMachine(t, i), filepath.Join(bin, "uv"))
	}
	environ := without(slices.Clone(i.environ), "PATH", "PIP_FIND_LINKS", "BARGE_PYTHON")
	return Env{
		Cache:   t.TempDir(),
		Environ: append(environ, "PATH="+bin+":/bin:/usr/bin", "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+dir),
		locked:  &requirements{notebooks: lock("onething-1.0"), data: lock("dataset-1.0"), uv: uvRequirements},
	}
}

func realPath(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func link(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}

// uvOfThisMachine is the one that made the managed environment.
func uvOfThisMachine(t *testing.T, i Interpreter) string {
	t.Helper()
	if uv := lookPath(i.environ, "uv"); uv != "" {
		return uv
	}
	uv := filepath.Join(i.cache, "uv-"+i.Version, "bin", "uv")
	if _, err := os.Stat(uv); err != nil {
		t.Fatal(err)
	}
	return uv
}

func works(t *testing.T, i Interpreter) {
	t.Helper()
	out, err := exec.Command(i.Python, "-c", "import onething, dataset; print(onething.version)").CombinedOutput()
	if err != nil || string(out) != "1.0\n" {
		t.Errorf("the environment does not work: %v\n%s", err, out)
	}
}

func TestEnsureOnceForAll(t *testing.T) {
	t.Parallel()
	e := small(t, true)
	const callers = 4
	var said [callers]bytes.Buffer
	var all sync.WaitGroup
	for n := range callers {
		all.Go(func() {
			i, err := e.Ensure(context.Background(), &said[n])
			if err != nil {
				t.Error(err)
				return
			}
			works(t, i)
		})
	}
	all.Wait()
	makers := 0
	for n := range callers {
		makers += strings.Count(said[n].String(), "installing 2 packages with uv")
	}
	if makers != 1 {
		t.Errorf("%d callers made the environment, want 1", makers)
	}
}

func TestEnsureRepairs(t *testing.T) {
	t.Parallel()
	e := small(t, true)
	i, err := e.Ensure(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, lost := range []string{marker, filepath.Join("bin", "python")} {
		if err := os.Remove(filepath.Join(i.Dir, lost)); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		if i, err = e.Ensure(t.Context(), &said); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(said.String(), "was not finished: making it anew") {
			t.Errorf("without %s: %s", lost, said.String())
		}
		works(t, i)
	}
	var said bytes.Buffer
	if _, err := e.Ensure(t.Context(), &said); err != nil || said.Len() > 0 {
		t.Errorf("a finished one is used in silence: %v, %s", err, said.String())
	}
}

// A uv that does not run is as good as none; and the index of this test has none either.
func TestEnsureByPip(t *testing.T) {
	t.Parallel()
	e := small(t, false)
	broken := script(t, "uv", "exit 127")
	e.Environ = append(e.Environ, "PATH="+filepath.Dir(broken)+":"+getenv(e.Environ, "PATH"))
	var said bytes.Buffer
	i, err := e.Ensure(t.Context(), &said)
	if err != nil {
		t.Fatal(err)
	}
	works(t, i)
	if !strings.Contains(said.String(), "pip takes some minutes instead") {
		t.Error(said.String())
	}
}

func TestEnsureInterrupted(t *testing.T) {
	t.Parallel()
	e := small(t, true)
	real := lookPath(e.Environ, "uv")
	started := filepath.Join(t.TempDir(), "started")
	slow := script(t, "uv", `[ "$1" = --version ] && exit; [ "$1" = venv ] && { mkdir -p "${!#}"; touch `+started+`; sleep 600; }`)
	interrupted := e
	interrupted.Environ = append(slices.Clone(e.Environ), "PATH="+filepath.Dir(slow)+":"+getenv(e.Environ, "PATH"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := interrupted.Ensure(ctx, nil)
		ended <- err
	}()
	eventually(t, "uv runs", func() bool { _, err := os.Stat(started); return err == nil })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if real == slow {
		t.Fatal("the second attempt would be slow too")
	}
	i, err := e.Ensure(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	works(t, i)
}

// script writes a program of bash and returns its path.
func script(t *testing.T, name, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("#!/bin/bash\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEnsureErrors(t *testing.T) {
	t.Parallel()
	base := small(t, true)
	for _, c := range []struct {
		name, uv string // uv: what stands in for it
		environ  []string
		want     []string
	}{
		{
			name: "no index", environ: []string{"PIP_NO_INDEX=0", "PIP_INDEX_URL=http://me:word@127.0.0.1:1/simple", "UV_HTTP_RETRIES=0"},
			want: []string{
				"making the Python environment of the sandbox: the package index at 127.0.0.1:1 cannot be reached",
				"HTTPS_PROXY", "its last lines:\n", "127.0.0.1:1/simple",
			},
		},
		{
			name: "disk full", uv: "echo 'error: failed to write: No space left on device (os error 28)' >&2; exit 2",
			want: []string{"the disk of " + base.Cache + " is full: about 1.5 GB are needed", "os error 28"},
		},
		{
			name: "anything else", uv: "seq 30; echo 'error: hash mismatch'; exit 1",
			want: []string{"the installer failed (uv: exit status 1); its last lines:\n20\n", "error: hash mismatch"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := base
			e.Environ = append(slices.Clone(e.Environ), c.environ...)
			if c.uv != "" {
				e.Environ = append(e.Environ, "PATH="+filepath.Dir(script(t, "uv", `[ "$1" = --version ] && exit; `+c.uv))+":"+getenv(e.Environ, "PATH"))
			}
			_, err := e.Ensure(t.Context(), nil)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q:\n%s", want, err)
				}
			}
			if strings.Contains(err.Error(), "word") {
				t.Errorf("the error shows a password: %s", err)
			}
		})
	}
}

func TestNoVenvModule(t *testing.T) {
	t.Parallel()
	e := small(t, false)
	python, err := findPython(t.Context(), e.Environ)
	if err != nil {
		t.Fatal(err)
	}
	python.CanVenv = false
	err = maker{python, e, filepath.Join(e.Cache, "env"), newSteps(nil)}.make(t.Context())
	want := python.Executable + " has no venv module: install it (Debian and Ubuntu: apt install python3-venv), " +
		"or install uv (https://docs.astral.sh/uv)"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestFindPython(t *testing.T) {
	const install = "\ninstall one (apt install python3 python3-venv, brew install python, or https://www.python.org/downloads) " +
		"or name one in BARGE_PYTHON"
	says := func(version string, minor int, missing string) string {
		return fmt.Sprintf(`echo '{"Executable":"/fake","Version":"%s","Minor":[3,%d],"Arch":"m68k","Missing":[%s]}'`, version, minor, missing)
	}
	for _, c := range []struct {
		name    string
		scripts map[string]string
		named   string // BARGE_PYTHON
		want    string // version
		err     string
	}{
		{name: "none", err: "the sandbox needs Python 3.11 or later; found none" + install},
		{
			name: "the newest that fits",
			scripts: map[string]string{
				"python3.13": "echo 'no such version is installed' >&2; exit 127",
				"python3.12": says("3.12.1", 12, ""), "python3": says("3.11.2", 11, ""),
			},
			want: "3.12.1",
		},
		{name: "a later one", scripts: map[string]string{"python3": says("3.15.0", 15, "")}, want: "3.15.0"},
		{
			name: "none that fits",
			scripts: map[string]string{
				"python3.13": "echo 'no such version is installed' >&2; exit 127",
				"python3.12": says("3.12.1", 12, `"sqlite3","ssl"`), "python3.11": "echo hello", "python3": says("3.9.2", 9, ""),
			},
			err: "the sandbox needs Python 3.11 or later; found only\n" +
				"  DIR/python3.13: does not run: no such version is installed\n" +
				"  DIR/python3.12: is Python 3.12.1 built without sqlite3, ssl\n" +
				"  DIR/python3.11: does not answer as Python does\n" +
				"  DIR/python3: is Python 3.9.2; 3.11 or later is needed" + install,
		},
		{
			name: "the one that is named", scripts: map[string]string{"python3.12": says("3.12.1", 12, ""), "mine": says("3.11.9", 11, "")},
			named: "mine", want: "3.11.9",
		},
		{
			name: "the one that is named, and does not fit", named: "mine",
			scripts: map[string]string{"python3.12": says("3.12.1", 12, ""), "mine": says("3.8.1", 8, "")},
			err:     "BARGE_PYTHON: DIR/mine: is Python 3.8.1; 3.11 or later is needed",
		},
		{name: "the one that is named, and is not there", named: "mine", err: "BARGE_PYTHON: DIR/mine: does not run: fork/exec DIR/mine: no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, body := range c.scripts {
				if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/bash\n"+body+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			environ := []string{"PATH=" + dir}
			if c.named != "" {
				environ = append(environ, "BARGE_PYTHON="+filepath.Join(dir, c.named))
			}
			python, err := findPython(t.Context(), environ)
			told := ""
			if err != nil {
				told = strings.ReplaceAll(err.Error(), dir, "DIR")
			}
			if diff := cmp.Diff(c.err, told); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if python.Version != c.want {
				t.Errorf("found %q, want %q", python.Version, c.want)
			}
		})
	}
}

func TestPipSettingsForUV(t *testing.T) {
	for _, c := range []struct {
		name, listing string
		environ       []string
		want          []string
		noIndex       bool
		host          string
	}{
		{name: "none", host: "pypi.org"},
		{
			name: "every one",
			listing: "global.index-url='https://u:p@index.example/simple'\nglobal.extra-index-url='\\nhttps://a/simple\\nhttps://b/simple'\n" +
				"global.find-links='/wheels https://c/files'\nglobal.cert='/ca.pem'\nglobal.proxy='http://proxy:3128'\n" +
				"global.trusted-host='a b'\nglobal.timeout='90'\nfreeze.timeout='10'\nglobal.no-index='yes'\n",
			want: []string{
				"UV_DEFAULT_INDEX=https://u:p@index.example/simple", "UV_INDEX=https://a/simple https://b/simple",
				"UV_FIND_LINKS=/wheels,https://c/files", "UV_INSECURE_HOST=a b", "UV_HTTP_TIMEOUT=90", "SSL_CERT_FILE=/ca.pem",
				"ALL_PROXY=http://proxy:3128", "HTTPS_PROXY=http://proxy:3128", "HTTP_PROXY=http://proxy:3128",
				"UV_INDEX_STRATEGY=unsafe-best-match",
			},
			noIndex: true, host: "index.example",
		},
		{
			name:    "install beats global, the environment both, uv's own all",
			listing: "install.index-url='https://i/simple'\nglobal.index-url='https://g/simple'\n:env:.index-url='https://e/simple'\nglobal.cert='/ca.pem'\n",
			environ: []string{"SSL_CERT_FILE=/own.pem", "PIP_CONFIG_FILE=/x"},
			want:    []string{"UV_DEFAULT_INDEX=https://i/simple"}, host: "i",
		},
		{
			name: "proxies that are set already", listing: "global.proxy='http://proxy:3128'\n",
			environ: []string{"https_proxy=http://mine:1"}, host: "pypi.org",
			want: []string{"ALL_PROXY=http://proxy:3128", "HTTP_PROXY=http://proxy:3128"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := settings{environ: c.environ, values: map[string]string{}}
			s.read(c.listing)
			if diff := cmp.Diff(append(slices.Clone(c.environ), c.want...), s.forUV()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if s.noIndex() != c.noIndex || s.indexHost() != c.host {
				t.Errorf("noIndex %v, host %s", s.noIndex(), s.indexHost())
			}
		})
	}
	s := readSettings(t.Context(), interpreter(t).Python, []string{"PIP_EXTRA_INDEX_URL=https://x/simple", "PIP_CONFIG_FILE=/dev/null"})
	if got := s.values["extra-index-url"]; got != "https://x/simple" {
		t.Errorf("from the environment: %q", got)
	}
}

// Every package is locked: a name, one version, and hashes.
func TestRequirementsAreLocked(t *testing.T) {
	entry := regexp.MustCompile(`(?m)^[\w.-]+==[\w.]+( ; .*)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+`)
	for name, file := range map[string][]byte{
		"notebooks": notebookRequirements, "data": dataRequirements, "uv": uvRequirements,
	} {
		if rest := strings.TrimSpace(entry.ReplaceAllString(string(file), "")); rest != "" {
			t.Errorf("%s: not locked: %s", name, rest)
		}
	}
}
