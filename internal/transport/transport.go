package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	dialTimeout      = 8 * time.Second
	handshakeTimeout = 7 * time.Second
	firstWait        = 500 * time.Millisecond
	longestWait      = 20 * time.Second // without a Retry-After
	mostHangs        = 2                // a host that stands still is not waited for again and again
)

// errHandshake stands for net/http's own, which has no name.
var errHandshake = errors.New("TLS handshake timeout")

// Options of a Transport. The zero value works.
type Options struct {
	Base     http.RoundTripper // nil: net/http, with proxies and certificates from the environment
	Attempts int               // one request is sent at most so often; 0: 6
	Idle     time.Duration     // an attempt without a byte for so long is given up; 0: one minute
	Reach    time.Duration     // within this a host must be reached, all attempts together; 0: 25 seconds
	MaxWait  time.Duration     // waiting between attempts, whatever Retry-After says; 0: one minute
	Report   func(line string) // told of each repetition; nil: nobody
	Redactor *Redactor         // nil: nothing is known to be secret
	Now      func() time.Time
	Sleep    func(context.Context, time.Duration) error
	Jitter   func() float64 // in [0,1)
}

// Transport is an http.RoundTripper that repeats by Class. Its errors are *Unreachable, *Unanswered or the
// context's. Safe for concurrent use.
type Transport struct{ o Options }

// New makes a Transport; nothing is dialled.
func New(o Options) *Transport {
	o.Attempts = cmp.Or(o.Attempts, 6)
	o.Idle = cmp.Or(o.Idle, time.Minute)
	o.Reach = cmp.Or(o.Reach, 25*time.Second)
	o.MaxWait = cmp.Or(o.MaxWait, time.Minute)
	if o.Base == nil {
		o.Base = base()
	}
	if o.Report == nil {
		o.Report = func(string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = Sleep
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	return &Transport{o}
}

func base() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   handshakeTimeout,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          200,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		OnProxyConnectResponse: func(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode != http.StatusOK {
				return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: fmt.Errorf("proxy %s answered %s", proxy.Host, resp.Status)}
			}
			return nil
		},
	}
}

// Sleep waits for d, or for the end of ctx, whose error it then returns.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// RoundTrip sends r, and again as its class allows. The last answer is returned whatever its status.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	class, began := classOf(r), t.o.Now()
	for attempt := 1; ; attempt++ {
		if err := maySend(r); err != nil {
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return nil, err
		}
		resp, err := t.send(r, attempt)
		wait, again := t.again(class, attempt, t.o.Now().Sub(began), resp, err)
		if !again || attempt >= t.o.Attempts || !replayable(r) || t.tooLate(r.Context(), wait) {
			return resp, err
		}
		t.report(r, attempt, wait, resp, err)
		if resp != nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection can be used again
			_ = resp.Body.Close()
		}
		if err := t.o.Sleep(r.Context(), wait); err != nil {
			return nil, err
		}
	}
}

func replayable(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
}

// tooLate tells whether the caller's time is over before the next attempt would begin.
func (t *Transport) tooLate(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && t.o.Now().Add(wait).After(deadline)
}

// again says whether another attempt can do no harm and may help, and how long to wait before it.
func (t *Transport) again(c Class, attempt int, spent time.Duration, resp *http.Response, err error) (time.Duration, bool) {
	wait := min(longestWait, firstWait<<(attempt-1))
	wait = wait/2 + time.Duration(t.o.Jitter()*float64(wait/2))
	if err != nil {
		var unreachable *Unreachable
		if errors.As(err, &unreachable) {
			_, passing := unsent(unreachable.Err)
			return wait, passing && spent+wait+dialTimeout+handshakeTimeout <= t.o.Reach
		}
		var unanswered *Unanswered
		var still standstill
		if errors.As(err, &still) && attempt >= mostHangs {
			return 0, false
		}
		return wait, errors.As(err, &unanswered) && c != Once
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if c == Once { // any of them can come after the effect
			return 0, false
		}
	default:
		return 0, false
	}
	if asked, ok := retryAfter(resp.Header.Get("Retry-After"), t.o.Now()); ok {
		wait = min(max(wait, asked), t.o.MaxWait)
	}
	return wait, true
}

// retryAfter reads the header's two forms: seconds, or a date.
func retryAfter(v string, now time.Time) (time.Duration, bool) {
	if s, err := strconv.Atoi(v); err == nil && s >= 0 {
		return time.Duration(min(s, 86400)) * time.Second, true
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}

// report writes neither headers nor the query: both may hold secrets.
func (t *Transport) report(r *http.Request, attempt int, wait time.Duration, resp *http.Response, err error) {
	what := ""
	if err != nil {
		what = err.Error()
	} else {
		what = "answered " + strconv.Itoa(resp.StatusCode)
	}
	line := fmt.Sprintf("%s %s://%s%s: %s; trying again in %s (%d of %d)", r.Method, r.URL.Scheme, r.URL.Host,
		r.URL.EscapedPath(), what, wait.Round(100*time.Millisecond), attempt+1, t.o.Attempts)
	t.o.Report(t.o.Redactor.String(line))
}
