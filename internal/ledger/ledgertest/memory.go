// Package ledgertest has what tests of ledgers stand on: a store in memory that misbehaves as told, and the suite that
// every store must pass.
package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/bargeml/barge/internal/ledger"
)

// ErrLost is what a call returns whose answer was lost on the way.
var ErrLost = errors.New("connection reset")

// Call is one call to a store.
type Call struct {
	Op   string // "create", "read" or "list"
	Name string
}

// Memory is one client of a store in memory. The hooks are this client's alone; they are called one at a time, and nil
// ones do nothing.
type Memory struct {
	disk *disk

	// Before is called before the call takes effect; After when it has. An error is the call's answer: ErrLost for a
	// lost request or answer, any other for a crash, after which the test makes no more calls.
	Before, After func(Call) error
	// Old tells how many of the newest files a read or a list does not see yet.
	Old func(Call) int
}

type disk struct {
	mu    sync.Mutex
	files map[string][]byte
	names []string // in the order of their creation
}

// NewMemory returns a client of an empty store.
func NewMemory() *Memory { return &Memory{disk: &disk{files: map[string][]byte{}}} }

// Client returns another client of the same store, without hooks.
func (m *Memory) Client() *Memory { return &Memory{disk: m.disk} }

// Put overwrites or removes (nil) a file, as no client of a real store could: for forgeries.
func (m *Memory) Put(name string, b []byte) {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	if b == nil {
		delete(m.disk.files, name)
		return
	}
	if _, ok := m.disk.files[name]; !ok {
		m.disk.names = append(m.disk.names, name)
	}
	m.disk.files[name] = b
}

// Names returns the names of all files, in the order of their creation.
func (m *Memory) Names() []string {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	return append([]string(nil), m.disk.names...)
}

// Create keeps a copy of the bytes.
func (m *Memory) Create(_ context.Context, name string, b []byte) error {
	return m.call(Call{"create", name}, func(int) error {
		if _, taken := m.disk.files[name]; taken {
			return fmt.Errorf("creating %s: %w", name, ledger.ErrExists)
		}
		m.disk.files[name] = append([]byte{}, b...)
		m.disk.names = append(m.disk.names, name)
		return nil
	})
}

// Read returns a copy of the bytes.
func (m *Memory) Read(_ context.Context, name string) (b []byte, err error) {
	err = m.call(Call{"read", name}, func(old int) error {
		for _, seen := range m.disk.names[:max(0, len(m.disk.names)-old)] {
			if content, ok := m.disk.files[seen]; ok && seen == name {
				b = append([]byte{}, content...)
				return nil
			}
		}
		return fmt.Errorf("reading %s: %w", name, ledger.ErrNotExist)
	})
	return b, err
}

// List returns what stands in dir.
func (m *Memory) List(_ context.Context, dir string) (names []string, err error) {
	err = m.call(Call{"list", dir}, func(old int) error {
		seen := map[string]bool{}
		for _, name := range m.disk.names[:max(0, len(m.disk.names)-old)] {
			below, ok := strings.CutPrefix("/"+name, path.Join("/", dir)+strings.Repeat("/", min(1, len(dir))))
			child, _, _ := strings.Cut(strings.TrimPrefix(below, "/"), "/")
			if _, there := m.disk.files[name]; ok && there && !seen[child] {
				seen[child] = true
				names = append(names, child)
			}
		}
		return nil
	})
	return names, err
}

// call runs one call under the store's lock, so that the hooks of all clients are called one at a time.
func (m *Memory) call(c Call, effect func(old int) error) error {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	if m.Before != nil {
		if err := m.Before(c); err != nil {
			return err
		}
	}
	old := 0
	if m.Old != nil {
		old = m.Old(c)
	}
	err := effect(old)
	if m.After != nil {
		if lost := m.After(c); lost != nil {
			return lost
		}
	}
	return err
}
