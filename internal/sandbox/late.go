package sandbox

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// late are the calls that a twin was sent and that have not reached it yet.
type late struct {
	mu    sync.Mutex
	calls []*underWay
}

// underWay is a call that the network holds.
type underWay struct {
	arrive  func()        // lets it take effect
	timer   *time.Timer   // nil: it waits to be let through
	arrived chan struct{} // closed when it has taken effect, or never will
}

// hold keeps a call from its twin for the fault's time, or until it is let through. Its client gets no answer, whenever
// it gives up.
func (l *late) hold(w http.ResponseWriter, r *http.Request, f *Fault, api func() http.Handler) {
	body, err := io.ReadAll(r.Body)
	if err != nil { // it never left its client whole
		reset(w)
		return
	}
	sent := r.Clone(context.WithoutCancel(r.Context()))
	sent.Body = io.NopCloser(bytes.NewReader(body))
	c := &underWay{arrived: make(chan struct{})}
	c.arrive = func() { api().ServeHTTP(&recorder{}, sent) }
	l.mu.Lock()
	l.calls = append(l.calls, c)
	if f.Seconds > 0 {
		c.timer = time.AfterFunc(time.Duration(f.Seconds*float64(time.Second)), func() { l.end(c, true) })
	}
	l.mu.Unlock()
	select {
	case <-r.Context().Done():
	case <-c.arrived:
	}
	reset(w)
}

// end takes a call off the list, once, and lets it take effect or not.
func (l *late) end(c *underWay, effect bool) {
	l.mu.Lock()
	i := slices.Index(l.calls, c)
	if i >= 0 {
		l.calls = slices.Delete(l.calls, i, i+1)
	}
	l.mu.Unlock()
	if i < 0 {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	if effect {
		c.arrive()
	}
	close(c.arrived)
}

// all ends every call, in the order in which they were sent, and tells how many there were.
func (l *late) all(effect bool) int {
	l.mu.Lock()
	calls := slices.Clone(l.calls)
	l.mu.Unlock()
	for _, c := range calls {
		l.end(c, effect)
		<-c.arrived // its own time may have come just now
	}
	return len(calls)
}

func (l *late) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls)
}

// Late is how many calls FaultLate holds now.
func (t *Twin) Late() int { return t.late.count() }

// Arrive lets the calls that FaultLate holds take effect now, in the order in which they were sent, and tells how many
// there were.
func (t *Twin) Arrive() int { return t.late.all(true) }

func (t *Twin) lateControls(m *wire.Mux) {
	m.JSON("GET /_sandbox/late", func(*http.Request) (any, error) { return map[string]int{"late": t.Late()}, nil })
	m.JSON("POST /_sandbox/late/arrive", func(*http.Request) (any, error) { return map[string]int{"arrived": t.Arrive()}, nil })
}
