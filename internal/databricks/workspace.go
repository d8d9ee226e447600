// Package databricks is a Databricks workspace as Barge needs it: files, notebooks, runs, jobs, secrets,
// permissions. It is the only importer of the Databricks SDK.
//
// One call here is one call there: the SDK's retries, rate limiter, waiters, host look-ups and environment are off,
// and the transport below decides what is sent again, by the class of the call (package transport). Each method
// chooses a class; a caller's own choice, made with transport.With, comes first. Every error names what was
// attempted, on what, in which workspace, and wraps one of the sentinels where it is one of them.
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
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/httpclient"
	"github.com/databricks/databricks-sdk-go/logger"
	"github.com/databricks/databricks-sdk-go/useragent"

	"github.com/bargeml/barge/internal/transport"
)

// Options of a Workspace; Host and Token are needed.
type Options struct {
	Name      string // for messages
	Host      string // https://adb-….azuredatabricks.net
	Token     func(context.Context) (token string, expiry time.Time, err error)
	Transport http.RoundTripper // nil: transport.New(transport.Options{})
	Version   string            // Barge's own; empty: 0.0.0
	Sleep     func(context.Context, time.Duration) error
}

// Workspace is one workspace under one identity. Safe for concurrent use.
type Workspace struct {
	o      Options
	client func() (*client.DatabricksClient, error)
	date   atomic.Int64 // unix seconds
	id     atomic.Int64
}

// Open makes a Workspace. Nothing is dialled and no credential asked for before the first call.
func Open(o Options) *Workspace {
	if o.Transport == nil {
		o.Transport = transport.New(transport.Options{})
	}
	if o.Sleep == nil {
		o.Sleep = transport.Sleep
	}
	o.Host = strings.TrimRight(o.Host, "/")
	w := &Workspace{o: o}
	w.client = sync.OnceValues(w.connect)
	return w
}

// Name is the workspace's name in barge.hcl.
func (w *Workspace) Name() string { return w.o.Name }

// Host is the workspace's address, without a slash at its end.
func (w *Workspace) Host() string { return w.o.Host }

// ServerTime is the Date of the last answer, zero before the first.
func (w *Workspace) ServerTime() time.Time {
	if s := w.date.Load(); s != 0 {
		return time.Unix(s, 0).UTC()
	}
	return time.Time{}
}

// ID is the workspace's number, as its answers and web addresses carry it.
func (w *Workspace) ID(ctx context.Context) (int64, error) {
	if id := w.id.Load(); id != 0 {
		return id, nil
	}
	if _, err := w.Me(ctx); err != nil {
		return 0, fmt.Errorf("asking for the workspace's id: %w", err)
	}
	if id := w.id.Load(); id != 0 {
		return id, nil
	}
	if m := numbered.FindStringSubmatch(w.o.Host); m != nil {
		return strconv.ParseInt(m[1], 10, 64)
	}
	return 0, fmt.Errorf("workspace %s (%s) does not tell its id", w.o.Name, w.o.Host)
}

var numbered = regexp.MustCompile(`^https://adb-(\d+)\.`)

// Me is the identity that calls.
type Me struct {
	ID, Name, DisplayName string
	Groups                []string
}

// Me asks who calls.
func (w *Workspace) Me(ctx context.Context) (Me, error) {
	var u struct {
		ID          string                     `json:"id"`
		UserName    string                     `json:"userName"`
		DisplayName string                     `json:"displayName"`
		Groups      []struct{ Display string } `json:"groups"`
	}
	err := w.do(ctx, call{doing: "asking for the identity that calls", method: http.MethodGet, path: "/api/2.0/preview/scim/v2/Me", out: &u})
	me := Me{ID: u.ID, Name: u.UserName, DisplayName: u.DisplayName}
	for _, g := range u.Groups {
		me.Groups = append(me.Groups, g.Display)
	}
	return me, err
}

// Do is a bare call, for what has no method here: path from the host on ("/api/2.0/…"), in sent as JSON when not
// nil, the answer read into out when not nil. Doing ("setting the stage of model 3") opens the message of an error.
func (w *Workspace) Do(ctx context.Context, doing, method, path string, query url.Values, in, out any) error {
	return w.do(ctx, call{doing: doing, method: method, path: path, query: query, in: in, out: out})
}

// Download reads a signed address, which belongs to a cloud's storage: the request carries no token of the
// workspace. The caller closes the body; size is -1 when it is not told.
func (w *Workspace) Download(ctx context.Context, address string, header http.Header) (body io.ReadCloser, size int64, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, errors.New("downloading from a signed address: it is no valid address") // it holds a signature
	}
	for k, vs := range header {
		r.Header[k] = vs
	}
	resp, err := (&http.Client{Transport: w.o.Transport}).Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // its text has the signature in it
		}
		return nil, 0, fmt.Errorf("downloading from %s: %w", r.URL.Host, err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, 0, &Error{
			Doing: "downloading from " + r.URL.Host, Host: w.o.Host, Workspace: w.o.Name, Status: resp.StatusCode,
			Message: "the signed address was answered with " + resp.Status,
		}
	}
	return resp.Body, resp.ContentLength, nil
}

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
	r.Header.Set("Authorization", "Bearer "+token)
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
