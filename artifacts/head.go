package artifacts

import (
	"context"
	"fmt"
	"slices"
)

// ReleasesOf gives the names in the store that were built from a commit (a full hash), newest first.
func (s *Store) ReleasesOf(ctx context.Context, commit string) ([]string, error) {
	made, err := s.list(ctx, func(from []Provenance) bool {
		return slices.ContainsFunc(from, func(p Provenance) bool { return p.Commit == commit })
	})
	if err != nil {
		return nil, fmt.Errorf("looking for the release of commit %.12s: %w", commit, err)
	}
	var names []string
	for _, l := range made {
		names = append(names, l.Name)
	}
	return names, nil
}

// Whereabouts says which repository a project folder is in (its origin's address, without credentials) and where in
// it; what is not known is empty.
func Whereabouts(dir string) (repository, folder string) {
	r, err := openRepository(dir)
	if err != nil {
		return "", ""
	}
	if folder, err = r.folder(dir); err != nil {
		folder = ""
	}
	return r.origin(), folder
}
