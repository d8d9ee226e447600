package effects_test

import (
	"net/http"
	"testing"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/sandbox"
)

// TestOffIsSetWhateverIsRead switches a job off while reads still show it as it was before it had a schedule.
func TestOffIsSetWhateverIsRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	number, err := b.job("nightly", 0).Make(t.Context(), may)
	if err != nil {
		t.Fatal(err)
	}
	job := b.job("nightly", number)
	b.holds(job, ledger.Off, true)
	if err := job.Set(t.Context(), b.jobValue(nightly, "1.0.0", false), may); err != nil {
		t.Fatal(err)
	}
	old := sandbox.Fault{Method: http.MethodGet, Path: "/api/2.2/jobs/get", Action: sandbox.FaultStale, Times: 1}
	if err := b.twins.Twin("w").Fault(old); err != nil {
		t.Fatal(err)
	}
	if err := job.Set(t.Context(), ledger.Off, may); err != nil {
		t.Fatal(err)
	}
	b.twins.Twin("w").ClearFaults()
	b.holds(job, ledger.Off, true)
}
