package ledger

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"sync"
)

// Author is one process of barge: who wrote an entry, and who owns what it began. It is never the principal that the
// process signed in as, which two pipelines may share. Two Authors are the same when they are equal.
type Author struct {
	// Random is 16 bytes in hex, drawn once by the process.
	Random string `json:"random"`
	// BootID and PIDNamespace say on which running host the PID counts; empty where the system does not tell.
	BootID       string `json:"boot_id,omitempty"`
	PIDNamespace string `json:"pid_namespace,omitempty"`
	PID          int    `json:"pid"`
	// Start is when the process started, in the host's own unit: compared, never computed with.
	Start string `json:"start,omitempty"`
}

// Self is the author that this process is.
var Self = sync.OnceValue(func() Author {
	a := Author{Random: draw(), PID: os.Getpid()}
	a.BootID, a.PIDNamespace = host()
	a.Start, _ = started(a.PID)
	return a
})

// String names the author for people: the process, and enough of its random bytes to tell two apart.
func (a Author) String() string { return fmt.Sprintf("process %d (%.8s)", a.PID, a.Random) }

// SeenDead tells whether the author was a process of this very host and is no more. False means "cannot tell" as
// well as "lives".
func SeenDead(a Author) bool {
	boot, namespace := host()
	if boot == "" || namespace == "" || a.Start == "" || a.BootID != boot || a.PIDNamespace != namespace {
		return false
	}
	start, known := started(a.PID)
	return known && start != a.Start
}

// draw returns 16 random bytes in hex.
func draw() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says its contract
	return hex.EncodeToString(b[:])
}
