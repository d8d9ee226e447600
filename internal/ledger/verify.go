package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
)

// History reads all entries, oldest first. An entry that is missing or unreadable is yielded as an error in its place,
// and the history goes on with the next; an error of the store itself ends it.
func (l *Ledger) History(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		end, err := l.end(ctx)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for _, got := range all(end, func(seq int) answer[Entry] { return answered(l.Entry(ctx, seq)) }) {
			ends := got.err != nil && !errors.Is(got.err, ErrNotExist) && !errors.Is(got.err, ErrBroken)
			if !yield(got.value, got.err) || ends {
				return
			}
		}
	}
}

// ahead is how many entries are asked for at once by who reads them all.
const ahead = 16

type answer[T any] struct {
	value T
	err   error
}

func answered[T any](value T, err error) answer[T] { return answer[T]{value, err} }

// all reads the numbers up to end, several at once, and gives them in their order.
func all[T any](end int, read func(seq int) T) iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		for first := 1; first <= end; first += ahead {
			batch := make([]T, min(ahead, end-first+1))
			var group sync.WaitGroup
			for i := range batch {
				group.Go(func() { batch[i] = read(first + i) })
			}
			group.Wait()
			for i, got := range batch {
				if !yield(first+i, got) {
					return
				}
			}
		}
	}
}

// end returns the last number: that of the listing, or whatever can be read beyond it.
func (l *Ledger) end(ctx context.Context) (int, error) {
	l.mu.Lock()
	known := l.head.Seq
	l.mu.Unlock()
	listed, err := l.listed(ctx)
	if err != nil {
		return 0, err
	}
	for end := max(known, listed); ; end++ {
		switch _, err := l.store.Read(ctx, Name(end+1)); {
		case errors.Is(err, ErrNotExist):
			return end, nil
		case err != nil:
			return 0, fmt.Errorf("reading ledger entry %d: %w", end+1, err)
		}
	}
}

// Problem is one thing that is wrong with a ledger.
type Problem struct {
	Seq int `json:"seq"` // the file it shows in
	// Kind is "missing", "unreadable", "misplaced", "changed", "doubled", "forbidden", "state", or "newer": what this barge
	// cannot check.
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Verify reads the whole ledger and recomputes what it says. The problems are in the order of the files. None means
// that every entry is there, follows the bytes of the one before, is allowed by the rules, and recorded the right
// state. It proves consistency, not that nobody rewrote it all: for that the head's digest must stand elsewhere too.
func (l *Ledger) Verify(ctx context.Context) ([]Problem, error) {
	end, err := l.end(ctx)
	if err != nil {
		return nil, err
	}
	v := verifier{ids: map[string]int{}}
	for seq, got := range all(end, func(seq int) answer[[]byte] { return answered(l.store.Read(ctx, Name(seq))) }) {
		switch {
		case errors.Is(got.err, ErrNotExist):
			v.lose(seq, "missing", "entry %d is missing", seq)
		case got.err != nil:
			return nil, fmt.Errorf("reading ledger entry %d: %w", seq, got.err)
		default:
			v.file(seq, got.value)
		}
	}
	return v.problems, nil
}

type verifier struct {
	problems []Problem
	ids      map[string]int
	state    State
	prev     Entry
	lost     bool // the entry before cannot be relied on
	newer    bool // a newer barge wrote before, or this one
}

func (v *verifier) found(seq int, kind, format string, args ...any) {
	v.problems = append(v.problems, Problem{Seq: seq, Kind: kind, Text: fmt.Sprintf(format, args...)})
}

func (v *verifier) lose(seq int, kind, format string, args ...any) {
	v.found(seq, kind, format, args...)
	v.lost = true
}

func (v *verifier) file(seq int, b []byte) {
	e, err := Decode(b)
	if err != nil {
		v.lose(seq, "unreadable", "file %s: %v", Name(seq), err)
		return
	}
	if e.Seq != seq {
		v.lose(seq, "misplaced", "file %s holds entry %d", Name(seq), e.Seq)
		return
	}
	if other, taken := v.ids[e.ID]; taken {
		v.found(seq, "doubled", "entry %d has the id of entry %d", seq, other)
	}
	v.ids[e.ID] = seq
	if !v.lost && e.Prev != v.prev.Digest() {
		v.found(seq, "changed", "entry %d does not follow the bytes of entry %d: one of them was changed", seq, seq-1)
	}
	v.fold(e)
	v.prev, v.lost = e, false
}

// fold recomputes the state. After a break, and for what a newer barge wrote, the recorded state has to do.
func (v *verifier) fold(e Entry) {
	if e.Newer() || e.State.Format > Format {
		if !v.newer {
			v.found(e.Seq, "newer", "entry %d was written by a newer barge: from here on only that version can tell whether what is said is allowed", e.Seq)
		}
		v.newer = true
	}
	if v.lost || v.newer {
		v.state = e.State
		return
	}
	state, err := Fold(v.state, e)
	if err != nil {
		v.found(e.Seq, "forbidden", "%v", err)
		v.state = e.State
		return
	}
	if computed, err := encode(state); err != nil || !bytes.Equal(computed, recorded(e)) {
		v.found(e.Seq, "state", "the state recorded in entry %d is not what the entries add up to", e.Seq)
		state = e.State // so that the entries after it are not named for it, too
		state.Seq = e.Seq
	}
	v.state = state
}

// recorded returns the state as it stands in the entry's bytes.
func recorded(e Entry) []byte {
	var w wire
	var b bytes.Buffer
	if json.Unmarshal(e.Bytes(), &w) != nil || json.Compact(&b, w.State) != nil {
		return nil
	}
	return b.Bytes()
}
