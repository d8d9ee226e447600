package databricks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/transport"
)

// What the SDK would try again, wait for, or look up beforehand, is one request here.
func TestOneCallIsOneRequest(t *testing.T) {
	answers := map[string]func(http.ResponseWriter){
		"success":               nil,
		"429":                   func(w http.ResponseWriter) { answerProblem(w, &problem{429, "REQUEST_LIMIT_EXCEEDED", "slow down"}) },
		"503":                   func(w http.ResponseWriter) { answerProblem(w, &problem{503, "TEMPORARILY_UNAVAILABLE", "later"}) },
		"500 that timed out":    func(w http.ResponseWriter) { answerProblem(w, &problem{500, "", "Timed out after 5s"}) },
		"limit in the text":     func(w http.ResponseWriter) { answerProblem(w, &problem{500, "", "REQUEST_LIMIT_EXCEEDED"}) },
		"deadline in the text":  func(w http.ResponseWriter) { answerProblem(w, &problem{400, "", "deadline exceeded"}) },
		"connection is closed":  hangUp,
		"cluster not ready yet": func(w http.ResponseWriter) { answerProblem(w, &problem{400, "", "ClusterNotReadyException"}) },
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.fault = func(w http.ResponseWriter, _ *http.Request) bool {
				if answer == nil {
					return false
				}
				answer(w)
				return true
			}
			w := f.open(func(o *Options) { o.Transport = transport.New(transport.Options{Attempts: 1}) })
			err := w.Mkdirs(t.Context(), "/Barge")
			if (err == nil) != (answer == nil) {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff([]string{"POST /api/2.0/workspace/mkdirs"}, f.called()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func hangUp(w http.ResponseWriter) {
	if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// failing is a transport that refuses as a host does, in words that the SDK knows.
type failing struct{ calls int }

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	f.calls++
	return nil, &Unreachable{Host: r.URL.Host, Err: errors.New("dial tcp: connection refused, i/o timeout, connection reset by peer")}
}

func TestUnreachableHostIsNamedAndNotTriedAgain(t *testing.T) {
	base := &failing{}
	w := Open(Options{
		Name: "test", Host: "https://adb-2.2.azuredatabricks.example", Transport: base,
		Token: func(context.Context) (string, time.Time, error) { return "x", time.Time{}, nil },
	})
	_, err := w.Stat(t.Context(), "/Barge")
	var unreachable *Unreachable
	if !errors.As(err, &unreachable) || unreachable.Host != "adb-2.2.azuredatabricks.example" || !Definite(err) {
		t.Fatalf("%v, want Unreachable, definite", err)
	}
	want := "looking at /Barge in workspace test (https://adb-2.2.azuredatabricks.example): host adb-2.2.azuredatabricks.example cannot be reached: " +
		"dial tcp: connection refused, i/o timeout, connection reset by peer"
	if err.Error() != want || base.calls != 1 {
		t.Errorf("after %d calls: %s", base.calls, err)
	}
}

// inMemory answers without a network, so that a bubble's clock can stand still.
type inMemory struct{ http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	m.ServeHTTP(rec, r)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

// The client itself never waits: the SDK would let 15 calls through each second.
func TestNoRateLimit(t *testing.T) {
	f := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		w := f.open(func(o *Options) { o.Transport = inMemory{f} })
		began := time.Now()
		for range 100 {
			if err := w.Mkdirs(t.Context(), "/Barge"); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(began); d != 0 || len(f.called()) != 100 {
			t.Errorf("%d requests took %s", len(f.called()), d)
		}
	})
}

// What the SDK finds in the environment belongs to some other workspace.
func TestTheEnvironmentDoesNotLeakIn(t *testing.T) {
	t.Setenv("DATABRICKS_HOST", "https://elsewhere.example")
	t.Setenv("DATABRICKS_TOKEN", "dapi-of-another")
	t.Setenv("DATABRICKS_WORKSPACE_ID", "99")
	t.Setenv("ARM_CLIENT_SECRET", "another")
	f := newFake(t)
	me, err := f.open().Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Me{ID: "7", Name: "releaser", DisplayName: "Releaser", Groups: []string{"releasers"}}, me); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(f.agents[0], "barge/") || !strings.Contains(f.agents[0], "databricks-sdk-go/") {
		t.Errorf("user agent %q", f.agents[0])
	}
}

func TestNothingStartsBeforeTheFirstCall(t *testing.T) {
	w := Open(Options{
		Name: "x", Host: "https://unknown.example", Transport: &failing{},
		Token: func(context.Context) (string, time.Time, error) {
			t.Error("asked for a token")
			return "", time.Time{}, nil
		},
	})
	if w.Name() != "x" || w.Host() != "https://unknown.example" || !w.ServerTime().IsZero() {
		t.Errorf("%s, %s, %s", w.Name(), w.Host(), w.ServerTime())
	}
}

func TestIDAndServerTime(t *testing.T) {
	f := newFake(t)
	f.fault = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Date", "Tue, 01 Sep 2026 05:12:09 GMT")
		return false
	}
	w := f.open()
	for range 2 {
		if id, err := w.ID(t.Context()); id != 6201 || err != nil {
			t.Fatalf("%d, %v", id, err)
		}
	}
	if n := len(f.called()); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if got := w.ServerTime(); !got.Equal(time.Date(2026, 9, 1, 5, 12, 9, 0, time.UTC)) {
		t.Errorf("server time %s", got)
	}
}

func TestErrors(t *testing.T) {
	page := func(status int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<!DOCTYPE html><html><body>Sign in to your proxy</body></html>"))
			return true
		}
	}
	says := func(status int, code, message string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			answerProblem(w, &problem{status, code, message})
			return true
		}
	}
	for _, tc := range []struct {
		name     string
		fault    func(http.ResponseWriter, *http.Request) bool
		is       error
		not      error
		definite bool
		want     string // after "making folder /Barge in workspace prod (HOST): "
	}{
		{
			"401", says(401, "UNAUTHENTICATED", "Invalid access token."), ErrUnauthenticated, nil, true,
			`401 UNAUTHENTICATED: Invalid access token.; the token is not valid there: check the auth block of workspace "prod", and that the identity is a member of it`,
		},
		{
			"403", says(403, "PERMISSION_DENIED", "User does not have permission."), ErrForbidden, nil, true,
			"403 PERMISSION_DENIED: User does not have permission.; ask an admin of the workspace for the right",
		},
		{
			"403 of a full folder", says(403, "MAX_CHILD_NODE_SIZE_EXCEEDED", "The folder has too many children."), nil, ErrForbidden, true,
			"403 MAX_CHILD_NODE_SIZE_EXCEEDED: The folder has too many children.; the folder is full: remove old releases",
		},
		{
			"404", says(404, "RESOURCE_DOES_NOT_EXIST", "Path (/x) doesn't exist."), fs.ErrNotExist, nil, true,
			"404 RESOURCE_DOES_NOT_EXIST: Path (/x) doesn't exist.",
		},
		{"404 of a route", says(404, "ENDPOINT_NOT_FOUND", "No API found."), nil, fs.ErrNotExist, true, "404 ENDPOINT_NOT_FOUND: No API found."},
		{"409 without a code", says(409, "", "File already exists"), fs.ErrExist, nil, true, "409: File already exists"},
		{"409 of racers", says(409, "ALREADY_EXISTS", "Node with name x already exists"), fs.ErrExist, nil, true, "409 ALREADY_EXISTS: Node with name x already exists"},
		{"400 exists", says(400, "RESOURCE_ALREADY_EXISTS", "x already exists."), fs.ErrExist, nil, true, "400 RESOURCE_ALREADY_EXISTS: x already exists."},
		{"400 exists, without a code", says(400, "", "Path (/x) already exists."), fs.ErrExist, nil, true, "400: Path (/x) already exists."},
		{"409 of something else", says(409, "RESOURCE_CONFLICT", "busy"), nil, fs.ErrExist, true, "409 RESOURCE_CONFLICT: busy"},
		{"500", says(500, "INTERNAL_ERROR", "oops"), nil, nil, false, "500 INTERNAL_ERROR: oops"},
		{"an empty body", func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true }, nil, nil, false, "502: Bad Gateway"},
		{"a page in place of an error", page(403), ErrForbidden, nil, true, "403: the answer is a page, not JSON: a proxy or a login page may stand in between"},
		{"a redirect to a login page", func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/login.html?session=secret", http.StatusFound)
			return true
		}, nil, nil, true, "302: the host sends to HOST/login.html: is it the address of a workspace? A login page or a proxy may stand in between"},
		{
			"a closed connection", func(w http.ResponseWriter, _ *http.Request) bool { hangUp(w); return true }, nil, nil, false,
			"host ADDR closed the connection without an answer",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			f.fault = tc.fault
			w := f.open(func(o *Options) { o.Transport = transport.New(transport.Options{Attempts: 1}) })
			err := w.Mkdirs(t.Context(), "/Barge")
			if err == nil {
				t.Fatal("no error")
			}
			want := "making folder /Barge in workspace prod (HOST): " + tc.want
			want = strings.ReplaceAll(want, "HOST", f.server.URL)
			want = strings.ReplaceAll(want, "ADDR", strings.TrimPrefix(f.server.URL, "http://"))
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if tc.is != nil && !errors.Is(err, tc.is) || tc.not != nil && errors.Is(err, tc.not) || Definite(err) != tc.definite {
				t.Errorf("%v: is %v: %v, is %v: %v, definite: %v", err, tc.is, errors.Is(err, tc.is), tc.not, errors.Is(err, tc.not), Definite(err))
			}
		})
	}
}

