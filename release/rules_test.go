package release_test

import (
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/bargeml/barge/gates"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/release"
)

// pinnedEnvironment has a gate whose notebook is a rule.
var pinnedEnvironment = strings.Replace(testEnvironment, `notebook = "check"`, "notebook = \"check\"\n    pinned = true\n    parameters = { rows = \"7\" }", 1)

// evidence is the latest about a gate in an environment's ledger.
func (b *bench) evidence(environment string) gates.Evidence {
	b.t.Helper()
	book, _ := b.world("auditor").Ledger(environment)
	var latest gates.Evidence
	for e, err := range book.History(b.t.Context()) {
		if err != nil {
			b.t.Fatal(err)
		}
		if said, ok := e.Body.(ledger.Evidence); ok {
			if latest, err = gates.ParseEvidence(said.Statement); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	return latest
}

// brought promotes a release that brings other rules, once they are approved.
func (b *bench) brought(name, to string) {
	b.t.Helper()
	done, err := b.world("manager").ApproveRules(b.t.Context(), release.Request{Release: name, Environment: to}, "")
	if err != nil || done.Outcome != "done" {
		b.t.Fatalf("approving the rules of %s in %s: %v, %+v", name, to, err, done)
	}
	b.promoted(name, to)
}

// TestAPinnedNotebookJudgesFromItsOwnFolder has a candidate change its judge: the one in force is run, with the
// candidate's model, and its answer opens nothing for the new one.
func TestAPinnedNotebookJudgesFromItsOwnFolder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.build("1.0.0", b.register(), pinnedEnvironment)
	b.promoted("1.0.0", "test")
	inForce, first := b.state("test").Rules.Digest, b.evidence("test")
	ran := b.runs.Attempts()
	folder := path.Dir(ran[len(ran)-1].NotebookPath)
	if first.Rules != inForce || !strings.HasPrefix(first.Notebook, "sha256:") {
		t.Errorf("the first evidence is under %s, by notebook %q; in force are %s", first.Rules, first.Notebook, inForce)
	}

	b.lines = map[string]string{"check": "accuracy = 1.0\n"}
	version := b.register()
	b.build("1.1.0", version, pinnedEnvironment)
	b.on("check", func(a jobs.Attempt) jobs.Outcome {
		if path.Dir(a.NotebookPath) != folder {
			return answering(1)(a) // the edited judge
		}
		return answering(0.3)(a)
	})
	if _, err := b.promote("ci", "1.1.0", "test"); !errors.Is(err, release.ErrPending) {
		t.Fatalf("promoting a candidate that edits its judge: %v", err)
	}
	if n := len(b.runs.Attempts()); n != len(ran) {
		t.Errorf("%d runs were started for a promotion that is refused", n-len(ran))
	}

	gated, err := b.world("ci").Gate(t.Context(), release.Request{Release: "1.1.0", Environment: "test"}, "")
	if !errors.Is(err, release.ErrGateFailed) || gated.Gates[0].Judge != "1.0.0" {
		t.Fatalf("by the notebook in force: %v, %+v", err, gated)
	}
	ran = b.runs.Attempts()
	last := ran[len(ran)-1]
	if path.Dir(last.NotebookPath) != folder || last.Parameters["barge_model_m_version"] != version || last.Parameters["rows"] != "7" || last.Parameters["barge_release"] != "1.1.0" {
		t.Errorf("run was %s with %v", last.NotebookPath, last.Parameters)
	}
	if e := b.evidence("test"); e.Rules != inForce || e.Notebook != first.Notebook || e.Outcome != gates.Failed {
		t.Errorf("the evidence is under %s by %s: %s", e.Rules, e.Notebook, e.Outcome)
	}

	approved, err := b.world("manager").ApproveRules(t.Context(), release.Request{Release: "1.1.0", Environment: "test"}, "")
	if err != nil || approved.Outcome != "done" {
		t.Fatalf("%v, %+v", err, approved)
	}
	done, err := b.promote("ci", "1.1.0", "test")
	if err != nil {
		t.Fatalf("%v\n%s", err, b.story())
	}
	if e := b.evidence("test"); done.Gates[0].Judge != "" || e.Notebook == first.Notebook || e.Rules == inForce || done.Rules.Approved == nil {
		t.Errorf("after the approval it is judged by %q (%s): %+v", done.Gates[0].Judge, e.Notebook, done.Rules)
	}
	b.intact("test")
}

// TestAFirstReleaseIsJudgedByItsOwnNotebook even where it is pinned: nothing is in force yet.
func TestAFirstReleaseIsJudgedByItsOwnNotebook(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.build("1.0.0", b.register(), pinnedEnvironment)
	approved, err := b.world("manager").ApproveRules(t.Context(), release.Request{Release: "1.0.0", Environment: "test"}, "")
	if err != nil || approved.Outcome != "nothing-to-do" {
		t.Fatalf("approving first rules: %v, %+v", err, approved)
	}
	gated, err := b.world("ci").Gate(t.Context(), release.Request{Release: "1.0.0", Environment: "test"}, "")
	if err != nil || gated.Gates[0].Judge != "" {
		t.Errorf("%v, %+v", err, gated)
	}
	// An edit before the first promotion is no change of what is in force.
	b.lines = map[string]string{"check": "# tidier\n"}
	b.build("1.0.1", b.register(), pinnedEnvironment)
	b.promoted("1.0.1", "test")
}

// TestAnEditWhileTheGateRunsChangesNothing changes the rules in the middle of a promotion, as somebody who edits barge.hcl
// while the gate runs: what the command read when it started is what it brings.
func TestAnEditWhileTheGateRunsChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.build("1.0.0", b.register(), testEnvironment)
	b.promoted("1.0.0", "test")
	before := b.state("test").Rules.Digest
	b.build("1.1.0", b.register(), testEnvironment)
	world := b.world("ci")
	b.on("check", func(a jobs.Attempt) jobs.Outcome {
		b.write(path.Join(b.dir, "barge.hcl"), where+strings.Replace(testEnvironment, ">= 0.5", ">= 0.1", 1))
		return answering(0.9)(a)
	})
	if _, err := world.Promote(t.Context(), release.Request{Release: "1.1.0", Environment: "test"}); err != nil {
		t.Fatal(err)
	}
	if after := b.state("test").Rules.Digest; after != before {
		t.Errorf("in force were %s and are %s", before, after)
	}
}
