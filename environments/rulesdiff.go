package environments

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// RuleChange is one rule that two sets of rules have differently, by the names that people gave.
type RuleChange struct {
	Environment string `json:"environment,omitempty"` // followed, whose rule it is; empty: the one that was asked about
	Rule        string `json:"rule"`                  // gate test-model, expect "accurate enough": that
	Change      string `json:"change"`                // see below
	Before      string `json:"before,omitempty"`
	After       string `json:"after,omitempty"`
}

// What may become of a rule. A notebook is edited: before and after are its digests.
const (
	RuleChanged = "changed"
	RuleEdited  = "edited"
	RuleNew     = "new"
	RuleGone    = "gone"
)

// String is the change in one line: gate test-model, expect "accurate enough": that: a >= 0.8 -> a >= 0.5.
func (c RuleChange) String() string {
	text := c.Rule
	if c.Environment != "" {
		text = c.Environment + ": " + text
	}
	switch {
	case c.Change == RuleEdited:
		return fmt.Sprintf("%s changed (%.19s -> %.19s)", text, c.Before, c.After)
	case c.Change == RuleChanged:
		return fmt.Sprintf("%s: %s -> %s", text, c.Before, c.After)
	case c.Change == RuleNew && c.After != "":
		return text + " is new: " + c.After
	}
	return text + " is " + c.Change
}

// Diff lists what changes from r to other: the environment's own rules first, then those of the environments followed,
// in the order of their names. It is empty exactly when both have the same digest. An environment that is no longer
// followed is told by the follows of who followed it.
func (r Rules) Diff(other Rules) []RuleChange {
	before, after := map[string]Rules{}, map[string]Rules{}
	r.spread(before)
	other.spread(after)
	d := &ruleDiff{}
	d.rules(r, other)
	for _, name := range sorted(after) {
		d.environment = name
		d.rules(before[name], after[name])
	}
	return d.changes
}

// spread puts the rules of every environment followed, however far, side by side.
func (r Rules) spread(into map[string]Rules) {
	for name, upstream := range r.Upstream {
		into[name] = upstream
		upstream.spread(into)
	}
}

// ruleDiff gathers the changes of one environment's own rules.
type ruleDiff struct {
	environment string
	changes     []RuleChange
}

func (d *ruleDiff) add(rule, change, before, after string) {
	d.changes = append(d.changes, RuleChange{d.environment, rule, change, before, after})
}

// value compares a rule that is one value, as it is written for people.
func (d *ruleDiff) value(rule, before, after string) {
	if before != after {
		d.add(rule, RuleChanged, before, after)
	}
}

func (d *ruleDiff) rules(before, after Rules) {
	d.value("follows", words(before.Follows), words(after.Follows))
	d.value("operators", words(before.Operators), words(after.Operators))
	d.value("soak", cmp.Or(string(before.Soak), "none"), cmp.Or(string(after.Soak), "none"))
	pairs(before.Gates, after.Gates, func(g Gate) string { return g.Name }, func(name string, was, is *Gate) {
		rule := "gate " + name
		if was == nil {
			d.add(rule, RuleNew, "", "")
			was = &Gate{}
		}
		if is == nil {
			d.add(rule, RuleGone, "", "")
			return
		}
		d.gate(rule, *was, *is)
		d.pin(rule, pinOf(before, *was), pinOf(after, *is))
	})
	pairs(before.Scores, after.Scores, func(s Score) string { return s.Name }, func(name string, was, is *Score) {
		rule := "score " + name
		if was == nil {
			d.add(rule, RuleNew, "", "")
			was = &Score{}
		}
		if is == nil {
			d.add(rule, RuleGone, "", "")
			return
		}
		d.value(rule+": first_run", orDefault(was.FirstRun, "now"), orDefault(is.FirstRun, "now"))
		d.value(rule+": on_failure", orDefault(was.OnFailure, "rollback"), orDefault(is.OnFailure, "rollback"))
		d.expects(rule, was.Expects, is.Expects)
	})
}

func (d *ruleDiff) gate(rule string, was, is Gate) {
	d.texts(rule+": parameter ", was.Parameters, is.Parameters)
	d.value(rule+": valid_for", orDefault(string(was.ValidFor), "30d"), orDefault(string(is.ValidFor), "30d"))
	d.value(rule+": against", orDefault(was.Against, "its own"), orDefault(is.Against, "its own"))
	d.value(rule+": compare", orDefault(was.Compare, "rerun"), orDefault(is.Compare, "rerun"))
	d.value(rule+": models", models(was.Models), models(is.Models))
	d.expects(rule, was.Expects, is.Expects)
}

func (d *ruleDiff) expects(rule string, before, after []Expect) {
	pairs(before, after, func(e Expect) string { return e.Name }, func(name string, was, is *Expect) {
		rule := rule + ", expect " + strconv.Quote(name)
		switch {
		case was == nil && is.When != "":
			d.add(rule, RuleNew, "", is.That+", when "+is.When)
		case was == nil:
			d.add(rule, RuleNew, "", is.That)
		case is == nil:
			d.add(rule, RuleGone, "", "")
		default:
			d.value(rule+": when", cmp.Or(was.When, "always"), cmp.Or(is.When, "always"))
			d.value(rule+": that", was.That, is.That)
		}
	})
}

// pinOf is the notebook that the rules pin for a gate; nil when they pin none.
func pinOf(r Rules, g Gate) *Pin {
	pin, ok := r.Pins[g.Name]
	if !ok && !g.Pinned {
		return nil
	}
	return &pin
}

func (d *ruleDiff) pin(rule string, was, is *Pin) {
	if was == nil || is == nil {
		d.value(rule+": pinned", pinned(was), pinned(is))
		return
	}
	d.value(rule+": its pinned notebook", was.Notebook, is.Notebook)
	if was.Digest != is.Digest {
		d.add(rule+": its pinned notebook "+is.Notebook, RuleEdited, was.Digest, is.Digest)
	}
	d.texts(rule+": in its pinned notebook, bind ", was.Bind, is.Bind)
}

func pinned(p *Pin) string {
	if p == nil {
		return "no"
	}
	return fmt.Sprintf("%s (%.19s)", p.Notebook, p.Digest)
}

// texts compares tables of text.
func (d *ruleDiff) texts(rule string, before, after map[string]string) {
	both := maps.Clone(before)
	if both == nil {
		both = map[string]string{}
	}
	maps.Copy(both, after)
	for _, key := range sorted(both) {
		d.value(rule+strconv.Quote(key), quoted(before, key), quoted(after, key))
	}
}

func quoted(table map[string]string, key string) string {
	text, ok := table[key]
	if !ok {
		return "none"
	}
	return strconv.Quote(text)
}

// pairs gives what two lists have under each name, in the order of names; nil: that list has none.
func pairs[T any](before, after []T, name func(T) string, each func(name string, was, is *T)) {
	in := func(list []T, want string) *T {
		return find(list, func(t *T) string { return name(*t) }, want)
	}
	var names []string
	for _, t := range slices.Concat(before, after) {
		names = append(names, name(t))
	}
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		each(n, in(before, n), in(after, n))
	}
}

func words(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// orDefault keeps apart what is written and what holds without it: only what is written is a rule.
func orDefault(text, fallback string) string {
	if text == "" {
		return "default (" + fallback + ")"
	}
	return text
}

func models(labels []string) string {
	if labels == nil {
		return "default (every one)"
	}
	return words(labels)
}