func TestPageInPlaceOfAnAnswer(t *testing.T) {
	f := newFake(t)
	f.fault = func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write([]byte("<html>hello</html>"))
		return true
	}
	_, err := f.open().Stat(t.Context(), "/Barge")
	if err == nil || !strings.Contains(err.Error(), "the answer is a page, not JSON") {
		t.Errorf("%v", err)
	}
	f.fault = func(http.ResponseWriter, *http.Request) bool { return true }
	if _, err = f.open().Stat(t.Context(), "/Barge"); err == nil || !strings.Contains(err.Error(), "the answer is empty") {
		t.Errorf("%v", err)
	}
}

func TestSignInFails(t *testing.T) {
	f := newFake(t)
	w := f.open(func(o *Options) {
		o.Token = func(context.Context) (string, time.Time, error) {
			return "", time.Time{}, fmt.Errorf("auth %q: run `az login`", "azure-cli")
		}
	})
	err := w.Mkdirs(t.Context(), "/Barge")
	want := "making folder /Barge in workspace prod (" + f.server.URL + "): signing in: auth \"azure-cli\": run `az login`"
	if !errors.Is(err, ErrUnauthenticated) || err.Error() != want || !Definite(err) || len(f.called()) != 0 {
		t.Errorf("%v after %v", err, f.called())
	}
}

