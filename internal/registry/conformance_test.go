package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/registry"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/bargeml/barge/internal/sandbox/python"
)

// kept is a registry under test, and what the interface has no call for: making what is in it.
type kept struct {
	registry.Registry
	model    func(name string)
	register func(model string, files, tags map[string]string, run string) (number string)
	run      func(metrics map[string]any) (id string)
	slots    [2]string // the lower one first
	within   string    // what every model's name begins with
}

// m is the name of a model.
func (k kept) m(name string) string { return k.within + name }

func (w *twin) kept() kept {
	return kept{w.registry(), w.model, w.register, w.run, [2]string{"Staging", "Production"}, ""}
}

func TestConformanceOverMemory(t *testing.T) {
	conform(t, func(t *testing.T) kept { return newTwin(t, mlflow.Light()).kept() })
}

func TestConformanceOverMLflow(t *testing.T) {
	server := newServer(t)
	twins := 0
	fresh := func(t *testing.T) *twin {
		twins++
		return namedTwin(t, server, fmt.Sprintf("registry-%d", twins))
	}
	t.Run("workspace", func(t *testing.T) { conform(t, func(t *testing.T) kept { return fresh(t).kept() }) })
	t.Run("unity catalog", func(t *testing.T) {
		conform(t, func(t *testing.T) kept { return fresh(t).unity(fmt.Sprintf("main.ml%d.", twins)) })
	})
	t.Run("mlflow", func(t *testing.T) {
		conform(t, func(t *testing.T) kept {
			twins++
			return newBare(t, server, fmt.Sprintf("bare-%d", twins)).kept()
		})
	})
}

func newServer(t *testing.T) *mlflow.Server {
	t.Helper()
	server := mlflow.NewServer(mlflow.ServerConfig{Dir: t.TempDir(), Python: func(ctx context.Context) (string, error) {
		interpreter, err := python.Env{}.Ensure(ctx, os.Stderr)
		return interpreter.Python, err
	}})
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func TestUnityConformanceOverMemory(t *testing.T) {
	conform(t, func(t *testing.T) kept { return newTwin(t, mlflow.Light()).unity("main.ml.") })
}

func TestMLflowConformanceOverMemory(t *testing.T) {
	conform(t, func(t *testing.T) kept { return newBare(t, mlflow.Light(), "bare").kept() })
}

var one = map[string]string{"MLmodel": "flavors: {}\n"}

// conform is what every registry must do. Each case has a registry of its own, with model m in it.
func conform(t *testing.T, fresh func(*testing.T) kept) {
	cases := []struct {
		name string
		test func(*testing.T, kept)
	}{
		{"resolve", conformResolve},
		{"resolve what is not there", conformMissing},
		{"files", conformFiles},
		{"assign", conformAssign},
		{"tags of a version", conformTags},
		{"tags of a model", conformModelTags},
		{"metrics", conformMetrics},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k := fresh(t)
			k.model(k.m("m"))
			if _, aliases := k.Registry.(registry.Aliases); aliases && c.name == "assign" {
				c.test = conformAliases
			}
			c.test(t, k)
		})
	}
}

func conformResolve(t *testing.T, k kept) {
	ctx := t.Context()
	k.register(k.m("m"), one, map[string]string{"barge.training": "sha256:a"}, "")
	k.register(k.m("m"), one, map[string]string{"barge.training": "sha256:a", "odd": "a='b' \"c\""}, "")
	k.register(k.m("m"), one, map[string]string{"barge.training": "sha256:b"}, "")
	k.model(k.m("m2")) // whose name begins like the other's
	k.register(k.m("m2"), one, nil, "")
	if err := k.Assign(ctx, registry.Assignment{Model: k.m("m"), Version: "1", Slot: k.slots[1]}); err != nil {
		t.Fatal(err)
	}
	for selector, want := range map[string]string{
		"1": "1", "3": "3", "latest": "3", k.slots[1]: "1", "tag:barge.training=sha256:a": "2", "tag:barge.training=sha256:b": "3", `tag:odd=a='b' "c"`: "2",
	} {
		v, err := k.Resolve(ctx, k.m("m"), selector)
		if err != nil || v.Number != want || v.Model != k.m("m") || v.Status != registry.Ready || v.CreatedAt.IsZero() {
			t.Errorf("%s: %+v, %v; want version %s", selector, v, err, want)
		}
	}
	v, err := k.Resolve(ctx, k.m("m"), "2")
	if diff := cmp.Diff(map[string]string{"barge.training": "sha256:a", "odd": "a='b' \"c\""}, v.Tags); diff != "" || err != nil {
		t.Errorf("%v; tags (-want +got):\n%s", err, diff)
	}
}

