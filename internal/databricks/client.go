package databricks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/httpclient"
	"github.com/databricks/databricks-sdk-go/logger"
	"github.com/databricks/databricks-sdk-go/useragent"
)

// call is one request.
type call struct {
	doing  string // "reading /Barge/x": opens the error's message
	method string
	path   string
	query  url.Values
	in     any // nil: no body; []byte: as it is; anything else as JSON
	out    any // nil: the answer does not matter; *[]byte: as it is
}

// answer carries past the SDK what it would change: the transport's error.
type answer struct{ err error }

type answerKey struct{}

func (w *Workspace) do(ctx context.Context, c call) error {
	api, err := w.client()
	if err != nil {
		return w.explain(c, err)
	}
	path := c.path
	if len(c.query) > 0 {
		path += "?" + c.query.Encode()
	}
	headers := map[string]string{"Accept": "application/json"}
	if _, bytes := c.out.(*[]byte); bytes {
		headers["Accept"] = "*/*"
	}
	in := c.in
	switch body := in.(type) {
	case []byte:
		headers["Content-Type"] = "application/octet-stream"
	case nil:
		if c.method == http.MethodPost || c.method == http.MethodPut || c.method == http.MethodPatch {
			in = []byte("{}")
			headers["Content-Type"] = "application/json"
		}
	default:
		raw, err := marshal(body)
		if err != nil {
			return w.explain(c, err)
		}
		in = raw
		headers["Content-Type"] = "application/json"
	}
	var visitors []func(*http.Request) error
	if body, ok := in.([]byte); ok && c.method == http.MethodDelete { // the SDK would make a query of it
		in, visitors = nil, append(visitors, withBody(body))
	}
	var raw []byte
	ans := &answer{}
	err = api.Do(context.WithValue(ctx, answerKey{}, ans), c.method, path, headers, nil, in, &raw, visitors...)
	if ans.err != nil {
		err = ans.err
	}
	if err != nil {
		return w.explain(c, err)
	}
	switch out := c.out.(type) {
	case nil:
	case *[]byte:
		*out = raw
	default:
		if err := json.Unmarshal(raw, out); err != nil {
			return w.explain(c, notJSON(raw, err))
		}
	}
	return nil
}

func withBody(b []byte) func(*http.Request) error {
	return func(r *http.Request) error {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
		r.ContentLength = int64(len(b))
		r.Body, _ = r.GetBody()
		return nil
	}
}

// connect makes the SDK's client such that it adds nothing of its own: no environment, no profile, no look-up of
// the host, no retry, no rate limit.
func (w *Workspace) connect() (*client.DatabricksClient, error) {
	host, err := url.Parse(w.o.Host)
	if err != nil || host.Host == "" {
		return nil, fmt.Errorf("%q is no address of a workspace: write https://HOST", w.o.Host)
	}
	product(w.o.Version)
	cfg := &config.Config{
		Host:                 w.o.Host,
		Loaders:              []config.Loader{nothing{}},
		HostMetadataResolver: func(context.Context, string) (*config.HostMetadata, error) { return nil, nil },
	}
	return client.NewWithClient(cfg, httpclient.NewApiClient(httpclient.ClientConfig{
		Host:               w.o.Host,
		Transport:          &wire{w},
		AuthVisitor:        w.authorise,
		Visitors:           []httpclient.RequestVisitor{address(host)},
		ErrorMapper:        apierr.GetAPIError,
		ErrorRetriable:     func(context.Context, error) bool { return false },
		RateLimitPerSecond: 1 << 20,
		HTTPTimeout:        24 * time.Hour, // the transport watches for life, and waits between attempts
	}))
}

func address(host *url.URL) httpclient.RequestVisitor {
	return func(r *http.Request) error {
		r.URL.Scheme, r.URL.Host = host.Scheme, host.Host
		return nil
	}
}

func (w *Workspace) authorise(r *http.Request) error {
	token, _, err := w.o.Token(r.Context())
	if err != nil {
		return &signIn{err}
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return nil
}

// wire stands between SDK and transport. It notes what the answer says of the workspace, takes a redirect for what
// it is (an API has none: a login page or a proxy answers), and hides errors, which the SDK would try again.
type wire struct{ w *Workspace }

var errNoAnswer = errors.New("no answer")

func (x *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := x.w.o.Transport.RoundTrip(r)
	if err == nil && resp.StatusCode >= 300 && resp.StatusCode < 400 {
		err = redirected(resp)
		_ = resp.Body.Close()
	}
	if err != nil {
		if ans, ok := r.Context().Value(answerKey{}).(*answer); ok {
			ans.err = err
		}
		return nil, errNoAnswer
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		x.w.date.Store(at.Unix())
	}
	if id, err := strconv.ParseInt(resp.Header.Get("X-Databricks-Org-Id"), 10, 64); err == nil {
		x.w.id.Store(id)
	}
	return resp, nil
}

type nothing struct{}

func (nothing) Name() string                   { return "nothing" }
func (nothing) Configure(*config.Config) error { return nil }

type silent struct{}

func (silent) Enabled(context.Context, logger.Level) bool { return false }
func (silent) Tracef(context.Context, string, ...any)     {}
func (silent) Debugf(context.Context, string, ...any)     {}
func (silent) Infof(context.Context, string, ...any)      {}
func (silent) Warnf(context.Context, string, ...any)      {}
func (silent) Errorf(context.Context, string, ...any)     {}

var productOnce sync.Once

var semantic = regexp.MustCompile(`^v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)`)

// product says in the User-Agent who calls, and silences the SDK, once per process: both are the SDK's globals.
func product(version string) {
	productOnce.Do(func() {
		logger.DefaultLogger = silent{}
		v := "0.0.0"
		if m := semantic.FindStringSubmatch(version); m != nil {
			v = m[1]
		}
		useragent.WithProduct("barge", v)
	})
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
