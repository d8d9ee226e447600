package environments

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for _, c := range []struct {
		in   any
		want string
	}{
		{map[string]any{"b": 1, "a": []int{2}, "B": nil, "é": true}, `{"B":null,"a":[2],"b":1,"é":true}`},
		{struct {
			Z string
			A json.RawMessage
		}{"<&>", json.RawMessage(` { "y" : 1.50 , "x" : 12345678901234567890 } `)}, `{"A":{"x":12345678901234567890,"y":1.50},"Z":"<&>"}`},
		{"line\nend", `"line\nend"`},
		{nil, "null"},
		{Rules{}, "{}"},
	} {
		got, err := Canonical(c.in)
		if err != nil || string(got) != c.want {
			t.Errorf("%v: %s, %v, want %s", c.in, got, err, c.want)
		}
		again, err := Canonical(json.RawMessage(got))
		if err != nil || string(again) != string(got) {
			t.Errorf("%s, again: %s, %v", got, again, err)
		}
	}
	for _, bad := range []any{math.NaN(), func() {}, json.RawMessage("{")} {
		if got, err := Canonical(bad); err == nil || !strings.HasPrefix(err.Error(), "encoding canonical JSON: ") {
			t.Errorf("%T: %s, %v", bad, got, err)
		}
	}
}

func TestDigest(t *testing.T) {
	got, err := Digest(map[string]any{})
	if want := "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"; got != want || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}
