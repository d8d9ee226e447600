package release

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/ledger"
)

// Event is one entry of an environment's history.
type Event struct {
	Environment string    `json:"environment"`
	Seq         int       `json:"seq"`
	At          time.Time `json:"at"`
	Actor       string    `json:"actor,omitempty"`
	Type        string    `json:"type"`
	What        string    `json:"what"`
	Release     string    `json:"release,omitempty"`
}

// History tells what happened in an environment, oldest first.
func (w *World) History(ctx context.Context, environment string) ([]Event, error) {
	p, err := w.place(environment)
	if err != nil {
		return nil, err
	}
	var events []Event
	for e, err := range p.book.History(ctx) {
		if err != nil {
			return events, err
		}
		what, release := describe(e)
		events = append(events, Event{p.name, e.Seq, e.At, e.Actor, string(e.Type()), what, release})
	}
	return events, nil
}

// goingOn says in words why somebody goes on with what is in flight.
var goingOn = map[ledger.Why]string{
	ledger.TakeOver: "taking over", ledger.Renew: "still switching to", ledger.Made: "a job was found or made for",
}

// barring names what a rollback bars, with its reason.
func barring(bars []ledger.Bar) string {
	if len(bars) == 0 {
		return ""
	}
	return fmt.Sprintf("; %s is barred: %s", bars[0].Name, bars[0].Reason)
}

// describe says in words what an entry says.
func describe(e ledger.Entry) (what, release string) {
	switch b := e.Body.(type) {
	case ledger.Live:
		if b.Genesis != nil {
			return "the ledger begins: what stood here before is recorded", ""
		}
		c := e.State.Champion
		return fmt.Sprintf("%s is live", c.Release), c.Release.Name
	case ledger.Begun:
		switch b.Why {
		case ledger.Start:
			return fmt.Sprintf("promoting %s", b.Release), b.Release.Name
		case ledger.Rollback:
			return fmt.Sprintf("rolling back to %s%s", b.Release, barring(b.Bars)), b.Release.Name
		case ledger.TurnBack:
			return fmt.Sprintf("turning back to %s", b.Release), b.Release.Name
		case ledger.Mend:
			return fmt.Sprintf("mending %s", b.Release), b.Release.Name
		}
		return fmt.Sprintf("%s %s", goingOn[b.Why], b.Release), b.Release.Name
	case ledger.Left:
		return "left: " + b.Reason, ""
	case ledger.Evidence:
		what := "gate " + b.Gate
		if score, scored := strings.CutPrefix(b.Gate, scoreGate("")); scored {
			what = "score " + score
		}
		return fmt.Sprintf("%s: %s %s, attempt %d", what, b.Release, b.Outcome, b.Attempt), b.Release
	case ledger.Barred:
		return fmt.Sprintf("%s is barred: %s", b.Name, b.Reason), b.Name
	case ledger.Unbarred:
		return fmt.Sprintf("%s is no longer barred: %s", b.Name, b.Reason), b.Name
	case ledger.Held:
		return "on hold: " + b.Reason, ""
	case ledger.Unheld:
		return "no longer on hold: " + b.Reason, ""
	case ledger.Waived:
		return fmt.Sprintf("%s is waived for %s: %s", b.What, b.Release, b.Reason), b.Release
	case ledger.Proven:
		return fmt.Sprintf("%s is proven: %s", e.State.Champion.Release, b.How), e.State.Champion.Release.Name
	}
	return string(e.Type()), ""
}