func TestBadHost(t *testing.T) {
	_, err := Open(Options{Name: "prod", Host: "adb-1.1.azuredatabricks.net"}).Me(t.Context())
	if err == nil || !strings.Contains(err.Error(), "write https://HOST") {
		t.Errorf("%v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFake(t)
	f.fault = func(_ http.ResponseWriter, r *http.Request) bool { cancel(); <-r.Context().Done(); return true }
	err := f.open().Mkdirs(ctx, "/Barge")
	if !errors.Is(err, context.Canceled) || Definite(err) {
		t.Errorf("%v, definite %v", err, Definite(err))
	}
}

// The class of a call is the method's, unless the caller chose.
func TestClasses(t *testing.T) {
	for _, tc := range []struct {
		name string
		call func(context.Context, *Workspace) error
		sent int
	}{
		{"a folder is made again", func(ctx context.Context, w *Workspace) error { return w.Mkdirs(ctx, "/a") }, 2},
		{"but not in once", func(ctx context.Context, w *Workspace) error {
			return w.Mkdirs(transport.With(ctx, transport.Once), "/a")
		}, 1},
		{"a job is not created again", func(ctx context.Context, w *Workspace) error {
			_, err := w.CreateJob(ctx, []byte(`{}`))
			return err
		}, 1},
		{"a run with a token is started again", func(ctx context.Context, w *Workspace) error {
			_, err := w.RunNow(ctx, 1, "token", nil)
			return err
		}, 2},
		{"a run without one is not", func(ctx context.Context, w *Workspace) error {
			_, err := w.RunNow(ctx, 1, "", nil)
			return err
		}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			broken := true
			f.fault = func(w http.ResponseWriter, _ *http.Request) bool {
				if broken {
					broken = false
					answerProblem(w, &problem{500, "INTERNAL_ERROR", "oops"})
					return true
				}
				return false
			}
			err := tc.call(t.Context(), f.open())
			if n := len(f.called()); n != tc.sent || (err == nil) != (tc.sent == 2) {
				t.Errorf("sent %d times, %v", n, err)
			}
		})
	}
}

// A signed address belongs to somebody else: no token goes there, and its signature stays out of errors.
func TestDownload(t *testing.T) {
	var auth []string
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		auth = append(auth, r.Header.Get("Authorization")+r.Header.Get("X-Ms-Version"))
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = w.Write([]byte("bytes"))
	}))
	defer storage.Close()
	w := newFake(t).open()
	body, size, err := w.Download(t.Context(), storage.URL+"/f?sig=hidden", http.Header{"X-Ms-Version": {"v1"}})
	if err != nil || size != 5 {
		t.Fatalf("%d, %v", size, err)
	}
	_ = body.Close()
	_, _, err = w.Download(t.Context(), storage.URL+"/gone?sig=hidden", nil)
	if err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "403 Forbidden") {
		t.Errorf("%v", err)
	}
	storage.Close()
	w = newFake(t).open(func(o *Options) { o.Transport = transport.New(transport.Options{Attempts: 1}) })
	if _, _, err = w.Download(t.Context(), storage.URL+"/f?sig=hidden", nil); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("%v", err)
	}
	if diff := cmp.Diff([]string{"v1", ""}, auth); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A DELETE carries its body: some servers read nothing else.
func TestDoDelete(t *testing.T) {
	f := newFake(t)
	f.fault = func(http.ResponseWriter, *http.Request) bool { return true }
	err := f.open().Do(t.Context(), "removing a tag", http.MethodDelete, "/api/2.0/mlflow/registered-models/delete-tag", nil, map[string]string{"key": "a<b"}, nil)
	if got := f.body("/api/2.0/mlflow/registered-models/delete-tag"); err != nil || got != `{"key":"a<b"}` {
		t.Errorf("%q, %v", got, err)
	}
}
