package jobs

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// object is a JSON object that is kept and given back as it came. Nil is absent, {} is not.
type object map[string]json.RawMessage

// integer is a whole number, with or without quotes.
type integer = wire.Int

// decode reads the request's body into each of vs. An empty body leaves them as they are.
func decode(r *http.Request, vs ...any) error {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return wire.Malformed("reading the request body: %s", err)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil
	}
	for _, v := range vs {
		if err := wire.Unmarshal(b, v); err != nil {
			return err
		}
	}
	return nil
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
		q.err = wire.Malformed("Could not parse request object: Expected %s for field %s, found STRING", kind, name)
	}
}
