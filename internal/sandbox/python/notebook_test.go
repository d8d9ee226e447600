//go:build !windows

package python

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/sandbox/jobs"
)

// Each case is one notebook, /Shared/main, and what it does.
var notebookCases = []struct {
	name       string
	notebook   string
	beside     map[string]string // other notebooks
	parameters map[string]string

	result, exit, err string
	stdout            string   // of all cells
	trace             []string // what the traceback holds, in this order
}{
	{
		name:     "exit value",
		notebook: notebook(`dbutils.notebook.exit("done")`, `raise Exception("not reached")`),
		result:   "SUCCESS", exit: "done",
	},
	{
		name:     "exit passes except Exception",
		notebook: notebook("try:\n    dbutils.notebook.exit('in try')\nexcept Exception:\n    print('caught')"),
		result:   "SUCCESS", exit: "in try",
	},
	{
		name:     "a bare except holds exit up to the end of its cell",
		notebook: notebook("try:\n    dbutils.notebook.exit('first')\nexcept:\n    print('caught')", "print('next cell')"),
		result:   "SUCCESS", exit: "first", stdout: "caught\n",
	},
	{
		name:     "exit, then an error in its finally",
		notebook: notebook("try:\n    dbutils.notebook.exit('kept')\nfinally:\n    1/0"),
		result:   "SUCCESS", exit: "kept",
	},
	{
		name:     "the second exit is too late",
		notebook: notebook("try:\n    dbutils.notebook.exit('first')\nexcept BaseException:\n    dbutils.notebook.exit('second')"),
		result:   "SUCCESS", exit: "first",
	},
	{
		name:     "no exit",
		notebook: notebook("print('a')", "print('b')"),
		result:   "SUCCESS", stdout: "a\nb\n",
	},
	{
		name:     "sys.exit(0)",
		notebook: notebook("import sys\nsys.exit(0)", "print('not reached')"),
		result:   "SUCCESS",
	},
	{
		name:     "sys.exit with a code",
		notebook: notebook("import sys\nsys.exit(3)"),
		result:   "FAILED", err: "SystemExit: 3", trace: []string{"in /Shared/main, cell 1"},
	},
	{
		name:     "exit() and quit() end the notebook",
		notebook: notebook("print(1)", "quit()", "print(2)"),
		result:   "SUCCESS", stdout: "1\n",
	},
	{
		name:     "KeyboardInterrupt",
		notebook: notebook("raise KeyboardInterrupt()"),
		result:   "FAILED", err: "KeyboardInterrupt",
	},
	{
		name:     "an assertion",
		notebook: notebook("print('before')", "# DBTITLE 1,Accurate enough\nassert 0.5 > 0.7, 'too low'", "print('after')"),
		result:   "FAILED", err: "AssertionError: too low", stdout: "before\n",
		trace: []string{"in /Shared/main, cell 2 (Accurate enough)", `File "/Shared/main, cell 2", line 1`, "assert 0.5 > 0.7"},
	},
	{
		name:     "an error in a function of another cell",
		notebook: notebook("def f(x):\n    return 1 / x", magic("%md", "# text"), "f(0)"),
		result:   "FAILED", err: "ZeroDivisionError: division by zero",
		trace: []string{"in /Shared/main, cell 3", `cell 3", line 1`, "f(0)", `cell 1", line 2, in f`, "return 1 / x"},
	},
	{
		name:     "a syntax error",
		notebook: notebook("print(1)", "x = = 2"),
		result:   "FAILED", err: "SyntaxError: invalid syntax", stdout: "1\n", trace: []string{"cell 2", "x = = 2"},
	},
	{
		name:       "widgets: parameters beat defaults and need no definition",
		notebook:   notebook("w = dbutils.widgets\nw.text('a', 'default')\nw.text('b', 'default')\nw.dropdown('c', 'x', ['x', 'y'])", "w.removeAll()\nw.text('b', 'again')\nprint(w.get('a'), w.get('b'), w.get('p'), getArgument('none', 7))", "print(w.getAll())"),
		parameters: map[string]string{"a": "told", "p": "1"},
		result:     "SUCCESS", stdout: "told again 1 7\n{'b': 'again', 'a': 'told', 'p': '1'}\n",
	},
	{
		name:     "a widget that nobody defined",
		notebook: notebook("dbutils.widgets.get('nobody')"),
		result:   "FAILED", err: "InputWidgetNotDefined: No input widget named nobody is defined",
	},
	{
		name:     "a default that is no choice",
		notebook: notebook("dbutils.widgets.dropdown('c', 'z', ['x', 'y'])"),
		result:   "FAILED", err: "ValueError: the default of widget c, 'z', is none of its choices",
	},
	{
		name:     "%run: relative, with an argument, in one namespace",
		notebook: notebook(magic(`%run ./lib/part $who="the world"`), "print(greet())"),
		beside: map[string]string{
			"/Shared/lib/part":  notebook("def greet():\n    return 'hello ' + dbutils.widgets.get('who')", magic("%run ../other")),
			"/Shared/other.py":  notebook("print('other')"),
			"/Shared/lib/other": notebook("raise Exception('the wrong one')"),
		},
		result: "SUCCESS", stdout: "other\nhello the world\n",
	},
	{
		name:     "%run: absolute; exit in it ends the run",
		notebook: notebook(magic(`%run /Workspace/Shared/part`), "print('not reached')"),
		beside:   map[string]string{"/Shared/part": notebook("dbutils.notebook.exit('from within')")},
		result:   "SUCCESS", exit: "from within",
	},
	{
		name:     "%run: an error names the included notebook",
		notebook: notebook(magic(`%run ./part`)),
		beside:   map[string]string{"/Shared/part": notebook("x = 1", "x.nothing")},
		result:   "FAILED", err: "AttributeError: 'int' object has no attribute 'nothing'",
		trace: []string{"in /Shared/part, cell 2", `File "/Shared/part, cell 2", line 1`},
	},
	{
		name:     "%run is alone in its cell",
		notebook: notebook(magic("%run ./part", "print(1)")),
		beside:   map[string]string{"/Shared/part": notebook("")},
		result:   "FAILED", err: "Unsupported: /Shared/main, cell 1: %run must be in a cell by itself, as its first and only line",
	},
	{
		name:     "%run of nothing",
		notebook: notebook(magic("%run ./absent")),
		result:   "FAILED", err: "NotebookNotFound: Notebook not found: /Shared/absent",
	},
	{
		name:     "%run in a circle",
		notebook: notebook(magic("%run ./main")),
		result:   "FAILED", err: "RecursionError: /Shared/main includes itself by %run: /Shared/main → /Shared/main",
	},
	{
		name:     "%sh sees the folders and stops at the first error",
		notebook: notebook("dbutils.fs.put('/in/a.txt', 'text')", magic("%sh", "cat /dbfs/in/a.txt; echo", "false", "echo not reached")),
		result:   "FAILED", err: "CommandFailed: the shell ended with exit code 1", stdout: "Wrote 4 bytes.\nOut[1]: True\ntext\n",
	},
	{
		name:     "!command and the value of a cell",
		notebook: notebook("lines = !printf 'a\\nb\\n'\nprint(lines)\n!echo shown\n1 + 1"),
		result:   "SUCCESS", stdout: "['a', 'b']\nshown\nOut[1]: 2\n",
	},
	{
		name:     "%fs",
		notebook: notebook(magic("%fs mkdirs /x/y"), magic("%fs ls /x")),
		result:   "SUCCESS", stdout: "True\ndbfs:/x/y/\n",
	},
	{
		name:     ".ipynb",
		notebook: `{"nbformat":4,"metadata":{},"cells":[{"cell_type":"markdown","source":["# T"],"metadata":{}},{"cell_type":"code","source":["print(1)\n","dbutils.notebook.exit('ok')"],"metadata":{},"outputs":[]}]}`,
		result:   "SUCCESS", exit: "ok", stdout: "1\n",
	},
	{
		name:     "a broken .ipynb",
		notebook: `{"nbformat":4,"cells":[`,
		result:   "FAILED", err: "NotNotebook: this is no valid .ipynb: Expecting value: line 1 column 24 (char 23)",
	},
	{
		name:     "file functions see /dbfs, /Volumes and /Workspace, and not /mnt",
		notebook: notebook(fileFunctions),
		beside:   map[string]string{"/Shared/lib/answer.py": "value = 42\n"},
		result:   "SUCCESS",
		stdout: "['f.txt', 'sub']\nTrue True False\n42\n/dbfs/d/f.txt\n['/dbfs/d/f.txt']\n" +
			"[('/dbfs/d', ['sub'], ['f.txt']), ('/dbfs/d/sub', [], [])]\n" +
			"[Errno 2] No such file or directory: '/dbfs/none'\nNo such file or directory: /mnt/d/f.txt\nmoved\n",
	},
	{
		name: "dbutils.fs",
		notebook: notebook(`
fs = dbutils.fs
fs.put("dbfs:/a/b.txt", "text")
try:
    fs.put("/a/b.txt", "other")
except FileExistsError as e:
    print(e)
fs.put("/a/b.txt", "longer text", True)
print([(f.path, f.name, f.size) for f in fs.ls("/a")], [f.path for f in fs.ls("dbfs:/")])
print(fs.head("/a/b.txt", 6))
try:
    fs.cp("/a", "/c")
except OSError as e:
    print(e)
fs.cp("/a", "/c", True); fs.mv("/c/b.txt", "/Volumes/m/s/v/"); print(fs.ls("/Volumes/m/s/v")[0].path)
print(fs.rm("/nothing"), fs.rm("/a", True))
try:
    fs.ls("/a")
except FileNotFoundError as e:
    print(e)
try:
    fs.ls("s3://bucket/x")
except Exception as e:
    print(e)
print(fs.ls("/../../..")[0].path)`),
		result: "SUCCESS",
		stdout: "Wrote 4 bytes.\n/a/b.txt is there already; put(…, overwrite=True) replaces it\nWrote 11 bytes.\n" +
			"[('dbfs:/a/b.txt', 'b.txt', 11)] ['dbfs:/a/']\n[Truncated to first 6 bytes]\nlonger\n" +
			"/a is a folder; recurse=True takes it with all that is in it\ndbfs:/Volumes/m/s/v/b.txt\nFalse True\n" +
			"No such file or directory: /a\n" +
			"the sandbox cannot reach s3://bucket/x: it knows dbfs:, file:, /Volumes and /Workspace; copy the data there\ndbfs:/c/\n",
	},
	{
		name: "dbutils.notebook.run",
		notebook: notebook(`
x = 1
print(dbutils.notebook.run("./child", 60, {"n": 20}))
print(repr(dbutils.notebook.run("silent", 0)), x)
try:
    dbutils.notebook.run("./bad", 60)
except Exception as e:
    print(str(e).splitlines()[:2])
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(3) as pool:
    print(list(pool.map(lambda n: dbutils.notebook.run("./child", 60, {"n": n}), range(3))))`),
		beside: map[string]string{
			"/Shared/child":  notebook("dbutils.widgets.text('n', '1')\nn = int(dbutils.widgets.get('n'))", "dbutils.notebook.exit(dbutils.notebook.run('grandchild', 0, {'n': n}))"),
			"/Shared/silent": notebook("x = 2"),
			"/Shared/bad":    notebook("", "raise ValueError('why')"),

			"/Shared/grandchild": notebook("dbutils.notebook.exit(int(dbutils.widgets.get('n')) + 1)"),
		},
		result: "SUCCESS",
		stdout: "21\n'' 1\n['/Shared/bad failed: ValueError: why', 'in /Shared/bad, cell 2']\n['1', '2', '3']\n",
	},
	{
		name:     "dbutils.notebook.run: its time-out",
		notebook: notebook("try:\n    dbutils.notebook.run('child', 1)\nexcept Exception as e:\n    print(e)"),
		beside:   map[string]string{"/Shared/child": notebook("import time\ntime.sleep(600)")},
		result:   "SUCCESS", stdout: "/Shared/child timed out after 1 seconds\n",
	},
	{
		name:     "display",
		notebook: notebook("class Frame(list):\n    def to_string(self): return f'{len(self)} rows'\n    def head(self, n): return Frame(self[:n])\ndisplay(Frame(range(1500)))\ndisplay(3)\ndisplayHTML('<b>x</b>')"),
		result:   "SUCCESS", stdout: "1000 rows\n[500 more rows]\n3\n[HTML, 8 characters]\n",
	},
	{
		name:     "the process dies",
		notebook: notebook("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
		result:   "FAILED", err: "the notebook process died (signal 9)", trace: []string{"the notebook process died (signal 9)"},
	},
	{
		name:     "no such notebook",
		notebook: "",
		result:   "FAILED", err: "NotebookNotFound: Notebook not found: /Shared/main",
	},
}

const fileFunctions = `
import glob, io, os, pathlib, shutil, sys
os.makedirs("/dbfs/d/sub", exist_ok=True)
with open("/dbfs/d/f.txt", "w") as f:
    f.write("hello")
print(sorted(os.listdir("/dbfs/d")))
print(os.path.exists("/dbfs/d/f.txt"), pathlib.Path("/dbfs/d/sub").is_dir(), os.path.exists("/d/f.txt"))
sys.path.append("/Workspace/Shared/lib")
import answer
print(answer.value)
print(next(pathlib.Path("/dbfs").glob("*/*.txt")))
print(glob.glob("/dbfs/d/*.txt"))
print(list(os.walk("/dbfs/d")))
try:
    io.open("/dbfs/none")
except FileNotFoundError as e:
    print(e)
try:
    open("/mnt/d/f.txt")
except FileNotFoundError as e:
    print(e.strerror + ": " + e.filename)
shutil.move("/dbfs/d/f.txt", "/Volumes/g.txt")
os.rename("/Volumes/g.txt", "/Workspace/Shared/h.txt")
shutil.rmtree("/dbfs/d")
assert not os.path.exists("/dbfs/d")
print("moved" if pathlib.Path("/Workspace/Shared/h.txt").read_text() == "hello" else "lost")
`

func TestNotebooks(t *testing.T) {
	for _, warm := range []bool{false, true} {
		for _, c := range notebookCases {
			t.Run(map[bool]string{false: "cold/", true: "warm/"}[warm]+c.name, func(t *testing.T) {
				t.Parallel()
				r := coldRuntime(t)
				if warm {
					r = warmRuntime(t)
				}
				s := newStub(t, c.beside)
				if c.notebook != "" {
					s.put(t, "/Shared/main", c.notebook)
				}
				o := s.run(t, r, jobs.Attempt{NotebookPath: "/Shared/main", Parameters: c.parameters})
				want := jobs.Outcome{Result: c.result, ExitValue: c.exit, Exited: o.Exited, Error: c.err}
				got := o
				got.Cells, got.Trace = nil, ""
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("outcome (-want +got):\n%s\n%s", diff, o.Trace)
				}
				if diff := cmp.Diff(c.stdout, stdout(o)); diff != "" {
					t.Errorf("stdout (-want +got):\n%s", diff)
				}
				rest := o.Trace
				for _, part := range c.trace {
					_, after, found := strings.Cut(rest, part)
					if !found {
						t.Fatalf("the trace lacks %q:\n%s", part, o.Trace)
					}
					rest = after
				}
				for _, inside := range []string{"barge_runner", "IPython", s.Dir} {
					if strings.Contains(o.Trace, inside) {
						t.Errorf("the trace shows %s:\n%s", inside, o.Trace)
					}
				}
			})
		}
	}
}

