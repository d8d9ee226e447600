//go:build unix

package main

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
)

// signature is what opens a file of a twin without a token.
var signature = regexp.MustCompile(`sig=[0-9a-f]{64}`)

// noSecrets looks for every token and secret in all that the story wrote: on screen, and in every file but those that
// are there to hold them.
func (s *tale) noSecrets(t *testing.T) {
	all := files(t, s.root)
	all["stdout"], all["stderr"] = s.out.String(), s.err.String()
	search(t, all, 4+3) // four twins' tokens, and the registry's in the secrets of three of them
}

// search fails for every secret in the files given, whose number is known.
func search(t *testing.T, all map[string]string, known int) {
	t.Helper()
	secrets, holders := takeOut(t, all)
	if len(secrets) != known {
		t.Fatalf("%d secrets are in play, not %d", len(secrets), known)
	}
	for whose, secret := range secrets {
		if len(secret) < 20 {
			t.Fatalf("the %s is %q", whose, secret)
		}
		if at := holders[whose]; len(leaks(at, secret)) == 0 { // a control: the search finds what is there
			t.Fatalf("the search does not see the %s where it is kept", whose)
		}
		for at, content := range all {
			for _, form := range leaks(content, secret) {
				t.Errorf("%s holds the %s, %s", at, whose, form)
			}
		}
	}
	for at, content := range all {
		if signature.MatchString(content) {
			t.Errorf("%s holds a signed URL", at)
		}
	}
}

// takeOut takes the files that hold secrets out of all, and gives each secret with the content of its file.
func takeOut(t *testing.T, all map[string]string) (secrets, holders map[string]string) {
	t.Helper()
	secrets, holders = map[string]string{}, map[string]string{}
	for at, content := range all {
		_, below, ok := strings.Cut(at, ".barge/sandbox/")
		if !ok {
			continue
		}
		twin, file, _ := strings.Cut(below, "/")
		switch {
		case file == "token":
			secrets["token of "+twin], holders["token of "+twin] = strings.TrimSpace(content), content
		case strings.HasPrefix(file, "secrets/"):
			for key, value := range storedSecrets(t, content) {
				if strings.HasSuffix(key, "-token") {
					secrets[key+" of "+twin], holders[key+" of "+twin] = value, content
				}
			}
		default:
			continue
		}
		delete(all, at)
	}
	return secrets, holders
}

// storedSecrets are the values of a scope's file by their keys.
func storedSecrets(t *testing.T, content string) map[string]string {
	t.Helper()
	var scope struct {
		Secrets map[string]struct {
			Value []byte `json:"value"`
		} `json:"secrets"`
	}
	if err := json.Unmarshal([]byte(content), &scope); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for key, s := range scope.Secrets {
		all[key] = string(s.Value)
	}
	return all
}

// leaks names the forms in which content holds a secret, also where content is packed.
func leaks(content, secret string) []string {
	var found []string
	for i, text := range unpacked(content) {
		for form, looksLike := range disguises(secret) {
			if strings.Contains(text, looksLike) {
				if i > 0 {
					form += ", packed"
				}
				found = append(found, form)
			}
		}
	}
	return found
}

// disguises are the forms in which a secret would be written; base64 at each of the three places where it may begin.
func disguises(secret string) map[string]string {
	all := map[string]string{"as it is": secret, "as hex": hex.EncodeToString([]byte(secret)), "backwards": reversed(secret)}
	for i, form := range []string{"as base64", "as base64, second place", "as base64, third place"} {
		whole := append(make([]byte, i), secret...)
		whole = whole[:len(whole)/3*3]
		coded := base64.StdEncoding.EncodeToString(whole)
		all[form] = coded[4*((i+2)/3):] // the first four characters depend on what stands before
	}
	return all
}

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// unpacked is content, and what is in it if it is packed as git's objects or gzip are.
func unpacked(content string) []string {
	all := []string{content}
	for _, open := range []func(io.Reader) (io.Reader, error){
		func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
		func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	} {
		r, err := open(strings.NewReader(content))
		if err != nil {
			continue
		}
		var plain bytes.Buffer
		if _, err := io.Copy(&plain, r); err == nil {
			all = append(all, plain.String())
		}
	}
	return all
}

func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	const secret = "dapi0123456789abcdef0123456789abcdef"
	var git, layer bytes.Buffer
	z := zlib.NewWriter(&git)
	_, _ = io.WriteString(z, "blob 9\x00token = "+secret)
	_ = z.Close()
	w := gzip.NewWriter(&layer)
	_, _ = io.WriteString(w, "x"+secret)
	_ = w.Close()
	for name, content := range map[string]string{
		"plain": "a " + secret + " b", "a file of git": git.String(), "a layer": layer.String(),
		"base64": base64.StdEncoding.EncodeToString([]byte(secret)), "basic": base64.StdEncoding.EncodeToString([]byte("token:" + secret)),
		"bearer": base64.StdEncoding.EncodeToString([]byte("Bearer " + secret + "\n")), "json": base64.StdEncoding.EncodeToString([]byte("{\"t\":\"" + secret + "\"}")),
	} {
		if len(leaks(content, secret)) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
	if found := leaks("dapi0123456789abcdef0123456789abcde", secret); found != nil {
		t.Errorf("found what is not there: %s", found)
	}
}
