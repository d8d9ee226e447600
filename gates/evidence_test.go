package gates_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/gates"
)

var (
	artifact = "sha256:" + strings.Repeat("9c", 32)
	other    = "sha256:" + strings.Repeat("77", 32)
	noon     = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
)

// evidence is passed, and fresh at noon.
func evidence() gates.Evidence {
	expires := noon.Add(time.Hour)
	e := gates.Evidence{
		Subject: artifact, Name: "diabetes 1.4.0", Gate: "test-model", Attempt: 1,
		Environment: gates.Environment{Name: "test", Host: "https://adb-2.2.azuredatabricks.net", WorkspaceID: "2002"},
		Rules:       "sha256:r1", Notebook: "sha256:n1",
		Champion: gates.Champion{Environment: "prod", Artifact: other, How: "rerun"},
		Models:   map[string]gates.Exact{"SparkModel": {Version: "3", Digest: "sha256:m3"}},
		Run:      gates.RunOf{URL: "https://host/run/1", ID: "1", Token: gates.Token("sha256:plan", "gate:test-model", 1), Principal: "service-principal:ci"},
		At:       noon.Add(-time.Hour), ExpiresAt: &expires,
	}
	q := question()
	return e.Weighed(gates.Judge(q, answered(`"metrics": {"accuracy": 0.81}, "output": {"rows": 5}, "data": [{"table": "t", "rows": 9}], "seed": 4`)), q.Expects)
}

func wanted() gates.Wanted {
	return gates.Wanted{
		Artifact: artifact, Environment: evidence().Environment, Rules: "sha256:r1", Champion: other, Now: noon,
	}
}