func TestCells(t *testing.T) {
	s := newStub(t, map[string]string{"/n": notebook(
		magic("%md", "# Title"),
		"# DBTITLE 1,Both streams\nimport sys, warnings\nprint('out')\nprint('err', file=sys.stderr)\n_ = sys.stdout.buffer.write(b'bytes\\n')",
		"",
		"import subprocess\n_ = subprocess.run(['echo', 'of a child'])",
		"\n1 / 0",
	)})
	o := s.run(t, coldRuntime(t), jobs.Attempt{NotebookPath: "/n", RunID: 7})
	began := int64(0)
	for i := range o.Cells {
		if o.Cells[i].Start < began {
			t.Errorf("cell %d began before the one above it", i+1)
		}
		began = o.Cells[i].Start
		o.Cells[i].Millis, o.Cells[i].Start = 0, 0
	}
	want := []jobs.Cell{
		{N: 1, Language: "md", FirstLine: "# Title"},
		{N: 2, Title: "Both streams", Language: "python", FirstLine: "import sys, warnings", Stdout: "out\nbytes\n", Stderr: "err\n"},
		{N: 3, Language: "python"},
		{N: 4, Language: "python", FirstLine: "import subprocess"},
		{N: 5, Language: "python", FirstLine: "1 / 0", Error: "ZeroDivisionError: division by zero"},
	}
	if diff := cmp.Diff(want, o.Cells); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
	log, err := os.ReadFile(filepath.Join(s.Dir, "7", "driver.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"out\n", "err\n", "bytes\n", "of a child\n"} {
		if !strings.Contains(string(log), line) {
			t.Errorf("the driver's log lacks %q:\n%s", line, log)
		}
	}
	left, err := os.ReadDir(filepath.Join(s.Dir, "7"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range left {
		names = append(names, entry.Name())
	}
	if diff := cmp.Diff([]string{"driver.log", "result.json"}, names); diff != "" {
		t.Errorf("what a run leaves (-want +got):\n%s", diff)
	}
}

// What data scientists write files with opens them in Python, and so finds the folders.
func TestLibrariesSeeTheFolders(t *testing.T) {
	s := newStub(t, map[string]string{"/n": notebook(`
import joblib, numpy, pandas
from sklearn.linear_model import LogisticRegression
frame = pandas.DataFrame({"x": [1, 2, 3, 4], "y": [0, 0, 1, 1]})
for write, read, path in (
    (frame.to_csv, pandas.read_csv, "/dbfs/f.csv"), (frame.to_csv, pandas.read_csv, "/dbfs/f.csv.gz"),
    (frame.to_csv, pandas.read_csv, "/dbfs/f.csv.bz2"), (frame.to_parquet, pandas.read_parquet, "/Volumes/f.parquet"),
    (frame.to_pickle, pandas.read_pickle, "/dbfs/f.pkl"),
):
    write(path, index=False) if "pkl" not in path else write(path)
    assert read(path).equals(frame), path
frame.to_parquet("/dbfs/parts", partition_cols=["y"])
assert len(pandas.read_parquet("/dbfs/parts")) == 4
joblib.dump(LogisticRegression().fit(frame[["x"]], frame.y), "/dbfs/model.joblib")
print(joblib.load("/dbfs/model.joblib").predict(frame[["x"]]))
numpy.save("/dbfs/a.npy", frame.x)
print(numpy.load("/dbfs/a.npy"))
frame.x.to_numpy().tofile("/dbfs/a.bin")
print(numpy.fromfile("/dbfs/a.bin", dtype="int64"))
try:
    pandas.read_csv("/mnt/f.csv")
except FileNotFoundError as e:
    print(e)`,
		"%matplotlib inline\nimport matplotlib.pyplot as plt\nfigure = plt.figure()\nplt.plot([1, 2])\ndisplay(figure)\nfigure.savefig('/dbfs/f.png')\nplt.show()")})
	o := s.run(t, warmRuntime(t), jobs.Attempt{NotebookPath: "/n"})
	want := "[0 0 1 1]\n[1 2 3 4]\n[1 2 3 4]\n[Errno 2] No such file or directory: '/mnt/f.csv'\n"
	if o.Result != jobs.Success || !strings.HasPrefix(stdout(o), want) {
		t.Errorf("%s\n%s\n%s", stdout(o), o.Error, o.Trace)
	}
	for _, name := range []string{"f.csv", "f.csv.gz", "f.csv.bz2", "f.pkl", "model.joblib", "a.npy", "a.bin", "f.png"} {
		if _, err := os.Stat(filepath.Join(s.DBFS, name)); err != nil {
			t.Error(err)
		}
	}
}
