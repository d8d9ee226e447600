package gates_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bargeml/barge/gates"
)

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := gates.Parse(`{"models": {"SparkModel": {"version": "3"}, "other": {"version": 7, "uri": "x"}},
		"metrics": {"accuracy": 0.81, "val/auc": 1e-3, "rows": 12},
		"output": {"rows_in": 768, "list": [1, null]}, "outcome": "inconclusive", "seed": 4}`)
	if err != nil {
		t.Fatal(err)
	}
	want := gates.Answer{
		Models:       map[string]string{"SparkModel": "3", "other": "7"},
		Metrics:      map[string]json.Number{"accuracy": "0.81", "val/auc": "1e-3", "rows": "12"},
		Output:       map[string]any{"rows_in": json.Number("768"), "list": []any{json.Number("1"), nil}},
		Inconclusive: true,
		Other:        map[string]any{"seed": json.Number("4")},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(gates.Answer{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	for name, c := range map[string]struct{ answer, says string }{
		"nothing":            {" \n", "dbutils.notebook.exit(json.dumps("},
		"text":               {"done", "the answer is no JSON"},
		"a dict as text":     {"{'metrics': {}}", "use json.dumps"},
		"NaN":                {`{"metrics": {"accuracy": 1, "auc": NaN}}`, `"auc" is NaN`},
		"Infinity":           {`{"output": [1, Infinity]}`, "a number in it is Infinity"},
		"-Infinity":          {`{"metrics": {"loss": -Infinity}}`, `"loss" is Infinity`},
		"too big a number":   {`{"metrics": {"loss": 1e999}}`, "metrics.loss is 1e999, not a finite number"},
		"a metric as text":   {`{"metrics": {"auc": "0.8"}}`, `metrics.auc is the string "0.8", not a number: write float(value)`},
		"a metric null":      {`{"metrics": {"auc": null}}`, "metrics.auc is null, not a number"},
		"a metric true":      {`{"metrics": {"auc": true}}`, "metrics.auc is true"},
		"metrics a list":     {`{"metrics": [1]}`, `"metrics" is a list, not an object`},
		"models a list":      {`{"models": ["3"]}`, `"models" is a list, not an object`},
		"a model as text":    {`{"models": {"m": "3"}}`, "models.m names no version"},
		"a model empty":      {`{"models": {"m": {"version": ""}}}`, "models.m names no version"},
		"a version null":     {`{"models": {"m": {"version": null}}}`, "models.m names no version"},
		"a list":             {`[1]`, "the answer is a list, not a JSON object"},
		"a number":           {`3`, "the answer is the number 3, not a JSON object"},
		"null":               {`null`, "the answer is null, not a JSON object"},
		"another outcome":    {`{"outcome": "passed"}`, `only "inconclusive" may be answered`},
		"outcome no text":    {`{"outcome": {}}`, `"outcome" is an object`},
		"a key twice":        {`{"metrics": {"auc": 0.4, "auc": 0.9}}`, `the answer has "metrics.auc" twice`},
		"a key twice on top": {`{"metrics": {}, "metrics": {}}`, `the answer has "metrics" twice`},
		"a key twice deep":   {`{"output": [{"a": {"b": 1, "b": 1}}]}`, `"output[0].a.b" twice`},
		"something follows":  {`{} {}`, "the answer is no JSON"},
		"cut":                {`{"metrics": {"auc": 0.`, "the answer is no JSON"},
		"too deep":           {`{"output": ` + deep + `}`, "the answer is no JSON"},
		"wrong case is else": {`{"Metrics": {"auc": NaN}}`, "NaN"},
	} {
		_, err := gates.Parse(c.answer)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %q", name, err, c.says)
		}
	}
	if _, err := gates.Parse(""); !errors.Is(err, gates.ErrNoAnswer) {
		t.Errorf("no answer: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "{}", `{"models":{"m":{"version":"3"}},"metrics":{"a":0.5},"output":[{}],"outcome":"inconclusive","x":1}`,
		`{"metrics":{"a":NaN}}`, `{"metrics":{"a":-Infinity}}`, `{"a":1,"a":2}`, "{'a': 1}", "\xff", `{"metrics":{"a":1e400}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := gates.Parse(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		if !json.Valid([]byte(text)) {
			t.Errorf("accepted %q, which is no JSON", text)
		}
		for name, n := range a.Metrics {
			if _, err := n.Float64(); err != nil {
				t.Errorf("metric %q is %q: %v", name, n, err)
			}
		}
	})
}
