package jobs

import (
	"context"
	"strings"
)

// admits decides by run_if and the tasks upstream whether t is run; when it is not, the state it ends in.
// A task upstream that is no part of the run has nothing against it.
func (r *run) admits(t *task) (state, bool) {
	skip := func(result, message string) (state, bool) {
		return state{Life: terminated, Result: result, Message: message, Code: "SKIPPED", Cause: "CLIENT_ERROR"}, false
	}
	if t.Disabled {
		st, _ := skip(disabled, "The task is disabled.")
		st.Code = "DISABLED"
		return st, false
	}
	var good, bad, stopped, passed, all int
	for _, d := range t.DependsOn {
		a := r.last(d.TaskKey)
		if a == nil {
			continue
		}
		all++
		switch {
		case a.State.Result == Success:
			good++
		case a.State.bad():
			bad++
		case a.State.Result == excluded, a.State.Result == disabled:
			passed++
		default:
			stopped++
		}
	}
	if all == 0 {
		return state{}, true
	}
	admitted := false
	switch t.RunIf {
	case "ALL_DONE":
		admitted = true
	case "NONE_FAILED":
		admitted = bad == 0 && stopped == 0 && good > 0
	case "AT_LEAST_ONE_SUCCESS":
		admitted = good > 0
	case "ALL_FAILED":
		admitted = bad == all
	case "AT_LEAST_ONE_FAILED":
		admitted = bad > 0
	default:
		admitted = good > 0 && good+passed == all
	}
	wantsFailure := t.RunIf == "ALL_FAILED" || t.RunIf == "AT_LEAST_ONE_FAILED"
	switch {
	case admitted:
		return state{}, true
	case bad > 0 && !wantsFailure:
		return skip(upstreamFailed, "An upstream task failed.")
	case stopped > 0 && !wantsFailure:
		return skip(upstreamCanceled, "An upstream task was canceled.")
	default:
		return skip(excluded, "The run condition of the task was not met.")
	}
}

// verdict is the state of a run whose tasks are all settled. The tasks that nothing depends on decide; one that
// failed makes the run INTERNAL_ERROR and FAILED, though it is itself TERMINATED.
func (r *run) verdict(ctx context.Context) state {
	inner := map[string]bool{}
	for _, t := range r.Tasks {
		for _, d := range t.DependsOn {
			inner[d.TaskKey] = true
		}
	}
	var culprit *attempt // the first that failed of itself; one that ran out of time only where none failed
	leafFailed, failed, skippedOnes, stopped := false, false, false, false
	for _, t := range r.Tasks {
		a := r.last(t.TaskKey)
		if a == nil {
			continue
		}
		skippedOnes = skippedOnes || a.State.Result == upstreamFailed
		stopped = stopped || a.State.Result == Canceled || a.State.Result == upstreamCanceled || a.State == halted || a.State.Result == timedOut
		if !a.State.bad() {
			continue
		}
		failed = true
		leafFailed = leafFailed || !inner[t.TaskKey]
		if a.State.Result != upstreamFailed && (culprit == nil || culprit.State.Result == timedOut && a.State.Result != timedOut) {
			culprit = a
		}
	}
	switch {
	case stopped && ctx.Err() != nil:
		return ending(ctx)
	case !failed && !stopped:
		return succeeded
	case culprit == nil:
		return canceled
	case !leafFailed:
		return state{Life: terminated, Result: partlySuccess, Code: "SUCCESS_WITH_FAILURES", Cause: "SUCCESS"}
	}
	end := state{Life: broken, Result: Failed, Code: culprit.State.Code, Cause: culprit.State.Cause, Stopped: culprit.State.Stopped}
	if culprit.State.Result == timedOut {
		end.Life, end.Result = terminated, timedOut
	}
	end.Message = "Task " + culprit.Key + " failed with message: " + strings.TrimSuffix(culprit.State.Message, ".") + "."
	if skippedOnes {
		end.Message += " This caused all downstream tasks to get skipped."
	}
	return end
}
