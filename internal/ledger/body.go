package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Type names what an entry says. Begun, Live and Left move the environment; the others inform.
type Type string

// The types of format 1.
const (
	TypeBegun    Type = "Begun"
	TypeLive     Type = "Live"
	TypeLeft     Type = "Left"
	TypeEvidence Type = "Evidence"
	TypeApproved Type = "Approved"
	TypeRejected Type = "Rejected"
	TypeHeld     Type = "Held"
	TypeUnheld   Type = "Unheld"
	TypeBarred   Type = "Barred"
	TypeUnbarred Type = "Unbarred"
	TypeWaived   Type = "Waived"
	TypeProven   Type = "Proven"
)

// Body is what an entry says: one of the types below.
type Body interface{ Type() Type }

// Why is the reason of a Begun.
type Why string

// The first four begin something; the last three go on with what is in flight.
const (
	Start    Why = "start"
	Rollback Why = "rollback"
	TurnBack Why = "turn-back"
	Mend     Why = "mend"

	TakeOver Why = "take-over"
	Renew    Why = "renew"
	Made     Why = "made"
)

// GoesOn tells whether the reason goes on with what is in flight and so leaves its kind as it is.
func (w Why) GoesOn() bool { return w == TakeOver || w == Renew || w == Made }

// Release is an artifact under a name. The zero Release is what stood in the environment before barge came.
type Release struct {
	Name     string `json:"name,omitempty"`
	Artifact string `json:"artifact,omitempty"` // "sha256:…"
	Commit   string `json:"commit,omitempty"`
	// Models are the exact versions, by label. The digest is the identity, the version an address.
	Models map[string]Model `json:"models,omitempty"`
}

// Model is one model version of a release.
type Model struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest"`
}

// String is the release's name, or its artifact when it has none.
func (r Release) String() string {
	switch {
	case r.Name != "":
		return r.Name
	case r.Artifact != "":
		return r.Artifact
	}
	return "what stood there before barge"
}

// Rules are rules in full, with their digest; those of the environments followed are part of them.
type Rules struct {
	Digest string          `json:"digest,omitempty"`
	Text   json.RawMessage `json:"text,omitempty"`
}

