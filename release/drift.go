package release

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// Drift is a pointer that is not what the ledger says.
type Drift struct {
	Pointer string       `json:"pointer"`
	Want    ledger.Value `json:"want"`
	Holds   ledger.Value `json:"holds"`
	// Differences say it in words, field by field.
	Differences []effects.Difference `json:"differences"`
}

func (d Drift) String() string {
	more := ""
	if n := len(d.Differences) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return fmt.Sprintf("%s: %.200s%s", d.Pointer, d.Differences[0], more)
}

// together is how many calls to one workspace go out at once.
const together = 16

// drift reads every pointer of the champion, all at once.
func (p *place) drift(ctx context.Context, s ledger.State, at []effects.Address) ([]Drift, error) {
	ids := sorted(s.Champion.Values)
	found := make([]*Drift, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(together)
	for i, id := range ids {
		group.Go(func() error {
			pointer, err := p.pointer(s, at, id)
			if err != nil {
				return err
			}
			if found[i], err = adrift(ctx, pointer, s.Champion.Values[id]); err != nil {
				return fmt.Errorf("reading %s: %w", id, err)
			}
			return nil
		})
	}
	err := group.Wait()
	var out []Drift
	for _, d := range found {
		if d != nil {
			out = append(out, *d)
		}
	}
	return out, err
}

// adrift is nil for a pointer that holds what it should.
func adrift(ctx context.Context, pointer effects.Pointer, want ledger.Value) (*Drift, error) {
	differences, err := pointer.Differs(ctx, want)
	if err != nil || len(differences) == 0 {
		return nil, err
	}
	now, err := pointer.Read(ctx)
	if err != nil {
		return nil, err
	}
	return &Drift{pointer.ID(), want, now, differences}, nil
}

// settledDrift is drift, but for what was read while somebody switched: such pointers are on their way.
func (p *place) settledDrift(ctx context.Context, s ledger.State, at []effects.Address) ([]Drift, error) {
	drifted, err := p.drift(ctx, s, at)
	if err != nil || len(drifted) == 0 {
		return nil, err
	}
	head, err := p.book.Head(ctx)
	if now := head.State; err != nil || now.Flight != nil || now.Champion.Live != s.Champion.Live {
		return nil, err
	}
	return drifted, nil
}

// undrifted refuses a promotion over pointers that are not the champion's.
func (p *place) undrifted(ctx context.Context, s ledger.State, at []effects.Address) error {
	if s.Flight != nil {
		return nil // what is in flight is told first
	}
	drifted, err := p.settledDrift(ctx, s, at)
	if err != nil || len(drifted) == 0 {
		return err
	}
	r := drifting(p.name, s, drifted)
	return stop(r.Why, r.Clear, "%s", r.Text)
}

// drifting says of pointers that are not the champion's that they keep every release out, and what mends them.
func drifting(environment string, s ledger.State, drifted []Drift) Reason {
	r := Reason{
		Why: ErrConflict, Brief: "drift", Text: environment + " has drifted: " + drifted[0].String(), Who: promotersTo(environment),
		Run: promoting(s.Champion.Release, environment),
	}
	r.Clear = r.Run + " mends it"
	if s.Champion.Release.Artifact == "" {
		r.Run = "barge rollback --env " + environment
		r.Clear = r.Run + " puts back what stood there"
	}
	return r
}
