package effects

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/bargeml/barge/internal/ledger"
)

// A definition that names no run_as means: as whoever made the job. The service means that of a new job alone; later it
// keeps whom an earlier definition named. So the maker is named then, and only then: who may not name others can still
// switch jobs that never were anybody else's.

// applicationID is how the service calls a service principal; everybody else has another kind of name.
var applicationID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// as is run_as for somebody as the service calls them.
func as(name string) map[string]any {
	if applicationID.MatchString(name) {
		return map[string]any{"service_principal_name": name}
	}
	return map[string]any{"user_name": name}
}

// compared says in both, where wanted does not, as whom the job runs and is to run.
func (j *Job) compared(settings, wanted map[string]any) {
	if _, named := wanted["run_as"]; !named && j.maker != "" && j.runsAs != "" {
		settings["run_as"], wanted["run_as"] = as(j.runsAs), as(j.maker)
	}
}

// identified is want with the job's maker as run_as, where it names nobody and the service would keep somebody else:
// the one it runs as now, or the one whom a recent value named, since a read may be old.
func (j *Job) identified(ctx context.Context, want ledger.Value) (json.RawMessage, error) {
	wanted, err := definition(want)
	if err != nil || wanted["run_as"] != nil {
		return json.RawMessage(want), err
	}
	if _, err := j.settings(ctx); err != nil {
		return nil, err
	}
	kept := j.runsAs != j.maker
	for _, v := range j.recent {
		if was, err := definition(v); err == nil && was["run_as"] != nil {
			kept = true
		}
	}
	if !kept {
		return json.RawMessage(want), nil
	}
	if j.maker == "" {
		return nil, fmt.Errorf("setting job %d: it runs as %s, the release names nobody, and who made the job is gone; name run_as in score %s",
			j.number, j.runsAs, j.address.Score)
	}
	wanted["run_as"] = as(j.maker)
	return json.Marshal(wanted)
}

// definition reads a job's value; none of Off.
func definition(v ledger.Value) (map[string]any, error) {
	if v == ledger.Off || v == ledger.Absent {
		return nil, nil
	}
	var d map[string]any
	if err := v.Decode(&d); err != nil {
		return nil, fmt.Errorf("reading a job's recorded value: %w", err)
	}
	return d, nil
}
