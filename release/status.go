package release

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// Status is what one environment looks like.
type Status struct {
	Environment string             `json:"environment"`
	Title       string             `json:"title,omitempty"`
	Workspace   string             `json:"workspace"`
	Release     ledger.Release     `json:"release"`
	Live        int                `json:"live"`
	Since       time.Time          `json:"since,omitzero"`
	By          ledger.Why         `json:"by,omitempty"`
	Proven      ledger.How         `json:"proven,omitempty"`
	Unproven    *Obstacle          `json:"unproven,omitempty"` // what is to be done while it is not
	InFlight    *ledger.Flight     `json:"in_flight,omitempty"`
	Hold        *ledger.Hold       `json:"hold,omitempty"`
	Bars        []ledger.Bar       `json:"bars,omitempty"`
	Waivers     []Waiver           `json:"waivers,omitempty"`   // in force for the champion
	Approvals   []Approval         `json:"approvals,omitempty"` // of rules that no promotion has brought yet
	Rules       string             `json:"rules,omitempty"`     // those in force, by digest
	Attempts    []Attempt          `json:"attempts,omitempty"`  // of gates and first scorings, since the last switch
	Candidates  []Candidate        `json:"candidates,omitempty"`
	Drift       []Drift            `json:"drift"`
	Mend        string             `json:"mend,omitempty"`     // what mends the drift
	Scorings    []effects.Scoring  `json:"scorings,omitempty"` // the last of each job in use
	SpareJobs   []effects.SpareJob `json:"spare_jobs,omitempty"`
	Problem     string             `json:"problem,omitempty"`  // why champion or pointers could not be read
	Problems    []string           `json:"problems,omitempty"` // why the rest could not
	Pointers    ledger.Values      `json:"pointers,omitempty"`
	Jobs        map[string]int64   `json:"jobs,omitempty"`

	problem error
}

// Attempt is one answer of a gate or of a first scoring, as the ledger counts it.
type Attempt struct {
	Gate    string `json:"gate"`
	Release string `json:"release"`
	Outcome string `json:"outcome"`
	Attempt int    `json:"attempt"`
}

// String is the answer in words: gate good: 1.1.0 passed on attempt 3.
func (a Attempt) String() string {
	what := "gate " + a.Gate
	if score, scored := strings.CutPrefix(a.Gate, scoreGate("")); scored {
		what = "score " + score
	}
	return fmt.Sprintf("%s: %s %s on attempt %d", what, a.Release, a.Outcome, a.Attempt)
}

// Err is why champion or pointers could not be read; nil where they were.
func (st *Status) Err() error { return st.problem }

