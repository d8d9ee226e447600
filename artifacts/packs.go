package artifacts

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/sha1" //nolint:gosec // git names objects by it
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// packs gives the small blobs of a repository's packs to several readers, at a fraction of what they cost by way of
// go-git's storage. What it gives has the hash that it was asked for. What it does not give (what is loose, large, damaged,
// or in a form that it does not know) is left to go-git, which also tells what is wrong with it.
type packs struct {
	all []gitPack

	mu    sync.Mutex
	bases map[place]whole // of deltas, for the next that need them
	size  int             // of bases
}

const (
	maxBlob  = 1 << 20 // larger objects are left to go-git
	maxBases = 8 << 20
	maxChain = 1000
)

// gitPack is one pack, with its index.
type gitPack struct {
	index *idxfile.MemoryIndex
	file  *os.File
}

// place is where an object begins.
type place struct {
	*gitPack
	offset int64
}

// whole is an object that is no delta any more.
type whole struct {
	kind plumbing.ObjectType
	body []byte // shared: never changed
}

// openPacks opens the packs whose index can be read.
func (r *repository) openPacks() *packs {
	ps := &packs{bases: map[place]whole{}}
	for _, folder := range r.objects {
		names, err := filepath.Glob(filepath.Join(folder, "pack", "*.idx"))
		if err != nil {
			continue
		}
		for _, name := range names {
			if p, err := openPack(strings.TrimSuffix(name, ".idx")); err == nil {
				ps.all = append(ps.all, p)
			}
		}
	}
	return ps
}

func openPack(name string) (gitPack, error) {
	f, err := os.Open(name + ".idx")
	if err != nil {
		return gitPack{}, err
	}
	defer f.Close()
	p := gitPack{index: idxfile.NewMemoryIndex()}
	if err := idxfile.NewDecoder(f).Decode(p.index); err != nil {
		return gitPack{}, err
	}
	p.file, err = os.Open(name + ".pack")
	return p, err
}

func (ps *packs) Close() {
	for _, p := range ps.all {
		_ = p.file.Close()
	}
}

// packReader reads objects of packs for one goroutine.
type packReader struct {
	*packs
	in      *bufio.Reader
	inflate io.ReadCloser
}

func (ps *packs) reader() *packReader {
	in := bufio.NewReader(nil)
	return &packReader{packs: ps, in: in, inflate: flate.NewReader(in)}
}

// blob gives a blob; false: go-git is to be asked.
func (r *packReader) blob(h plumbing.Hash) ([]byte, bool) {
	for i := range r.all {
		p := &r.all[i]
		offset, err := p.index.FindOffset(h)
		if err != nil {
			continue
		}
		o, err := r.object(place{p, offset}, 0)
		if err != nil || o.kind != plumbing.BlobObject {
			return nil, false
		}
		sum := sha1.New() //nolint:gosec // see the import
		fmt.Fprintf(sum, "blob %d\x00", len(o.body))
		sum.Write(o.body)
		return o.body, bytes.Equal(sum.Sum(nil), h[:])
	}
	return nil, false
}

var errUnknownForm = errors.New("not a small packed object")

// object reads what begins somewhere; depth counts the deltas that are made of it.
func (r *packReader) object(at place, depth int) (whole, error) {
	if o, ok := r.base(at); ok {
		return o, nil
	}
	r.in.Reset(io.NewSectionReader(at.file, at.offset, 1<<62-at.offset))
	kind, size, err := r.header()
	if err != nil || size > maxBlob || depth > maxChain {
		return whole{}, errors.Join(errUnknownForm, err)
	}
	from := place{gitPack: at.gitPack}
	switch kind {
	case plumbing.BlobObject:
		body := make([]byte, size)
		return whole{kind, body}, r.unpack(body)
	case plumbing.OFSDeltaObject:
		from.offset, err = r.before(at.offset)
	case plumbing.REFDeltaObject:
		var h plumbing.Hash
		if _, err = io.ReadFull(r.in, h[:]); err == nil {
			from.offset, err = at.index.FindOffset(h)
		}
	default:
		err = errUnknownForm
	}
	if err != nil {
		return whole{}, err
	}
	delta := make([]byte, size)
	if err := r.unpack(delta); err != nil {
		return whole{}, err
	}
	base, err := r.object(from, depth+1)
	if err != nil {
		return whole{}, err
	}
	r.keep(from, base)
	body, err := patched(base.body, delta)
	return whole{base.kind, body}, err
}

