package ledger

import (
	"fmt"
	"time"
)

// Terms are the three times that keep two owners apart. They are measured on a process's own two clocks and never by
// the times that stand in entries.
type Terms struct {
	// L is how long a Begun lets its author send Sets; D within what a call that was sent takes effect or never does;
	// TTL how long an owner may be silent before others take over.
	L, D, TTL time.Duration
}

// DefaultTerms are those that every barge of one environment keeps.
var DefaultTerms = Terms{L: 30 * time.Second, D: 20 * time.Second, TTL: 60 * time.Second}

// Check refuses terms under which a late Set of an old owner could meet a new one.
func (t Terms) Check() error {
	if t.L <= 0 || t.D <= 0 || t.L+t.D > t.TTL/10*9 {
		return fmt.Errorf("L %s and D %s together must stay below nine tenths of TTL %s", t.L, t.D, t.TTL) //nolint:staticcheck // L is a name
	}
	return nil
}

// Reading is what a process's two clocks show at one moment. Asleep, a laptop's monotonic clock stands still; set by
// hand, its wall clock jumps.
type Reading struct {
	Wall time.Time
	Mono time.Duration // since any fixed moment of this process
}

// Clocks reads both clocks.
type Clocks func() Reading

// SystemClocks returns the clocks of this process.
func SystemClocks() Clocks {
	base := time.Now()
	return func() Reading {
		now := time.Now()
		return Reading{Wall: now.Round(0), Mono: now.Sub(base)}
	}
}

// Most is how far the clock that went further went since r: what an owner counts by.
func (c Clocks) Most(r Reading) time.Duration {
	wall, mono := c.since(r)
	return max(wall, mono)
}

// Least is how far the clock that went less went since r: what whoever waits counts by.
func (c Clocks) Least(r Reading) time.Duration {
	wall, mono := c.since(r)
	return min(wall, mono)
}

func (c Clocks) since(r Reading) (wall, mono time.Duration) {
	now := c()
	return now.Wall.Sub(r.Wall), now.Mono - r.Mono
}

// Right is an owner's right to send Sets, as its own clocks see it. Note it right before the first try to write a
// Begun; further tries to write the same Begun do not restart it, renewing makes a new one.
type Right struct {
	terms  Terms
	clocks Clocks
	noted  Reading
}

// NoteRight notes both clocks.
func NoteRight(t Terms, c Clocks) Right { return Right{terms: t, clocks: c, noted: c()} }

// Holds tells whether a Set may be sent now. Ask right before each one.
func (r Right) Holds() bool { return r.clocks.Most(r.noted) <= r.terms.L }

// Unanswered is a call that was sent and not definitely answered. Until it has passed nothing else is done.
type Unanswered struct {
	terms  Terms
	clocks Clocks
	sent   Reading
}

// NoteSending notes both clocks right after a call was sent, or later.
func NoteSending(t Terms, c Clocks) Unanswered { return Unanswered{terms: t, clocks: c, sent: c()} }

// Left is how long the call may still take effect; zero or less: never any more.
func (u Unanswered) Left() time.Duration { return u.terms.D - u.clocks.Least(u.sent) }

// Watch tells when the owner of what is in flight is gone. Show it every state that is read, in order.
type Watch struct {
	terms  Terms
	clocks Clocks
	dead   func(Author) bool

	begun    int // the newest Begun shown
	first    Reading
	seenDead bool
	died     Reading
}

// NewWatch starts watching; dead is SeenDead outside tests.
func NewWatch(t Terms, c Clocks, dead func(Author) bool) *Watch {
	return &Watch{terms: t, clocks: c, dead: dead}
}

// Gone tells whether the right of the owner of what is in flight can be taken over, and why. When it cannot yet, left
// is how long at most until it can, if nothing new is written. Nothing in flight: never gone, zero left.
func (w *Watch) Gone(s State) (gone bool, why string, left time.Duration) {
	f := s.Flight
	if f == nil {
		w.begun = 0
		return false, "", 0
	}
	if f.Seq != w.begun {
		w.begun, w.first, w.seenDead = f.Seq, w.clocks(), false
	}
	if !w.seenDead && w.dead(f.By) {
		w.seenDead, w.died = true, w.clocks()
	}
	if f.Left {
		return true, "its owner gave its right back", 0
	}
	silent := w.clocks.Least(w.first)
	if silent >= w.terms.TTL {
		return true, fmt.Sprintf("its owner was silent for %s", w.terms.TTL), 0
	}
	left = w.terms.TTL - silent
	if !w.seenDead {
		return false, "", left
	}
	over := w.clocks.Least(w.died)
	if over > w.terms.D {
		return true, "its owner died on this host", 0
	}
	return false, "", min(left, w.terms.D-over+1)
}
