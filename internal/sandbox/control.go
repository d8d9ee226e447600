package sandbox

import (
	"context"
	"net/http"
	"strconv"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// controls are the calls below /_sandbox/ that steer a twin, and through any twin the whole sandbox.
func (t *Twin) controls() *wire.Mux {
	m := &wire.Mux{}
	m.JSON("GET /_sandbox/log", func(*http.Request) (any, error) { return t.Log(), nil })
	m.JSON("DELETE /_sandbox/log", func(*http.Request) (any, error) { t.ClearLog(); return nil, nil })
	m.JSON("GET /_sandbox/faults", func(*http.Request) (any, error) { return t.faults.pending(), nil })
	m.JSON("DELETE /_sandbox/faults", func(*http.Request) (any, error) { t.ClearFaults(); return nil, nil })
	m.JSON("POST /_sandbox/faults", func(r *http.Request) (any, error) {
		var f Fault
		if err := wire.Decode(r, &f); err != nil {
			return nil, err
		}
		return nil, t.Fault(f)
	})
	t.lateControls(m)
	m.JSON("GET /_sandbox/runs", func(*http.Request) (any, error) {
		runs := t.Jobs().Runs()
		if runs == nil {
			return []struct{}{}, nil
		}
		return runs, nil
	})
	m.JSON("POST /_sandbox/jobs/{id}/fire", func(r *http.Request) (any, error) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil {
			return nil, wire.Invalid("%s is not a job id", r.PathValue("id"))
		}
		run, err := t.Jobs().Fire(id)
		if err != nil {
			return nil, err
		}
		return map[string]int64{"run_id": run}, nil
	})
	m.JSON("GET /_sandbox/status", func(*http.Request) (any, error) { return t.owner.state(), nil })
	m.JSON("POST /_sandbox/workspaces", func(r *http.Request) (any, error) {
		names, err := named(r)
		if err != nil {
			return nil, err
		}
		if err := t.owner.Add(context.WithoutCancel(r.Context()), names...); err != nil {
			return nil, wire.Invalid("%s", err)
		}
		return t.owner.state(), nil
	})
	m.JSON("POST /_sandbox/reset", func(r *http.Request) (any, error) {
		names, err := named(r)
		if err != nil {
			return nil, err
		}
		if err := t.owner.Reset(names...); err != nil {
			return nil, wire.Invalid("%s", err)
		}
		return nil, nil
	})
	m.JSON("POST /_sandbox/stop", func(*http.Request) (any, error) { t.owner.askToStop(); return nil, nil })
	return m
}

func named(r *http.Request) ([]string, error) {
	var body struct {
		Workspaces []string `json:"workspaces"`
	}
	err := wire.Decode(r, &body)
	return body.Workspaces, err
}
