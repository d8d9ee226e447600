package ledger

import (
	"maps"
	"slices"
	"time"
)

// State is what a ledger says as of one entry. The zero State is that of an empty ledger.
type State struct {
	// Seq is the number of the entry up to and with which this is the fold; Format the newest format among them.
	Seq    int `json:"seq"`
	Format int `json:"format"`

	Genesis Genesis `json:"genesis"`
	// Where are the registries of all pointers ever, by name, as the latest start has them.
	Where map[string]Where `json:"where,omitempty"`
	// Champion is the last Live.
	Champion Champion `json:"champion"`
	// Decision is the number of the last Begun(start) or Begun(rollback).
	Decision int `json:"decision,omitempty"`
	// Flight is what is in flight: nil when no Begun stands after the last Live.
	Flight *Flight `json:"flight,omitempty"`
	// Since holds the values of every Begun since the last Live.
	Since []Values `json:"since,omitempty"`
	// Found is what every pointer that is ours held before it was; those of Genesis stand in Past.
	Found Values `json:"found,omitempty"`
	// Jobs are all ids that a job pointer ever had, the last one in use; Slots all values that a slot ever got.
	Jobs  map[string][]int64 `json:"jobs,omitempty"`
	Slots map[string][]Value `json:"slots,omitempty"`
	// Rules are in force: those of the last start that got Live.
	Rules Rules `json:"rules,omitzero"`

	Hold       *Hold               `json:"hold,omitempty"`
	Bars       []Placed[Bar]       `json:"bars,omitempty"`
	Waivers    []Placed[Waived]    `json:"waivers,omitempty"`
	Approvals  []Placed[Approved]  `json:"approvals,omitempty"`
	Rejections []Placed[Rejected]  `json:"rejections,omitempty"`
	Evidence   map[string]Evidence `json:"evidence,omitempty"` // since the last Live, by token

	// Past are Genesis and the last 20 champions that a start brought, oldest first.
	Past []Past `json:"past,omitempty"`
	// Plans are the plans of the latest starts, oldest first: each is begun once.
	Plans []string `json:"plans,omitempty"`
	// Known is what is remembered for ever of every artifact, by id.
	Known map[string]Known `json:"known,omitempty"`
}

// Placed is something said in the ledger, with where, when and as whom.
type Placed[T any] struct {
	Said  T         `json:"said"`
	Seq   int       `json:"seq"`
	At    time.Time `json:"at"`
	Actor string    `json:"actor,omitempty"`
}

// Hold is a Held that no Unheld ended.
type Hold = Placed[Held]

// Champion is the release that is live.
type Champion struct {
	Release Release `json:"release"`
	Values  Values  `json:"values,omitempty"`
	// Live is the number of its Live entry, At that entry's time; 0 in an empty ledger.
	Live int       `json:"live"`
	At   time.Time `json:"at,omitzero"`
	// By is the kind of what brought this Live; empty in Genesis.
	By Why `json:"by,omitempty"`
	// Plan is the digest of the plan it was switched by.
	Plan string `json:"plan,omitempty"`
	// Proven says how the Live is proven; empty while it is not. Judges are the scores whose first run decides it.
	Proven How      `json:"proven,omitempty"`
	Judges []string `json:"judges,omitempty"`
	// Start is the Live of the start that brought this release here (1: Genesis); its record in State.Past.
	Start int `json:"start"`
}

// Flight is what is in flight.
type Flight struct {
	// Kind is start, rollback, turn-back or mend; First the number of the Begun that said so.
	Kind  Why `json:"kind"`
	First int `json:"first"`
	// Seq is the last Begun, and By its author: the owner. At is that entry's time.
	Seq   int       `json:"seq"`
	By    Author    `json:"by"`
	Actor string    `json:"actor,omitempty"`
	At    time.Time `json:"at"`
	// Run is the page of the owner's pipeline run, where it has one.
	Run string `json:"run,omitempty"`
	// Left says that the owner gave its right back.
	Left bool `json:"left,omitempty"`

	Plan    string   `json:"plan,omitempty"`
	Release Release  `json:"release"`
	To      Values   `json:"to"`
	Back    []string `json:"back,omitempty"`
	Rules   Rules    `json:"rules,omitzero"`
	Judges  []string `json:"judges,omitempty"`
	// Start is the Live of the start that brought what a rollback returns to; 0 where it does not say.
	Start int `json:"start,omitempty"`
}

// Past is a champion that a start brought, or Genesis: what a rollback can return to.
type Past struct {
	// Live is the number of the start's Live.
	Live    int       `json:"live"`
	At      time.Time `json:"at"`
	Plan    string    `json:"plan,omitempty"`
	Release Release   `json:"release"`
	Values  Values    `json:"values"`
	Judges  []string  `json:"judges,omitempty"`
	// Replaced is the start of the champion that it replaced, as in Champion.Start; 0 for Genesis.
	Replaced int `json:"replaced,omitempty"`
}

