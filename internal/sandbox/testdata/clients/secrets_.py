"""Secrets."""

from databricks.sdk.errors import InvalidParameterValue, ResourceAlreadyExists, ResourceDoesNotExist
from databricks.sdk.service.workspace import AclPermission, AzureKeyVaultSecretScopeMetadata, ScopeBackendType

from checks import same


def rows(w):
    s = w.secrets
    s.create_scope("py_scope")
    absent, wrong = ResourceDoesNotExist, InvalidParameterValue
    vault = ScopeBackendType.AZURE_KEYVAULT
    yield "scope twice", ResourceAlreadyExists, "Scope py_scope already exists!", lambda: s.create_scope("py_scope")
    yield (
        "scope of a wrong name",
        wrong,
        'Scope name "a/b" is invalid: it must consist of alphanumeric characters, dashes, underscores, and periods, and may not exceed 128 characters',
        lambda: s.create_scope("a/b"),
    )
    yield (
        "empty backend_azure_keyvault",
        wrong,
        "Missing required fields: backend_azure_keyvault.resource_id, backend_azure_keyvault.dns_name",
        lambda: s.create_scope("kv", scope_backend_type=vault, backend_azure_keyvault=AzureKeyVaultSecretScopeMetadata("", "")),
    )
    yield (
        "Key Vault with a personal access token",
        wrong,
        "Scope with Azure KeyVault must have userAADToken defined!",
        lambda: s.create_scope("kv", scope_backend_type=vault, backend_azure_keyvault=AzureKeyVaultSecretScopeMetadata("https://v.vault.azure.net/", "/subscriptions/s")),
    )
    yield "delete of a missing scope", absent, "Secret Scope does not exist", lambda: s.delete_scope("no")
    yield "put into a missing scope", absent, "Secret Scope does not exist", lambda: s.put_secret("no", "k", string_value="v")
    yield "list of a missing scope", absent, "Secret Scope does not exist", lambda: list(s.list_secrets("no"))
    yield "no value", wrong, "Exactly one of string_value and bytes_value must be given", lambda: s.put_secret("py_scope", "k")
    yield (
        "more than 128 KB",
        wrong,
        "The secret's value of 131073 bytes exceeds the maximum of 131072 bytes",
        lambda: s.put_secret("py_scope", "k", string_value="x" * (128 * 1024 + 1)),
    )
    yield "get of nothing", absent, "Secret does not exist with scope: py_scope and key: no", lambda: s.get_secret("py_scope", "no")
    yield "delete of nothing", absent, "Secret does not exist with scope: py_scope and key: no", lambda: s.delete_secret("py_scope", "no")
    yield "rights of nobody", absent, "Failed to get secret acl for principal p for scope py_scope.", lambda: s.get_acl("py_scope", "p")

    def values():
        s.put_secret("py_scope", "host", string_value="first")
        s.put_secret("py_scope", "host", string_value="http://127.0.0.1")
        same(s.get_secret("py_scope", "host").value, "aHR0cDovLzEyNy4wLjAuMQ==")
        same([(m.key, m.last_updated_timestamp > 0) for m in s.list_secrets("py_scope")], [("host", True)])
        same(w.dbutils.secrets.get("py_scope", "host"), "http://127.0.0.1")

    yield "values", None, None, values

    def acls():
        s.put_acl("py_scope", "ops", AclPermission.READ)
        s.put_acl("py_scope", "ops", AclPermission.WRITE)
        same([(a.principal, a.permission) for a in s.list_acls("py_scope")], [("admin@sandbox.test", AclPermission.MANAGE), ("ops", AclPermission.WRITE)])
        s.delete_acl("py_scope", "ops")

    yield "acls", None, None, acls
    yield "delete", None, None, lambda: s.delete_scope("py_scope")
