package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/transport"
)

// kinds are the ways to sign in that an auth block may name. One without make is a token by itself.
var kinds = map[string]struct {
	settings []string
	make     func(*Identities, environments.Auth) (azcore.TokenCredential, error)
}{
	"token":             {},
	"azure-cli":         {[]string{"tenant_id"}, azureCLI},
	"azure-pipelines":   {[]string{"service_connection", "tenant_id", "client_id"}, azurePipelines},
	"client-secret":     {[]string{"tenant_id", "client_id"}, clientSecret},
	"github-oidc":       {[]string{"tenant_id", "client_id"}, gitHub},
	"managed-identity":  {[]string{"client_id"}, managedIdentity},
	"workload-identity": {[]string{"tenant_id", "client_id", "token_file"}, workloadIdentity},
}

// doer is the transport as azcore wants it. Asking for a token changes nothing, so it may be asked for again; azcore
// itself is told not to.
type doer struct{ http.RoundTripper }

func (d doer) Do(r *http.Request) (*http.Response, error) {
	return (&http.Client{Transport: d.RoundTripper}).Do(r.WithContext(transport.Default(r.Context(), transport.Safe)))
}

func (i *Identities) options() policy.ClientOptions {
	o := policy.ClientOptions{Transport: doer{i.o.Transport}, Retry: policy.RetryOptions{MaxRetries: -1}}
	if host := i.authority(); host != "" {
		o.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: host}
	}
	return o
}

// authority is another cloud's sign-in, which the user names as azidentity wants it named.
func (i *Identities) authority() string { return i.o.Getenv("AZURE_AUTHORITY_HOST") }

func (i *Identities) defaultChain() (azcore.TokenCredential, error) {
	c, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
		ClientOptions: i.options(), DisableInstanceDiscovery: i.authority() != "",
	})
	if err != nil {
		return nil, i.plain(err)
	}
	return hinted{c, "run `az login`, or write an auth block for the workspace"}, nil
}

// hinted adds to an error what to do.
type hinted struct {
	azcore.TokenCredential
	hint string
}

func (h hinted) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	t, err := h.TokenCredential.GetToken(ctx, o)
	if err != nil {
		return t, fmt.Errorf("%w; %s", err, h.hint)
	}
	return t, nil
}

func azureCLI(_ *Identities, a environments.Auth) (azcore.TokenCredential, error) {
	c, err := azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: a.Settings["tenant_id"]})
	if err != nil {
		return nil, err
	}
	return hinted{c, "run `az login`"}, nil
}

func azurePipelines(i *Identities, a environments.Auth) (azcore.TokenCredential, error) {
	connection, err := i.setting(a, "service_connection", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")
	if err != nil {
		return nil, err
	}
	tenant, err := i.setting(a, "tenant_id", "AZURESUBSCRIPTION_TENANT_ID")
	if err != nil {
		return nil, err
	}
	client, err := i.setting(a, "client_id", "AZURESUBSCRIPTION_CLIENT_ID")
	if err != nil {
		return nil, err
	}
	ref := a.Token
	if ref == "" {
		ref = "env:SYSTEM_ACCESSTOKEN"
	}
	token, err := i.Secret(context.Background(), ref)
	if err != nil {
		return nil, err
	}
	if i.o.Getenv("SYSTEM_OIDCREQUESTURI") == "" {
		return nil, errors.New("environment variable SYSTEM_OIDCREQUESTURI is not set: this kind works in a job of Azure Pipelines alone")
	}
	return azidentity.NewAzurePipelinesCredential(tenant, client, connection, token, &azidentity.AzurePipelinesCredentialOptions{
		ClientOptions: i.options(), DisableInstanceDiscovery: i.authority() != "",
	})
}

func clientSecret(i *Identities, a environments.Auth) (azcore.TokenCredential, error) {
	tenant, err := i.setting(a, "tenant_id", "AZURE_TENANT_ID")
	if err != nil {
		return nil, err
	}
	client, err := i.setting(a, "client_id", "AZURE_CLIENT_ID")
	if err != nil {
		return nil, err
	}
	if a.Token == "" {
		return nil, errors.New("client_secret is missing")
	}
	secret, err := i.Secret(context.Background(), a.Token)
	if err != nil {
		return nil, err
	}
	return azidentity.NewClientSecretCredential(tenant, client, secret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: i.options(), DisableInstanceDiscovery: i.authority() != "",
	})
}

func managedIdentity(i *Identities, a environments.Auth) (azcore.TokenCredential, error) {
	o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: i.options()}
	if id := a.Settings["client_id"]; id != "" {
		o.ID = azidentity.ClientID(id)
	}
	return azidentity.NewManagedIdentityCredential(o)
}

func workloadIdentity(i *Identities, a environments.Auth) (azcore.TokenCredential, error) {
	tenant, err := i.setting(a, "tenant_id", "AZURE_TENANT_ID")
	if err != nil {
		return nil, err
	}
	client, err := i.setting(a, "client_id", "AZURE_CLIENT_ID")
	if err != nil {
		return nil, err
	}
	file, err := i.setting(a, "token_file", "AZURE_FEDERATED_TOKEN_FILE")
	if err != nil {
		return nil, err
	}
	return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
		ClientOptions: i.options(), TenantID: tenant, ClientID: client, TokenFilePath: file,
		DisableInstanceDiscovery: i.authority() != "",
	})
}

func gitHub(i *Identities, a environments.Auth) (azcore.TokenCredential, error) {
	tenant, err := i.setting(a, "tenant_id", "AZURE_TENANT_ID")
	if err != nil {
		return nil, err
	}
	client, err := i.setting(a, "client_id", "AZURE_CLIENT_ID")
	if err != nil {
		return nil, err
	}
	return azidentity.NewClientAssertionCredential(tenant, client, i.gitHubAssertion, &azidentity.ClientAssertionCredentialOptions{
		ClientOptions: i.options(), DisableInstanceDiscovery: i.authority() != "",
	})
}

// gitHubAssertion asks GitHub for the statement that this job is this job.
func (i *Identities) gitHubAssertion(ctx context.Context) (string, error) {
	address, bearer := i.o.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), i.o.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if address == "" || bearer == "" {
		return "", errors.New("GitHub Actions offers this job no identity; give it permissions: { id-token: write }")
	}
	i.o.Redactor.Add(bearer)
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("reading ACTIONS_ID_TOKEN_REQUEST_URL: %w", err)
	}
	q := u.Query()
	q.Set("audience", "api://AzureADTokenExchange")
	u.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := doer{i.o.Transport}.Do(r)
	if err != nil {
		return "", fmt.Errorf("asking GitHub for this job's identity: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", fmt.Errorf("asking GitHub for this job's identity: %w", err)
	}
	var out struct{ Value string }
	if json.Unmarshal(body, &out) != nil || out.Value == "" || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("asking GitHub for this job's identity: %s answered %s", u.Host, resp.Status)
	}
	i.o.Redactor.Add(out.Value)
	return out.Value, nil
}

// setting reads what the auth block says, or else the environment.
func (i *Identities) setting(a environments.Auth, name, env string) (string, error) {
	if v := a.Settings[name]; v != "" {
		return v, nil
	}
	if v := strings.TrimSpace(i.o.Getenv(env)); v != "" {
		return v, nil
	}
	return "", fmt.Errorf("%s is missing: write it in the auth block or set %s", name, env)
}
