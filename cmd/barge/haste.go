package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/ledger"
)

// haste is how long owners wait for each other, and what goes with it. All processes of an environment must keep the
// same terms, so nobody chooses them: against real workspaces they are ledger.DefaultTerms.
type haste struct {
	terms   ledger.Terms
	idle    time.Duration // a call without a byte for so long is given up; 0: the transport's own
	imports int           // 0: as many at once as the service takes
	host    string        // on which this process is taken to run; "": on its own
}

// author is this process, on the host that it is taken to run on.
func (h haste) author() ledger.Author {
	a := ledger.Self()
	if h.host != "" {
		a.BootID = h.host
	}
	return a
}

// seenDead is what ledger.SeenDead is on that host: of the processes of another it sees none.
func (h haste) seenDead(a ledger.Author) bool {
	if h.host != "" {
		if a.BootID != h.host {
			return false
		}
		a.BootID = ledger.Self().BootID
	}
	return ledger.SeenDead(a)
}

// inHaste reads BARGE_TERMS and BARGE_HOST, which are for Barge's own proofs: they kill and delay processes over twins,
// a thousand times over. "L,D,TTL" are the terms, and a fourth duration is how long a call may stand still. Calls go
// out one after the other then, so that every run of a command makes the same calls in the same order. BARGE_HOST names
// the host that the process is taken to run on. Without a sandbox both are refused.
func inHaste(text, host string, sandbox bool) (haste, error) {
	if text == "" && host == "" {
		return haste{terms: ledger.DefaultTerms}, nil
	}
	if !sandbox || text == "" {
		name := "BARGE_TERMS"
		if text == "" {
			name = "BARGE_HOST"
		}
		return haste{}, &usageError{message: name + " is set", hint: "unset it: it is for proofs over the sandbox alone"}
	}
	parts := strings.Split(text, ",")
	if len(parts) != 3 && len(parts) != 4 {
		return haste{}, &usageError{message: fmt.Sprintf("BARGE_TERMS=%s: write L,D,TTL or L,D,TTL,STILL", text)}
	}
	var times [4]time.Duration
	for i, part := range parts {
		var err error
		if times[i], err = time.ParseDuration(part); err != nil {
			return haste{}, &usageError{message: fmt.Sprintf("BARGE_TERMS=%s: %s", text, err)}
		}
	}
	h := haste{terms: ledger.Terms{L: times[0], D: times[1], TTL: times[2]}, idle: times[3], imports: 1, host: host}
	if err := h.terms.Check(); err != nil {
		return haste{}, &usageError{message: fmt.Sprintf("BARGE_TERMS=%s: %s", text, err)}
	}
	return h, nil
}
