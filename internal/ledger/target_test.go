package ledger_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/bargeml/barge/internal/ledger"
)

func TestRollbackTarget(t *testing.T) {
	t.Parallel()
	back := func(st *story, choice string) {
		st.by(bob, st.rollback(choice))
		st.live(bob)
	}
	bar := func(st *story, name string) { st.by(bob, ledger.Barred{Bar: ledger.Bar{Artifact: "sha256:" + name}}) }
	for name, c := range map[string]struct {
		before func(*story)
		choice string
		want   string // a release's name; "": Genesis
		err    error
	}{
		"nothing yet":              {before: func(*story) {}, want: ""},
		"the first release":        {before: func(st *story) { st.promote("1") }, want: ""},
		"the one before":           {before: func(st *story) { st.promote("1", "2") }, want: "1"},
		"over what was not proven": {before: func(st *story) { st.promote("1"); st.start("2"); back(st, ""); st.promote("3") }, want: "1"},
		"over what is barred":      {before: func(st *story) { st.promote("1", "2", "3"); bar(st, "2") }, want: "1"},
		"over a barred model": {before: func(st *story) {
			st.promote("1", "2", "3")
			st.by(bob, ledger.Barred{Bar: ledger.Bar{Model: "sha256:model-2"}})
		}, want: "1"},
		"over all that is barred": {before: func(st *story) { st.promote("1", "2", "3"); bar(st, "1"); bar(st, "2") }, want: ""},
		"once more":               {before: func(st *story) { st.promote("1", "2", "3"); back(st, "") }, want: "1"},
		"twice more":              {before: func(st *story) { st.promote("1", "2", "3"); back(st, ""); back(st, "") }, want: ""},
		"at Genesis":              {before: func(st *story) { st.promote("1"); back(st, "") }, want: ""},
		"after a release on top":  {before: func(st *story) { st.promote("1", "2"); back(st, ""); st.promote("3") }, want: "1"},
		"not what a rollback took": {before: func(st *story) {
			st.promote("1", "2")
			for _, to := range []string{"1", "2"} { // there and back, nothing barred
				b := st.rollback(to)
				b.Bars = nil
				st.by(bob, b)
				st.live(bob)
			}
		}, want: ""},
		"what a rollback took, cleared": {before: func(st *story) {
			st.promote("1", "2")
			for _, to := range []string{"1", "2"} {
				b := st.rollback(to)
				b.Bars = nil
				st.by(bob, b)
				st.live(bob)
			}
			st.by(bob, ledger.Unbarred{Bar: ledger.Bar{Artifact: "sha256:1"}})
		}, want: "1"},
		"while a start is in flight": {before: func(st *story) {
			st.promote("1", "2")
			st.by(alice, st.plan("3", nil))
		}, want: "2"},
		"while a start is in flight, the champion barred": {before: func(st *story) {
			st.promote("1", "2")
			st.by(alice, st.plan("3", nil))
			bar(st, "2")
		}, want: "1"},
		"while a mend is in flight": {before: func(st *story) {
			st.promote("1", "2")
			st.by(alice, ledger.Begun{Why: ledger.Mend, Release: st.s.Champion.Release, To: st.s.Champion.Values, Seen: st.s.Decision})
		}, want: "1"},
		"while a rollback is in flight": {before: func(st *story) {
			st.promote("1", "2")
			st.by(bob, st.rollback(""))
		}, want: "1"},
		"while a turn-back is in flight": {before: func(st *story) {
			st.promote("1", "2")
			st.by(alice, st.plan("3", nil))
			st.by(alice, st.turnBack())
		}, want: "2"},
		"after a turn-back": {before: func(st *story) {
			st.promote("1", "2")
			st.by(alice, st.plan("3", nil))
			st.by(alice, st.turnBack())
			st.live(alice)
		}, want: "1"},
		"the same release twice": {before: func(st *story) { st.promote("1", "2", "1", "3") }, want: "1"},
		"under it, the one between": {before: func(st *story) {
			st.promote("1", "2", "1", "3")
			back(st, "")
		}, want: "2"},
		"by name":                {before: func(st *story) { st.promote("1", "2", "3") }, choice: "1", want: "1"},
		"by artifact":            {before: func(st *story) { st.promote("1", "2", "3") }, choice: "sha256:2", want: "2"},
		"by name, forward again": {before: func(st *story) { st.promote("1", "2", "3"); back(st, "1") }, choice: "2", want: "2"},
		"by name, barred":        {before: func(st *story) { st.promote("1", "2"); back(st, "") }, choice: "2", err: ledger.ErrBarred},
		"by name, never live":    {before: func(st *story) { st.promote("1"); st.by(alice, st.plan("2", nil)) }, choice: "2", err: ledger.ErrNeverLive},
		"by name, unheard of":    {before: func(st *story) { st.promote("1") }, choice: "9", err: ledger.ErrNeverLive},
		"further than is kept": {before: func(st *story) {
			st.promote("old")
			for i := range 20 {
				st.promote(fmt.Sprint("1.", i))
			}
			for i := range 19 {
				bar(st, fmt.Sprint("1.", i))
			}
		}, err: ledger.ErrTooOld},
	} {
		st := newStory(t)
		c.before(st)
		got, err := st.s.RollbackTarget(c.choice)
		if !errors.Is(err, c.err) || err == nil && got.Release.Name != c.want {
			t.Errorf("%s: %q, %v, want %q, %v", name, got.Release.Name, err, c.want, c.err)
		}
		if err == nil && c.want == "" && (got.Live != 1 || got.Release.Artifact != "") {
			t.Errorf("%s: %+v is not Genesis", name, got)
		}
	}
}