// Known is what a ledger remembers of an artifact.
type Known struct {
	// Names are bound to the artifact for ever.
	Names []string `json:"names,omitempty"`
	// Evidence is the entry of each gate's latest passed evidence, and About names the rules and the champion of it. A
	// later answer about the same that is not passed takes both away; errored is no answer.
	Evidence map[string]int    `json:"evidence,omitempty"`
	About    map[string]string `json:"about,omitempty"`
	// Live is its last Live, Proven the first that was proven, Removed the rollback that took it away and that no
	// later Live or Unbarred made up for; 0: none.
	Live    int `json:"live,omitempty"`
	Proven  int `json:"proven,omitempty"`
	Removed int `json:"removed,omitempty"`
	// Since is when its soak began: the first proof since it was last taken away. Zero: there is no such proof.
	Since time.Time `json:"since,omitzero"`
}

// InFlight returns the kind of what is in flight; "" when nothing is.
func (s State) InFlight() Why {
	if s.Flight == nil {
		return ""
	}
	return s.Flight.Kind
}

// IsProven tells whether the champion's Live is proven.
func (s State) IsProven() bool { return s.Champion.Proven != "" }

// Owns tells whether a has the right to change the pointers.
func (s State) Owns(a Author) bool { return s.Flight != nil && s.Flight.By == a && !s.Flight.Left }

// Barred returns the first bar on the release, by its artifact or by the digest of one of its models.
func (s State) Barred(r Release) (Placed[Bar], bool) {
	for _, b := range s.Bars {
		if b.Said.Artifact != "" && b.Said.Artifact == r.Artifact {
			return b, true
		}
		for _, m := range r.Models {
			if b.Said.Model != "" && b.Said.Model == m.Digest {
				return b, true
			}
		}
	}
	return Placed[Bar]{}, false
}

// Waiver returns the waiver of what ("gate:NAME", "score:NAME") for the artifact that holds at the given time.
func (s State) Waiver(what, artifact string, now time.Time) (Placed[Waived], bool) {
	for _, w := range slices.Backward(s.Waivers) {
		if w.Said.What == what && w.Said.Artifact == artifact && (w.Said.ExpiresAt == nil || now.Before(*w.Said.ExpiresAt)) {
			return w, true
		}
	}
	return Placed[Waived]{}, false
}

// RulesApproval returns the approval of rules with exactly that digest, since those in force came.
func (s State) RulesApproval(digest string) (Placed[Approved], bool) {
	for _, a := range s.Approvals {
		if digest != "" && a.Said.Rules == digest {
			return a, true
		}
	}
	return Placed[Approved]{}, false
}

// Named returns the artifact that a release's name is bound to here; "" when it is not.
func (s State) Named(name string) string {
	for artifact, k := range s.Known {
		if slices.Contains(k.Names, name) {
			return artifact
		}
	}
	return ""
}

// Attempt numbers the next run of a gate: one more than the evidence since the last Live that says failed or errored
// of the same gate, artifact, rules and champion. A command asks once, when it starts.
func (s State) Attempt(gate, artifact, rules, champion string) int {
	n := 1
	for _, e := range s.Evidence {
		if e.Gate == gate && e.Artifact == artifact && e.Rules == rules && e.Champion == champion &&
			(e.Outcome == "failed" || e.Outcome == "errored") {
			n++
		}
	}
	return n
}

// Job returns the id that a job pointer has now, 0 when the ledger knows none. Only this job is ever active.
func (s State) Job(pointer string) int64 {
	ids := s.Jobs[pointer]
	if len(ids) == 0 {
		return 0
	}
	return ids[len(ids)-1]
}

// Ours are the ids of all pointers that are ours, sorted: the champion's, and those of every Begun since its Live.
func (s State) Ours() []string {
	ours := map[string]bool{}
	for id := range s.Champion.Values {
		ours[id] = true
	}
	for _, values := range s.Since {
		for id := range values {
			ours[id] = true
		}
	}
	return slices.Sorted(maps.Keys(ours))
}

// To completes the values that a plan wants: every other pointer of ours is off. New are the pointers, sorted, whose
// value must be read now and recorded as found.
func (s State) To(plan Values) (to Values, fresh []string) {
	to = maps.Clone(plan)
	if to == nil {
		to = Values{}
	}
	ours := s.Ours()
	for _, id := range ours {
		if _, named := to[id]; !named {
			to[id] = Off
		}
	}
	for id := range plan {
		if !slices.Contains(ours, id) {
			fresh = append(fresh, id)
		}
	}
	slices.Sort(fresh)
	return to, fresh
}

// Return completes the values of an earlier Live, or of the champion: every other pointer of ours gets back what was
// found in it, and is ours no longer after the Live. New are the target's pointers that are not ours now.
func (s State) Return(target Values) (to Values, back, fresh []string) {
	to, fresh = s.To(target)
	for _, id := range s.Ours() {
		if _, named := target[id]; named {
			continue
		}
		if found, ok := s.Found[id]; ok {
			to[id] = found
			back = append(back, id)
		}
	}
	return to, back, fresh
}

// LiveValues are the values that the Live of what is in flight records: all but those given back.
func (s State) LiveValues() Values {
	if s.Flight == nil {
		return nil
	}
	values := maps.Clone(s.Flight.To)
	for _, id := range s.Flight.Back {
		delete(values, id)
	}
	return values
}