func TestEvidenceIsAStatement(t *testing.T) {
	t.Parallel()
	want := `{
 "_type":"https://in-toto.io/Statement/v1",
 "subject":[{"name":"diabetes 1.4.0","digest":{"sha256":"` + strings.Repeat("9c", 32) + `"}}],
 "predicateType":"https://github.com/bargeml/barge/gate/v1",
 "predicate":{
   "gate":"test-model","outcome":"passed","attempt":1,
   "environment":{"name":"test","host":"https://adb-2.2.azuredatabricks.net","workspace_id":"2002"},
   "rules":"sha256:r1","notebook":"sha256:n1",
   "champion":{"environment":"prod","artifact":"` + other + `","how":"rerun"},
   "model":{"SparkModel":{"version":"3","digest":"sha256:m3"}},
   "data":[{"table":"t","rows":9}],
   "metrics":{"accuracy":0.81},
   "output":{"rows":5},
   "other":{"seed":4},
   "expects":[
     {"name":"accurate enough","that":"metrics.accuracy >= 0.77","held":true,"text":"metrics.accuracy >= 0.77, with metrics.accuracy as 0.81"},
     {"name":"no worse","that":"metrics.accuracy >= champion.metrics.accuracy - 0.01","held":true,
      "text":"metrics.accuracy >= champion.metrics.accuracy - 0.01, with metrics.accuracy as 0.81 and champion.metrics.accuracy as 0.8"}],
   "run":{"url":"https://host/run/1","id":"1","token":"` + gates.Token("sha256:plan", "gate:test-model", 1) + `","principal":"service-principal:ci"},
   "at":"2026-09-01T11:00:00Z","expires_at":"2026-09-01T13:00:00Z"}}`
	canonical, err := environments.Canonical(json.RawMessage(want))
	if err != nil {
		t.Fatal(err)
	}
	got, err := evidence().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(canonical), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	back, err := gates.ParseEvidence(got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(evidence(), back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

// TestMatches changes one field after another; each is named, and nothing else is.
func TestMatches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		evidence func(*gates.Evidence)
		wanted   func(*gates.Wanted)
		field    string
	}{
		"everything fits":      {},
		"artifact":             {wanted: func(w *gates.Wanted) { w.Artifact = other }, field: "artifact"},
		"environment":          {wanted: func(w *gates.Wanted) { w.Environment.Name = "uat" }, field: "environment"},
		"workspace id":         {wanted: func(w *gates.Wanted) { w.Environment.WorkspaceID = "3003" }, field: "workspace"},
		"host":                 {wanted: func(w *gates.Wanted) { w.Environment.Host = "https://adb-3.3.azuredatabricks.net" }, field: "workspace"},
		"rules":                {wanted: func(w *gates.Wanted) { w.Rules = "sha256:r2" }, field: "rules"},
		"no rules":             {wanted: func(w *gates.Wanted) { w.Rules = "" }, field: "rules"},
		"another champion":     {wanted: func(w *gates.Wanted) { w.Champion = artifact }, field: "champion"},
		"no champion any more": {wanted: func(w *gates.Wanted) { w.Champion = gates.NoChampion }, field: "champion"},
		"a champion since":     {evidence: func(e *gates.Evidence) { e.Champion.Artifact = gates.NoChampion }, field: "champion"},
		"unknown, and there is one": {
			evidence: func(e *gates.Evidence) { e.Champion.Artifact = gates.UnknownChampion }, field: "champion",
		},
		"unknown, and there is none": {
			evidence: func(e *gates.Evidence) { e.Champion.Artifact = gates.UnknownChampion },
			wanted:   func(w *gates.Wanted) { w.Champion = gates.NoChampion },
		},
		"unknown to both": {
			evidence: func(e *gates.Evidence) { e.Champion.Artifact = gates.UnknownChampion },
			wanted:   func(w *gates.Wanted) { w.Champion = gates.UnknownChampion },
		},
		"known, and now unknown": {wanted: func(w *gates.Wanted) { w.Champion = gates.UnknownChampion }, field: "champion"},
		"the last moment":        {wanted: func(w *gates.Wanted) { w.Now = noon.Add(time.Hour - 1) }},
		"expired":                {wanted: func(w *gates.Wanted) { w.Now = noon.Add(time.Hour) }, field: "expiry"},
		"without expiry":         {evidence: func(e *gates.Evidence) { e.ExpiresAt = nil }, wanted: func(w *gates.Wanted) { w.Now = noon.AddDate(9, 0, 0) }},
		"failed":                 {evidence: func(e *gates.Evidence) { e.Outcome = gates.Failed }, field: "outcome"},
		"errored":                {evidence: func(e *gates.Evidence) { e.Outcome = gates.Errored }, field: "outcome"},
		"inconclusive":           {evidence: func(e *gates.Evidence) { e.Outcome = gates.Inconclusive }, field: "outcome"},
	} {
		e, w := evidence(), wanted()
		if c.evidence != nil {
			c.evidence(&e)
		}
		if c.wanted != nil {
			c.wanted(&w)
		}
		got := e.Matches(w)
		if c.field == "" && len(got) != 0 || c.field != "" && (len(got) != 1 || got[0].Field != c.field) {
			t.Errorf("%s: %v, want %q alone", name, got, c.field)
		}
		for _, m := range got {
			if !strings.HasPrefix(m.Text, "gate test-model: its evidence ") {
				t.Errorf("%s: %q does not name the gate", name, m.Text)
			}
		}
	}
	stranger := gates.Evidence{Subject: other, Outcome: gates.Failed, ExpiresAt: &time.Time{}}
	if got := stranger.Matches(wanted()); len(got) != 7 {
		t.Errorf("%d reasons, want all seven: %v", len(got), got)
	}
}

func TestEvidenceNeedsAnArtifact(t *testing.T) {
	t.Parallel()
	e := evidence()
	for _, id := range []string{"", "9c", "sha256:XY", "md5:" + strings.Repeat("9c", 32)} {
		e.Subject = id
		if _, err := e.Encode(); err == nil {
			t.Errorf("encoded evidence of %q", id)
		}
	}
}

func TestParseEvidenceRefuses(t *testing.T) {
	t.Parallel()
	good, err := evidence().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, to, says string }{
		"another type":      {gates.StatementType, "https://in-toto.io/Statement/v2", "its type is"},
		"another predicate": {gates.PredicateType, "https://slsa.dev/provenance/v1", "its predicate is"},
		"no digest":         {strings.Repeat("9c", 32), "9c", "not about one artifact"},
		"another outcome":   {`"passed"`, `"good"`, `"good" is no outcome`},
		"no outcome":        {`"outcome":"passed",`, "", "gate or outcome is missing"},
		"no gate":           {`"gate":"test-model",`, "", "gate or outcome is missing"},
		"two subjects":      {`"subject":[`, `"subject":[{},`, "not about one artifact"},
		"a bad time":        {"2026-09-01T11:00:00Z", "yesterday", "reading evidence"},
		"cut":               {`"}}`, `"`, "reading evidence"},
	} {
		text := strings.Replace(string(good), c.old, c.to, 1)
		if text == string(good) {
			t.Fatalf("%s: nothing to replace", name)
		}
		if _, err := gates.ParseEvidence([]byte(text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %q", name, err, c.says)
		}
	}
	if _, err := gates.ParseEvidence(append(good, '1')); err == nil {
		t.Error("accepted what something follows")
	}
}

func TestRecordedFacts(t *testing.T) {
	t.Parallel()
	q := question()
	facts := evidence().Facts("1.4.0")
	q.Champion = &facts
	if v := gates.Judge(q, answered(`"metrics": {"accuracy": 0.79}`)); v.Outcome != gates.Failed {
		t.Errorf("against a recorded 0.81, 0.79 is %s", v.Outcome)
	}
	if v := gates.Judge(q, answered(`"metrics": {"accuracy": 0.8}`)); v.Outcome != gates.Passed {
		t.Errorf("against a recorded 0.81, 0.80 is %s: %v", v.Outcome, v.Reasons)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, token := range []string{
		gates.Token("p", "s", 1), gates.Token("p", "s", 2), gates.Token("p", "t", 1), gates.Token("q", "s", 1),
		gates.Token("p s", "", 1), gates.Token("", "p s", 1), gates.Token(`p" "s`, "", 1),
	} {
		if len(token) != 64 || seen[token] {
			t.Errorf("%q is not 64 digits, or twice", token)
		}
		seen[token] = true
	}
	if again := gates.Token("p", "s", 1); !seen[again] {
		t.Error("one attempt has two tokens")
	}
}

func FuzzParseEvidence(f *testing.F) {
	good, err := evidence().Encode()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(good), "", "{}", `{"subject":[null],"predicate":null}`, `{"predicate":{"expects":[{"held":null}]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := gates.ParseEvidence(b)
		if err != nil {
			return
		}
		e.Matches(wanted())
		e.Facts("1.0.0")
		again, err := e.Encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if back, err := gates.ParseEvidence(again); err != nil || back.Subject != e.Subject || back.Outcome != e.Outcome {
			t.Errorf("what was written is read as %+v, %v", back, err)
		}
	})
}
