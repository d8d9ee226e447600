// Package ledger is the append-only, hash-chained history of one environment: who may change its pointers, what they
// were changed to, and what was said about it.
//
// Of the writers of one number exactly one wins; what is decided is decided on the fold up to the head and becomes
// valid by the append alone. No answer of the store is believed but a create's own.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What reading and appending can fail by, besides the store's own errors.
var (
	// ErrUnanswered is wrapped when it is not known whether an entry was or will be written. The next call of the same
	// Ledger finds out before it does anything else.
	ErrUnanswered = errors.New("the store did not answer")
	// ErrNewer is wrapped when a newer barge has written here: this one reads and does not write.
	ErrNewer = errors.New("a newer barge has written to this ledger: use that version or a later one")
	// ErrBroken is wrapped when what is read is not a chain of entries; Verify says what is wrong.
	ErrBroken = errors.New("the ledger is not intact: barge verify says where")
)

// Options say who writes, and when. The zero value works: this process, nobody signed in, the host's clock.
type Options struct {
	By    Author
	Actor string
	// Now is the time written into entries: the Date of the last answer of the workspace that holds the ledger.
	Now func() time.Time
	// Wait waits before the n-th repetition (from 1) of a call that was not answered as hoped; its error ends them.
	Wait func(ctx context.Context, n int) error
}

// Ledger reads and appends. It may be used by several goroutines; one appends at a time.
type Ledger struct {
	store Store
	o     Options

	mu      sync.Mutex
	head    Entry  // the newest entry read or written; zero before the first
	pending *Entry // sent and not answered
}

// Open returns the ledger in the store. Nothing is read yet, and an empty store is a ledger without entries.
func Open(store Store, o Options) *Ledger {
	if o.By == (Author{}) {
		o.By = Self()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = backOff
	}
	return &Ledger{store: store, o: o}
}

// By is the author of what this Ledger appends.
func (l *Ledger) By() Author { return l.o.By }

// Head returns the newest entry that the store shows, the zero Entry for an empty ledger. Its State is the fold.
func (l *Ledger) Head(ctx context.Context) (Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.settle(ctx); err != nil {
		return Entry{}, err
	}
	err := l.catchUp(ctx)
	return l.head, err
}

// Entry returns the entry of that number.
func (l *Ledger) Entry(ctx context.Context, seq int) (Entry, error) {
	b, err := l.store.Read(ctx, Name(seq))
	if err != nil {
		return Entry{}, fmt.Errorf("reading ledger entry %d: %w", seq, err)
	}
	e, err := Decode(b)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if e.Seq != seq {
		return Entry{}, fmt.Errorf("%w: file %s holds entry %d", ErrBroken, Name(seq), e.Seq)
	}
	return e, nil
}

// Append writes what decide returns, as the entry after the head, and returns it. Decide is given the fold up to the
// head, and again after each entry that another writer put there first; it may refuse by an error, which Append
// returns as it is, or return nil when nothing is to be written, and Append then returns the head. It must not use the
// Ledger itself. What the rules forbid is not sent.
func (l *Ledger) Append(ctx context.Context, decide func(State) (Body, error)) (Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.settle(ctx); err != nil {
		return Entry{}, err
	}
	for {
		if err := l.catchUp(ctx); err != nil {
			return Entry{}, err
		}
		body, err := decide(l.head.State)
		if err != nil || body == nil {
			return l.head, err
		}
		e, err := l.draft(body)
		if err != nil {
			return l.head, err
		}
		l.pending = &e
		won, err := l.create(ctx)
		if err != nil || won {
			return l.head, err
		}
	}
}

// draft makes the entry after the head.
func (l *Ledger) draft(body Body) (Entry, error) {
	if l.head.Newer() || l.head.State.Format > Format {
		return Entry{}, fmt.Errorf("entry %d: %w", l.head.Seq, ErrNewer)
	}
	e := Entry{
		Format: Format, Seq: l.head.Seq + 1, Prev: l.head.Digest(), ID: draw(), By: l.o.By,
		At: l.o.Now().UTC().Round(0), Actor: l.o.Actor, Body: body,
	}
	var err error
	if e.State, err = Fold(l.head.State, e); err != nil {
		return Entry{}, err
	}
	return e.seal()
}

