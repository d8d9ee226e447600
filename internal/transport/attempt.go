package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// send makes one attempt. It ends when no byte came or went for Idle, also while the answer's body is read.
func (t *Transport) send(r *http.Request, attempt int) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	w := &watch{idle: t.o.Idle, cancel: cancel}
	w.timer = time.AfterFunc(t.o.Idle, w.expire)
	out := r.Clone(ctx)
	if attempt > 1 && r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			w.stop()
			return nil, fmt.Errorf("reading the request again: %w", err)
		}
		out.Body = body
	}
	if out.Body != nil && out.Body != http.NoBody {
		out.Body = &watched{ReadCloser: out.Body, w: w}
	}
	resp, err := t.o.Base.RoundTrip(out)
	if err != nil {
		w.stop()
		return nil, t.explain(r, w, err)
	}
	w.touch()
	resp.Request = r
	resp.Body = &watched{ReadCloser: resp.Body, w: w, last: true, host: r.URL.Host, ctx: r.Context()}
	return resp, nil
}

// explain gives an error its host and says whether anything was sent.
func (t *Transport) explain(r *http.Request, w *watch, err error) error {
	if r.Context().Err() != nil {
		return fmt.Errorf("waiting for %s: %w", r.URL.Host, r.Context().Err())
	}
	if w.expired.Load() {
		return &Unanswered{Host: r.URL.Host, Err: standstill(w.idle)}
	}
	if err.Error() == "net/http: TLS handshake timeout" {
		err = errHandshake
	}
	if is, _ := unsent(err); is {
		return &Unreachable{Host: r.URL.Host, Err: err}
	}
	return &Unanswered{Host: r.URL.Host, Err: err}
}

// watch ends an attempt that stands still.
type watch struct {
	idle    time.Duration
	timer   *time.Timer
	cancel  context.CancelFunc
	expired atomic.Bool
}

func (w *watch) touch() { w.timer.Reset(w.idle) }

func (w *watch) expire() {
	w.expired.Store(true)
	w.cancel()
}

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel()
}

// watched is a body whose every read is a sign of life. The answer's is the last of an attempt.
type watched struct {
	io.ReadCloser
	w    *watch
	last bool
	host string
	ctx  context.Context //nolint:containedctx // the request's, to tell its end from ours
}

func (b *watched) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil {
		b.w.touch()
	} else if b.last && !errors.Is(err, io.EOF) {
		switch {
		case b.ctx.Err() != nil:
			err = fmt.Errorf("reading the answer of %s: %w", b.host, b.ctx.Err())
		case b.w.expired.Load():
			err = &Unanswered{Host: b.host, Err: standstill(b.w.idle)}
		default:
			err = &Unanswered{Host: b.host, Err: err}
		}
	}
	return n, err
}

func (b *watched) Close() error {
	err := b.ReadCloser.Close()
	if b.last {
		b.w.stop()
	}
	return err
}
