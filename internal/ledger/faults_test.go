package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/ledger/ledgertest"
)

// fail answers the n-th call of an operation (from 1) with an error, and the next ones up to m.
func fail(op string, n, m int, err error) func(ledgertest.Call) error {
	calls := 0
	return func(c ledgertest.Call) error {
		if c.Op != op {
			return nil
		}
		if calls++; n <= calls && calls <= m {
			return err
		}
		return nil
	}
}

func TestALostAnswer(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(*ledgertest.Memory){
		"before the effect": func(m *ledgertest.Memory) { m.Before = fail("create", 2, 3, ledgertest.ErrLost) },
		"after the effect":  func(m *ledgertest.Memory) { m.After = fail("create", 2, 3, ledgertest.ErrLost) },
		"and the read back late": func(m *ledgertest.Memory) {
			m.After = fail("create", 2, 2, ledgertest.ErrLost)
			created := 0
			m.Old = func(c ledgertest.Call) int {
				if c.Op == "create" {
					created++
				}
				if c.Op == "read" && c.Name == "0/2.json" && created < 6 {
					created++
					return 1
				}
				return 0
			}
		},
	} {
		store := ledgertest.NewMemory()
		hook(store)
		l := open(store, alice)
		e, err := note(l, "mine")
		if err != nil || e.Seq != 2 || said(t, open(store.Client(), bob)) != "Live mine" {
			t.Errorf("%s: entry %d, %v, %v", name, e.Seq, err, store.Names())
		}
		intact(t, store.Client())
	}
}

// TestAnUnansweredEntryIsSettledFirst gives up on an entry; the next call finds out about it before all else.
func TestAnUnansweredEntryIsSettledFirst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hook    func(*ledgertest.Memory)
		between func(*ledger.Ledger)
		says    string
	}{
		"it was written": {hook: func(m *ledgertest.Memory) {
			m.After = fail("create", 2, 2, ledgertest.ErrLost)
			m.Before = fail("create", 3, 11, ledgertest.ErrLost)
		}, says: "Live mine next"},
		"it was not": {hook: func(m *ledgertest.Memory) { m.Before = fail("create", 2, 11, ledgertest.ErrLost) }, says: "Live mine next"},
		"its number was taken": {
			hook:    func(m *ledgertest.Memory) { m.Before = fail("create", 2, 11, ledgertest.ErrLost) },
			between: func(other *ledger.Ledger) { _, _ = note(other, "theirs") }, says: "Live theirs next",
		},
		"others wrote after it": {
			hook: func(m *ledgertest.Memory) {
				m.After = fail("create", 2, 2, ledgertest.ErrLost)
				m.Before = fail("create", 3, 11, ledgertest.ErrLost)
			},
			between: func(other *ledger.Ledger) { _, _ = note(other, "theirs") }, says: "Live mine theirs next",
		},
	} {
		store := ledgertest.NewMemory()
		c.hook(store)
		l := open(store, alice)
		if _, err := note(l, "mine"); !errors.Is(err, ledger.ErrUnanswered) || !errors.Is(err, ledgertest.ErrLost) {
			t.Fatalf("%s: %v, want it unanswered", name, err)
		}
		store.Before, store.After = nil, nil
		if c.between != nil {
			c.between(open(store.Client(), bob))
		}
		if _, err := note(l, "next"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := said(t, l); got != c.says {
			t.Errorf("%s: the ledger says %q, want %q", name, got, c.says)
		}
		intact(t, store)
	}
}

func TestARefusalIsFinal(t *testing.T) {
	t.Parallel()
	store := ledgertest.NewMemory()
	refused := fmt.Errorf("403: %w", ledger.ErrNotCreated)
	store.Before = fail("create", 2, 2, refused)
	l := open(store, alice)
	if _, err := note(l, "mine"); !errors.Is(err, refused) || errors.Is(err, ledger.ErrUnanswered) {
		t.Errorf("%v", err)
	}
	if head, err := l.Head(context.Background()); err != nil || head.Seq != 1 {
		t.Errorf("it was sent again: head %d, %v", head.Seq, err)
	}
	// After a sending without an answer a refusal proves nothing about that one.
	calls := 0
	store.Before = func(c ledgertest.Call) error {
		if c.Op != "create" {
			return nil
		}
		if calls++; calls == 1 {
			return ledgertest.ErrLost
		}
		return refused
	}
	if _, err := note(l, "mine"); !errors.Is(err, ledger.ErrUnanswered) {
		t.Errorf("%v", err)
	}
}

func TestAnOldStoreIsOutlasted(t *testing.T) {
	t.Parallel()
	store := ledgertest.NewMemory()
	other := open(store.Client(), bob)
	for i := range 150 {
		if _, err := note(other, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	for name, old := range map[string]func(ledgertest.Call) int{
		"an old list": func(c ledgertest.Call) int {
			if c.Op == "list" {
				return 149
			}
			return 0
		},
		"an empty list": func(c ledgertest.Call) int {
			if c.Op == "list" {
				return 1000
			}
			return 0
		},
	} {
		client := store.Client()
		client.Old = old
		if head, err := open(client, alice).Head(context.Background()); err != nil || head.Seq < 151 {
			t.Errorf("%s: head %d, %v", name, head.Seq, err)
		}
	}
	// Everything is old: the append finds the conflict, and reads on.
	client := store.Client()
	reads := 0
	client.Old = func(c ledgertest.Call) int {
		if reads++; reads < 12 {
			return 5
		}
		return 0
	}
	if e, err := note(open(client, alice), "late"); err != nil || e.Seq != 152 {
		t.Errorf("entry %d, %v", e.Seq, err)
	}
	intact(t, store)
	// A file that is listed, or whose number conflicts, is waited for, not for ever.
	client = store.Client()
	client.Old = func(c ledgertest.Call) int {
		if c.Op == "read" {
			return 1000
		}
		return 0
	}
	if _, err := open(client, alice).Head(context.Background()); !errors.Is(err, ledger.ErrNotExist) {
		t.Errorf("a listed file that is never seen: %v", err)
	}
}

func TestErrorsOfTheStore(t *testing.T) {
	t.Parallel()
	broken := errors.New("no route to host")
	for _, op := range []string{"list", "read"} {
		store := ledgertest.NewMemory()
		if _, err := note(open(store.Client(), bob), "one"); err != nil {
			t.Fatal(err)
		}
		store.Before = fail(op, 1, 100, broken)
		l := open(store, alice)
		if _, err := l.Head(context.Background()); !errors.Is(err, broken) {
			t.Errorf("%s: Head: %v", op, err)
		}
		if _, err := note(l, "two"); !errors.Is(err, broken) {
			t.Errorf("%s: Append: %v", op, err)
		}
		if _, err := l.Verify(context.Background()); !errors.Is(err, broken) {
			t.Errorf("%s: Verify: %v", op, err)
		}
		for _, err := range l.History(context.Background()) {
			if !errors.Is(err, broken) {
				t.Errorf("%s: History: %v", op, err)
			}
		}
	}
}
