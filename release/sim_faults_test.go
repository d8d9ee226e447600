package release_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/ledger"
)

// promised are the terms as the protocol has them. What barge keeps to (ledger.DefaultTerms) is held against them.
var promised = ledger.Terms{L: 30 * time.Second, D: 20 * time.Second, TTL: 60 * time.Second}

// profile says how much goes wrong in a simulation.
type profile struct {
	name   string
	fault  float64 // a call is not answered as it should be
	late   float64 // of those: it takes effect late
	old    float64 // reads begin to be old
	crash  float64 // a process dies
	stop   float64 // a process stands still at some call
	outage float64 // a process gets no answers for a while
	clocks float64 // a process has a clock that goes wrong
	bad    float64 // a run's answer is bad
	hands  float64 // somebody changes a pointer by hand
	refuse float64 // a process has no right to change jobs
	beyond bool    // what cannot be promised happens as well: calls later than D, sent after their right
	apart  bool    // the environments are changed one at a time
}

var profiles = []profile{
	{name: "calm", bad: 0.2},
	{name: "apart", bad: 0.2, fault: 0.03, late: 0.4, old: 0.01, crash: 0.15, stop: 0.15, hands: 0.8, refuse: 0.1, apart: true},
	{name: "rough", bad: 0.2, fault: 0.06, late: 0.5, old: 0.02, crash: 0.25, stop: 0.2, outage: 0.1, clocks: 0.3, hands: 0.5, refuse: 0.1},
	{name: "old", bad: 0.2, fault: 0.02, late: 0.4, old: 0.15, crash: 0.2, stop: 0.1, refuse: 0.1},
	{name: "deadly", bad: 0.1, fault: 0.05, late: 0.8, crash: 0.6, stop: 0.1, clocks: 0.2},
	{name: "standing", bad: 0.1, fault: 0.05, late: 0.8, stop: 0.7, outage: 0.3, clocks: 0.7},
	{name: "beyond", bad: 0.1, fault: 0.06, late: 0.7, old: 0.01, crash: 0.2, stop: 0.3, hands: 0.3, beyond: true},
}

// trouble is what is to happen to a process; call numbers are counted from 1, 0 is never.
type trouble struct {
	crash, stop, outage int
	inFlight            bool // counted from the process's own Begun on
	changes             bool // counted are the calls alone that change something
	refused             bool // it has no right to change jobs
	jumps, sleeps       bool // its wall clock is set now and then; its monotonic clock stands still while it is stopped
}

func (s *simulation) draws() trouble {
	var tr trouble
	tr.inFlight = s.random.IntN(4) > 0
	tr.changes = s.random.IntN(2) == 0
	most := 60
	switch {
	case tr.inFlight && tr.changes:
		most = 6
	case tr.inFlight:
		most = 14
	case tr.changes:
		most = 15
	}
	pick := func(probability float64) int {
		if !s.one(probability) {
			return 0
		}
		return 1 + s.random.IntN(most)
	}
	tr.crash, tr.stop, tr.outage = pick(s.profile.crash), pick(s.profile.stop), pick(s.profile.outage)
	tr.refused = s.one(s.profile.refuse)
	if s.one(s.profile.clocks) {
		tr.jumps = s.random.IntN(2) == 0
		tr.sleeps = !tr.jumps
	}
	return tr
}

// due tells whether a trouble falls on the process's present call.
func (p *process) due(n int) bool {
	return n > 0 && p.counted == n
}

// count counts a call that troubles may fall on.
func (p *process) count(r simRequest) (counts bool) {
	if p.trouble.inFlight && !p.owned || p.trouble.changes && r.read() {
		return false
	}
	p.counted++
	return true
}

// fate is what becomes of a call: how long until it takes effect (negative: never) and until it is answered.
type fate struct {
	effect, answer time.Duration
	status         int  // instead of the true answer
	broken         bool // the connection breaks
	lost           bool // it takes effect and is never answered
	crash          bool // the process dies
}

