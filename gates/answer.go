package gates

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bargeml/barge/environments"
)

// Answer is what a notebook said as its last act.
type Answer struct {
	// Models is the version that the notebook loaded (training: registered), by label.
	Models map[string]string
	// Metrics are finite, with the digits of the answer.
	Metrics map[string]json.Number
	// Output is any JSON, as encoding/json decodes it with UseNumber; nil when there is none.
	Output any
	// Inconclusive is "outcome": "inconclusive": a person decides.
	Inconclusive bool
	// Other are the other keys.
	Other map[string]any

	models map[string]any // as answered
}

// example is what errors tell the notebook's author to write.
const example = `dbutils.notebook.exit(json.dumps({"models": {"LABEL": {"version": "3"}}, "metrics": {"accuracy": 0.81}, "output": {}}))`

// ErrNoAnswer is Parse's error for a notebook that did not answer at all.
var ErrNoAnswer = errors.New("the notebook gave no answer: its last act must be " + example)

// Parse reads an answer: one JSON object, no key twice, models with versions, metrics finite. The error says what is
// wrong and what to write in the notebook.
func Parse(text string) (Answer, error) {
	if strings.TrimSpace(text) == "" {
		return Answer{}, ErrNoAnswer
	}
	top, err := object(text)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Models: map[string]string{}, Metrics: map[string]json.Number{}, Other: map[string]any{}}
	for _, key := range sortedKeys(top) {
		v := top[key]
		switch key {
		case "models":
			err = a.readModels(v)
		case "metrics":
			err = a.readMetrics(v)
		case "output":
			a.Output = v
		case "outcome":
			if a.Inconclusive = v == "inconclusive"; !a.Inconclusive {
				err = fmt.Errorf(`the answer's "outcome" is %s: only "inconclusive" may be answered; a gate fails by a condition, or by an assert`, show(v))
			}
		default:
			a.Other[key] = v
		}
		if err != nil {
			return Answer{}, err
		}
	}
	return a, nil
}

// Facts are the answer as conditions see it.
func (a Answer) Facts() environments.Facts {
	metrics := map[string]any{}
	for name, n := range a.Metrics {
		metrics[name] = n
	}
	facts := environments.Facts{Metrics: metrics, Output: a.Output, Models: a.models}
	if facts.Output == nil {
		facts.Output = map[string]any{} // what a condition names in it is missing, not null
	}
	return facts
}

func (a *Answer) readModels(v any) error {
	models, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf(`the answer's "models" is %s, not an object: write "models": {"LABEL": {"version": "3"}}`, show(v))
	}
	for _, label := range sortedKeys(models) {
		entry, _ := models[label].(map[string]any)
		switch version := entry["version"].(type) {
		case string:
			a.Models[label] = version
		case json.Number:
			a.Models[label] = version.String()
		}
		if a.Models[label] == "" {
			return fmt.Errorf(`the answer's models.%s names no version: write "models": {%q: {"version": "3"}}`, label, label)
		}
	}
	a.models = models
	return nil
}

func (a *Answer) readMetrics(v any) error {
	metrics, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf(`the answer's "metrics" is %s, not an object: write "metrics": {"accuracy": 0.81}`, show(v))
	}
	for _, name := range sortedKeys(metrics) {
		n, ok := metrics[name].(json.Number)
		if !ok {
			return fmt.Errorf(`the answer's metrics.%s is %s, not a number: write float(value)`, name, show(metrics[name]))
		}
		if f, err := n.Float64(); err != nil || math.IsInf(f, 0) {
			return fmt.Errorf("the answer's metrics.%s is %.40s, not a finite number", name, n)
		}
		a.Metrics[name] = n
	}
	return nil
}

// object reads one JSON object and refuses a key that stands twice anywhere in it.
func object(text string) (map[string]any, error) {
	// Unmarshal also bounds the depth, which the walk below does not.
	if err := json.Unmarshal([]byte(text), new(json.RawMessage)); err != nil {
		return nil, notJSON(text, err)
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	v, err := walk(dec, "")
	if err != nil {
		return nil, err
	}
	top, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the answer is %s, not a JSON object: write %s", show(v), example)
	}
	return top, nil
}

// walk decodes the next value of valid JSON.
func walk(dec *json.Decoder, path string) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	switch token {
	case json.Delim('{'):
		return walkObject(dec, path)
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := walk(dec, path+"["+strconv.Itoa(len(list))+"]")
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	}
	return token, nil
}

func walkObject(dec *json.Decoder, path string) (any, error) {
	fields := map[string]any{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("reading the answer: %w", err)
		}
		key, _ := token.(string)
		at := strings.TrimPrefix(path+"."+key, ".")
		if _, twice := fields[key]; twice {
			return nil, fmt.Errorf("the answer has %q twice", at)
		}
		if fields[key], err = walk(dec, at); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token()
	return fields, err
}

var lastKey = regexp.MustCompile(`"([^"\\]*)"\s*:\s*-?$`)

// notJSON says why the answer is no JSON, as far as its author can do something about it.
func notJSON(text string, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset > 0 && syntax.Offset <= int64(len(text)) {
		before, rest := text[:syntax.Offset-1], text[syntax.Offset-1:]
		for _, word := range []string{"NaN", "Infinity"} {
			if strings.HasPrefix(rest, word) {
				name := "a number in it"
				if m := lastKey.FindStringSubmatch(before); m != nil {
					name = strconv.Quote(m[1])
				}
				return fmt.Errorf("the answer is no JSON: %s is %s, which json.dumps writes and JSON does not have; leave it out, or find out why it is not a number", name, word)
			}
		}
	}
	hint := ""
	if strings.HasPrefix(strings.TrimSpace(text), "{'") {
		hint = ": it is a Python dict as text; use json.dumps"
	}
	return fmt.Errorf("the answer is no JSON (%w)%s: it begins %s; write %s", err, hint, strconv.Quote(short(text, 60)), example)
}

// show names a decoded value for an error.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "the string " + strconv.Quote(short(v, 40))
	case json.Number:
		return "the number " + short(v.String(), 40)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return "a list"
	}
	return "an object"
}

// short cuts text to at most n characters.
func short(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n]) + "…"
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
