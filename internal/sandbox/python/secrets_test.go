//go:build !windows

package python

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/sandbox/jobs"
)

func TestSecretsAreRedactedEverywhere(t *testing.T) {
	s := newStub(t, map[string]string{
		"/main": notebook(`
import os, subprocess, sys
v = dbutils.secrets.get(scope="a", key="k")
print(v, file=sys.stderr)
print("split: ", end=""); print(v[:5], end=""); print(v[5:], "and whole:", end=""); print(v)
print(len(v), dbutils.secrets.getBytes("a", "k") == v.encode(), dbutils.secrets.get("a", "k") is not None)
subprocess.run(["echo", "child " + v])
os.system("echo system " + v)
print(os.environ["DATABRICKS_TOKEN"])`,
			magic("%sh", `echo "shell $DATABRICKS_TOKEN"`),
			`
try:
    dbutils.secrets.get("a", "absent")
except Exception as e:
    print(e)
try:
    dbutils.notebook.run("child", 0)
except Exception as e:
    print(e)`,
			"raise ValueError(f'with {v}')"),
		"/child": notebook("raise Exception('child says ' + dbutils.secrets.get('a', 'child'))"),
		"/exits": notebook("dbutils.notebook.exit(dbutils.secrets.get('a', 'exit'))"),
	})
	for _, r := range []*Runtime{coldRuntime(t), warmRuntime(t)} {
		o := s.run(t, r, jobs.Attempt{NotebookPath: "/main", RunID: 1})
		if o.Error != "ValueError: with [REDACTED]" {
			t.Errorf("error: %q", o.Error)
		}
		for _, want := range []string{
			"split: [REDACTED] and whole:[REDACTED]\n", "10 True True\n", "shell [REDACTED]\n",
			"Secret does not exist with scope: a and key: absent\n", "/child failed: Exception: child says [REDACTED]\n",
		} {
			if !strings.Contains(stdout(o), want) {
				t.Errorf("stdout lacks %q:\n%s", want, stdout(o))
			}
		}
		exits := s.run(t, r, jobs.Attempt{NotebookPath: "/exits", RunID: 2})
		if exits.ExitValue != "[REDACTED]" {
			t.Errorf("exit value: %q", exits.ExitValue)
		}
		told, err := json.Marshal([]jobs.Outcome{o, exits})
		if err != nil {
			t.Fatal(err)
		}
		holdsNoSecret(t, "the outcome", string(told))
		err = filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			holdsNoSecret(t, path, string(content))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		log, err := os.ReadFile(filepath.Join(s.Dir, "1", "driver.log"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"child [REDACTED]\n", "system [REDACTED]\n"} {
			if !strings.Contains(string(log), want) {
				t.Errorf("the driver's log lacks %q:\n%s", want, log)
			}
		}
	}
}

func holdsNoSecret(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range []string{token, "s3cret-a-k", "s3cret-a-exit", "s3cret-a-child"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s holds %s:\n%s", where, secret, text)
		}
	}
}

func TestSecretsAreReadOnce(t *testing.T) {
	s := newStub(t, map[string]string{"/n": notebook("for _ in range(5):\n    dbutils.secrets.get('a', 'k')")})
	if o := s.run(t, coldRuntime(t), jobs.Attempt{NotebookPath: "/n"}); o.Result != jobs.Success {
		t.Fatal(o.Trace)
	}
	if calls := s.secretCalls.Load(); calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
}

// A registry "databricks://scope:prefix" is found through the dbutils of the IPython shell.
func TestMLflowFindsTheSecretsOfARemoteRegistry(t *testing.T) {
	s := newStub(t, map[string]string{"/n": notebook(
		"from mlflow.utils.databricks_utils import get_databricks_host_creds",
		"c = get_databricks_host_creds('databricks://a:p')\nassert c.host == dbutils.widgets.get('url') and c.token == 's3cret-a-p-token'",
		"dbutils.notebook.exit('found')",
	)})
	o := s.run(t, warmRuntime(t), jobs.Attempt{NotebookPath: "/n", Parameters: map[string]string{"url": s.URL}})
	if o.ExitValue != "found" {
		t.Errorf("%s\n%s", o.Error, o.Trace)
	}
}
