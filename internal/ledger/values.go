package ledger

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bargeml/barge/environments"
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

// JobPrefix begins the id of every pointer that is the job of a score.
const JobPrefix = "job:"

// Values are pointers' values by pointer id, which is also the name by which a person knows them: "job:nightly",
// "slot:shared/SparkModel/Staging".
type Values map[string]Value

// ValueOf returns v as a canonical value.
func ValueOf(v any) (Value, error) {
	b, err := environments.Canonical(v)
	if err != nil {
		return "", fmt.Errorf("encoding a pointer's value: %w", err)
	}
	return Value(b), nil
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
func (v *Value) UnmarshalJSON(b []byte) (err error) {
	*v, err = ValueOf(json.RawMessage(b))
	return err
}
