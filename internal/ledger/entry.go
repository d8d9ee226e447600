package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Format is the newest format of entries that this barge reads and writes in full.
const Format = 1

// Entry is one file of a ledger. Its number stands in its name, so that of two writers of one number one loses.
type Entry struct {
	Format int
	Seq    int
	// Prev is the digest of the previous entry's bytes; empty in the first.
	Prev string
	// ID is drawn once per entry: by it an author knows its own.
	ID string
	By Author
	// At is the service's time, not the author's.
	At time.Time
	// Actor is the principal that the author signed in as: for people, never compared.
	Actor string
	Body  Body
	// State is the fold up to and with this entry, as its author recorded it.
	State State

	raw []byte
}

// wire is the shape of an entry's file.
type wire struct {
	Format int             `json:"format"`
	Seq    int             `json:"seq"`
	Prev   string          `json:"prev,omitempty"`
	ID     string          `json:"id"`
	By     Author          `json:"by"`
	At     time.Time       `json:"at"`
	Actor  string          `json:"actor,omitempty"`
	Type   Type            `json:"type"`
	Body   json.RawMessage `json:"body"`
	State  json.RawMessage `json:"state"`
}

// Name is where an entry's file stands below its ledger: "3/341.json" for number 341.
func Name(seq int) string { return fmt.Sprintf("%d/%d.json", seq/100, seq) }

// Type is the entry's type, as written.
func (e Entry) Type() Type {
	if e.Body == nil {
		return ""
	}
	return e.Body.Type()
}

// Bytes are the entry's file: as read, or as written.
func (e Entry) Bytes() []byte { return e.raw }

// Digest is "sha256:…" over the entry's bytes; the next entry's Prev.
func (e Entry) Digest() string {
	if len(e.raw) == 0 {
		return ""
	}
	sum := sha256.Sum256(e.raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Newer tells whether a newer barge wrote the entry, so that this one may read it and must write nothing after it.
func (e Entry) Newer() bool {
	_, unknown := e.Body.(Unknown)
	return unknown || e.Format > Format
}

// seal encodes the entry; its bytes never change again.
func (e Entry) seal() (Entry, error) {
	body, err := encode(e.Body)
	if err != nil {
		return Entry{}, fmt.Errorf("encoding entry %d: %w", e.Seq, err)
	}
	state, err := encode(e.State)
	if err != nil {
		return Entry{}, fmt.Errorf("encoding entry %d: %w", e.Seq, err)
	}
	e.raw, err = encode(wire{e.Format, e.Seq, e.Prev, e.ID, e.By, e.At, e.Actor, e.Type(), body, state})
	return e, err
}

// Decode reads an entry's file. An unknown type becomes a body of type Unknown, and what a newer format says beyond
// this one is left alone; what is no entry at all is an error.
func Decode(b []byte) (Entry, error) {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return Entry{}, fmt.Errorf("reading a ledger entry: %w", err)
	}
	if w.Format < 1 || w.Seq < 1 || w.ID == "" || w.Type == "" {
		return Entry{}, fmt.Errorf("reading a ledger entry: format, seq, id or type is missing")
	}
	e := Entry{Format: w.Format, Seq: w.Seq, Prev: w.Prev, ID: w.ID, By: w.By, At: w.At, Actor: w.Actor, raw: b}
	body, err := decodeBody(w.Type, w.Body)
	if w.Format > Format && err != nil {
		body, err = Unknown{Kind: w.Type, Raw: w.Body}, nil
	}
	if state := json.Unmarshal(w.State, &e.State); err == nil && w.Format <= Format {
		err = state
	}
	if err != nil {
		return Entry{}, fmt.Errorf("reading ledger entry %d (%s): %w", w.Seq, w.Type, err)
	}
	e.Body = body
	return e, nil
}

// encode is json.Marshal without HTML escaping, so that what is canonical stays as it is.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
