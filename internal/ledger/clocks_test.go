package ledger_test

import (
	"testing"
	"time"

	"github.com/bargeml/barge/internal/ledger"
)

// hands are two clocks that the test sets.
type hands struct{ wall, mono time.Duration }

func (h *hands) read() ledger.Reading {
	return ledger.Reading{Wall: noon.Add(h.wall), Mono: h.mono}
}

func (h *hands) pass(wall, mono time.Duration) { h.wall, h.mono = h.wall+wall, h.mono+mono }

var terms = ledger.Terms{L: 30, D: 20, TTL: 60}

func TestTerms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		terms ledger.Terms
		ok    bool
	}{
		{ledger.DefaultTerms, true},
		{ledger.Terms{L: 34 * time.Second, D: 20 * time.Second, TTL: time.Minute}, true},
		{ledger.Terms{L: 35 * time.Second, D: 20 * time.Second, TTL: time.Minute}, false},
		{ledger.Terms{}, false},
		{ledger.Terms{L: -1, D: 20, TTL: 60}, false},
		{ledger.Terms{L: 30, TTL: 60}, false},
	} {
		if err := c.terms.Check(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.terms, err)
		}
	}
}

func TestAnOwnerCountsByTheClockThatWentFurther(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wall, mono time.Duration
		holds      bool
	}{
		"at once":            {0, 0, true},
		"at L":               {30, 30, true},
		"after L":            {31, 31, false},
		"asleep":             {31, 1, false},
		"the clock set back": {-1000, 31, false},
		"set back, in time":  {-1000, 30, true},
		"the clock set on":   {1000, 1, false},
	} {
		h := &hands{}
		right := ledger.NoteRight(terms, h.read)
		if h.pass(c.wall, c.mono); right.Holds() != c.holds {
			t.Errorf("%s: %v, want %v", name, right.Holds(), c.holds)
		}
	}
}

func TestWhoWaitsCountsByTheClockThatWentLess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ wall, mono, left time.Duration }{
		"at once":            {0, 0, 20},
		"half":               {10, 10, 10},
		"over":               {20, 20, 0},
		"asleep":             {100, 5, 15},
		"the clock set back": {-10, 100, 30},
	} {
		h := &hands{}
		sent := ledger.NoteSending(terms, h.read)
		if h.pass(c.wall, c.mono); sent.Left() != c.left {
			t.Errorf("%s: %d left, want %d", name, sent.Left(), c.left)
		}
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	inFlight := func(t *testing.T) *story {
		st := newStory(t)
		st.by(alice, st.plan("1.0.0", nil))
		return st
	}
	watching := func(isDead bool) (*hands, *ledger.Watch) {
		h := &hands{}
		return h, ledger.NewWatch(terms, h.read, func(ledger.Author) bool { return isDead })
	}

	t.Run("nothing in flight", func(t *testing.T) {
		_, w := watching(true)
		if gone, why, left := w.Gone(newStory(t).s); gone || why != "" || left != 0 {
			t.Errorf("%v %q %d", gone, why, left)
		}
	})
	t.Run("silent for TTL on both clocks", func(t *testing.T) {
		st := inFlight(t)
		h, w := watching(false)
		for _, c := range []struct {
			wall, mono time.Duration
			gone       bool
			left       time.Duration
		}{{0, 0, false, 60}, {59, 59, false, 1}, {100, 0, false, 1}, {0, 1, true, 0}} {
			h.pass(c.wall, c.mono)
			if gone, _, left := w.Gone(st.s); gone != c.gone || left != c.left {
				t.Errorf("after %+v: %v, %d left", c, gone, left)
			}
		}
	})
	t.Run("a newer Begun starts it anew, other entries do not", func(t *testing.T) {
		st := inFlight(t)
		h, w := watching(false)
		w.Gone(st.s)
		h.pass(50, 50)
		st.by(bob, ledger.Held{})
		if _, _, left := w.Gone(st.s); left != 10 {
			t.Errorf("after a Held %d are left, want 10", left)
		}
		st.by(alice, st.goOn(ledger.Renew))
		if _, _, left := w.Gone(st.s); left != 60 {
			t.Errorf("after a renewal %d are left, want 60", left)
		}
	})
	t.Run("it left", func(t *testing.T) {
		st := inFlight(t)
		st.by(alice, ledger.Left{Of: 2})
		_, w := watching(false)
		if gone, why, _ := w.Gone(st.s); !gone || why != "its owner gave its right back" {
			t.Errorf("%v %q", gone, why)
		}
	})
	t.Run("seen dead for more than D", func(t *testing.T) {
		st := inFlight(t)
		h, w := watching(true)
		for _, c := range []struct {
			more time.Duration
			gone bool
			left time.Duration
		}{{0, false, 21}, {20, false, 1}, {1, true, 0}} {
			h.pass(c.more, c.more)
			if gone, _, left := w.Gone(st.s); gone != c.gone || left != c.left {
				t.Errorf("after %d more: %v, %d left, want %+v", c.more, gone, left, c)
			}
		}
	})
	t.Run("a flight that ends and another", func(t *testing.T) {
		st := inFlight(t)
		h, w := watching(false)
		w.Gone(st.s)
		h.pass(100, 100)
		st.live(alice)
		w.Gone(st.s)
		st.proven()
		st.by(alice, st.plan("2.0.0", nil))
		if gone, _, left := w.Gone(st.s); gone || left != 60 {
			t.Errorf("%v, %d left: the first flight's silence counts for the second", gone, left)
		}
	})
}

func TestSystemClocksGoOn(t *testing.T) {
	t.Parallel()
	clocks := ledger.SystemClocks()
	r := clocks()
	if r.Wall.IsZero() || clocks.Most(r) < 0 || clocks().Mono < r.Mono {
		t.Errorf("%+v, then %+v", r, clocks())
	}
}