func (s *simulation) fate(c *simCall) fate {
	p, d := c.p, promised.D
	f := fate{effect: s.between(time.Millisecond, 150*time.Millisecond)}
	if s.one(0.03) {
		f.effect = s.between(time.Second, 9*time.Second)
	}
	f.answer = f.effect + s.between(time.Millisecond, 150*time.Millisecond)
	late := func() {
		most := d - time.Second
		if s.profile.beyond {
			most = 3 * d
		}
		f.effect = s.between(d/4, most)
		s.counts["late calls"]++
	}
	p.jump()
	counts := p.count(c.r)
	switch {
	case counts && p.due(p.trouble.crash):
		f.crash = true
		p.faulty++
		switch s.random.IntN(4) {
		case 0:
			f.effect = -1
		case 1, 2:
			late()
		}
		return f
	case counts && p.due(p.trouble.outage), !c.r.read() && c.r.entry() > 0 && p.outage.IsZero() &&
		strings.Contains(string(c.r.body), `"type":"Begun"`) && s.one(s.profile.outage):
		p.outage = time.Now().Add(s.between(20*time.Second, 100*time.Second))
		s.counts["outages"]++
	}
	if counts && p.due(p.trouble.stop) && !s.honest {
		f.answer += p.stand1()
	}
	if s.profile.beyond && c.r.pointer() && s.one(0.05) { // stopped between check and system call
		f.effect += s.between(promised.TTL, 3*promised.TTL)
		f.answer += f.effect
		s.counts["late calls"]++
		p.faulty++
		return f
	}
	if p.trouble.refused && c.r.path == "/api/2.2/jobs/reset" && !s.honest {
		p.faulty++
		f.effect, f.status = -1, 403
		return f
	}
	out := time.Now().Before(p.outage) && !s.honest
	likely := s.profile.fault
	if c.r.pointer() {
		likely *= 4
	}
	if !out && !s.one(likely) {
		return f
	}
	s.counts["faults"]++
	p.faulty++
	kind := s.random.IntN(6)
	if out {
		kind = s.random.IntN(2)
	}
	switch kind {
	case 0: // nothing comes of it
		f.effect, f.broken = -1, true
	case 1: // it takes effect, and the answer is lost
		f.broken = true
	case 2:
		f.status = 500 + 2*s.random.IntN(2)
		if s.random.IntN(2) == 0 {
			f.effect = -1
		}
	case 3:
		f.effect, f.status = -1, 429
	case 4:
		f.effect = -1 // it hangs
	case 5:
		f.lost = true
	}
	if f.effect >= 0 && !c.r.read() && s.random.Float64() < s.profile.late {
		answer := f.answer
		late()
		if !f.lost {
			f.answer = answer // the bad answer comes first
		}
	}
	return f
}

// stand1 stops the process after its present call was sent: for nearly L, or for longer than TTL.
func (p *process) stand1() time.Duration {
	s := p.s
	stop := s.between(20*time.Second, 29*time.Second)
	if s.random.IntN(3) > 0 {
		stop = s.between(promised.TTL, 3*promised.TTL)
	}
	s.counts["stops"]++
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = time.Now().Add(stop)
	if p.trouble.sleeps {
		s.counts["sleeps"]++
		p.asleep += stop
	}
	s.note("%s stands still for %s", p, stop)
	return stop
}

// jump sets the wall clock of a process that has such a one.
func (p *process) jump() {
	s := p.s
	if !p.trouble.jumps || !s.one(0.1) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wall += s.between(-120*time.Second, 120*time.Second)
	s.counts["clock jumps"]++
	s.note("%s: its wall clock is off by %s", p, p.wall)
}

// dead tells a process whether another is seen dead on its host.
func (p *process) dead(a ledger.Author) bool {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	for _, other := range p.s.processes {
		if other.id == a.PID {
			return other.host == p.host && other.crashed.Load()
		}
	}
	panic(fmt.Sprint("nobody knows ", a))
}
