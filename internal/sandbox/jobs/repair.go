package jobs

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

type repairRequest struct {
	RunID      integer  `json:"run_id"`
	Latest     integer  `json:"latest_repair_id"`
	Tasks      []string `json:"rerun_tasks"`
	AllFailed  bool     `json:"rerun_all_failed_tasks"`
	Dependents bool     `json:"rerun_dependent_tasks"`
}

func (s *Service) repair(_ string, req *http.Request) (any, error) {
	var body repairRequest
	o, err := decodeOrder(req, &body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.run(int64(body.RunID))
	if err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	rerun, err := body.tasks(r)
	if err != nil {
		return nil, err
	}
	s.refresh(r, o)
	if len(r.Repairs) == 0 {
		r.Repairs = []repair{{Start: r.Start, End: r.End, State: r.State, TaskRuns: r.newer(0)}}
	}
	fix := repair{ID: s.nextID(), Start: millis(s.cfg.Now())}
	r.Repairs = append(r.Repairs, fix)
	for _, key := range rerun {
		s.nextAttempt(r, key, state{Life: pending})
	}
	r.End = 0
	s.takeOff(r, rerun)
	return map[string]int64{"repair_id": fix.ID}, s.touch(r)
}

// tasks are the keys of the tasks to run again, in the run's order.
func (b *repairRequest) tasks(r *run) ([]string, error) {
	switch {
	case !r.State.over():
		return nil, wire.Errorf(http.StatusBadRequest, "INVALID_STATE", "Run %d is active: only a run that has ended can be repaired.", r.ID)
	case r.State.Life == skipped:
		return nil, wire.Errorf(http.StatusBadRequest, "INVALID_STATE", "Run %d was skipped and cannot be repaired.", r.ID)
	case len(r.Repairs) > 0 && b.Latest == 0:
		return nil, wire.Invalid("The latest repair ID needs to be provided in order to create a new repair")
	case len(r.Repairs) > 0 && int64(b.Latest) != r.Repairs[len(r.Repairs)-1].ID:
		return nil, wire.Invalid("%d is not the latest repair ID of run %d.", b.Latest, r.ID)
	case len(b.Tasks) > 0 && b.AllFailed:
		return nil, wire.Invalid("Only one of rerun_tasks and rerun_all_failed_tasks can be specified.")
	}
	wanted := map[string]bool{}
	for _, key := range b.Tasks {
		if r.task(key) == nil {
			return nil, wire.Invalid("Task %s is not a task of run %d.", key, r.ID)
		}
		wanted[key] = true
	}
	for _, t := range r.Tasks {
		st := r.last(t.TaskKey).State
		if b.AllFailed && (st.bad() || st.Result == Canceled || st.Result == upstreamCanceled) {
			wanted[t.TaskKey] = true
		}
	}
	if b.Dependents {
		down := map[string][]string{}
		for _, t := range r.Tasks {
			for _, d := range t.DependsOn {
				down[d.TaskKey] = append(down[d.TaskKey], t.TaskKey)
			}
		}
		for _, key := range slices.Collect(maps.Keys(wanted)) {
			spread(wanted, down, key)
		}
	}
	rerun := slices.DeleteFunc(keys(r.Tasks), func(key string) bool { return !wanted[key] })
	if len(rerun) == 0 {
		return nil, wire.Invalid("Run %d has no task to run again: name them in rerun_tasks.", r.ID)
	}
	return rerun, nil
}

// refresh gives a run the present settings of its job, and the parameters of the repair.
func (s *Service) refresh(r *run, o order) {
	if j := s.jobs[r.JobID]; j != nil {
		r.Tasks = slices.Clone(r.Tasks)
		for i, old := range r.Tasks {
			for _, t := range j.Settings.Tasks {
				if t.TaskKey == old.TaskKey {
					r.Tasks[i] = t
				}
			}
		}
		r.Clusters, r.Spaces, r.Timeout = j.Settings.JobClusters, j.Settings.Environments, j.Settings.TimeoutSeconds
	}
	for i, p := range r.Parameters {
		if v, ok := o.JobParameters[p.Name]; ok {
			r.Parameters[i].Value = &v
		}
	}
	if o.Widgets != nil {
		r.Widgets = o.Widgets
	}
	if len(o.overriding) > 0 {
		r.Overriding = o.overriding
	}
}

// newer are the ids of the attempts after an id.
func (r *run) newer(id int64) []int64 {
	var ids []int64
	for _, a := range r.Attempts {
		if a.ID > id {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

func keys(tasks []task) []string {
	var all []string
	for _, t := range tasks {
		all = append(all, t.TaskKey)
	}
	return all
}

func number(n int) string { return strconv.Itoa(n) }

// raw is v as JSON; v is a string or a number.
func raw(v any) json.RawMessage {
	b, _ := json.Marshal(v)
	return b
}
