//go:build !windows && !darwin

package main

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/sandbox/sandboxtest"
)

// TestProxy reaches a workspace through a proxy, as HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE say, by the binary itself.
func TestProxy(t *testing.T) {
	t.Parallel()
	workspace := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error_code":"UNAUTHENTICATED","message":"said the workspace"}`)
	}))
	t.Cleanup(workspace.Close)
	authority := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: workspace.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, host string
		environ    []string
		asked      []string
		says       string
	}{
		// example.com is what the certificate of httptest is for; nothing goes there.
		{"through the proxy", "example.com", []string{"SSL_CERT_FILE=" + authority}, []string{"CONNECT example.com:443"}, "said the workspace"},
		{"an authority that nobody knows", "example.com", nil, []string{"CONNECT example.com:443"}, "name its authority's certificate in SSL_CERT_FILE"},
		{"another host", "adb.invalid", []string{"SSL_CERT_FILE=" + authority}, []string{"CONNECT adb.invalid:443"}, "host adb.invalid cannot be reached"},
		{"a host that needs no proxy", "adb.invalid", []string{"SSL_CERT_FILE=" + authority, "NO_PROXY=.invalid"}, nil, "host adb.invalid cannot be reached"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			proxy, asked := sandboxtest.Proxy(t, workspace.Listener.Addr().String())
			dir := t.TempDir()
			config := strings.ReplaceAll(proxied, "HOST", c.host)
			if err := os.WriteFile(filepath.Join(dir, "barge.hcl"), []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("barge", "status", "--env", "prod")
			cmd.Dir = dir
			cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "HTTPS_PROXY=" + proxy, "WORKSPACE_TOKEN=dapi0"}, c.environ...)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.says) {
				t.Errorf("%v, and it does not say %q:\n%s", err, c.says, out)
			}
			if got := asked(); !slices.Equal(got, c.asked) {
				t.Errorf("the proxy was asked for %q, want %q", got, c.asked)
			}
		})
	}
}

const proxied = `
project "churn" {
  store = "oci-layout:.barge/store"
}

artifact {
  notebooks {
    from = "notebooks"
  }
}

workspace "prod" {
  host = "https://HOST"
  auth "token" {
    token = secret("env:WORKSPACE_TOKEN")
  }
}

environment "prod" {
  workspace = workspace.prod
  path      = "/Barge/churn"
}
`
