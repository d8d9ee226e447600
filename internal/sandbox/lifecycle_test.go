//go:build unix

package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

// helperVariable makes this test binary a server in place of the tests: it names the folder.
const helperVariable = "SANDBOX_TEST_SERVE"

func TestMain(m *testing.M) {
	dir := os.Getenv(helperVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	idle, _ := time.ParseDuration(os.Getenv("SANDBOX_TEST_IDLE"))
	if text := os.Getenv("SANDBOX_TEST_DIE"); text != "" {
		fmt.Fprintln(os.Stderr, text)
		os.Exit(1)
	}
	c := config(dir, os.Args[1:]...)
	c.Progress = os.Stderr
	if os.Getenv("SANDBOX_TEST_LINGER") != "" {
		c.MLflow = lingering{c.MLflow}
	}
	if err := sandbox.Serve(context.Background(), c, idle); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func options(dir string, names ...string) sandbox.UpOptions {
	return sandbox.UpOptions{Exe: os.Args[0], Args: names, Dir: dir, Workspaces: names, Env: append(os.Environ(), helperVariable+"="+dir)}
}

func up(t *testing.T, o sandbox.UpOptions) sandbox.Status {
	t.Helper()
	st, err := sandbox.Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := sandbox.Down(context.Background(), o.Dir); err != nil {
			t.Error(err)
		}
	})
	return st
}

func answers(t *testing.T, st sandbox.Status, name string) string {
	t.Helper()
	twin, ok := st.Twin(name)
	if !ok {
		return "no such twin"
	}
	token, err := twin.Token()
	if err != nil {
		t.Fatal(err)
	}
	r, err := ask(t, twin.URL, token, http.MethodGet, "/api/2.0/secrets/scopes/list", "")
	if err != nil {
		return err.Error()
	}
	return r.String()
}

// look is what is known of a folder from outside.
func look(t *testing.T, dir string) sandbox.Status {
	t.Helper()
	st, err := sandbox.Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestUpAndDown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	same(t, "before", look(t, dir).Running, false)
	var said bytes.Buffer
	o := options(dir, "dev")
	o.Progress = &said
	first := up(t, o)
	dev, _ := first.Twin("dev")
	same(t, "serves", answers(t, first, "dev"), `200 {}`)
	same(t, "said", said.String(), "workspace dev serves at "+dev.URL+"\n")
	same(t, "status", look(t, dir), first)

	again := up(t, options(dir, "dev"))
	same(t, "up again", again, first)
	more := up(t, options(dir, "dev", "registry"))
	same(t, "the same server", more.PID, first.PID)
	same(t, "with one more", answers(t, more, "registry"), `200 {}`)
	same(t, "status of both", look(t, dir), more)

	down, err := sandbox.Down(t.Context(), dir)
	if err != nil || down.PID != first.PID {
		t.Fatalf("%+v, %v", down, err)
	}
	if got := answers(t, first, "dev"); !strings.Contains(got, "refused") {
		t.Errorf("after down: %s", got)
	}
	after := look(t, dir)
	same(t, "not running", after.Running, false)
	same(t, "but known", len(after.Twins), 2)
	if down, err := sandbox.Down(t.Context(), dir); err != nil || down.Running {
		t.Errorf("down again: %+v, %v", down, err)
	}
	back := up(t, options(dir, "dev"))
	same(t, "everything as it was", back.Twins, more.Twins)
}

func TestUpsAtOnceStartOneServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pids := make([]int, 4)
	var wg sync.WaitGroup
	for i := range pids {
		wg.Go(func() { pids[i] = up(t, options(dir, "dev")).PID })
	}
	wg.Wait()
	for _, pid := range pids {
		same(t, "pid", pid, pids[0])
	}
}

// cancelling cancels at the first thing that it is told.
type cancelling struct{ cancel context.CancelFunc }

func (c cancelling) Write(b []byte) (int, error) {
	c.cancel()
	return len(b), nil
}

// lingering is an MLflow that is not up before the server is told to end, and that takes its time then.
type lingering struct{ mlflow.Backend }

func (l lingering) Artifacts(workspace string) string {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	_, _ = syscall.Write(3, []byte("begun\n")) // to whoever waits for this server
	<-told
	time.Sleep(500 * time.Millisecond)
	return l.Backend.Artifacts(workspace)
}

// TestUpAfterAnInterrupt: whoever gives up leaves no server behind that is still on its way down.
func TestUpAfterAnInterrupt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	o := options(dir, "dev")
	o.Progress, o.Env = cancelling{cancel}, append(o.Env, "SANDBOX_TEST_LINGER=1")
	if _, err := sandbox.Up(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	same(t, "serves", answers(t, up(t, options(dir, "dev")), "dev"), `200 {}`)
}

