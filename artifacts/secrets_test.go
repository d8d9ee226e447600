package artifacts

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
)

// made are secrets of every kind, made here: none was ever valid, and none stands in the source.
func made() map[string]string {
	sum := sha512.Sum512([]byte("of no use"))
	digits := hex.EncodeToString(sum[:])
	letters := strings.NewReplacer("+", "a", "/", "b", "=", "c").Replace(base64.StdEncoding.EncodeToString(sum[:]))
	key := base64.StdEncoding.EncodeToString(sum[:])
	return map[string]string{
		"a Databricks token":                         "dapi" + digits[:32] + "-2",
		"a Databricks OAuth secret":                  "dose" + digits[:32],
		"the key of an Azure storage account":        key,
		"the signature of a shared access signature": "https://x.blob.core.windows.net/c?sv=2024&sig=" + strings.ReplaceAll(letters[:43], "a", "%2B") + "%3D",
		"a private key":                              "-----BEGIN RSA " + "PRIVATE KEY-----",
		"a client secret of Microsoft Entra":         letters[:3] + "8Q~" + letters[:34],
		"a GitHub token":                             "ghp_" + letters[:36],
		"a token of Azure DevOps":                    letters[:76] + "AZDO" + letters[:4],
		"the key of a Service Bus or an Event Hub":   "Endpoint=sb://x;SharedAccessKey=" + letters[:43] + "=",
		"a GitLab token":                             "glpat-" + letters[:20],
		"an AWS access key":                          "AKIA" + strings.ToUpper(onlyLetters(letters))[:16],
		"a key of OpenAI or Anthropic":               "sk-proj-" + letters[:48] + "T3BlbkFJ" + letters[:20],
		"a token of Hugging Face":                    "hf_" + onlyLetters(letters)[:34],
		"a key of Google":                            "AIza" + letters[:35],
		"a token of Slack":                           "xoxb-" + letters[:40],
		"a token of PyPI":                            "pypi-AgE" + letters[:70],
		"a signed token (JWT)":                       "eyJ" + letters[:20] + ".eyJ" + letters[:40] + "." + letters[:43],
		"the password of a database":                 "jdbc:sqlserver://h:1433;user=u;password=" + "Hunter" + "2!x;encrypt=true",
		"a password in an address":                   "postgresql://scott:" + "t1ger" + "word@db.example/prod",
	}
}

func onlyLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, s)
}

func TestSecrets(t *testing.T) {
	if len(made()) != len(secretRules) {
		t.Fatalf("%d rules, and secrets for %d", len(secretRules), len(made()))
	}
	y := newYard(t)
	refused := func(want string) string {
		y.commit("secrets")
		_, err := y.try("")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
			return ""
		}
		return err.Error()
	}
	all, allowed := map[string]string{}, map[string]string{}
	for what, secret := range made() {
		name := "notebooks/" + strings.ReplaceAll(what, " ", "_") + ".py"
		all[name], allowed[name] = "x = 1\n\nkey = \""+secret+"\"\n", "key = '"+secret+"'  # barge:allow-secret\n"
	}
	y.write(all)
	said := refused(fmt.Sprintf("%d files of the commit cannot ship", len(all)))
	for what, secret := range made() {
		if want := "notebooks/" + strings.ReplaceAll(what, " ", "_") + ".py:3: it holds " + what + ": revoke it"; !strings.Contains(said, want) {
			t.Errorf("it is not said: %s", want)
		}
		if strings.Contains(said, secret[len(secret)/2:]) {
			t.Errorf("the error tells the secret: %s", said)
		}
	}
	y.write(allowed)
	y.commit("allowed")
	y.build("")

	secret := made()["a Databricks token"]
	quoted, err := json.Marshal("# one\nkey = '" + secret + "'\n")
	if err != nil {
		t.Fatal(err)
	}
	y.write(map[string]string{"notebooks/k.ipynb": `{"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "x"}, {"cell_type": "code", "source": ` + string(quoted) + `}]}`})
	refused("notebooks/k.ipynb, cell 2: it holds a Databricks token")
	y.write(map[string]string{"notebooks/k.ipynb": `{"nbformat": 4, "cells": []}`, "conf/dev.yml": "key: " + secret})
	refused("conf/dev.yml:1: it holds a Databricks token")
}

// TestNoSecrets: what only resembles a secret ships.
func TestNoSecrets(t *testing.T) {
	sum := sha512.Sum512([]byte("of no use"))
	digits := hex.EncodeToString(sum[:])
	letters := strings.NewReplacer("+", "a", "/", "b", "=", "c").Replace(base64.StdEncoding.EncodeToString(sum[:]))
	for _, text := range []string{
		"dapi" + strings.Repeat("0", 32), "dapi" + strings.Repeat("ab12", 8), "rmr-dapi", "x" + "dapi" + digits[:32], "sha256 " + digits[:64],
		"AccountKey=<your key>==", strings.Repeat("A", 86) + "==", base64.StdEncoding.EncodeToString(append(sum[:], sum[:]...)),
		"image = '" + base64.StdEncoding.EncodeToString(sum[:40]) + "'", "sig={signature}", "design=" + strings.Repeat("x1", 30) + "=",
		"-----BEGIN " + "PUBLIC KEY-----", "ghp_short", "sha512-" + base64.StdEncoding.EncodeToString(sum[:]), "AKIAIOSFODNN7EXAMPLE",
		"postgresql://user:password@host/db", "f'postgresql://{u}:{p2345678}@h'", "https://x:${TOKEN123}@h", "http://host:8080/a@b1",
		"f'jdbc:sqlserver://h;user={u};password={p1234567}'", "connect(password=secret_of2(x))", "jdbc:x;password=changeit;", "a;pwd=******;",
		"task-" + letters[:60], "'eyJhbGciOi'.'x'",
	} {
		if found := findSecret(Content{File: File{Path: "a.py"}, Body: []byte(text)}); found != nil {
			t.Errorf("%q was taken for %s", text, found.what)
		}
	}
	if findSecret(Content{File: File{Path: "a.py"}, Body: []byte("dapi" + strings.Repeat("0", 32) + " dapi" + digits[:32])}) == nil {
		t.Error("behind an example, a secret is not seen")
	}
}

// TestSecretInProject: what barge.hcl says ships as well.
func TestSecretInProject(t *testing.T) {
	y := newYard(t)
	token := made()["a Databricks token"]
	for _, file := range []string{"barge.hcl", "computes.barge.hcl"} {
		y.write(map[string]string{file: "# one\n\n  env = { TOKEN = \"" + token + "\" }\n"})
		y.commit("a secret")
		want := file + ":3: it holds a Databricks token: revoke it"
		if _, err := y.try(""); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), token) {
			t.Errorf("got %v\nwant %s", err, want)
		}
		y.write(map[string]string{file: "# \"" + token + "\" barge:allow-secret\n"})
		y.commit("allowed")
	}
	y.build("")
}
