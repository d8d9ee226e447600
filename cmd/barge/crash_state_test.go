//go:build unix

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/ledger"
)

// standing is all that a command leaves in prod and in the registry, but for what its history may differ in: the
// numbers of the ledger's entries, and times.
type standing struct {
	Live   map[string]any // must be as undisturbed
	Beside map[string]int // what was added beside, counted: files, secrets, rights, runs, evidence
	Broken []string       // what must never be
}

const prodPath = "/Barge/diabetes"

func (y *yard) ledger() *ledger.Ledger {
	root := y.bench.sandbox.Twin("prod").Files().Root()
	return ledger.Open(ledger.NewFolder(filepath.Join(root, filepath.FromSlash(prodPath), "ledger")), ledger.Options{})
}

func (y *yard) head(t *testing.T) ledger.State {
	t.Helper()
	head, err := y.ledger().Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head.State
}

// stands looks at everything, without barge.
func (y *yard) stands(t *testing.T) standing {
	t.Helper()
	s := standing{Live: map[string]any{}, Beside: map[string]int{}}
	for _, look := range []func(*testing.T, *standing) error{y.lookAtLedger, y.lookAtHistory, y.lookAtRegistry, y.lookAtJobs, y.lookAtFiles, y.lookAtSecrets, y.lookAtRuns} {
		if err := look(t, &s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (y *yard) lookAtLedger(t *testing.T, s *standing) error {
	problems, err := y.ledger().Verify(t.Context())
	for _, p := range problems {
		s.Broken = append(s.Broken, fmt.Sprintf("ledger entry %d is %s: %s", p.Seq, p.Kind, p.Text))
	}
	l := y.head(t)
	if l.Flight != nil {
		s.Broken = append(s.Broken, fmt.Sprintf("a %s of %s is in flight", l.Flight.Kind, l.Flight.Release))
	}
	s.Live["champion"], s.Live["hold"] = l.Champion.Release, l.Hold
	s.Live["proven"] = l.IsProven() || l.Seq == 0
	if l.Champion.Release.Artifact != "" { // Genesis is nobody's
		s.Live["values"], s.Live["rules"] = l.Champion.Values, l.Rules.Digest
	}
	bars := []string{}
	for _, b := range l.Bars {
		bars = append(bars, b.Said.Name+" "+b.Said.Artifact+b.Said.Model)
	}
	slices.Sort(bars)
	s.Live["bars"] = bars
	for id, numbers := range l.Jobs {
		if len(numbers) > 1 {
			s.Broken = append(s.Broken, fmt.Sprintf("%s has had the jobs %v", id, numbers))
		}
	}
	return err
}

func (y *yard) lookAtHistory(t *testing.T, s *standing) error {
	for e, err := range y.ledger().History(t.Context()) {
		if err != nil {
			return err
		}
		switch b := e.Body.(type) {
		case ledger.Evidence:
			s.Beside[fmt.Sprintf("evidence %s of %s: %s", b.Gate, b.Release, b.Outcome)]++
		case ledger.Barred:
			s.Beside["entry barred "+b.Name]++
		case ledger.Begun:
			if b.Why == ledger.Start {
				s.Beside[fmt.Sprintf("start of %s", b.Release.Name)]++
			}
		}
	}
	return nil
}

func (y *yard) lookAtRegistry(_ *testing.T, s *standing) error {
	stages, err := y.bench.versions()
	if err != nil {
		return err
	}
	for number, stage := range stages {
		if stage == "Staging" || stage == "Production" {
			s.Live["version "+number] = stage
		}
	}
	var out struct {
		Model struct {
			Tags []struct{ Key, Value string }
		} `json:"registered_model"`
	}
	err = y.bench.call("registry", http.MethodGet, mlflowAPI+"registered-models/get?name=diabetes", nil, &out)
	for _, tag := range out.Model.Tags {
		if tag.Value != "" {
			s.Live["tag "+tag.Key] = tag.Value
		}
	}
	return err
}

// lookAtJobs takes a job that runs by itself for live, with its rights, and any other for something beside.
func (y *yard) lookAtJobs(_ *testing.T, s *standing) error {
	for _, workspace := range []string{"prod", "test"} {
		all, err := y.bench.jobs(workspace)
		if err != nil {
			return err
		}
		for id, v := range all {
			settings, _ := v.(map[string]any)
			tag := fmt.Sprint(at(settings, []string{"tags", "barge"}))
			if at(settings, []string{"schedule", "pause_status"}) != "UNPAUSED" {
				s.Beside["resting job "+tag]++
				continue
			}
			if s.Live["job "+tag] != nil {
				s.Broken = append(s.Broken, "two jobs of "+tag+" run by themselves")
			}
			rights, err := y.rights(workspace, "jobs/"+id)
			if err != nil {
				return err
			}
			s.Live["job "+tag] = []any{settings, rights}
		}
	}
	return nil
}

// rights are those given on an object itself.
func (y *yard) rights(workspace, object string) ([]string, error) {
	var out struct {
		List []struct {
			Group string `json:"group_name"`
			User  string `json:"user_name"`
			All   []struct {
				Level     string `json:"permission_level"`
				Inherited bool   `json:"inherited"`
			} `json:"all_permissions"`
		} `json:"access_control_list"`
	}
	if err := y.bench.call(workspace, http.MethodGet, "/api/2.0/permissions/"+object, nil, &out); err != nil {
		return nil, err
	}
	var rights []string
	for _, who := range out.List {
		for _, p := range who.All {
			if !p.Inherited {
				rights = append(rights, who.Group+who.User+" "+p.Level)
			}
		}
	}
	slices.Sort(rights)
	return rights, nil
}

// lookAtFiles counts every object below prod's path, but for the ledger; plans are named by what they put over what,
// as their digests have the ledger's numbers in them.
func (y *yard) lookAtFiles(_ *testing.T, s *standing) error {
	root := filepath.Join(y.bench.sandbox.Twin("prod").Files().Root(), filepath.FromSlash(prodPath))
	if _, err := os.Stat(root); err != nil {
		return nil //nolint:nilerr // nothing was ever deployed
	}
	return filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		switch {
		case err != nil:
			return err
		case d.IsDir() && rel == "ledger":
			return fs.SkipDir
		case d.IsDir():
			return y.lookAtFolder(s, rel)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if path.Dir(filepath.ToSlash(rel)) == "plans" {
			rel, b = planName(b), nil
		}
		sum := sha256.Sum256(b)
		s.Beside["file "+rel+" "+hex.EncodeToString(sum[:4])]++
		return nil
	})
}

func (y *yard) lookAtFolder(s *standing, rel string) error {
	if depth := strings.Count(rel, "/"); rel != "." && !strings.HasPrefix(rel, "releases/") || depth > 1 {
		return nil
	}
	var object struct {
		ID json.Number `json:"object_id"`
	}
	query := "?path=" + url.QueryEscape(path.Join(prodPath, rel))
	if err := y.bench.call("prod", http.MethodGet, "/api/2.0/workspace/get-status"+query, nil, &object); err != nil {
		return err
	}
	rights, err := y.rights("prod", "directories/"+object.ID.String())
	for _, r := range rights {
		s.Beside["right on "+rel+": "+r]++
	}
	return err
}

func planName(b []byte) string {
	var plan struct {
		Release ledger.Release
		Over    struct{ Release ledger.Release }
	}
	if err := json.Unmarshal(b, &plan); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("plans/%s over %s", plan.Release.Name, plan.Over.Release.Name)
}

func (y *yard) lookAtSecrets(_ *testing.T, s *standing) error {
	var out struct{ Scopes []struct{ Name string } }
	if err := y.bench.call("prod", http.MethodGet, "/api/2.0/secrets/scopes/list", nil, &out); err != nil {
		return err
	}
	for _, scope := range out.Scopes {
		s.Beside["secret scope "+scope.Name]++
		var keys struct{ Secrets []struct{ Key string } }
		if err := y.bench.call("prod", http.MethodGet, "/api/2.0/secrets/list?scope="+scope.Name, nil, &keys); err != nil {
			return err
		}
		for _, k := range keys.Secrets {
			s.Beside["secret "+scope.Name+"/"+k.Key]++
		}
	}
	return nil
}

func (y *yard) lookAtRuns(_ *testing.T, s *standing) error {
	for _, workspace := range []string{"prod", "test"} {
		for _, r := range y.bench.sandbox.Twin(workspace).Jobs().Runs() {
			s.Beside[fmt.Sprintf("run of %s of %s: %s", path.Base(r.Notebook), r.Parameters["barge_release"], r.Result)]++
		}
	}
	return nil
}

// differs tells how s differs from what it should be. What lies beside must be exactly as in one of all when one is
// given; of several it must have at least what is in the first and at most what is in any of them.
func (s standing) differs(want standing, beside ...standing) string {
	diff := strings.Join(s.Broken, "\n")
	if d := cmp.Diff(want.Live, s.Live); d != "" {
		diff += "live (-want +got):\n" + d
	}
	if len(beside) == 1 {
		if d := cmp.Diff(beside[0].Beside, s.Beside); d != "" {
			diff += "beside (-want +got):\n" + d
		}
		return diff
	}
	least, most := beside[0].Beside, map[string]int{}
	for _, b := range beside {
		for what, n := range b.Beside {
			most[what] = max(most[what], n)
		}
	}
	for what, n := range s.Beside {
		if n > most[what] {
			diff += fmt.Sprintf("%d × %s, not %d\n", n, what, most[what])
		}
	}
	for what, n := range least {
		if s.Beside[what] < n {
			diff += fmt.Sprintf("%d × %s, not %d\n", s.Beside[what], what, n)
		}
	}
	return diff
}
