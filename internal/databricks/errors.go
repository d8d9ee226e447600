package databricks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"github.com/databricks/databricks-sdk-go/apierr"

	"github.com/bargeml/barge/internal/transport"
)

// What an error may be, besides fs.ErrNotExist and fs.ErrExist: compare with errors.Is.
var (
	ErrUnauthenticated = errors.New("not signed in")
	ErrForbidden       = errors.New("no permission")
)

// Unreachable is the transport's: nothing was sent.
type Unreachable = transport.Unreachable

// Unanswered is the transport's: what was sent may have taken effect.
type Unanswered = transport.Unanswered

// Error is a call that did not do what it should. Status is 0 when no answer came.
type Error struct {
	Doing           string // "reading /Barge/x"
	Workspace, Host string
	Noun            string // what Workspace is: "workspace"
	Status          int
	Code, Message   string
	Err             error // the cause: a sentinel, or what kept the answer away; may be nil
	Hint            string
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in %s %s (%s): ", e.Doing, e.Noun, e.Workspace, e.Host)
	if e.Status != 0 {
		fmt.Fprintf(&b, "%d", e.Status)
		if e.Code != "" {
			b.WriteString(" " + e.Code)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Definite tells whether err leaves no doubt about what the call did: the service said no, or nothing was sent.
// Without an answer, and with 5xx, it may have taken effect, or may still.
func Definite(err error) bool {
	if err == nil {
		return true
	}
	var unreachable *Unreachable
	if errors.As(err, &unreachable) {
		return true
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Status >= 200 && e.Status < 500 || errors.Is(err, ErrUnauthenticated)
	}
	return false
}

// longestMessage is where a message is cut: some answers are a stack trace.
const longestMessage = 2000

// signIn is a credential that could not be had: nothing was sent.
type signIn struct{ err error }

func (e *signIn) Error() string   { return e.err.Error() }
func (e *signIn) Unwrap() []error { return []error{ErrUnauthenticated, e.err} }

// explain gives an error its place and its kind.
func (w *Workspace) explain(c call, err error) error {
	e := &Error{Doing: c.doing, Workspace: w.o.Name, Noun: w.o.Noun, Host: w.o.Host, Message: err.Error(), Err: err}
	var sign *signIn
	var api *apierr.APIError
	var page *pageError
	switch {
	case errors.As(err, &sign):
		e.Message, e.Err = "signing in: "+sign.err.Error(), sign
	case errors.As(err, &api):
		e.Status, e.Message = api.StatusCode, strings.TrimSpace(api.Message)
		if api.ErrorCode != "<nil>" { // the SDK's spelling of none
			e.Code = api.ErrorCode
		}
		e.Err = kind(api, e.Code, c)
		if strings.HasPrefix(e.Message, "<") {
			e.Code, e.Message = "", "the answer is a page, not JSON: a proxy or a login page may stand in between"
		} else {
			e.Hint = w.hint(e)
		}
		if len(e.Message) > longestMessage {
			e.Message = e.Message[:longestMessage] + "…"
		}
	case errors.As(err, &page):
		e.Status = page.status
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e.Message = "stopped before it answered: " + err.Error()
	}
	return e
}

// kind reads the many shapes of "exists" and "does not exist".
func kind(api *apierr.APIError, code string, c call) error {
	m := api.Message
	switch {
	case api.StatusCode == http.StatusUnauthorized:
		return ErrUnauthenticated
	case code == "MAX_CHILD_NODE_SIZE_EXCEEDED": // 403, but of no right
		return nil
	case api.StatusCode == http.StatusForbidden, code == "PERMISSION_DENIED":
		return ErrForbidden
	case code == "RESOURCE_ALREADY_EXISTS", code == "ALREADY_EXISTS",
		api.StatusCode == http.StatusConflict && code == "",
		api.StatusCode == http.StatusBadRequest && code == "" && strings.Contains(m, "already exists"):
		return fs.ErrExist
	case api.StatusCode == http.StatusNotFound && code != "ENDPOINT_NOT_FOUND", code == "RESOURCE_DOES_NOT_EXIST",
		errors.Is(api, apierr.ErrResourceDoesNotExist),
		strings.HasPrefix(c.path, "/api/2.2/jobs/") && code == "INVALID_PARAMETER_VALUE" &&
			(strings.Contains(m, "does not exist") || strings.Contains(m, "doesn't exist")):
		return fs.ErrNotExist
	}
	return nil
}

func (w *Workspace) hint(e *Error) string {
	switch {
	case errors.Is(e.Err, ErrUnauthenticated) && w.o.Noun != "workspace":
		return fmt.Sprintf("the token is not valid there: check that of %s %q", w.o.Noun, w.o.Name)
	case errors.Is(e.Err, ErrForbidden) && w.o.Noun != "workspace":
		return "ask whoever keeps it for the right"
	case errors.Is(e.Err, ErrUnauthenticated):
		return fmt.Sprintf("the token is not valid there: check the auth block of workspace %q, and that the identity is a member of it", w.o.Name)
	case errors.Is(e.Err, ErrForbidden):
		return "ask an admin of the workspace for the right"
	case e.Code == "MAX_CHILD_NODE_SIZE_EXCEEDED":
		return "the folder is full: remove old releases"
	}
	return ""
}

// pageError is an answer that is no answer of the API.
type pageError struct {
	status  int
	message string
}

func (e *pageError) Error() string { return e.message }

// redirected names where to, without the query: it may hold a session.
func redirected(resp *http.Response) error {
	to := "elsewhere"
	if u, err := resp.Location(); err == nil {
		to = u.Scheme + "://" + u.Host + u.Path
		if u.Query().Get("error") == "private-link-validation-error" {
			to += "; the workspace is reached through Private Link alone, and not from this network"
		}
	}
	return &pageError{resp.StatusCode, "the host sends to " + to + ": is it the address of a workspace? A login page or a proxy may stand in between"}
}

func notJSON(raw []byte, err error) error {
	if text := strings.TrimSpace(string(raw)); text == "" {
		return &pageError{http.StatusOK, "the answer is empty"}
	} else if strings.HasPrefix(text, "<") {
		return &pageError{http.StatusOK, "the answer is a page, not JSON: a login page or a proxy may stand in between"}
	}
	return fmt.Errorf("the answer is not what was expected: %w", err)
}
