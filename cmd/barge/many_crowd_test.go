//go:build unix

package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/ledger"
)

// crowd is several commands at work in a yard at once. Each of their calls passes it: comes may let it wait, then one
// at a time takes effect, and happened looks at the world before its answer leaves.
type crowd struct {
	yard     *yard
	comes    func(*sent)
	happened func(sent)
	order    sync.Mutex
}

// sent is a call of a command on its way.
type sent struct {
	by      string // the process's name
	request string // method, workspace and path
	body    []byte
	turn    bool            // it was let through by turns
	ctx     context.Context //nolint:containedctx // the call's own: it ends when its client is gone
}

// writes tells whether the call may change something.
func (s sent) writes() bool { return !strings.HasPrefix(s.request, http.MethodGet) }

// entry is what the call writes into a ledger; nil when it does not.
func (s sent) entry() ledger.Body {
	if !strings.Contains(s.request, "/import-file/") || !strings.Contains(s.request, "/ledger/") {
		return nil
	}
	e, err := ledger.Decode(s.body)
	if err != nil {
		return nil
	}
	return e.Body
}

// begins tells whether the call begins a promotion.
func (s sent) begins() bool {
	b, begun := s.entry().(ledger.Begun)
	return begun && b.Why == ledger.Start
}

// gathering is a moment that several processes wait for each other at. Who has ended is not waited for.
type gathering struct {
	at   func(sent) bool
	then func() // once all are there

	mu   sync.Mutex
	left int
	came map[string]bool
	open chan struct{}
}

func gather(n int, at func(sent) bool) *gathering {
	return &gathering{at: at, then: func() {}, left: n, came: map[string]bool{}, open: make(chan struct{})}
}

func (g *gathering) comes(s *sent) {
	if !g.at(*s) {
		return
	}
	g.note(s.by)
	select {
	case <-g.open:
	case <-s.ctx.Done():
	case <-time.After(time.Minute): // somebody waits elsewhere; what is proven does not depend on it
	}
}

func (g *gathering) note(who string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.came[who] {
		return
	}
	g.came[who] = true
	if g.left--; g.left == 0 {
		g.then()
		close(g.open)
	}
}

var upstream = regexp.MustCompile(`upstream/(\S+)`)

func (c *crowd) serve(workspace string, api http.Handler, w http.ResponseWriter, r *http.Request) {
	name := upstream.FindStringSubmatch(r.UserAgent())
	if name == nil { // the test's own
		api.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s := sent{by: name[1], request: r.Method + " " + workspace + " " + r.URL.Path, body: body, ctx: r.Context()}
	if c.comes != nil {
		c.comes(&s)
	}
	answer := c.apply(s, workspace, api, r)
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (c *crowd) apply(s sent, workspace string, api http.Handler, r *http.Request) *httptest.ResponseRecorder {
	c.order.Lock()
	defer c.order.Unlock()
	answer := httptest.NewRecorder()
	api.ServeHTTP(answer, r)
	c.yard.await(workspace, r.URL.Path, answer.Body.Bytes())
	if c.happened != nil {
		c.happened(s)
	}
	return answer
}

// hand is a process of the real command that goes on by itself.
type hand struct {
	name  string
	args  []string
	cmd   *exec.Cmd
	out   bytes.Buffer
	ended chan struct{}
}

// send starts a command under a name that its calls bear.
func (y *yard) send(t *testing.T, name string, args ...string) *hand {
	t.Helper()
	h := &hand{name: name, args: args, ended: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	h.cmd = exec.CommandContext(ctx, "barge", args...)
	h.cmd.Dir, h.cmd.Stdout, h.cmd.Stderr = y.dir, &h.out, &h.out
	h.cmd.Env = append(y.environ(), "DATABRICKS_SDK_UPSTREAM="+name, "DATABRICKS_SDK_UPSTREAM_VERSION=1.0.0")
	if err := h.cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() {
		_ = h.cmd.Wait() // its code tells
		cancel()
		close(h.ended)
	}()
	return h
}

func (h *hand) wait() end {
	<-h.ended
	return end{args: h.args, code: h.cmd.ProcessState.ExitCode(), out: h.out.String()}
}

func (h *hand) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := h.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// together runs commands at once, each as a process of its own, that meet at a moment.
func (y *yard) together(t *testing.T, at func(sent) bool, commands ...[]string) []end {
	t.Helper()
	g := gather(len(commands), at)
	y.crowd.Store(&crowd{yard: y, comes: g.comes})
	defer y.crowd.Store(nil)
	hands := make([]*hand, len(commands))
	for i, args := range commands {
		hands[i] = y.send(t, "p"+string(rune('a'+i)), args...)
	}
	ends := make([]end, len(hands))
	var all sync.WaitGroup
	for i, h := range hands {
		all.Go(func() {
			ends[i] = h.wait()
			g.note(h.name)
		})
	}
	all.Wait()
	return ends
}
