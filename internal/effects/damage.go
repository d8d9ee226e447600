package effects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/internal/databricks"
)

// Listed reads the lines of a release folder's marker. fs.ErrNotExist where there is none, or it is not the folder's.
func (s *Site) Listed(ctx context.Context, folder string) ([]Line, error) {
	l, err := s.listing(ctx, folder)
	return l.Files, err
}

func (s *Site) listing(ctx context.Context, folder string) (l listing, err error) {
	mark, err := s.Workspace.ReadFile(ctx, path.Join(folder, marker))
	if err == nil && (named(mark) != path.Base(folder) || json.Unmarshal(mark, &l) != nil) {
		err = fmt.Errorf("the marker of %s is not the one that was put there: %w", folder, fs.ErrNotExist)
	}
	return l, err
}

// Damage lists what of a release folder is not as it was put there, by paths below the folder: the marker, where it is
// gone or another, else the files that are gone, are something else, or were changed after it, and likewise of the
// models that it names. None: the folder is whole.
func (s *Site) Damage(ctx context.Context, folder string) ([]string, error) {
	l, err := s.listing(ctx, folder)
	if errors.Is(err, fs.ErrNotExist) {
		return []string{marker}, nil
	}
	if err != nil {
		return nil, err
	}
	damaged, err := s.damage(ctx, folder, l.Files)
	for _, model := range l.Models {
		if err != nil {
			break
		}
		var in []string
		in, err = s.Damage(ctx, path.Join(s.models(), model))
		for _, file := range in {
			damaged = append(damaged, path.Join("../../models", model, file))
		}
	}
	return damaged, err
}

func (s *Site) damage(ctx context.Context, folder string, lines []Line) ([]string, error) {
	there, err := s.standing(ctx, folder, lines)
	if err != nil {
		return nil, fmt.Errorf("looking through %s: %w", folder, err)
	}
	written := there[path.Join(folder, marker)].ModifiedAt
	var damaged []string
	for _, l := range lines {
		o := there[path.Join(folder, l.Path)]
		if o.Kind != kindOf(l) || o.ModifiedAt.After(written) {
			damaged = append(damaged, l.Path)
		}
	}
	if len(damaged) > 0 {
		return damaged, nil
	}
	return s.edited(ctx, folder, lines, there)
}

func kindOf(l Line) string {
	if l.Kind == artifacts.Notebook {
		return databricks.Notebook
	}
	return databricks.File
}

// standing is all that stands in a release folder where its lines say that something does, by path.
func (s *Site) standing(ctx context.Context, folder string, lines []Line) (map[string]databricks.Object, error) {
	there := map[string]databricks.Object{}
	var mu sync.Mutex
	return there, each(ctx, folders(folder, lines), func(ctx context.Context, at string) error {
		objects, err := s.Workspace.List(ctx, at)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, o := range objects {
			there[o.Path] = o
		}
		return nil
	})
}

// edited are the notebooks that were changed after the marker was written: their times are not told, but asked for.
func (s *Site) edited(ctx context.Context, folder string, lines []Line, there map[string]databricks.Object) ([]string, error) {
	notebooks := slices.DeleteFunc(slices.Clone(lines), func(l Line) bool { return l.Kind != artifacts.Notebook })
	written := there[path.Join(folder, marker)].ModifiedAt
	if len(notebooks) == 0 || written.IsZero() {
		return nil, nil
	}
	var mu sync.Mutex
	var edited []string
	err := each(ctx, folders(folder, notebooks), func(ctx context.Context, at string) error {
		objects, err := s.Workspace.NotebooksSince(ctx, at, written)
		mu.Lock()
		defer mu.Unlock()
		for _, l := range notebooks {
			if slices.ContainsFunc(objects, func(o databricks.Object) bool { return o.Path == path.Join(folder, l.Path) }) {
				edited = append(edited, l.Path)
			}
		}
		return err
	})
	slices.Sort(edited)
	return edited, err
}

// folders are those that the lines stand in, the release's own always among them.
func folders(folder string, lines []Line) []string {
	all := []string{folder}
	for _, l := range lines {
		all = append(all, path.Join(folder, path.Dir(l.Path)))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// each calls do for all at once, or as many as the service takes.
func each(ctx context.Context, all []string, do func(context.Context, string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(imports)
	for _, one := range all {
		g.Go(func() error { return do(ctx, one) })
	}
	return g.Wait()
}
