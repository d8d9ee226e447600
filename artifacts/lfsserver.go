package artifacts

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	gitconfig "github.com/go-git/go-git/v5/plumbing/format/config"
)

const lfsMediaType = "application/vnd.git-lfs+json"

// fetchFirst is the way out wherever the server is of no help.
const fetchFirst = "run git lfs fetch before (in a pipeline: checkout with lfs: true)"

// lfsServer is where a repository's git LFS objects are, and what signs in there.
type lfsServer struct {
	at     *url.URL // without user and password
	header http.Header
	http   http.RoundTripper
}

// download opens an object at the server. Its bytes are not checked yet.
func (l *lfs) download(ctx context.Context, p lfsPointer) (io.ReadCloser, error) {
	s, err := l.server()
	if err != nil {
		return nil, fmt.Errorf("object %.19s is not in this clone: %w: %s", p.digest, err, fetchFirst)
	}
	action, err := s.ask(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("object %.19s is not in this clone: asking %s for it: %w", p.digest, s.at.Host, err)
	}
	r, err := s.get(ctx, action)
	if err != nil {
		return nil, fmt.Errorf("object %.19s is not in this clone: downloading it: %w", p.digest, err)
	}
	return r, nil
}

// lfsServer finds the server as git-lfs does: by what the clone says, then by the commit's .lfsconfig, then from origin.
func (c *Commit) lfsServer(transport http.RoundTripper) (*lfsServer, error) {
	own, err := c.repo.config()
	if err != nil {
		return nil, err
	}
	declared, err := c.lfsConfig()
	if err != nil {
		return nil, err
	}
	origin := own.Section("remote").Subsection("origin").Option("url")
	remote, _ := url.Parse(origin)
	written := ""
	for _, config := range []*gitconfig.Config{own, declared} {
		written = cmp.Or(written, config.Section("lfs").Option("url"), config.Section("remote").Subsection("origin").Option("lfsurl"))
	}
	if written == "" && origin == "" {
		return nil, errors.New("there is no remote origin, nor lfs.url, that would name its server")
	}
	written = cmp.Or(written, strings.TrimSuffix(strings.TrimSuffix(origin, "/"), ".git")+".git/info/lfs")
	at, err := url.Parse(written)
	if err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" {
		return nil, errors.New("its server is not reached by https") // the text may hold a password
	}
	s := &lfsServer{at: at, header: http.Header{}, http: transport}
	s.signIn(own, remote)
	s.at.User = nil
	return s, nil
}

func (c *Commit) lfsConfig() (*gitconfig.Config, error) {
	config := gitconfig.New()
	b, err := c.atRoot(".lfsconfig")
	if errors.Is(err, fs.ErrNotExist) {
		return config, nil
	}
	if err == nil {
		err = gitconfig.NewDecoder(bytes.NewReader(b)).Decode(config)
	}
	if err != nil {
		return nil, fmt.Errorf("reading .lfsconfig: %w", err)
	}
	return config, nil
}

// signIn takes what the clone has for that server: headers as pipelines leave them in its configuration, or user and
// password of its address or, on the same host, of origin's.
func (s *lfsServer) signIn(own *gitconfig.Config, remote *url.URL) {
	for _, sub := range own.Section("http").Subsections {
		of, err := url.Parse(sub.Name)
		if err != nil || !sameHost(of, s.at) || !strings.HasPrefix(strings.TrimSuffix(s.at.Path, "/")+"/", strings.TrimSuffix(of.Path, "/")+"/") {
			continue
		}
		for _, line := range sub.OptionAll("extraheader") {
			if name, value, ok := strings.Cut(line, ":"); ok {
				s.header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
			}
		}
	}
	user := s.at.User
	if user == nil && remote != nil && sameHost(remote, s.at) {
		user = remote.User
	}
	if s.header.Get("Authorization") == "" && user != nil {
		password, _ := user.Password()
		r := http.Request{Header: s.header}
		r.SetBasicAuth(user.Username(), password)
	}
}

func sameHost(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Host, b.Host)
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

// ask asks for the address of an object, by the batch API.
func (s *lfsServer) ask(ctx context.Context, p lfsPointer) (*lfsAction, error) {
	type object = map[string]any
	body, err := json.Marshal(object{
		"operation": "download", "transfers": []string{"basic"}, "hash_algo": "sha256",
		"objects": []object{{"oid": p.oid(), "size": p.size}},
	})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.at.JoinPath("objects", "batch").String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = s.header.Clone()
	r.Header.Set("Accept", lfsMediaType)
	r.Header.Set("Content-Type", lfsMediaType)
	answered, err := s.send(r)
	if err != nil {
		return nil, err
	}
	defer answered.Close()
	var answer struct {
		Objects []lfsAnswer `json:"objects"`
	}
	if err := json.NewDecoder(io.LimitReader(answered, 1<<20)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("it does not answer as a git LFS server: %w", err)
	}
	for _, o := range answer.Objects {
		switch {
		case o.OID != p.oid():
		case o.Error != nil:
			return nil, fmt.Errorf("it has no such object (%d): git lfs push origin --object-id %s, in a clone that has it", o.Error.Code, p.oid())
		case o.Actions.Download != nil:
			return o.Actions.Download, nil
		}
	}
	return nil, errors.New("its answer says nothing of that object: " + fetchFirst)
}

// get opens what an action names.
func (s *lfsServer) get(ctx context.Context, a *lfsAction) (io.ReadCloser, error) {
	to, err := s.at.Parse(a.Href)
	if err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != "http" {
		return nil, errors.New("the server gave no proper address for it") // an address can hold a signature
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return nil, errors.New("the server gave no proper address for it")
	}
	if sameHost(to, s.at) {
		r.Header = s.header.Clone()
	}
	for name, value := range a.Header {
		r.Header.Set(name, value)
	}
	return s.send(r)
}

// send gives the body of an answer, which was good. Its errors name the host, and nothing that signs in there.
func (s *lfsServer) send(r *http.Request) (io.ReadCloser, error) {
	answered, err := (&http.Client{Transport: s.http}).Do(r)
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // its text has the address in it, signature and all
	}
	if err != nil {
		return nil, err
	}
	if answered.StatusCode == http.StatusOK {
		return answered.Body, nil
	}
	_ = answered.Body.Close()
	switch answered.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("%s wants another sign-in than this clone has (%s): %s", r.URL.Host, answered.Status, fetchFirst)
	case http.StatusNotFound:
		return nil, fmt.Errorf("%s does not know it (%s): is it the repository's git LFS server? %s", r.URL.Host, answered.Status, fetchFirst)
	}
	return nil, fmt.Errorf("%s answered %s: %s", r.URL.Host, answered.Status, fetchFirst)
}
