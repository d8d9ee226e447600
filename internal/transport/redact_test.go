package transport

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

func TestRedactor(t *testing.T) {
	r := &Redactor{}
	for _, s := range []string{"dapi0123", "dapi0123456", "a\"b\\c", "with space&more", "abc", ""} {
		r.Add(s)
	}
	for _, tc := range []struct{ name, in, want string }{
		{"nothing known", "nothing here, abc", "nothing here, abc"},
		{"itself", "Bearer dapi0123!", "Bearer [REDACTED]!"},
		{"the longer one first", "dapi0123456", "[REDACTED]"},
		{"in JSON", `{"t":"a\"b\\c"}`, `{"t":"[REDACTED]"}`},
		{"in a query", "?x=with+space%26more", "?x=[REDACTED]"},
		{"as base64", base64.StdEncoding.EncodeToString([]byte("dapi0123456")), "[REDACTED]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := r.String(tc.in); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// However a text is cut into writes, no piece of a secret gets through, and nothing else is lost.
func TestRedactingWriterInPieces(t *testing.T) {
	r := &Redactor{}
	r.Add("dapi0123456")
	r.Add("dapi-other")
	text := "da token dapi0123456, another dapi-other; dapi0123x, dap"
	want := "da token [REDACTED], another [REDACTED]; dapi0123x, dap"
	for size := 1; size <= len(text); size++ {
		var b bytes.Buffer
		w := r.Writer(&b)
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if got, err := w.Write([]byte(rest[:n])); got != n || err != nil {
				t.Fatalf("wrote %d, %v", got, err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil || b.String() != want {
			t.Errorf("in pieces of %d: %q, %v", size, b.String(), err)
		}
	}
}

func TestRedactingWriterKeepsNothingBackWithoutReason(t *testing.T) {
	r := &Redactor{}
	r.Add("dapi0123456")
	var b strings.Builder
	if _, err := r.Writer(&b).Write([]byte("a line\n")); err != nil || b.String() != "a line\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestNilRedactor(t *testing.T) {
	var r *Redactor
	r.Add("dapi0123456")
	var b strings.Builder
	if _, err := r.Writer(&b).Write([]byte("dapi0123456")); err != nil || b.String() != "dapi0123456" || r.String("x") != "x" {
		t.Errorf("%q, %v", b.String(), err)
	}
}
