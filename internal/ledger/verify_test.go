package ledger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/ledger/ledgertest"
)

// TestVerify does one wrong after another to a ledger of nine entries; each is named.
func TestVerify(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm func(m *ledgertest.Memory, files map[string]string)
		want []string // kind and number
	}{
		"nothing": {harm: func(*ledgertest.Memory, map[string]string) {}},
		"a missing entry": {
			harm: func(m *ledgertest.Memory, _ map[string]string) { m.Put("0/5.json", nil) }, want: []string{"missing 5"},
		},
		"two missing entries": {
			harm: func(m *ledgertest.Memory, _ map[string]string) { m.Put("0/1.json", nil); m.Put("0/5.json", nil) }, want: []string{"missing 1", "missing 5"},
		},
		"a changed entry": {
			harm: func(m *ledgertest.Memory, f map[string]string) {
				m.Put("0/5.json", []byte(strings.ReplaceAll(f["0/5.json"], "five", "FIVE")))
			},
			want: []string{"changed 6"},
		},
		"a changed entry without its state": {
			harm: func(m *ledgertest.Memory, f map[string]string) {
				m.Put("0/5.json", []byte(strings.Replace(f["0/5.json"], "five", "FIVE", 1)))
			},
			want: []string{"state 5", "changed 6"},
		},
		"a space more": {
			harm: func(m *ledgertest.Memory, f map[string]string) { m.Put("0/5.json", []byte(f["0/5.json"]+" ")) }, want: []string{"changed 6"},
		},
		"the last one changed": {
			harm: func(m *ledgertest.Memory, f map[string]string) {
				m.Put("0/9.json", []byte(strings.Replace(f["0/9.json"], "nine", "NINE", 1)))
			},
			want: []string{"state 9"},
		},
		"two entries re-ordered": {
			harm: func(m *ledgertest.Memory, f map[string]string) {
				m.Put("0/5.json", []byte(f["0/6.json"]))
				m.Put("0/6.json", []byte(f["0/5.json"]))
			},
			want: []string{"misplaced 5", "misplaced 6"},
		},
		"two entries re-ordered, their numbers too": {
			harm: func(m *ledgertest.Memory, f map[string]string) {
				m.Put("0/5.json", []byte(strings.ReplaceAll(f["0/6.json"], `"seq":6`, `"seq":5`)))
				m.Put("0/6.json", []byte(strings.ReplaceAll(f["0/5.json"], `"seq":5`, `"seq":6`)))
			},
			want: []string{"changed 5", "changed 6", "changed 7"},
		},
		"an entry twice": {
			harm: func(m *ledgertest.Memory, f map[string]string) {
				m.Put("0/6.json", []byte(strings.ReplaceAll(f["0/5.json"], `"seq":5`, `"seq":6`)))
			},
			want: []string{"doubled 6", "changed 6", "changed 7"},
		},
		"no entry at all": {
			harm: func(m *ledgertest.Memory, _ map[string]string) { m.Put("0/5.json", []byte("{")) }, want: []string{"unreadable 5"},
		},
		"one that the rules forbid": {
			harm: func(m *ledgertest.Memory, f map[string]string) {
				m.Put("0/9.json", []byte(strings.Replace(f["0/9.json"], `"type":"Held","body":{"reason":"nine"}`, `"type":"Live","body":{"of":8,"values":{}}`, 1)))
			},
			want: []string{"forbidden 9"},
		},
	} {
		store := ledgertest.NewMemory()
		l := open(store, alice)
		for _, text := range []string{"two", "three", "four", "five", "six", "seven", "eight", "nine"} {
			if _, err := note(l, text); err != nil {
				t.Fatal(err)
			}
		}
		files := map[string]string{}
		for _, name := range store.Names() {
			b, err := store.Read(context.Background(), name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(b)
		}
		c.harm(store, files)
		problems, err := open(store, bob).Verify(context.Background())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for _, p := range problems {
			got = append(got, fmt.Sprintf("%s %d", p.Kind, p.Seq))
			if !strings.Contains(p.Text, fmt.Sprint(p.Seq)) {
				t.Errorf("%s: %q does not name the entry", name, p.Text)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

func TestHistoryNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	store := ledgertest.NewMemory()
	l := open(store, alice)
	for _, text := range []string{"two", "three"} {
		if _, err := note(l, text); err != nil {
			t.Fatal(err)
		}
	}
	store.Put("0/2.json", nil)
	var got []string
	for e, err := range open(store, bob).History(context.Background()) {
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		got = append(got, fmt.Sprint(e.Seq))
	}
	if len(got) != 3 || got[0] != "1" || !strings.Contains(got[1], "reading ledger entry 2") || got[2] != "3" {
		t.Errorf("%q", got)
	}
	for range l.History(context.Background()) {
		break
	}
}

func TestAnEntryIsWrittenAsDocumented(t *testing.T) {
	t.Parallel()
	store := ledgertest.NewMemory()
	if _, err := note(open(store, alice), "one"); err != nil {
		t.Fatal(err)
	}
	b, err := store.Read(context.Background(), "0/2.json")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	first, err := open(store, bob).Entry(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if id, _ := got["id"].(string); len(id) != 32 {
		t.Errorf("its id is %q", id)
	}
	delete(got, "id")
	want := map[string]any{
		"format": 1.0, "seq": 2.0, "prev": first.Digest(), "by": map[string]any{"random": "a11ce", "pid": 1.0},
		"at": "2026-03-01T12:00:00Z", "actor": "service-principal:ci", "type": "Held", "body": map[string]any{"reason": "one"},
		"state": map[string]any{
			"seq": 2.0, "format": 1.0, "genesis": map[string]any{"project": "diabetes", "environment": "prod"},
			"champion": map[string]any{"release": map[string]any{}, "values": map[string]any{job: "absent"}, "live": 1.0, "at": "2026-03-01T12:00:00Z", "proven": "genesis", "start": 1.0},
			"hold":     map[string]any{"said": map[string]any{"reason": "one"}, "seq": 2.0, "at": "2026-03-01T12:00:00Z", "actor": "service-principal:ci"},
			"past":     []any{map[string]any{"live": 1.0, "at": "2026-03-01T12:00:00Z", "release": map[string]any{}, "values": map[string]any{job: "absent"}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"":   "reading a ledger entry",
		"{}": "format, seq, id or type is missing",
		`{"format":1,"seq":1,"id":"i","type":"Held","body":3,"state":{}}`:                           "reading ledger entry 1 (Held)",
		`{"format":1,"seq":1,"id":"i","type":"Held","body":{}}`:                                     "reading ledger entry 1 (Held)",
		`{"format":1,"seq":1,"id":"i","type":"Held","body":{},"state":{}} {}`:                       "reading a ledger entry",
		`{"format":1,"seq":0,"id":"i","type":"Held","body":{},"state":{}}`:                          "format, seq, id or type is missing",
		`{"format":1,"seq":1,"id":"i","type":"Live","body":{"values":{"a":tru}},"state":{}}`:        "reading a ledger entry",
		`{"format":1,"seq":1,"id":"i","type":"Begun","body":{"to":{"a":1e}},"state":{"format":{}}}`: "reading a ledger entry",
	} {
		if _, err := ledger.Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want it to say %q", text, err, says)
		}
	}
	e, err := ledger.Decode([]byte(`{"format":2,"seq":1,"id":"i","type":"Held","body":3,"state":{"seq":1}}`))
	if err != nil || !e.Newer() || e.Type() != ledger.TypeHeld || e.State.Seq != 1 {
		t.Errorf("a newer format with another body: %+v, %v", e, err)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	a := value(t, map[string]any{"b": []any{1, "<&>"}, "a": json.Number("1.50")})
	var b ledger.Value
	if err := json.Unmarshal([]byte(` { "a" : 1.50, "b":[1 , "\u003c\u0026>"] } `), &b); err != nil || a != b {
		t.Errorf("%s, %s, %v: one value, written two ways", a, b, err)
	}
	var back struct{ A float64 }
	if err := a.Decode(&back); err != nil || back.A != 1.5 {
		t.Errorf("%+v, %v", back, err)
	}
	if _, err := json.Marshal(ledger.Values{"a": ""}); err == nil {
		t.Error("a missing value was written")
	}
	if _, err := ledger.ValueOf(func() {}); err == nil {
		t.Error("a func is a value")
	}
	if value(t, "off") != ledger.Off || value(t, "absent") != ledger.Absent {
		t.Error("off and absent are not canonical")
	}
}