func conformMissing(t *testing.T, k kept) {
	ctx := t.Context()
	for _, selector := range []string{"1", "latest", k.slots[0], "tag:a=b"} {
		if v, err := k.Resolve(ctx, k.m("m"), selector); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of a model without versions: %+v, %v; want ErrNotExist", selector, v, err)
		}
		if v, err := k.Resolve(ctx, k.m("none"), selector); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of no model: %+v, %v; want ErrNotExist", selector, v, err)
		}
	}
	if _, err := k.Resolve(ctx, k.m("m"), "newest"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a selector of no kind: %v", err)
	}
	if _, err := k.ModelTags(ctx, k.m("none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("tags of no model: %v", err)
	}
	if err := k.Assign(ctx, registry.Assignment{Model: k.m("m"), Version: "9", Slot: k.slots[0]}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("assigning no version: %v", err)
	}
	if err := k.Tag(ctx, registry.Version{Model: k.m("m"), Number: "9"}, map[string]string{"a": "b"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("tagging no version: %v", err)
	}
}

func conformFiles(t *testing.T, k kept) {
	ctx := t.Context()
	files := map[string]string{
		"MLmodel": "flavors: {}\n", "data/model.pkl": "\x00\x01binary\xff", "data/deep/er/x y ü.txt": "text", "empty": "",
		"registered_model_meta": "made by the registry",
	}
	k.register(k.m("m"), files, nil, "")
	v, err := k.Resolve(ctx, k.m("m"), "1")
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]string{}
	for f, err := range k.Files(ctx, v) {
		if err != nil {
			t.Fatal(err)
		}
		body, err := f.Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if err != nil || f.Size >= 0 && f.Size != int64(len(b)) {
			t.Errorf("%s: %d bytes of %d, %v", f.Path, len(b), f.Size, err)
		}
		_ = body.Close()
		read[f.Path] = string(b)
	}
	if diff := cmp.Diff(files, read); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for range k.Files(ctx, v) {
		break // whoever has seen enough may stop
	}
	sums, err := registry.Digest(ctx, k.Files(ctx, v))
	want := registry.Sums{
		Digest: "sha256:87a0c0c40771b6c8d81ea026d13fb099b5626fb040ee3f8d35e4cc9802301cd6",
		Files: []registry.Sum{
			{Path: "MLmodel", SHA256: "7f8f4a879eefb3f9fed9c6af4077c9acb0db066b2906d6570c42913478686b0f", Size: 12},
			{Path: "data/deep/er/x y ü.txt", SHA256: "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1", Size: 4},
			{Path: "data/model.pkl", SHA256: "045dd13b31563c2e7ab2cd6676c484b542d64b39f01d66ad563ce3a0ecdc1b18", Size: 9},
			{Path: "empty", SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		},
		Excluded: []string{"registered_model_meta"},
	}
	if diff := cmp.Diff(want, sums); diff != "" || err != nil {
		t.Errorf("%v; sums (-want +got):\n%s", err, diff)
	}
}

func conformAssign(t *testing.T, k kept) {
	ctx := t.Context()
	for range 3 {
		k.register(k.m("m"), one, nil, "")
	}
	holders := func() [2][]string {
		var both [2][]string
		for i, slot := range k.slots {
			versions, err := k.Holders(ctx, k.m("m"), slot)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range versions {
				both[i] = append(both[i], v.Number)
			}
		}
		return both
	}
	for _, step := range []struct {
		name    string
		version string
		slot    int
		archive bool
		want    [2][]string
	}{
		{"into an empty slot", "1", 0, false, [2][]string{{"1"}, nil}},
		{"the same again", "1", 0, false, [2][]string{{"1"}, nil}},
		{"beside another", "2", 0, false, [2][]string{{"2", "1"}, nil}},
		{"up, and nobody there", "1", 1, true, [2][]string{{"2"}, {"1"}}},
		{"up, and another goes", "3", 1, true, [2][]string{{"2"}, {"3"}}},
		{"the same again, archiving", "3", 1, true, [2][]string{{"2"}, {"3"}}},
		{"back from the archive", "1", 1, true, [2][]string{{"2"}, {"1"}}},
	} {
		a := registry.Assignment{Model: k.m("m"), Version: step.version, Slot: k.slots[step.slot], Archive: step.archive, Comment: "release 1.0.0"}
		if err := k.Assign(ctx, a); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, holders()); diff != "" {
			t.Errorf("%s: holders (-want +got):\n%s", step.name, diff)
		}
	}
	if err := k.Assign(ctx, registry.Assignment{Model: k.m("m"), Version: "1", Slot: "Nowhere"}); err == nil {
		t.Error("a slot that is none was taken")
	}
}

