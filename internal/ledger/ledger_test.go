package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/ledger/ledgertest"
)

// open opens the ledger of a client; repeating a call takes no time, and is given up after ten times.
func open(store ledger.Store, author ledger.Author) *ledger.Ledger {
	return ledger.Open(store, ledger.Options{
		By: author, Actor: "service-principal:ci", Now: func() time.Time { return noon },
		Wait: func(_ context.Context, n int) error {
			if n == 10 {
				return errors.New("waited long enough")
			}
			return nil
		},
	})
}

// genesis is what begins a ledger.
var genesis = ledger.Live{Values: ledger.Values{job: ledger.Absent}, Genesis: &ledger.Genesis{Project: "diabetes", Environment: "prod"}}

// note appends a Held that says text, after a Genesis where there is none.
func note(l *ledger.Ledger, text string) (ledger.Entry, error) {
	for {
		begun := false
		e, err := l.Append(context.Background(), func(s ledger.State) (ledger.Body, error) {
			if begun = s.Seq == 0; begun {
				return genesis, nil
			}
			return ledger.Held{Reason: text}, nil
		})
		if err != nil || !begun {
			return e, err
		}
	}
}

// said returns what every entry of the ledger says, in order.
func said(t *testing.T, l *ledger.Ledger) string {
	t.Helper()
	var texts []string
	for e, err := range l.History(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		text := string(e.Type())
		if h, ok := e.Body.(ledger.Held); ok {
			text = h.Reason
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " ")
}

func intact(t *testing.T, store ledger.Store) {
	t.Helper()
	problems, err := open(store, bob).Verify(context.Background())
	if err != nil || len(problems) != 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

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

func TestAppendAndHead(t *testing.T) {
	t.Parallel()
	store := ledgertest.NewMemory()
	l := open(store, alice)
	if head, err := l.Head(context.Background()); err != nil || head.Seq != 0 {
		t.Fatalf("the head of nothing: %+v, %v", head, err)
	}
	e, err := note(l, "one")
	if err != nil {
		t.Fatal(err)
	}
	if e.Seq != 2 || e.By != alice || e.Actor != "service-principal:ci" || !e.At.Equal(noon) || e.Format != 1 || e.ID == "" || e.State.Hold.Said.Reason != "one" {
		t.Errorf("%+v", e)
	}
	for i := range 200 {
		if _, err := note(l, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	head, err := open(store.Client(), bob).Head(context.Background())
	if err != nil || head.Seq != 202 || head.State.Seq != 202 || head.State.Hold.Said.Reason != "199" {
		t.Errorf("another process reads %d, %v", head.Seq, err)
	}
	if names := store.Names(); names[98] != "0/99.json" || names[99] != "1/100.json" || names[201] != "2/202.json" {
		t.Errorf("%v", names)
	}
	intact(t, store)
	again, err := l.Entry(context.Background(), 2)
	if err != nil || again.Digest() != e.Digest() || string(again.Bytes()) != string(e.Bytes()) {
		t.Errorf("entry 2 read again: %v", err)
	}
}

func TestDecideMayRefuseOrFindNothingToDo(t *testing.T) {
	t.Parallel()
	store := ledgertest.NewMemory()
	l := open(store, alice)
	no := errors.New("no")
	for want, body := range map[error]ledger.Body{no: nil, nil: nil} {
		e, err := l.Append(context.Background(), func(ledger.State) (ledger.Body, error) { return body, want })
		if !errors.Is(err, want) || e.Seq != 0 {
			t.Errorf("%v: entry %d, %v", want, e.Seq, err)
		}
	}
	_, err := l.Append(context.Background(), func(ledger.State) (ledger.Body, error) { return ledger.Left{Of: 3}, nil })
	if !errors.Is(err, ledger.ErrForbidden) || len(store.Names()) != 0 {
		t.Errorf("what the rules forbid: %v, %v", err, store.Names())
	}
}

// TestOneOfTwoWriters has a second writer put entries in between the first one's reading and writing.
func TestOneOfTwoWriters(t *testing.T) {
	t.Parallel()
	store := ledgertest.NewMemory()
	other := open(store.Client(), bob)
	if _, err := note(other, "first"); err != nil {
		t.Fatal(err)
	}
	l := open(store, alice)
	var seen []int
	e, err := l.Append(context.Background(), func(s ledger.State) (ledger.Body, error) {
		seen = append(seen, s.Seq)
		if len(seen) < 3 {
			for i := range 2 {
				if _, err := note(other, fmt.Sprintf("between%d%d", len(seen), i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		return ledger.Held{Reason: "mine"}, nil
	})
	if err != nil || e.Seq != 7 || fmt.Sprint(seen) != "[2 4 6]" {
		t.Errorf("entry %d, decided at %v, %v", e.Seq, seen, err)
	}
	if got := said(t, l); got != "Live first between10 between11 between20 between21 mine" {
		t.Errorf("the ledger says %s", got)
	}
	intact(t, store)
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

func TestANewerBargeIsReadAndNotWrittenAfter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, to string }{
		"a newer format":            {`{"format":1,"seq":2`, `{"format":2,"seq":2`},
		"an unknown type":           {`"type":"Held"`, `"type":"Danced"`},
		"a newer format, all else":  {`{"format":1,"seq":2`, `{"format":2,"news":[],"seq":2`},
		"a newer format long since": {`"state":{"seq":2,"format":1`, `"state":{"seq":2,"format":2`},
	} {
		store := ledgertest.NewMemory()
		l := open(store, alice)
		if _, err := note(l, "one"); err != nil {
			t.Fatal(err)
		}
		b, err := store.Read(context.Background(), "0/2.json")
		if err != nil || !strings.Contains(string(b), c.old) {
			t.Fatalf("%s: %v in %s", name, err, b)
		}
		store.Put("0/2.json", []byte(strings.Replace(string(b), c.old, c.to, 1)))
		late := open(store, bob)
		head, err := late.Head(context.Background())
		if err != nil || head.Seq != 2 || head.State.Champion.Live != 1 {
			t.Errorf("%s: read as %+v, %v", name, head, err)
		}
		if _, err := note(late, "two"); !errors.Is(err, ledger.ErrNewer) || len(store.Names()) != 2 {
			t.Errorf("%s: %v, %v", name, err, store.Names())
		}
	}
}

func TestABrokenChainIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	store := ledgertest.NewMemory()
	l := open(store, alice)
	if _, err := note(l, "one"); err != nil {
		t.Fatal(err)
	}
	if _, err := note(open(store.Client(), bob), "two"); err != nil {
		t.Fatal(err)
	}
	b, _ := store.Read(context.Background(), "0/3.json")
	store.Put("0/3.json", []byte(strings.Replace(string(b), `"prev":"sha256:`, `"prev":"sha256:0`, 1)))
	if _, err := note(l, "three"); !errors.Is(err, ledger.ErrBroken) {
		t.Errorf("%v", err)
	}
	store.Put("0/3.json", []byte("{"))
	if _, err := l.Head(context.Background()); !errors.Is(err, ledger.ErrBroken) {
		t.Errorf("%v", err)
	}
}

func TestAContextThatEnds(t *testing.T) {
	t.Parallel()
	store := ledgertest.NewMemory()
	ctx, cancel := context.WithCancel(context.Background())
	store.Before = func(c ledgertest.Call) error {
		if c.Op == "create" {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	l := ledger.Open(store, ledger.Options{By: alice})
	_, err := l.Append(ctx, func(ledger.State) (ledger.Body, error) { return genesis, nil })
	if !errors.Is(err, ledger.ErrUnanswered) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestTheZeroOptionsWork(t *testing.T) {
	t.Parallel()
	l := ledger.Open(ledger.NewFolder(t.TempDir()), ledger.Options{})
	e, err := note(l, "one")
	if err != nil || e.By != ledger.Self() || l.By() != ledger.Self() || e.At.IsZero() {
		t.Errorf("%+v, %v", e, err)
	}
}
