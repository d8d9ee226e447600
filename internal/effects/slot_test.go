package effects_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/sandbox"
)

// stages puts versions into stages, "1 None, 2 Staging".
func (b *bench) stages(placed map[string]string) {
	b.t.Helper()
	for version, stage := range placed {
		b.api("registry", http.MethodPost, "/api/2.0/mlflow/databricks/model-versions/transition-stage",
			map[string]any{"name": "m", "version": version, "stage": stage, "archive_existing_versions": false}, nil)
	}
}

// where is the stage of each version.
func (b *bench) where() map[string]string {
	b.t.Helper()
	r, err := b.site.Registries("shared")
	if err != nil {
		b.t.Fatal(err)
	}
	got := map[string]string{}
	for _, stage := range []string{"None", "Staging", "Production", "Archived"} {
		all, err := r.Holders(b.t.Context(), "m", stage)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, v := range all {
			got[v.Number] = stage
		}
	}
	return got
}

func (b *bench) tags() map[string]string {
	b.t.Helper()
	r, err := b.site.Registries("shared")
	if err != nil {
		b.t.Fatal(err)
	}
	tags, err := r.ModelTags(b.t.Context(), "m")
	if err != nil {
		b.t.Fatal(err)
	}
	return tags
}

var (
	inTest = effects.SlotAddress{
		Registry: "shared", Model: "m", Stage: "Staging", Archive: true, Downstream: []effects.Place{{Environment: "prod", Stage: "Production"}},
	}
	inProd = effects.SlotAddress{
		Registry: "shared", Model: "m", Stage: "Production", Archive: true, Upstream: []effects.Place{{Environment: "test", Stage: "Staging"}},
	}
)

func (b *bench) slot(environment string, a effects.SlotAddress, m effects.Memory) effects.Pointer {
	b.t.Helper()
	site := *b.site
	site.Environment = environment
	p, err := site.Pointer(effects.SlotPointer(a), m)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func TestSlotSet(t *testing.T) {
	t.Parallel()
	type is = map[string]string
	one, two := value("1"), value("2")
	for name, c := range map[string]struct {
		environment string
		at          effects.SlotAddress
		stages      is     // before; others None
		champion    string // of test, by its tag
		out, ever   []ledger.Value
		set         ledger.Value
		want        is
	}{
		"into an empty slot":                         {"test", inTest, nil, "", nil, nil, one, is{"1": "Staging", "2": "None", "3": "None"}},
		"over another":                               {"test", inTest, is{"1": "Staging"}, "", nil, nil, two, is{"1": "Archived", "2": "Staging", "3": "None"}},
		"what prod runs is not moved":                {"test", inTest, is{"1": "Production", "2": "Staging"}, "", nil, nil, one, is{"1": "Production", "2": "Staging", "3": "None"}},
		"back to what prod runs":                     {"test", inTest, is{"1": "Production", "2": "Staging"}, "", []ledger.Value{two}, nil, one, is{"1": "Production", "2": "Archived", "3": "None"}},
		"prod takes test's own":                      {"prod", inProd, is{"2": "Staging", "1": "Production"}, "2", nil, nil, two, is{"1": "Archived", "2": "Production", "3": "None"}},
		"prod pushes out what test runs":             {"prod", inProd, is{"1": "Production"}, "1", nil, nil, two, is{"1": "Staging", "2": "Production", "3": "None"}},
		"prod again, test's own lost meanwhile":      {"prod", inProd, is{"2": "Production", "1": "Archived"}, "1", nil, nil, two, is{"1": "Staging", "2": "Production", "3": "None"}},
		"a rollback takes out what it removes":       {"prod", inProd, is{"1": "Archived", "2": "Production"}, "", []ledger.Value{two, one}, nil, one, is{"1": "Production", "2": "Archived", "3": "None"}},
		"a rollback gives test its own":              {"prod", inProd, is{"1": "Archived", "2": "Production"}, "2", []ledger.Value{two}, nil, one, is{"1": "Production", "2": "Staging", "3": "None"}},
		"what stands elsewhere is left alone":        {"prod", inProd, is{"1": "Archived", "2": "Staging"}, "", []ledger.Value{two}, nil, one, is{"1": "Production", "2": "Staging", "3": "None"}},
		"off takes out all that was ever put there":  {"prod", inProd, is{"1": "Archived", "2": "Production", "3": "Production"}, "", nil, []ledger.Value{one, two}, ledger.Off, is{"1": "Archived", "2": "Archived", "3": "Production"}},
		"off gives test its own":                     {"prod", inProd, is{"2": "Production"}, "2", nil, []ledger.Value{two}, ledger.Off, is{"1": "None", "2": "Staging", "3": "None"}},
		"off of a slot that nothing was ever put in": {"prod", inProd, is{"3": "Production"}, "", nil, nil, ledger.Off, is{"1": "None", "2": "None", "3": "Production"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.versions(3)
			b.stages(c.stages)
			if c.champion != "" {
				b.api("registry", http.MethodPost, "/api/2.0/mlflow/registered-models/set-tag", map[string]any{"name": "m", "key": "barge.env.test", "value": c.champion}, nil)
			}
			p := b.slot(c.environment, c.at, effects.Memory{Out: c.out, Ever: c.ever})
			for range 2 { // safe to repeat
				if err := p.Set(t.Context(), c.set, may); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, b.where()); diff != "" {
					t.Errorf("stages (-want +got):\n%s", diff)
				}
			}
			if held, err := p.Holds(t.Context(), c.set); !held || err != nil {
				t.Errorf("it holds %s: %t, %v", c.set, held, err)
			}
			var version string
			if c.set != ledger.Off {
				if err := c.set.Decode(&version); err != nil {
					t.Fatal(err)
				}
			}
			if got := b.tags()["barge.env."+c.environment]; got != version {
				t.Errorf("the tag names %q, want %q", got, version)
			}
		})
	}
}

