package transport

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"sort"
	"strings"
	"sync"
)

// Mask stands where a secret stood.
const Mask = "[REDACTED]"

// shortest is the length below which a secret is not looked for: it would mask half of every word.
const shortest = 4

// Redactor takes the secrets it was told of out of text, also as base64, in JSON and in a query. The zero value
// knows none; a nil Redactor changes nothing. Safe for concurrent use.
type Redactor struct {
	mu       sync.RWMutex
	forms    []string // longest first: one secret may begin with another
	replacer *strings.Replacer
}

// Add makes secret known. What is shorter than four bytes is ignored.
func (r *Redactor) Add(secret string) {
	if r == nil || len(secret) < shortest {
		return
	}
	quoted, _ := json.Marshal(secret) // a string always marshals
	r.mu.Lock()
	defer r.mu.Unlock()
	known := map[string]bool{}
	for _, f := range r.forms {
		known[f] = true
	}
	for _, f := range []string{
		secret, strings.Trim(string(quoted), `"`), url.QueryEscape(secret), url.PathEscape(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.URLEncoding.EncodeToString([]byte(secret)),
	} {
		if !known[f] {
			known[f] = true
			r.forms = append(r.forms, f)
		}
	}
	sort.SliceStable(r.forms, func(i, j int) bool { return len(r.forms[i]) > len(r.forms[j]) })
	pairs := make([]string, 0, 2*len(r.forms))
	for _, f := range r.forms {
		pairs = append(pairs, f, Mask)
	}
	r.replacer = strings.NewReplacer(pairs...)
}

// String returns s with a mask in place of every secret known.
func (r *Redactor) String(s string) string {
	if r == nil {
		return s
	}
	r.mu.RLock()
	replacer := r.replacer
	r.mu.RUnlock()
	if replacer == nil {
		return s
	}
	return replacer.Replace(s)
}

// held is the length of the longest end of s that a secret begins with, no whole secret being in s.
func (r *Redactor) held(s string) int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	longest := 0
	for _, f := range r.forms {
		for n := min(len(f)-1, len(s)); n > longest; n-- {
			if strings.HasSuffix(s, f[:n]) {
				longest = n
			}
		}
	}
	return longest
}

// Writer returns a writer that passes on to w what is written, redacted, also where a secret comes in pieces. An
// end that might be the beginning of a secret is kept back until the next Write or Close. Close does not close w.
func (r *Redactor) Writer(w io.Writer) io.WriteCloser {
	if r == nil {
		r = &Redactor{}
	}
	return &redacting{r: r, w: w}
}

type redacting struct {
	r    *Redactor
	w    io.Writer
	mu   sync.Mutex
	kept string
}

func (w *redacting) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.r.String(w.kept + string(p))
	cut := len(s) - w.r.held(s)
	w.kept = s[cut:]
	if _, err := io.WriteString(w.w, s[:cut]); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *redacting) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.kept
	w.kept = ""
	_, err := io.WriteString(w.w, rest)
	return err
}
