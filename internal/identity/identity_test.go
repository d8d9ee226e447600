package identity

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/transport"
)

// env is an environment of its own.
type env map[string]string

func (e env) get(name string) string { return e[name] }

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("token", "from-a-file\r\n")
	write("empty", "\n")
	for _, tc := range []struct {
		ref  environments.SecretRef
		want string
		err  string
	}{
		{"env:TOKEN", "from-the-environment", ""},
		{"env:NONE", "", "resolving secret env:NONE: environment variable NONE is not set"},
		{"env:SYSTEM_ACCESSTOKEN", "", "resolving secret env:SYSTEM_ACCESSTOKEN: environment variable SYSTEM_ACCESSTOKEN is not set; " +
			"Azure Pipelines hands it only to a step that maps it: env: { SYSTEM_ACCESSTOKEN: $(System.AccessToken) }"},
		{"file:token", "from-a-file", ""},
		{environments.SecretRef("file:" + filepath.Join(dir, "token")), "from-a-file", ""},
		{"file:empty", "", "resolving secret file:empty: the file is empty"},
		{"file:none", "", "no such file"},
		{"dapi-itself", "", `no reference to a secret: write "env:NAME", "file:PATH" or "keyvault://VAULT/NAME"`},
		{"", "", "no reference to a secret"},
	} {
		t.Run(string(tc.ref), func(t *testing.T) {
			redactor := &transport.Redactor{}
			i := New(Options{Dir: dir, Getenv: env{"TOKEN": "from-the-environment"}.get, Redactor: redactor})
			got, err := i.Secret(t.Context(), tc.ref)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "dapi-itself") {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || got != tc.want || redactor.String(got) != transport.Mask {
				t.Errorf("%q, %v; shown as %q", got, err, redactor.String(got))
			}
		})
	}
}

