package effects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/internal/registry"
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

// Present makes sure that a registry still holds what a release was built with: the version, ready, of the same run,
// and its files by path and size. Whatever is not so is an error that says what.
func (s *Site) Present(ctx context.Context, pin artifacts.ModelPin) error {
	if pin.InGit() {
		return nil
	}
	r, err := s.Registries(pin.Registry)
	if err != nil {
		return err
	}
	v, err := r.Resolve(ctx, pin.Name, pin.Version)
	switch {
	case err != nil:
		return err
	case pin.RunID != "" && v.RunID != pin.RunID:
		return fmt.Errorf("%s in registry %s is another one by now: it was made by run %q, and the release's by run %q", v, pin.Registry, v.RunID, pin.RunID)
	}
	missing, err := changed(ctx, r, v, pin.Files)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("%s in registry %s has other files than the release was built with: %s", v, pin.Registry, strings.Join(missing, ", "))
	}
	return err
}

// changed lists the files that a version lacks, has besides, or has in another size.
func changed(ctx context.Context, r registry.Registry, v registry.Version, want []artifacts.File) ([]string, error) {
	sizes := map[string]int64{}
	for _, f := range want {
		sizes[f.Path] = f.Size
	}
	var wrong []string
	for f, err := range r.Files(ctx, v) {
		if err != nil {
			return nil, err
		}
		size, known := sizes[f.Path]
		delete(sizes, f.Path)
		if !slices.Contains(registry.LeftOut, f.Path) && (!known || f.Size >= 0 && f.Size != size) {
			wrong = append(wrong, f.Path)
		}
	}
	for path := range sizes {
		wrong = append(wrong, path+" is gone")
	}
	slices.Sort(wrong)
	return wrong, nil
}
