package release

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// What becomes of a job.
const (
	JobNew     = "new"
	JobChanged = "changed"
	JobOff     = "off" // its schedule is paused: the release does not have it
)

// JobChange is what becomes of the job of a score.
type JobChange struct {
	Score  string      `json:"score"`
	Change string      `json:"change"`
	Keys   []KeyChange `json:"keys"` // of its definition, but for the schedule
	// Before and After are its schedule in words, the same where it stays.
	Before string `json:"schedule_before,omitempty"`
	After  string `json:"schedule,omitempty"`
}

// KeyChange is one key of a definition; Before or After is absent where the key is new or gone.
type KeyChange struct {
	Key    string `json:"key"` // tasks[score].notebook_task.notebook_path
	Before any    `json:"before,omitempty"`
	After  any    `json:"after,omitempty"`
}

// SlotChange is which version is live in a slot, before and after. Before is empty where the slot is new, After where
// what stood there is taken out.
type SlotChange struct {
	ID     string `json:"id"`
	Model  string `json:"model"`
	Stage  string `json:"stage,omitempty"`
	Alias  string `json:"alias,omitempty"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Slot is the slot for people: "Staging", "alias champion".
func (c SlotChange) Slot() string {
	if c.Alias != "" {
		return "alias " + c.Alias
	}
	return c.Stage
}

// Stays is what a promotion leaves as it is.
type Stays struct {
	Jobs  int `json:"jobs"`
	Slots int `json:"slots"`
	Files int `json:"files"`
}

// pointers sorts what becomes of every pointer: of those that the release has, and of those that it has no more.
func (out *Shown) pointers(s ledger.State, plan *Plan) {
	to, _ := s.To(plan.Values)
	for _, id := range sorted(to) {
		before, after := s.Champion.Values[id], to[id]
		if s.Champion.Release.Artifact == "" && before == ledger.Off {
			before = "" // nothing was there before barge
		}
		score, isJob := strings.CutPrefix(id, ledger.JobPrefix)
		switch {
		case before == after && isJob:
			out.Stays.Jobs++
		case before == after:
			out.Stays.Slots++
		case isJob:
			out.Jobs = append(out.Jobs, jobChange(score, before, after))
		default:
			out.Slots = append(out.Slots, slotChange(id, before, after))
		}
	}
}

func slotChange(id string, before, after ledger.Value) SlotChange {
	c := SlotChange{ID: id, Before: versionIn(before), After: versionIn(after)}
	parts := strings.Split(strings.TrimPrefix(id, ledger.SlotPrefix), "/")
	if n := len(parts); n >= 3 { // registry/model/stage, or registry/model/@alias
		c.Model = strings.Join(parts[1:n-1], "/")
		if alias, is := strings.CutPrefix(parts[n-1], "@"); is {
			c.Alias = alias
		} else {
			c.Stage = parts[n-1]
		}
	}
	return c
}

// versionIn is a slot's value for people; "" is off.
func versionIn(v ledger.Value) string {
	var version string
	_ = v.Decode(&version) // off is no version
	return version
}

func jobChange(score string, before, after ledger.Value) JobChange {
	was, is := definition(before), definition(after)
	c := JobChange{Score: score, Change: JobChanged, Keys: []KeyChange{}, Before: scheduleOf(was), After: scheduleOf(is)}
	switch {
	case is == nil:
		c.Change, c.After = JobOff, ""
		return c
	case was == nil:
		c.Change = JobNew
	}
	old, now := map[string]any{}, map[string]any{}
	flatten("", was, old)
	flatten("", is, now)
	for _, key := range slices.Compact(slices.Sorted(slices.Values(append(sorted(old), sorted(now)...)))) {
		if !strings.HasPrefix(key, "schedule.") && !reflect.DeepEqual(old[key], now[key]) {
			c.Keys = append(c.Keys, KeyChange{key, old[key], now[key]})
		}
	}
	return c
}

// definition is a job's value as data; nil where it is off or not there.
func definition(v ledger.Value) map[string]any {
	var d map[string]any
	if v == "" || json.Unmarshal([]byte(v), &d) != nil {
		return nil
	}
	return d
}

// flatten gives every leaf of a definition the path to it. Of a list, elements go by their keys where they have one.
func flatten(at string, v any, into map[string]any) {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			flatten(strings.TrimPrefix(at+"."+key, "."), v[key], into)
		}
	case []any:
		for i, element := range v {
			name, ok := effects.KeyOf(element)
			if !ok {
				name = fmt.Sprint(i)
			}
			flatten(at+"["+name+"]", element, into)
		}
	case nil:
	default:
		into[at] = v
	}
}

func scheduleOf(d map[string]any) string {
	if d == nil {
		return ""
	}
	s, ok := d["schedule"].(map[string]any)
	if !ok {
		return "none"
	}
	words := scheduleInWords(fmt.Sprint(s["quartz_cron_expression"]), fmt.Sprint(s["timezone_id"]))
	if s["pause_status"] == "PAUSED" {
		words += ", paused"
	}
	return words
}
