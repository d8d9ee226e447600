package artifacts

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func cellsOf(sources string) []Cell {
	var cells []Cell
	for source := range strings.FieldsSeq(sources) {
		cells = append(cells, Cell{Source: source})
	}
	return cells
}

func TestDiffCells(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, before, after, want string }{
		{"nothing", "a b c", "a b c", ""},
		{"one changed", "a b c", "a x c", "changed 2/2"},
		{"one added first", "a b", "x a b", "added 0/1"},
		{"one removed last", "a b c", "a b", "removed 3/0"},
		{"changed and added", "a b c", "a x y c", "changed 2/2 added 0/3"},
		{"changed and removed", "a b c d", "a x d", "changed 2/2 removed 3/0"},
		{"moved", "a b c", "b c a", "removed 1/0 added 0/3"},
		{"repeated", "a a b", "a b a", "removed 2/0 added 0/3"},
		{"from nothing", "", "a b", "added 0/1 added 0/2"},
	} {
		var got []string
		for _, c := range diffCells(cellsOf(tc.before), cellsOf(tc.after)) {
			got = append(got, fmt.Sprintf("%s %d/%d", c.Change, c.Before, c.After))
		}
		if text := strings.Join(got, " "); text != tc.want {
			t.Errorf("%s: %s, not %s", tc.name, text, tc.want)
		}
	}
}

// From the first notebook and the changes the second can be made again: none is left out, and none is told twice.
func TestDiffCellsIsWhole(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
	for range 2000 {
		var texts [2]string
		for i := range texts {
			for range r.IntN(7) {
				texts[i] += string(rune('a'+r.IntN(4))) + " "
			}
		}
		x, y := cellsOf(texts[0]), cellsOf(texts[1])
		gone, come := map[int]bool{}, map[int]bool{}
		for _, c := range diffCells(x, y) {
			gone[c.Before], come[c.After] = true, true
		}
		var kept, made []Cell
		for i, c := range x {
			if !gone[i+1] {
				kept = append(kept, c)
			}
		}
		for i, c := range y {
			if !come[i+1] {
				made = append(made, c)
			}
		}
		if diff := cmp.Diff(kept, made); diff != "" {
			t.Fatalf("%q and %q: what is left differs:\n%s", texts[0], texts[1], diff)
		}
	}
}

func TestDiffContents(t *testing.T) {
	t.Parallel()
	source := func(name, body string) Content {
		c, err := prepare(name, false, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one := source("a.py", "# Databricks notebook source\n# DBTITLE 1,Load\nx = 1\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC # Heading\n")
	two := source("a.py", "# Databricks notebook source\n# DBTITLE 1,Load\nx = 2\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC # Another\n")
	got := diffContent(Change{Path: "a.py", Before: "1", After: "2"}, one, two)
	want := FileChange{Change: Change{Path: "a.py", Before: "1", After: "2", Added: 2, Removed: 2}, Cells: []CellChange{
		{Change: CellChanged, Before: 1, After: 1, Title: "Load", Lines: []string{"@@ -1,2 +1,2 @@", " title: Load", "-x = 1", "+x = 2"}},
		{Change: CellChanged, Before: 2, After: 2, Title: "# Another", Lines: []string{"@@ -1,2 +1,2 @@", " %md", "-# Heading", "+# Another"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	config := diffContent(Change{Before: "1", After: "2"}, source("p.yml", "a: 1\nb: 2"), source("p.yml", "a: 1\nb: 3"))
	if diff := cmp.Diff([]string{"@@ -1,2 +1,2 @@", " a: 1", "-b: 2", "+b: 3"}, config.Lines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if binary := diffContent(Change{Before: "1", After: "2"}, Content{Body: []byte{0, 1}}, Content{Body: []byte{0, 2}}); binary.Lines != nil || binary.Added != -1 {
		t.Errorf("what is no text has lines: %+v", binary)
	}
}

func TestDiffRecorded(t *testing.T) {
	t.Parallel()
	before := Manifest{Recorded: []byte(`{"artifact":{"notebooks":{"from":"nb"},"models":[{"label":"m","name":"M","train":{"parameters":{"a":"1"}}}]},
		"computes":[{"name":"ml","num_workers":1},{"name":"old"}],
		"environments":[{"name":"prod","deploy":{"only":["s"]},"scores":[{"name":"nightly","schedule":{"cron":"0 0 2 * * ?"}}]}]}`)}
	after := Manifest{Recorded: []byte(`{"artifact":{"notebooks":{"from":"src"},"models":[{"label":"m","name":"N","train":{"parameters":{"a":"1","b":"2"}}}]},
		"computes":[{"name":"big","serverless":true},{"name":"ml","num_workers":2}],
		"environments":[{"name":"prod","scores":[{"name":"nightly","schedule":{"cron":"0 0 4 * * ?"}}]}]}`)}
	got, err := DiffRecorded(before, after)
	if err != nil {
		t.Fatal(err)
	}
	want := []RecordedChange{
		{"artifact, model m: name", "changed", "M", "N"},
		{"artifact, model m: train.parameters.b", "new", "", "2"},
		{"artifact: notebooks.from", "changed", "nb", "src"},
		{"compute big", "new", "", ""},
		{"compute ml: num_workers", "changed", "1", "2"},
		{"compute old", "gone", "", ""},
		{"environment prod: deploy.only", "gone", `["s"]`, ""},
		{"environment prod, score nightly: schedule.cron", "changed", "0 0 2 * * ?", "0 0 4 * * ?"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if same, err := DiffRecorded(before, before); err != nil || len(same) != 0 {
		t.Errorf("the same differs: %v, %v", same, err)
	}
	if _, err := DiffRecorded(before, Manifest{Recorded: []byte("{")}); err == nil {
		t.Error("damaged JSON is no error")
	}
}
