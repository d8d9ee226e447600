package gates_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/gates"
)

// question is a gate with two models and two expects, of a second release.
func question() gates.Question {
	return gates.Question{
		Told: map[string]string{"SparkModel": "3", "encoder": "7"},
		Expects: []environments.Expect{
			{Name: "accurate enough", That: "metrics.accuracy >= 0.77"},
			{Name: "no worse", When: "champion != null", That: "metrics.accuracy >= champion.metrics.accuracy - 0.01"},
		},
		Champion: &environments.Facts{Metrics: map[string]any{"accuracy": 0.8}, Output: map[string]any{"note": nil}, Release: "1.3.0"},
	}
}

const models = `"models": {"SparkModel": {"version": "3"}, "encoder": {"version": "7"}}`

func answered(rest string) gates.Run {
	return gates.Run{Result: "SUCCESS", URL: "https://host/run/1", Answer: "{" + models + ", " + rest + "}"}
}

// TestJudge has every row of the table of outcomes.
func TestJudge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		run    gates.Run
		change func(*gates.Question)
		want   gates.Outcome
		says   string
	}{
		"every condition true": {run: answered(`"metrics": {"accuracy": 0.81}`), want: gates.Passed},
		"a condition false": {
			run: answered(`"metrics": {"accuracy": 0.7}`), want: gates.Failed,
			says: "accurate enough: metrics.accuracy >= 0.77, with metrics.accuracy as 0.7",
		},
		"worse than the champion": {
			run: answered(`"metrics": {"accuracy": 0.785}`), want: gates.Failed, says: "no worse: metrics.accuracy >= champion.metrics.accuracy - 0.01",
		},
		"no champion yet": {
			run: answered(`"metrics": {"accuracy": 0.785}`), change: func(q *gates.Question) { q.Champion = nil }, want: gates.Passed,
		},
		"an assert": {
			run: gates.Run{Result: "FAILED", Error: "AssertionError: too few rows", URL: "https://host/run/1"}, want: gates.Failed,
			says: "AssertionError: too few rows: see https://host/run/1",
		},
		"an assert without words": {run: gates.Run{Result: "FAILED", Error: "AssertionError"}, want: gates.Failed},
		"another exception":       {run: gates.Run{Result: "FAILED", Error: "ValueError: x"}, want: gates.Errored, says: "the run ended FAILED: ValueError: x"},
		"an exception that quotes an assert": {
			run: gates.Run{Result: "FAILED", Error: "RuntimeError: AssertionError: x"}, want: gates.Errored,
		},
		"an exception of a like name": {run: gates.Run{Result: "FAILED", Error: "AssertionErrors: x"}, want: gates.Errored},
		"failed without a word":       {run: gates.Run{Result: "FAILED"}, want: gates.Errored, says: "no reason was given"},
		"timed out":                   {run: gates.Run{Result: "TIMEDOUT", Message: "after 30 minutes"}, want: gates.Errored, says: "TIMEDOUT: after 30 minutes"},
		"cancelled":                   {run: gates.Run{Result: "CANCELED", Error: "AssertionError: x"}, want: gates.Errored},
		"skipped":                     {run: gates.Run{Result: "SKIPPED"}, want: gates.Errored},
		"the service broke":           {run: gates.Run{Result: "INTERNAL_ERROR", Message: "no cluster"}, want: gates.Errored, says: "no cluster"},
		"partly a success":            {run: gates.Run{Result: "SUCCESS_WITH_FAILURES", Answer: "{}"}, want: gates.Errored},
		"no result":                   {run: gates.Run{}, want: gates.Errored, says: "without a result"},
		"no answer":                   {run: gates.Run{Result: "SUCCESS"}, want: gates.Errored, says: "dbutils.notebook.exit(json.dumps("},
		"no JSON":                     {run: gates.Run{Result: "SUCCESS", Answer: "ok"}, want: gates.Errored, says: "no JSON"},
		"truncated": {
			run: func() gates.Run {
				r := answered(`"metrics": {"accuracy": 0.81}`)
				r.Truncated = true
				return r
			}(), want: gates.Errored, says: "was cut",
		},
		"a fact missing":    {run: answered(`"metrics": {"auc": 0.9}`), want: gates.Errored, says: "metrics.accuracy is missing"},
		"no metrics at all": {run: answered(`"output": {}`), want: gates.Errored, says: "metrics.accuracy is missing"},
		"a fact NaN":        {run: answered(`"metrics": {"accuracy": NaN}`), want: gates.Errored, says: `"accuracy" is NaN`},
		"a fact no number":  {run: answered(`"metrics": {"accuracy": "0.9"}`), want: gates.Errored, says: "not a number"},
		"a fact missing, another is true": {
			run: answered(`"metrics": {"accuracy": 0.9}`), want: gates.Errored, says: "metrics.typo is missing",
			change: func(q *gates.Question) { q.Expects[0].That = "metrics.typo > 1 || metrics.accuracy > 0.5" },
		},
		"a fact of the champion missing": {
			run: answered(`"metrics": {"accuracy": 0.9}`), want: gates.Errored, says: "champion.metrics.accuracy is missing",
			change: func(q *gates.Question) {
				q.Champion = &environments.Facts{Metrics: map[string]any{"auc": 1}, Output: map[string]any{}}
			},
		},
		"a fact missing and a condition false": {
			run: answered(`"metrics": {"accuracy": 0.1}`), want: gates.Errored,
			change: func(q *gates.Question) { q.Expects[1].That = "metrics.typo > 1" },
		},
		"another version loaded": {
			run:  gates.Run{Result: "SUCCESS", Answer: `{"models": {"SparkModel": {"version": "2"}, "encoder": {"version": "7"}}, "metrics": {"accuracy": 0.9}}`},
			want: gates.Errored, says: "loaded version 2 of SparkModel and was told 3",
		},
		"a model not named": {
			run:  gates.Run{Result: "SUCCESS", Answer: `{"models": {"SparkModel": {"version": "3"}}, "metrics": {"accuracy": 0.9}}`},
			want: gates.Errored, says: `dbutils.widgets.get("barge_model_encoder_version")`,
		},
		"no model named": {
			run: gates.Run{Result: "SUCCESS", Answer: `{"metrics": {"accuracy": 0.9}}`}, want: gates.Errored, says: "which version of SparkModel",
		},
		"a model that the gate need not load": {
			run:    gates.Run{Result: "SUCCESS", Answer: `{"models": {"SparkModel": {"version": "3"}}, "metrics": {"accuracy": 0.9}}`},
			change: func(q *gates.Question) { q.Models = []string{"SparkModel"} }, want: gates.Passed,
		},
		"a model that the gate need not load, in another version": {
			run:    gates.Run{Result: "SUCCESS", Answer: `{"models": {"SparkModel": {"version": "3"}, "encoder": {"version": "8"}}, "metrics": {"accuracy": 0.9}}`},
			change: func(q *gates.Question) { q.Models = []string{"SparkModel"} }, want: gates.Errored, says: "version 8 of encoder",
		},
		"a gate that loads no model": {
			run:    gates.Run{Result: "SUCCESS", Answer: `{"metrics": {"accuracy": 0.9}}`},
			change: func(q *gates.Question) { q.Models = []string{} }, want: gates.Passed,
		},
		"inconclusive": {
			run: answered(`"metrics": {"accuracy": 0.9}, "outcome": "inconclusive"`), want: gates.Inconclusive, says: "asks for a person",
		},
		"inconclusive and a condition false": {run: answered(`"metrics": {"accuracy": 0.1}, "outcome": "inconclusive"`), want: gates.Failed},
		"inconclusive and a fact missing":    {run: answered(`"outcome": "inconclusive"`), want: gates.Errored},
		"another outcome":                    {run: answered(`"metrics": {"accuracy": 0.9}, "outcome": "passed"`), want: gates.Errored},
		"a gate without expects needs an answer": {
			run: gates.Run{Result: "SUCCESS"}, change: func(q *gates.Question) { q.Expects = nil }, want: gates.Errored,
		},
		"a score without expects needs none": {
			run:    gates.Run{Result: "SUCCESS"},
			change: func(q *gates.Question) { q.Expects, q.Optional = nil, true }, want: gates.Passed,
		},
		"a score without expects, its answer no JSON": {
			run:    gates.Run{Result: "SUCCESS", Answer: "194 rows"},
			change: func(q *gates.Question) { q.Expects, q.Optional = nil, true }, want: gates.Passed,
		},
		"a score without expects, another version loaded": {
			run:    gates.Run{Result: "SUCCESS", Answer: `{"models": {"SparkModel": {"version": "2"}}}`},
			change: func(q *gates.Question) { q.Expects, q.Optional = nil, true }, want: gates.Errored,
		},
		"a score without expects, failed": {
			run:    gates.Run{Result: "FAILED", Error: "AssertionError: no rows"},
			change: func(q *gates.Question) { q.Expects, q.Optional = nil, true }, want: gates.Failed,
		},
		"a training names what it registered": {
			run:    gates.Run{Result: "SUCCESS", Answer: `{"models": {"SparkModel": {"version": "9"}}}`},
			change: func(q *gates.Question) { *q = gates.Question{Told: map[string]string{"SparkModel": ""}} }, want: gates.Passed,
		},
		"a training that does not say what it registered": {
			run:    gates.Run{Result: "SUCCESS", Answer: `{"models": {"spark": {"version": "3"}}}`},
			change: func(q *gates.Question) { *q = gates.Question{Told: map[string]string{"SparkModel": ""}} }, want: gates.Errored,
			says: `which version of SparkModel the notebook registered: write "models": {"SparkModel": {"version": "3"}} with what mlflow.register_model`,
		},
	} {
		q := question()
		if c.change != nil {
			c.change(&q)
		}
		v := gates.Judge(q, c.run)
		reasons := strings.Join(v.Reasons, "\n")
		if v.Outcome != c.want || !strings.Contains(reasons, c.says) {
			t.Errorf("%s: %s, want %s saying %q; it says:\n%s", name, v.Outcome, c.want, c.says, reasons)
		}
		if (v.Outcome == gates.Passed) != (len(v.Reasons) == 0) {
			t.Errorf("%s: %s with %d reasons", name, v.Outcome, len(v.Reasons))
		}
	}
}

