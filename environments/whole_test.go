package environments

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestRecordedRoundTrip: whatever is recorded is read back as it was, and recorded again as the same bytes.
func TestRecordedRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := &Project{}
		randomise(reflect.ValueOf(p).Elem(), r)
		raw := mustRecord(t, p)
		back, err := FromRecorded(raw)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, raw)
		}
		if again := mustRecord(t, back); !bytes.Equal(raw, again) {
			t.Fatalf("seed %d: %s", seed, cmp.Diff(string(raw), string(again)))
		}
		recorded := p.recorded()
		if diff := cmp.Diff(&recorded, back, exportedOnly, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
		for i, e := range p.Environments {
			rules := p.rulesOf(e)
			raw, _ := Canonical(rules)
			back, err := RulesFromJSON(raw)
			if again, _ := Canonical(back); err != nil || !bytes.Equal(raw, again) || rules.Digest() != back.Digest() {
				t.Fatalf("seed %d, environment %d: %v %s", seed, i, err, cmp.Diff(string(raw), string(again)))
			}
		}
	}
}

// randomise sets some of the fields, with text that JSON and HTML mind.
func randomise(v reflect.Value, r *rand.Rand) {
	if r.IntN(4) == 0 && v.Kind() != reflect.Struct {
		return
	}
	if v.Type() == reflect.TypeFor[json.RawMessage]() {
		raw, _ := Canonical(map[string]string{randomText(r): randomText(r)})
		v.SetBytes(raw)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				randomise(v.Field(i), r)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		randomise(v.Elem(), r)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 3))
		for i := range v.Len() {
			randomise(v.Index(i), r)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(3) {
			item := reflect.New(v.Type().Elem()).Elem()
			randomise(item, r)
			v.SetMapIndex(reflect.ValueOf(randomText(r)), item)
		}
	case reflect.String:
		if v.Type() == reflect.TypeFor[Duration]() {
			v.SetString(fmt.Sprintf("%dm", r.IntN(100)))
			return
		}
		v.SetString(randomText(r))
	case reflect.Int:
		v.SetInt(int64(r.IntN(100)))
	case reflect.Bool:
		v.SetBool(true)
	}
}

func randomText(r *rand.Rand) string {
	const letters = "ab<>&\"\\/\u2028é日\n\t ${}"
	runes := []rune(letters)
	var b strings.Builder
	for range 1 + r.IntN(6) {
		b.WriteRune(runes[r.IntN(len(runes))])
	}
	return b.String()
}

// TestEveryFieldIsInOneCopyAlone fills every field there is, and looks for each value in what is recorded, in the
// rules, and in what is neither.
func TestEveryFieldIsInOneCopyAlone(t *testing.T) {
	p := &Project{}
	n := 0
	fillAll(reflect.ValueOf(p).Elem(), &n)
	for i := range p.Environments {
		p.Environments[i].Follows = nil // else it is its own upstream
	}
	raw := mustRecord(t, p)
	rules, err := Canonical(p.rulesOf(p.Environments[0]))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := Canonical(p)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for path, value := range leaves("", whole) {
		places := ""
		if slices.Contains(values(raw), value) {
			places += " recorded"
		}
		if slices.Contains(values(rules), value) {
			places += " rule"
		}
		if places != " recorded" {
			got = append(got, path+places)
		}
	}
	slices.Sort(got)
	want := strings.Split(strings.TrimSpace(`
.environments.formerly
.environments.gates.against rule
.environments.gates.compare rule
.environments.gates.expects.name rule
.environments.gates.expects.that rule
.environments.gates.expects.when rule
.environments.gates.models rule
.environments.gates.name recorded rule
.environments.gates.parameters.k rule
.environments.gates.valid_for rule
.environments.operators rule
.environments.path
.environments.scores.expects.name rule
.environments.scores.expects.that rule
.environments.scores.expects.when rule
.environments.scores.first_run rule
.environments.scores.name recorded rule
.environments.scores.on_failure rule
.environments.soak rule
.environments.title
.environments.workspace
.name
.registries.host
.registries.remote.token
.registries.token
.registries.workspace
.store
.tag_prefix
.workspaces.auth.kind
.workspaces.auth.settings.k
.workspaces.auth.token
.workspaces.host
.workspaces.name`), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if r := p.rulesOf(p.Environments[0]); !r.Gates[0].Pinned {
		t.Error("pinned is no rule")
	}
}

// fillAll sets every field to a value of its own.
func fillAll(v reflect.Value, n *int) {
	if v.Type() == reflect.TypeFor[json.RawMessage]() {
		*n++
		v.SetBytes(fmt.Appendf(nil, `{"k":"v%d"}`, *n))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillAll(v.Field(i), n)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillAll(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillAll(v.Index(0), n)
	case reflect.Map:
		item := reflect.New(v.Type().Elem()).Elem()
		fillAll(item, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("k"), item)
	case reflect.String:
		*n++
		v.SetString(fmt.Sprintf("v%d", *n))
	case reflect.Int:
		*n++
		v.SetInt(int64(1000 + *n))
	case reflect.Bool:
		v.SetBool(true)
	}
}

// leaves are the scalar values of a JSON document by path, without the indexes of lists; true is none.
func leaves(path string, raw []byte) map[string]string {
	found := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, item := range v {
				walk(path+"."+k, item)
			}
		case []any:
			for _, item := range v {
				walk(path, item)
			}
		case bool:
		default:
			found[path] = fmt.Sprint(v)
		}
	}
	var tree any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&tree) == nil {
		walk(path, tree)
	}
	return found
}

func values(raw []byte) (all []string) {
	for _, v := range leaves("", raw) {
		all = append(all, v)
	}
	return all
}
