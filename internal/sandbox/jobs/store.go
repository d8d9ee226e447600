package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// save writes one job or run, whole or not at all.
func (s *Service) save(kind string, id int64, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding %s/%d: %w", kind, id, err)
	}
	name := filepath.Join(s.cfg.Dir, kind, strconv.FormatInt(id, 10)+".json")
	if err := os.WriteFile(name+".new", b, 0o600); err != nil {
		return fmt.Errorf("writing %s/%d: %w", kind, id, err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("writing %s/%d: %w", kind, id, err)
	}
	return nil
}

func (s *Service) load() error {
	jobs, err := read[job](filepath.Join(s.cfg.Dir, "jobs"))
	if err != nil {
		return err
	}
	for _, j := range jobs {
		s.jobs[j.ID] = j
		s.lastID = max(s.lastID, j.ID)
	}
	runs, err := read[run](filepath.Join(s.cfg.Dir, "runs"))
	if err != nil {
		return err
	}
	for _, r := range runs {
		s.index(r)
	}
	return nil
}

// index makes r and its attempts findable.
func (s *Service) index(r *run) {
	s.runs[r.ID] = r
	s.lastID = max(s.lastID, r.ID, r.JobID)
	if r.Token != "" {
		s.tokens[r.Token] = r.ID
	}
	for _, a := range r.Attempts {
		s.parents[a.ID] = r
		s.lastID = max(s.lastID, a.ID)
	}
	for _, p := range r.Repairs {
		s.lastID = max(s.lastID, p.ID)
	}
}

// read decodes every .json file of dir, which it makes when missing.
func read[T any](dir string) ([]*T, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of jobs: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading jobs: %w", err)
	}
	var all []*T
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		name := filepath.Join(dir, e.Name())
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading jobs: %w", err)
		}
		v := new(T)
		if err := json.Unmarshal(b, v); err != nil {
			return nil, fmt.Errorf("reading %s: %w; remove the file to go on without it", name, err)
		}
		all = append(all, v)
	}
	return all, nil
}
