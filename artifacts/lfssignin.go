package artifacts

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	gitconfig "github.com/go-git/go-git/v5/plumbing/format/config"
)

// lfsServer finds the server as git-lfs does: by what is set, then by the commit's .lfsconfig, then from the remote.
func (c *Commit) lfsServer(ctx context.Context, transport http.RoundTripper) (*lfsServer, error) {
	set, err := c.repo.settings(ctx)
	if err != nil {
		return nil, err
	}
	declared, err := c.lfsConfig()
	if err != nil {
		return nil, err
	}
	name := set.remote(strings.TrimPrefix(c.Ref, "refs/heads/"))
	remote, written := set.rewrite(set.get("remote."+name+".url")), ""
	for _, config := range []settings{set, declared} {
		written = cmp.Or(written, config.get("lfs.url"), config.get("remote."+name+".lfsurl"))
	}
	if written == "" && remote == "" {
		return nil, fmt.Errorf("there is no remote %s, nor lfs.url, that would name its server", name)
	}
	if written == "" && overSSH(remote) {
		return nil, fmt.Errorf("%s is reached by ssh, and only git-lfs asks for git LFS objects by that", name)
	}
	written = cmp.Or(set.rewrite(written), strings.TrimSuffix(strings.TrimSuffix(remote, "/"), ".git")+".git/info/lfs")
	at, err := url.Parse(written)
	if err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" {
		return nil, errors.New("its server is not reached by https") // the text may hold a password
	}
	of, _ := url.Parse(remote)
	s := &lfsServer{at: at, header: http.Header{}, http: transport, first: c.fetchFirst(name)}
	s.helper = func(ctx context.Context) (user, password string, ok bool) { return c.repo.credentials(ctx, s.at) }
	s.signIn(set, of)
	s.at.User = nil
	return s, nil
}

// overSSH knows ssh://HOST/PATH and USER@HOST:PATH.
func overSSH(remote string) bool {
	host, _, ok := strings.Cut(remote, ":")
	return strings.HasPrefix(remote, "ssh://") || ok && strings.Contains(host, "@") && !strings.Contains(host, "/")
}

// fetchFirst is the way out wherever the server is of no help.
func (c *Commit) fetchFirst(remote string) string {
	return fmt.Sprintf("run git lfs fetch %s %.12s before (in a pipeline: checkout with lfs: true)", remote, c.Hash)
}

func (c *Commit) lfsConfig() (settings, error) {
	config := gitconfig.New()
	b, err := c.atRoot(".lfsconfig")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = gitconfig.NewDecoder(bytes.NewReader(b)).Decode(config)
	}
	if err != nil {
		return nil, fmt.Errorf("reading .lfsconfig: %w", err)
	}
	return settingsOf(config), nil
}

// signIn takes what is set for that server: headers as pipelines leave them, or user and password of its address, or, on
// the same host, of the remote's, or of the user's .netrc.
func (s *lfsServer) signIn(set settings, remote *url.URL) {
	if remote != nil && sameHost(remote, s.at) { // .lfsconfig may name any host
		s.addHeader(set.get("http.extraheader"))
	}
	set.each("http", "extraheader", func(of, line string) {
		if u, err := url.Parse(of); err == nil && sameHost(u, s.at) && below(s.at.Path, u.Path) {
			s.addHeader(line)
		}
	})
	if s.header.Get("Authorization") != "" {
		return
	}
	user := s.at.User
	if user == nil && remote != nil && sameHost(remote, s.at) {
		user = remote.User
	}
	if password, ok := user.Password(); ok {
		s.basic(user.Username(), password)
	} else if name, password, ok := netrc(s.at.Hostname(), user.Username()); ok {
		s.basic(name, password)
	} else if user != nil { // a token in the place of the name
		s.basic(user.Username(), "")
	}
}

func (s *lfsServer) addHeader(line string) {
	if name, value, ok := strings.Cut(line, ":"); ok {
		s.header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
	}
}

func (s *lfsServer) basic(user, password string) {
	r := http.Request{Header: s.header}
	r.SetBasicAuth(user, password)
}

// below says whether a path is another, or stands below it.
func below(p, folder string) bool {
	return strings.HasPrefix(strings.TrimSuffix(p, "/")+"/", strings.TrimSuffix(folder, "/")+"/")
}

func sameHost(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Host, b.Host)
}

// netrc looks a host up in the file where curl, and so git, finds passwords; user "" is whoever is there.
func netrc(host, user string) (name, password string, ok bool) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", "", false
	}
	file := ".netrc"
	if runtime.GOOS == "windows" {
		file = "_netrc"
	}
	b, err := os.ReadFile(filepath.Join(home, file))
	if err != nil {
		return "", "", false
	}
	words := bufio.NewScanner(bytes.NewReader(b))
	words.Split(bufio.ScanWords)
	here := false
	found := func() bool { return here && password != "" && (user == "" || user == name) }
	for words.Scan() && (!found() || words.Text() != "machine" && words.Text() != "default") {
		switch words.Text() {
		case "machine":
			here, name, password = words.Scan() && strings.EqualFold(words.Text(), host), "", ""
		case "default": // for every host: not for one that the commit names
			here = false
		case "login":
			words.Scan()
			name = words.Text()
		case "password":
			words.Scan()
			password = words.Text()
		}
	}
	return name, password, found()
}

// credentials asks git's credential helpers, which ask nobody in turn.
func (r *repository) credentials(ctx context.Context, at *url.URL) (user, password string, ok bool) {
	in := fmt.Sprintf("protocol=%s\nhost=%s\npath=%s\n\n", at.Scheme, at.Host, strings.TrimPrefix(at.Path, "/"))
	out, err := r.git(ctx, []byte(in), "-c", "core.askPass=", "credential", "fill")
	if err != nil {
		return "", "", false
	}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		switch key {
		case "username":
			user = value
		case "password":
			password = value
		}
	}
	return user, password, password != ""
}
