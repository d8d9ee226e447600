package release_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bargeml/barge/internal/ledger"
)

// process is one command of barge: it has an author, clocks and clients of its own.
type process struct {
	s           *simulation
	id          int
	environment string
	does        command
	host        int
	calls       int
	counted     int // those that its trouble counts
	trouble     trouble
	began       time.Time
	died        time.Time
	ended       func()
	crashed     atomic.Bool
	oldReads    int
	faulty      int // calls on which a fault fell
	entry       int // the newest entry that it read
	firstHead   int // the head that it read first; -1 before
	from        int // the head when it began
	outage      time.Time
	owned       bool // it has written a Begun

	mu      sync.Mutex
	wall    time.Duration // how far its wall clock was set on
	asleep  time.Duration // how long its monotonic clock stood still
	stopped time.Time
}

func (p *process) String() string { return fmt.Sprintf("p%d(%s)", p.id, p.environment) }

func (p *process) author() ledger.Author {
	return ledger.Author{Random: fmt.Sprintf("process-%d", p.id), PID: p.id, BootID: strconv.Itoa(p.host), PIDNamespace: "n", Start: "s"}
}

// clocks are the process's two.
func (p *process) clocks() ledger.Reading {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	return ledger.Reading{Wall: now.Round(0).Add(p.wall), Mono: now.Sub(p.s.began) - p.asleep}
}

var errOver = errors.New("the simulation is over")

func (p *process) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.s.over:
		return errOver
	}
}

// stand keeps a process where it is while it is stopped, or once it is dead.
func (p *process) stand() error {
	if p.crashed.Load() {
		<-p.s.over
		return errOver
	}
	p.mu.Lock()
	until := p.stopped
	p.mu.Unlock()
	return p.sleep(context.Background(), time.Until(until))
}

// wire is what the process's clients send by.
type simWire struct {
	p         *process
	workspace string
}

// RoundTrip hands the request to the simulation.
func (w simWire) RoundTrip(r *http.Request) (*http.Response, error) {
	p := w.p
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	c := &simCall{
		p: p, sent: time.Now(), answer: make(chan simAnswer, 1),
		r: simRequest{w.workspace, r.Method, r.URL.Path, r.URL.Query(), body},
	}
	p.s.arrive(arrival{p: p, call: c})
	var a simAnswer
	select {
	case a = <-c.answer:
		if p.crashed.Load() {
			return nil, p.stand()
		}
	case <-r.Context().Done():
		if err := p.stand(); err != nil {
			return nil, err
		}
		return nil, r.Context().Err()
	case <-p.s.over:
		return nil, errOver
	}
	if a.status == 0 {
		return nil, errors.New("connection reset by peer")
	}
	c.definite = a.status < 500
	return &http.Response{
		StatusCode: a.status, Status: strconv.Itoa(a.status), Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Date": {time.Now().UTC().Format(http.TimeFormat)}, "X-Databricks-Org-Id": {"77"}, "Content-Type": {"application/json"},
		},
		Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}, nil
}
