package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/ledger"
)

func TestInHaste(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text    string
		host    string
		sandbox bool
		want    haste
		refused string
	}{
		{text: "", want: haste{terms: ledger.DefaultTerms}},
		{text: "", sandbox: true, want: haste{terms: ledger.DefaultTerms}},
		{text: "4s,300ms,5s", sandbox: true, want: haste{
			terms:   ledger.Terms{L: 4 * time.Second, D: 300 * time.Millisecond, TTL: 5 * time.Second},
			imports: 1,
		}},
		{text: "4s,300ms,5s,1s", sandbox: true, want: haste{
			terms: ledger.Terms{L: 4 * time.Second, D: 300 * time.Millisecond, TTL: 5 * time.Second},
			idle:  time.Second, imports: 1,
		}},
		{text: "4s,300ms,5s", host: "other", sandbox: true, want: haste{
			terms:   ledger.Terms{L: 4 * time.Second, D: 300 * time.Millisecond, TTL: 5 * time.Second},
			imports: 1, host: "other",
		}},
		{host: "other", sandbox: true, refused: "BARGE_HOST is set"},
		{host: "other", refused: "BARGE_HOST is set"},
		{text: "4s,300ms,5s", refused: "BARGE_TERMS is set"},
		{text: "4s,300ms", sandbox: true, refused: "BARGE_TERMS=4s,300ms: write L,D,TTL or L,D,TTL,STILL"},
		{text: "4s,1,5s", sandbox: true, refused: `BARGE_TERMS=4s,1,5s: time: missing unit in duration "1"`},
		{text: "5s,1s,6s", sandbox: true, refused: "BARGE_TERMS=5s,1s,6s: L 5s and D 1s together must stay below nine tenths of TTL 6s"},
	} {
		got, err := inHaste(test.text, test.host, test.sandbox)
		refused := ""
		if err != nil {
			refused = err.Error()
		}
		if diff := cmp.Diff([]any{test.want, test.refused}, []any{got, refused}, cmp.AllowUnexported(haste{})); diff != "" {
			t.Errorf("BARGE_TERMS=%q, BARGE_HOST=%q, sandbox %v (-want +got):\n%s", test.text, test.host, test.sandbox, diff)
		}
	}
}

func TestTakenToRunElsewhere(t *testing.T) {
	t.Parallel()
	gone := ledger.Self()
	gone.Start = "1" // of a process that had this one's pid before
	on := func(host string) ledger.Author {
		a := gone
		a.BootID = host
		return a
	}
	if !(haste{}).seenDead(gone) || (haste{}).seenDead(on("a")) || (haste{}).author() != ledger.Self() {
		t.Error("without BARGE_HOST it is not on its own host")
	}
	a := haste{host: "a"}
	if a.author().BootID != "a" || a.author().Random != ledger.Self().Random || !a.seenDead(on("a")) || a.seenDead(gone) || a.seenDead(on("b")) {
		t.Error("with BARGE_HOST=a it is not on host a")
	}
	if a.seenDead(a.author()) {
		t.Error("it sees itself dead")
	}
}
