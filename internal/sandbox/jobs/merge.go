package jobs

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// jsonOf is a value together with the text it came from.
type jsonOf[T any] struct {
	value T
	raw   []byte
}

func (j *jsonOf[T]) UnmarshalJSON(b []byte) error {
	j.raw = bytes.Clone(b)
	return json.Unmarshal(b, &j.value)
}

// keyed are the arrays of settings that an update merges, with what identifies an element.
var keyed = map[string]string{
	"tasks": "task_key", "job_clusters": "job_cluster_key", "environments": "environment_key", "parameters": "name",
}

// merge is what jobs/update makes of settings: top-level fields are replaced whole, the keyed arrays element by
// element, and then fields are removed, by name or as tasks/KEY and job_clusters/KEY.
func merge(old settings, change object, remove []string) (settings, error) {
	encoded, err := json.Marshal(old)
	if err != nil {
		return settings{}, err
	}
	fields := object{}
	if err := json.Unmarshal(encoded, &fields); err != nil {
		return settings{}, err
	}
	for name, value := range change {
		key, isArray := keyed[name]
		if isArray && fields[name] != nil {
			if value, err = mergeArray(fields[name], value, key); err != nil {
				return settings{}, err
			}
		}
		fields[name] = value
	}
	for _, path := range remove {
		if err := drop(fields, path); err != nil {
			return settings{}, err
		}
	}
	encoded, err = json.Marshal(fields)
	if err != nil {
		return settings{}, err
	}
	var merged settings
	return merged, wire.Unmarshal(encoded, &merged)
}

func mergeArray(old, change json.RawMessage, key string) (json.RawMessage, error) {
	var elements, changes []object
	if err := wire.Unmarshal(old, &elements); err != nil {
		return nil, err
	}
	if err := wire.Unmarshal(change, &changes); err != nil {
		return nil, err
	}
	for _, c := range changes {
		same := func(o object) bool { return bytes.Equal(o[key], c[key]) }
		if i := slices.IndexFunc(elements, same); i >= 0 {
			elements[i] = c
		} else {
			elements = append(elements, c)
		}
	}
	return json.Marshal(elements)
}

func drop(fields object, path string) error {
	name, element, nested := strings.Cut(path, "/")
	if !nested {
		delete(fields, name)
		return nil
	}
	if name != "tasks" && name != "job_clusters" {
		return wire.Invalid("Removing nested fields is not supported, except for tasks and job_clusters: %s", path)
	}
	var elements []object
	if fields[name] != nil {
		if err := wire.Unmarshal(fields[name], &elements); err != nil {
			return err
		}
	}
	quoted, err := json.Marshal(element)
	if err != nil {
		return err
	}
	elements = slices.DeleteFunc(elements, func(o object) bool { return bytes.Equal(o[keyed[name]], quoted) })
	fields[name], err = json.Marshal(elements)
	return err
}
