package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/sandbox/wire"
	"github.com/google/go-cmp/cmp"
)

func TestMux(t *testing.T) {
	t.Parallel()
	m := &wire.Mux{}
	m.JSON("POST /api/2.0/x/{path...}", func(r *http.Request) (any, error) {
		var body struct {
			A wire.Int  `json:"a"`
			B wire.Bool `json:"b"`
		}
		err := wire.Decode(r, &body)
		return map[string]any{"path": r.PathValue("path"), "a": body.A, "b": body.B}, err
	})
	m.Handle("GET /sub/", wire.JSON(func(*http.Request) (any, error) { return nil, nil }))
	m.JSON("GET /api/2.0/nothing", func(*http.Request) (any, error) { return nil, nil })
	m.JSON("GET /api/2.0/blank", func(*http.Request) (any, error) {
		return nil, &wire.Error{Status: http.StatusBadRequest, Blank: true, Message: "m"}
	})
	m.JSON("GET /api/2.0/codeless", func(*http.Request) (any, error) {
		return nil, fmt.Errorf("wrapped: %w", wire.Errorf(http.StatusConflict, "", "<m>"))
	})
	m.JSON("GET /api/2.0/broken", func(*http.Request) (any, error) { return nil, errors.New("disk full") })
	for _, row := range []struct{ what, body, want string }{
		{"POST /api/2.0/x/a%2Fb%20%C3%BC", ``, `200 {"a":0,"b":false,"path":"a/b ü"}`},
		{"POST //api//2.0/x//a//b/", `{"a":"9007199254740993","b":"true","more":{}}`, `200 {"a":9007199254740993,"b":true,"path":"a/b/"}`},
		{"POST /api/2.0/x/a", `{"a":1.5}`, `400 {"error_code":"MALFORMED_REQUEST","message":"Could not parse request object: Expected integer for field a, found NUMBER"}`},
		{"POST /api/2.0/x/a", `{"b":1}`, `400 {"error_code":"MALFORMED_REQUEST","message":"Could not parse request object: Expected boolean for field b, found NUMBER"}`},
		{"POST /api/2.0/x/a", `{"a":[]}`, `400 {"error_code":"MALFORMED_REQUEST","message":"Could not parse request object: Expected integer for field a, found ARRAY"}`},
		{"POST /api/2.0/x/a", `{"b":"maybe"}`, `400 {"error_code":"MALFORMED_REQUEST","message":"Could not parse request object: Expected boolean for field b, found STRING"}`},
		{"POST /api/2.0/x/a", `[]`, `400 {"error_code":"MALFORMED_REQUEST","message":"Invalid JSON given in the body of the request - expected a map"}`},
		{"POST /api/2.0/x/a", `{"a":1} more`, `400 {"error_code":"MALFORMED_REQUEST","message":"Could not parse request object: invalid character 'm' after top-level value"}`},
		{"POST /api/2.0/x", `{}`, `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'POST /x'"}`},
		{"GET /sub", ``, `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'GET /sub'"}`},
		{"GET /sub/", ``, `200 {}`},
		{"POST /api/2.0/x/a", `{"a":null,"b":null}`, `200 {"a":0,"b":false,"path":"a"}`},
		{"GET /api/2.0/nothing", ``, `200 {}`},
		{"GET /api/2.0/blank", ``, `400 {"error_code":"","message":"m"}`},
		{"GET /api/2.0/codeless", ``, `409 {"message":"<m>"}`},
		{"GET /api/2.0/broken", ``, `500 {"error_code":"INTERNAL_ERROR","message":"disk full"}`},
		{"GET /api/2.0/unknown", ``, `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'GET /unknown'"}`},
		{"DELETE /api/2.0/nothing", ``, `404 {"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'DELETE /nothing'"}`},
	} {
		method, target, _ := strings.Cut(row.what, " ")
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, "http://twin"+target, strings.NewReader(row.body))
		m.ServeHTTP(w, r)
		if diff := cmp.Diff(row.want, strings.TrimSpace(fmt.Sprintf("%d %s", w.Code, w.Body))); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", row.what, row.body, diff)
		}
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "true <nil>", "false": "false <nil>", "True": "true <nil>", "1": `false INVALID_PARAMETER_VALUE: expected true or false, got "1"`} {
		got, err := wire.Flag(text, true)
		if s := fmt.Sprint(got, " ", err); s != want {
			t.Errorf("flag %q: %s, want %s", text, s, want)
		}
	}
	for text, want := range map[string]string{"": "7 <nil>", "-3": "-3 <nil>", "x": `0 INVALID_PARAMETER_VALUE: Could not parse n: "x" is not a whole number`} {
		got, err := wire.Number("n", text, 7)
		if s := fmt.Sprint(got, " ", err); s != want {
			t.Errorf("number %q: %s, want %s", text, s, want)
		}
	}
}

func FuzzInt(f *testing.F) {
	f.Add(`"1"`)
	f.Add(`-9223372036854775808`)
	f.Fuzz(func(t *testing.T, raw string) {
		var n wire.Int
		if err := json.Unmarshal([]byte(raw), &n); err != nil {
			return
		}
		back, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		var again wire.Int
		if err := json.Unmarshal(back, &again); err != nil || again != n {
			t.Errorf("%s became %s: %v", raw, back, err)
		}
	})
}
