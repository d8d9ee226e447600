package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Value is what a pointer holds: canonical JSON text (sorted keys, no insignificant space, no HTML escaping), so that
// two values are equal when the strings are. The zero Value is no value and does not marshal.
type Value string

// Two values that every pointer knows.
const (
	// Off is a pointer at rest: a job whose schedule is paused, an emptied slot, a stopped trigger.
	Off Value = `"off"`
	// Absent is a pointer that is not there at all.
	Absent Value = `"absent"`
)

// SlotPrefix begins the id of every pointer that is a slot. What a ledger ever put into a slot is remembered for ever,
// since emptying it removes exactly that.
const SlotPrefix = "slot:"

// Values are pointers' values by pointer id, which is also the name by which a person knows them: "job:nightly",
// "slot:SparkModel".
type Values map[string]Value

// ValueOf returns v as a canonical value.
func ValueOf(v any) (Value, error) {
	b, err := encode(v)
	if err != nil {
		return "", fmt.Errorf("encoding a pointer's value: %w", err)
	}
	return canonical(b)
}

// Decode stores what the value says in into, as encoding/json would.
func (v Value) Decode(into any) error { return json.Unmarshal([]byte(v), into) }

// MarshalJSON writes the value itself, not a string that contains it.
func (v Value) MarshalJSON() ([]byte, error) {
	if v == "" {
		return nil, errors.New("a pointer's value is missing")
	}
	return []byte(v), nil
}

// UnmarshalJSON reads any JSON and makes it canonical.
func (v *Value) UnmarshalJSON(b []byte) error {
	c, err := canonical(b)
	if err == nil {
		*v = c
	}
	return err
}

// canonical reads one JSON value; numbers keep the digits they were written with.
func canonical(b []byte) (Value, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return "", fmt.Errorf("reading a pointer's value: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("reading a pointer's value: something follows its end")
	}
	out, err := encode(tree)
	return Value(out), err
}

// encode is json.Marshal without HTML escaping; maps come out sorted.
func encode(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}
