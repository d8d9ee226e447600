package release

import (
	"context"

	"github.com/bargeml/barge/internal/ledger"
)

// tellStore moves the store's tag of what is live, a projection: that it could not be written is told, and no more.
func (p *place) tellStore(ctx context.Context, s ledger.State) {
	err := p.NoStore
	if p.Store != nil {
		err = p.Store.SetLive(context.WithoutCancel(ctx), p.key(), s.Champion.Release.Artifact)
	}
	if err != nil {
		p.Note("warning: the store does not say yet what is live in %s: %s", p.name, err)
	}
}

// correctStore moves that tag where it says otherwise than the ledger's head: whoever switched may have died before.
func (p *place) correctStore(ctx context.Context, s ledger.State) {
	if p.Store == nil || s.Flight != nil {
		return
	}
	if live, _, err := p.Store.Live(ctx, p.key()); err != nil || live != s.Champion.Release.Artifact {
		p.tellStore(ctx, s)
	}
}
