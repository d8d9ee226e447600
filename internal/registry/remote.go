package registry

import (
	"context"
	"fmt"
	"strconv"

	"github.com/bargeml/barge/internal/databricks"
)

// Remote says how notebooks of other workspaces reach a registry: by three secrets of theirs, <Prefix>-host, -token
// and -workspace-id, in Scope. The registry's address there is URI.
type Remote struct {
	Scope, Prefix string
	Host          string // of the registry's workspace
	Token         string // a secret
	WorkspaceID   int64
}

// URI is the registry's address in a notebook.
func (r Remote) URI() string { return "databricks://" + r.Scope + ":" + r.Prefix }

// Keys are the keys of the three secrets.
func (r Remote) Keys() []string {
	return []string{r.Prefix + "-host", r.Prefix + "-token", r.Prefix + "-workspace-id"}
}

// Provision puts the three secrets into w, and makes the scope where there is none. Safe to repeat.
func (r Remote) Provision(ctx context.Context, w *databricks.Workspace) error {
	if err := w.CreateScope(ctx, r.Scope); err != nil {
		return fmt.Errorf("providing registry %s: %w", r.URI(), err)
	}
	values := []string{r.Host, r.Token, strconv.FormatInt(r.WorkspaceID, 10)}
	for i, key := range r.Keys() {
		if err := w.PutSecret(ctx, r.Scope, key, values[i]); err != nil {
			return fmt.Errorf("providing registry %s: %w", r.URI(), err)
		}
	}
	return nil
}