func conformAliases(t *testing.T, k kept) {
	ctx := t.Context()
	for range 3 {
		k.register(k.m("m"), one, nil, "")
	}
	r := k.Registry.(registry.Aliases) //nolint:forcetypeassert // asked by conform
	for _, step := range []struct {
		name string
		do   func() error
		want [2][]string
	}{
		{"into an empty slot", func() error {
			return r.Assign(ctx, registry.Assignment{Model: k.m("m"), Version: "1", Slot: k.slots[0]})
		}, [2][]string{{"1"}, nil}},
		{"the same again", func() error {
			return r.Assign(ctx, registry.Assignment{Model: k.m("m"), Version: "1", Slot: k.slots[0]})
		}, [2][]string{{"1"}, nil}},
		{"another", func() error {
			return r.Assign(ctx, registry.Assignment{Model: k.m("m"), Version: "3", Slot: k.slots[0]})
		}, [2][]string{{"3"}, nil}},
		{"in both", func() error {
			return r.Assign(ctx, registry.Assignment{Model: k.m("m"), Version: "3", Slot: k.slots[1]})
		}, [2][]string{{"3"}, {"3"}}},
		{"back", func() error {
			return r.Assign(ctx, registry.Assignment{Model: k.m("m"), Version: "2", Slot: k.slots[0]})
		}, [2][]string{{"2"}, {"3"}}},
		{"away", func() error { return r.Unassign(ctx, k.m("m"), k.slots[1]) }, [2][]string{{"2"}, nil}},
		{"away again", func() error { return r.Unassign(ctx, k.m("m"), k.slots[1]) }, [2][]string{{"2"}, nil}},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		var got [2][]string
		for i, slot := range k.slots {
			versions, err := r.Holders(ctx, k.m("m"), slot)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range versions {
				got[i] = append(got[i], v.Number)
			}
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: holders (-want +got):\n%s", step.name, diff)
		}
	}
	for _, slot := range []string{"Production", "@latest", "@LATEST", "@v1", "@a/b", "@"} {
		if err := r.Assign(ctx, registry.Assignment{Model: k.m("m"), Version: "1", Slot: slot}); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("slot %q: %v", slot, err)
		}
		if _, err := r.Holders(ctx, k.m("m"), slot); err == nil {
			t.Errorf("slot %q was looked for", slot)
		}
	}
}

func conformTags(t *testing.T, k kept) {
	ctx := t.Context()
	k.register(k.m("m"), one, map[string]string{"kept": "yes", "changed": "1"}, "")
	v, err := k.Resolve(ctx, k.m("m"), "1")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := k.Tag(ctx, v, map[string]string{"changed": "2", "new": "<ü>"}); err != nil {
			t.Fatal(err)
		}
	}
	v, err = k.Resolve(ctx, k.m("m"), "1")
	if diff := cmp.Diff(map[string]string{"kept": "yes", "changed": "2", "new": "<ü>"}, v.Tags); diff != "" || err != nil {
		t.Errorf("%v; tags (-want +got):\n%s", err, diff)
	}
}

func conformModelTags(t *testing.T, k kept) {
	ctx := t.Context()
	for _, step := range []struct{ set, want map[string]string }{
		{map[string]string{"barge.env.prod": "1", "barge.project": "diabetes"}, map[string]string{"barge.env.prod": "1", "barge.project": "diabetes"}},
		{map[string]string{"barge.env.prod": "2"}, map[string]string{"barge.env.prod": "2", "barge.project": "diabetes"}},
		{map[string]string{"barge.env.prod": ""}, map[string]string{"barge.project": "diabetes"}},
		{map[string]string{"barge.env.prod": ""}, map[string]string{"barge.project": "diabetes"}},
	} {
		if err := k.TagModel(ctx, k.m("m"), step.set); err != nil {
			t.Fatalf("%v: %v", step.set, err)
		}
		got, err := k.ModelTags(ctx, k.m("m"))
		if diff := cmp.Diff(step.want, got); diff != "" || err != nil {
			t.Errorf("after %v: %v (-want +got):\n%s", step.set, err, diff)
		}
	}
}

func conformMetrics(t *testing.T, k kept) {
	ctx := t.Context()
	run := k.run(map[string]any{"accuracy": 0.7, "val/auc": 1e-9})
	k.register(k.m("m"), one, nil, run)
	k.register(k.m("m"), one, nil, "")
	v, err := k.Resolve(ctx, k.m("m"), "1")
	if err != nil || v.RunID != run {
		t.Fatalf("%+v, %v", v, err)
	}
	got, err := k.Metrics(ctx, v)
	if diff := cmp.Diff(map[string]float64{"accuracy": 0.7, "val/auc": 1e-9}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if v, err = k.Resolve(ctx, k.m("m"), "2"); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Metrics(ctx, v); len(got) != 0 || err != nil {
		t.Errorf("of a version without a run: %v, %v", got, err)
	}
}
