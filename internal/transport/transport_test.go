package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock stands still but for the waits it is asked for, which it notes.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	waits []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = append(c.waits, d)
	c.now = c.now.Add(d)
	return ctx.Err()
}

// script answers one request after the other; the last answer is for all that follow.
type script struct {
	mu      sync.Mutex
	answers []http.HandlerFunc
	bodies  []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.bodies = append(s.bodies, string(body))
	answer := s.answers[min(len(s.bodies), len(s.answers))-1]
	s.mu.Unlock()
	answer(w, r)
}

func (s *script) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bodies
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// hangUp closes the connection without a byte.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// reset breaks the connection.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

func TestRepeatsByClass(t *testing.T) {
	for _, tc := range []struct {
		name    string
		method  string
		class   Class
		answers []http.HandlerFunc
		sent    int
		status  int // 0: an error
	}{
		{"a read after 500", "GET", Once, []http.HandlerFunc{status(500), status(200)}, 2, 200},
		{"a read after the connection closed", "GET", Once, []http.HandlerFunc{hangUp, status(200)}, 2, 200},
		{"safe after 500", "POST", Safe, []http.HandlerFunc{status(500), status(200)}, 2, 200},
		{"safe after 502", "POST", Safe, []http.HandlerFunc{status(502), status(200)}, 2, 200},
		{"safe after 503", "POST", Safe, []http.HandlerFunc{status(503), status(200)}, 2, 200},
		{"safe after 504", "POST", Safe, []http.HandlerFunc{status(504), status(200)}, 2, 200},
		{"safe after 429", "POST", Safe, []http.HandlerFunc{status(429), status(200)}, 2, 200},
		{"safe after the connection closed", "POST", Safe, []http.HandlerFunc{hangUp, status(200)}, 2, 200},
		{"safe after the connection broke", "POST", Safe, []http.HandlerFunc{reset, status(200)}, 2, 200},
		{"observable after 500", "PUT", Observable, []http.HandlerFunc{status(500), status(200)}, 2, 200},
		{"once after 429", "POST", Once, []http.HandlerFunc{status(429), status(200)}, 2, 200},
		{"once, not after 500", "POST", Once, []http.HandlerFunc{status(500), status(200)}, 1, 500},
		{"once, not after 503", "POST", Once, []http.HandlerFunc{status(503), status(200)}, 1, 503},
		{"once, not after the connection closed", "POST", Once, []http.HandlerFunc{hangUp, status(200)}, 1, 0},
		{"no class is once", "DELETE", 0, []http.HandlerFunc{status(502), status(200)}, 1, 502},
		{"never after 400", "GET", Safe, []http.HandlerFunc{status(400), status(200)}, 1, 400},
		{"never after 409", "POST", Safe, []http.HandlerFunc{status(409), status(200)}, 1, 409},
		{"not for ever", "GET", Safe, []http.HandlerFunc{status(503)}, 6, 503},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: tc.answers}
			server := httptest.NewServer(s)
			defer server.Close()
			c := newClock()
			client := &http.Client{Transport: New(Options{Base: &http.Transport{}, Now: c.Now, Sleep: c.Sleep})}
			r, _ := http.NewRequestWithContext(With(t.Context(), tc.class), tc.method, server.URL, strings.NewReader("body"))
			resp, err := client.Do(r)
			if tc.status == 0 {
				var unanswered *Unanswered
				if !errors.As(err, &unanswered) {
					t.Fatalf("error %v, want Unanswered", err)
				}
				if strings.HasSuffix(err.Error(), "EOF") {
					t.Errorf("bare: %v", err)
				}
			} else if err != nil || resp.StatusCode != tc.status {
				t.Fatalf("%v, %v; want status %d", resp, err, tc.status)
			}
			want := make([]string, tc.sent)
			for i := range want {
				want[i] = "body"
			}
			if diff := cmp.Diff(want, s.seen()); diff != "" {
				t.Errorf("bodies sent (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadingIsSafe(t *testing.T) {
	s := &script{answers: []http.HandlerFunc{status(503), hangUp, status(200)}}
	server := httptest.NewServer(s)
	defer server.Close()
	c := newClock()
	client := &http.Client{Transport: New(Options{Base: &http.Transport{}, Now: c.Now, Sleep: c.Sleep}).Reading()}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("body"))
	if resp, err := client.Do(r); err != nil || resp.StatusCode != http.StatusOK || len(s.seen()) != 3 {
		t.Errorf("%v, %v after %d requests", resp, err, len(s.seen()))
	}
}

func TestWaits(t *testing.T) {
	date := newClock().now.Add(90 * time.Second).Format(http.TimeFormat)
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		want   []time.Duration
	}{
		{"longer each time", status(503), []time.Duration{375 * time.Millisecond, 750 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second, 6 * time.Second}},
		{"as long as asked", status(429, "Retry-After", "7"), []time.Duration{7 * time.Second, 7 * time.Second, 7 * time.Second, 7 * time.Second, 7 * time.Second}},
		{"never less than its own", status(429, "Retry-After", "0"), []time.Duration{375 * time.Millisecond, 750 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second, 6 * time.Second}},
		{
			"until a date, but no longer than a minute", func(w http.ResponseWriter, r *http.Request) { status(503, "Retry-After", date)(w, r) },
			[]time.Duration{time.Minute, 30 * time.Second, 1500 * time.Millisecond, 3 * time.Second, 6 * time.Second},
		},
		{"nonsense is not heard", status(429, "Retry-After", "soon"), []time.Duration{375 * time.Millisecond, 750 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second, 6 * time.Second}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewServer(tc.answer)
			defer server.Close()
			c := newClock()
			client := &http.Client{Transport: New(Options{Now: c.Now, Sleep: c.Sleep, Jitter: func() float64 { return 0.5 }})}
			resp, err := client.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if diff := cmp.Diff(tc.want, c.waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
		})
	}
}

