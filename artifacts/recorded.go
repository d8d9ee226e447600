package artifacts

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// RecordedChange is something that barge.hcl says of two artifacts differently: of jobs, schedules, parameters, compute,
// bindings, slots.
type RecordedChange struct {
	What   string `json:"what"` // environment prod, score nightly: schedule.cron
	Change string `json:"change"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// DiffRecorded compares what two manifests record of barge.hcl. It is empty exactly when both say the same.
func DiffRecorded(a, b Manifest) ([]RecordedChange, error) {
	var before, after any
	for _, side := range []struct {
		raw  json.RawMessage
		into *any
	}{{a.Recorded, &before}, {b.Recorded, &after}} {
		if len(side.raw) == 0 {
			continue
		}
		if err := json.Unmarshal(side.raw, side.into); err != nil {
			return nil, fmt.Errorf("reading what the artifact records of its project: %w", err)
		}
	}
	d := recordedDiff{changes: []RecordedChange{}}
	d.compare(nil, nil, before, after)
	return d.changes, nil
}

type recordedDiff struct{ changes []RecordedChange }

func (d *recordedDiff) add(where, attr []string, change, before, after string) {
	what := strings.Join(where, ", ")
	if len(attr) > 0 {
		what = strings.TrimPrefix(what+": "+strings.Join(attr, "."), ": ")
	}
	d.changes = append(d.changes, RecordedChange{what, change, before, after})
}

// compare goes down both documents. A block, which has a name or a label in a list, is said to be new or gone as a whole.
func (d *recordedDiff) compare(where, attr []string, a, b any) {
	if reflect.DeepEqual(a, b) {
		return
	}
	x, isX := a.(map[string]any)
	y, isY := b.(map[string]any)
	if (isX || a == nil) && (isY || b == nil) {
		for _, key := range union(x, y) {
			if _, blocks := blockOf[key]; blocks && (named(x[key]) || named(y[key])) {
				d.blocks(where, key, x[key], y[key])
			} else if key == "artifact" && len(where) == 0 {
				d.compare([]string{key}, nil, x[key], y[key])
			} else {
				d.compare(where, append(slices.Clone(attr), key), x[key], y[key])
			}
		}
		return
	}
	if x, y := byKey(a), byKey(b); x != nil && y != nil && len(attr) > 0 {
		for _, key := range union(x, y) {
			at := slices.Clone(attr)
			at[len(at)-1] += "[" + key + "]"
			d.compare(where, at, x[key], y[key])
		}
		return
	}
	switch {
	case a == nil:
		d.add(where, attr, "new", "", shown(b))
	case b == nil:
		d.add(where, attr, "gone", shown(a), "")
	default:
		d.add(where, attr, "changed", shown(a), shown(b))
	}
}

// blockOf is what a block of each list is called.
var blockOf = map[string]string{
	"models": "model", "registries": "registry", "computes": "compute", "environments": "environment", "gates": "gate", "scores": "score",
}

func (d *recordedDiff) blocks(where []string, list string, a, b any) {
	x, y := byName(a), byName(b)
	for _, name := range union(x, y) {
		at := append(slices.Clone(where), blockOf[list]+" "+name)
		was, had := x[name]
		is, has := y[name]
		switch {
		case !had:
			d.add(at, nil, "new", "", "")
		case !has:
			d.add(at, nil, "gone", "", "")
		default:
			d.compare(at, nil, was, is)
		}
	}
}

func named(v any) bool {
	list, _ := v.([]any)
	return len(list) > 0 && len(byName(v)) == len(list)
}

// byName are the blocks of a list by their label, or name where they have none.
func byName(v any) map[string]any {
	out := map[string]any{}
	list, _ := v.([]any)
	for _, item := range list {
		fields, _ := item.(map[string]any)
		name, ok := fields["label"].(string)
		if !ok {
			name, ok = fields["name"].(string)
		}
		if ok {
			out[name] = item
		}
	}
	return out
}

// byKey are the elements of a list of a job's definition by their keys; nil where one has none.
func byKey(v any) map[string]any {
	out := map[string]any{}
	list, _ := v.([]any)
	for _, item := range list {
		fields, _ := item.(map[string]any)
		for _, name := range []string{"task_key", "job_cluster_key", "environment_key"} {
			if key, ok := fields[name].(string); ok {
				out[key] = item
				break // a task names its cluster, too
			}
		}
	}
	if len(out) == 0 || len(out) != len(list) {
		return nil
	}
	return out
}

func union(x, y map[string]any) []string {
	all := maps.Clone(x)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, y)
	return slices.Sorted(maps.Keys(all))
}

// shown is a value for people.
func shown(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
