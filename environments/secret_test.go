package environments

import (
	"strings"
	"testing"
)

func TestSecretRef(t *testing.T) {
	for text, want := range map[string][2]string{
		"env:TOKEN": {"env", "TOKEN"}, "file:/run/secrets/token": {"file", "/run/secrets/token"}, `file:C:\t`: {"file", `C:\t`},
		"keyvault://mlkv/registry-token": {"keyvault", "mlkv/registry-token"}, "keyvault://mlkv/t/0a1b": {"keyvault", "mlkv/t/0a1b"},
	} {
		ref, err := ParseSecretRef(text)
		if scheme, rest := ref.Split(); err != nil || scheme != want[0] || rest != want[1] {
			t.Errorf("%s: %q %q %v", text, scheme, rest, err)
		}
	}
	for _, text := range []string{
		"", "hunter2", "env:", "env:MY-TOKEN", "env:hunter2 x", "file:", "keyvault:mlkv/t", "keyvault://mlkv", "keyvault://mlkv/",
		"keyvault://kv.vault.azure.net/t", "keyvault://mlkv/t/v/w", "https://h/t", "ENV:X",
	} {
		ref, err := ParseSecretRef(text)
		if err == nil {
			t.Errorf("%q is %q", text, ref)
		} else if text != "" && strings.Contains(err.Error(), text) && text != "env:" && text != "file:" {
			t.Errorf("%q stands in the error", text)
		}
	}
}

// TestNoSecretIsShown: text that stands where a secret belongs is blanked out of every message.
func TestNoSecretIsShown(t *testing.T) {
	for _, line := range []string{
		`token = "hunter2"`, `token = secret("hunter2")`, `token = "a\"hunter2"`, `client_secret = "hunter2`,
		`host = "https://me:hunter2@h.example"`, `parameters = { api_key = "hunter2" }`, `env = { MY_PASSWORD = "hunter2" }`,
		`token = "hunter2" + 1`, `"token" = "hunter2"`,
	} {
		src := "project \"p\" {\n  " + line + "\n}\n"
		for _, block := range []string{`workspace "w" { `, `registry "r" { remote "x" { `, `compute "c" { `} {
			more := block + "\n" + line + "\n" + strings.Repeat("}", strings.Count(block, "{")) + "\n"
			_, diags := load([]source{{mainFile, []byte(src + more)}}, Options{Getenv: nothing})
			var b strings.Builder
			_ = diags.Render(&b, Style{})
			if !diags.HasErrors() || strings.Contains(b.String()+diags.Error(), "hunter2") {
				t.Errorf("%s\n%s", line, b.String())
			}
		}
	}
}
