package gates

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/bargeml/barge/environments"
)

// What evidence is called, as an attachment of the artifact.
const (
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "https://github.com/bargeml/barge/gate/v1"
	MediaType     = "application/vnd.in-toto+json"
)

// What stands for a champion's artifact in Evidence when there is none to name.
const (
	NoChampion      = "none"
	UnknownChampion = "unknown"
)

// Evidence is a gate's answer, bound to everything that would make it void. It is never edited; what sets it aside is
// said elsewhere.
type Evidence struct {
	// Subject is the artifact's id, "sha256:…"; Name is project and release, for people.
	Subject string `json:"-"`
	Name    string `json:"-"`

	Gate    string  `json:"gate"`
	Outcome Outcome `json:"outcome"`
	// Reasons say why it is not passed.
	Reasons     []string    `json:"reasons,omitempty"`
	Attempt     int         `json:"attempt"`
	Environment Environment `json:"environment"`
	// Rules is the digest of the rules in force where it was made; Notebook that of the gate's notebook with all that
	// it reaches by %run.
	Rules    string           `json:"rules"`
	Notebook string           `json:"notebook,omitempty"`
	Champion Champion         `json:"champion"`
	Models   map[string]Exact `json:"model,omitempty"`
	// Data is what the notebook says it looked at, as answered.
	Data      any                    `json:"data,omitempty"`
	Metrics   map[string]json.Number `json:"metrics,omitempty"`
	Output    any                    `json:"output,omitempty"`
	Other     map[string]any         `json:"other,omitempty"`
	Expects   []Expected             `json:"expects,omitempty"`
	Run       RunOf                  `json:"run"`
	At        time.Time              `json:"at"`
	ExpiresAt *time.Time             `json:"expires_at,omitempty"`
}

// Environment is where a gate ran. The name alone would not tell two workspaces apart.
type Environment struct {
	Name        string `json:"name"`
	Host        string `json:"host"`
	WorkspaceID string `json:"workspace_id"`
}

// Champion is what the candidate was compared with.
type Champion struct {
	Environment string `json:"environment"`
	// Artifact is its id, NoChampion or UnknownChampion.
	Artifact string `json:"artifact"`
	// How is "rerun" or "recorded"; empty without a champion.
	How string `json:"how,omitempty"`
}

// Exact is one model version and the digest of its files.
type Exact struct {
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest"`
}

// Expected is what became of one expect: held or not, skipped, or errored.
type Expected struct {
	Name string `json:"name"`
	That string `json:"that,omitempty"`
	Held *bool  `json:"held,omitempty"`
	// Skipped and Errored say by what.
	Skipped string `json:"skipped,omitempty"`
	Errored string `json:"errored,omitempty"`
	// Text is the condition with its values.
	Text string `json:"text,omitempty"`
}

// RunOf is the run that answered.
type RunOf struct {
	URL       string `json:"url,omitempty"`
	ID        string `json:"id,omitempty"`
	Token     string `json:"token"`
	Principal string `json:"principal,omitempty"`
}

// Weighed fills in what a verdict says.
func (e Evidence) Weighed(v Verdict, expects []environments.Expect) Evidence {
	e.Outcome, e.Reasons = v.Outcome, v.Reasons
	e.Metrics, e.Output, e.Other, e.Data = v.Answer.Metrics, v.Answer.Output, map[string]any{}, nil
	for key, value := range v.Answer.Other {
		if key == "data" {
			e.Data = value
		} else {
			e.Other[key] = value
		}
	}
	e.Expects = nil
	for i, f := range v.Findings {
		x := Expected{Name: f.Name}
		if i < len(expects) {
			x.That = expects[i].That
		}
		held := f.Outcome == environments.Held
		switch f.Outcome {
		case environments.Held, environments.False:
			x.Held, x.Text = &held, f.Text
		case environments.Skipped:
			x.Skipped = f.Text
		default:
			x.Errored = f.Text
		}
		e.Expects = append(e.Expects, x)
	}
	return e
}

// Facts are the recorded facts of a champion, in place of running it again.
func (e Evidence) Facts(release string) environments.Facts {
	facts := Answer{Metrics: e.Metrics, Output: e.Output}.Facts()
	facts.Models, facts.Release = map[string]any{}, release
	for label, m := range e.Models {
		facts.Models[label] = map[string]any{"version": m.Version}
	}
	return facts
}

type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     Evidence  `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name,omitempty"`
	Digest map[string]string `json:"digest"`
}

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Encode writes the evidence as an in-toto statement, in canonical JSON.
func (e Evidence) Encode() ([]byte, error) {
	digest, ok := strings.CutPrefix(e.Subject, "sha256:")
	if !ok || !sha256Hex.MatchString(digest) {
		return nil, fmt.Errorf("encoding evidence of gate %s: %q is no artifact's id", e.Gate, e.Subject)
	}
	b, err := environments.Canonical(statement{
		Type: StatementType, PredicateType: PredicateType, Predicate: e,
		Subject: []subject{{Name: e.Name, Digest: map[string]string{"sha256": digest}}},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding evidence of gate %s: %w", e.Gate, err)
	}
	return b, nil
}

// ParseEvidence reads an in-toto statement that is a gate's evidence about exactly one artifact.
func ParseEvidence(b []byte) (Evidence, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	s := statement{Predicate: Evidence{Outcome: -1}}
	if err := dec.Decode(&s); err != nil {
		return Evidence{}, fmt.Errorf("reading evidence: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Evidence{}, errors.New("reading evidence: something follows its end")
	}
	e := s.Predicate
	switch {
	case s.Type != StatementType:
		return Evidence{}, fmt.Errorf("reading evidence: its type is %q, not %q", s.Type, StatementType)
	case s.PredicateType != PredicateType:
		return Evidence{}, fmt.Errorf("reading evidence: its predicate is %q, not %q", s.PredicateType, PredicateType)
	case len(s.Subject) != 1 || !sha256Hex.MatchString(s.Subject[0].Digest["sha256"]):
		return Evidence{}, errors.New("reading evidence: it is not about one artifact with a sha256")
	case e.Gate == "" || e.Outcome < Errored:
		return Evidence{}, errors.New("reading evidence: gate or outcome is missing")
	}
	e.Subject, e.Name = "sha256:"+s.Subject[0].Digest["sha256"], s.Subject[0].Name
	return e, nil
}

// Token is the token of one attempt at one step of a plan: 64 hex digits, the longest that services take. Whoever
// carries out the same plan shares the run.
func Token(plan, step string, attempt int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d", plan, step, attempt))
	return hex.EncodeToString(sum[:])
}