func TestForChecksSettings(t *testing.T) {
	i := New(Options{Getenv: env{}.get})
	for _, tc := range []struct {
		auth environments.Auth
		err  string
	}{
		{environments.Auth{Kind: "magic"}, `auth "magic": no such kind; there are azure-cli, azure-pipelines, client-secret, github-oidc, managed-identity, token, workload-identity`},
		{environments.Auth{Kind: "azure-cli", Settings: map[string]string{"client_id": "x"}}, `auth "azure-cli": it has no setting "client_id"`},
		{environments.Auth{Kind: "token"}, `auth "token": token is missing`},
		{environments.Auth{Kind: "token", Token: "env:X"}, ""},
	} {
		_, err := i.For(&tc.auth)
		if got := errorText(err); got != tc.err {
			t.Errorf("%s: %q, want %q", tc.auth.Kind, got, tc.err)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// What is missing is said at the first token, with where it comes from.
func TestWhatIsMissing(t *testing.T) {
	for _, tc := range []struct {
		name string
		auth environments.Auth
		env  env
		want string
	}{
		{"token", environments.Auth{Kind: "token", Token: "env:TOKEN"}, nil, `auth "token": resolving secret env:TOKEN: environment variable TOKEN is not set`},
		{
			"service connection",
			environments.Auth{Kind: "azure-pipelines"},
			nil,
			`auth "azure-pipelines": service_connection is missing: write it in the auth block or set AZURESUBSCRIPTION_SERVICE_CONNECTION_ID`,
		},
		{
			"pipeline's token",
			environments.Auth{Kind: "azure-pipelines", Settings: map[string]string{"service_connection": "s", "tenant_id": "t", "client_id": "c"}},
			nil,
			`auth "azure-pipelines": resolving secret env:SYSTEM_ACCESSTOKEN: environment variable SYSTEM_ACCESSTOKEN is not set; ` +
				`Azure Pipelines hands it only to a step that maps it: env: { SYSTEM_ACCESSTOKEN: $(System.AccessToken) }`,
		},
		{
			"pipeline",
			environments.Auth{Kind: "azure-pipelines", Settings: map[string]string{"service_connection": "s"}},
			env{"AZURESUBSCRIPTION_TENANT_ID": "t", "AZURESUBSCRIPTION_CLIENT_ID": "c", "SYSTEM_ACCESSTOKEN": "long enough"},
			`auth "azure-pipelines": environment variable SYSTEM_OIDCREQUESTURI is not set: this kind works in a job of Azure Pipelines alone`,
		},
		{"client secret", environments.Auth{Kind: "client-secret", Settings: map[string]string{"tenant_id": "t", "client_id": "c"}}, nil, `auth "client-secret": client_secret is missing`},
		{"tenant", environments.Auth{Kind: "workload-identity"}, nil, `auth "workload-identity": tenant_id is missing: write it in the auth block or set AZURE_TENANT_ID`},
		{
			"federated token",
			environments.Auth{Kind: "workload-identity", Settings: map[string]string{"tenant_id": "t", "client_id": "c"}},
			nil,
			`auth "workload-identity": token_file is missing: write it in the auth block or set AZURE_FEDERATED_TOKEN_FILE`,
		},
		{
			"client",
			environments.Auth{Kind: "github-oidc", Settings: map[string]string{"tenant_id": "t"}},
			nil,
			`auth "github-oidc": client_id is missing: write it in the auth block or set AZURE_CLIENT_ID`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := New(Options{Getenv: tc.env.get}).For(&tc.auth)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = c.Token(t.Context())
			if diff := cmp.Diff(tc.want, errorText(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// entra is a directory that signs in, and the two services that vouch for a job.
type entra struct {
	*httptest.Server
	mu    sync.Mutex
	forms []url.Values
	deny  bool
}

func newEntra(t *testing.T) *entra {
	t.Helper()
	e := &entra{}
	e.Server = httptest.NewTLSServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.Close)
	return e
}

func (e *entra) serve(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	answer := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
		base := e.URL + "/tenant"
		answer(map[string]any{"token_endpoint": base + "/token", "authorization_endpoint": base + "/authorize", "issuer": base})
	case strings.HasSuffix(r.URL.Path, "/token"):
		_ = r.ParseForm()
		e.forms = append(e.forms, r.PostForm)
		if e.deny {
			w.WriteHeader(http.StatusUnauthorized)
			answer(map[string]any{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})
			return
		}
		answer(map[string]any{"access_token": "entra-token", "expires_in": 3600, "token_type": "Bearer"})
	case r.URL.Path == "/github" && r.URL.Query().Get("audience") == "api://AzureADTokenExchange" && r.Header.Get("Authorization") == "Bearer gh-bearer":
		answer(map[string]any{"value": "github-assertion"})
	case r.URL.Path == "/pipelines" && r.URL.Query().Get("serviceConnectionId") == "sc" && r.Header.Get("Authorization") == "Bearer pipeline-token":
		answer(map[string]any{"oidcToken": "pipelines-assertion"})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (e *entra) identities(vars env, redactor *transport.Redactor) *Identities {
	all := env{"AZURE_AUTHORITY_HOST": e.URL + "/", "SECRET": "client-secret-value"}
	for k, v := range vars {
		all[k] = v
	}
	return New(Options{Getenv: all.get, Redactor: redactor, Transport: transport.New(transport.Options{Base: e.Client().Transport})})
}

func TestSignsIn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "federated")
	if err := os.WriteFile(file, []byte("federated-assertion"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := newEntra(t)
	t.Setenv("SYSTEM_OIDCREQUESTURI", e.URL+"/pipelines") // azidentity itself reads it
	both := map[string]string{"tenant_id": "tenant", "client_id": "app"}
	for _, tc := range []struct {
		name  string
		auth  environments.Auth
		env   env
		field string
		want  string
	}{
		{"client secret", environments.Auth{Kind: "client-secret", Settings: both, Token: "env:SECRET"}, nil, "client_secret", "client-secret-value"},
		{"workload identity", environments.Auth{Kind: "workload-identity", Settings: map[string]string{"tenant_id": "tenant", "client_id": "app", "token_file": file}}, nil, "client_assertion", "federated-assertion"},
		{"GitHub", environments.Auth{Kind: "github-oidc"}, env{
			"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "app", "ACTIONS_ID_TOKEN_REQUEST_URL": e.URL + "/github?x=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "gh-bearer",
		}, "client_assertion", "github-assertion"},
		{"Azure Pipelines", environments.Auth{Kind: "azure-pipelines", Settings: map[string]string{"service_connection": "sc"}}, env{
			"AZURESUBSCRIPTION_TENANT_ID": "tenant", "AZURESUBSCRIPTION_CLIENT_ID": "app", "SYSTEM_ACCESSTOKEN": "pipeline-token", "SYSTEM_OIDCREQUESTURI": e.URL + "/pipelines",
		}, "client_assertion", "pipelines-assertion"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e.forms = nil
			redactor := &transport.Redactor{}
			c, err := e.identities(tc.env, redactor).For(&tc.auth)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				token, expiry, err := c.Token(t.Context())
				if err != nil || token != "entra-token" || expiry.Before(time.Now()) {
					t.Fatalf("%q, %s, %v", token, expiry, err)
				}
			}
			if len(e.forms) != 1 || e.forms[0].Get("client_id") != "app" || e.forms[0].Get(tc.field) != tc.want || !strings.Contains(e.forms[0].Get("scope"), Databricks) {
				t.Errorf("asked with %v", e.forms)
			}
			if redactor.String("entra-token") != transport.Mask {
				t.Error("the token would be shown")
			}
		})
	}
}

func TestSignInRefused(t *testing.T) {
	e := newEntra(t)
	e.deny = true
	redactor := &transport.Redactor{}
	c, err := e.identities(nil, redactor).For(&environments.Auth{Kind: "client-secret", Settings: map[string]string{"tenant_id": "tenant", "client_id": "app"}, Token: "env:SECRET"})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Token(t.Context())
	text := errorText(err)
	if !strings.HasPrefix(text, `auth "client-secret": `) || !strings.Contains(text, "AADSTS7000215") || strings.Contains(text, "client-secret-value") || strings.Contains(text, "\n") {
		t.Errorf("%s", text)
	}
}

func TestGitHubWithoutPermission(t *testing.T) {
	e := newEntra(t)
	c, err := e.identities(nil, nil).For(&environments.Auth{Kind: "github-oidc", Settings: map[string]string{"tenant_id": "tenant", "client_id": "app"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = c.Token(t.Context()); !strings.Contains(errorText(err), "permissions: { id-token: write }") {
		t.Errorf("%v", err)
	}
}

// tokens is a credential that hands out one after the other.
type tokens struct {
	now   func() time.Time
	given int
}

func (c *tokens) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.given++
	return azcore.AccessToken{Token: strings.Repeat("t", c.given+4), ExpiresOn: c.now().Add(time.Hour)}, nil
}

func TestTokenIsRenewedBeforeItsEnd(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	i := New(Options{Now: func() time.Time { return now }})
	source := &tokens{now: i.o.Now}
	i.chain = func() (azcore.TokenCredential, error) { return source, nil }
	c, err := i.For(nil)
	if err != nil {
		t.Fatal(err)
	}
	var given []int
	for _, later := range []time.Duration{0, 54 * time.Minute, 2 * time.Minute, 10 * time.Minute} {
		now = now.Add(later)
		if _, _, err := c.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		given = append(given, source.given)
	}
	if diff := cmp.Diff([]int{1, 1, 2, 2}, given); diff != "" {
		t.Errorf("tokens asked for (-want +got):\n%s", diff)
	}
}

// vaults sends every request to one server, whatever host it names.
type vaults struct {
	http.RoundTripper
	host string
}

func (v vaults) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Vault", r.URL.Host)
	r.URL.Host = v.host
	return v.RoundTripper.RoundTrip(r)
}

func TestKeyVault(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fail := func(status int, code string) {
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "message": "no"}})
		}
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", `Bearer authorization="https://login.example/tenant", resource="https://vault.azure.net"`)
			fail(http.StatusUnauthorized, "Unauthorized")
			return
		}
		switch r.Header.Get("X-Vault") + r.URL.Path {
		case "mlkv.vault.azure.net/secrets/registry-token/":
			_, _ = w.Write([]byte(`{"value":"the latest value","id":"https://mlkv.vault.azure.net/secrets/registry-token/2"}`))
		case "mlkv.vault.azure.net/secrets/registry-token/1":
			_, _ = w.Write([]byte(`{"value":"the first value","id":"https://mlkv.vault.azure.net/secrets/registry-token/1"}`))
		case "mlkv.vault.azure.net/secrets/closed/":
			fail(http.StatusForbidden, "ForbiddenByFirewall")
		default:
			fail(http.StatusNotFound, "SecretNotFound")
		}
	}))
	defer server.Close()
	for _, tc := range []struct {
		ref  environments.SecretRef
		want string
		err  string
	}{
		{"keyvault://mlkv/registry-token", "the latest value", ""},
		{"keyvault://mlkv/registry-token/1", "the first value", ""},
		{"keyvault://mlkv/none", "", "resolving secret keyvault://mlkv/none: vault mlkv has no such secret or version"},
		{"keyvault://mlkv/closed", "", "resolving secret keyvault://mlkv/closed: vault mlkv refuses (ForbiddenByFirewall): " +
			"the secret may be disabled, the vault's network closed, or the right missing (Key Vault Secrets User)"},
	} {
		t.Run(string(tc.ref), func(t *testing.T) {
			redactor := &transport.Redactor{}
			i := New(Options{Redactor: redactor, Transport: vaults{server.Client().Transport, server.Listener.Addr().String()}})
			i.chain = func() (azcore.TokenCredential, error) { return &tokens{now: time.Now}, nil }
			got, err := i.Secret(t.Context(), tc.ref)
			if got != tc.want || errorText(err) != tc.err {
				t.Errorf("%q, %v", got, err)
			}
			if tc.want != "" && redactor.String(tc.want) != transport.Mask {
				t.Error("the value would be shown")
			}
		})
	}
}

func TestKeyVaultWithoutSignIn(t *testing.T) {
	i := New(Options{})
	i.chain = func() (azcore.TokenCredential, error) { return nil, errors.New("run `az login`") }
	_, err := i.Secret(t.Context(), "keyvault://mlkv/x")
	if got := errorText(err); got != "resolving secret keyvault://mlkv/x: run `az login`" {
		t.Error(got)
	}
}
