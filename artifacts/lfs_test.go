package artifacts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bargeml/barge/environments"
)

// lfsOf is a git LFS server in this process.
type lfsOf struct {
	*httptest.Server
	want string // the Authorization that it wants, "" none

	mu      sync.Mutex
	objects map[string]string // by oid
	batches int
	gets    int
	largest int                                               // number of objects that one batch asked for
	fault   func(w http.ResponseWriter, r *http.Request) bool // answers in the server's place, maybe
}

func newLFS(t *testing.T, contents ...string) *lfsOf {
	t.Helper()
	s := &lfsOf{objects: map[string]string{}}
	for _, c := range contents {
		sum := sha256.Sum256([]byte(c))
		s.objects[hex.EncodeToString(sum[:])] = c
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *lfsOf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil && s.fault(w, r) {
		return
	}
	if got := r.Header.Get("Authorization"); got != s.want {
		http.Error(w, "who are you, "+got, http.StatusUnauthorized)
		return
	}
	if oid, ok := strings.CutPrefix(r.URL.Path, "/bytes/"); ok {
		if r.Header.Get("X-Signature") != "s" {
			http.Error(w, "no signature", http.StatusForbidden)
			return
		}
		s.gets++
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(s.objects[oid]))
		return
	}
	var asked struct {
		Operation string
		Objects   []struct {
			OID  string
			Size int64
		}
	}
	if r.URL.Path != "/team/repo.git/info/lfs/objects/batch" || r.Header.Get("Accept") != lfsMediaType || json.NewDecoder(r.Body).Decode(&asked) != nil || asked.Operation != "download" {
		http.NotFound(w, r)
		return
	}
	s.batches++
	s.largest = max(s.largest, len(asked.Objects))
	var out []map[string]any
	for _, o := range asked.Objects {
		answer := map[string]any{"oid": o.OID, "size": o.Size}
		if _, ok := s.objects[o.OID]; ok {
			answer["actions"] = map[string]any{"download": map[string]any{"href": s.URL + "/bytes/" + o.OID + "?sig=hidden", "header": map[string]string{"X-Signature": "s"}}}
		} else {
			answer["error"] = map[string]any{"code": 404, "message": "no such object"}
		}
		out = append(out, answer)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"transfer": "basic", "objects": out})
}

// pointerTo is what git LFS keeps in git for a content.
func pointerTo(content string) string {
	return fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid %s\nsize %d\n", digestOf([]byte(content)), len(content))
}

// inLFS puts a content where `git lfs fetch` does.
func (r repo) inLFS(content string) string {
	r.t.Helper()
	oid := strings.TrimPrefix(digestOf([]byte(content)), digestPrefix)
	name := filepath.Join(r.dir, ".git", "lfs", "objects", oid[:2], oid[2:4], oid)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return name
}

var (
	lfsModel    = "model " + strings.Repeat("0123456789", 1000)
	lfsNotebook = notebook("answer = 42")
)

// lfsProject has a notebook and a model, each maybe in git LFS.
func lfsProject() *environments.Project {
	return &environments.Project{Name: "titanic", Artifact: &environments.Artifact{
		Notebooks: environments.Notebooks{From: "nb"}, Models: []environments.Model{{Label: "m", Path: "models/m.pkl"}},
	}}
}

func lfsRepo(t *testing.T, content func(string) string) repo {
	t.Helper()
	return newRepo(t, map[string]string{"nb/a.py": content(lfsNotebook), "models/m.pkl": content(lfsModel), "barge.hcl": "# none\n"})
}

func buildLFS(t *testing.T, r repo, store *Store) (Release, error) {
	t.Helper()
	c, err := OpenCommit(t.Context(), r.dir, CommitOptions{Ref: "HEAD", HTTP: http.DefaultTransport})
	if err != nil {
		t.Fatal(err)
	}
	return Build(t.Context(), c, BuildOptions{Project: lfsProject(), Store: store})
}