func TestAServerThatDies(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"there is no Python": "the sandbox did not start: exit status 1; the end of LOG:\nthere is no Python",
		" ":                  "the sandbox did not start: exit status 1; it wrote nothing to LOG: is there room on the disk?",
	} {
		dir := t.TempDir()
		o := options(dir, "dev")
		o.Env = append(o.Env, "SANDBOX_TEST_DIE="+said)
		_, err := sandbox.Up(t.Context(), o)
		want = strings.ReplaceAll(want, "LOG", filepath.Join(dir, "sandbox.log"))
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAFolderThatIsInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startWith(t, config(dir, "dev"))
	o := options(dir, "dev")
	same(t, "up joins", up1(t, o).PID, os.Getpid())
	if err := os.Remove(filepath.Join(dir, "sandbox.json")); err != nil { // as if it served not yet
		t.Fatal(err)
	}
	if err := sandbox.Reset(t.Context(), dir); !errors.Is(err, sandbox.ErrInUse) {
		t.Errorf("reset: %v", err)
	}
	if _, err := sandbox.Up(t.Context(), o); err == nil || !strings.Contains(err.Error(), "the sandbox's folder is in use") {
		t.Errorf("up: %v", err)
	}
	same(t, "still serves", call(t, s.Twin("dev"), "GET /api/2.0/secrets/scopes/list", ""), `200 {}`)
}

func up1(t *testing.T, o sandbox.UpOptions) sandbox.Status {
	t.Helper()
	st, err := sandbox.Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestAStaleStateFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Our own pid with another start: a process that took the number of a server long gone.
	state := fmt.Sprintf(`{"pid":%d,"started":"1","twins":[]}`, os.Getpid())
	if err := os.WriteFile(filepath.Join(dir, "sandbox.json"), []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	same(t, "running", look(t, dir).Running, false)
	if _, err := sandbox.Down(t.Context(), dir); err != nil { // and we live
		t.Error(err)
	}
	same(t, "up", answers(t, up(t, options(dir, "dev")), "dev"), `200 {}`)
}

func TestAKilledServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	st := up(t, options(dir, "dev"))
	twin, _ := st.Twin("dev")
	token, err := twin.Token()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := ask(t, twin.URL, token, http.MethodPost, "/api/2.0/secrets/scopes/create", `{"scope":"kept"}`); err != nil || r.status != http.StatusOK {
		t.Fatal(r, err)
	}
	if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, dir, false)
	back := up(t, options(dir, "dev"))
	same(t, "as it was", back.Twins, st.Twins)
	same(t, "what was answered", answers(t, back, "dev"), `200 {"scopes":[{"backend_type":"DATABRICKS","name":"kept"}]}`)
}

// waitFor waits until a server is known to run, or not to.
func waitFor(t *testing.T, dir string, running bool) {
	t.Helper()
	for look(t, dir).Running != running {
		select {
		case <-t.Context().Done():
			t.Fatal("it never came to that")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestSignalsEndAServerInGoodOrder(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := options(dir, "dev")
			cmd := exec.Command(o.Exe, o.Args...)
			cmd.Env = o.Env
			out, err := cmd.StderrPipe() // closed below, as a closed terminal is
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, dir, true)
			if err := out.Close(); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(dir, "sandbox.json")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the state file is left: %v", err)
			}
		})
	}
}

func TestAnIdleServerEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := options(dir, "dev")
	o.Env = append(o.Env, "SANDBOX_TEST_IDLE=300ms")
	up1(t, o)
	waitFor(t, dir, false)
	same(t, "up again", answers(t, up(t, options(dir, "dev")), "dev"), `200 {}`)
}

func TestResetAtRestAndAlive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	make1 := func(st sandbox.Status) {
		t.Helper()
		twin, _ := st.Twin("dev")
		token, err := twin.Token()
		if err != nil {
			t.Fatal(err)
		}
		if r, err := ask(t, twin.URL, token, http.MethodPost, "/api/2.0/secrets/scopes/create", `{"scope":"s"}`); err != nil || r.status != http.StatusOK {
			t.Fatal(r, err)
		}
	}
	st := up(t, options(dir, "dev"))
	make1(st)
	if err := sandbox.Reset(t.Context(), dir, "dev"); err != nil {
		t.Fatal(err)
	}
	same(t, "alive", answers(t, st, "dev"), `200 {}`)
	make1(st)
	if _, err := sandbox.Down(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if err := sandbox.Reset(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	back := up(t, options(dir, "dev"))
	same(t, "at rest", answers(t, back, "dev"), `200 {}`)
	same(t, "address and id stay", back.Twins, st.Twins)
	if err := sandbox.Reset(t.Context(), dir, "no"); err == nil || err.Error() != "resetting workspace no: there is no such workspace" {
		t.Errorf("a stranger: %v", err)
	}
	if err := sandbox.Reset(t.Context(), filepath.Join(dir, "nowhere")); err != nil {
		t.Errorf("nothing at all: %v", err)
	}
}