// Status reads environments, those named or all that have a path, in the order of barge.hcl, from their ledgers and
// workspaces alone. All are read at the same time. An environment that cannot be read says why and does not keep the
// others from being told.
func (w *World) Status(ctx context.Context, only string) ([]Status, error) {
	if only != "" {
		if _, err := w.place(only); err != nil {
			return nil, err
		}
	}
	var all []Status
	names := []string{}
	for _, e := range w.Project.Environments {
		if only == "" || e.Name == only {
			all = append(all, Status{Environment: e.Name, Title: e.Title, Workspace: e.Workspace, Drift: []Drift{}})
			names = append(append(names, e.Name), w.upstream(e.Name)...)
		}
	}
	look := w.looking(ctx, names)
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() {
			if err := look.status(ctx, &all[i]); err != nil {
				all[i].Problem, all[i].problem = err.Error(), err
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if only != "" && all[0].problem != nil {
		return nil, all[0].problem
	}
	return all, nil
}

// looking is the world for who changes nothing: each ledger is read once, all at the same time, and neither the store
// nor a clone of the repository is needed.
func (w *World) looking(ctx context.Context, names []string) *World {
	look := *w
	look.Store, look.NoStore = nil, fmt.Errorf("status asks no store")
	look.Age = func(a, b string) (artifacts.Order, error) {
		order, err := w.Age(a, b)
		if err != nil {
			order = artifacts.Unknown
		}
		return order, nil
	}
	var mu sync.Mutex
	seen := map[string]ledger.State{}
	var group sync.WaitGroup
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		group.Go(func() {
			p, err := w.place(name)
			if err != nil {
				return // status asks again, and says why
			}
			if s, err := p.state(ctx); err == nil {
				mu.Lock()
				defer mu.Unlock()
				seen[name] = s
			}
		})
	}
	group.Wait()
	look.seen = seen
	return &look
}

func (w *World) status(ctx context.Context, st *Status) error {
	p, err := w.place(st.Environment)
	if err != nil {
		return err
	}
	s, err := p.state(ctx)
	if err != nil {
		return err
	}
	st.recorded(s)
	st.Waivers = p.waivedHere(s, s.Champion.Release.Artifact)
	if s.Seq > 0 && !s.IsProven() {
		o := unproven(p.name, s).obstacle()
		st.Unproven = &o
	}
	var asked []weighed
	problems := make([]error, 4)
	var group sync.WaitGroup
	group.Go(func() { st.Drift, problems[0] = p.watched(ctx, s) })
	group.Go(func() { asked, problems[1] = p.candidates(ctx, s) })
	group.Go(func() { st.Scorings, problems[2] = p.scorings(ctx, s) })
	group.Go(func() { st.SpareJobs, problems[3] = p.spareJobs(ctx, s) })
	group.Wait()
	for _, problem := range problems[1:] {
		if problem != nil {
			st.Problems = append(st.Problems, problem.Error())
		}
	}
	for _, a := range asked {
		st.Candidates = append(st.Candidates, a.candidate(s, st.Drift))
	}
	if len(st.Drift) > 0 {
		st.Mend = drifting(p.name, s, st.Drift).Clear
	}
	return problems[0]
}

// recorded fills in what the ledger alone says.
func (st *Status) recorded(s ledger.State) {
	c := s.Champion
	st.Release, st.Live, st.Since, st.By, st.Proven = c.Release, c.Live, c.At, c.By, c.Proven
	st.InFlight, st.Hold, st.Pointers, st.Rules = s.Flight, s.Hold, c.Values, s.Rules.Digest
	for _, b := range s.Bars {
		st.Bars = append(st.Bars, b.Said)
	}
	for _, a := range s.Approvals {
		if a.Said.Rules != "" {
			st.Approvals = append(st.Approvals, approval(a))
		}
	}
	st.Jobs = map[string]int64{}
	for id := range s.Jobs {
		st.Jobs[id] = s.Job(id)
	}
	for _, token := range sorted(s.Evidence) {
		e := s.Evidence[token]
		st.Attempts = append(st.Attempts, Attempt{e.Gate, e.Release, e.Outcome, e.Attempt})
	}
	slices.SortFunc(st.Attempts, func(a, b Attempt) int {
		return cmp.Or(cmp.Compare(a.Gate, b.Gate), cmp.Compare(a.Release, b.Release), cmp.Compare(a.Attempt, b.Attempt))
	})
}

// watched is the drift of an environment in which nothing is in flight: between two champions pointers are on their way.
// What stood there before barge is not ours to watch.
func (p *place) watched(ctx context.Context, s ledger.State) ([]Drift, error) {
	if s.Seq == 0 || s.Flight != nil || s.Champion.Plan == "" {
		return []Drift{}, nil
	}
	at, err := p.addresses(ctx, s, nil)
	if err != nil {
		return []Drift{}, err
	}
	drifted, err := p.settledDrift(ctx, s, at)
	return append([]Drift{}, drifted...), err
}

// scorings are the last runs of the champion's jobs.
func (p *place) scorings(ctx context.Context, s ledger.State) ([]effects.Scoring, error) {
	return gather(ctx, s.Champion.Values, func(ctx context.Context, id string) ([]effects.Scoring, error) {
		score, ok := strings.CutPrefix(id, ledger.JobPrefix)
		if job := s.Job(id); ok && job != 0 && s.Champion.Values[id] != ledger.Off {
			last, err := p.site.LastScoring(ctx, score, job)
			if last == nil {
				return nil, err
			}
			return []effects.Scoring{*last}, err
		}
		return nil, nil
	})
}

// spareJobs are the jobs of every score that ever was that the ledger does not use. While something is in flight one of
// them may be about to be used.
func (p *place) spareJobs(ctx context.Context, s ledger.State) ([]effects.SpareJob, error) {
	if s.Flight != nil {
		return nil, nil
	}
	ids := map[string]bool{}
	for id := range s.Jobs {
		ids[id] = true
	}
	for _, id := range s.Ours() {
		ids[id] = true
	}
	return gather(ctx, ids, func(ctx context.Context, id string) ([]effects.SpareJob, error) {
		if score, ok := strings.CutPrefix(id, ledger.JobPrefix); ok {
			return p.site.SpareJobs(ctx, score, s.Job(id))
		}
		return nil, nil
	})
}

// gather asks about all keys at once; what it finds is in their order.
func gather[V, T any](ctx context.Context, keys map[string]V, ask func(context.Context, string) ([]T, error)) ([]T, error) {
	ids := sorted(keys)
	found := make([][]T, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(together)
	for i, id := range ids {
		group.Go(func() (err error) {
			found[i], err = ask(ctx, id)
			return err
		})
	}
	err := group.Wait()
	return slices.Concat(found...), err
}