// Bar keeps an artifact, or every artifact with a model digest, from being started and from being returned to.
type Bar struct {
	Artifact string `json:"artifact,omitempty"`
	Model    string `json:"model,omitempty"`
	// Name is the release's name, for people.
	Name   string `json:"name,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Begun gives its author the right to change the environment's pointers.
type Begun struct {
	Why Why `json:"why"`
	// Plan is the digest of the plan that is carried out; it stays while others go on with it.
	Plan    string  `json:"plan,omitempty"`
	Release Release `json:"release"`
	// To is the value of every pointer of the plan, and of every other one that is ours.
	To Values `json:"to"`
	// Found is what the new pointers among them held before.
	Found Values `json:"found,omitempty"`
	// Back are the pointers that get their found value back and are not ours after the Live.
	Back []string `json:"back,omitempty"`
	// Bars is what a rollback removes.
	Bars []Bar `json:"bars,omitempty"`
	// Replaces is the number of the Begun it follows while something is in flight; 0 when nothing is.
	Replaces int `json:"replaces,omitempty"`
	// Seen is the decision that it was made against.
	Seen int `json:"seen,omitempty"`
	// Rules are those that a start brings; Judges are the scores whose first run proves the release.
	Rules  Rules    `json:"rules,omitzero"`
	Judges []string `json:"judges,omitempty"`
	// Start is the Live of the start that brought the release that a rollback returns to; 1 is Genesis.
	Start int `json:"start,omitempty"`
	// Jobs are ids of jobs that were found or made, by pointer id.
	Jobs map[string]int64 `json:"jobs,omitempty"`
	// Where are the registries of a start's pointers, by name.
	Where map[string]Where `json:"where,omitempty"`
	// Run is the page of the pipeline's run that wrote it, for people.
	Run string `json:"run,omitempty"`
}

// Where is how a registry is reached, so that a rollback needs no barge.hcl. How to sign in is never in it.
type Where struct {
	Kind string `json:"kind"`
	Host string `json:"host"` // the URL of its workspace
}

// Live says that every pointer was read as its Begun wanted it: the switch is finished.
type Live struct {
	// Of is the number of the last Begun; 0 in Genesis.
	Of     int    `json:"of,omitempty"`
	Values Values `json:"values"`
	// Genesis stands in the first entry of a ledger, and only there.
	Genesis *Genesis `json:"genesis,omitempty"`
}

// Genesis says whose ledger it is: another project is refused it.
type Genesis struct {
	Project     string `json:"project"`
	Environment string `json:"environment"`
	// Repository and Path say where barge.hcl stands.
	Repository string `json:"repository,omitempty"`
	Path       string `json:"path,omitempty"`
	// Plan is the digest of the plan whose pointers were read: it says where they stand, and Where in which registries.
	Plan  string           `json:"plan,omitempty"`
	Where map[string]Where `json:"where,omitempty"`
}

// Left gives the right back before the end.
type Left struct {
	Of     int    `json:"of"`
	Reason string `json:"reason,omitempty"`
}

// Evidence is a gate's answer. Statement holds it in full; the rest is what the fold counts by.
type Evidence struct {
	Token    string `json:"token"`
	Gate     string `json:"gate"`
	Release  string `json:"release,omitempty"`
	Artifact string `json:"artifact"`
	Outcome  string `json:"outcome"`
	Attempt  int    `json:"attempt"`
	Rules    string `json:"rules"`
	// Champion is the artifact compared with, "none" or "unknown".
	Champion  string          `json:"champion"`
	ExpiresAt *time.Time      `json:"expires_at,omitempty"`
	Statement json.RawMessage `json:"statement,omitempty"`
}

// about names what the answer depends on besides gate and artifact.
func (e Evidence) about() string {
	sum := sha256.Sum256([]byte(e.Rules + " " + e.Champion))
	return hex.EncodeToString(sum[:8])
}

// Approved is a person's yes to one plan, or to other rules than those in force.
type Approved struct {
	Plan    string `json:"plan,omitempty"`
	Rules   string `json:"rules,omitempty"`
	Release string `json:"release,omitempty"`
	// Principal is who said so, "user:…"; Via is where: "barge", "azure-devops", "github".
	Principal string `json:"principal,omitempty"`
	Via       string `json:"via,omitempty"`
	Comment   string `json:"comment,omitempty"`
}

// Rejected is a person's no.
type Rejected struct {
	Plan      string `json:"plan"`
	Release   string `json:"release,omitempty"`
	Principal string `json:"principal,omitempty"`
	Via       string `json:"via,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// Held stops every start and mend until Unheld.
type Held struct {
	Reason string `json:"reason"`
}

// Unheld ends a hold.
type Unheld struct {
	Reason string `json:"reason"`
}

// Barred adds a bar.
type Barred struct{ Bar }

// Unbarred takes the bars of an artifact or of a model digest away.
type Unbarred struct{ Bar }

// Waived lets one release pass a gate or a score, "gate:NAME" or "score:NAME", without its evidence.
type Waived struct {
	What      string     `json:"what"`
	Artifact  string     `json:"artifact"`
	Release   string     `json:"release,omitempty"`
	Reason    string     `json:"reason"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// How says by what a Live is proven.
type How string

// The first three are said by a Proven; the others follow from the Live itself.
const (
	Judged How = "judged"
	Kept   How = "kept"
	Waiver How = "waived"

	AsGenesis How = "genesis"
	Before    How = "before"   // the release was proven here before
	Unjudged  How = "unjudged" // its rules judge no first run
)

// Proven ends the judging of a Live.
type Proven struct {
	Live   int    `json:"live"`
	How    How    `json:"how"`
	Reason string `json:"reason,omitempty"`
	// Findings is what the judge found, for people.
	Findings json.RawMessage `json:"findings,omitempty"`
}

// Unknown is the body of an entry of a type that only a newer barge knows.
type Unknown struct {
	Kind Type
	Raw  json.RawMessage
}

func (Begun) Type() Type     { return TypeBegun }
func (Live) Type() Type      { return TypeLive }
func (Left) Type() Type      { return TypeLeft }
func (Evidence) Type() Type  { return TypeEvidence }
func (Approved) Type() Type  { return TypeApproved }
func (Rejected) Type() Type  { return TypeRejected }
func (Held) Type() Type      { return TypeHeld }
func (Unheld) Type() Type    { return TypeUnheld }
func (Barred) Type() Type    { return TypeBarred }
func (Unbarred) Type() Type  { return TypeUnbarred }
func (Waived) Type() Type    { return TypeWaived }
func (Proven) Type() Type    { return TypeProven }
func (u Unknown) Type() Type { return u.Kind }

// MarshalJSON writes the body as it was read.
func (u Unknown) MarshalJSON() ([]byte, error) {
	if len(u.Raw) == 0 {
		return []byte("{}"), nil
	}
	return u.Raw, nil
}

func decodeBody(t Type, raw json.RawMessage) (Body, error) {
	switch t {
	case TypeBegun:
		return body[Begun](raw)
	case TypeLive:
		return body[Live](raw)
	case TypeLeft:
		return body[Left](raw)
	case TypeEvidence:
		return body[Evidence](raw)
	case TypeApproved:
		return body[Approved](raw)
	case TypeRejected:
		return body[Rejected](raw)
	case TypeHeld:
		return body[Held](raw)
	case TypeUnheld:
		return body[Unheld](raw)
	case TypeBarred:
		return body[Barred](raw)
	case TypeUnbarred:
		return body[Unbarred](raw)
	case TypeWaived:
		return body[Waived](raw)
	case TypeProven:
		return body[Proven](raw)
	}
	return Unknown{Kind: t, Raw: raw}, nil
}

func body[B Body](raw json.RawMessage) (Body, error) {
	var b B
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, err
	}
	return b, nil
}
