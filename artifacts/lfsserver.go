package artifacts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
)

const (
	lfsMediaType = "application/vnd.git-lfs+json"
	lfsBatch     = 100 // objects that are asked for at once
)

// lfsServer is where a repository's git LFS objects are, and what signs in there. It is safe for concurrent use.
type lfsServer struct {
	at    *url.URL // without user and password
	http  http.RoundTripper
	first string // what to type where it is of no help

	mu     sync.Mutex
	header http.Header
	helper func(context.Context) (user, password string, ok bool) // asked once, when what is there does not sign in
}

// lfsAction is one request that the server asks for.
type lfsAction struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header"`
}

// lfsAnswer is the server's answer about one object.
type lfsAnswer struct {
	OID     string `json:"oid"`
	Actions struct {
		Download *lfsAction `json:"download"`
	} `json:"actions"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// ask asks for the addresses of objects, by the batch API, and gives the answers by oid.
func (s *lfsServer) ask(ctx context.Context, pointers []lfsPointer) (map[string]lfsAnswer, error) {
	type object = map[string]any
	objects := make([]object, len(pointers))
	for i, p := range pointers {
		objects[i] = object{"oid": p.oid(), "size": p.size}
	}
	body, err := json.Marshal(object{"operation": "download", "transfers": []string{"basic"}, "hash_algo": "sha256", "objects": objects})
	if err != nil {
		return nil, err
	}
	answered, err := s.send(ctx, true, func() (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.at.JoinPath("objects", "batch").String(), bytes.NewReader(body))
		if err == nil {
			r.Header.Set("Accept", lfsMediaType)
			r.Header.Set("Content-Type", lfsMediaType)
		}
		return r, err
	})
	if err != nil {
		return nil, err
	}
	defer answered.Body.Close()
	var answer struct {
		Objects []lfsAnswer `json:"objects"`
	}
	if err := json.NewDecoder(io.LimitReader(answered.Body, 1<<20)).Decode(&answer); err != nil {
		return nil, errors.New("it does not answer as a git LFS server: " + s.first)
	}
	by := map[string]lfsAnswer{}
	for _, o := range answer.Objects {
		by[o.OID] = o
	}
	return by, nil
}

// action is where an object is, by an answer.
func (s *lfsServer) action(a lfsAnswer, p lfsPointer) (*lfsAction, error) {
	switch {
	case a.Error != nil && (a.Error.Code == http.StatusNotFound || a.Error.Code == http.StatusGone):
		return nil, fmt.Errorf("it has no such object (%d): git lfs push origin --object-id %s, in a clone that has it", a.Error.Code, p.oid())
	case a.Error != nil:
		return nil, fmt.Errorf("it does not give it (%d): %s", a.Error.Code, s.first)
	case a.Actions.Download == nil:
		return nil, errors.New("its answer says nothing of that object: " + s.first)
	}
	return a.Actions.Download, nil
}

// get opens what an action names, from an offset on.
func (s *lfsServer) get(ctx context.Context, a *lfsAction, offset int64) (io.ReadCloser, error) {
	improper := errors.New("the server gave no proper address for it") // an address can hold a signature
	to, err := s.at.Parse(a.Href)
	if err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != "http" {
		return nil, improper
	}
	answered, err := s.send(ctx, sameHost(to, s.at), func() (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
		if err != nil {
			return nil, improper
		}
		for name, value := range a.Header {
			r.Header.Set(name, value)
		}
		if offset > 0 {
			r.Header.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-")
		}
		return r, nil
	})
	if err != nil {
		return nil, err
	}
	if offset > 0 && answered.StatusCode != http.StatusPartialContent {
		if _, err := io.CopyN(io.Discard, answered.Body, offset); err != nil {
			return nil, errors.Join(err, answered.Body.Close())
		}
	}
	return answered.Body, nil
}

// send gives an answer that was good. To the server itself it sends what signs in there, and where that is not enough what
// git's credential helpers know. Its errors name the host, and nothing that signs in there.
func (s *lfsServer) send(ctx context.Context, own bool, request func() (*http.Request, error)) (*http.Response, error) {
	for {
		r, err := request()
		if err != nil {
			return nil, err
		}
		var sent http.Header
		if own {
			sent = s.signedIn()
			for name, values := range sent {
				if r.Header.Get(name) == "" {
					r.Header[name] = values
				}
			}
		}
		answered, err := (&http.Client{Transport: s.http}).Do(r)
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // its text has the address in it, signature and all
		}
		if err != nil {
			return nil, err
		}
		if answered.StatusCode == http.StatusOK || answered.StatusCode == http.StatusPartialContent {
			return answered, nil
		}
		_ = answered.Body.Close()
		if !own || answered.StatusCode != http.StatusUnauthorized || !s.signInBetter(ctx, sent) {
			return nil, s.refusal(r.URL.Host, answered)
		}
	}
}

func (s *lfsServer) signedIn() http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.header.Clone()
}

// signInBetter asks the helpers, once; true when there is something else now than what was sent.
func (s *lfsServer) signInBetter(ctx context.Context, sent http.Header) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.helper != nil {
		user, password, ok := s.helper(ctx)
		if s.helper = nil; ok {
			s.basic(user, password)
		}
	}
	return s.header.Get("Authorization") != sent.Get("Authorization")
}

func (s *lfsServer) refusal(host string, answered *http.Response) error {
	switch answered.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s wants another sign-in than this clone has (%s): %s", host, answered.Status, s.first)
	case http.StatusNotFound:
		return fmt.Errorf("%s does not know it (%s): is it the repository's git LFS server? %s", host, answered.Status, s.first)
	}
	return fmt.Errorf("%s answered %s: %s", host, answered.Status, s.first)
}
