package effects_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/internal/effects"
)

// gitModel is a model of the artifact itself; read counts how often its bytes are asked for.
func gitModel(written string, read *atomic.Int32, files map[string]string) effects.GitModel {
	m := effects.GitModel{Written: written}
	for at, body := range files {
		sum := sha256.Sum256([]byte(body))
		m.Files = append(m.Files, artifacts.ModelFile{
			File: artifacts.File{Path: at, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(body))},
			Open: func(context.Context) (io.ReadCloser, error) {
				read.Add(1)
				return io.NopCloser(strings.NewReader(body)), nil
			},
		})
	}
	slices.SortFunc(m.Files, func(a, b artifacts.ModelFile) int { return strings.Compare(a.Path, b.Path) })
	return m
}

// TestModelsOfTheArtifact: a model stands in a folder of its own, named by what is in it, is sent once for all releases
// that have it, and belongs to the release's folder when it is looked for damage.
func TestModelsOfTheArtifact(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var read atomic.Int32
	file := gitModel("models/titanic.pkl", &read, map[string]string{"titanic.pkl": "pickled"})
	folder := gitModel("models/net", &read, map[string]string{"MLmodel": "flavors: {}\n", "data/model.pkl": "\x80\x04."})
	deployed := func(shipped files, models ...effects.GitModel) *effects.Folder {
		t.Helper()
		f, err := b.site.Folder(t.Context(), shipped, effects.Deployment{Models: models})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.site.Deploy(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	without := deployed(shipped)
	whole, err := b.site.Folder(t.Context(), shipped, effects.Deployment{Models: []effects.GitModel{file, folder}})
	if err != nil {
		t.Fatal(err)
	}
	if missing, err := b.site.Missing(t.Context(), whole); missing != len(shipped)+3 || err != nil {
		t.Errorf("%d files are missing before it is deployed, %v", missing, err)
	}
	one := deployed(shipped, file, folder)
	if one.Path == without.Path {
		t.Error("with a model the release's folder has the same name")
	}
	if again := deployed(files{"other.py": "2"}, file, folder); read.Load() != 3 || !slices.Equal(again.Paths()[1:], one.Paths()[1:]) {
		t.Errorf("files of models were read %d times, want 3; folders are %v and %v", read.Load(), one.Paths(), again.Paths())
	}
	for uri, want := range map[string]string{"/titanic.pkl": "pickled", "/MLmodel": "flavors: {}\n", "/data/model.pkl": "\x80\x04."} {
		m := file
		if uri != "/titanic.pkl" {
			m = folder
		}
		at, err := b.site.ModelURI(m)
		if err != nil {
			t.Fatal(err)
		}
		if at = strings.TrimPrefix(at, "/Workspace"); m.Written == folder.Written {
			at += uri
		}
		if !strings.HasPrefix(at, "/Barge/p/models/") || path.Base(at) != path.Base(uri) {
			t.Errorf("%s is at %s", uri, at)
		}
		if got, err := b.site.Workspace.ReadFile(t.Context(), at); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", at, got, err)
		}
	}

	lost := path.Join(one.Paths()[1], "titanic.pkl")
	if err := b.site.Workspace.Delete(t.Context(), lost, false); err != nil {
		t.Fatal(err)
	}
	damaged, err := b.site.Damage(t.Context(), one.Path)
	if err != nil || len(damaged) != 1 || path.Join(one.Path, damaged[0]) != lost {
		t.Errorf("damage is %v, %v, want %s", damaged, err, lost)
	}
	if missing, err := b.site.Missing(t.Context(), one); missing != 1 || err != nil {
		t.Errorf("%d files are missing, %v, want 1", missing, err)
	}
	if sent, err := b.site.Deploy(t.Context(), one); sent != 1 || err != nil {
		t.Errorf("mended with %d files, %v", sent, err)
	}
	if damaged, err := b.site.Damage(t.Context(), one.Path); len(damaged) > 0 || err != nil {
		t.Errorf("mended it is %v, %v", damaged, err)
	}
	if err := b.site.Workspace.Delete(t.Context(), path.Dir(lost), true); err != nil {
		t.Fatal(err)
	}
	if there, err := b.site.Deployed(t.Context(), one.Path); there || err != nil {
		t.Errorf("without its model the release is deployed: %t, %v", there, err)
	}
}
