package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// object is a JSON object that is kept and given back as it came. Nil is absent, {} is not.
type object map[string]json.RawMessage

// integer is a JSON number without a fraction, or the same as a string: the service takes both.
type integer int64

func (n *integer) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == "null" {
		return nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		kind := "number"
		if b[0] == '"' {
			kind = "string"
		}
		return &json.UnmarshalTypeError{Value: kind, Type: reflect.TypeFor[int64]()}
	}
	*n = integer(v)
	return nil
}

// decode reads the request's body into each of vs. An empty body leaves them as they are.
func decode(r *http.Request, vs ...any) error {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return malformed("reading the request body: " + err.Error())
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil
	}
	for _, v := range vs {
		if err := unmarshal(b, v); err != nil {
			return err
		}
	}
	return nil
}

// unmarshal is json.Unmarshal with the service's words for what does not fit.
func unmarshal(b []byte, v any) error {
	err := json.Unmarshal(b, v)
	if err == nil {
		return nil
	}
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return malformed("Could not parse request object: " + err.Error())
	}
	if wrong.Field == "" {
		return malformed("Invalid JSON given in the body of the request - expected a map")
	}
	found, _, _ := strings.Cut(wrong.Value, " ")
	field := wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:]
	return malformed("Could not parse request object: Expected " + jsonKind(wrong.Type) + " for field " + field + ", found " + strings.ToUpper(found))
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

func malformed(message string) error {
	return wire.Errorf(http.StatusBadRequest, "MALFORMED_REQUEST", "%s", message)
}

// query reads a request's parameters; the first that does not fit is kept in err.
type query struct {
	r   *http.Request
	err error
}

func (q *query) text(name string) string { return q.r.URL.Query().Get(name) }

func (q *query) flag(name string) bool {
	v := q.text(name)
	if v == "" {
		return false
	}
	b, err := strconv.ParseBool(v)
	q.expect(err, "boolean", name)
	return b
}

func (q *query) number(name string, absent int64) int64 {
	v := q.text(name)
	if v == "" {
		return absent
	}
	n, err := strconv.ParseInt(v, 10, 64)
	q.expect(err, "integer", name)
	return n
}

// required is a number that must be there.
func (q *query) required(name string) int64 {
	if q.text(name) == "" && q.err == nil {
		q.err = wire.Invalid("Missing required field: %s", name)
	}
	return q.number(name, 0)
}

func (q *query) expect(err error, kind, name string) {
	if err != nil && q.err == nil {
		q.err = malformed("Could not parse request object: Expected " + kind + " for field " + name + ", found STRING")
	}
}
