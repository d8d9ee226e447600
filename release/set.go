package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// makeJob gives a score without a job one.
func (o *owner) makeJob(ctx context.Context, p effects.Pointer) error {
	job, ok := p.(*effects.Job)
	if !ok || o.want(job) == ledger.Off || o.want(job) == ledger.Absent {
		return nil
	}
	if job.Number() == 0 {
		return o.newJob(ctx, job)
	}
	if f := o.state.Flight; f.Kind != ledger.Start || f.Seq == f.First {
		return nil
	}
	// Who went before may have died between the entry of the job and its rights.
	if err := o.grantJob(ctx, job.Number()); !notFound(err) {
		return err
	}
	return nil
}

// grantJob gives operators their right on a job before it is active: without it a rollback would not work for them. They
// are those of the rules that a start brings; nothing else changes rules.
func (o *owner) grantJob(ctx context.Context, number int64) error {
	text := o.state.Rules.Text
	if f := o.state.Flight; f.Kind == ledger.Start {
		text = f.Rules.Text
	}
	rules, err := recordedRules(text)
	if err != nil {
		return err
	}
	return o.site.GrantJob(ctx, number, rules.Operators)
}

// makeOne finds or makes a job, and makes none once the right has run out: a spare one would remain.
func (o *owner) makeOne(ctx context.Context, job *effects.Job) (int64, error) {
	for {
		if err := o.renewed(ctx); err != nil {
			return 0, err
		}
		number, err := job.Make(ctx, func() error {
			if !o.right.Holds() {
				return errExpired
			}
			return nil
		})
		if !errors.Is(err, errExpired) {
			return number, err
		}
	}
}

// newJob finds or makes the job of a score, and records its id before it is ever active.
func (o *owner) newJob(ctx context.Context, job *effects.Job) error {
	number, err := o.makeOne(ctx, job)
	if err != nil {
		return err
	}
	if err := o.goOn(ctx, ledger.Made, map[string]int64{job.ID(): number}); err != nil {
		return err
	}
	job.Use(number)
	return o.grantJob(ctx, number)
}

// renewed makes sure that the right to set pointers has not run out.
func (o *owner) renewed(ctx context.Context) error {
	if o.right.Holds() {
		return nil
	}
	return o.goOn(ctx, ledger.Renew, nil)
}

// mayStillSend is asked right before every call that changes something.
func (o *owner) mayStillSend() error {
	if !o.right.Holds() {
		return errExpired
	}
	u := ledger.NoteSending(o.Terms, o.Clocks)
	o.sent = &u
	return nil
}

// checkUnmoved reads a pointer before a promotion's Set: a value that nobody recorded means that somebody else moved
// it. A slot is not asked: another environment may move it too. Rollback, turn-back and mend overwrite.
func (o *owner) checkUnmoved(ctx context.Context, p effects.Pointer) error {
	if o.state.Flight.Kind != ledger.Start || strings.HasPrefix(p.ID(), ledger.SlotPrefix) {
		return nil
	}
	known := []ledger.Value{o.want(p)}
	for _, values := range append([]ledger.Values{o.state.Champion.Values, o.state.Found}, o.state.Since...) {
		if v, ok := values[p.ID()]; ok {
			known = append(known, v)
		}
	}
	for _, v := range known {
		if held, err := p.Holds(ctx, v); err != nil || held {
			return err
		}
	}
	return fmt.Errorf("%s: %w", p.ID(), errMoved)
}

// tries is how often one pointer is set before the switch gives up: a service that never answers is not asked for ever.
const tries = 5

// set sets one pointer until it is definitely answered. After a call without an answer nothing is done before it can
// no longer take effect.
func (o *owner) set(ctx context.Context, p effects.Pointer) error {
	for n := 1; ; {
		if err := o.renewed(ctx); err != nil {
			return err
		}
		o.sent = nil
		err := o.setOnce(ctx, p)
		if errors.Is(err, errExpired) {
			continue
		}
		if err == nil {
			o.sent = nil // answered: nothing of it is still on its way
			return nil
		}
		if n == tries {
			return errors.Join(wrap("setting "+p.ID(), err), o.settle(ctx))
		}
		n++
		job, isJob := p.(*effects.Job)
		switch {
		case isJob && errors.Is(err, fs.ErrNotExist):
			o.Note("  job %d of %s is gone; making another", job.Number(), p.ID())
			if err := o.newJob(ctx, job); err != nil {
				return err
			}
		case effects.Busy(err):
			if err := o.Sleep(ctx, o.Terms.D/4); err != nil {
				return err
			}
		case errors.Is(err, errUnsent): // whether the right still stands is asked above
		case o.sent == nil, effects.Definite(err):
			o.sent = nil
			return wrap("setting "+p.ID(), err)
		default:
			o.Note("  no answer while setting %s; waiting until the call can no longer take effect", p.ID())
			if err := o.settle(ctx); err != nil {
				return err
			}
		}
	}
}

// settle waits until the last call of a Set can no longer take effect, where it was not answered.
func (o *owner) settle(ctx context.Context) error {
	for o.sent != nil && o.sent.Left() > 0 {
		if err := o.Sleep(ctx, o.sent.Left()); err != nil {
			return err
		}
	}
	o.sent = nil
	return nil
}

// errUnsent is a Set whose call did not go out: this process stood still, or a read before it took too long or was not
// answered.
var errUnsent = errors.New("it was not sent in time")

// setOnce bounds a Set by D: what is not answered by then is not waited for any longer, nor repeated below.
func (o *owner) setOnce(ctx context.Context, p effects.Pointer) error {
	within, cancel := context.WithTimeout(ctx, o.Terms.D)
	defer cancel()
	err := p.Set(within, o.want(p), o.mayStillSend)
	end, _ := within.Deadline()
	if o.sent == nil && ctx.Err() == nil && err != nil && (!effects.Definite(err) || !time.Now().Before(end)) {
		return fmt.Errorf("%w: %w", errUnsent, err)
	}
	return err
}

// wrap says what was attempted; nil stays nil.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
