//go:build unix

package main

import (
	"bytes"
	"context"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox/mlflow"
)

// berth is a moment of a yard to come back to: the twins' state, the store, the registry.
type berth struct {
	folders map[string]fs.FileMode
	files   map[string]moored
	tape    []taping
}

// moored is a file as it was at some moment.
type moored struct {
	content []byte
	mode    fs.FileMode
	written writing
}

// writing changes with every writing of a file.
type writing struct {
	inode    uint64
	size     int64
	modified time.Time
}

func writingOf(info fs.FileInfo) writing {
	s, _ := info.Sys().(*syscall.Stat_t)
	return writing{s.Ino, info.Size(), info.ModTime()}
}

// keep remembers the present moment. No call and no run may be on its way.
func (y *yard) keep(t *testing.T) berth {
	t.Helper()
	b := berth{folders: map[string]fs.FileMode{}, files: map[string]moored{}, tape: slices.Clone(y.registry.tape)}
	err := y.walk(func(file string, info fs.FileInfo) error {
		if info.IsDir() {
			b.folders[file] = info.Mode().Perm()
			return nil
		}
		m, same := y.lies[file], writingOf(info)
		if m.written != same {
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			m = moored{content, info.Mode().Perm(), same}
			y.lies[file] = m
		}
		b.files[file] = m
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// walk visits what makes a moment, folders before what is in them.
func (y *yard) walk(visit func(file string, info fs.FileInfo) error) error {
	return filepath.WalkDir(filepath.Join(y.dir, ".barge"), func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return visit(file, info)
	})
}

// back puts the yard back to a moment. Of the files only those are written that are not as they were.
func (y *yard) back(t *testing.T, b berth) {
	t.Helper()
	y.down(t)
	if err := y.restore(b); err != nil {
		t.Fatal(err)
	}
	y.registry.play(t, b.tape)
	y.up(t)
}

func (y *yard) restore(b berth) error {
	right := map[string]bool{}
	var strange []string
	err := y.walk(func(file string, info fs.FileInfo) error {
		if info.IsDir() {
			if _, known := b.folders[file]; !known {
				strange = append(strange, file)
				return fs.SkipDir
			}
			return nil
		}
		want, known := b.files[file]
		if !known {
			strange = append(strange, file)
			return nil
		}
		is := y.lies[file]
		right[file] = is.written == writingOf(info) && is.mode == want.mode && bytes.Equal(is.content, want.content)
		return nil
	})
	if err != nil {
		return err
	}
	for _, file := range strange {
		delete(y.lies, file)
		if err := os.RemoveAll(file); err != nil {
			return err
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(b.folders)) {
		if err := os.MkdirAll(folder, b.folders[folder]); err != nil {
			return err
		}
	}
	for file, m := range b.files {
		if !right[file] {
			if err := y.moor(file, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// moor writes a file anew, so that it is seen.
func (y *yard) moor(file string, m moored) error {
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.WriteFile(file, m.content, m.mode); err != nil {
		return err
	}
	info, err := os.Lstat(file)
	if err != nil {
		return err
	}
	m.written = writingOf(info)
	y.lies[file] = m
	return nil
}

// taped is a registry in memory that can be put back: it remembers what it was asked to change.
type taped struct {
	mlflow.Backend
	mu   sync.Mutex
	tape []taping
}

type taping struct {
	workspace string
	call      mlflow.Call
}

func (r *taped) Do(ctx context.Context, workspace string, call mlflow.Call) (mlflow.Answer, error) {
	r.mu.Lock()
	if call.Method != http.MethodGet {
		r.tape = append(r.tape, taping{workspace, call})
	}
	r.mu.Unlock()
	return r.Backend.Do(ctx, workspace, call)
}

// Close leaves what it holds to the next sandbox.
func (r *taped) Close() error { return nil }

func (r *taped) play(t *testing.T, tape []taping) {
	t.Helper()
	r.Backend, r.tape = mlflow.Light(), nil
	for _, c := range tape {
		if _, err := r.Do(t.Context(), c.workspace, c.call); err != nil {
			t.Fatal(err)
		}
	}
}
