package effects_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/registry"
	"github.com/bargeml/barge/internal/sandbox"
)

const unityModel = "main.ml.m"

var champion = effects.SlotAddress{Registry: "shared", Model: unityModel, Alias: "champion"}

// catalogued is a bench whose registry is Unity Catalog, with three versions of a model.
func catalogued(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	in := registry.NewUnity(b.workspace("registry"))
	b.site.Registries = func(string) (*effects.Registry, error) {
		return &effects.Registry{Registry: in, Where: ledger.Where{Kind: environments.UnityCatalog}}, nil
	}
	const api = "/api/2.0/mlflow/unity-catalog/"
	b.api("registry", http.MethodPost, api+"registered-models/create", map[string]any{"name": unityModel}, nil)
	for _, number := range []string{"1", "2", "3"} {
		b.api("registry", http.MethodPost, api+"model-versions/create", map[string]any{"name": unityModel, "source": "dbfs:/x"}, nil)
		b.api("registry", http.MethodPost, api+"model-versions/finalize", map[string]any{"name": unityModel, "version": number}, nil)
	}
	return b
}

// named is the version that an alias names, "" for none; name makes it so.
func (b *bench) named(alias string) string {
	b.t.Helper()
	r, err := b.site.Registries("shared")
	if err != nil {
		b.t.Fatal(err)
	}
	all, err := r.Holders(b.t.Context(), unityModel, "@"+alias)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(all) == 0 {
		return ""
	}
	return all[0].Number
}

func (b *bench) name(alias, version string) {
	b.t.Helper()
	if version == "" {
		return
	}
	at := "/api/2.1/unity-catalog/models/" + unityModel + "/aliases/" + alias
	b.api("registry", http.MethodPut, at, map[string]any{"version_num": int(version[0] - '0')}, nil)
}

func TestAliasSet(t *testing.T) {
	t.Parallel()
	one, two := value("1"), value("2")
	for name, c := range map[string]struct {
		before, after string
		m             effects.Memory
		set           ledger.Value
		tag           string
		sent          int
	}{
		"where none is":                   {"", "1", effects.Memory{}, one, "1", 2},
		"over another":                    {"1", "2", effects.Memory{Ever: []ledger.Value{one}}, two, "2", 2},
		"always, also what is so":         {"1", "1", effects.Memory{}, one, "1", 2},
		"what was found is given back":    {"2", "1", effects.Memory{Back: true}, one, "", 2},
		"off of what it put there":        {"2", "", effects.Memory{Ever: []ledger.Value{one, two}}, ledger.Off, "", 2},
		"off leaves what others put":      {"3", "3", effects.Memory{Ever: []ledger.Value{one, two}}, ledger.Off, "", 1},
		"off where nothing is":            {"", "", effects.Memory{Ever: []ledger.Value{one}}, ledger.Off, "", 1},
		"absent, as it was found: no one": {"2", "", effects.Memory{Back: true, Ever: []ledger.Value{two}}, ledger.Absent, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := catalogued(t)
			b.name("champion", c.before)
			b.name("challenger", "2")
			p := b.slot("prod", champion, c.m)
			if p.ID() != "slot:shared/main.ml.m/@champion" {
				t.Error(p.ID())
			}
			for range 2 { // it is safe to repeat
				b.sent("registry")
				if err := p.Set(t.Context(), c.set, may); err != nil {
					t.Fatal(err)
				}
				if got := b.named("champion"); got != c.after {
					t.Errorf("it names %q, not %q", got, c.after)
				}
			}
			if got := b.named("challenger"); got != "2" {
				t.Errorf("the other alias names %q", got)
			}
			r, _ := b.site.Registries("shared")
			tags, err := r.ModelTags(t.Context(), unityModel)
			if tags["barge.env.prod"] != c.tag || err != nil {
				t.Errorf("tags %v, %v", tags, err)
			}
			held, err := p.Holds(t.Context(), c.set)
			if !held || err != nil {
				t.Errorf("it is held: %v, %v", held, err)
			}
			if different, err := p.Differs(t.Context(), c.set); len(different) != 0 || err != nil {
				t.Errorf("%v, %v", different, err)
			}
			read, err := p.Read(t.Context())
			if want := (map[bool]ledger.Value{true: ledger.Off, false: value(c.after)})[c.after == ""]; read != want || err != nil {
				t.Errorf("read %q, %v; want %q", read, err, want)
			}
		})
	}
}

// Each call of a Set is sent once, and not without the right.
func TestAliasNeedsTheRight(t *testing.T) {
	t.Parallel()
	b := catalogued(t)
	p := b.slot("prod", champion, effects.Memory{})
	calls := 0
	lost := errors.New("lost")
	for allowed, want := range []string{"", "", "1"} {
		calls = 0
		err := p.Set(t.Context(), value("1"), func() error {
			if calls++; calls > allowed {
				return lost
			}
			return nil
		})
		if got := b.named("champion"); got != want || (allowed < 2) != errors.Is(err, lost) {
			t.Errorf("after %d calls it names %q: %v", allowed, got, err)
		}
	}
}