func TestJudgeTellsEveryFinding(t *testing.T) {
	t.Parallel()
	q := question()
	q.Champion = nil
	v := gates.Judge(q, answered(`"metrics": {"accuracy": 0.7}`))
	want := []environments.Finding{
		{Name: "accurate enough", Outcome: environments.False, Text: "metrics.accuracy >= 0.77, with metrics.accuracy as 0.7"},
		{Name: "no worse", Outcome: environments.Skipped, Text: "champion != null, with champion as null"},
	}
	if diff := cmp.Diff(want, v.Findings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestChampionFacts(t *testing.T) {
	t.Parallel()
	q := gates.Question{Told: map[string]string{"SparkModel": "1"}}
	facts, err := q.Facts(gates.Run{Result: "SUCCESS", Answer: `{"models": {"SparkModel": {"version": "1"}}, "metrics": {"accuracy": 0.3}}`}, "1.0.0")
	if err != nil || facts.Release != "1.0.0" || len(facts.Metrics) != 1 {
		t.Errorf("%+v, %v", facts, err)
	}
	for name, r := range map[string]gates.Run{
		"an assert":       {Result: "FAILED", Error: "AssertionError: x"},
		"no answer":       {Result: "SUCCESS"},
		"another version": {Result: "SUCCESS", Answer: `{"models": {"SparkModel": {"version": "2"}}}`},
	} {
		if _, err := q.Facts(r, "1.0.0"); err == nil || !strings.Contains(err.Error(), "running the champion 1.0.0") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOutcomeIsAWord(t *testing.T) {
	t.Parallel()
	for o, word := range map[gates.Outcome]string{
		gates.Errored: "errored", gates.Failed: "failed", gates.Inconclusive: "inconclusive", gates.Passed: "passed",
		-1: "errored", 9: "errored",
	} {
		if o.String() != word {
			t.Errorf("%d is %q, want %q", o, o, word)
		}
	}
	var o gates.Outcome
	if err := o.UnmarshalText([]byte("good")); err == nil {
		t.Error("good is taken for an outcome")
	}
}
