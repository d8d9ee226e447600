package environments

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answer decodes facts as a judge does.
func answer(t *testing.T, text string) Facts {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var f Facts
	if err := dec.Decode(&f); err != nil {
		t.Fatal(err)
	}
	return f
}

const told = `{
	"Metrics": {"accuracy": 0.7, "val/auc": 0.9, "f1-macro": 0.5, "none": null, "word": "0.9", "huge": 1e400, "tiny": 1e-7},
	"Output": {"rows_in": 768, "rows_out": 768, "bad": 0, "none": null, "list": [1, 2], "big": 9007199254740993, "ok": true,
		"text": "768", "odd": [1, null]},
	"Models": {"SparkModel": {"version": "3"}}}`

func TestEvaluate(t *testing.T) {
	champion := answer(t, `{"Metrics": {"accuracy": 0.71}, "Release": "1.0.0", "Output": {"rows_in": 700}, "Models": {}}`)
	for _, c := range []struct {
		when, that string
		champion   bool
		outcome    Outcome
		text       string
	}{
		{that: "metrics.accuracy >= 0.77", outcome: False, text: "metrics.accuracy >= 0.77, with metrics.accuracy as 0.7"},
		{that: "metrics.accuracy >= 0.7", outcome: Held, text: "metrics.accuracy >= 0.7, with metrics.accuracy as 0.7"},
		{that: "metrics.accuracy == 0.7 && metrics.accuracy <= 0.7", outcome: Held},
		{that: "metrics.accuracy < 0.7", outcome: False},
		{that: "metrics.accuracy != 0.7", outcome: False},
		{that: `metrics["val/auc"] > 0.8`, outcome: Held, text: `metrics["val/auc"] > 0.8, with metrics["val/auc"] as 0.9`},
		{that: "metrics.f1-macro == 0.5", outcome: Held, text: "metrics.f1-macro == 0.5, with metrics.f1-macro as 0.5"},
		{that: "metrics.tiny < 0.001", outcome: Held, text: "metrics.tiny < 0.001, with metrics.tiny as 1e-07"},
		{that: "output.big == 9007199254740993", outcome: Held, text: "output.big == 9007199254740993, with output.big as 9007199254740993"},
		{
			that: "output.rows_in > 0 && output.rows_out == output.rows_in", outcome: Held,
			text: "output.rows_in > 0 && output.rows_out == output.rows_in, with output.rows_in as 768 and output.rows_out as 768",
		},
		{that: `models.SparkModel.version == "3"`, outcome: Held, text: `models.SparkModel.version == "3", with models.SparkModel.version as "3"`},
		{that: "output.list[1] == 2", outcome: Held, text: "output.list[1] == 2, with output.list[1] as 2"},
		{that: "length(output.list) == 2", outcome: Held, text: "length(output.list) == 2"},
		{that: "length(metrics) == 7", outcome: Errored, text: `length(metrics) == 7: metrics.huge is 1e400, not a finite number`},
		{that: "output.ok", outcome: Held, text: "output.ok, with output.ok as true"},
		{that: `output.text == "768"`, outcome: Held},
		{that: "abs(metrics.accuracy - 0.8) <= 0.1", outcome: Held},
		{that: "max(metrics.accuracy, 0.9) == 0.9 ? true : false", outcome: Held},

		// what HCL's own operators swallow
		{that: "metrics.typo > 1 || metrics.accuracy > 0.5", outcome: Errored, text: "metrics.typo > 1 || metrics.accuracy > 0.5: metrics.typo is missing"},
		{that: "metrics.accuracy > 0.5 || metrics.typo > 1", outcome: Errored},
		{that: "metrics.accuracy > 0.9 && metrics.typo > 1", outcome: Errored},
		{that: "metrics.accuracy > 0.5 ? true : metrics.typo > 1", outcome: Errored},
		{that: "metrics.acuracy > 0.5", outcome: Errored, text: `metrics.acuracy > 0.5: metrics.acuracy is missing (did you mean "accuracy"?)`},
		{
			that: "output.rows_in / output.bad > 1 || output.ok", outcome: Errored,
			text: "output.rows_in / output.bad > 1 || output.ok, with output.rows_in as 768, output.bad as 0 and output.ok as true: the result is not finite",
		},
		{that: "output.bad > 0 && output.rows_in / output.bad > 1", outcome: False},

		// facts that are none
		{that: "metrics.none > 0.5", outcome: Errored, text: "metrics.none > 0.5: metrics.none is null"},
		{that: "metrics.none > 0.5 || true", outcome: Errored},
		{that: "metrics.word > 0.5", outcome: Errored, text: "metrics.word > 0.5: metrics.word is text, not a number"},
		{that: "metrics.huge > 0.5", outcome: Errored, text: "metrics.huge > 0.5: metrics.huge is 1e400, not a finite number"},
		{that: "output.none == null", outcome: Errored},
		{that: "length(output.odd) == 2", outcome: Errored, text: "length(output.odd) == 2: output.odd[1] is null"},
		{that: "output.list[2] > 0", outcome: Errored, text: "output.list[2] > 0: output.list[2] is missing"},
		{that: "output.rows_in.x > 0", outcome: Errored, text: "output.rows_in.x > 0: output.rows_in has nothing in it"},
		{that: "output.text > 1", outcome: Errored, text: `output.text > 1, with output.text as "768": this must be a number, not text`},
		{that: "output.text != 768", outcome: Errored, text: `output.text != 768, with output.text as "768": text and a number cannot be equal`},
		{that: "output.rows_in", outcome: Errored},
		{that: `output.text`, outcome: Errored},
		{that: "!output.text", outcome: Errored},
		{that: "models.Other.version == \"3\"", outcome: Errored, text: `models.Other.version == "3": models.Other is missing`},

		// what HCL's functions convert or make up
		{that: "abs(output.text) > 1", outcome: Errored, text: `abs(output.text) > 1, with output.text as "768": this must be a number, not text`},
		{that: "max(metrics.accuracy, output.text) > 1", outcome: Errored},
		{that: `max(metrics.accuracy, "0.9") > 0.8`, outcome: Errored},
		{that: `startswith(metrics.accuracy, "0.7")`, outcome: Errored},
		{that: `upper(output.ok) == "TRUE"`, outcome: Errored},
		{that: `lookup(metrics, "typo", 0.9) > 0.5`, outcome: Errored, text: `lookup(metrics, "typo", 0.9) > 0.5: lookup() is not allowed in a condition (a fact that is missing must not be made up: name it outright)`},
		{that: `tonumber(output.text) > 0.5`, outcome: Errored},
		{that: `!contains(output.list, "1")`, outcome: Errored, text: `!contains(output.list, "1"): a number and text cannot be equal`},
		{that: `contains(output.list, 1)`, outcome: Held},
		{that: `!contains(["a", "b"], output.text)`, outcome: Held},
		{that: `contains(["768"], output.rows_in)`, outcome: Errored},
		{that: `max(output.list...) == 2`, outcome: Held},
		{that: `matches("^7", output.text) && startswith(output.text, "7") && !endswith(output.text, "7")`, outcome: Held},
		{that: `matches("^(7", output.text)`, outcome: Errored},
		{that: `contains(keys(output), "rows_in")`, outcome: Errored, text: `contains(keys(output), "rows_in"): output.none is null`},
		{that: "output.rows_in % output.bad == 0", outcome: Errored},
		{that: "output.rows_in % -output.bad != 0", outcome: Errored},
		{that: "output.rows_in % 5 == 3", outcome: Held},
		{that: "1 / 0 > 1 || true", outcome: Errored},
		{that: "-output.text < 0", outcome: Errored},
		{that: "output.list[-1] > 0", outcome: Errored},
		{that: "output.list == 2", outcome: Errored},
		{that: `output["rows_in"] == 768 && output["list"][0] == 1`, outcome: Held},
		{that: `"${metrics.typo}" == "1" || true`, outcome: Errored},
		{that: `"${metrics.accuracy}" == "0.7"`, outcome: Errored},
		{that: `"${metrics.accuracy}!" == "0.7!"`, outcome: Held},
		{that: "output.rows_in % (output.bad * 2) != 0", outcome: Errored, text: "output.rows_in % (output.bad * 2) != 0, with output.rows_in as 768 and output.bad as 0: the result is not finite"},
		{that: "null", outcome: Errored},
		{that: "metrics.accuracy > null", outcome: Errored},
		{that: "metrics.accuracy > 1e5000 || true", outcome: Errored},
		{that: "metrics", outcome: Errored},
		{that: "metrics[*].accuracy == 1", outcome: Errored},

		// the first release has no champion
		{when: "champion != null", that: "metrics.accuracy >= champion.metrics.accuracy", outcome: Skipped, text: "champion != null, with champion as null"},
		{
			that: "metrics.accuracy >= champion.metrics.accuracy", outcome: Errored,
			text: "metrics.accuracy >= champion.metrics.accuracy: there is no champion yet: write when = champion != null",
		},
		{that: "champion == null || metrics.accuracy >= champion.metrics.accuracy", outcome: Errored},
		{that: "champion == null", outcome: Errored},
		{when: "champion != null && champion.metrics.accuracy > 0.5", that: "true", outcome: Errored},
		{when: "champion == null", that: "metrics.accuracy > 0.6", outcome: Held},

		// and later ones have
		{
			when: "champion != null", that: "metrics.accuracy >= champion.metrics.accuracy", champion: true, outcome: False,
			text: "metrics.accuracy >= champion.metrics.accuracy, with metrics.accuracy as 0.7 and champion.metrics.accuracy as 0.71",
		},
		{when: "champion != null", that: "metrics.accuracy >= champion.metrics.accuracy - 0.01", champion: true, outcome: Held},
		{that: `champion.release == "1.0.0"`, champion: true, outcome: Held},
		{that: "champion.metrics.other > 0", champion: true, outcome: Errored, text: "champion.metrics.other > 0: champion.metrics.other is missing"},
		{that: "metrics.accuracy > 0 || champion.metrics.other > 0", champion: true, outcome: Errored},
		{when: "metrics.typo > 0", that: "true", outcome: Errored, text: "metrics.typo > 0: metrics.typo is missing"},
		{when: "output.rows_in > 1000", that: "metrics.typo > 0", outcome: Skipped, text: "output.rows_in > 1000, with output.rows_in as 768"},

		// what is no condition at all, say of a ledger that was changed
		{that: "metrics.accuracy >", outcome: Errored},
		{that: "", outcome: Errored},
		{that: "var.x > 1", outcome: Errored},
		{that: `env("HOME") == ""`, outcome: Errored},
		{that: "try(metrics.accuracy, 1) > 0.5", outcome: Errored},
	} {
		f := answer(t, told)
		if c.champion {
			f.Champion = &champion
		}
		got := Evaluate(Expect{Name: "e", When: c.when, That: c.that}, f)
		want := Finding{Name: "e", Outcome: c.outcome, Text: c.text}
		if c.text == "" {
			want.Text = got.Text
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("when %q that %q: %s", c.when, c.that, diff)
		}
	}
}

