package release

import (
	"errors"
	"fmt"
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
)

// Stop is an error that says why a command stopped and what to do next.
type Stop struct {
	Why     error  // one of the values above
	Message string // what was attempted, on what, why not
	Next    string // the command to type next; may be empty
	Err     error  // what lies beneath; may be nil
}

func (s *Stop) Error() string {
	if s.Err != nil {
		return s.Message + ": " + s.Err.Error()
	}
	return s.Message
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
