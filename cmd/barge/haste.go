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
}

// inHaste reads BARGE_TERMS, which is for Barge's own proofs: they kill and delay processes over twins, a thousand
// times over. "L,D,TTL" are the terms, and a fourth duration is how long a call may stand still. Calls go out one after
// the other then, so that every run of a command makes the same calls in the same order. Without a sandbox it is
// refused.
func inHaste(text string, sandbox bool) (haste, error) {
	if text == "" {
		return haste{terms: ledger.DefaultTerms}, nil
	}
	if !sandbox {
		return haste{}, &usageError{message: "BARGE_TERMS is set", hint: "unset it: it is for proofs over the sandbox alone"}
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
	h := haste{terms: ledger.Terms{L: times[0], D: times[1], TTL: times[2]}, idle: times[3], imports: 1}
	if err := h.terms.Check(); err != nil {
		return haste{}, &usageError{message: fmt.Sprintf("BARGE_TERMS=%s: %s", text, err)}
	}
	return h, nil
}
