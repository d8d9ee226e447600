package release_test

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/internal/ledger"
)

// simulation plays one seed: processes of barge over a cloud, in the virtual time of a synctest bubble. Its own
// goroutine alone draws random numbers, changes the cloud and lets calls be answered, one event after another, so that
// a seed plays the same every time.
type simulation struct {
	t       *testing.T
	seed    uint64
	random  *rand.Rand
	profile profile
	project *simProject
	began   time.Time

	moments []moment // of the cloud, the newest last
	lags    map[string]lag
	events  events
	open    []*simCall // calls of Sets that were sent and may still take effect
	books   map[string]*simBook
	counts  map[string]int
	honest  bool // no fault any more
	steps   int
	alones  int
	left    int // actors that are not done
	store   *artifacts.Store
	story   []string

	over  chan struct{} // closed at the end: what still stands ends
	woken chan struct{}

	mu        sync.Mutex
	arrivals  []arrival
	processes []*process
}

type moment struct {
	at    time.Time
	cloud *cloud
}

// lag is a time in which reads of a workspace may be answered as of an earlier moment.
type lag struct {
	until time.Time
	as    *cloud
}

// arrival is a process that stands before a call, or that is done.
type arrival struct {
	p    *process
	call *simCall
	done func()
}

func (a arrival) String() string {
	if a.call == nil {
		return ""
	}
	return a.call.r.workspace + a.call.r.String() + a.call.r.query.Encode()
}

// simCall is one request on its way.
type simCall struct {
	p      *process
	r      simRequest
	sent   time.Time
	flight *ledger.Flight // of its environment, as the ledger was when it was sent
	answer chan simAnswer // status 0: the connection broke

	effective time.Time // when it takes effect; zero: never
	definite  bool      // its process got a definite answer
}

type event struct {
	at  time.Time
	seq int
	do  func()
}

type events struct {
	list []event
	seq  int
}

func (e *events) Len() int      { return len(e.list) }
func (e *events) Swap(i, j int) { e.list[i], e.list[j] = e.list[j], e.list[i] }
func (e *events) Push(x any)    { e.list = append(e.list, x.(event)) } //nolint:forcetypeassert // it is one

func (e *events) Pop() any {
	last := e.list[len(e.list)-1]
	e.list = e.list[:len(e.list)-1]
	return last
}

func (e *events) Less(i, j int) bool {
	return cmp.Or(e.list[i].at.Compare(e.list[j].at), e.list[i].seq-e.list[j].seq) < 0
}

func (s *simulation) cloud() *cloud { return s.moments[len(s.moments)-1].cloud }

// after has something done that much later. No two events fall together.
func (s *simulation) after(d time.Duration, do func()) time.Time {
	s.events.seq++
	at := time.Now().Add(d + time.Duration(s.random.IntN(1000)))
	heap.Push(&s.events, event{at, s.events.seq, do})
	return at
}

// one tells, with that probability, whether something happens; never once all is honest.
func (s *simulation) one(probability float64) bool {
	return !s.honest && s.random.Float64() < probability
}

func (s *simulation) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.random.Int64N(int64(most-least)+1))
}

func (s *simulation) note(format string, args ...any) {
	s.story = append(s.story, fmt.Sprintf("%9.3f ", time.Since(s.began).Seconds())+fmt.Sprintf(format, args...))
}

// wrong reports that a property does not hold.
func (s *simulation) wrong(property, format string, args ...any) {
	s.t.Helper()
	s.note("WRONG %s: %s", property, fmt.Sprintf(format, args...))
	s.t.Errorf("seed %d: %s: %s", s.seed, property, fmt.Sprintf(format, args...))
}

