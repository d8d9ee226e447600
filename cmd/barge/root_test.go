package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/ledger"
)

// entries is a ledger in a folder, as somebody who may write files can change it.
type entries struct {
	t   *testing.T
	dir string
}

// newEntries makes a copy of a small ledger: Genesis and five that were said.
func newEntries(t *testing.T) entries {
	t.Helper()
	e := entries{t, filepath.Join(t.TempDir(), "copy")}
	book := ledger.Open(ledger.NewFolder(filepath.Join(e.dir, "ledger")), ledger.Options{Actor: "user:olga"})
	for _, body := range []ledger.Body{
		ledger.Live{Values: ledger.Values{}, Genesis: &ledger.Genesis{Project: "churn", Environment: "prod"}},
		ledger.Held{Reason: "one"},
		ledger.Unheld{Reason: "two"},
		ledger.Held{Reason: "three"},
		ledger.Unheld{Reason: "four"},
		ledger.Held{Reason: "five"},
	} {
		if _, err := book.Append(t.Context(), func(ledger.State) (ledger.Body, error) { return body, nil }); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func (e entries) file(seq int) string {
	return filepath.Join(e.dir, "ledger", filepath.FromSlash(ledger.Name(seq)))
}

func (e entries) read(seq int) []byte {
	e.t.Helper()
	b, err := os.ReadFile(e.file(seq))
	if err != nil {
		e.t.Fatal(err)
	}
	return b
}

func (e entries) write(seq int, b []byte) {
	e.t.Helper()
	if err := os.Remove(e.file(seq)); err != nil && !os.IsNotExist(err) {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(e.file(seq), b, 0o600); err != nil {
		e.t.Fatal(err)
	}
}

func (e entries) remove(seq int) {
	e.t.Helper()
	if err := os.Remove(e.file(seq)); err != nil {
		e.t.Fatal(err)
	}
}

// edit changes an entry's file as a forger would who knows JSON; what is not changed keeps its bytes.
func (e entries) edit(seq int, change func(fields)) {
	e.t.Helper()
	var doc fields
	if err := json.Unmarshal(e.read(seq), &doc); err != nil {
		e.t.Fatal(err)
	}
	change(doc)
	b, err := json.Marshal(doc)
	if err != nil {
		e.t.Fatal(err)
	}
	e.write(seq, b)
}

// rechain makes every entry after seq follow the bytes of the one before again.
func (e entries) rechain(seq int) {
	e.t.Helper()
	for ; seq < 6; seq++ {
		sum := sha256.Sum256(e.read(seq))
		e.edit(seq+1, func(f fields) { f.set("prev", `"sha256:`+hex.EncodeToString(sum[:])+`"`) })
	}
}

type fields map[string]json.RawMessage

func (f fields) set(name, value string) { f[name] = json.RawMessage(value) }

func reason(text string) func(fields) {
	return func(f fields) { f.set("body", `{"reason": "`+text+`"}`) }
}

// TestVerifyNamesWhatIsWrong changes a ledger by hand in every way, and asks the command about the folder.
func TestVerifyNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(entries)
		want  []string // "SEQ KIND" of each problem
	}{
		"intact":             {func(entries) {}, nil},
		"one byte":           {func(e entries) { e.write(3, bytes.Replace(e.read(3), []byte("olga"), []byte("Olga"), 1)) }, []string{"4 changed"}},
		"a forged entry":     {func(e entries) { e.edit(4, reason("forged")) }, []string{"4 state", "5 changed"}},
		"a forged chain":     {func(e entries) { e.edit(4, reason("forged")); e.rechain(4) }, []string{"4 state"}},
		"a missing one":      {func(e entries) { e.remove(3) }, []string{"3 missing"}},
		"the first missing":  {func(e entries) { e.remove(1) }, []string{"1 missing"}},
		"a gap closed again": {func(e entries) { e.write(3, e.read(4)) }, []string{"3 misplaced"}},
		"two swapped": {func(e entries) {
			third, fourth := e.read(3), e.read(4)
			e.write(3, fourth)
			e.write(4, third)
		}, []string{"3 misplaced", "4 misplaced"}},
		"two swapped and renumbered": {func(e entries) {
			third, fourth := e.read(3), e.read(4)
			e.write(3, fourth)
			e.write(4, third)
			e.edit(3, func(f fields) { f.set("seq", "3") })
			e.edit(4, func(f fields) { f.set("seq", "4") })
		}, []string{"3 changed", "3 state", "4 changed", "4 state", "5 changed"}},
		"cut short": {func(e entries) { e.write(5, e.read(5)[:200]) }, []string{"5 unreadable"}},
		"empty":     {func(e entries) { e.write(6, nil) }, []string{"6 unreadable"}},
		"written twice": {func(e entries) {
			var second fields
			if err := json.Unmarshal(e.read(2), &second); err != nil {
				e.t.Fatal(err)
			}
			e.edit(6, func(f fields) { f["id"] = second["id"] })
		}, []string{"6 doubled"}},
		"a right nobody had": {func(e entries) {
			e.edit(6, func(f fields) { f.set("type", `"Left"`); f.set("body", `{"of": 2}`) })
		}, []string{"6 forbidden"}},
		"a state made up": {func(e entries) {
			e.edit(6, func(f fields) { f["state"] = bytes.Replace(f["state"], []byte("five"), []byte("six"), 1) })
		}, []string{"6 state"}},
		"another environment's first": {func(e entries) { e.write(1, newEntries(e.t).read(1)) }, []string{"2 changed", "2 state"}},
		"a newer barge's": {func(e entries) {
			e.edit(6, func(f fields) { f.set("format", "2"); f.set("type", `"Blessed"`); f.set("body", `{"by": "x"}`) })
		}, []string{"6 newer"}},
		"a newer barge's long since": {func(e entries) {
			e.edit(3, func(f fields) { f.set("format", "2") })
			e.edit(5, reason("forged"))
			e.rechain(3)
		}, []string{"3 newer"}},
		"nothing readable": {func(e entries) {
			for seq := 1; seq <= 6; seq++ {
				e.write(seq, []byte("{}"))
			}
		}, []string{"1 unreadable", "2 unreadable", "3 unreadable", "4 unreadable", "5 unreadable", "6 unreadable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEntries(t)
			c.spoil(e)
			code, out := e.verify(e.dir)
			var doc struct {
				Environment string
				Problems    []ledger.Problem
			}
			if err := json.Unmarshal(out, &doc); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			var got []string
			for _, p := range doc.Problems {
				got = append(got, strconv.Itoa(p.Seq)+" "+p.Kind)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s%s", diff, out)
			}
			if want := min(1, len(c.want)); code != want {
				t.Errorf("exit code %d, want %d", code, want)
			}
		})
	}
}

func (e entries) verify(at string) (code int, out []byte) {
	var stdout, stderr bytes.Buffer
	code = run(e.t.Context(), []string{"barge", "verify", "--ledger", at, "-o", "json"}, nil, &stdout, &stderr)
	return code, stdout.Bytes()
}

// TestACopyOfALedgerIsFound takes the environment's folder, the ledger's own, and either as a file: URL.
func TestACopyOfALedgerIsFound(t *testing.T) {
	t.Parallel()
	e := newEntries(t)
	for _, at := range []string{e.dir, filepath.Join(e.dir, "ledger"), "file://" + e.dir, "file:" + e.dir + "/ledger"} {
		if code, out := e.verify(at); code != 0 || !strings.Contains(string(out), `"environment": "prod"`) {
			t.Errorf("%s: exit code %d\n%s", at, code, out)
		}
	}
	before := e.names()
	for _, at := range []string{t.TempDir(), filepath.Join(e.dir, "none"), e.file(1), "file://elsewhere" + e.dir} {
		if code, out := e.verify(at); code == 0 {
			t.Errorf("%s: exit code 0\n%s", at, out)
		}
	}
	if diff := cmp.Diff(before, e.names()); diff != "" {
		t.Errorf("reading a copy changed it (-before +now):\n%s", diff)
	}
}

func (e entries) names() (all []string) {
	err := filepath.WalkDir(e.dir, func(name string, _ fs.DirEntry, err error) error {
		all = append(all, name)
		return err
	})
	if err != nil {
		e.t.Error(err)
	}
	return all
}
