// Package wire is how the twins speak HTTP: JSON in, JSON out, errors in the shape of the Databricks REST API.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
)

// Error is an answer of the API that is not a success: {"error_code":…,"message":…} under an HTTP status.
// An empty Code is left out of the body, as the real service does for some answers; with Blank it is sent as "",
// as the service does for others.
type Error struct {
	Status  int
	Code    string
	Message string
	Blank   bool
}

func (e *Error) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return e.Code + ": " + e.Message
}

// Errorf makes an Error.
func Errorf(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// NotFound is 404 RESOURCE_DOES_NOT_EXIST.
func NotFound(format string, args ...any) *Error {
	return Errorf(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", format, args...)
}

// Invalid is 400 INVALID_PARAMETER_VALUE.
func Invalid(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "INVALID_PARAMETER_VALUE", format, args...)
}

// JSON serves what answer returns: nil as {}, an *Error in its own shape, any other error as 500 INTERNAL_ERROR.
func JSON(answer func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := answer(r)
		if err != nil {
			Fail(w, err)
			return
		}
		if body == nil {
			body = struct{}{}
		}
		Write(w, http.StatusOK, body)
	}
}

// Write sends v as JSON.
func Write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client is gone: nobody is left to tell
}

// Fail sends err in the API's shape.
func Fail(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = Errorf(http.StatusInternalServerError, "INTERNAL_ERROR", "%s", err)
	}
	body := map[string]string{"message": e.Message}
	if e.Code != "" || e.Blank {
		body["error_code"] = e.Code
	}
	Write(w, e.Status, body)
}

// Decode reads a JSON body into v. An empty body leaves v as it is; anything but JSON of v's shape is
// 400 MALFORMED_REQUEST. Unknown fields are ignored, as the service does.
func Decode(r *http.Request, v any) error {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return Errorf(http.StatusBadRequest, "MALFORMED_REQUEST", "reading the request body: %s", err)
	}
	if len(strings.TrimSpace(string(b))) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return Errorf(http.StatusBadRequest, "MALFORMED_REQUEST", "Could not parse request object: %s", err)
	}
	return nil
}

// Mux routes requests by net/http's patterns. Unlike http.ServeMux it never answers a redirect that cleans the
// path (a POST would lose its body): it cleans the path itself, a trailing slash kept, and then matches.
type Mux struct {
	mux http.ServeMux
}

// Handle registers a handler for a pattern such as "POST /api/2.2/jobs/create".
func (m *Mux) Handle(pattern string, h http.Handler) { m.mux.Handle(pattern, h) }

// JSON registers a handler that answers JSON.
func (m *Mux) JSON(pattern string, answer func(*http.Request) (any, error)) {
	m.mux.Handle(pattern, JSON(answer))
}

func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if cleaned := clean(r.URL.Path); cleaned != r.URL.Path {
		u := *r.URL
		u.Path, u.RawPath = cleaned, ""
		r2 := r.Clone(r.Context())
		r2.URL = &u
		r = r2
	}
	_, pattern := m.mux.Handler(r)
	if pattern == "" {
		Fail(w, Errorf(http.StatusNotFound, "ENDPOINT_NOT_FOUND", "No API found for '%s %s'", r.Method, strings.TrimPrefix(r.URL.Path, "/api/2.0")))
		return
	}
	m.mux.ServeHTTP(w, r)
}

func clean(p string) string {
	if p == "" {
		return "/"
	}
	c := path.Clean(p)
	if strings.HasSuffix(p, "/") && c != "/" {
		c += "/"
	}
	return c
}
