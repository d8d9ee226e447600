package release

import (
	"context"

	"github.com/bargeml/barge/internal/ledger"
)

// Verify recomputes an environment's ledger from its first entry and names all that is wrong with it; none: the chain
// is whole and every state is what the entries before it make.
func (w *World) Verify(ctx context.Context, environment string) ([]ledger.Problem, error) {
	p, err := w.place(environment)
	if err != nil {
		return nil, err
	}
	return p.book.Verify(ctx)
}
