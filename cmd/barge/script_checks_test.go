package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bargeml/barge/internal/ledger"
)

// intact is the verb: the workspace's ledger is a chain of entries that the rules allow, each with the right state.
func intact(_ *testscript.TestScript, b *bench, args []string) error {
	t, err := b.twin(args[0])
	if err != nil {
		return err
	}
	store := ledger.NewFolder(filepath.Join(t.Files().Root(), "Barge", "diabetes", "ledger"))
	book := ledger.Open(store, ledger.Options{})
	if head, err := book.Head(context.Background()); err != nil || head.Seq == 0 {
		return fmt.Errorf("no ledger is there: %w", err)
	}
	problems, err := book.Verify(context.Background())
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("the ledger of %s is not intact: %v", args[0], problems)
	}
	return err
}

// versions are the stages of the model's versions, by number.
func (b *bench) versions() (map[string]string, error) {
	var out struct {
		Versions []struct {
			Version string `json:"version"`
			Stage   string `json:"current_stage"`
		} `json:"model_versions"`
	}
	query := "?filter=" + url.QueryEscape("name='diabetes'")
	if err := b.call("registry", http.MethodGet, mlflowAPI+"model-versions/search"+query, nil, &out); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, v := range out.Versions {
		all[v.Version] = v.Stage
	}
	return all, nil
}

func slot(_ *testscript.TestScript, b *bench, args []string) error {
	all, err := b.versions()
	if err != nil {
		return err
	}
	standing := []string{}
	for _, number := range slices.Sorted(maps.Keys(all)) {
		if all[number] == args[0] {
			standing = append(standing, number)
		}
	}
	if diff := cmp.Diff(append([]string{}, args[1:]...), standing); diff != "" {
		return fmt.Errorf("in stage %s stand other versions (-want +got):\n%s", args[0], diff)
	}
	return nil
}

// seen is what a refused command leaves as it was.
func (b *bench) seen(ts *testscript.TestScript) ([]byte, error) {
	stages, err := b.versions()
	if err != nil {
		return nil, err
	}
	all := map[string]any{"stages": stages}
	var model map[string]any
	if err := b.call("registry", http.MethodGet, mlflowAPI+"registered-models/get?name=diabetes", nil, &model); err == nil {
		m, _ := model["registered_model"].(map[string]any)
		all["tags"] = m["tags"]
	}
	for _, workspace := range []string{"test", "prod"} {
		if all["jobs of "+workspace], err = b.jobs(workspace); err != nil {
			return nil, err
		}
	}
	if all["champions"], err = champions(ts); err != nil {
		return nil, err
	}
	return json.MarshalIndent(all, "", " ")
}

// champions asks barge what is live, and fails where something has drifted or is in flight.
func champions(ts *testscript.TestScript) (any, error) {
	if err := ts.Exec("barge", "status", "-o", "json"); err != nil {
		return nil, err
	}
	var out struct {
		Environments []struct {
			Environment string          `json:"environment"`
			Release     json.RawMessage `json:"release"`
			Drift       []any           `json:"drift"`
			Problem     string          `json:"problem"`
			InFlight    any             `json:"in_flight"`
		} `json:"environments"`
	}
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &out); err != nil {
		return nil, err
	}
	for _, e := range out.Environments {
		if len(e.Drift) > 0 || e.Problem != "" || e.InFlight != nil {
			return nil, fmt.Errorf("%s is not at rest: %+v", e.Environment, e)
		}
	}
	return out.Environments, nil
}

func remembered(ts *testscript.TestScript, b *bench, _ []string) (err error) {
	b.before, err = b.seen(ts)
	return err
}

func unchanged(ts *testscript.TestScript, b *bench, _ []string) error {
	now, err := b.seen(ts)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(string(b.before), string(now)); diff != "" || b.before == nil {
		return fmt.Errorf("something was changed (-before +now):\n%s", diff)
	}
	return nil
}

func exitCode(ts *testscript.TestScript, _ *bench, args []string) error {
	dir := ts.Getenv("EXITS")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	type end struct {
		code string
		at   time.Time
	}
	var ends []end
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		ends = append(ends, end{ts.ReadFile(filepath.Join(dir, e.Name())), info.ModTime()})
	}
	slices.SortFunc(ends, func(a, b end) int { return b.at.Compare(a.at) })
	if len(ends) < len(args) {
		return fmt.Errorf("barge was run %d times only", len(ends))
	}
	var codes []string
	for _, e := range ends[:len(args)] {
		codes = append(codes, e.code)
	}
	slices.Sort(codes)
	slices.Sort(args)
	if diff := cmp.Diff(args, codes); diff != "" {
		return fmt.Errorf("other exit codes (-want +got):\n%s", diff)
	}
	return nil
}

func jsonDocument(ts *testscript.TestScript, _ *bench, args []string) error {
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		return fmt.Errorf("stdout is no JSON document: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more on stdout than one JSON document")
	}
	for _, want := range append([]string{"format_version=1"}, args...) {
		key, value, _ := strings.Cut(want, "=")
		if got := fmt.Sprint(at(doc, strings.Split(key, "."))); got != value {
			return fmt.Errorf("%s is %s, not %s", key, got, value)
		}
	}
	return nil
}

// at walks down a JSON document; numbers are indices of lists.
func at(v any, keys []string) any {
	for _, key := range keys {
		switch below := v.(type) {
		case map[string]any:
			v = below[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(below) {
				return nil
			}
			v = below[i]
		default:
			return nil
		}
	}
	return v
}
