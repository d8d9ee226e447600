package environments

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
)

// The file of a score's job is held against what the service takes, key by key: what it does not know it drops without
// a word, and what it refuses it would refuse in the middle of a promotion.

//go:embed jobkeys.txt
var jobKeysText []byte

// What a key of a job's settings holds, where it is no type with keys of its own, no list ([]) and no map ({}); words
// with | between them are the only ones it takes.
const (
	textKind   = "text"
	wholeKind  = "whole"
	numberKind = "number"
	flagKind   = "flag"
	anyKind    = "any"

	settingsType = "JobSettings"
	largestWhole = 1 << 53 // a larger one would be another after it was read as JSON
	largestJob   = 64 << 10
	mostTasks    = 100 // what the service gives back of a job in one answer
)

// jobKeys are the keys of each type, and what they hold.
var jobKeys = sync.OnceValue(func() map[string]map[string]string {
	types := map[string]map[string]string{}
	for line := range strings.Lines(string(jobKeysText)) {
		words := strings.Fields(line)
		types[words[0]] = map[string]string{}
		for _, word := range words[1:] {
			key, kind, _ := strings.Cut(word, "=")
			types[words[0]][key] = kind
		}
	}
	return types
})

// refusedKeys are those that the service knows and the file of a job must not have, with what to do instead.
var refusedKeys = map[string]string{
	settingsType + ".name":                "leave it out: barge calls the job by project, score and environment",
	settingsType + ".schedule":            "write schedule in barge.hcl: barge pauses and sets it",
	settingsType + ".run_as":              "write run_as in barge.hcl",
	settingsType + ".timeout_seconds":     "write timeout in barge.hcl: how long all tasks together may take",
	settingsType + ".max_concurrent_runs": "leave it out: one scoring runs at a time",
	settingsType + ".continuous":          "leave it out: a score runs by the schedule in barge.hcl",
	settingsType + ".trigger":             "leave it out: a score runs by the schedule in barge.hcl",
	settingsType + ".triggers":            "leave it out: a score runs by the schedule in barge.hcl",
	settingsType + ".git_source":          "leave it out: what runs is the release's own folder",
	settingsType + ".deployment":          "leave it out: the job is barge's",
	settingsType + ".edit_mode":           "leave it out: the job is barge's",
	settingsType + ".format":              "leave it out: the service says it",
	settingsType + ".parent_path":         "leave it out: the service says it",
}

// foreignTask says whether a key of a task makes it something else than a notebook.
func foreignTask(key string) bool { return strings.HasSuffix(key, "_task") && key != "notebook_task" }

// defineJobs reads the file of every score that names one. Without an artifact block nothing of it counts here.
func (l *loader) defineJobs() {
	if len(l.root.children["artifact"]) == 0 {
		return
	}
	for _, env := range l.root.children["environment"] {
		for _, n := range env.children["score"] {
			name := get[string](n, "job")
			if name == "" {
				continue
			}
			text, err := readText(l.opts.ReadFile, name)
			if err != nil {
				l.errorf(n, n.place("job"), "", "reading the job: %s", err)
				continue
			}
			l.sources[name] = []byte(text)
			if definition := l.define(n, name, text); definition != nil {
				n.values["definition"] = definition
			}
		}
	}
}

// define is the text of a job's file as the artifact records it; nil when it is none, which is then reported.
func (l *loader) define(n *node, name, text string) json.RawMessage {
	before := len(l.diags)
	v, err := readJSON(name, []byte(text))
	var wrong *jsonError
	switch {
	case errors.As(err, &wrong):
		l.errorf(n, wrong.at, "", "%s", wrong.why)
		return nil
	case v.delim == '{' && v.get("settings") != nil && v.get("tasks") == nil:
		l.errorf(n, v.at, "take what stands under settings, and no more", "this is a job, not the settings of one")
		return nil
	}
	f := jobFile{loader: l, in: n}
	if f.typed(v, settingsType, "the job") {
		f.settings(v)
	}
	if len(l.diags) > before {
		return nil
	}
	raw, err := recordedJob([]byte(text))
	switch {
	case err != nil:
		l.errorf(n, v.at, "", "%s", err)
	case len(raw) > largestJob:
		l.errorf(n, v.at, "make it of fewer tasks, or say what they share in job_clusters",
			"the job takes %d bytes, and at most %d are supported: every entry of a ledger has the jobs of twenty releases", len(raw), largestJob)
	}
	return raw
}

// recordedJob is a job's settings as canonical JSON, in an order that does not depend on that of the file: the service
// has one of its own.
func recordedJob(text []byte) (json.RawMessage, error) {
	var settings map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&settings); err != nil {
		return nil, fmt.Errorf("reading the job: %w", err)
	}
	for list, key := range keyedLists {
		all, _ := settings[list].([]any)
		slices.SortFunc(all, func(a, b any) int {
			x, _ := a.(map[string]any)
			y, _ := b.(map[string]any)
			return strings.Compare(fmt.Sprint(x[key]), fmt.Sprint(y[key]))
		})
	}
	return Canonical(settings)
}

