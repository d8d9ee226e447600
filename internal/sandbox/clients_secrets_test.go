package sandbox_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/workspace"
)

func TestGoSDKSecretsRefused(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	s := workspace.NewSecrets(f.api)
	f.must(s.CreateScope(f.context(), workspace.CreateScope{Scope: "my_scope"}))
	scope := func(c workspace.CreateScope) func(context.Context) error {
		return func(ctx context.Context) error { return s.CreateScope(ctx, c) }
	}
	put := func(p workspace.PutSecret) func(context.Context) error {
		return func(ctx context.Context) error { return s.PutSecret(ctx, p) }
	}
	const invalid, missing, noScope = "400 INVALID_PARAMETER_VALUE ", "404 RESOURCE_DOES_NOT_EXIST ", "404 RESOURCE_DOES_NOT_EXIST Secret Scope does not exist"
	const shape = " is invalid: it must consist of alphanumeric characters, dashes, underscores, and periods, and may not exceed 128 characters"
	absent, wrong := apierr.ErrResourceDoesNotExist, apierr.ErrInvalidParameterValue
	f.refused(
		refusal{"scope twice", scope(workspace.CreateScope{Scope: "my_scope"}), "400 RESOURCE_ALREADY_EXISTS Scope my_scope already exists!", apierr.ErrResourceAlreadyExists},
		refusal{"scope of a wrong name", scope(workspace.CreateScope{Scope: "a/b"}), invalid + `Scope name "a/b"` + shape, wrong},
		refusal{"scope of 129 characters", scope(workspace.CreateScope{Scope: strings.Repeat("x", 129)}), invalid + `Scope name "` + strings.Repeat("x", 129) + `"` + shape, wrong},
		refusal{"managed by another than users", scope(workspace.CreateScope{Scope: "x", InitialManagePrincipal: "ops"}), invalid + "initial_manage_principal must be 'users' or not set, got 'ops'", wrong},
		refusal{
			"empty backend_azure_keyvault", scope(workspace.CreateScope{Scope: "kv", ScopeBackendType: workspace.ScopeBackendTypeAzureKeyvault, BackendAzureKeyvault: &workspace.AzureKeyVaultSecretScopeMetadata{}}),
			invalid + "Missing required fields: backend_azure_keyvault.resource_id, backend_azure_keyvault.dns_name", wrong,
		},
		refusal{"Key Vault with a personal access token", scope(workspace.CreateScope{Scope: "kv", ScopeBackendType: workspace.ScopeBackendTypeAzureKeyvault, BackendAzureKeyvault: &workspace.AzureKeyVaultSecretScopeMetadata{
			ResourceId: "/subscriptions/s", DnsName: "https://v.vault.azure.net/",
		}}), invalid + "Scope with Azure KeyVault must have userAADToken defined!", wrong},
		refusal{"delete of a missing scope", func(ctx context.Context) error { return s.DeleteScopeByScope(ctx, "no") }, noScope, absent},
		refusal{"put into a missing scope", put(workspace.PutSecret{Scope: "no", Key: "k", StringValue: "v"}), noScope, absent},
		refusal{"put of both values", put(workspace.PutSecret{Scope: "my_scope", Key: "k", StringValue: "v", BytesValue: "dg=="}), invalid + "Exactly one of string_value and bytes_value must be given", wrong},
		refusal{"put of an empty value, dropped by the SDK", put(workspace.PutSecret{Scope: "my_scope", Key: "k"}), invalid + "Exactly one of string_value and bytes_value must be given", wrong},
		refusal{"put under a wrong name", put(workspace.PutSecret{Scope: "my_scope", Key: "k 1", StringValue: "v"}), invalid + `Key name "k 1"` + shape, wrong},
		refusal{"more than 128 KB", put(workspace.PutSecret{Scope: "my_scope", Key: "k", StringValue: strings.Repeat("x", 128<<10+1)}), invalid + "The secret's value of 131073 bytes exceeds the maximum of 131072 bytes", wrong},
		refusal{"list of a missing scope", failing(func(ctx context.Context) ([]workspace.SecretMetadata, error) {
			return s.ListSecretsAll(ctx, workspace.ListSecretsRequest{Scope: "no"})
		}), noScope, absent},
		refusal{"get of nothing", failing(func(ctx context.Context) (*workspace.GetSecretResponse, error) {
			return s.GetSecret(ctx, workspace.GetSecretRequest{Scope: "my_scope", Key: "no"})
		}), missing + "Secret does not exist with scope: my_scope and key: no", absent},
		refusal{"delete of nothing", func(ctx context.Context) error {
			return s.DeleteSecret(ctx, workspace.DeleteSecret{Scope: "my_scope", Key: "no"})
		}, missing + "Secret does not exist with scope: my_scope and key: no", absent},
		refusal{"a right that scopes have not", func(ctx context.Context) error {
			return s.PutAcl(ctx, workspace.PutAcl{Scope: "my_scope", Principal: "p", Permission: "CAN_READ"})
		}, invalid + "Permission must be one of READ, WRITE, MANAGE, got 'CAN_READ'", wrong},
		refusal{"rights of nobody", failing(func(ctx context.Context) (*workspace.AclItem, error) {
			return s.GetAcl(ctx, workspace.GetAclRequest{Scope: "my_scope", Principal: "p"})
		}), missing + "Failed to get secret acl for principal p for scope my_scope.", absent},
	)
}