// What is asked of a caller's deadline: nothing is sent after it, and no time is spent waiting for nothing.
func TestNoWaitPastTheDeadline(t *testing.T) {
	s := &script{answers: []http.HandlerFunc{status(429, "Retry-After", "50")}}
	server := httptest.NewServer(s)
	defer server.Close()
	now := time.Now()
	client := &http.Client{Transport: New(Options{Now: func() time.Time { return now }, Sleep: func(context.Context, time.Duration) error {
		t.Error("waited")
		return nil
	}})}
	ctx, cancel := context.WithDeadline(t.Context(), now.Add(40*time.Second))
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	resp, err := client.Do(r)
	if err != nil || resp.StatusCode != http.StatusTooManyRequests || len(s.seen()) != 1 {
		t.Fatalf("%v, %v after %d requests; want the 429 of the only one", resp, err, len(s.seen()))
	}
}

func TestCancelledWhileWaiting(t *testing.T) {
	server := httptest.NewServer(status(503))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	client := &http.Client{Transport: New(Options{Sleep: func(ctx context.Context, d time.Duration) error {
		cancel()
		return Sleep(ctx, d)
	}})}
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if _, err := client.Do(r); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want that of the context", err)
	}
}

func TestStandstill(t *testing.T) {
	release := make(chan struct{})
	var asked atomic.Int64
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path == "/half" {
			_, _ = w.Write([]byte("half"))
			w.(http.Flusher).Flush()
		}
		<-release
	}))
	defer silent.Close()
	defer close(release)
	client := &http.Client{Transport: New(Options{Idle: 300 * time.Millisecond, Sleep: newClock().Sleep})}

	_, err := client.Get(silent.URL)
	var unanswered *Unanswered
	if !errors.As(err, &unanswered) || !strings.Contains(err.Error(), "nothing came for 300ms") {
		t.Fatalf("no answer at all: %v", err)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want twice", n)
	}
	resp, err := client.Get(silent.URL + "/half")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if !errors.As(err, &unanswered) || string(b) != "half" {
		t.Fatalf("half an answer: %q, %v", b, err)
	}
}

// An answer may take as long as it likes while bytes come.
func TestSlowIsNotStandstill(t *testing.T) {
	next := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			_, _ = w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			<-next
		}
	}))
	defer server.Close()
	resp, err := (&http.Client{Transport: New(Options{Idle: time.Hour})}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	one := make([]byte, 1)
	for range 3 {
		if _, err := io.ReadFull(resp.Body, one); err != nil {
			t.Fatal(err)
		}
		next <- struct{}{}
	}
}

func TestReport(t *testing.T) {
	s := &script{answers: []http.HandlerFunc{status(503), status(200)}}
	server := httptest.NewServer(s)
	defer server.Close()
	redactor := &Redactor{}
	redactor.Add("dapi-secret")
	var lines []string
	c := newClock()
	client := &http.Client{Transport: New(Options{
		Report: func(l string) { lines = append(lines, l) }, Redactor: redactor,
		Now: c.Now, Sleep: c.Sleep, Jitter: func() float64 { return 0 },
	})}
	r, _ := http.NewRequest(http.MethodGet, server.URL+"/of/dapi-secret?sig=hidden", nil)
	r.Header.Set("Authorization", "Bearer hidden")
	if _, err := client.Do(r); err != nil {
		t.Fatal(err)
	}
	want := []string{"GET " + server.URL + "/of/[REDACTED]: answered 503; trying again in 300ms (2 of 6)"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A body that cannot be had a second time is sent once.
func TestBodyThatIsGone(t *testing.T) {
	s := &script{answers: []http.HandlerFunc{status(503), status(200)}}
	server := httptest.NewServer(s)
	defer server.Close()
	r, _ := http.NewRequestWithContext(With(t.Context(), Safe), http.MethodPut, server.URL, io.MultiReader(bytes.NewReader([]byte("x"))))
	resp, err := (&http.Client{Transport: New(Options{Sleep: newClock().Sleep})}).Do(r)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable || len(s.seen()) != 1 {
		t.Fatalf("%v, %v after %d", resp, err, len(s.seen()))
	}
}

func TestDefaultClass(t *testing.T) {
	r := func(ctx context.Context, method string) *http.Request {
		req, _ := http.NewRequestWithContext(ctx, method, "http://h", nil)
		return req
	}
	ctx := t.Context()
	got := []Class{
		classOf(r(ctx, "POST")), classOf(r(ctx, "GET")), classOf(r(Default(ctx, Safe), "POST")),
		classOf(r(Default(With(ctx, Once), Safe), "POST")), classOf(r(With(Default(ctx, Safe), Observable), "POST")), classOf(r(With(ctx, Once), "HEAD")),
	}
	if diff := cmp.Diff([]Class{Once, Safe, Safe, Once, Observable, Safe}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
