//go:build unix

package sandbox_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox"
)

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tree is all files below a folder, with their content, but for what the twin keeps there for itself.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		found[strings.TrimPrefix(name, dir)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestDataGoesWhereNotebooksFindIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, dbfs, volumes string }{
		{"dbfs:/mnt/data", "/mnt/data/a.csv /mnt/data/sub/b.csv", ""},
		{"dbfs:/", "/a.csv /sub/b.csv", ""},
		{"dbfs:/mnt/../..//data/", "/data/a.csv /data/sub/b.csv", ""},
		{"/dbfs/x", "/x/a.csv /x/sub/b.csv", ""},
		{"/dbfs/../../../x", "/x/a.csv /x/sub/b.csv", ""},
		{"/Volumes/main/default/v", "", "/main/default/v/a.csv /main/default/v/sub/b.csv"},
		{"dbfs:/Volumes/v", "", "/v/a.csv /v/sub/b.csv"},
		{"dbfs:/Volumes/../../x", "/x/a.csv /x/sub/b.csv", ""},
	} {
		t.Run(strings.ReplaceAll(c.path, "/", "_"), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			source := filepath.Join(t.TempDir(), "source")
			write(t, filepath.Join(source, "a.csv"), "a")
			write(t, filepath.Join(source, "sub", "b.csv"), "b")
			startWith(t, config(dir, "dev"))
			d, err := sandbox.ParseData("dev:" + c.path + "=" + source)
			if err != nil {
				t.Fatal(err)
			}
			st := look(t, dir)
			if _, err := st.Put(d); err != nil {
				t.Fatal(err)
			}
			names := func(folder string) string { return strings.Join(slices.Sorted(maps.Keys(tree(t, folder))), " ") }
			same(t, "dbfs", names(st.Twins[0].DBFS), c.dbfs)
			same(t, "volumes", names(st.Twins[0].Volumes), c.volumes)
			if _, err := os.Stat(filepath.Join(st.Twins[0].Dir, "x")); err == nil {
				t.Error("it went outside")
			}
		})
	}
}

func TestDataAgain(t *testing.T) {
	t.Parallel()
	dir, source := t.TempDir(), t.TempDir()
	startWith(t, config(dir, "dev", "lab"))
	st := look(t, dir)
	put := func(text string) (fresh []int) {
		t.Helper()
		d, err := sandbox.ParseData(text)
		if err != nil {
			t.Fatal(err)
		}
		copied, err := st.Put(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range copied {
			fresh = append(fresh, c.Fresh)
		}
		return fresh
	}
	write(t, filepath.Join(source, "a.csv"), "old")
	write(t, filepath.Join(source, "b.csv"), "b")
	write(t, filepath.Join(st.Twins[0].DBFS, "in", "own"), "of the notebook")
	same(t, "at first", put("dbfs:/in="+source), []int{2, 2})
	same(t, "again", put("dbfs:/in="+source), []int{0, 0})
	write(t, filepath.Join(source, "a.csv"), "new")
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(filepath.Join(source, "a.csv"), later, later); err != nil {
		t.Fatal(err)
	}
	same(t, "changed", put("dev:dbfs:/in="+source), []int{1})
	same(t, "a file to a folder", put("dbfs:/in="+filepath.Join(source, "a.csv")), []int{0, 1})
	same(t, "a file into a new folder", put("lab:dbfs:/deep/er/="+filepath.Join(source, "a.csv")), []int{1})
	same(t, "a file by another name", put("lab:dbfs:/deep/c.csv="+filepath.Join(source, "a.csv")), []int{1})
	same(t, "dev", tree(t, st.Twins[0].DBFS), map[string]string{"/in/a.csv": "new", "/in/b.csv": "b", "/in/own": "of the notebook"})
	same(t, "lab", tree(t, st.Twins[1].DBFS), map[string]string{"/in/a.csv": "new", "/in/b.csv": "b", "/deep/er/a.csv": "new", "/deep/c.csv": "new"})
}

func TestDataThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "dbfs:/x", "dbfs:/x=", "/x=y", "dbfs:x=y", "s3://b/x=y", "a b:dbfs:/x=y", "/Workspace/x=y", "=y"} {
		if d, err := sandbox.ParseData(text); err == nil {
			t.Errorf("%q was read as %+v", text, d)
		}
	}
	dir, source := t.TempDir(), t.TempDir()
	startWith(t, config(dir, "dev"))
	if err := os.Symlink(t.TempDir(), filepath.Join(source, "link")); err != nil {
		t.Fatal(err)
	}
	_, err := look(t, dir).Put(sandbox.Data{Path: "dbfs:/x", Source: source})
	if want := "is a link to a folder: name that folder as a source of its own"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("a link: %v", err)
	}
}

// Twins may give two runs one number: it alone is refused, and the page's address tells which is meant.
func TestRunsByNumberAndPage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, id := range map[string]string{"dev": "1000000000000007", "lab": "2000000000000007"} {
		write(t, filepath.Join(dir, name, "twin.json"), `{"workspace_id":`+id+`}`)
	}
	s := startWith(t, config(dir))
	for _, name := range []string{"dev", "lab"} {
		same(t, "mkdirs", call(t, s.Twin(name), "POST /api/2.0/workspace/mkdirs", `{"path":"/Shared"}`), `200 {}`)
		same(t, "import", call(t, s.Twin(name), "POST /api/2.0/workspace/import", `{"path":"/Shared/n","format":"SOURCE","language":"PYTHON","content":"MQ=="}`), `200 {}`)
		same(t, "submit", call(t, s.Twin(name), "POST /api/2.2/jobs/runs/submit", `{"run_name":"r","tasks":[{"task_key":"main","existing_cluster_id":"0101-000000-abcdefgh","notebook_task":{"notebook_path":"/Shared/n"}}]}`), `200 {"run_id":8000001}`)
	}
	st := look(t, dir)
	if _, err := st.Run(t.Context(), "8000001"); err == nil || !strings.HasPrefix(err.Error(), "run 8000001 is in dev and in lab: give the address of its page, ") &&
		!strings.HasPrefix(err.Error(), "run 8000001 is in lab and in dev: give the address of its page, ") {
		t.Errorf("by number: %v", err)
	}
	all, err := st.Runs(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	for _, r := range all {
		found, err := st.Run(t.Context(), r.PageURL)
		if err != nil || len(found) != 1 || found[0].Workspace != r.Workspace {
			t.Errorf("by %s: %+v, %v", r.PageURL, found, err)
		}
	}
}