func TestSlotReadAndHolds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.versions(3)
	b.stages(map[string]string{"1": "Staging", "2": "Staging", "3": "Production"})
	test := b.slot("test", inTest, effects.Memory{Ever: []ledger.Value{value("1")}})
	for want, held := range map[ledger.Value]bool{
		value("1"): true, value("2"): true, value("3"): true, value("9"): false, ledger.Off: false, // 3 is prod's
	} {
		if got, err := test.Holds(t.Context(), want); got != held || err != nil {
			t.Errorf("test holds %s: %t, %v", want, got, err)
		}
	}
	read := func(p effects.Pointer, want ledger.Value) {
		t.Helper()
		if got, err := p.Read(t.Context()); got != want || err != nil {
			t.Errorf("read %s, %v, want %s", got, err, want)
		}
	}
	read(test, value("2")) // the newest: nobody says whose
	if err := test.Set(t.Context(), value("1"), may); err != nil {
		t.Fatal(err)
	}
	read(test, value("1"))
	prod := b.slot("prod", inProd, effects.Memory{})
	if held, err := prod.Holds(t.Context(), value("1")); held || err != nil {
		t.Errorf("prod holds what only test has: %t, %v", held, err)
	}
	b.stages(map[string]string{"3": "Archived"})
	read(prod, ledger.Off)
}

// TestSlotTagOfAnotherVersion is a tag that names what the environment had before, though the right version stands.
func TestSlotTagOfAnotherVersion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.versions(3)
	r, err := b.site.Registries("shared")
	if err != nil {
		t.Fatal(err)
	}
	memory := effects.Memory{Ever: []ledger.Value{value("1"), value("2")}}
	if err := b.slot("prod", inProd, memory).Set(t.Context(), value("2"), may); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		tag    string
		ever   []ledger.Value
		differ string
	}{
		{"2", memory.Ever, ""},
		{"1", memory.Ever, "tag barge.env.prod of model m: it names version 1, and the ledger says it names version 2"},
		{"", memory.Ever, ""},  // given back as it was found
		{"3", memory.Ever, ""}, // never ours
	} {
		if err := r.TagModel(t.Context(), "m", map[string]string{"barge.env.prod": row.tag}); err != nil {
			t.Fatal(err)
		}
		differs, err := b.slot("prod", inProd, effects.Memory{Ever: row.ever}).Differs(t.Context(), value("2"))
		got := ""
		for _, d := range differs {
			got += d.String()
		}
		if got != row.differ || err != nil {
			t.Errorf("tag %q: %q, %v, want %q", row.tag, got, err, row.differ)
		}
	}
}

// TestSlotAsksBeforeEachCall takes the right away after n calls: no further one is sent.
func TestSlotAsksBeforeEachCall(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.versions(3)
	lost := errors.New("lost")
	for n, want := range []int{0, 1, 2, 3} {
		b.stages(map[string]string{"1": "Archived", "2": "Production"})
		b.api("registry", http.MethodPost, "/api/2.0/mlflow/registered-models/set-tag", map[string]any{"name": "m", "key": "barge.env.test", "value": "2"}, nil)
		b.sent("registry")
		asked := 0
		p := b.slot("prod", inProd, effects.Memory{Out: []ledger.Value{value("2")}})
		err := p.Set(context.Background(), value("1"), func() error {
			if asked++; asked > n {
				return lost
			}
			return nil
		})
		if sent := b.sent("registry"); len(sent) != want || (want < 3) != errors.Is(err, lost) {
			t.Errorf("with the right to %d calls %v were sent: %v", n, sent, err)
		}
		if err != nil && !strings.Contains(err.Error(), "m") {
			t.Errorf("it does not name the model: %v", err)
		}
	}
}

// A rollback whose transition archived what test runs must give it back, whichever of its reads is old.
func TestSlotSetOutlastsAnOldRead(t *testing.T) {
	t.Parallel()
	for nth := range 4 {
		t.Run(fmt.Sprint(nth), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.versions(2)
			b.stages(map[string]string{"1": "Archived", "2": "Production"})
			b.api("registry", http.MethodPost, "/api/2.0/mlflow/registered-models/set-tag", map[string]any{"name": "m", "key": "barge.env.test", "value": "2"}, nil)
			p := b.slot("prod", inProd, effects.Memory{Out: []ledger.Value{value("2")}})
			if held, err := p.Holds(t.Context(), value("2")); !held || err != nil { // so that there is an old answer
				t.Fatal(held, err)
			}
			fault := sandbox.Fault{Method: http.MethodGet, Path: "/api/2.0/mlflow/model-versions/get", Skip: nth, Action: sandbox.FaultStale}
			if err := b.twins.Twin("registry").Fault(fault); err != nil {
				t.Fatal(err)
			}
			if err := p.Set(t.Context(), value("1"), may); err != nil {
				t.Fatal(err)
			}
			b.twins.Twin("registry").ClearFaults()
			if diff := cmp.Diff(map[string]string{"1": "Production", "2": "Staging"}, b.where()); diff != "" {
				t.Errorf("stages (-want +got):\n%s", diff)
			}
		})
	}
}
