package release_test

import (
	"errors"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/release"
)

// folder is the release folder of prod's champion.
func (b *bench) folder() string {
	b.t.Helper()
	shown, err := b.world("looker").Plan(b.t.Context(), release.Request{Release: b.state("prod").Champion.Release.Name, Environment: "prod"})
	if err != nil {
		b.t.Fatal(err)
	}
	return shown.Plan.Folder
}

// TestAFolderThatWasDamaged damages the champion's folder in every way; the next promotion sends again what is not as it
// was put there, and no more, since it is the way back.
func TestAFolderThatWasDamaged(t *testing.T) {
	t.Parallel()
	remove := func(file string) func(*testing.T, *databricks.Workspace, string) {
		return func(t *testing.T, w *databricks.Workspace, folder string) {
			if err := w.Delete(t.Context(), path.Join(folder, file), true); err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, c := range map[string]struct {
		damage func(*testing.T, *databricks.Workspace, string)
		sent   int
	}{
		"nothing":          {func(*testing.T, *databricks.Workspace, string) {}, 0},
		"all of it gone":   {remove(""), 2},
		"a notebook gone":  {remove("score"), 1},
		"the marker gone":  {remove(".barge.json"), 2},
		"another notebook": {func(t *testing.T, w *databricks.Workspace, folder string) { edit(t, w, path.Join(folder, "score")) }, 1},
		"another marker": {func(t *testing.T, w *databricks.Workspace, folder string) {
			if err := w.PutFile(t.Context(), path.Join(folder, ".barge.json"), []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}, 2},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.promoted(b.build("1.0.0", b.register(), alone), "prod")
			second := b.build("1.1.0", b.register(), strings.Replace(alone, "  model", "  deploy {\n    only = [\"score\"]\n  }\n  model", 1))
			folder, w := b.folder(), b.workspace("prod")
			c.damage(t, w, folder)
			b.twins.Twin("prod").ClearLog()
			b.promoted(second, "prod")
			if sent := len(writes(b, "prod", "/api/2.0/workspace/import")); sent != c.sent+1 { // its own folder has one
				t.Errorf("%d notebooks were sent again, and %d were damaged", sent-1, c.sent)
			}
			got, err := w.ExportNotebook(t.Context(), path.Join(folder, "score"), "SOURCE")
			if want := "# Databricks notebook source\n# score"; strings.TrimSpace(string(got)) != want || err != nil {
				t.Errorf("the notebook is %q, %v", got, err)
			}
			b.returned(release.Return{})
		})
	}
}

func edit(t *testing.T, w *databricks.Workspace, notebook string) {
	t.Helper()
	err := w.ImportNotebook(t.Context(), notebook, databricks.Source{Content: []byte("# Databricks notebook source\n1"), Language: "PYTHON"}, true)
	if err != nil {
		t.Fatal(err)
	}
}

// TestADamagedFolderThatCannotBeMended has lost the artifact too: there would be no way back.
func TestADamagedFolderThatCannotBeMended(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.promoted(b.build("1.0.0", b.register(), alone), "prod")
	if err := b.workspace("prod").Delete(t.Context(), b.folder(), true); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(path.Join(b.dir, ".barge", "store")); err != nil {
		t.Fatal(err)
	}
	_, err := b.promote("ci", b.build("1.1.0", b.register(), alone+"\n"), "prod")
	if !errors.Is(err, release.ErrConflict) || !strings.Contains(err.Error(), "there would be no way back to 1.0.0") {
		t.Errorf("%v", err)
	}
}
