package mlflow

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// SignedPrefix begins the paths of signed URLs. They carry their own proof and are asked for without a token.
const SignedPrefix = "/_signed/"

// signedFor is how long a signed URL opens.
const signedFor = 15 * time.Minute

// signed is a URL for one method on one file of a tree; its names are those of trees.
func (f *Front) signed(method, tree, p string) string {
	expires := strconv.FormatInt(f.Now().Add(signedFor).Unix(), 10)
	p = within(p)
	q := url.Values{"expires": {expires}, "method": {method}, "sig": {f.signature(method, tree, p, expires)}}
	escaped := (&url.URL{Path: tree + "/" + p}).EscapedPath()
	return strings.TrimSuffix(f.URL(), "/") + SignedPrefix + escaped + "?" + q.Encode()
}

func (f *Front) signature(parts ...string) string {
	mac := hmac.New(sha256.New, f.SignKey)
	for _, p := range parts {
		fmt.Fprintf(mac, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// trees are those that signed URLs lead into.
func (f *Front) tree(name string) (tree, bool) {
	t, ok := map[string]tree{"artifacts": f.artifacts, "models": f.models, "metastore": f.metastore}[name]
	return t, ok
}

// serveSigned answers GET with ranges, and PUT. A URL that is forged, spent or for another method is 403.
func (f *Front) serveSigned(w http.ResponseWriter, r *http.Request) {
	name, p, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, SignedPrefix), "/")
	q := r.URL.Query()
	t, known := f.tree(name)
	want := f.signature(q.Get("method"), name, p, q.Get("expires"))
	expires, err := strconv.ParseInt(q.Get("expires"), 10, 64)
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	switch {
	case !known, err != nil, !hmac.Equal([]byte(want), []byte(q.Get("sig"))):
		wire.Fail(w, wire.Errorf(http.StatusForbidden, "PERMISSION_DENIED", "the signature of this URL does not match"))
	case f.Now().Unix() > expires:
		wire.Fail(w, wire.Errorf(http.StatusForbidden, "PERMISSION_DENIED", "this URL has expired; ask for another"))
	case method != q.Get("method"):
		wire.Fail(w, wire.Errorf(http.StatusForbidden, "PERMISSION_DENIED", "this URL is for %s", q.Get("method")))
	case method == http.MethodPut:
		if err := t.write(p, r.Body); err != nil {
			wire.Fail(w, unwritable(p, err))
		}
	default:
		serveFile(w, r, t, p, p)
	}
}

// serveFile answers the bytes of a file, whole or in ranges; asked is what the client calls it.
func serveFile(w http.ResponseWriter, r *http.Request, t tree, p, asked string) {
	file, err := t.read(p)
	if err == nil {
		defer file.Close()
	}
	var info fs.FileInfo
	if err == nil {
		info, err = file.Stat()
	}
	if err != nil || info.IsDir() {
		wire.Fail(w, unreadable(asked, err))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", info.ModTime(), file)
}

func unreadable(p string, err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return wire.Errorf(http.StatusNotFound, "NOT_FOUND", "The file being accessed is not found: %s", p)
	}
	return wire.Errorf(http.StatusBadRequest, "BAD_REQUEST", "reading %s: %s", p, err)
}

// unwritable is a 4xx whatever the cause: clients repeat an upload that was answered 5xx for minutes.
func unwritable(p string, err error) error {
	return wire.Errorf(http.StatusBadRequest, "BAD_REQUEST", "writing %s: %s", p, err)
}
