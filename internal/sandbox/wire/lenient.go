package wire

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// Bool reads true and false, with or without quotes, as the service's parser does; null is false.
type Bool bool

// UnmarshalJSON implements json.Unmarshaler.
func (b *Bool) UnmarshalJSON(raw []byte) error {
	switch strings.ToLower(strings.Trim(string(raw), `"`)) {
	case "true":
		*b = true
	case "false", "null", "":
		*b = false
	default:
		return mistyped(raw, reflect.TypeFor[bool]())
	}
	return nil
}

// Int reads a whole number, with or without quotes, as the service's parser does; null is 0.
type Int int64

// UnmarshalJSON implements json.Unmarshaler.
func (i *Int) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		*i = 0
		return nil
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return mistyped(raw, reflect.TypeFor[int64]())
	}
	*i = Int(n)
	return nil
}

// mistyped is the error of encoding/json, which adds the field.
func mistyped(raw []byte, want reflect.Type) error {
	kinds := map[byte]string{'"': "string", '{': "object", '[': "array", 't': "boolean", 'f': "boolean"}
	kind, ok := kinds[raw[0]]
	if !ok {
		kind = "number"
	}
	return &json.UnmarshalTypeError{Value: kind, Type: want}
}

// Flag reads a boolean of a query or a form; absent is the given default.
func Flag(text string, absent bool) (bool, error) {
	switch strings.ToLower(text) {
	case "":
		return absent, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, Invalid("expected true or false, got %q", text)
}

// Number reads a whole number of a query or a form; absent is the given default.
func Number(name, text string, absent int64) (int64, error) {
	if text == "" {
		return absent, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, Invalid("Could not parse %s: %q is not a whole number", name, text)
	}
	return n, nil
}

// Missing is the answer to a request that leaves out a field it must have.
func Missing(field string) *Error {
	return Invalid("Missing required field: %s", field)
}
