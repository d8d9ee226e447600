//go:build !windows

package python

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bargeml/barge/internal/sandbox/sandboxtest"
)

const indexHost = "packages.invalid" // no name server knows it: it is reached through the proxy or not at all

// behindProxy is an index of these packages at https://packages.invalid/simple, whose authority nobody knows, and a
// proxy that alone reaches it. It returns the variables that say so, and what the proxy was asked for.
func behindProxy(t *testing.T, packages map[string]string) (environ []string, asked func() []string) {
	t.Helper()
	certificate, authority := issued(t)
	index := httptest.NewUnstartedServer(simpleIndex(wheels(t, packages)))
	index.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	index.StartTLS()
	t.Cleanup(index.Close)
	proxy, asked := sandboxtest.Proxy(t, index.Listener.Addr().String())
	environ = []string{
		"HTTPS_PROXY=" + proxy, "SSL_CERT_FILE=" + authority, "PIP_INDEX_URL=https://" + indexHost + "/simple",
		"PIP_RETRIES=0", "UV_HTTP_RETRIES=0",
	}
	return environ, asked
}

// simpleIndex serves a folder of wheels as a package index does.
func simpleIndex(dir string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, isProject := strings.CutPrefix(r.URL.Path, "/simple/")
		if !isProject {
			http.FileServerFS(os.DirFS(dir)).ServeHTTP(w, r)
			return
		}
		files, err := filepath.Glob(filepath.Join(dir, strings.Trim(name, "/")+"-*.whl"))
		if err != nil || len(files) == 0 {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		for _, file := range files {
			fmt.Fprintf(w, "<a href=\"/%[1]s\">%[1]s</a>\n", filepath.Base(file))
		}
	})
}

// issued makes an authority of its own, as a file, and a certificate of the index by it.
func issued(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	sign := func(c, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) []byte {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, c, by, key.Public(), byKey)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	rootKey, key := newKey(), newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	rootDER := sign(template, template, rootKey, rootKey)
	root, err := x509.ParseCertificate(rootDER)
	if err != nil {
		t.Fatal(err)
	}
	der := sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: indexHost}, DNSNames: []string{indexHost},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}, root, key, rootKey)
	file := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

var proxySettings = []string{
	"PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
	"SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
	"UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL",
}

func TestPipGoesThroughTheProxy(t *testing.T) {
	t.Parallel()
	i := interpreter(t)
	i.cache = t.TempDir()
	through, asked := behindProxy(t, map[string]string{"onething-1.0": ""})
	outside := append(without(slices.Clone(i.environ), proxySettings...), "PIP_CONFIG_FILE=/dev/null")
	i.environ = append(slices.Clone(outside), through...)
	layer, err := i.layer(t.Context(), Twin{}, []string{"onething==1.0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(layer, "lib", "*", "site-packages", "onething.py")); len(found) != 1 {
		t.Errorf("nothing was installed in %s", layer)
	}
	if got := asked(); !slices.Equal(got, []string{"CONNECT " + indexHost + ":443"}) {
		t.Errorf("the proxy was asked for %q", got)
	}
	before := len(asked())
	for name, more := range map[string]string{"no proxy for that host": "NO_PROXY=" + indexHost, "an authority that nobody knows": "SSL_CERT_FILE="} {
		i.environ = append(slices.Clone(outside), append(through, more)...)
		if _, err := i.layer(t.Context(), Twin{}, []string{"onething"}, nil); err == nil {
			t.Errorf("%s: it was installed", name)
		}
	}
	if got := len(asked()); got != before {
		t.Errorf("the proxy was asked again for another host: %q", asked())
	}
}

func TestUVGoesThroughTheProxy(t *testing.T) {
	t.Parallel()
	e := small(t, true)
	through, asked := behindProxy(t, map[string]string{"onething-1.0": "", "dataset-1.0": "somethingold==0.1"})
	e.Environ = append(without(e.Environ, proxySettings...), append(through, "PIP_CONFIG_FILE=/dev/null")...)
	i, err := e.Ensure(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	works(t, i)
	if got := asked(); !slices.Equal(got, []string{"CONNECT " + indexHost + ":443"}) {
		t.Errorf("the proxy was asked for %q", got)
	}
}
