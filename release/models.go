package release

import (
	"context"
	"errors"
	"fmt"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/registry"
)

// sameModels makes sure that the registries still hold, byte for byte, the models that the release was built with: a
// version's number is its address, the digest of its files is what it is. Stops with ErrConflict where one has moved.
func (p *place) sameModels(ctx context.Context, c *candidate, e *environments.Environment) error {
	for _, use := range e.Models {
		pin, ok := c.artifact.Manifest.Model(use.Label)
		if !ok || pin.InGit() {
			continue
		}
		r, err := p.site.Registries(pin.Registry)
		if err != nil {
			return err
		}
		moved := func(err error) error {
			s := stop(ErrConflict, "barge train and barge build make a release of what is there",
				"version %s of model %s is no more what %s was built with; %s is not changed", pin.Version, pin.Name, c.Release, p.name)
			s.Err = err
			return s
		}
		v, err := r.Resolve(ctx, pin.Name, pin.Version)
		switch {
		case notFound(err), errors.Is(err, registry.ErrNotReady):
			return moved(err)
		case err != nil:
			return err
		}
		sums, err := registry.Digest(ctx, r.Files(ctx, v))
		switch {
		case err != nil:
			return fmt.Errorf("reading %s: %w", v, err)
		case sums.Digest != pin.Digest:
			return moved(fmt.Errorf("its files have digest %.19s, and had %.19s", sums.Digest, pin.Digest))
		}
	}
	return nil
}
