package workspace

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/disk"
)

// index is what the disk cannot say of the objects: one line of JSON appended per change, folded anew at each start.
// A last line cut off by a kill is dropped: its write was never answered.
type index struct {
	file     *os.File
	last     int64 // the id given last
	objects  map[string]Object
	paths    map[int64]string
	children map[string]int
}

// change is a line of the index: an object put, a path removed with all below it, or the id given last.
type change struct {
	Put    *Object `json:"put,omitempty"`
	Remove string  `json:"remove,omitempty"`
	Last   int64   `json:"last,omitempty"`
}

func openIndex(name string) (*index, error) {
	x := &index{objects: map[string]Object{}, paths: map[int64]string{}, children: map[string]int{}}
	b, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the workspace's index: %w", err)
	}
	for line := range bytes.Lines(b) {
		var c change
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, fmt.Errorf("reading the workspace's index %s: %w", name, err)
		}
		x.apply(c)
	}
	if x.last == 0 {
		x.last = firstID()
	}
	if err := x.compact(name); err != nil {
		return nil, err
	}
	if x.file, err = os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("opening the workspace's index: %w", err)
	}
	return x, nil
}

// firstID begins each workspace's ids somewhere else: an id carried from one workspace to another finds nothing.
func firstID() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return 1_000_000_000_000 + int64(binary.BigEndian.Uint64(b[:])%1_000_000_000)*1_000
}

func (x *index) compact(name string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	if err := enc.Encode(change{Last: x.last}); err != nil {
		return err
	}
	for _, p := range slices.Sorted(maps.Keys(x.objects)) {
		o := x.objects[p]
		if err := enc.Encode(change{Put: &o}); err != nil {
			return err
		}
	}
	return disk.Write(name, b.Bytes())
}

func (x *index) close() error {
	if err := x.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func (x *index) newID() int64 {
	x.last++
	return x.last
}

func (x *index) put(o Object) error { return x.write(change{Put: &o}) }

func (x *index) remove(p string) error { return x.write(change{Remove: p}) }

func (x *index) write(c change) error {
	line, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("writing the workspace's index: %w", err)
	}
	if _, err := x.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing the workspace's index: %w", err)
	}
	x.apply(c)
	return nil
}

func (x *index) apply(c change) {
	x.last = max(x.last, c.Last)
	if o := c.Put; o != nil {
		if old, ok := x.objects[o.Path]; ok {
			delete(x.paths, old.ID)
		} else {
			x.children[path.Dir(o.Path)]++
		}
		x.objects[o.Path], x.paths[o.ID] = *o, o.Path
		x.last = max(x.last, o.ID)
	}
	gone, ok := x.objects[c.Remove]
	if !ok {
		return
	}
	x.forget(gone)
	if gone.Type != TypeDirectory {
		return
	}
	for p, o := range x.objects {
		if strings.HasPrefix(p, c.Remove+"/") {
			x.forget(o)
		}
	}
}

func (x *index) forget(o Object) {
	delete(x.objects, o.Path)
	delete(x.paths, o.ID)
	x.children[path.Dir(o.Path)]--
}