// settle finds out what became of an entry that was sent and not answered.
func (l *Ledger) settle(ctx context.Context) error {
	if l.pending == nil {
		return nil
	}
	_, err := l.create(ctx)
	return err
}

// repetitions of a call bound how long a store that is not itself is waited for: about a minute.
const repetitions = 30

// create sends the pending entry, the same bytes under the same number, until there is a definite answer. It tells
// whether the entry is in the ledger; when another one has its number, that one is the head now.
func (l *Ledger) create(ctx context.Context) (won bool, err error) {
	e := *l.pending
	asked := false // some sending was not answered
	for n := 1; ; n++ {
		err := l.store.Create(ctx, Name(e.Seq), e.Bytes())
		switch {
		case err == nil:
			l.head, l.pending = e, nil
			return true, nil
		case errors.Is(err, ErrExists):
			return l.conflict(ctx)
		case errors.Is(err, ErrNotCreated) && !asked:
			l.pending = nil
			return false, fmt.Errorf("writing ledger entry %d: %w", e.Seq, err)
		case !errors.Is(err, ErrNotCreated):
			asked = true
		}
		if n == repetitions || ctx.Err() != nil || l.o.Wait(ctx, n) != nil {
			return false, fmt.Errorf("writing ledger entry %d: %w: %w", e.Seq, ErrUnanswered, err)
		}
	}
}

// conflict reads the entry that has the pending one's number. The conflict is the truth; a read that does not see the
// file is merely old.
func (l *Ledger) conflict(ctx context.Context) (won bool, err error) {
	winner, err := l.await(ctx, l.pending.Seq)
	if err != nil {
		return false, err
	}
	won = winner.ID == l.pending.ID
	l.head, l.pending = winner, nil
	return won, nil
}

// await reads an entry that is known to be there.
func (l *Ledger) await(ctx context.Context, seq int) (Entry, error) {
	for n := 1; ; n++ {
		e, err := l.Entry(ctx, seq)
		if err == nil || !errors.Is(err, ErrNotExist) || n == repetitions {
			return e, err
		}
		if waited := l.o.Wait(ctx, n); waited != nil {
			return Entry{}, fmt.Errorf("%w: %w", err, waited)
		}
	}
}

// catchUp moves the head to the newest entry that the store shows: by name, from the last one known on.
func (l *Ledger) catchUp(ctx context.Context) error {
	if l.head.Seq == 0 {
		listed, err := l.listed(ctx)
		if err != nil {
			return err
		}
		if listed > 0 {
			if l.head, err = l.await(ctx, listed); err != nil {
				return err
			}
		}
	}
	for {
		e, err := l.Entry(ctx, l.head.Seq+1)
		if errors.Is(err, ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if e.Prev != l.head.Digest() {
			return fmt.Errorf("%w: entry %d does not follow the bytes of entry %d", ErrBroken, e.Seq, l.head.Seq)
		}
		l.head = e
	}
}

// listed returns the last number that the listing shows: a hint.
func (l *Ledger) listed(ctx context.Context) (int, error) {
	folders, err := l.store.List(ctx, "")
	if err != nil {
		return 0, fmt.Errorf("listing the ledger: %w", err)
	}
	newest := largest(folders, "")
	if newest < 0 {
		return 0, nil
	}
	files, err := l.store.List(ctx, strconv.Itoa(newest))
	if err != nil {
		return 0, fmt.Errorf("listing the ledger: %w", err)
	}
	// The folder is made for its first file, so everything before that is there, even if the file is not yet listed.
	return max(largest(files, ".json"), newest*100-1, 0), nil
}

// largest returns the largest number among names with that ending; -1 when there is none.
func largest(names []string, ending string) int {
	most := -1
	for _, name := range names {
		stem, ok := strings.CutSuffix(path.Base(name), ending)
		if n, err := strconv.Atoi(stem); ok && err == nil && strconv.Itoa(n) == stem {
			most = max(most, n)
		}
	}
	return most
}

// backOff waits 50 ms, then twice as long each time, at most 2 s.
func backOff(ctx context.Context, n int) error {
	t := time.NewTimer(min(2*time.Second, 50*time.Millisecond<<min(n-1, 10)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
