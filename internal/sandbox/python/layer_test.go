//go:build !windows

package python

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bargeml/barge/internal/sandbox/jobs"
)

// withWheels is an interpreter with a cache of its own, whose pip knows these packages alone.
func withWheels(t *testing.T, i Interpreter, packages map[string]string) Interpreter {
	t.Helper()
	i.cache = t.TempDir()
	i.environ = append(without(slices.Clone(i.environ), "PIP_FIND_LINKS"), "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+wheels(t, packages))
	return i
}

// contents lists the packages of the base environment, which nothing may change.
func contents(t *testing.T, i Interpreter) string {
	t.Helper()
	entries, err := filepath.Glob(filepath.Join(i.Dir, "lib", "python3.*", "site-packages", "*"))
	if err != nil || len(entries) < 100 {
		t.Fatal(len(entries), err)
	}
	return strings.Join(entries, "\n")
}

func TestLibrariesAndPipLines(t *testing.T) {
	t.Parallel()
	i := withWheels(t, interpreter(t), map[string]string{
		"onething-1.0": "", "onething-2.0": "", "another-1.0": "onething>=1", "six-99.0": "", "fresh-1.0": "",
	})
	before := contents(t, i)
	s := newStub(t, map[string]string{
		"/library": notebook("import onething, six\nprint(onething.version, six.__version__)"),
		"/pip": notebook(magic("%pip install --quiet another six==99.0"), `
import another, onething, six
print(another.version, onething.version, six.version)
import subprocess, sys
subprocess.run([sys.executable, "-c", "import another, idna, six; print(six.version)"], check=True, stdout=open("/dbfs/out", "w"))
print(open("/dbfs/out").read())`),
		"/included": notebook(magic("%run ./installs"), "import fresh\nprint(fresh.version)"),
		"/installs": notebook(magic("%pip install -r /Workspace/requirements.txt")),
		"/plain":    notebook("import importlib.util\nprint([importlib.util.find_spec(n) for n in ('onething', 'another', 'fresh')])\nimport six\nprint(six.__version__)"),
		"/shell": notebook(magic("%sh", "pip install --quiet --no-index --find-links "+getenv(i.environ, "PIP_FIND_LINKS")+" fresh==1.0"),
			"import fresh\nprint(fresh.version)"),
		"/refused":         notebook(magic("%pip install --retries 0 --index-url https://me:word@127.0.0.1:1/simple nowhere")),
		"/absent":          notebook(magic("%pip install no-such-thing==3")),
		"requirements.txt": "fresh==1.0\n",
	})
	cases := []struct {
		path, stdout, err string
		libraries         []string
		warm              bool // also in a warm interpreter
	}{
		{path: "/library", libraries: []string{"onething==1.0"}, stdout: "1.0 1.17.0\n", warm: true},
		{path: "/library", libraries: []string{" onething==1.0 ", ""}, stdout: "1.0 1.17.0\n"},
		{path: "/pip", stdout: "1.0 2.0 99.0\n99.0\n\n", warm: true},
		{path: "/pip", libraries: []string{"onething==1.0"}, stdout: "1.0 1.0 99.0\n99.0\n\n"},
		{path: "/included", stdout: "1.0\n", warm: true},
		{path: "/shell", stdout: "1.0\n"},
		{path: "/plain", stdout: "[None, None, None]\n1.17.0\n", warm: true},
		{path: "/refused", err: "InstallError: pip install --retries 0 --index-url https://127.0.0.1:1/simple nowhere ended with 1; its last lines:\n"},
		{path: "/absent", err: "InstallError: pip install no-such-thing==3 ended with 1; its last lines:\n"},
	}
	warm := quickRuntime(t, i)
	warm.warm.modules = append(warm.warm.modules, "six")
	for name, r := range map[string]*Runtime{"cold": {interpreter: i}, "warm": warm} {
		for n, c := range cases {
			if name == "warm" && !c.warm {
				continue
			}
			o := s.run(t, r, jobs.Attempt{NotebookPath: c.path, Libraries: c.libraries, RunID: int64(n + 1)})
			got := stdout(o)
			if strings.Contains(got+o.Error, "me:word") {
				t.Errorf("%s shows a password: %s\n%s", c.path, got, o.Error)
			}
			if c.err != "" {
				got = ""
			}
			if c.path == "/included" || c.path == "/shell" {
				got = got[strings.LastIndex(strings.TrimSpace(got), "\n")+1:] // what pip says is pip's own
			}
			if got != c.stdout || !strings.HasPrefix(o.Error, c.err) || (c.err == "") != (o.Result == jobs.Success) {
				t.Errorf("%s, %s %v: stdout %q, error %q%s\n%s", name, c.path, c.libraries, got, o.Error, o.Message, o.Trace)
			}
		}
	}
	if after := contents(t, i); after != before {
		t.Error("the base environment has changed")
	}
	o := s.run(t, warm, jobs.Attempt{NotebookPath: "/plain", TaskKey: "main", Libraries: []string{"no-such-thing==3"}})
	if o.Result != jobs.NoLibraries ||
		!strings.HasPrefix(o.Message, "Library installation failed for task main: pip install no-such-thing==3 ended with 1; its last lines:\n") ||
		!strings.HasSuffix(o.Message, "No matching distribution found for no-such-thing==3") {
		t.Errorf("a library that is not there: %+v", o)
	}
}

// Libraries are named as Databricks has them: files in the workspace, on DBFS and on volumes, and files that name
// others. A file that has changed is another set.
func TestLibrariesInFiles(t *testing.T) {
	t.Parallel()
	i := withWheels(t, interpreter(t), map[string]string{"onething-1.0": "", "onething-2.0": "", "another-1.0": "", "fresh-1.0": ""})
	s := newStub(t, map[string]string{
		"/Shared/n": notebook("import importlib.metadata\nprint([importlib.metadata.version(n) for n in ('onething', 'another', 'fresh')])"),
		"/Shared/p": notebook(magic("%pip install --quiet -r ./lists/all.txt"), "import onething\nprint(onething.version)"),

		"/Shared/lists/all.txt":  "# what all need\n-r more.txt\n/dbfs/wheels/fresh-1.0-py3-none-any.whl\n",
		"/Shared/lists/more.txt": "onething==1.0\n",
	})
	index := getenv(i.environ, "PIP_FIND_LINKS")
	for _, to := range []string{filepath.Join(s.DBFS, "wheels"), filepath.Join(s.Volumes, "main", "v")} {
		if err := os.CopyFS(to, os.DirFS(index)); err != nil {
			t.Fatal(err)
		}
	}
	r := quickRuntime(t, i)
	libraries := []string{"-r /Workspace/Shared/lists/all.txt", "dbfs:/wheels/another-1.0-py3-none-any.whl"}
	var said []string
	for n, c := range []struct {
		more, path, want string
		libraries        []string
	}{
		{"onething==1.0\n", "/Shared/n", "['1.0', '1.0', '1.0']\n", libraries},
		{"onething==2.0\n", "/Shared/n", "['2.0', '1.0', '1.0']\n", libraries},
		{"onething==2.0\n", "/Shared/p", "2.0\n", nil},
		{"", "/Shared/n", "['1.0', '1.0', '1.0']\n", []string{"onething==1.0", "-r /Workspace/Shared/lists/all.txt", "/Volumes/main/v/another-1.0-py3-none-any.whl", "--find-links /dbfs/wheels"}},
	} {
		s.put(t, "/Shared/lists/more.txt", c.more)
		o := s.run(t, r, jobs.Attempt{
			NotebookPath: c.path, Libraries: c.libraries, RunID: int64(n + 1), Say: func(text string) { said = append(said, text) },
		})
		if got := stdout(o); o.Result != jobs.Success || got != c.want {
			t.Errorf("%s with %q: %q\n%s%s\n%s", c.path, c.more, got, o.Error, o.Message, o.Trace)
		}
	}
	told := strings.Join(said, "\n")
	first := "installing libraries: -r /Workspace/Shared/lists/all.txt, dbfs:/wheels/another-1.0-py3-none-any.whl\n"
	if !strings.HasPrefix(told, first) || !strings.Contains(told, "\ninstalling libraries: Installing collected packages: ") || said[len(said)-1] != "" {
		t.Errorf("said:\n%s", told)
	}
	o := s.run(t, r, jobs.Attempt{NotebookPath: "/Shared/n", Libraries: []string{"/Volumes/main/v/gone-1.0-py3-none-any.whl", "--index-url https://me:word@127.0.0.1:1/simple"}})
	if o.Result != jobs.NoLibraries || !strings.Contains(o.Message, "/Volumes/main/v/gone-1.0-py3-none-any.whl") || strings.Contains(o.Message, "word") || strings.Contains(o.Message, s.Volumes) {
		t.Errorf("a wheel that is not there: %s", o.Message)
	}
}

func TestOneLayerForOneSet(t *testing.T) {
	t.Parallel()
	i := withWheels(t, interpreter(t), map[string]string{"onething-1.0": "", "another-1.0": ""})
	sets := [][]string{{"onething", "another"}, {"another", "onething"}, {"onething"}, {"another", "onething"}}
	folders := make([]string, len(sets))
	var all sync.WaitGroup
	for n, lines := range sets {
		all.Go(func() {
			var err error
			if folders[n], err = i.layer(context.Background(), Twin{}, lines, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if folders[0] != folders[1] || folders[0] != folders[3] || folders[0] == folders[2] {
		t.Errorf("layers: %q", folders)
	}
	if base, err := i.layer(context.Background(), Twin{}, nil, nil); err != nil || base != i.Dir {
		t.Errorf("without libraries: %s, %v", base, err)
	}
}
