package gates

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bargeml/barge/environments"
)

// Outcome is what an answer is worth, worst first. Only Passed opens anything.
type Outcome int

// The outcomes. Failed says something of the model; Errored says nothing of it.
const (
	Errored      Outcome = iota // the run could not tell
	Failed                      // a complete answer and a condition is false, or an assert
	Inconclusive                // the notebook asks for a person
	Passed
)

var outcomes = [...]string{"errored", "failed", "inconclusive", "passed"}

// String is the outcome's word.
func (o Outcome) String() string {
	if o < Errored || o > Passed {
		return "errored"
	}
	return outcomes[o]
}

// MarshalText writes the outcome's word.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads one of the four words.
func (o *Outcome) UnmarshalText(text []byte) error {
	i := slices.Index(outcomes[:], string(text))
	if i < 0 {
		return fmt.Errorf("%q is no outcome: there are %s", text, strings.Join(outcomes[:], ", "))
	}
	*o = Outcome(i)
	return nil
}

// Run is how a notebook's run ended.
type Run struct {
	ID, URL string
	// Result is SUCCESS, FAILED, TIMEDOUT, CANCELED, SKIPPED, INTERNAL_ERROR or another word for no success. A run whose
	// task failed is FAILED, whatever its life cycle says. Message is the service's own explanation.
	Result, Message string
	// Error is the notebook's exception: "AssertionError: too few rows".
	Error string
	// Answer is what the notebook answered; Truncated says that the service cut it.
	Answer    string
	Truncated bool
}

// Question is what a run's answer is held against. The zero Question wants an answer, and nothing of it.
type Question struct {
	// Told are the versions that the notebook was told, by label; "" is any (training).
	Told map[string]string
	// Models are the labels that the answer must name; nil: all that were told.
	Models  []string
	Expects []environments.Expect
	// Champion are the champion's facts; nil when there is none.
	Champion *environments.Facts
	// Optional lets success do without an answer: a score without expects.
	Optional bool
}

// Verdict is what a run said of a question.
type Verdict struct {
	Outcome Outcome
	// Reasons say why it did not pass, for people, and what to do.
	Reasons  []string
	Findings []environments.Finding
	Answer   Answer
}

// Judge weighs a run's answer; the verdict is the worst of its findings.
func Judge(q Question, r Run) Verdict {
	answer, outcome, reason := read(r)
	if reason != "" {
		if q.Optional && r.Result == success {
			return Verdict{Outcome: Passed}
		}
		return Verdict{Outcome: outcome, Reasons: []string{reason}}
	}
	v := Verdict{Outcome: Passed, Answer: answer}
	for _, reason := range q.otherModels(answer) {
		v.add(Errored, reason)
	}
	if answer.Inconclusive {
		v.add(Inconclusive, "the notebook asks for a person to decide")
	}
	facts := answer.Facts()
	facts.Champion = q.Champion
	for _, e := range q.Expects {
		f := environments.Evaluate(e, facts)
		v.Findings = append(v.Findings, f)
		switch f.Outcome {
		case environments.Held, environments.Skipped:
		case environments.False:
			v.add(Failed, f.Name+": "+f.Text)
		default:
			v.add(Errored, f.Name+": "+f.Text)
		}
	}
	return v
}

// Facts reads the champion's run, which must have answered completely about the versions it was told. The release is
// the champion's name in conditions. An error says why a comparison with it could not tell.
func (q Question) Facts(r Run, release string) (environments.Facts, error) {
	answer, _, reason := read(r)
	if reason != "" {
		return environments.Facts{}, fmt.Errorf("running the champion %s: %s", release, reason)
	}
	if wrong := q.otherModels(answer); len(wrong) > 0 {
		return environments.Facts{}, fmt.Errorf("running the champion %s: %s", release, strings.Join(wrong, "; "))
	}
	facts := answer.Facts()
	facts.Release = release
	return facts, nil
}

const success = "SUCCESS"

// read returns a run's answer, or the outcome without one and its reason.
func read(r Run) (Answer, Outcome, string) {
	page := ""
	if r.URL != "" {
		page = ": see " + r.URL
	}
	detail := firstOf(r.Error, r.Message, "no reason was given")
	switch {
	case r.Result == "FAILED" && asserted(r.Error):
		return Answer{}, Failed, detail + page
	case r.Result != success:
		return Answer{}, Errored, fmt.Sprintf("the run ended %s: %s%s", firstOf(r.Result, "without a result"), detail, page)
	case r.Truncated:
		return Answer{}, Errored, "the answer is too long and was cut: write big results into a table, and answer with its name" + page
	}
	a, err := Parse(r.Answer)
	if err != nil {
		return Answer{}, Errored, err.Error() + page
	}
	return a, Passed, ""
}

// asserted tells whether the exception is an AssertionError itself, not one that merely quotes it.
func asserted(exception string) bool {
	kind, _, _ := strings.Cut(strings.TrimSpace(exception), ":")
	return strings.TrimSpace(kind) == "AssertionError"
}

// otherModels names each model that the notebook did not load as it was told.
func (q Question) otherModels(a Answer) []string {
	must := q.Models
	if must == nil && !q.Optional {
		must = sortedKeys(q.Told)
	}
	var wrong []string
	for _, label := range must {
		switch _, named := a.Models[label]; {
		case named:
		case q.Told[label] == "": // a training
			wrong = append(wrong, fmt.Sprintf(`the answer does not say which version of %s the notebook registered: write "models": {%q: {"version": "3"}} with what mlflow.register_model or log_model answered`, label, label))
		default:
			wrong = append(wrong, fmt.Sprintf(`the answer does not say which version of %s the notebook loaded: write "models": {%q: {"version": dbutils.widgets.get("barge_model_%s_version")}}`, label, label, Fold(label)))
		}
	}
	for _, label := range sortedKeys(a.Models) {
		told, ok := q.Told[label]
		if ok && told != "" && a.Models[label] != told {
			wrong = append(wrong, fmt.Sprintf("the notebook loaded version %s of %s and was told %s: load it by the widget barge_model_%s_uri", a.Models[label], label, told, Fold(label)))
		}
	}
	return wrong
}

func (v *Verdict) add(o Outcome, reason string) {
	v.Outcome = min(v.Outcome, o)
	v.Reasons = append(v.Reasons, reason)
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
