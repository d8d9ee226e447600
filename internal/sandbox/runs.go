package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/sandbox/jobs"
)

// ErrNotRunning says that a sandbox would have to run for what was asked.
var ErrNotRunning = errors.New("the sandbox is not running")

// Run is one attempt at one task of a run, and the workspace it ran in.
type Run struct {
	Workspace string `json:"workspace"`
	jobs.Run
}

// controlPatience is how long a server may take to tell what it knows: one that was stopped never does.
const controlPatience = 30 * time.Second

// Runs are the runs of all twins, newest first.
func (s Status) Runs(ctx context.Context) ([]Run, error) {
	if !s.Running {
		return nil, ErrNotRunning
	}
	ctx, cancel := context.WithTimeout(ctx, controlPatience)
	defer cancel()
	var all []Run
	for _, t := range s.Twins {
		var runs []jobs.Run
		if err := t.control(ctx, http.MethodGet, "runs", nil, &runs); err != nil {
			return nil, fmt.Errorf("asking workspace %s for its runs: %w", t.Name, err)
		}
		for _, r := range runs {
			all = append(all, Run{t.Name, r})
		}
	}
	slices.SortStableFunc(all, func(a, b Run) int {
		return cmp.Or(cmp.Compare(b.Start, a.Start), cmp.Compare(b.TaskRunID, a.TaskRunID))
	})
	return all, nil
}

// pageOfRun is where the address of a run's page has its number.
var pageOfRun = regexp.MustCompile(`(?:^|/)run/(\d+)`)

// Run are the attempts of one run, oldest first: of the run itself, or of a task in it, by its number or by the address
// of its page. Twins may give one number twice; an address tells them apart.
func (s Status) Run(ctx context.Context, which string) ([]Run, error) {
	number, at := which, ""
	if page, err := url.Parse(which); err == nil && page.Host != "" {
		m := pageOfRun.FindStringSubmatch(page.Fragment)
		i := slices.IndexFunc(s.Twins, func(t TwinStatus) bool { return strconv.FormatInt(t.WorkspaceID, 10) == page.Query().Get("o") })
		if m == nil || i < 0 {
			return nil, fmt.Errorf("%s is not the page of a run of this sandbox", which)
		}
		number, at = m[1], s.Twins[i].Name
	}
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is neither the number of a run nor the address of its page", which)
	}
	all, err := s.Runs(ctx)
	if err != nil {
		return nil, err
	}
	var found []Run
	var workspaces []string
	for _, r := range slices.Backward(all) {
		if r.RunID != id && r.TaskRunID != id || at != "" && r.Workspace != at {
			continue
		}
		found = append(found, r)
		if !slices.Contains(workspaces, r.Workspace) {
			workspaces = append(workspaces, r.Workspace)
		}
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("there is no run %s in the sandbox", number)
	case len(workspaces) > 1:
		return nil, fmt.Errorf("run %d is in %s: give the address of its page, %s", id, strings.Join(workspaces, " and in "), found[0].PageURL)
	}
	return found, nil
}
