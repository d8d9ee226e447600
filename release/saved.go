package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// Saved is a plan as a file: what `barge plan --out` writes and `barge promote --plan` holds to.
type Saved struct {
	FormatVersion int    `json:"format_version"`
	Digest        string `json:"plan_digest"`
	Plan          *Plan  `json:"plan"`
}

// ReadPlan reads a saved plan, which must be what its digest says.
func ReadPlan(b []byte) (*Saved, error) {
	var s Saved
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	if s.FormatVersion != 1 || s.Plan == nil || s.Plan.Format != planFormat {
		return nil, fmt.Errorf("reading the plan: this barge reads plans of format %s, version 1", planFormat)
	}
	digest, err := s.Plan.Digest()
	if err != nil {
		return nil, err
	}
	if digest != s.Digest {
		return nil, fmt.Errorf("reading the plan: it was changed by hand: its digest is %s and it says %s", digest, s.Digest)
	}
	return &s, nil
}

// fits tells whether the plan is the one that was asked for, if one was: it, or the one that the champion was switched by.
func (r Request) fits(plan *prepared, s ledger.State) error {
	carriedOut := plan.Release.Artifact == s.Champion.Release.Artifact && r.Plan != nil && r.Plan.Digest == s.Champion.Plan
	if r.Plan == nil || r.Plan.Digest == plan.digest || carriedOut {
		return nil
	}
	return stop(ErrConflict, "barge plan --to "+plan.Environment+" makes a new one",
		"promoting by the plan %.19s: %s", r.Plan.Digest, strings.Join(r.Plan.Plan.moved(plan.Plan), "; "))
}

// moved says everything that differs between the plan that was asked for and the one that could be carried out now.
func (p *Plan) moved(now *Plan) []string {
	var all []string
	say := func(differs bool, format string, args ...any) {
		if differs {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	say(p.Project != now.Project, "it is a plan of project %s", p.Project)
	say(p.Environment != now.Environment, "it is a plan for %s", p.Environment)
	say(p.Release.Artifact != now.Release.Artifact, "it puts %s (%.19s), and this is %s (%.19s)", p.Release, p.Release.Artifact, now.Release, now.Release.Artifact)
	if p.Release.Artifact == now.Release.Artifact {
		say(!reflect.DeepEqual(p.Release, now.Release), "it puts %s of commit %.12s, and this is %s of commit %.12s", p.Release, p.Release.Commit, now.Release, now.Release.Commit)
	}
	say(!reflect.DeepEqual(p.Over, now.Over), "it was made over %s (entry %d), and the champion is %s (entry %d)", p.Over.Release, p.Over.Live, now.Over.Release, now.Over.Live)
	say(p.Rules != now.Rules, "it was made under rules %.19s, and now they are %.19s", p.Rules, now.Rules)
	say(p.Folder != now.Folder, "the files differ: they would be deployed to %s, and are %s now", p.Folder, now.Folder)
	for _, id := range either(p.Values, now.Values) {
		all = append(all, movedPointer(id, p, now)...)
	}
	for _, id := range either(addresses(p), addresses(now)) {
		a, b := addresses(p)[id], addresses(now)[id]
		say(a.ID != "" && b.ID != "" && !reflect.DeepEqual(a, b), "%s stands elsewhere, or beside other environments' slots", id)
		say((a.ID == "") != (b.ID == "") && p.Values[id] == now.Values[id], "%s is switched off in one of them", id)
	}
	for _, text := range either(p.Bound, now.Bound) {
		say(p.Bound[text] != now.Bound[text], "the text %q was replaced %d times, and is %d times now", text, p.Bound[text], now.Bound[text])
	}
	for _, gate := range either(p.Notebooks, now.Notebooks) {
		say(p.Notebooks[gate] != now.Notebooks[gate], "the notebook of gate %s is another", gate)
	}
	say(!slices.Equal(p.Judges, now.Judges), "%s judged its first run, and %s does now", named(p.Judges), named(now.Judges))
	say(!slices.Equal(p.Grants, now.Grants), "it gave %s, and gives %s now", named(p.Grants), named(now.Grants))
	return all
}

func movedPointer(id string, p, now *Plan) []string {
	before, had := p.Values[id]
	after, has := now.Values[id]
	score, isJob := strings.CutPrefix(id, ledger.JobPrefix)
	switch {
	case had && has && before == after:
		return nil
	case !had:
		return []string{id + " is new"}
	case !has:
		return []string{id + " is no more in it"}
	case !isJob:
		return []string{fmt.Sprintf("%s would get version %s, and gets %s now", id, versionIn(before), versionIn(after))}
	}
	c := jobChange(score, before, after)
	var all []string
	for _, k := range c.Keys {
		all = append(all, fmt.Sprintf("%s: %s was %s, and is %s now", id, k.Key, Bare(k.Before), Bare(k.After)))
	}
	if c.Before != c.After {
		all = append(all, fmt.Sprintf("%s ran %s, and runs %s now", id, c.Before, c.After))
	}
	return all
}

func addresses(p *Plan) map[string]effects.Address {
	all := map[string]effects.Address{}
	for _, a := range p.Pointers {
		all[a.ID] = a
	}
	return all
}

// either are the keys of both, sorted.
func either[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, b)
	return sorted(all)
}

func named(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

// Bare is a JSON value in one line: text without quotes, what is absent as a dash.
func Bare(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
