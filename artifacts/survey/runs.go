package survey

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"
)

// Candidates are the notebooks that look like one of a role, the likeliest first.
func (s *Survey) candidates(r role, among func(Notebook) bool) []*Notebook {
	var found []*Notebook
	for i := range s.Notebooks {
		if n := &s.Notebooks[i]; !strings.HasPrefix(n.Path, "../") && n.points(r) >= 4 && (among == nil || among(*n)) {
			found = append(found, n)
		}
	}
	slices.SortStableFunc(found, func(a, b *Notebook) int {
		return cmp.Or(cmp.Compare(s.weight(b, r), s.weight(a, r)), cmp.Compare(a.Path, b.Path))
	})
	return found
}

// weight is a notebook's points, and more where a job of the bundle runs it.
func (s *Survey) weight(n *Notebook, r role) int {
	w := n.points(r)
	if j := s.Bundle.job(n.Object()); j != nil {
		w += 1 + points(j.Cron != "" && r == scoring, 2)
	}
	return w
}

// guessRun finds the likeliest notebook of a role for a model: with several models one that names it or stands beside
// what trains it.
func (s *Survey) guessRun(p *Proposal, r role, flag string, m Model, only bool) Run {
	var among func(Notebook) bool
	names := func(n Notebook) bool { return slices.ContainsFunc(n.Models, m.called) }
	if !only {
		home := path.Dir(m.Train.Notebook)
		among = func(n Notebook) bool {
			return names(n) || r != training && m.Train.Notebook != "" && home != "." && strings.HasPrefix(n.Path, home+"/") && len(n.Models) == 0
		}
	}
	found := s.candidates(r, among)
	if r == training { // one that names the model before one that does not
		slices.SortStableFunc(found, func(a, b *Notebook) int { return points(names(*b), 1) - points(names(*a), 1) })
	}
	if len(found) == 0 {
		return Run{}
	}
	run := s.run(found[0], r, found[0].why(r))
	what := map[role]string{training: "training", gating: "test", scoring: "scoring"}[r] + " of " + m.Label
	if len(found) > 1 {
		also := found[1].Object()
		if !only {
			also = m.Label + "=" + also
		}
		run.Why += "; also possible: " + flag + " " + also
	}
	p.guess(what, found[0].Path, run.Why)
	return run
}

// why says by what a notebook was taken for its role.
func (n Notebook) why(r role) string {
	var by []string
	if slices.ContainsFunc(roleNames[r], func(word string) bool { return strings.Contains(n.name(), word) }) {
		by = append(by, "its name")
	}
	switch r {
	case training:
		by = append(by, "it trains")
	case gating:
		if n.Loads {
			by = append(by, "it loads a model")
		}
		if n.Measures {
			by = append(by, "it measures")
		}
	case scoring:
		if n.Loads {
			by = append(by, "it loads a model")
		}
		if n.Writes {
			by = append(by, "it writes results")
		}
	}
	return strings.Join(by, ", ")
}

func (s *Survey) run(n *Notebook, r role, why string) Run {
	out := Run{Notebook: n.Object(), Why: why, Parameters: map[string]string{}, nb: n}
	job := s.Bundle.job(n.Object())
	if job != nil {
		for name, value := range job.Parameters {
			if !strings.HasPrefix(name, bargeWidget) {
				out.Parameters[name] = value
			}
		}
	}
	if job != nil && r == scoring {
		out.Cron, out.Timezone = job.schedule()
	}
	for _, name := range n.Needs {
		if _, told := out.Parameters[name]; !told {
			out.Unset, out.Parameters[name] = append(out.Unset, name), ""
		}
	}
	if r == gating {
		out.Metric = bestMetric(n.Metrics)
	}
	return out
}

// schedule is the job's, where barge can keep it: "" where its expression or its time zone is none.
func (j *Job) schedule() (cron, timezone string) {
	fields := len(strings.Fields(j.Cron))
	if _, err := time.LoadLocation(j.Timezone); err != nil || fields != 6 && fields != 7 {
		return "", ""
	}
	return oneLine(j.Cron), j.Timezone
}

// favourites are metrics that people set a bar for, the first that is there counts.
var favourites = []string{"accuracy", "auc", "roc_auc", "f1", "f1_score", "r2", "rmse", "mae", "mse"}

func bestMetric(names []string) string {
	for _, f := range favourites {
		for _, n := range names {
			if strings.EqualFold(n, f) {
				return n
			}
		}
	}
	return append(slices.Clone(names), "")[0]
}

// lessIsBetter tells metrics that measure an error.
func lessIsBetter(metric string) bool {
	m := strings.ToLower(metric)
	return slices.ContainsFunc([]string{"rmse", "mae", "mse", "loss", "error", "mape"}, func(e string) bool { return strings.Contains(m, e) })
}
