package transport

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestUnreachable(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := closed.Addr().String()
	_ = closed.Close()
	plain := httptest.NewServer(status(200))
	defer plain.Close()
	secure := httptest.NewUnstartedServer(status(200))
	secure.Config.ErrorLog = nil
	secure.StartTLS()
	defer secure.Close()
	proxy := httptest.NewServer(status(http.StatusProxyAuthRequired))
	defer proxy.Close()

	unknown := &http.Transport{DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}}
	}}
	proxied := base()
	proxied.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }

	for _, tc := range []struct {
		name, url string
		base      http.RoundTripper
		says      []string
		repeated  bool
	}{
		{"refuses", "http://" + refusing, nil, []string{refusing, "refused"}, true},
		{"has no address", "https://adb-1.1.azuredatabricks.example", unknown, []string{"adb-1.1.azuredatabricks.example", "no such host", "HTTPS_PROXY"}, false},
		{"is not who it says", secure.URL, nil, []string{secure.Listener.Addr().String(), "certificate", "SSL_CERT_FILE"}, false},
		{"speaks no TLS", "https://" + plain.Listener.Addr().String(), nil, []string{plain.Listener.Addr().String(), "cannot be reached"}, false},
		{"is behind a proxy that refuses", "https://adb-1.1.azuredatabricks.example", proxied, []string{"adb-1.1.azuredatabricks.example", "407 Proxy Authentication Required", "HTTPS_PROXY"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClock()
			began := c.Now()
			// Once: what was never sent may be sent again.
			r, _ := http.NewRequestWithContext(With(t.Context(), Once), http.MethodPost, tc.url, strings.NewReader("x"))
			_, err := (&http.Client{Transport: New(Options{Base: tc.base, Now: c.Now, Sleep: c.Sleep})}).Do(r)
			var unreachable *Unreachable
			if !errors.As(err, &unreachable) {
				t.Fatalf("error %v, want Unreachable", err)
			}
			for _, s := range tc.says {
				if !strings.Contains(unreachable.Error(), s) {
					t.Errorf("%q does not say %q", unreachable.Error(), s)
				}
			}
			if got := len(c.waits) > 0; got != tc.repeated {
				t.Errorf("tried again: %v, want %v", got, tc.repeated)
			}
			if spent := c.Now().Sub(began); spent > 25*time.Second {
				t.Errorf("gave up after %s", spent)
			}
		})
	}
}

// A host that swallows everything may hold an attempt for dial and handshake together; the sum stays below 30 s.
func TestUnreachableGivesUpInTime(t *testing.T) {
	c := newClock()
	tries := 0
	slow := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		tries++
		c.mu.Lock()
		c.now = c.now.Add(dialTimeout + handshakeTimeout)
		c.mu.Unlock()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("i/o timeout")}
	}}
	began := c.Now()
	_, err := (&http.Client{Transport: New(Options{Base: slow, Now: c.Now, Sleep: c.Sleep})}).Get("https://adb-9.9.azuredatabricks.example")
	if spent := c.Now().Sub(began); err == nil || spent > 30*time.Second || tries == 0 {
		t.Fatalf("%v after %s and %d tries", err, spent, tries)
	}
}
