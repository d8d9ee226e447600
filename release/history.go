package release

import (
	"context"
	"errors"
	"fmt"
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
	Reason      string    `json:"reason,omitempty"`  // as it was given
	Gate        string    `json:"gate,omitempty"`    // of evidence, with outcome and attempt
	Outcome     string    `json:"outcome,omitempty"` // passed, failed, …
	Attempt     int       `json:"attempt,omitempty"`
	Digest      string    `json:"digest,omitempty"` // of the plan that is begun or approved, or of the rules that are
	Run         string    `json:"run,omitempty"`    // the page of the pipeline's run that wrote it
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
		events = append(events, p.event(e))
	}
	return events, nil
}

func (p *place) event(e ledger.Entry) Event {
	what, release := describe(e)
	out := Event{Environment: p.name, Seq: e.Seq, At: e.At, Actor: e.Actor, Type: string(e.Type()), What: what, Release: release}
	switch b := e.Body.(type) {
	case ledger.Begun:
		out.Digest, out.Run = b.Plan, b.Run
		if len(b.Bars) > 0 {
			out.Reason = b.Bars[0].Reason
		}
	case ledger.Evidence:
		out.Gate, out.Outcome, out.Attempt = b.Gate, b.Outcome, b.Attempt
	case ledger.Approved:
		out.Reason, out.Digest = b.Comment, b.Rules+b.Plan
	case ledger.Rejected:
		out.Reason, out.Digest = b.Reason, b.Plan
	case ledger.Left:
		out.Reason = b.Reason
	case ledger.Held:
		out.Reason = b.Reason
	case ledger.Unheld:
		out.Reason = b.Reason
	case ledger.Barred:
		out.Reason = b.Reason
	case ledger.Unbarred:
		out.Reason = b.Reason
	case ledger.Waived:
		out.Reason = b.Reason
	case ledger.Proven:
		out.Reason = b.Reason
	}
	return out
}

// Was is what an environment was at some time, as its ledger says.
type Was struct {
	Environment string    `json:"environment"`
	Asked       time.Time `json:"asked"`
	// Entry is the last one before that time; 0: the ledger began later, at Began, or has not begun.
	Entry    int            `json:"entry"`
	At       time.Time      `json:"at,omitzero"` // of that entry
	Began    time.Time      `json:"began,omitzero"`
	Release  ledger.Release `json:"release"`
	Live     int            `json:"live,omitempty"`
	Since    time.Time      `json:"since,omitzero"`
	By       ledger.Why     `json:"by,omitempty"`
	Proven   ledger.How     `json:"proven,omitempty"` // by then
	Replaced ledger.Release `json:"replaced,omitzero"`
	InFlight *ledger.Flight `json:"in_flight,omitempty"`
	Hold     *ledger.Hold   `json:"hold,omitempty"`
	Rules    string         `json:"rules,omitempty"` // those in force, by digest
	Waivers  []Waiver       `json:"waivers,omitempty"`
}

// HistoryAt tells what was live in an environment at a time. It reads few entries, however many there are.
func (w *World) HistoryAt(ctx context.Context, environment string, at time.Time) (*Was, error) {
	p, err := w.place(environment)
	if err != nil {
		return nil, err
	}
	if _, err := p.state(ctx); err != nil {
		return nil, err
	}
	e, err := p.book.At(ctx, at)
	if err != nil {
		return nil, err
	}
	out := &Was{Environment: p.name, Asked: at, Entry: e.Seq, At: e.At}
	if e.Seq == 0 {
		first, err := p.book.Entry(ctx, 1)
		if err != nil && !errors.Is(err, ledger.ErrNotExist) {
			return nil, err
		}
		out.Began = first.At
		return out, nil
	}
	s := e.State
	c := s.Champion
	out.Release, out.Live, out.Since, out.By, out.Proven = c.Release, c.Live, c.At, c.By, c.Proven
	out.InFlight, out.Hold, out.Rules = s.Flight, s.Hold, s.Rules.Digest
	out.Replaced = replaced(s)
	for _, w := range s.Waivers {
		last, there := s.Waiver(w.Said.What, c.Release.Artifact, at)
		if there && last.Seq == w.Seq {
			out.Waivers = append(out.Waivers, Waiver{p.name, w.Said.What, w.Actor, w.At, w.Said.Reason, w.Seq})
		}
	}
	return out, nil
}

// replaced is the release over which the champion's start put it.
func replaced(s ledger.State) ledger.Release {
	for _, here := range s.Past {
		if here.Live != s.Champion.Start {
			continue
		}
		for _, before := range s.Past {
			if before.Live == here.Replaced {
				return before.Release
			}
		}
	}
	return ledger.Release{}
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
			what = fmt.Sprintf("promoting %s", b.Release)
			if now := e.State.Rules.Digest; now != "" && now != b.Rules.Digest {
				what += fmt.Sprintf("; it brings rules %.19s", b.Rules.Digest)
			}
			return what, b.Release.Name
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
		return Attempt{b.Gate, b.Release, b.Outcome, b.Attempt}.String(), b.Release
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
	case ledger.Approved:
		return approving(b), b.Release
	case ledger.Rejected:
		return fmt.Sprintf("plan %.19s is rejected: %s", b.Plan, b.Reason), b.Release
	case ledger.Proven:
		return fmt.Sprintf("%s is proven: %s", e.State.Champion.Release, b.How), e.State.Champion.Release.Name
	}
	return string(e.Type()), ""
}
