// Package databricks is a Databricks workspace as Barge needs it: files, notebooks, runs, jobs, secrets,
// permissions. It is the only importer of the Databricks SDK.
//
// One call here is one call there: the SDK's retries, rate limiter, waiters, host look-ups and environment are off,
// and the transport below decides what is sent again, by the class of the call (package transport). Each method
// chooses a class; a caller's own choice, made with transport.With, comes first. Every error names what was
// attempted, on what, in which workspace, and wraps one of the sentinels where it is one of them.
package databricks

import (
	"context"
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

	"github.com/databricks/databricks-sdk-go/client"

	"github.com/bargeml/barge/internal/transport"
)

// Options of a Workspace; Host and Token are needed.
type Options struct {
	Name      string                                                            // for messages
	Noun      string                                                            // what Name is, in messages; empty: workspace
	Host      string                                                            // https://adb-….azuredatabricks.net
	Token     func(context.Context) (token string, expiry time.Time, err error) // an empty token is not sent
	Transport http.RoundTripper                                                 // nil: transport.New(transport.Options{})
	Version   string                                                            // Barge's own; empty: 0.0.0
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
	if o.Noun == "" {
		o.Noun = "workspace"
	}
	o.Host = strings.TrimRight(o.Host, "/")
	w := &Workspace{o: o}
	w.client = sync.OnceValues(w.connect)
	return w
}

// Name is the workspace's name in barge.hcl.
func (w *Workspace) Name() string { return w.o.Name }

// Title is what messages call it: "workspace prod".
func (w *Workspace) Title() string { return w.o.Noun + " " + w.o.Name }

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
			Doing: "downloading from " + r.URL.Host, Host: w.o.Host, Workspace: w.o.Name, Noun: w.o.Noun, Status: resp.StatusCode,
			Message: "the signed address was answered with " + resp.Status,
		}
	}
	return resp.Body, resp.ContentLength, nil
}