// TestLFS: what git LFS keeps counts as its content, wherever it comes from.
func TestLFS(t *testing.T) {
	want, err := buildLFS(t, lfsRepo(t, func(s string) string { return s }), newStore(t))
	if err != nil {
		t.Fatal(err)
	}
	build := func(t *testing.T, r repo, s *lfsOf) {
		t.Helper()
		store := newStore(t)
		got, err := buildLFS(t, r, store)
		if err != nil || got.ID != want.ID {
			t.Errorf("built %s, %v, want %s as without git LFS", got.ID, err, want.ID)
		}
		if s != nil && (s.gets != 2 || s.batches == 0 || s.batches > 2) {
			t.Errorf("the server was asked for %d objects in %d batches, want 2", s.gets, s.batches)
		}
		if _, err := buildLFS(t, r, store); err != nil {
			t.Errorf("built again: %v", err)
		}
		if s != nil && s.gets != 3 { // the model is in the store by now
			t.Errorf("the server was asked for %d objects in all, want 3", s.gets)
		}
	}
	t.Run("fetched", func(t *testing.T) {
		r := lfsRepo(t, pointerTo)
		r.inLFS(lfsModel)
		r.inLFS(lfsNotebook)
		build(t, r, nil)
	})
	t.Run("fetched elsewhere", func(t *testing.T) {
		r := lfsRepo(t, pointerTo)
		r.inLFS(lfsModel)
		r.inLFS(lfsNotebook)
		to := filepath.Join(t.TempDir(), "objects of all")
		if err := os.Rename(filepath.Join(r.dir, ".git", "lfs"), to); err != nil {
			t.Fatal(err)
		}
		r.git("config", "lfs.storage", to)
		build(t, r, nil)
	})
	server := func(t *testing.T, set func(r repo, s *lfsOf)) func(*testing.T) {
		t.Helper()
		return func(t *testing.T) {
			r, s := lfsRepo(t, pointerTo), newLFS(t, lfsModel, lfsNotebook)
			set(r, s)
			build(t, r, s)
		}
	}
	basic := "Basic c29tZW9uZTpwYXNz" // someone:pass
	address := func(s *lfsOf) string { return strings.Replace(s.URL, "http://", "http://someone:pass@", 1) }
	t.Run("from origin", server(t, func(r repo, s *lfsOf) { r.git("remote", "add", "origin", s.URL+"/team/repo") }))
	t.Run("by lfs.url", server(t, func(r repo, s *lfsOf) {
		r.git("remote", "add", "origin", "git@example.com:team/repo.git")
		r.git("config", "lfs.url", s.URL+"/team/repo.git/info/lfs")
	}))
	t.Run("by .lfsconfig", server(t, func(r repo, s *lfsOf) {
		r.write(map[string]string{".lfsconfig": "[lfs]\n\turl = " + s.URL + "/team/repo.git/info/lfs\n"})
		r.commit("lfsconfig")
	}))
	t.Run("cut off in the clone", server(t, func(r repo, s *lfsOf) {
		r.git("remote", "add", "origin", s.URL+"/team/repo.git")
		if err := os.WriteFile(r.inLFS(lfsModel), []byte("mod"), 0o600); err != nil {
			t.Fatal(err)
		}
	}))
	t.Run("signed in by the address", server(t, func(r repo, s *lfsOf) {
		s.want = basic
		r.git("remote", "add", "origin", address(s)+"/team/repo.git")
	}))
	t.Run("signed in by origin's address", server(t, func(r repo, s *lfsOf) {
		s.want = basic
		r.git("remote", "add", "origin", address(s)+"/other.git")
		r.git("config", "lfs.url", s.URL+"/team/repo.git/info/lfs")
	}))
	t.Run("signed in as a pipeline", server(t, func(r repo, s *lfsOf) {
		s.want = "bearer abc"
		r.git("remote", "add", "origin", s.URL+"/team/repo")
		r.git("config", "http."+s.URL+"/team/.extraheader", "AUTHORIZATION: bearer abc")
		r.git("config", "http."+s.URL+"/tea.extraheader", "AUTHORIZATION: bearer other")
		r.git("config", "http.https://example.com/.extraheader", "AUTHORIZATION: bearer foreign")
	}))
}

