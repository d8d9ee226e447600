package artifacts

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestInspectAndList(t *testing.T) {
	y := newYard(t)
	y.git("tag", "v1.0.0")
	first := y.build("")
	y.git("tag", "v1.0.1")
	if r := y.build(""); r.ID != first.ID || r.Name != "1.0.1" {
		t.Fatalf("two tags: %+v", r)
	}
	y.train("second")
	second := y.build("")
	if err := y.store.SetLive(t.Context(), "prod", first.ID); err != nil {
		t.Fatal(err)
	}
	if err := y.store.Attach(t.Context(), first.ID, Attachment{MediaType: "text/plain", PredicateType: "gate", Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}

	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	all, err := y.store.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Listed{
		{Name: "1.0.1-m2", ID: second.ID, Commit: first.Commit, Time: at},
		{Name: "1.0.1", ID: first.ID, Commit: first.Commit, Time: at, Live: []string{"prod"}},
		{Name: "1.0.0", ID: first.ID, Commit: first.Commit, Time: at, Live: []string{"prod"}},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}

	for commit, want := range map[string]int{first.Commit: 3, strings.Repeat("ab", 20): 0} {
		if made, err := y.store.ReleasesOf(t.Context(), commit); err != nil || len(made) != want {
			t.Errorf("made from %s: %+v, %v, want %d names", commit, made, err, want)
		}
	}

	in, err := y.store.Inspect(t.Context(), "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	got := []any{in.Release, in.Names, in.ID, in.Project, in.Live, len(in.Provenance), len(in.Notebooks), len(in.Config), in.Attachments["gate"]}
	if diff := cmp.Diff([]any{"1.0.0", []string{"1.0.1", "1.0.0"}, first.ID, "wine", []string{"prod"}, 2, 5, 2, 1}, got); diff != "" {
		t.Errorf("inspected (-want +got):\n%s", diff)
	}
	if m := in.Models[0]; m.Version != "1" || m.Size != int64(len("flavors: {}\n")+len("first")) {
		t.Errorf("model is %+v", m)
	}
	if in, err = y.store.Inspect(t.Context(), first.ID); err != nil || in.Release != "1.0.1" {
		t.Errorf("by id it is %q, %v, want its newest name", in.Release, err)
	}
}

func TestDiff(t *testing.T) {
	y := newYard(t)
	before := y.build("")
	y.write(map[string]string{
		"notebooks/helpers.py": "def f(): pass\nx = 1\ny = 2\n", "notebooks/new.py": notebook("1"), "notebooks/score.ipynb": "",
		"conf/prod.yml": "table: other\n",
	})
	y.project.Environments[1].Deploy.Only, y.project.Environments[1].Scores = nil, nil
	y.commit("change")
	y.train("second")
	y.project.Artifact.Models[0].Version = "2"
	after := y.build("")

	type line struct {
		Path                 string
		Before, After        bool
		BeforeModel, ToModel string
	}
	var got []line
	a, b := before.Manifest, after.Manifest
	for _, c := range append(diffFiles(a.Notebooks, b.Notebooks), diffFiles(a.Config, b.Config)...) {
		got = append(got, line{Path: c.Path, Before: c.Before != "", After: c.After != ""})
	}
	for _, m := range DiffModels(a, b) {
		got = append(got, line{Path: m.Label, BeforeModel: m.Before.Version, ToModel: m.After.Version})
	}
	want := []line{
		{"helpers.py", true, true, "", ""},
		{"new.py", false, true, "", ""},
		{"score.ipynb", true, false, "", ""},
		{"prod.yml", true, true, "", ""},
		{"wine", false, false, "1", "2"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if same := DiffModels(a, a); len(same) != 0 {
		t.Errorf("the models of an artifact differ from themselves: %+v", same)
	}
}

func TestCountLines(t *testing.T) {
	for _, tc := range []struct {
		a, b           string
		added, removed int
	}{
		{"", "", 0, 0},
		{"", "x\n", 1, 0},
		{"a\nb\nc\n", "a\nx\nc\n", 1, 1},
		{"a\nb\nc\n", "c\na\nb\n", 1, 1},
		{"a\nb", "a\nb\nc", 1, 0},
		{"\x00", "b", -1, -1},
	} {
		if added, removed := CountLines([]byte(tc.a), []byte(tc.b)); added != tc.added || removed != tc.removed {
			t.Errorf("%q to %q: +%d -%d, want +%d -%d", tc.a, tc.b, added, removed, tc.added, tc.removed)
		}
	}
}
