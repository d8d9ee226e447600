package artifacts

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bargeml/barge/environments"
)

// TestLFSBatches: objects are asked for by the hundred.
func TestLFSBatches(t *testing.T) {
	files, contents := map[string]string{}, []string{}
	for i := range 250 {
		content := notebook(fmt.Sprintf("x = %d", i))
		contents, files[fmt.Sprintf("nb/n%03d.py", i)] = append(contents, content), pointerTo(content)
	}
	r, s := newRepo(t, files), newLFS(t, contents...)
	r.git("remote", "add", "origin", s.URL+"/team/repo")
	r.inLFS(contents[7])
	p := &environments.Project{Name: "p", Artifact: &environments.Artifact{Notebooks: environments.Notebooks{From: "nb"}}}
	if _, err := idOf(t, r.dir, "HEAD", p); err != nil {
		t.Fatal(err)
	}
	if s.batches != 3 || s.largest != 100 || s.gets != 249 {
		t.Errorf("%d batches of at most %d for %d objects", s.batches, s.largest, s.gets)
	}
}

// TestLFSSignIn: the server is found, and signed in to, by all that git itself would take.
func TestLFSSignIn(t *testing.T) {
	const basic = "Basic c29tZW9uZTpwYXNz" // someone:pass
	global := func(t *testing.T, r repo, text string) {
		t.Helper()
		name := filepath.Join(t.TempDir(), "gitconfig")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("GIT_CONFIG_GLOBAL", name)
	}
	for name, tc := range map[string]struct {
		want string
		set  func(t *testing.T, r repo, s *lfsOf, host string)
	}{
		"a header in a file that the user's includes for this clone": {"basic eDp5", func(t *testing.T, r repo, s *lfsOf, _ string) {
			r.git("remote", "add", "origin", s.URL+"/team/repo")
			name := filepath.Join(t.TempDir(), "credentials.config")
			if err := os.WriteFile(name, []byte("[http \""+s.URL+"/\"]\n\textraheader = AUTHORIZATION: basic eDp5\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			global(t, r, "[includeIf \"gitdir:"+r.dir+"/.git\"]\n\tpath = "+name+"\n")
		}},
		"the same, included by the clone": {"basic eDp5", func(t *testing.T, r repo, s *lfsOf, _ string) {
			r.git("remote", "add", "origin", s.URL+"/team/repo")
			name := filepath.Join(t.TempDir(), "credentials.config")
			r.git("config", "-f", name, "http."+s.URL+"/.extraheader", "AUTHORIZATION: basic eDp5")
			r.git("config", "includeIf.gitdir:"+r.dir+"/.git.path", name)
		}},
		"a header by the environment": {"bearer e", func(t *testing.T, r repo, s *lfsOf, _ string) {
			r.git("remote", "add", "origin", s.URL+"/team/repo")
			t.Setenv("GIT_CONFIG_COUNT", "1")
			t.Setenv("GIT_CONFIG_KEY_0", "http.extraheader")
			t.Setenv("GIT_CONFIG_VALUE_0", "Authorization: bearer e")
		}},
		"an address in the place of another": {basic, func(t *testing.T, r repo, s *lfsOf, host string) {
			r.git("remote", "add", "origin", "https://git.example.com/team/repo")
			global(t, r, "[url \"http://someone:pass@"+host+"/\"]\n\tinsteadOf = https://git.example.com/\n[url \"http://127.0.0.1:1/\"]\n\tinsteadOf = https://git\n")
		}},
		"the remote of the branch": {basic, func(t *testing.T, r repo, s *lfsOf, host string) {
			r.git("remote", "add", "origin", "http://127.0.0.1:1/no/where")
			r.git("remote", "add", "upstream", "http://someone:pass@"+host+"/team/repo")
			r.git("config", "branch.main.remote", "upstream")
		}},
		"the only remote": {basic, func(t *testing.T, r repo, s *lfsOf, host string) {
			r.git("remote", "add", "upstream", "http://someone:pass@"+host+"/team/repo.git/")
		}},
		"the remote that git LFS is told": {basic, func(t *testing.T, r repo, s *lfsOf, host string) {
			r.git("remote", "add", "origin", "git@example.com:team/repo.git")
			r.git("remote", "add", "large", "http://someone:pass@"+host+"/team/repo")
			r.git("config", "remote.lfsdefault", "large")
		}},
		"the remote's own address for git LFS": {basic, func(t *testing.T, r repo, s *lfsOf, host string) {
			r.git("remote", "add", "origin", "ssh://git@example.com/team/repo.git")
			r.git("config", "remote.origin.lfsurl", "http://someone:pass@"+host+"/team/repo.git/info/lfs")
		}},
		"netrc": {basic, func(t *testing.T, r repo, s *lfsOf, _ string) {
			r.git("remote", "add", "origin", s.URL+"/team/repo")
			t.Setenv("HOME", t.TempDir())
			text := "machine example.com login other password no\nmachine 127.0.0.1\n  login someone\n  password pass\ndefault login x password y\n"
			if err := os.WriteFile(filepath.Join(os.Getenv("HOME"), ".netrc"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"a credential helper": {basic, func(t *testing.T, r repo, s *lfsOf, _ string) {
			r.git("remote", "add", "origin", s.URL+"/team/repo")
			global(t, r, "[credential]\n\thelper = \"!f() { test $1 = get && echo username=someone && echo password=pass; }; f\"\n")
		}},
		"a credential helper, after a header that is no more good": {basic, func(t *testing.T, r repo, s *lfsOf, _ string) {
			r.git("remote", "add", "origin", s.URL+"/team/repo")
			r.git("config", "http.extraheader", "Authorization: bearer old")
			global(t, r, "[credential]\n\thelper = \"!f() { test $1 = get && echo username=someone && echo password=pass; }; f\"\n")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HOME", t.TempDir())
			r, s := lfsRepo(t, pointerTo), newLFS(t, lfsModel, lfsNotebook)
			s.want = tc.want
			tc.set(t, r, s, strings.TrimPrefix(s.URL, "http://"))
			c, err := OpenCommit(t.Context(), r.dir, CommitOptions{HTTP: http.DefaultTransport})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Build(t.Context(), c, BuildOptions{Project: lfsProject(), Store: newStore(t)}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLFSNoForeignSignIn: a commit can name a server; nothing that is meant for another host goes there.
func TestLFSNoForeignSignIn(t *testing.T) {
	r, s := lfsRepo(t, pointerTo), newLFS(t, lfsModel, lfsNotebook)
	t.Setenv("HOME", t.TempDir())
	if err := os.WriteFile(filepath.Join(os.Getenv("HOME"), ".netrc"), []byte("default login someone password pass\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.git("remote", "add", "origin", "https://someone:pass@git.example.com/team/repo.git")
	r.git("config", "http.extraheader", "Authorization: bearer abc")
	r.git("config", "http.https://git.example.com/.extraheader", "Authorization: bearer abc")
	r.git("config", "credential.https://git.example.com.helper", "!f() { echo username=someone; echo password=pass; }; f")
	r.write(map[string]string{".lfsconfig": "[lfs]\n\turl = " + s.URL + "/team/repo.git/info/lfs\n"})
	r.commit("lfsconfig")
	if _, err := buildLFS(t, r, newStore(t)); err != nil { // s takes nobody who signs in
		t.Error(err)
	}
}

// TestLFSTroubles: a download that is cut off goes on; what a server refuses or mangles ends the build, and says what to do
// and no secret.
func TestLFSTroubles(t *testing.T) {
	// bytesOnly lets batches through.
	bytesOnly := func(do func(w http.ResponseWriter, r *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasPrefix(r.URL.Path, "/bytes/") && do(w, r)
		}
	}
	status := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "hidden words of a proxy", code)
			return true
		}
	}
	cutOff := func(w http.ResponseWriter, whole string) {
		w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
		_, _ = w.Write([]byte(whole[:len(whole)/2]))
		panic(http.ErrAbortHandler)
	}
	once := true
	for name, tc := range map[string]struct {
		fault func(s *lfsOf) func(http.ResponseWriter, *http.Request) bool
		want  string // "": it is built
	}{
		"cut off once": {func(s *lfsOf) func(http.ResponseWriter, *http.Request) bool {
			return bytesOnly(func(w http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, strings.TrimPrefix(digestOf([]byte(lfsModel)), digestPrefix)) && once {
					once = false
					cutOff(w, lfsModel)
				}
				return false
			})
		}, ""},
		"cut off, and ranges are not known": {func(s *lfsOf) func(http.ResponseWriter, *http.Request) bool {
			cut := map[string]bool{}
			return bytesOnly(func(w http.ResponseWriter, r *http.Request) bool {
				whole := s.objects[strings.TrimPrefix(r.URL.Path, "/bytes/")]
				if !cut[whole] {
					cut[whole] = true
					cutOff(w, whole)
				}
				_, _ = w.Write([]byte(whole))
				return true
			})
		}, ""},
		"always short": {func(s *lfsOf) func(http.ResponseWriter, *http.Request) bool {
			return bytesOnly(func(w http.ResponseWriter, r *http.Request) bool {
				_, _ = w.Write([]byte("short"))
				return true
			})
		}, "it ends after 5 of 41 bytes: run git lfs fetch origin "},
		"the batch, 403":    {func(*lfsOf) func(http.ResponseWriter, *http.Request) bool { return status(403) }, "wants another sign-in than this clone has (403 Forbidden): run git lfs fetch origin "},
		"the batch, 404":    {func(*lfsOf) func(http.ResponseWriter, *http.Request) bool { return status(404) }, "is it the repository's git LFS server? run git lfs fetch origin "},
		"the batch, 429":    {func(*lfsOf) func(http.ResponseWriter, *http.Request) bool { return status(429) }, "answered 429 Too Many Requests: run git lfs fetch origin "},
		"the batch, 503":    {func(*lfsOf) func(http.ResponseWriter, *http.Request) bool { return status(503) }, "answered 503 Service Unavailable: run git lfs fetch origin "},
		"the download, 401": {func(*lfsOf) func(http.ResponseWriter, *http.Request) bool { return bytesOnly(status(401)) }, "downloading it: 127.0.0.1"},
		"the download, 500": {func(*lfsOf) func(http.ResponseWriter, *http.Request) bool { return bytesOnly(status(500)) }, "answered 500 Internal Server Error: run git lfs fetch origin "},
		"the batch, a page": {func(*lfsOf) func(http.ResponseWriter, *http.Request) bool { return status(200) }, "it does not answer as a git LFS server: run git lfs fetch origin "},
		"an address of none": {func(*lfsOf) func(http.ResponseWriter, *http.Request) bool {
			return says(`{"actions":{"download":{"href":"file:///hidden"}}}`)
		}, "the server gave no proper address for it"},
		"an object's 403": {func(*lfsOf) func(http.ResponseWriter, *http.Request) bool {
			return says(`{"error":{"code":403,"message":"hidden"}}`)
		}, "it does not give it (403): run git lfs fetch origin "},
		"nothing of it": {func(*lfsOf) func(http.ResponseWriter, *http.Request) bool { return says(`{}`) }, "its answer says nothing of that object: run git lfs fetch origin "},
	} {
		t.Run(name, func(t *testing.T) {
			r, s := lfsRepo(t, pointerTo), newLFS(t, lfsModel, lfsNotebook)
			s.want = "Basic c29tZW9uZTpwYXNz"
			s.fault = tc.fault(s)
			r.git("remote", "add", "origin", strings.Replace(s.URL, "http://", "http://someone:pass@", 1)+"/team/repo")
			_, err := buildLFS(t, r, newStore(t))
			if tc.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v\nwant %s", err, tc.want)
			}
			for _, secret := range []string{"hidden", "pass", "c29tZW9uZTpwYXNz"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells %q: %v", secret, err)
				}
			}
		})
	}
}

// says answers every batch with one thing about each object.
func says(about string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		var asked bytes.Buffer
		if _, err := asked.ReadFrom(r.Body); err != nil {
			return false
		}
		var objects []string
		for _, part := range strings.Split(asked.String(), `"oid":"`)[1:] {
			objects = append(objects, `{"oid":"`+part[:64]+`",`+strings.TrimPrefix(about, "{"))
		}
		fmt.Fprintf(w, `{"objects":[%s]}`, strings.ReplaceAll(strings.Join(objects, ","), ",}", "}"))
		return true
	}
}
