//go:build unix

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/gates"
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

// stands looks at everything, without barge.
func (y *yard) stands(t *testing.T) standing {
	t.Helper()
	s := standing{Live: map[string]any{}, Beside: map[string]int{}}
	for _, look := range []func(*testing.T, *standing) error{
		y.lookAtLedger, y.lookAtStore, y.lookAtRegistry, y.lookAtJobs, y.lookAtFiles, y.lookAtSecrets, y.lookAtRuns,
	} {
		if err := look(t, &s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// lookAtStore looks at what the store says is live, where a release is, and at the evidence that travels with the
// artifacts.
func (y *yard) lookAtStore(t *testing.T, s *standing) error {
	store, err := artifacts.OpenStore(y.dir, "oci-layout:.barge/store")
	if err != nil {
		return err
	}
	if y.head(t).Champion.Release.Artifact != "" {
		id, _, err := store.Live(t.Context(), "prod")
		if err != nil {
			return err
		}
		s.Live["store: live in prod"] = id
	}
	all, err := store.List(t.Context())
	if err != nil {
		return err
	}
	for _, a := range all {
		for e, err := range store.Attached(t.Context(), a.ID, gates.PredicateType) {
			if err != nil {
				return err
			}
			evidence, err := gates.ParseEvidence(e.Body)
			if err != nil {
				return err
			}
			// Who wait for one run at the same time attach what each of them saw.
			s.Beside[fmt.Sprintf("attached to %s: %s, attempt %d: %s", evidence.Name, evidence.Gate, evidence.Attempt, evidence.Outcome)] = 1
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
		if stage == "None" || stage == "Archived" {
			stage = "in no slot"
		}
		s.Live["version "+number] = stage
	}
	var model struct {
		Of struct{ ID string } `json:"registered_model_databricks"`
	}
	if err := y.bench.call("registry", http.MethodGet, mlflowAPI+"databricks/registered-models/get?name=diabetes", nil, &model); err != nil {
		return err
	}
	rights, err := y.rights("registry", "registered-models/"+model.Of.ID)
	if err != nil {
		return err
	}
	for _, r := range rights {
		s.Beside["right on the model: "+r]++
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

// lookAtFiles counts every object below the environments' path, but for what the ledgers hold; plans are named by what
// they put over what, as their digests have the ledger's numbers in them.
func (y *yard) lookAtFiles(_ *testing.T, s *standing) error {
	for _, workspace := range []string{"prod", "test"} {
		root := filepath.Join(y.bench.sandbox.Twin(workspace).Files().Root(), filepath.FromSlash(prodPath))
		err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				if file == root {
					return nil // nothing was ever deployed
				}
				return err
			}
			rel, err := filepath.Rel(root, file)
			if err != nil {
				return err
			}
			return y.lookAtFile(s, workspace, file, filepath.ToSlash(rel), d)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (y *yard) lookAtFile(s *standing, workspace, file, rel string, d fs.DirEntry) error {
	if d.IsDir() {
		if strings.HasPrefix(rel, "ledger/") {
			return fs.SkipDir
		}
		return y.lookAtFolder(s, workspace, rel)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if path.Dir(rel) == "plans" {
		rel, b = planName(b), nil
	}
	sum := sha256.Sum256(b)
	s.Beside["file "+workspace+" "+rel+" "+hex.EncodeToString(sum[:4])]++
	return nil
}

// lookAtFolder counts a folder, and the rights given on it.
func (y *yard) lookAtFolder(s *standing, workspace, rel string) error {
	s.Beside["folder "+workspace+" "+rel]++
	var object struct {
		ID json.Number `json:"object_id"`
	}
	query := "?path=" + url.QueryEscape(path.Join(prodPath, rel))
	if err := y.bench.call(workspace, http.MethodGet, "/api/2.0/workspace/get-status"+query, nil, &object); err != nil {
		return err
	}
	rights, err := y.rights(workspace, "directories/"+object.ID.String())
	for _, r := range rights {
		s.Beside["right on "+workspace+" "+rel+": "+r]++
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
		var rights struct {
			Items []struct{ Principal, Permission string }
		}
		if err := y.bench.call("prod", http.MethodGet, "/api/2.0/secrets/acls/list?scope="+scope.Name, nil, &rights); err != nil {
			return err
		}
		for _, r := range rights.Items {
			s.Beside["right on secret scope "+scope.Name+": "+r.Principal+" "+r.Permission]++
		}
	}
	return nil
}

// lookAtRuns counts the runs of each notebook for each release: every token has one. No two may have been told the same.
func (y *yard) lookAtRuns(_ *testing.T, s *standing) error {
	for _, workspace := range []string{"prod", "test"} {
		tokens := map[string]int64{}
		for _, r := range y.bench.sandbox.Twin(workspace).Jobs().Runs() {
			s.Beside[fmt.Sprintf("run of %s of %s: %s", path.Base(r.Notebook), r.Parameters["barge_release"], r.Result)]++
			token := r.Parameters["barge_run"]
			if other, twice := tokens[token]; token != "" && twice && other != r.RunID {
				s.Broken = append(s.Broken, fmt.Sprintf("runs %d and %d have one token", other, r.RunID))
			}
			tokens[token] = r.RunID
		}
	}
	return nil
}

// differs tells how s differs from what it should be. What lies beside must be exactly as in one of all when one is
// given; of several it must have at least what is in all and at most what is in any of them, but for what is forgotten.
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
	least, most := maps.Clone(beside[0].Beside), map[string]int{}
	for _, b := range beside {
		for what := range least {
			least[what] = min(least[what], b.Beside[what])
		}
		for what, n := range b.Beside {
			most[what] = max(most[what], n)
		}
	}
	for what, n := range s.Beside {
		if n > most[what] && !strings.HasPrefix(what, sinceLive) {
			diff += fmt.Sprintf("%d × %s, not %d\n", n, what, most[what])
		}
	}
	for what, n := range least {
		if s.Beside[what] < n && !strings.HasPrefix(what, sinceLive) {
			diff += fmt.Sprintf("%d × %s, not %d\n", s.Beside[what], what, n)
		}
	}
	return diff
}