// TestLFSLent: objects are found where the clone's other objects are borrowed from, and in a submodule that ships.
func TestLFSLent(t *testing.T) {
	want, err := buildLFS(t, lfsRepo(t, func(s string) string { return s }), newStore(t))
	if err != nil {
		t.Fatal(err)
	}
	r := lfsRepo(t, pointerTo)
	r.inLFS(lfsModel)
	r.inLFS(lfsNotebook)
	shared := repo{t, filepath.Join(t.TempDir(), "shared")}
	r.git("clone", "-q", "--shared", ".", shared.dir)
	if got, err := buildLFS(t, shared, newStore(t)); err != nil || got.ID != want.ID {
		t.Errorf("of a shared clone it is %s, %v, want %s", got.ID, err, want.ID)
	}

	over := newRepo(t, map[string]string{"nb/b.py": notebook("b")})
	over.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "file://"+r.dir, "nb/below")
	over.commit("submodule")
	in := filepath.Join(over.dir, ".git", "modules", "nb", "below", "lfs")
	if err := os.Rename(filepath.Join(r.dir, ".git", "lfs"), in); err != nil {
		t.Fatal(err)
	}
	p := &environments.Project{Name: "p", Artifact: &environments.Artifact{
		Notebooks: environments.Notebooks{From: "nb", Include: []string{"*.py", "below/nb/*.py"}},
	}}
	if _, err := idOf(t, over.dir, "HEAD", p); err != nil {
		t.Errorf("in a submodule: %v", err)
	}
}

// TestLFSRefused: every way in which an object is not to be had ends the build, says how to go on, and tells no secret.
func TestLFSRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		set  func(r repo, s *lfsOf)
		want string
	}{
		"no server":         {func(r repo, _ *lfsOf) { r.inLFS(lfsModel) }, "nb/a.py: reading nb/a.py, which is in git LFS: object sha256:"},
		"no server, hint":   {func(repo, *lfsOf) {}, "there is no remote origin, nor lfs.url, that would name its server: run git lfs fetch origin "},
		"by ssh":            {func(r repo, _ *lfsOf) { r.git("remote", "add", "origin", "git@example.com:team/repo.git") }, "origin is reached by ssh, and only git-lfs asks for git LFS objects by that: run git lfs fetch origin "},
		"unknown object":    {func(r repo, s *lfsOf) { r.git("remote", "add", "origin", s.URL+"/team/repo"); s.objects = nil }, "it has no such object (404): git lfs push origin --object-id "},
		"not signed in":     {func(r repo, s *lfsOf) { r.git("remote", "add", "origin", s.URL+"/team/repo"); s.want = "Basic x" }, "wants another sign-in than this clone has (401 Unauthorized): run git lfs fetch origin "},
		"no git LFS there":  {func(r repo, s *lfsOf) { r.git("remote", "add", "origin", s.URL+"/team/other") }, "is it the repository's git LFS server?"},
		"a proxy's page":    {func(r repo, s *lfsOf) { r.git("config", "lfs.url", s.URL+"/bytes") }, "wants another sign-in"},
		"other bytes there": {func(r repo, s *lfsOf) { r.git("remote", "add", "origin", s.URL+"/team/repo"); s.swap(lfsNotebook) }, "reading git LFS object sha256:"},
		"other bytes here": {func(r repo, _ *lfsOf) {
			r.inLFS(lfsModel)
			if err := os.WriteFile(r.inLFS(lfsNotebook), []byte(strings.ToUpper(lfsNotebook)), 0o600); err != nil {
				r.t.Fatal(err)
			}
		}, "mismatched digest"},
		"a model that is not there": {func(r repo, s *lfsOf) { r.inLFS(lfsNotebook) }, "reading models/m.pkl, which is in git LFS: object sha256:"},
		"not valid":                 {func(r repo, _ *lfsOf) { r.write(map[string]string{".lfsconfig": "[lfs"}); r.commit("bad") }, "reading .lfsconfig: "},
	} {
		t.Run(name, func(t *testing.T) {
			r, s := lfsRepo(t, pointerTo), newLFS(t, lfsModel, lfsNotebook)
			tc.set(r, s)
			store := newStore(t)
			_, err := buildLFS(t, r, store)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v\nwant %s", err, tc.want)
			}
			for _, secret := range []string{"hidden", "Basic", "X-Signature"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells %q: %v", secret, err)
				}
			}
			if all, err := store.List(t.Context()); err != nil || len(all) != 0 {
				t.Errorf("a refused build left %v, %v", all, err)
			}
		})
	}
}

// swap makes the server send other bytes of the same length.
func (s *lfsOf) swap(content string) {
	oid := strings.TrimPrefix(digestOf([]byte(content)), digestPrefix)
	s.objects[oid] = strings.ToUpper(content)
}

func FuzzParsePointer(f *testing.F) {
	f.Add([]byte(pointerTo("x")))
	f.Add([]byte("version https://git-lfs.github.com/spec/v1\noid sha256:\nsize -1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parsePointer(b)
		if ok && (p.size < 0 || !isHex(p.oid(), 32)) {
			t.Errorf("%q was taken for %+v", b, p)
		}
	})
}