func TestGoSDKSecrets(t *testing.T) {
	t.Parallel()
	f := foreign(t)
	s := workspace.NewSecrets(f.api)
	none, err := s.ListScopesAll(f.context())
	f.must(err)
	same(t, "no scopes", len(none), 0)
	f.must(s.CreateScope(f.context(), workspace.CreateScope{Scope: "rmr", InitialManagePrincipal: "users"}))
	for key, p := range map[string]workspace.PutSecret{
		"rmr-host":  {StringValue: "http://127.0.0.1"},
		"rmr-token": {BytesValue: "/wA="},
		"empty":     {ForceSendFields: []string{"StringValue"}},
	} {
		p.Scope, p.Key = "rmr", key
		f.must(s.PutSecret(f.context(), p))
		f.must(s.PutSecret(f.context(), p)) // overwrites silently
	}
	for key, want := range map[string]string{"rmr-host": "aHR0cDovLzEyNy4wLjAuMQ==", "rmr-token": "/wA=", "empty": ""} {
		got, err := s.GetSecret(f.context(), workspace.GetSecretRequest{Scope: "rmr", Key: key})
		f.must(err)
		same(t, key, got.Value, want)
	}
	f.must(s.DeleteSecret(f.context(), workspace.DeleteSecret{Scope: "rmr", Key: "empty"}))
	listed, err := s.ListSecretsAll(f.context(), workspace.ListSecretsRequest{Scope: "rmr"})
	f.must(err)
	var keys []string
	for _, k := range listed {
		if k.LastUpdatedTimestamp == 0 {
			t.Errorf("%s was never updated", k.Key)
		}
		keys = append(keys, k.Key)
	}
	same(t, "keys", keys, []string{"rmr-host", "rmr-token"})

	for _, level := range []workspace.AclPermission{workspace.AclPermissionRead, workspace.AclPermissionWrite} { // the second overwrites
		f.must(s.PutAcl(f.context(), workspace.PutAcl{Scope: "rmr", Principal: "ops", Permission: level}))
	}
	one, err := s.GetAcl(f.context(), workspace.GetAclRequest{Scope: "rmr", Principal: "ops"})
	f.must(err)
	same(t, "acl", one.Permission, workspace.AclPermissionWrite)
	f.must(s.DeleteAcl(f.context(), workspace.DeleteAcl{Scope: "rmr", Principal: "ops"}))
	acls, err := s.ListAclsAll(f.context(), workspace.ListAclsRequest{Scope: "rmr"})
	f.must(err)
	same(t, "acls", fmt.Sprint(len(acls), acls[0].Principal, acls[0].Permission), "1usersMANAGE")
	f.must(s.DeleteScopeByScope(f.context(), "rmr"))
}
