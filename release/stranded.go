package release

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// stranded gives the right back, and says what nobody could finish: exit 7 with, of every pointer, what it was to hold
// and holds, and with what to type. Where another barge has the right it is a conflict. Nil stays nil.
func (o *owner) stranded(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errLost):
		return stop(ErrConflict, "barge status --env "+o.name, "switching %s to %s: %s", o.name, o.state.Flight.Release, err)
	}
	err = errors.Join(err, o.leave(ctx, err))
	f := o.state.Flight
	s := stop(ErrPartial, "mend what the error names, then type in this order",
		"switching %s to %s could neither be finished nor turned back; the ledger says what was to be set", o.name, f.Release)
	s.Err = err
	left, byHand := o.left(ctx)
	goOn := Deed{"barge resume --env " + o.name, "sets all of it again: " + o.name + " to " + f.Release.String()}
	if f.Kind == ledger.Start {
		goOn.For += fmt.Sprintf("; with --turn-back: to %s", o.state.Champion.Release)
	}
	s.Left, s.ByHand = left, byHand
	s.Do = []Deed{goOn, {"barge status --drift --env " + o.name, "every pointer is what the ledger says"}}
	return s
}

// notTakenBack says what became of a release that scored badly and that this command could not roll back.
func (p *place) notTakenBack(ctx context.Context, s ledger.State, scored string, err error) error {
	if ctx.Err() != nil {
		return err // whoever judges next finds the same run
	}
	var stranded *Stop
	if errors.Is(err, ErrPartial) && errors.As(err, &stranded) {
		stranded.Message = scored + "; " + stranded.Message
		return stranded
	}
	now, reading := p.state(ctx)
	if reading == nil && (now.Champion.Live != s.Champion.Live || now.IsProven() || now.Flight != nil) {
		return &Stop{Why: ErrConflict, Err: err, Next: "barge status --env " + p.name, Message: scored + "; somebody else decided about " + p.name + " meanwhile"}
	}
	return &Stop{
		Why: ErrPartial, Err: err, Next: "mend what the error names, then type in this order",
		Message: fmt.Sprintf("%s; it is live still, since it could not be rolled back", scored),
		Do: []Deed{
			{"barge rollback --env " + p.name, fmt.Sprintf("takes %s back; RELEASE before --env names another target", s.Champion.Release)},
			{"barge history --env " + p.name, "lists what was live"},
			{"barge status --env " + p.name, "says what is live"},
		},
	}
}

// left says in words of every pointer in flight what it was to hold and what it holds, and for those that are off how
// a person sets them without barge.
func (o *owner) left(ctx context.Context) (left []string, byHand []Deed) {
	ctx, cancel := context.WithTimeout(ctx, o.Terms.D)
	defer cancel()
	for _, p := range o.pointers {
		want := o.want(p)
		differences, err := p.Differs(ctx, want)
		switch {
		case err != nil:
			left = append(left, fmt.Sprintf("%s is to hold %s, and cannot be read: %s", p.ID(), effects.InWords(want), err))
		case len(differences) == 0:
			left = append(left, fmt.Sprintf("%s holds %s, as it is to", p.ID(), effects.InWords(want)))
			continue
		default:
			left = append(left, fmt.Sprintf("%s is to hold %s, and does not: %s", p.ID(), effects.InWords(want), inWords(differences)))
		}
		manual, ok := p.(effects.Manual)
		if !ok {
			continue
		}
		calls, err := manual.ByHand(ctx, want)
		if err != nil {
			left = append(left, fmt.Sprintf("%s: how to set it by hand cannot be told: %s", p.ID(), err))
		}
		for _, call := range calls {
			byHand = append(byHand, Deed{call, "sets " + p.ID()})
		}
	}
	return left, byHand
}

func inWords(differences []effects.Difference) string {
	words := make([]string, len(differences))
	for i, d := range differences {
		words[i] = fmt.Sprintf("%.200s is %.200s", d.What, d.Holds)
	}
	return strings.Join(words, "; ")
}
