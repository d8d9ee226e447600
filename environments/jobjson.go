package environments

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/hcl/v2"
)

// jsonValue is a value of a JSON file, with the place where it stands.
type jsonValue struct {
	at    hcl.Range
	plain any // text, json.Number, bool; nil of null, objects and lists
	keys  []jsonKey
	items []*jsonValue
	delim json.Delim // { or [, 0 of the others
}

// jsonKey is a key of an object with its value.
type jsonKey struct {
	name  string
	at    hcl.Range
	value *jsonValue
}

// get is the value of a key, nil when it is not there.
func (v *jsonValue) get(name string) *jsonValue {
	for _, k := range v.keys {
		if k.name == name {
			return k.value
		}
	}
	return nil
}

// text is the value as text, "" when it is none.
func (v *jsonValue) text() string {
	if v == nil {
		return ""
	}
	s, _ := v.plain.(string)
	return s
}

// what is a value's kind in words.
func (v *jsonValue) what() string {
	switch plain := v.plain.(type) {
	case string:
		return "text"
	case json.Number:
		return plain.String()
	case bool:
		return "true or false"
	}
	return map[json.Delim]string{'{': "an object", '[': "a list", 0: "null"}[v.delim]
}

// jsonError is why a file is no JSON, and where.
type jsonError struct {
	at  hcl.Range
	why string
}

func (e *jsonError) Error() string { return e.why }

// jsonReader reads a JSON file with its places. A key that stands twice in an object is an error: one of the two would be
// lost.
type jsonReader struct {
	name string
	text []byte
	dec  *json.Decoder
}

func readJSON(name string, text []byte) (*jsonValue, error) {
	r := &jsonReader{name: name, text: text, dec: json.NewDecoder(bytes.NewReader(text))}
	if bytes.HasPrefix(text, []byte("\ufeff")) {
		return nil, &jsonError{r.span(0), "a byte order mark stands before the JSON: save it without (UTF-8, no BOM)"}
	}
	r.dec.UseNumber()
	v, err := r.value(0)
	if err != nil {
		return nil, r.explain(err)
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &jsonError{r.span(r.begin()), "something follows the end of the JSON"}
	}
	return v, nil
}

func (r *jsonReader) explain(err error) error {
	var ours *jsonError
	var syntax *json.SyntaxError
	at := r.dec.InputOffset()
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &syntax):
		return &jsonError{r.span(max(syntax.Offset-1, 0)), "this is no JSON: " + syntax.Error()}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &jsonError{r.span(int64(len(bytes.TrimRight(r.text, " \t\r\n"))) - 1), "the JSON ends too early"}
	}
	return &jsonError{r.span(at), "this is no JSON: " + err.Error()}
}

// value reads the next value.
func (r *jsonReader) value(depth int) (*jsonValue, error) {
	start := r.begin()
	token, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	v := &jsonValue{at: r.span(start)}
	delim, nested := token.(json.Delim)
	if !nested {
		v.plain = token
		return v, nil
	}
	if depth > deepest {
		return nil, &jsonError{v.at, fmt.Sprintf("objects and lists are nested more than %d deep", deepest)}
	}
	v.delim = delim
	for r.dec.More() {
		if delim == '[' {
			item, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			v.items = append(v.items, item)
			continue
		}
		if err := r.key(v, depth); err != nil {
			return nil, err
		}
	}
	_, err = r.dec.Token() // its end
	return v, err
}

func (r *jsonReader) key(v *jsonValue, depth int) error {
	start := r.begin()
	token, err := r.dec.Token()
	if err != nil {
		return err
	}
	at := r.span(start)
	name, _ := token.(string)
	if v.get(name) != nil {
		return &jsonError{at, fmt.Sprintf("the key %q stands twice in one object", name)}
	}
	value, err := r.value(depth + 1)
	if err != nil {
		return err
	}
	v.keys = append(v.keys, jsonKey{name, at, value})
	return nil
}

// begin is where the next token begins: behind what separates it from the last.
func (r *jsonReader) begin() int64 {
	at := r.dec.InputOffset()
	for at < int64(len(r.text)) && bytes.IndexByte([]byte(" \t\r\n,:"), r.text[at]) >= 0 {
		at++
	}
	return at
}

// span is the place from start to the end of what was read last, on one line.
func (r *jsonReader) span(start int64) hcl.Range {
	start = max(min(start, int64(len(r.text))), 0)
	before := r.text[:start]
	first := hcl.Pos{
		Line: bytes.Count(before, []byte("\n")) + 1, Column: len(before) - bytes.LastIndexByte(before, '\n'), Byte: int(start),
	}
	last := first
	if n := int(r.dec.InputOffset() - start); n > 0 {
		last.Column, last.Byte = first.Column+n, first.Byte+n
	}
	return hcl.Range{Filename: r.name, Start: first, End: last}
}
