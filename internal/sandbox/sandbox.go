// Package sandbox is a twin of Databricks workspaces on this machine: an HTTP server per workspace that answers as
// the service does, keeps its state in a folder, and runs real notebooks.
//
// Everything lies below one folder, which one server has to itself. Each twin keeps its port, its token and its
// workspace id for good, so that what was configured against it stays right when the server is started anew.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"golang.org/x/sync/errgroup"
)

// Config is what a sandbox needs. Dir must be set.
type Config struct {
	Dir        string           // of all state; made when missing
	Workspaces []string         // names of the twins; those known from earlier starts come up as well
	Executor   jobs.Executor    // runs the notebooks of all twins; nil: real notebooks
	MLflow     mlflow.Backend   // the registry and tracking of all twins; nil: a real MLflow server
	Progress   io.Writer        // what takes long, or is not as before; nil: nowhere
	Now        func() time.Time // nil: time.Now
	User       string           // whom the tokens belong to; empty: DefaultUser
	// Through, where it is set, stands before a twin's API: what it returns sees every call that no fault met, and may
	// let it through, hold it or swallow it.
	Through func(workspace string, api http.Handler) http.Handler
}

// DefaultUser is whom a twin's token belongs to.
const DefaultUser = "admin@sandbox.test"

// Sandbox is a running set of twins.
type Sandbox struct {
	config  Config
	release func()      // lets go of the folder
	locked  fs.FileInfo // the file that was locked for it
	backend mlflow.Backend
	real    *notebooks // nil where an executor was given

	stop     chan struct{} // closed when a client asked for the end
	stopOnce sync.Once

	mu     sync.Mutex
	twins  map[string]*Twin
	closed bool

	activity activity
}

var workspaceName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)

// Start brings the twins up and returns when all of them serve. It fails where another server has the folder.
func Start(ctx context.Context, c Config) (*Sandbox, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	if c.User == "" {
		c.User = DefaultUser
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("finding the sandbox's folder: %w", err)
	}
	c.Dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the sandbox's folder: %w", err)
	}
	release, err := lock(lockFile(dir))
	if err != nil {
		return nil, err
	}
	locked, err := os.Stat(lockFile(dir))
	if err != nil {
		release()
		return nil, fmt.Errorf("locking the sandbox's folder: %w", err)
	}
	s := &Sandbox{config: c, release: release, locked: locked, stop: make(chan struct{}), twins: map[string]*Twin{}}
	s.activity.touch()
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Sandbox) start(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	names, err := knownTwins(s.config.Dir)
	if err != nil {
		return err
	}
	for _, name := range s.config.Workspaces {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return s.Add(ctx, names...)
}

// prepare makes what the twins share.
func (s *Sandbox) prepare(ctx context.Context) error {
	if s.config.Executor == nil || s.config.MLflow == nil {
		real, err := prepareNotebooks(ctx, s.config)
		if err != nil {
			return err
		}
		s.real = real
	}
	s.backend = s.config.MLflow
	if s.backend == nil {
		s.backend = s.real.server(s.config.Dir)
	}
	return nil
}

// Add brings up twins that are not there yet, all or none. It is safe to repeat.
func (s *Sandbox) Add(ctx context.Context, names ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("the sandbox is stopped")
	}
	var added []*Twin
	for _, name := range names {
		if !workspaceName.MatchString(name) {
			return fmt.Errorf("workspace name %q is invalid: letters, digits, - and _, beginning with a letter", name)
		}
		if s.twins[name] != nil || slices.ContainsFunc(added, func(t *Twin) bool { return t.Name == name }) {
			continue
		}
		t, err := s.open(ctx, name)
		if err != nil {
			for _, t := range added {
				err = errors.Join(err, t.close())
			}
			return fmt.Errorf("starting workspace %s: %w", name, err)
		}
		added = append(added, t)
	}
	for _, t := range added {
		s.twins[t.Name] = t
	}
	return s.record()
}

// Twin is the twin of a workspace, nil when there is none of that name.
func (s *Sandbox) Twin(name string) *Twin {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.twins[name]
}

// Twins are all twins, by name.
func (s *Sandbox) Twins() []*Twin {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sorted()
}

func (s *Sandbox) sorted() []*Twin {
	twins := make([]*Twin, 0, len(s.twins))
	for _, t := range s.twins {
		twins = append(twins, t)
	}
	slices.SortFunc(twins, func(a, b *Twin) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return twins
}

// Stopped is closed when a client has asked the sandbox to end. Whoever started it is then to call Close.
func (s *Sandbox) Stopped() <-chan struct{} { return s.stop }

func (s *Sandbox) askToStop() { s.stopOnce.Do(func() { close(s.stop) }) }

// Close ends the twins and all that they started, and lets go of the folder. It is safe to repeat.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	twins := s.sorted()
	s.mu.Unlock()
	var g errgroup.Group
	for _, t := range twins {
		g.Go(t.close)
	}
	err := g.Wait()
	if s.backend != nil {
		err = errors.Join(err, s.backend.Close())
	}
	if s.real != nil {
		err = errors.Join(err, s.real.Close())
	}
	defer s.release()
	if s.evicted() {
		return nil // nothing can be written any more, and what lies there is not ours
	}
	return errors.Join(err, forget(s.config.Dir))
}

// evicted tells whether the folder was removed, or is another's by now.
func (s *Sandbox) evicted() bool {
	now, err := os.Stat(lockFile(s.config.Dir))
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, s.locked)
}

// Reset wipes what the named twins hold, all of them when none is named. Their ports, tokens and ids stay.
func (s *Sandbox) Reset(names ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("the sandbox is stopped")
	}
	all := len(names) == 0
	if all {
		for _, t := range s.sorted() {
			names = append(names, t.Name)
		}
	}
	for _, name := range names {
		if s.twins[name] == nil {
			return fmt.Errorf("resetting workspace %s: there is no such workspace", name)
		}
	}
	for _, name := range names {
		if err := s.twins[name].reset(); err != nil {
			return fmt.Errorf("resetting workspace %s: %w", name, err)
		}
	}
	if all {
		return os.RemoveAll(metastore(s.config.Dir))
	}
	return nil
}

// activity is when the sandbox was last used.
type activity struct {
	mu    sync.Mutex
	open  int
	since time.Time // by the machine's own clock
}

func (a *activity) touch() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since = time.Now()
}

func (s *Sandbox) touch() {
	s.activity.mu.Lock()
	defer s.activity.mu.Unlock()
	s.activity.open++
}

func (s *Sandbox) leave() {
	s.activity.mu.Lock()
	defer s.activity.mu.Unlock()
	s.activity.open--
	s.activity.since = time.Now()
}

// idleFor is how long nobody has called and no notebook has run.
func (s *Sandbox) idleFor() time.Duration {
	for _, t := range s.Twins() {
		if t.busy() {
			s.activity.touch()
		}
	}
	s.activity.mu.Lock()
	defer s.activity.mu.Unlock()
	if s.activity.open > 0 {
		return 0
	}
	return time.Since(s.activity.since)
}
