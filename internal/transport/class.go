// Package transport is the one http.RoundTripper under every adapter. It repeats a request only where that can do
// no harm, names the host that cannot be reached or did not answer, and reports without secrets.
package transport

import (
	"context"
	"net/http"
)

// Class says what repeating a request may do. The zero value is Once.
type Class int

// The classes, most careful first. A request that was never sent is repeated in every class.
const (
	Once       Class = iota // may do it twice: repeated only after 429, which says "not done"
	Observable              // may meet its own effect, and the caller can tell: repeated when no clear answer came
	Safe                    // changes nothing more: repeated when no clear answer came
)

type classKey struct{}

// With returns a context whose requests are of class c. GET and HEAD are Safe whatever it says.
func With(ctx context.Context, c Class) context.Context {
	return context.WithValue(ctx, classKey{}, c)
}

// Default is With, unless a class was chosen before: who calls an adapter may be more careful than the adapter.
func Default(ctx context.Context, c Class) context.Context {
	if _, chosen := ctx.Value(classKey{}).(Class); chosen {
		return ctx
	}
	return With(ctx, c)
}

// Reading is t for requests that change nothing, whatever their method: all of them are Safe.
func (t *Transport) Reading() http.RoundTripper { return reading{t} }

type reading struct{ t *Transport }

func (s reading) RoundTrip(r *http.Request) (*http.Response, error) {
	return s.t.RoundTrip(r.WithContext(With(r.Context(), Safe)))
}

type askKey struct{}

// Asking returns a context whose requests ask right before each sending, repetitions too; an error keeps the request
// from being sent and is RoundTrip's. GET and HEAD do not ask.
func Asking(ctx context.Context, may func() error) context.Context {
	return context.WithValue(ctx, askKey{}, may)
}

func maySend(r *http.Request) error {
	may, asks := r.Context().Value(askKey{}).(func() error)
	if !asks || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	return may()
}

func classOf(r *http.Request) Class {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return Safe
	}
	c, _ := r.Context().Value(classKey{}).(Class)
	return c
}
