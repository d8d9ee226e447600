package ledgertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/bargeml/barge/internal/ledger"
)

// Conformance is what every store must do. Open returns a client of a store that is new for each name and the same
// for one.
func Conformance(t *testing.T, open func(t *testing.T, name string) ledger.Store) {
	t.Helper()
	ctx := context.Background()

	t.Run("an empty store", func(t *testing.T) {
		s := open(t, "empty")
		if _, err := s.Read(ctx, "0/1.json"); !errors.Is(err, ledger.ErrNotExist) {
			t.Errorf("reading what is not there: %v, want ErrNotExist", err)
		}
		for _, dir := range []string{"", "7"} {
			if names, err := s.List(ctx, dir); err != nil || len(names) != 0 {
				t.Errorf("listing %q: %v, %v, want nothing", dir, names, err)
			}
		}
	})

	t.Run("create, read, list", func(t *testing.T) {
		s := open(t, "files")
		content := map[string][]byte{"0/1.json": []byte("{}"), "0/2.json": bytes.Repeat([]byte("é\x00\n"), 100_000), "1/100.json": {}}
		for _, name := range []string{"0/1.json", "0/2.json", "1/100.json"} {
			if err := s.Create(ctx, name, content[name]); err != nil {
				t.Fatal(err)
			}
		}
		again := open(t, "files")
		for name, want := range content {
			got, err := again.Read(ctx, name)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes, %v, want %d", name, len(got), err, len(want))
			}
		}
		for dir, want := range map[string][]string{"": {"0", "1"}, "0": {"1.json", "2.json"}, "1": {"100.json"}, "2": nil} {
			got, err := again.List(ctx, dir)
			slices.Sort(got)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("listing %q: %v, %v, want %v", dir, got, err, want)
			}
		}
	})

	t.Run("a name is taken once", func(t *testing.T) {
		s := open(t, "taken")
		if err := s.Create(ctx, "0/1.json", []byte("first")); err != nil {
			t.Fatal(err)
		}
		if err := s.Create(ctx, "0/1.json", []byte("second")); !errors.Is(err, ledger.ErrExists) {
			t.Errorf("creating it again: %v, want ErrExists", err)
		}
		if got, err := s.Read(ctx, "0/1.json"); err != nil || string(got) != "first" {
			t.Errorf("read %q, %v, want what was created first", got, err)
		}
	})

	t.Run("of many creators one wins", func(t *testing.T) {
		const writers, rounds = 20, 5
		for round := range rounds {
			name := fmt.Sprintf("0/%d.json", round+1)
			answers := make([]error, writers)
			var wg sync.WaitGroup
			for i := range writers {
				s := open(t, "race")
				wg.Go(func() { answers[i] = s.Create(ctx, name, fmt.Appendf(nil, "writer %d", i)) })
			}
			wg.Wait()
			winner := -1
			for i, err := range answers {
				switch {
				case err == nil && winner < 0:
					winner = i
				case !errors.Is(err, ledger.ErrExists):
					t.Fatalf("writer %d: %v; writer %d had won", i, err, winner)
				}
			}
			got, err := open(t, "race").Read(ctx, name)
			if want := fmt.Sprintf("writer %d", winner); err != nil || string(got) != want {
				t.Fatalf("read %q, %v, want %q", got, err, want)
			}
		}
	})
}
