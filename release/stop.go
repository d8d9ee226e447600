package release

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bargeml/barge/gates"
)

// Why a command stops short of what was asked. Each has an exit code of its own; see Stop.
var (
	ErrGateFailed   = errors.New("a gate failed")
	ErrErrored      = errors.New("the run could not tell")
	ErrConflict     = errors.New("conflict or drift")
	ErrRolledBack   = errors.New("failed and rolled back")
	ErrPartial      = errors.New("partly done: a person is needed")
	ErrPending      = errors.New("pending")
	ErrInconclusive = errors.New("inconclusive")
	ErrInterrupted  = errors.New("interrupted")
)

// verdict is why a command stops whose notebook did not pass.
func verdict(outcome string) error {
	switch outcome {
	case gates.Failed.String():
		return ErrGateFailed
	case gates.Inconclusive.String():
		return ErrInconclusive
	}
	return ErrErrored
}

// Stop is an error that says why a command stopped and what to do next.
type Stop struct {
	Why     error  // one of the values above
	Message string // what was attempted, on what, why not
	Next    string // the command to type next; may be empty
	Err     error  // what lies beneath; may be nil

	Obstacles []Obstacle // of a release that is refused: why not, one by one

	// What a person needs who is needed: what is not as it is to be, what to type in this order, and what can be typed
	// instead of barge until barge can do it again.
	Left   []string
	Do     []Deed
	ByHand []Deed
}

// Deed is a command to type.
type Deed struct {
	Command string `json:"command"`
	For     string `json:"for"`
}

func (s *Stop) Error() string {
	text := s.Message
	if s.Err != nil {
		text += ": " + s.Err.Error()
	}
	return strings.Join(append([]string{text}, s.Left...), "\n")
}

// Unwrap gives the reason and what lies beneath.
func (s *Stop) Unwrap() []error {
	if s.Err == nil {
		return []error{s.Why}
	}
	return []error{s.Why, s.Err}
}

// Hint is what to type next.
func (s *Stop) Hint() string { return s.Next }

func stop(why error, next, format string, args ...any) *Stop {
	return &Stop{Why: why, Message: fmt.Sprintf(format, args...), Next: next}
}

// interrupted makes of an error that came of an interrupt one that says what was left, and how to go on; any other
// error stays as it is.
func interrupted(ctx context.Context, err error, next, format string, args ...any) error {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) || errors.Is(err, ErrInterrupted) {
		return err
	}
	s := stop(ErrInterrupted, next, format, args...)
	s.Err = err
	return s
}

// step tells what an interrupt would finish or undo from now on; what is returned tells that this is over.
func (w *World) step(format string, args ...any) (over func()) {
	if w.Step == nil {
		return func() {}
	}
	w.Step(fmt.Sprintf(format, args...))
	return func() { w.Step("") }
}
