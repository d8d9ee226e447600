package release

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/ledger"
)

// Said is what a person said of an environment, as the ledger has it now.
type Said struct {
	Environment string `json:"environment"`
	Entry       int    `json:"entry"` // its number; that of the head when there was nothing to say
	Outcome     string `json:"outcome"`
	What        string `json:"what"`
}

// say appends what body gives for the ledger's newest state; nil: there is nothing to say.
func (w *World) say(ctx context.Context, environment, what string, body func(*place, ledger.State) (ledger.Body, error)) (*Said, error) {
	p, err := w.place(environment)
	if err != nil {
		return nil, err
	}
	if _, err := p.state(ctx); err != nil {
		return nil, err
	}
	done := &Said{Environment: environment, Outcome: "done", What: what}
	entry, err := p.book.Append(ctx, func(s ledger.State) (ledger.Body, error) {
		if s.Seq == 0 {
			return nil, stop(ErrConflict, "barge promote --to "+environment, "nothing was ever promoted to %s: its ledger is empty", environment)
		}
		b, err := body(p, s)
		if b == nil {
			done.Outcome = "nothing-to-do"
		}
		return b, err
	})
	if err != nil {
		return nil, err
	}
	done.Entry = entry.Seq
	return done, nil
}

// Hold keeps every release out of an environment, and mending too, until Unhold. Rollback is not stopped by it.
func (w *World) Hold(ctx context.Context, environment, reason string) (*Said, error) {
	return w.say(ctx, environment, "on hold: "+reason, func(*place, ledger.State) (ledger.Body, error) {
		return ledger.Held{Reason: reason}, nil
	})
}

// Unhold ends a hold; where there is none there is nothing to do.
func (w *World) Unhold(ctx context.Context, environment, reason string) (*Said, error) {
	return w.say(ctx, environment, "no longer on hold: "+reason, func(_ *place, s ledger.State) (ledger.Body, error) {
		if s.Hold == nil {
			return nil, nil
		}
		return ledger.Unheld{Reason: reason}, nil
	})
}

// Bar keeps a release from being promoted and from being returned to: its artifact, or with fault "model" every
// artifact with one of its models.
func (w *World) Bar(ctx context.Context, environment, ref, fault, reason string) (*Said, error) {
	r, err := w.known(ctx, environment, ref)
	if err != nil {
		return nil, err
	}
	if fault == "data" {
		return nil, fmt.Errorf("barring %s: fault data bars nothing", r)
	}
	all, err := bars(r, Return{Environment: environment, Fault: fault, Reason: reason})
	if err != nil {
		return nil, err
	}
	var said *Said
	for _, bar := range all {
		said, err = w.say(ctx, environment, fmt.Sprintf("%s is barred: %s", r, reason), func(*place, ledger.State) (ledger.Body, error) {
			return ledger.Barred{Bar: bar}, nil
		})
		if err != nil {
			return said, err
		}
	}
	return said, nil
}

// Unbar takes every bar on a release away: on its artifact and on the digests of its models.
func (w *World) Unbar(ctx context.Context, environment, ref, reason string) (*Said, error) {
	r, err := w.known(ctx, environment, ref)
	if err != nil {
		return nil, err
	}
	said := &Said{Environment: environment, Outcome: "nothing-to-do", What: fmt.Sprintf("%s is not barred", r)}
	for {
		more, err := w.say(ctx, environment, fmt.Sprintf("%s is no longer barred: %s", r, reason), func(_ *place, s ledger.State) (ledger.Body, error) {
			bar, barred := s.Barred(r)
			if !barred {
				return nil, nil
			}
			bar.Said.Reason = reason
			return ledger.Unbarred{Bar: bar.Said}, nil
		})
		if err != nil || more.Outcome == "nothing-to-do" {
			return said, err
		}
		said = more
	}
}

// Waive lets one release pass one gate ("gate:NAME") or its first scoring ("score:NAME") without its evidence. It
// stands in the ledger, with whose word it is, for every later report.
func (w *World) Waive(ctx context.Context, environment, what, ref, reason string) (*Said, error) {
	kind, name, _ := strings.Cut(what, ":")
	e := w.Project.Environment(environment)
	switch {
	case e == nil:
		_, err := w.place(environment)
		return nil, err
	case kind == "gate" && e.Gate(name) == nil:
		return nil, fmt.Errorf("waiving %s: environment %s has no such gate", what, environment)
	case kind != "gate" && kind != "score" || name == "":
		return nil, fmt.Errorf("waiving %q: write gate:NAME or score:NAME", what)
	}
	r, err := w.known(ctx, environment, ref)
	if err != nil {
		return nil, err
	}
	if kind == "score" && e.Score(name) == nil {
		if err := w.scored(ctx, environment, r, name); err != nil {
			return nil, fmt.Errorf("waiving %s: %w", what, err)
		}
	}
	waived := ledger.Waived{What: what, Artifact: r.Artifact, Release: r.Name, Reason: reason}
	said, err := w.say(ctx, environment, fmt.Sprintf("%s is waived for %s: %s", what, r, reason), func(_ *place, s ledger.State) (ledger.Body, error) {
		if _, there := s.Waiver(what, r.Artifact, time.Now()); there {
			return nil, nil
		}
		return waived, nil
	})
	if err != nil || kind != "score" {
		return said, err
	}
	return said, w.proveWaived(ctx, environment, r)
}

// scored wants a release to bring a score that barge.hcl does not name: in a deploy project all come with releases. What was
// live is known by its ledger, anything else by the store.
func (w *World) scored(ctx context.Context, environment string, r ledger.Release, score string) error {
	p, err := w.place(environment)
	if err != nil {
		return err
	}
	e, err := p.carried(ctx, r)
	if err != nil {
		return err
	}
	if e == nil || e.Score(score) == nil {
		return fmt.Errorf("environment %s has no such score, in barge.hcl or in %s", environment, r)
	}
	return nil
}

// proveWaived ends the judging of a champion when every score that decides it is waived.
func (w *World) proveWaived(ctx context.Context, environment string, r ledger.Release) error {
	_, err := w.say(ctx, environment, "", func(p *place, s ledger.State) (ledger.Body, error) {
		if s.IsProven() || s.Champion.Release.Artifact != r.Artifact {
			return nil, nil
		}
		for _, score := range s.Champion.Judges {
			if _, waived := s.Waiver(scoreGate(score), r.Artifact, p.site.Now()); !waived {
				return nil, nil
			}
		}
		return ledger.Proven{Live: s.Champion.Live, How: ledger.Waiver, Reason: "every score that decides it is waived"}, nil
	})
	return err
}

// known finds a release by name or id: in the environment's ledger, where the store may be far, else in the store.
func (w *World) known(ctx context.Context, environment, ref string) (ledger.Release, error) {
	p, err := w.place(environment)
	if err != nil {
		return ledger.Release{}, err
	}
	s, err := p.state(ctx)
	if err != nil {
		return ledger.Release{}, err
	}
	for more := s.Named(ref) != "" || s.Known[ref].Live != 0; more; {
		for _, past := range s.Past {
			if r := past.Release; r.Artifact != "" && (r.Name == ref || r.Artifact == ref) {
				return r, nil
			}
		}
		if s, more, err = p.book.Older(ctx, s); err != nil {
			return ledger.Release{}, fmt.Errorf("looking for %s in the ledger of %s: %w", ref, environment, err)
		}
	}
	c, err := w.open(ctx, ref)
	if err != nil {
		return ledger.Release{}, err
	}
	return c.Release, nil
}
