package ledger_test

import (
	"encoding/json"
	"testing"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/ledger"
)

// under is the Begun(start) of a release with rules of that digest.
func (st *story) under(rules, name string) ledger.Begun {
	b := st.plan(name, ledger.Values{job: value(st.t, "job of "+name)})
	b.Rules = ledger.Rules{Digest: rules}
	return b
}

func (st *story) inForce(rules string) {
	st.t.Helper()
	if got := st.s.Rules.Digest; got != rules {
		st.t.Errorf("in force are %s, want %s", got, rules)
	}
}

func TestOtherRulesNeedAnApproval(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	st.by(alice, st.under("sha256:a", "1.0.0")) // the first rules come by themselves
	st.live(alice)
	st.proven()
	st.inForce("sha256:a")

	st.refuses("in force are sha256:a, and nobody approved sha256:b", alice, st.under("sha256:b", "1.1.0"))
	st.refuses("nobody approved none", alice, st.under("", "1.1.0"))
	st.by(bob, ledger.Approved{Rules: "sha256:c"})
	st.by(bob, ledger.Approved{Plan: "sha256:b"})
	st.by(bob, ledger.Approved{})
	st.refuses("nobody approved sha256:b", alice, st.under("sha256:b", "1.1.0"))
	st.refuses("nobody approved none", alice, st.under("", "1.1.0"))
	if _, err := st.try(alice, st.under("sha256:a", "1.1.0")); err != nil {
		t.Errorf("under the rules in force: %v", err)
	}

	st.by(bob, ledger.Approved{Rules: "sha256:b", Release: "1.1.0"})
	st.by(alice, st.under("sha256:b", "1.2.0")) // whichever release brings them
	st.inForce("sha256:a")
	st.live(alice)
	st.proven()
	st.inForce("sha256:b")
	st.refuses("nobody approved sha256:a", alice, st.under("sha256:a", "1.3.0"))
	st.refuses("nobody approved sha256:c", alice, st.under("sha256:c", "1.3.0"))
}

func TestOnlyAStartChangesRules(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	st.by(alice, st.under("sha256:a", "1.0.0"))
	st.live(alice)
	st.proven()
	st.by(bob, ledger.Approved{Rules: "sha256:b"})

	st.by(alice, st.under("sha256:b", "1.1.0"))
	st.by(alice, st.turnBack())
	st.live(alice)
	st.inForce("sha256:a")
	if _, approved := st.s.RulesApproval("sha256:b"); !approved {
		t.Error("a turn-back took the approval away")
	}

	b := st.under("sha256:b", "1.2.0")
	st.by(alice, b)
	st.by(bob, st.goOn(ledger.TakeOver))
	st.live(bob)
	st.proven()
	st.inForce("sha256:b")

	st.by(alice, ledger.Begun{Why: ledger.Mend, Release: st.s.Champion.Release, To: st.s.Champion.Values, Seen: st.s.Decision})
	st.live(alice)
	st.inForce("sha256:b")

	back := st.rollback("1.0.0")
	back.Rules = ledger.Rules{Digest: "sha256:a"} // whatever it says of rules
	st.by(alice, back)
	st.live(alice)
	st.inForce("sha256:b")
	st.refuses("nobody approved sha256:a", alice, st.under("sha256:a", "1.3.0"))
}

func TestRulesAreWhatTheirDigestSays(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	strict, err := environments.Canonical(environments.Rules{Soak: "24h"})
	if err != nil {
		t.Fatal(err)
	}
	b := st.under(environments.Rules{Soak: "24h"}.Digest(), "1.0.0")
	for text, why := range map[string]string{string(strict): "", "{}": "its rules are not those of digest", "{": "its rules are not those of digest"} {
		b.Rules.Text = json.RawMessage(text)
		if why != "" {
			st.refuses(why, alice, b)
		} else if _, err := st.try(alice, b); err != nil {
			t.Error(err)
		}
	}
}
