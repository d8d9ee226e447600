package databricks

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"slices"

	"github.com/bargeml/barge/internal/transport"
)

// CreateScope makes a scope of secrets, kept by Databricks; one that is there is left as it is.
func (w *Workspace) CreateScope(ctx context.Context, scope string) error {
	err := w.do(transport.Default(ctx, transport.Safe), call{
		doing: "making secret scope " + scope, method: http.MethodPost, path: "/api/2.0/secrets/scopes/create",
		in: map[string]string{"scope": scope, "scope_backend_type": "DATABRICKS"},
	})
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// Scopes lists the names of the scopes.
func (w *Workspace) Scopes(ctx context.Context) ([]string, error) {
	var out struct{ Scopes []struct{ Name string } }
	err := w.do(ctx, call{doing: "listing secret scopes", method: http.MethodGet, path: "/api/2.0/secrets/scopes/list", out: &out})
	names := make([]string, 0, len(out.Scopes))
	for _, s := range out.Scopes {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names, err
}

// PutSecret writes a secret, over one of that key. Safe to repeat.
func (w *Workspace) PutSecret(ctx context.Context, scope, key, value string) error {
	return w.do(transport.Default(ctx, transport.Safe), call{
		doing: "writing secret " + scope + "/" + key, method: http.MethodPost, path: "/api/2.0/secrets/put",
		in: map[string]string{"scope": scope, "key": key, "string_value": value},
	})
}

// ListSecretKeys lists the keys of a scope, sorted; values cannot be read. fs.ErrNotExist: no such scope.
func (w *Workspace) ListSecretKeys(ctx context.Context, scope string) ([]string, error) {
	var out struct{ Secrets []struct{ Key string } }
	err := w.do(ctx, call{
		doing: "listing the keys of secret scope " + scope, method: http.MethodGet, path: "/api/2.0/secrets/list",
		query: url.Values{"scope": {scope}}, out: &out,
	})
	keys := make([]string, 0, len(out.Secrets))
	for _, s := range out.Secrets {
		keys = append(keys, s.Key)
	}
	slices.Sort(keys)
	return keys, err
}
