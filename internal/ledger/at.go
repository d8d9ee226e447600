package ledger

import (
	"context"
	"fmt"
	"time"
)

// Skew is how far apart the times of two entries may stand against their order: they are told by a service of several
// machines, some time before the entry is there.
const Skew = 5 * time.Minute

// At returns the newest entry that bears a time not after t; the zero Entry when the first one does. It reads some
// dozen entries of thousands: those between, and no others, may be missing or broken.
func (l *Ledger) At(ctx context.Context, t time.Time) (Entry, error) {
	head, err := l.Head(ctx)
	if err != nil || head.Seq == 0 || !head.At.After(t) {
		return head, err
	}
	// Before low every entry may count; from high on none does, since all that follow bear times of at least t.
	low, high := 1, head.Seq
	for low < high {
		middle := (low + high) / 2
		e, err := l.Entry(ctx, middle)
		if err != nil {
			return Entry{}, fmt.Errorf("looking for what the ledger said at %s: %w", t.Format(time.RFC3339), err)
		}
		if e.At.After(t.Add(Skew)) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	for seq := high; seq > 0; seq-- {
		e, err := l.Entry(ctx, seq)
		if err != nil || !e.At.After(t) {
			return e, err
		}
	}
	return Entry{}, nil
}