// TestEvaluateTakesEveryNumber: facts decoded without UseNumber, and those that Go code makes.
func TestEvaluateTakesEveryNumber(t *testing.T) {
	for _, c := range []struct {
		value   any
		outcome Outcome
	}{
		{0.7, Held},
		{float32(0.7), Held},
		{json.Number("0.70"), Held},
		{json.Number("7e-1"), Held},
		{1, False},
		{int64(1), False},
		{uint8(1), False},
		{math.NaN(), Errored},
		{math.Inf(1), Errored},
		{math.Inf(-1), Errored},
		{json.Number("NaN"), Errored},
		{json.Number(""), Errored},
		{struct{}{}, Errored},
		{nil, Errored},
		{[]string{"0.7"}, Errored},
	} {
		f := Facts{Metrics: map[string]any{"a": c.value, "b": 1.0}}
		for _, that := range []string{"metrics.a == 0.7", "metrics.a >= 0.7 && metrics.a <= 0.7"} {
			if got := Evaluate(Expect{That: that}, f); got.Outcome != c.outcome {
				t.Errorf("%v: %s is %s, want %s", c.value, that, got.Outcome, c.outcome)
			}
		}
		if got := Evaluate(Expect{That: "metrics.b == 1"}, f); got.Outcome != Held {
			t.Errorf("%v beside it: %s", c.value, got.Text)
		}
	}
}

