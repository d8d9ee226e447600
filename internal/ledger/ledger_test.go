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