// patched is what a delta makes of its base.
func patched(base, delta []byte) ([]byte, error) {
	was, n := binary.Uvarint(delta)
	if n <= 0 || was != uint64(len(base)) {
		return nil, errUnknownForm
	}
	delta = delta[n:]
	size, n := binary.Uvarint(delta)
	if n <= 0 || size > maxBlob {
		return nil, errUnknownForm
	}
	body := make([]byte, 0, size)
	for delta = delta[n:]; len(delta) > 0; {
		command := delta[0]
		delta = delta[1:]
		from := delta // what is inserted stands in the delta itself
		offset, length := 0, int(command)
		if command&0x80 != 0 {
			from = base
			offset, length, delta = copied(command, delta)
		}
		if length <= 0 || offset < 0 || offset+length > len(from) || len(body)+length > cap(body) {
			return nil, errUnknownForm
		}
		body = append(body, from[offset:offset+length]...)
		if command&0x80 == 0 {
			delta = delta[length:]
		}
	}
	if len(body) != cap(body) {
		return nil, errUnknownForm
	}
	return body, nil
}

// copied reads what a command copies out of the base: a bit for each byte of the offset and of the length that is told.
func copied(command byte, delta []byte) (offset, length int, rest []byte) {
	for bit := range 7 {
		if command&(1<<bit) == 0 {
			continue
		}
		if len(delta) == 0 {
			return 0, 0, nil
		}
		if bit < 4 {
			offset |= int(delta[0]) << (8 * bit)
		} else {
			length |= int(delta[0]) << (8 * (bit - 4))
		}
		delta = delta[1:]
	}
	if length == 0 {
		length = 0x10000
	}
	return offset, length, delta
}

// header reads what stands before an object: its kind, and its size unpacked.
func (r *packReader) header() (kind plumbing.ObjectType, size int64, err error) {
	b, err := r.in.ReadByte()
	kind, size = plumbing.ObjectType(b>>4&7), int64(b&15)
	for shift := 4; err == nil && b&0x80 != 0 && shift < 32; shift += 7 {
		b, err = r.in.ReadByte()
		size |= int64(b&0x7f) << shift
	}
	return kind, size, err
}

// before reads how far before an object the base of its delta begins, and gives where.
func (r *packReader) before(offset int64) (int64, error) {
	b, err := r.in.ReadByte()
	back := int64(b & 0x7f)
	for err == nil && b&0x80 != 0 && back < offset {
		b, err = r.in.ReadByte()
		back = (back+1)<<7 | int64(b&0x7f)
	}
	if err == nil && (back <= 0 || back >= offset) {
		err = errUnknownForm
	}
	return offset - back, err
}

// unpack fills a buffer with the object's bytes. Its checksum is not looked at: whoever asked has the object's hash.
func (r *packReader) unpack(into []byte) error {
	var header [2]byte
	if _, err := io.ReadFull(r.in, header[:]); err != nil {
		return err
	}
	if header[0]&0x0f != 8 || header[1]&0x20 != 0 { // not deflated, or with a dictionary
		return errUnknownForm
	}
	if err := r.inflate.(flate.Resetter).Reset(r.in, nil); err != nil {
		return err
	}
	_, err := io.ReadFull(r.inflate, into)
	return err
}

func (ps *packs) base(at place) (whole, bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	o, ok := ps.bases[at]
	return o, ok
}

func (ps *packs) keep(at place, o whole) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if _, ok := ps.bases[at]; ok {
		return
	}
	if ps.size += len(o.body); ps.size > maxBases {
		clear(ps.bases)
		ps.size = len(o.body)
	}
	ps.bases[at] = o
}
