package main

import (
	"context"
	"errors"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/release"
)

// usageError is a wrong use of the command line.
type usageError struct{ message, hint string }

func (e *usageError) Error() string { return e.message }
func (e *usageError) Hint() string  { return e.hint }

// interruptedError is what a command ended with because it was asked to end.
type interruptedError struct{ err error }

func (e *interruptedError) Error() string   { return "interrupted: " + e.err.Error() }
func (e *interruptedError) Hint() string    { return "barge status shows what was done" }
func (e *interruptedError) Unwrap() []error { return []error{release.ErrInterrupted, e.err} }

// errChanges is no failure: --detailed-exitcode tells by it that there is something to change.
var errChanges = errors.New("there are changes")

// exits is the one place where an error becomes an exit code; the first match counts.
var exits = []struct {
	is   error
	code int
	name string
}{
	{release.ErrRolledBack, 6, "rolled_back"},
	{release.ErrPartial, 7, "partial"},
	{release.ErrInterrupted, 130, "interrupted"},
	{release.ErrGateFailed, 3, "gate_failed"},
	{release.ErrConflict, 5, "conflict"},
	{release.ErrPending, 8, "pending"},
	{release.ErrInconclusive, 9, "inconclusive"},
	{release.ErrErrored, 1, "errored"},
	{databricks.ErrUnauthenticated, 4, "sign_in"},
	{databricks.ErrForbidden, 4, "permission"},
	{errChanges, 2, "changes"},
	{context.DeadlineExceeded, 124, "timeout"},
}

// exit says how the process ends for err: 0 for nil.
func exit(err error) (code int, name string) {
	if err == nil {
		return 0, "done"
	}
	var usage *usageError
	var diagnostics environments.Diagnostics
	if errors.As(err, &usage) || errors.As(err, &diagnostics) {
		return 64, "usage"
	}
	for _, e := range exits {
		if errors.Is(err, e.is) {
			return e.code, e.name
		}
	}
	return 1, "error"
}
