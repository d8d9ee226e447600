package ledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/ledger/ledgertest"
)

// counting counts the reads of a store.
type counting struct {
	ledger.Store
	reads int
}

func (c *counting) Read(ctx context.Context, name string) ([]byte, error) {
	c.reads++
	return c.Store.Read(ctx, name)
}

// timed is a ledger whose n-th entry bears the n-th time.
func timed(t *testing.T, store ledger.Store, times []time.Time) {
	t.Helper()
	n := 0
	l := ledger.Open(store, ledger.Options{By: alice, Now: func() time.Time { n++; return times[n-1] }})
	for i := range times {
		_, err := l.Append(t.Context(), func(s ledger.State) (ledger.Body, error) {
			if s.Seq == 0 {
				return genesis, nil
			}
			return ledger.Held{Reason: fmt.Sprint(i)}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	const seed = 20261121
	random := rand.New(rand.NewPCG(seed, seed))
	for range 40 {
		// Times that grow, each told too early by less than half of what is allowed.
		var times []time.Time
		at := noon
		for range 1 + random.IntN(150) {
			at = at.Add(time.Duration(random.Int64N(int64(4 * time.Minute))))
			times = append(times, at.Add(-time.Duration(random.Int64N(int64(ledger.Skew)))).Truncate(time.Second))
		}
		store := ledgertest.NewMemory()
		timed(t, store, times)
		for range 30 {
			asked := noon.Add(time.Duration(random.Int64N(int64(at.Sub(noon) + 2*time.Hour)))).Add(-time.Hour)
			want := 0
			for i, at := range times {
				if !at.After(asked) {
					want = i + 1
				}
			}
			reader := ledger.Open(store, ledger.Options{By: bob})
			if e, err := reader.At(t.Context(), asked); err != nil || e.Seq != want {
				t.Fatalf("seed %d, %d entries, at %s: entry %d, %v; want %d", seed, len(times), asked, e.Seq, err, want)
			}
		}
	}
}

func TestAtReadsFewEntries(t *testing.T) {
	t.Parallel()
	var times []time.Time
	for i := range 2000 {
		times = append(times, noon.Add(time.Duration(i)*time.Hour))
	}
	store := &counting{Store: ledgertest.NewMemory()}
	timed(t, store, times)
	store.reads = 0
	e, err := ledger.Open(store, ledger.Options{By: bob}).At(t.Context(), noon.Add(1234*time.Hour+time.Minute))
	if err != nil || e.Seq != 1235 {
		t.Errorf("entry %d, %v", e.Seq, err)
	}
	if store.reads > 20 {
		t.Errorf("it read %d of 2000 entries", store.reads)
	}
}

func TestAtOfAnEmptyLedger(t *testing.T) {
	t.Parallel()
	if e, err := ledger.Open(ledgertest.NewMemory(), ledger.Options{By: bob}).At(t.Context(), noon); err != nil || e.Seq != 0 {
		t.Errorf("entry %d, %v", e.Seq, err)
	}
}

// slow answers a second after it was asked.
type slow struct{ ledger.Store }

func (s slow) Read(ctx context.Context, name string) ([]byte, error) {
	time.Sleep(time.Second)
	return s.Store.Read(ctx, name)
}

// Who reads a whole ledger asks for several entries at once, and gets them in their order.
func TestReadingAhead(t *testing.T) {
	t.Parallel()
	store := ledgertest.NewMemory()
	timed(t, store, slices.Repeat([]time.Time{noon}, 100))
	synctest.Test(t, func(t *testing.T) {
		l := ledger.Open(slow{store}, ledger.Options{By: bob})
		began, seq := time.Now(), 0
		for e, err := range l.History(t.Context()) {
			if seq++; err != nil || e.Seq != seq {
				t.Fatalf("entry %d, %v; want %d", e.Seq, err, seq)
			}
		}
		// One for what comes after the last, and 16 at a time.
		if took := time.Since(began); took != 8*time.Second || seq != 100 {
			t.Errorf("the history of %d entries took %s", seq, took)
		}
		began = time.Now()
		problems, err := l.Verify(t.Context())
		if took := time.Since(began); took != 8*time.Second || len(problems) > 0 || err != nil {
			t.Errorf("verifying took %s: %v, %v", took, problems, err)
		}
	})
}
