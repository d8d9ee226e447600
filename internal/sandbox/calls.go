package sandbox

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxCalls is how many calls the log of a twin holds; the oldest are dropped.
const maxCalls = 200_000

// Call is one request that a twin was sent, discovery and control calls excluded. Status 0 is a connection cut.
type Call struct {
	Seq    int64     `json:"seq"`
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	Path   string    `json:"path"` // decoded
	Query  string    `json:"query,omitempty"`
	Status int       `json:"status"`
	RunID  string    `json:"run_id,omitempty"` // of the notebook run that called, where the token named it
}

// calls is the log of a twin, in the order in which requests came.
type calls struct {
	mu   sync.Mutex
	seq  int64
	list []*Call
}

func (c *calls) begin(r *http.Request, at time.Time, runID string) *Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	call := &Call{Seq: c.seq, At: at, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, RunID: runID}
	if len(c.list) >= maxCalls {
		c.list = append(c.list[:0], c.list[maxCalls/10:]...)
	}
	c.list = append(c.list, call)
	return call
}

func (c *calls) end(call *Call, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	call.Status = status
}

func (c *calls) all() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Call, 0, len(c.list))
	for _, call := range c.list {
		list = append(list, *call)
	}
	return list
}

func (c *calls) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = nil
}

// answers remembers the last answer of every GET, for FaultStale.
type answers struct {
	mu   sync.Mutex
	last map[string]answer
}

type answer struct {
	status      int
	contentType string
	body        []byte
}

// Bounds of what is remembered; when there are too many all are forgotten.
const (
	maxAnswers = 2000
	maxAnswer  = 1 << 20
)

func (a *answers) get(r *http.Request) (answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found, ok := a.last[r.URL.String()]
	return found, ok
}

func (a *answers) keep(r *http.Request, w *watched) {
	if r.Method != http.MethodGet || w.status == 0 || w.tooLong || !strings.HasPrefix(r.URL.Path, "/api/") {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil || len(a.last) >= maxAnswers {
		a.last = map[string]answer{}
	}
	a.last[r.URL.String()] = answer{w.status, w.Header().Get("Content-Type"), w.body}
}

func (a *answers) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = nil
}

func (a answer) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", a.contentType)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// watched passes an answer on and notes its status, and its body when that is to be remembered.
type watched struct {
	http.ResponseWriter
	status  int
	keep    bool
	tooLong bool
	body    []byte
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.keep && !w.tooLong {
		if len(w.body)+len(b) > maxAnswer {
			w.body, w.tooLong = nil, true
		} else {
			w.body = append(w.body, b...)
		}
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }
