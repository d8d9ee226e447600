package sandbox

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bargeml/barge/internal/sandbox/disk"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/internal/sandbox/wire"
	"github.com/bargeml/barge/internal/sandbox/workspace"
)

// Twin is one workspace.
type Twin struct {
	Name        string
	URL         string // http://127.0.0.1:port
	Token       string // "dapi" and 32 hexadecimal digits
	WorkspaceID int64
	Dir         string // of its state; its DBFS is the folder dbfs in it

	owner   *Sandbox
	server  *http.Server
	served  chan struct{} // closed when the server has ended
	control *wire.Mux
	calls   calls
	faults  faults
	late    late
	answers answers

	identity identity
	services services
	api      atomic.Pointer[http.Handler]
	files    atomic.Pointer[workspace.Tree]
	jobs     atomic.Pointer[jobs.Service]
	closing  sync.Once
	closed   error
}

// identity is what a twin keeps for good. Era counts its resets: each has an MLflow workspace of its own.
type identity struct {
	WorkspaceID int64 `json:"workspace_id"`
	Port        int   `json:"port"`
	Era         int   `json:"era,omitempty"`
}

func twinDir(dir, name string) string { return filepath.Join(dir, name) }

// TokenFile is where the token lies, readable by the owner of the sandbox alone.
func (t *Twin) TokenFile() string { return filepath.Join(t.Dir, "token") }

func (t *Twin) identityFile() string { return filepath.Join(t.Dir, "twin.json") }

// knownTwins are the names of the twins that earlier starts made.
func knownTwins(dir string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*", "twin.json"))
	if err != nil {
		return nil, fmt.Errorf("looking for workspaces: %w", err)
	}
	var names []string
	for _, file := range found {
		names = append(names, filepath.Base(filepath.Dir(file)))
	}
	return names, nil
}

func (s *Sandbox) open(ctx context.Context, name string) (*Twin, error) {
	t := &Twin{Name: name, Dir: twinDir(s.config.Dir, name), owner: s, served: make(chan struct{})}
	if err := os.MkdirAll(t.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := disk.Load(t.identityFile(), &t.identity); err != nil {
		return nil, err
	}
	if t.identity.WorkspaceID == 0 {
		t.identity.WorkspaceID = newWorkspaceID()
	}
	t.WorkspaceID = t.identity.WorkspaceID
	if err := t.ownToken(); err != nil {
		return nil, err
	}
	listener, err := t.listen(ctx)
	if err != nil {
		return nil, err
	}
	if err := disk.Save(t.identityFile(), t.identity); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if err := t.assemble(); err != nil {
		return nil, errors.Join(err, t.services.close(), listener.Close())
	}
	t.control = t.controls()
	t.server = &http.Server{Handler: t, ReadHeaderTimeout: time.Minute, ErrorLog: quiet}
	go func() {
		defer close(t.served)
		_ = t.server.Serve(listener) // its only error is that it was closed
	}()
	return t, nil
}

// newWorkspaceID has 16 digits, as the service's own, and fits what JavaScript takes for a whole number.
func newWorkspaceID() int64 {
	n, _ := rand.Int(rand.Reader, big.NewInt(8_000_000_000_000_000)) // never fails
	return 1_000_000_000_000_000 + n.Int64()
}

func (t *Twin) ownToken() error {
	b, err := os.ReadFile(t.TokenFile())
	if err == nil && strings.TrimSpace(string(b)) != "" {
		t.Token = strings.TrimSpace(string(b))
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the token: %w", err)
	}
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // never fails
	t.Token = "dapi" + hex.EncodeToString(secret)
	return disk.Write(t.TokenFile(), []byte(t.Token+"\n"))
}

// listen takes the twin's port, or a new one where it is taken or there was none. New ones lie below those that
// systems hand out to outgoing connections, so that they are free the next time.
func (t *Twin) listen(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	if old := t.identity.Port; old != 0 {
		for range 10 { // one who is just ending may still have it
			l, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(old)))
			if err == nil {
				t.at(old)
				return l, nil
			}
			time.Sleep(50 * time.Millisecond)
		}
		fmt.Fprintf(t.owner.config.Progress, "port %d of workspace %s is taken; it gets another\n", old, t.Name)
	}
	for range 50 {
		n, _ := rand.Int(rand.Reader, big.NewInt(12_000)) // never fails
		port := 20_000 + int(n.Int64())
		if l, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			t.at(port)
			return l, nil
		}
	}
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("finding a free port: %w", err)
	}
	t.at(l.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // it is one
	return l, nil
}

func (t *Twin) at(port int) {
	t.identity.Port = port
	t.URL = "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// signKey signs URLs; it lives as long as the token.
func (t *Twin) signKey() []byte {
	mac := hmac.New(sha256.New, []byte(t.Token))
	mac.Write([]byte("signed urls"))
	return mac.Sum(nil)
}

func (t *Twin) mlflowWorkspace() string {
	if t.identity.Era == 0 {
		return t.Name
	}
	return t.Name + "-" + strconv.Itoa(t.identity.Era)
}

// reset wipes the twin but for what it keeps for good.
func (t *Twin) reset() error {
	t.late.all(false)
	err := t.services.close()
	t.identity.Era++
	err = errors.Join(err, disk.Save(t.identityFile(), t.identity), wipe(t.Dir))
	if err != nil {
		return err
	}
	t.calls.clear()
	t.faults.clear()
	t.answers.clear()
	return t.assemble()
}

// wipe removes all that a twin holds but for its identity and its token.
func wipe(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("wiping %s: %w", dir, err)
	}
	for _, e := range entries {
		if e.Name() == "twin.json" || e.Name() == "token" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("wiping %s: %w", dir, err)
		}
	}
	return nil
}

// close ends what runs first, then the server, since notebooks call it.
func (t *Twin) close() error {
	t.closing.Do(func() {
		t.late.all(false)
		t.closed = t.services.close()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if t.server.Shutdown(ctx) != nil { // a call that hangs
			t.closed = errors.Join(t.closed, t.server.Close())
		}
		<-t.served // from here on the port is free
	})
	return t.closed
}

// Fault makes calls go wrong from now on.
func (t *Twin) Fault(f Fault) error { return t.faults.add(f) }

// ClearFaults ends all faults.
func (t *Twin) ClearFaults() { t.faults.clear() }

// Log is every call so far, in the order in which they came.
func (t *Twin) Log() []Call { return t.calls.all() }

// ClearLog forgets the calls so far.
func (t *Twin) ClearLog() { t.calls.clear() }

// Files is the twin's workspace, DBFS and volumes.
func (t *Twin) Files() *workspace.Tree { return t.files.Load() }

// Jobs is the twin's jobs service.
func (t *Twin) Jobs() *jobs.Service { return t.jobs.Load() }
