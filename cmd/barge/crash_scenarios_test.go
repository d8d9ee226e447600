//go:build unix

package main

import (
	"strings"
	"testing"
)

// scenario is a command that is interrupted, and how others go on.
type scenario struct {
	name    string
	fails   bool // the first scoring of 1.2.0 fails
	base    func(*testing.T, *yard) berth
	command []string
	rested  bool // the command waits for an owner to be gone
	ways    []way
	also    string // a call that the sample has, too
	during  string // it dies while this notebook runs

	// Where the command goes on with what another left in flight: that one, and where it began.
	whole []string
	over  func(*testing.T, *yard) berth
}

// way is how somebody goes on after the crash: what is run, and what it comes to.
type way struct {
	name     string
	commands [][]string
	// wants names the undisturbed commands that end where this way does, by how far the crash let the command come.
	wants func(phase) []string
	// exact says that what was added beside must be as undisturbed, too.
	exact bool
}

// phase is how far a command had come when it died.
type phase int

const (
	prepared0 phase = iota // nothing was begun
	flying                 // its switch was in flight
	unproven               // it was live and not judged
	rolling                // its own rollback or turning back was in flight
	over                   // it had nothing left to decide
)

var (
	promote  = words("promote 1.2.0 --to prod")
	other    = words("promote 1.3.0 --to prod")
	rollback = words("rollback --env prod")
	turnBack = words("resume --turn-back --env prod")
	resume   = words("resume --env prod")
)

func words(s string) []string { return strings.Fields(s) }

// The commands that an undisturbed run is made of.
const (
	itself  = "itself" // the scenario's command
	thenIt  = "way"    // the way's last command
	resumes = "resume"
)

func always(all ...string) func(phase) []string { return func(phase) []string { return all } }

// ifBegun wants the way's command alone where nothing was begun, else the scenario's with it after.
func ifBegun(p phase) []string {
	if p == prepared0 {
		return []string{thenIt}
	}
	return []string{itself, thenIt}
}

// undone is a rollback after a promotion that rolls back by itself: until that is done it is the same rollback.
func undone(p phase) []string {
	if p == flying || p == unproven || p == rolling {
		return []string{itself}
	}
	return ifBegun(p)
}

// another is the same rollback without a name after the first is done: it takes another step. resumed is another
// after a resume, which finishes what is in flight.
func another(p phase) []string {
	if p == over {
		return []string{itself, thenIt}
	}
	return []string{itself}
}

func resumed(p phase) []string {
	if p == rolling {
		p = over
	}
	return another(p)
}

// finished is a resume before a rollback over a promotion in flight: where the rollback was not begun, the resume
// finishes the promotion.
func finished(p phase) []string {
	if p == prepared0 {
		return []string{resumes, thenIt}
	}
	return []string{itself, thenIt}
}

// unlessTurned is a resume after one that turns back: where that was not begun, it finishes the promotion.
func unlessTurned(p phase) []string {
	if p == prepared0 {
		return []string{resumes}
	}
	return []string{itself}
}

// A rollback over what is turned back is the same rollback; it bars what was turned back.
func turnedBy(p phase) []string {
	if p == over {
		return []string{itself, thenIt}
	}
	return []string{thenIt}
}

func fresh(_ *testing.T, y *yard) berth    { return y.fresh }
func used(_ *testing.T, y *yard) berth     { return y.used }
func inFlight(t *testing.T, y *yard) berth { return y.inFlight(t) }

// promotedAgain are the ways to go on with a promotion.
func promotedAgain(command []string, back func(phase) []string) []way {
	return []way{
		{"the same command", [][]string{command}, always(itself), true},
		{"resume, then the same command", [][]string{resume, command}, always(itself), true},
		{"rollback", [][]string{rollback}, back, false},
		{"another release", [][]string{other}, ifBegun, false},
	}
}

var (
	scenarios = []scenario{
		{
			name: "the first promotion", base: fresh, command: words("promote 1.0.0 --to prod"),
			also: "PATCH /api/2.0/permissions/jobs/", // the job is in the ledger, and operators have no right on it yet
			ways: promotedAgain(words("promote 1.0.0 --to prod"), ifBegun),
		},
		{name: "a promotion", base: used, command: promote, ways: promotedAgain(promote, ifBegun)},
		{name: "a promotion whose first scoring fails", base: used, fails: true, command: promote, ways: promotedAgain(promote, undone)},
		{
			name: "a rollback", base: used, command: rollback, ways: []way{
				{"the same command", [][]string{rollback}, another, true},
				{"resume, then the same command", [][]string{resume, rollback}, resumed, true},
				{"rollback to the release by name", [][]string{words("rollback 1.0.0 --env prod")}, always(itself), true},
				{"another release", [][]string{other}, ifBegun, false},
			},
		},
	}
	// takeOvers go on with a promotion whose owner died in the middle of its switch.
	takeOvers = []scenario{
		{
			name: "a resume", base: inFlight, command: resume, rested: true, whole: promote, over: used, ways: []way{
				{"the same command", [][]string{resume}, always(itself), true},
				{"the promotion again", [][]string{promote}, always(itself), true},
				{"rollback", [][]string{rollback}, ifBegun, false},
				{"another release", [][]string{other}, ifBegun, false},
			},
		},
		{
			name: "a resume that turns back", base: inFlight, command: turnBack, rested: true, ways: []way{
				{"the same command", [][]string{turnBack}, always(itself), true},
				{"resume", [][]string{resume}, unlessTurned, false},
				{"rollback", [][]string{rollback}, turnedBy, false},
				{"another release", [][]string{other}, ifBegun, false},
			},
		},
		{
			name: "a rollback while a promotion is in flight", base: inFlight, command: rollback, rested: true, ways: []way{
				{"the same command", [][]string{rollback}, another, true},
				{"resume, then the same command", [][]string{resume, rollback}, finished, false},
				{"rollback to the release by name", [][]string{words("rollback 1.1.0 --env prod")}, always(itself), true},
				{"another release", [][]string{other}, ifBegun, false},
			},
		},
	}
)

// begins is where the undisturbed run begins that the scenario's end is compared with, and its command.
func (sc scenario) begins(t *testing.T, y *yard) (berth, []string) {
	t.Helper()
	if sc.whole == nil {
		return sc.base(t, y), sc.command
	}
	return sc.over(t, y), sc.whole
}
