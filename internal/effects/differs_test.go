package effects_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

func (b *bench) differs(p effects.Pointer, want ledger.Value) string {
	b.t.Helper()
	all, err := p.Differs(b.t.Context(), want)
	if err != nil {
		b.t.Fatal(err)
	}
	var lines []string
	for _, d := range all {
		lines = append(lines, d.String())
	}
	b.holds(p, want, len(all) == 0)
	return strings.Join(lines, "\n")
}

func TestJobDiffers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	number, err := b.job("nightly", 0).Make(t.Context(), may)
	if err != nil {
		t.Fatal(err)
	}
	want := b.jobValue(nightly, "1.0.0", true)
	p := b.job("nightly", number)
	if err := p.Set(t.Context(), want, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	changed := func(change func(map[string]any)) ledger.Value {
		var settings map[string]any
		if err := want.Decode(&settings); err != nil {
			t.Fatal(err)
		}
		change(settings)
		v, err := ledger.ValueOf(settings)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, c := range map[string]struct {
		want ledger.Value
		says string
	}{
		"as wanted": {want, ""},
		"in two fields": {
			changed(func(s map[string]any) {
				s["max_concurrent_runs"] = 2
				s["schedule"].(map[string]any)["timezone_id"] = "Europe/London"
			}),
			"max_concurrent_runs: 1, and the ledger says 2\nschedule.timezone_id: \"UTC\", and the ledger says \"Europe/London\"",
		},
		"in a task": {
			changed(func(s map[string]any) {
				task := s["tasks"].([]any)[0].(map[string]any)
				task["notebook_task"].(map[string]any)["notebook_path"] = "/Barge/p/releases/2/score"
			}),
			`tasks[score].notebook_task.notebook_path: "/Barge/p/releases/1/score", and the ledger says "/Barge/p/releases/2/score"`,
		},
		"without a task":  {changed(func(s map[string]any) { s["tasks"] = []any{} }), "tasks: ["},
		"in what is gone": {changed(func(s map[string]any) { s["run_as"] = map[string]any{"user_name": "x"} }), `run_as: nothing, and the ledger says {"user_name":"x"}`},
		"by a schedule":   {changed(func(s map[string]any) { delete(s, "schedule") }), `schedule: {"pause_status":"UNPAUSED"`},
		"by not resting":  {ledger.Off, `schedule: {"pause_status":"UNPAUSED"`},
	} {
		got := b.differs(p, c.want)
		if strings.HasSuffix(c.says, "[") || strings.HasSuffix(c.says, `"UNPAUSED"`) {
			got = got[:min(len(got), len(c.says))]
		}
		if diff := cmp.Diff(c.says, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got, want := b.differs(b.job("nightly", number+1), want), "there is no such job"; !strings.Contains(got, want) {
		t.Errorf("a job that is gone: %s", got)
	}
	if got := b.differs(b.job("nightly", number+1), ledger.Off); got != "" {
		t.Errorf("a job that is gone and off: %s", got)
	}
}

func TestSlotDiffers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.versions(3)
	b.stages(map[string]string{"1": "Production", "2": "Archived", "3": "Production"})
	slot := b.slot("test", inTest, effects.Memory{})
	prod := b.slot("prod", inProd, effects.Memory{Ever: []ledger.Value{`"2"`, `"3"`}})
	for _, c := range []struct {
		p    effects.Pointer
		want ledger.Value
		says string
	}{
		{prod, `"1"`, ""},
		{slot, `"1"`, ""}, // prod has promoted it
		{slot, `"2"`, "stage Staging of model m: nothing stands there; version 2 is in Archived, and the ledger says version 2 stands there"},
		{prod, `"2"`, "stage Production of model m: version 3, version 1 stands there; version 2 is in Archived, and the ledger says version 2 stands there"},
		{prod, `"77"`, "stage Production of model m: version 3, version 1 stands there; version 77 is gone, and the ledger says version 77 stands there"},
		{slot, ledger.Off, ""},
		{prod, ledger.Off, "stage Production of model m: version 3 stands there, and the ledger says nothing of ours stands there"},
	} {
		if got := b.differs(c.p, c.want); got != c.says {
			t.Errorf("%s wants %s: %s; want %s", c.p.ID(), c.want, got, c.says)
		}
	}
}

func TestLastScoring(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	number, err := b.job("nightly", 0).Make(t.Context(), may)
	if err != nil {
		t.Fatal(err)
	}
	if last, err := b.site.LastScoring(t.Context(), "nightly", number); last != nil || err != nil {
		t.Errorf("a job that never ran: %+v, %v", last, err)
	}
}

func TestSpareJobs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tag := b.site.JobPointer("nightly").Job.Tag
	made := map[string]int64{}
	for name, settings := range map[string]map[string]any{
		"used":     {"name": "p nightly (prod)", "tags": map[string]string{"barge": tag}},
		"spare":    {"name": "barge " + tag, "tags": map[string]string{"barge": tag}},
		"foreign":  {"name": "barge " + tag, "tags": map[string]string{"barge": "other"}},
		"untagged": {"name": "barge " + tag},
	} {
		raw, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		var out struct {
			ID int64 `json:"job_id"`
		}
		b.api("w", http.MethodPost, "/api/2.2/jobs/create", json.RawMessage(raw), &out)
		made[name] = out.ID
	}
	got, err := b.site.SpareJobs(t.Context(), "nightly", made["used"])
	want := []effects.SpareJob{{Score: "nightly", ID: made["spare"], Name: "barge " + tag, Paused: true}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
