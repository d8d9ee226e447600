// Package wire is how the twins speak HTTP: JSON in, JSON out, errors in the shape of the Databricks REST API.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"reflect"
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

// Malformed is 400 MALFORMED_REQUEST.
func Malformed(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, "MALFORMED_REQUEST", format, args...)
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
		return Malformed("reading the request body: %s", err)
	}
	if len(strings.TrimSpace(string(b))) == 0 {
		return nil
	}
	return Unmarshal(b, v)
}

// Unmarshal is json.Unmarshal with the service's words for what does not fit: 400 MALFORMED_REQUEST.
func Unmarshal(b []byte, v any) error {
	err := json.Unmarshal(b, v)
	if err == nil {
		return nil
	}
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return Malformed("Could not parse request object: %s", err)
	}
	if wrong.Field == "" {
		return Malformed("Invalid JSON given in the body of the request - expected a map")
	}
	found, _, _ := strings.Cut(wrong.Value, " ")
	field := wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:]
	return Malformed("Could not parse request object: Expected %s for field %s, found %s", jsonKind(wrong.Type), field, strings.ToUpper(found))
}

func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Map, reflect.Struct:
		return "object"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	default:
		return "integer"
	}
}

// Mux routes requests by net/http's patterns. Unlike http.ServeMux it never answers a redirect that cleans the
// path (a POST would lose its body): it cleans the path itself, a trailing slash kept, and then matches.
type Mux struct {
	mux http.ServeMux
}

// route is a handler that was registered. What the inner mux answers with otherwise is a redirect of its own making.
type route struct{ http.Handler }

// Handle registers a handler for a pattern such as "POST /api/2.2/jobs/create".
func (m *Mux) Handle(pattern string, h http.Handler) { m.mux.Handle(pattern, route{h}) }

// JSON registers a handler that answers JSON.
func (m *Mux) JSON(pattern string, answer func(*http.Request) (any, error)) {
	m.Handle(pattern, JSON(answer))
}

func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if cleaned := clean(r.URL.Path); cleaned != r.URL.Path {
		u := *r.URL
		u.Path, u.RawPath = cleaned, ""
		r2 := r.Clone(r.Context())
		r2.URL = &u
		r = r2
	}
	if h, _ := m.mux.Handler(r); !registered(h) {
		Fail(w, Errorf(http.StatusNotFound, "ENDPOINT_NOT_FOUND", "No API found for '%s %s'", r.Method, strings.TrimPrefix(r.URL.Path, "/api/2.0")))
		return
	}
	m.mux.ServeHTTP(w, r)
}

func registered(h http.Handler) bool {
	_, ok := h.(route)
	return ok
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