// TestComparisonsAreDecimal: every threshold of two digits, come by a subtraction, is the number it looks like.
func TestComparisonsAreDecimal(t *testing.T) {
	for i := 1; i < 100; i++ {
		f := Facts{Metrics: map[string]any{"a": float64(i) / 100}, Champion: &Facts{Metrics: map[string]any{"a": float64(i+1) / 100}}}
		if got := Evaluate(Expect{That: "metrics.a >= champion.metrics.a - 0.01 && metrics.a == champion.metrics.a - 0.01"}, f); got.Outcome != Held {
			t.Error(got.Text)
		}
	}
}

func TestParseExpect(t *testing.T) {
	for _, c := range []struct{ when, that, wantWhen, wantThat, err string }{
		{that: "metrics.a>=0.5", wantThat: "metrics.a >= 0.5"},
		{that: "  (metrics.a\n  >= 0.5) # why\n", wantThat: "(metrics.a >= 0.5)"},
		{when: "champion!=null", that: "contains([ 1,2 ],output.n)", wantWhen: "champion != null", wantThat: "contains([1, 2], output.n)"},
		{that: `output.s == "a  b"`, wantThat: `output.s == "a  b"`},
		{that: `output.s == "a  ${ output.t } b "`, wantThat: `output.s == "a  ${output.t} b "`},
		{that: "(output.s ==\n \"a  ${ output.t } b \")", wantThat: `(output.s == "a  ${output.t} b ")`},
		{that: `metrics["val/auc"]>0.5`, wantThat: `metrics["val/auc"] > 0.5`},
		{that: "", err: `reading that of expect "e": `},
		{when: "1", that: "true", err: `reading when of expect "e": a condition must be true or false, and this is a number`},
		{that: "metric.a > 1", err: `reading that of expect "e": unknown name "metric.a" in a condition (did you mean metrics?)`},
	} {
		got, err := ParseExpect("e", c.when, c.that)
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("%q: error %v, want %s", c.that, err, c.err)
			}
			continue
		}
		if diff := cmp.Diff(Expect{Name: "e", When: c.wantWhen, That: c.wantThat}, got); diff != "" || err != nil {
			t.Errorf("%q: %v %s", c.that, err, diff)
		}
		again, err := ParseExpect(got.Name, got.When, got.That)
		if diff := cmp.Diff(got, again); diff != "" || err != nil {
			t.Errorf("%q, read back: %v %s", c.that, err, diff)
		}
	}
}