func TestAliasDiffers(t *testing.T) {
	t.Parallel()
	ever := effects.Memory{Ever: []ledger.Value{value("1"), value("2")}}
	for name, c := range map[string]struct {
		is, want string // want "" is off
		tag      string
		said     []string
	}{
		"another":           {"1", "2", "", []string{"alias champion of model main.ml.m: it names version 1, and the ledger says it names version 2"}},
		"nothing":           {"", "2", "", []string{"alias champion of model main.ml.m: it names nothing, and the ledger says it names version 2"}},
		"ours, and off":     {"1", "", "", []string{"alias champion of model main.ml.m: it names version 1, and the ledger says it names nothing of ours"}},
		"not ours, and off": {"3", "", "", nil},
		"a late tag":        {"2", "2", "1", []string{"tag barge.env.prod of model main.ml.m: it names version 1, and the ledger says it names version 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := catalogued(t)
			b.name("champion", c.is)
			r, _ := b.site.Registries("shared")
			if err := r.TagModel(t.Context(), unityModel, map[string]string{"barge.env.prod": c.tag}); err != nil {
				t.Fatal(err)
			}
			want := ledger.Off
			if c.want != "" {
				want = value(c.want)
			}
			p := b.slot("prod", champion, ever)
			if held, err := p.Holds(t.Context(), want); held != (c.said == nil || c.tag != "") || err != nil {
				t.Errorf("it is held: %v, %v", held, err)
			}
			different, err := p.Differs(t.Context(), want)
			var said []string
			for _, d := range different {
				said = append(said, d.String())
			}
			if diff := cmp.Diff(c.said, said); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestAliasByHand(t *testing.T) {
	t.Parallel()
	b := catalogued(t)
	b.name("champion", "1")
	byHand := func(m effects.Memory, want ledger.Value) string {
		t.Helper()
		p, ok := b.slot("prod", champion, m).(effects.Manual)
		if !ok {
			t.Fatal("nobody can set it by hand")
		}
		calls, err := p.ByHand(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(strings.Join(calls, "\n"), b.twins.Twin("registry").URL, "HOST")
	}
	for _, c := range []struct{ got, want string }{
		{byHand(effects.Memory{}, value("2")), `DATABRICKS_HOST=HOST databricks api put /api/2.1/unity-catalog/models/main.ml.m/aliases/champion --json '{"version_num":2}'`},
		{byHand(effects.Memory{Ever: []ledger.Value{value("1")}}, ledger.Off), `DATABRICKS_HOST=HOST databricks api delete /api/2.1/unity-catalog/models/main.ml.m/aliases/champion`},
		{byHand(effects.Memory{}, ledger.Off), ``},
	} {
		if c.got != c.want {
			t.Errorf("%s\nnot %s", c.got, c.want)
		}
	}
	server := registry.NewMLflow(databricks.Open(databricks.Options{Name: "open", Host: "https://mlflow.example.com"}))
	b.site.Registries = func(string) (*effects.Registry, error) { return &effects.Registry{Registry: server}, nil }
	want := `curl -fsS -X POST -H "Authorization: Bearer $MLFLOW_TRACKING_TOKEN" -H 'Content-Type: application/json' -d '{"alias":"champion","name":"main.ml.m","version":"2"}' https://mlflow.example.com/api/2.0/mlflow/registered-models/alias`
	if got := byHand(effects.Memory{}, value("2")); got != want {
		t.Errorf("%s\nnot %s", got, want)
	}
}

// A slot that a ledger recorded is not looked for in a registry of another kind.
func TestSlotsOfAnotherKind(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		b *bench
		a effects.SlotAddress
	}{"a stage in Unity Catalog": {catalogued(t), inProd}, "an alias in a workspace's registry": {newBench(t), champion}} {
		p, err := c.b.site.Pointer(effects.SlotPointer(c.a), effects.Memory{})
		if err == nil || !strings.Contains(err.Error(), "is of another kind by now") {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

func TestAliasOfAServiceThatSaysNo(t *testing.T) {
	t.Parallel()
	b := catalogued(t)
	if err := b.twins.Twin("registry").Fault(sandbox.Fault{Path: "/api/2.1/unity-catalog/models", Action: "status", Status: 403, Times: -1}); err != nil {
		t.Fatal(err)
	}
	p := b.slot("prod", champion, effects.Memory{})
	for doing, err := range map[string]error{
		"reading": func() error { _, err := p.Read(context.Background()); return err }(),
		"setting": p.Set(context.Background(), value("1"), may),
	} {
		if !errors.Is(err, databricks.ErrForbidden) || !strings.Contains(err.Error(), "champion of model main.ml.m") {
			t.Errorf("%s: %v", doing, err)
		}
	}
}
