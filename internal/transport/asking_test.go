package transport

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAskedRightBeforeEachSending(t *testing.T) {
	t.Parallel()
	s := &script{answers: []http.HandlerFunc{status(429), status(429), status(200)}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	late := errors.New("too late")
	for _, c := range []struct {
		name, method string
		allowed      int
		asked, sent  int
		err          error
	}{
		{"as long as it may", http.MethodPost, 9, 3, 3, nil},
		{"not after a wait that took too long", http.MethodPost, 1, 2, 1, late},
		{"not at all", http.MethodDelete, 0, 1, 0, late},
		{"who only looks is not asked", http.MethodGet, 0, 0, 3, nil},
	} {
		s.bodies = nil
		k := newClock()
		asked := 0
		ctx := Asking(With(context.Background(), Once), func() error {
			if asked++; asked > c.allowed {
				return late
			}
			return nil
		})
		r, _ := http.NewRequestWithContext(ctx, c.method, server.URL, strings.NewReader("body"))
		resp, err := New(Options{Now: k.Now, Sleep: k.Sleep}).RoundTrip(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		got := []any{asked, len(s.seen()), errors.Is(err, late)}
		if diff := cmp.Diff([]any{c.asked, c.sent, c.err != nil}, got); diff != "" {
			t.Errorf("%s: asked, sent, refused (-want +got):\n%s", c.name, diff)
		}
	}
}
