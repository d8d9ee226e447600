package artifacts

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
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
	}
}

func TestSecrets(t *testing.T) {
	if len(made()) != len(secretRules) {
		t.Fatalf("%d rules, and secrets for %d", len(secretRules), len(made()))
	}
	for what, secret := range made() {
		y := newYard(t)
		quoted, err := json.Marshal("# one\nkey = '" + secret + "'\n")
		if err != nil {
			t.Fatal(err)
		}
		for file, tc := range map[string]struct{ body, at string }{
			"notebooks/helpers.py": {"x = 1\n\nkey = \"" + secret + "\"\n", ":3: "},
			"conf/dev.yml":         {"key: " + secret, ":1: "},
			"notebooks/k.ipynb":    {`{"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "x"}, {"cell_type": "code", "source": ` + string(quoted) + `}]}`, ", cell 2: "},
		} {
			y.git("checkout", "-q", "-B", "with", "main")
			y.write(map[string]string{file: tc.body})
			y.commit("a secret")
			_, err := y.try("")
			if want := file + tc.at + "it holds " + what + ": revoke it"; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v\nwant %s", err, want)
			} else if strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells the secret: %v", err)
			}
		}
		y.git("checkout", "-q", "-B", "with", "main")
		y.write(map[string]string{"notebooks/helpers.py": "key = '" + secret + "'  # barge:allow-secret\n"})
		y.commit("allowed")
		if _, err := y.try(""); err != nil {
			t.Errorf("%s, allowed: %v", what, err)
		}
	}
}

// TestNoSecrets: what only resembles a secret ships.
func TestNoSecrets(t *testing.T) {
	sum := sha512.Sum512([]byte("of no use"))
	digits := hex.EncodeToString(sum[:])
	for _, text := range []string{
		"dapi" + strings.Repeat("0", 32), "dapi" + strings.Repeat("ab12", 8), "rmr-dapi", "x" + "dapi" + digits[:32], "sha256 " + digits[:64],
		"AccountKey=<your key>==", strings.Repeat("A", 86) + "==", base64.StdEncoding.EncodeToString(append(sum[:], sum[:]...)),
		"image = '" + base64.StdEncoding.EncodeToString(sum[:40]) + "'", "sig={signature}", "design=" + strings.Repeat("x1", 30) + "=",
		"-----BEGIN " + "PUBLIC KEY-----", "ghp_short",
	} {
		if found := findSecret(Content{File: File{Path: "a.py"}, Body: []byte(text)}); found != nil {
			t.Errorf("%q was taken for %s", text, found.what)
		}
	}
}
