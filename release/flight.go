package release

import (
	"fmt"
	"time"

	"github.com/bargeml/barge/internal/ledger"
)

// InFlight says what is in flight, for people: whose it is, the page of its pipeline's run where it has one, and its last
// sign of life.
func InFlight(f ledger.Flight) string {
	of, run := "of", ""
	if f.Kind == ledger.Rollback || f.Kind == ledger.TurnBack {
		of = "to"
	}
	if f.Run != "" {
		run = ", in the run " + f.Run
	}
	left := ""
	if f.Left {
		left = "; its owner gave it back unfinished"
	}
	return fmt.Sprintf("a %s %s %s is in flight, begun by %s (%s)%s; its last sign of life was at %s%s",
		f.Kind, of, f.Release, f.Actor, f.By, run, f.At.UTC().Format(time.RFC3339), left)
}

// busy refuses what cannot be done while something is in flight.
func (p *place) busy(s ledger.State) error {
	return stop(ErrConflict, "barge resume --env "+p.name+" waits for it, or goes on with it when its owner is gone", "%s: %s", p.name, InFlight(*s.Flight))
}
