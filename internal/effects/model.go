package effects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/bargeml/barge/artifacts"
)

// projectTag is the registered model's tag that says whose it is.
const projectTag = "barge.project"

// Claimed is the project whose registered model it is; "" while it is nobody's.
func (s *Site) Claimed(ctx context.Context, name, model string) (string, error) {
	r, err := s.Registries(name)
	if err != nil {
		return "", err
	}
	tags, err := r.ModelTags(ctx, model)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return tags[projectTag], err
}

// Claim writes on a registered model that is nobody's that it is this project's.
func (s *Site) Claim(ctx context.Context, name, model string) error {
	owner, err := s.Claimed(ctx, name, model)
	if err != nil || owner != "" {
		return err
	}
	r, err := s.Registries(name)
	if err != nil {
		return err
	}
	return r.TagModel(ctx, model, map[string]string{projectTag: s.Project})
}

// Present makes sure that a registry still holds the version that a release was built with: ready, and of the same run.
// What its files are it does not ask.
func (s *Site) Present(ctx context.Context, pin artifacts.ModelPin) error {
	if pin.InGit() {
		return nil
	}
	r, err := s.Registries(pin.Registry)
	if err != nil {
		return err
	}
	v, err := r.Resolve(ctx, pin.Name, pin.Version)
	if err == nil && pin.RunID != "" && v.RunID != pin.RunID {
		err = fmt.Errorf("%s in registry %s is another one by now: run %q made it, and run %q the release's", v, pin.Registry, v.RunID, pin.RunID)
	}
	return err
}