func (s *simulation) arrive(a arrival) {
	s.mu.Lock()
	s.arrivals = append(s.arrivals, a)
	s.mu.Unlock()
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// until lets things happen until done.
func (s *simulation) until(done func() bool) {
	for {
		synctest.Wait()
		s.mu.Lock()
		arrived := s.arrivals
		s.arrivals = nil
		s.mu.Unlock()
		slices.SortStableFunc(arrived, func(a, b arrival) int { return cmp.Or(a.p.id-b.p.id, strings.Compare(a.String(), b.String())) })
		for _, a := range arrived {
			if a.done != nil {
				a.done()
			} else {
				s.send(a.call)
			}
		}
		if s.steps++; s.steps > 60_000 {
			s.t.Fatalf("seed %d does not end", s.seed)
		}
		wait := time.Hour
		if s.events.Len() > 0 {
			wait = time.Until(s.events.list[0].at)
		}
		switch {
		case len(arrived) > 0:
		case done():
			return
		case wait <= 0:
			heap.Pop(&s.events).(event).do() //nolint:forcetypeassert // it is one
		default:
			timer := time.NewTimer(wait)
			select {
			case <-s.woken:
			case <-timer.C:
			}
			timer.Stop()
		}
	}
}

// send decides what becomes of a call.
func (s *simulation) send(c *simCall) {
	p := c.p
	p.calls++
	c.flight = s.books[p.environment].state.Flight
	s.sending(c)
	f := s.fate(c)
	if f.effect >= 0 {
		c.effective = s.after(f.effect, func() { s.effect(c, f) })
	}
	if c.r.pointer() {
		s.open = append(s.open, c)
	}
	switch {
	case f.crash:
		p.crashed.Store(true)
		p.died = time.Now()
		s.counts["crashes"]++
		s.note("%s dies at call %d, %s", p, p.calls, c.r)
		if p.ended != nil {
			s.after(5*time.Second, func() { s.followUp(p.host, command{verb: "resume", environment: p.environment, wait: 5 * time.Minute}) })
			p.ended()
		}
	case f.status != 0 || f.broken:
		s.after(f.answer, func() {
			s.give(c, simAnswer{status: f.status, body: []byte(`{"error_code":"INTERNAL_ERROR","message":"told so"}`)})
		})
	case f.effect < 0: // it hangs, and nothing comes of it
	}
}

// effect lets a call take effect, or be read, and its true answer go back.
func (s *simulation) effect(c *simCall, f fate) {
	var a simAnswer
	if c.r.read() {
		a = s.seen(c).look(c.r, time.Now())
	} else {
		before := s.cloud()
		var after *cloud
		after, a = before.change(c.r, time.Now(), s.begins)
		if after != before {
			s.moments = append(s.moments, moment{time.Now(), after})
			s.moments = s.moments[max(0, len(s.moments)-400):]
		}
		s.took(c, before, a)
	}
	if f.crash || f.status != 0 || f.broken || f.lost {
		return
	}
	s.after(f.answer-f.effect, func() { s.give(c, a) })
}

// begins says how a run that is started goes.
func (s *simulation) begins(r simRun) simRun {
	r.end = r.end.Add(s.between(time.Second, 90*time.Second))
	r.fails = s.one(s.profile.bad)
	return r
}

// seen is the moment that a read is answered from.
func (s *simulation) seen(c *simCall) *cloud {
	at := c.r.workspace
	l := s.lags[at]
	now := time.Now()
	if now.After(l.until) && s.one(s.profile.old) {
		i := len(s.moments) - 1
		most := []time.Duration{2 * time.Second, 20 * time.Second, time.Minute}[s.random.IntN(3)]
		for since := now.Add(-s.between(0, most)); i > 0 && s.moments[i].at.After(since); i-- {
		}
		l = lag{now.Add(s.between(0, 8*time.Second)), s.moments[i].cloud}
		s.lags[at] = l
	}
	if s.honest || now.After(l.until) || s.random.IntN(4) == 0 {
		return s.cloud()
	}
	s.counts["old reads"]++
	c.p.oldReads++
	return l.as
}

// give answers a call.
func (s *simulation) give(c *simCall, a simAnswer) {
	s.note("  %s %s: %d", c.p, c.r, a.status)
	s.answered(c, a)
	c.answer <- a
}

func (r simRequest) String() string {
	at := r.path
	if p := r.query.Get("path"); p != "" {
		at += " " + p
	}
	text := r.method + " " + strings.TrimPrefix(at, "/api/")
	if r.pointer() || r.path == "/api/2.2/jobs/create" {
		text += fmt.Sprintf(" %.150s", r.body)
	}
	return text
}
