package artifacts

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// maxPickle bounds what is looked through for the version of scikit-learn, unpacked.
const maxPickle = 1 << 30

// sklearnKey is what scikit-learn's estimators note their version under when they are pickled.
const sklearnKey = "_sklearn_version"

var (
	// sklearnKeys is the key as pickle writes it: SHORT_BINUNICODE, BINUNICODE or UNICODE, by protocol.
	sklearnKeys    = [][]byte{[]byte("\x8c\x10" + sklearnKey), []byte("X\x10\x00\x00\x00" + sklearnKey), []byte("V" + sklearnKey + "\n")}
	textAfterPut   = whenNeeded(`^(?:p[0-9]{1,10}\n)?V([^\n]{1,64})\n`) // as protocol 0 writes it
	libraryVersion = whenNeeded(`^[0-9]+(\.[0-9A-Za-z+]+)+$`)
)

// sklearnVersions reads, in a pickle or a joblib dump, which versions of scikit-learn wrote it. Nothing is unpickled:
// the key's opcode is looked for, and the text after it read. What is no pickle has none; what is not named as one is
// one when it begins as all do since protocol 2.
func sklearnVersions(r io.Reader, named bool) ([]string, error) {
	in := bufio.NewReaderSize(r, 1<<20)
	head, _ := in.Peek(3) // shorter is no pickle, and is read as one
	if !named && (len(head) < 2 || head[0] != 0x80 || head[1] < 2 || head[1] > 5) {
		return nil, nil
	}
	var unpacked io.Reader = in
	var err error
	switch {
	case bytes.HasPrefix(head, []byte("BZh")):
		unpacked = bzip2.NewReader(in)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		unpacked, err = gzip.NewReader(in)
	case len(head) > 1 && head[0] == 0x78 && binary.BigEndian.Uint16(head)%31 == 0: // joblib's compress=
		unpacked, err = zlib.NewReader(in)
	}
	if err != nil {
		return nil, nil //nolint:nilerr // it only began like a packed one
	}
	const longest = 128 // of the key with its value
	var found []string
	window := make([]byte, 0, 1<<20+longest)
	for limited := io.LimitReader(unpacked, maxPickle); ; {
		n, err := io.ReadFull(limited, window[len(window):cap(window)])
		window = window[:len(window)+n]
		end := err != nil
		last := len(window)
		if !end {
			last -= longest
		}
		for _, v := range versionsIn(window, last) {
			if !slices.Contains(found, v) {
				found = append(found, v)
			}
		}
		var corrupt flate.CorruptInputError
		var structural bzip2.StructuralError
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &corrupt), errors.As(err, &structural),
			errors.Is(err, zlib.ErrChecksum), errors.Is(err, gzip.ErrChecksum):
			return found, nil
		case err != nil:
			return nil, err
		}
		window = append(window[:0], window[last:]...)
	}
}

// versionsIn reads the versions whose key begins before last.
func versionsIn(window []byte, last int) []string {
	var found []string
	for _, key := range sklearnKeys {
		for at := 0; ; {
			i := bytes.Index(window[at:], key)
			if i < 0 || at+i >= last {
				break
			}
			at += i + len(key)
			if v := pickledText(window[at:]); libraryVersion().MatchString(v) {
				found = append(found, v)
			}
		}
	}
	return found
}

// pickledText is the text that a pickle goes on with, after what only notes and frames; "" when it is something else.
func pickledText(b []byte) string {
	if m := textAfterPut().FindSubmatch(b); m != nil {
		return string(m[1])
	}
	skipped := map[byte]int{0x94: 1, 'q': 2, 'r': 5, 0x95: 9} // MEMOIZE, BINPUT, LONG_BINPUT, FRAME
	for len(b) > 0 && skipped[b[0]] > 0 && len(b) >= skipped[b[0]] {
		b = b[skipped[b[0]]:]
	}
	size, begin := 0, 0
	switch {
	case len(b) > 2 && b[0] == 0x8c:
		size, begin = int(b[1]), 2
	case len(b) > 5 && b[0] == 'X' && b[2] == 0 && b[3] == 0 && b[4] == 0:
		size, begin = int(b[1]), 5
	}
	if size == 0 || size > 64 || begin+size > len(b) {
		return ""
	}
	return string(b[begin : begin+size])
}

// isPickle says whether a file is one by its name.
func isPickle(name string) bool {
	name = strings.ToLower(name)
	for _, packed := range []string{".gz", ".bz2", ".z"} {
		name = strings.TrimSuffix(name, packed)
	}
	return slices.Contains([]string{".pkl", ".pickle", ".joblib"}, path.Ext(name))
}

// Sklearn lists the versions of scikit-learn that wrote the pickles of a model in git, sorted; none where it has none.
func (a *Artifact) Sklearn(ctx context.Context, label string) ([]string, error) {
	files, err := a.ModelFiles(label)
	if err != nil {
		return nil, err
	}
	return sklearnOf(ctx, files)
}

func sklearnOf(ctx context.Context, files []ModelFile) ([]string, error) {
	var all []string
	for _, f := range files {
		r, err := f.Open(ctx)
		if err != nil {
			return nil, err
		}
		found, err := sklearnVersions(r, isPickle(f.Path))
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("looking through %s: %w", f.Path, err)
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
