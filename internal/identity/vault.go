package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// vault reads "VAULT/NAME[/VERSION]" from Key Vault, under azidentity's chain.
func (i *Identities) vault(ctx context.Context, rest string) (string, error) {
	parts := append(strings.Split(rest, "/"), "")
	vault, name, version := parts[0], parts[1], parts[2]
	cred, err := i.chain()
	if err != nil {
		return "", err
	}
	client, err := azsecrets.NewClient("https://"+vault+".vault.azure.net", cred, &azsecrets.ClientOptions{ClientOptions: i.options()})
	if err != nil {
		return "", err
	}
	got, err := client.GetSecret(ctx, name, version, nil)
	var resp *azcore.ResponseError
	switch {
	case errors.As(err, &resp) && resp.StatusCode == http.StatusNotFound:
		return "", fmt.Errorf("vault %s has no such secret or version", vault)
	case errors.As(err, &resp) && resp.StatusCode == http.StatusForbidden:
		return "", fmt.Errorf("vault %s refuses (%s): the secret may be disabled, the vault's network closed, or the right missing (Key Vault Secrets User)",
			vault, or(resp.ErrorCode, "Forbidden"))
	case errors.As(err, &resp):
		return "", fmt.Errorf("vault %s answered %d %s", vault, resp.StatusCode, resp.ErrorCode)
	case err != nil:
		return "", i.plain(err)
	case got.Value == nil || *got.Value == "":
		return "", errors.New("the secret is empty")
	}
	return *got.Value, nil
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
