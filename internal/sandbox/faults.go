package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/bargeml/barge/internal/sandbox/wire"
	"github.com/bmatcuk/doublestar/v4"
)

// The actions of a Fault. Those with After in their name let the call take effect first.
const (
	FaultStatus      = "status"       // answer Status instead
	FaultStatusAfter = "status_after" // take effect, then answer Status
	FaultResetBefore = "reset_before" // cut the connection instead of an answer
	FaultResetAfter  = "reset_after"  // take effect, then cut the connection
	FaultIgnore      = "ignore"       // answer 200 {} and do nothing
	FaultHang        = "hang"         // never answer, until the client is gone
	FaultLate        = "late"         // never answer; take effect Seconds later, or when the twin is told to let it arrive
	FaultStale       = "stale"        // give the same GET's last answer once more; the first such GET is answered truly
)

// Fault makes calls go wrong. A call meets the first fault that matches it; calls on /_sandbox/ meet none.
type Fault struct {
	Method       string            `json:"method,omitempty"`        // empty: any
	Path         string            `json:"path,omitempty"`          // a prefix, or a pattern with *, ** and ?; empty: any
	BodyContains string            `json:"body_contains,omitempty"` // text of the first megabyte of the request's body
	Skip         int               `json:"skip,omitempty"`          // let so many matching calls pass first
	Times        int               `json:"times,omitempty"`         // then hit so many; 0: one, negative: all
	Action       string            `json:"action"`
	Status       int               `json:"status,omitempty"`     // 0: 500
	ErrorCode    string            `json:"error_code,omitempty"` // empty: one that fits the status
	Message      string            `json:"message,omitempty"`
	Headers      map[string]string `json:"headers,omitempty"` // of the answer
	Seconds      float64           `json:"seconds,omitempty"` // how late FaultLate is; 0: until it is let arrive
}

func (f Fault) check() error {
	actions := []string{FaultStatus, FaultStatusAfter, FaultResetBefore, FaultResetAfter, FaultIgnore, FaultHang, FaultLate, FaultStale}
	switch {
	case !slices.Contains(actions, f.Action):
		return wire.Invalid("action must be one of %s, got %q", strings.Join(actions, ", "), f.Action)
	case !doublestar.ValidatePattern(f.Path):
		return wire.Invalid("path is not a valid pattern: %q", f.Path)
	case f.Status != 0 && (f.Status < 100 || f.Status > 599):
		return wire.Invalid("status must be one of HTTP, got %d", f.Status)
	}
	return nil
}

func (f Fault) matches(r *http.Request, head []byte) bool {
	if f.Method != "" && !strings.EqualFold(f.Method, r.Method) {
		return false
	}
	if strings.ContainsAny(f.Path, "*?[{") {
		if ok, _ := doublestar.Match(f.Path, r.URL.Path); !ok {
			return false
		}
	} else if !strings.HasPrefix(r.URL.Path, f.Path) {
		return false
	}
	return f.BodyContains == "" || bytes.Contains(head, []byte(f.BodyContains))
}

// codes are the error codes that the service uses with a status.
var codes = map[int]string{
	400: "INVALID_PARAMETER_VALUE", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "RESOURCE_DOES_NOT_EXIST",
	409: "RESOURCE_CONFLICT", 429: "REQUEST_LIMIT_EXCEEDED", 500: "INTERNAL_ERROR", 501: "NOT_IMPLEMENTED",
	503: "TEMPORARILY_UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}

func (f Fault) answer(w http.ResponseWriter) {
	for name, value := range f.Headers {
		w.Header().Set(name, value)
	}
	e := &wire.Error{Status: f.Status, Code: f.ErrorCode, Message: f.Message}
	if e.Status == 0 {
		e.Status = http.StatusInternalServerError
	}
	if e.Code == "" {
		e.Code = codes[e.Status]
	}
	if e.Message == "" {
		e.Message = fmt.Sprintf("The sandbox was told to answer %d.", e.Status)
	}
	wire.Fail(w, e)
}

// faults are those set for a twin.
type faults struct {
	mu   sync.Mutex
	list []*Fault
}

func (f *faults) add(fault Fault) error {
	if err := fault.check(); err != nil {
		return err
	}
	if fault.Times == 0 {
		fault.Times = 1
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, &fault)
	return nil
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}

// pending are the faults that have not been used up.
func (f *faults) pending() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]Fault, 0, len(f.list))
	for _, fault := range f.list {
		list = append(list, *fault)
	}
	return list
}

// hit uses up one hit of the first fault that the call meets, nil when it meets none.
func (f *faults) hit(r *http.Request) *Fault {
	f.mu.Lock()
	read := slices.ContainsFunc(f.list, func(fault *Fault) bool { return fault.BodyContains != "" })
	f.mu.Unlock()
	var head []byte
	if read { // outside the lock: a slow sender must not hold up other calls
		head, _ = io.ReadAll(io.LimitReader(r.Body, 1<<20))
		r.Body = rejoined{io.MultiReader(bytes.NewReader(head), r.Body), r.Body}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fault := range f.list {
		if !fault.matches(r, head) {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			continue
		}
		found := *fault
		if fault.Times == 1 {
			f.list = slices.Delete(f.list, i, i+1)
		} else if fault.Times > 1 {
			fault.Times--
		}
		return &found
	}
	return nil
}

type rejoined struct {
	io.Reader
	io.Closer
}

// apply does to a call what the fault says; serve lets it take effect.
func (f *Fault) apply(w http.ResponseWriter, r *http.Request, serve http.Handler) {
	switch f.Action {
	case FaultStatus:
		f.answer(w)
	case FaultStatusAfter:
		serve.ServeHTTP(&recorder{}, r)
		f.answer(w)
	case FaultResetAfter:
		serve.ServeHTTP(&recorder{}, r)
		reset(w)
	case FaultResetBefore:
		reset(w)
	case FaultIgnore:
		_, _ = io.Copy(io.Discard, r.Body)
		wire.Write(w, http.StatusOK, struct{}{})
	case FaultHang:
		_, _ = io.Copy(io.Discard, r.Body) // until then nobody listens for the client's end
		<-r.Context().Done()
		reset(w)
	}
}

// reset cuts the connection as a crashing proxy would: the client sees "connection reset by peer".
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// recorder takes an answer that goes nowhere, or not yet.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}