// keyedLists are the lists of a job's settings whose elements are known by a key.
var keyedLists = map[string]string{"tasks": "task_key", "job_clusters": "job_cluster_key", "environments": "environment_key"}

// jobFile checks one file.
type jobFile struct {
	*loader
	in *node
}

func (f jobFile) errorf(at hcl.Range, hint, format string, args ...any) {
	f.loader.errorf(f.in, at, hint, format, args...)
}

// typed checks that a value is of a kind, with all in it, and says whether it is.
func (f jobFile) typed(v *jsonValue, kind, what string) bool {
	if of, list := strings.CutPrefix(kind, "[]"); list {
		ok := f.must(v, v.delim == '[', what, "a list")
		for _, item := range v.items {
			ok = f.typed(item, of, "an element of "+what) && ok
		}
		return ok
	}
	if of, table := strings.CutPrefix(kind, "{}"); table {
		ok := f.must(v, v.delim == '{', what, "an object")
		for _, k := range v.keys {
			ok = f.typed(k.value, of, fmt.Sprintf("%q", k.name)) && ok
		}
		return ok
	}
	number, isNumber := v.plain.(json.Number)
	text, isText := v.plain.(string)
	switch kind {
	case anyKind:
		return true
	case textKind:
		return f.must(v, isText, what, "text") && f.noSecret(v, what)
	case flagKind:
		return f.must(v, v.plain == true || v.plain == false, what, "true or false")
	case numberKind:
		_, err := number.Float64()
		return f.must(v, isNumber && err == nil, what, "a number")
	case wholeKind:
		n, err := number.Int64()
		return f.must(v, isNumber && err == nil && max(n, -n) <= largestWhole, what, "a whole number")
	}
	keys, object := jobKeys()[kind]
	if object {
		return f.must(v, v.delim == '{', what, "an object") && f.keys(v, kind, keys)
	}
	words := strings.Split(kind, "|")
	if isText && !slices.Contains(words, text) {
		f.errorf(v.at, didYouMean(text, "%q", words), "%s is %q, which the service does not know", what, text)
		return false
	}
	return f.must(v, isText, what, "text")
}

// noSecret wants what is a secret by its key to be named, not written: the artifact would keep it for ever.
func (f jobFile) noSecret(v *jsonValue, what string) bool {
	isSecret := what == `"password"` || what == `"log_analytics_primary_key"`
	if isSecret && !strings.HasPrefix(v.text(), "{{secrets/") {
		f.errorf(v.at, "write {{secrets/SCOPE/KEY}}, and take back what stood there: git keeps it", "%s must not hold a secret itself", what)
		return false
	}
	return true
}

func (f jobFile) must(v *jsonValue, is bool, what, wanted string) bool {
	if !is {
		hint := ""
		if v.what() == "null" {
			hint = "leave it out"
		}
		f.errorf(v.at, hint, "%s must be %s, not %s", what, wanted, v.what())
	}
	return is
}

// keys checks the keys of an object of a type.
func (f jobFile) keys(v *jsonValue, kind string, known map[string]string) bool {
	ok := true
	for _, k := range v.keys {
		holds, there := known[k.name]
		hint, refused := refusedKeys[kind+"."+k.name]
		switch {
		case refused:
			f.errorf(k.at, hint, "%q is not taken from the file of a job", k.name)
		case !there:
			f.errorf(k.at, f.meant(k.name, kind, known), "the service knows no %q here", k.name)
		case kind == "Task" && foreignTask(k.name):
			f.errorf(k.at, "write a notebook_task with a notebook of the release", "the job of a score runs notebooks, and this is a %s", k.name)
		case k.value.plain == "" && k.name != "default":
			f.errorf(k.at, "leave it out", "%q is empty", k.name)
		default:
			ok = f.typed(k.value, holds, fmt.Sprintf("%q", k.name)) && ok
			continue
		}
		ok = false
	}
	return ok
}

// meant is the key that was maybe meant: one that can stand there, and is near or begins so.
func (f jobFile) meant(name, kind string, known map[string]string) string {
	known = maps.Clone(known)
	maps.DeleteFunc(known, func(key, _ string) bool {
		return refusedKeys[kind+"."+key] != "" || kind == "Task" && foreignTask(key)
	})
	best := nearest(name, sorted(known))
	if i := slices.IndexFunc(sorted(known), func(key string) bool { return strings.HasPrefix(key, name) }); best == "" && i >= 0 {
		best = sorted(known)[i]
	}
	if best == "" {
		return "leave it out"
	}
	return fmt.Sprintf("did you mean %q?", best)
}
