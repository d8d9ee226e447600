package databricks

import (
	"context"
	"net/http"
	"net/url"
)

// Cluster asks whether a cluster is there, running or not; fs.ErrNotExist when it is not.
func (w *Workspace) Cluster(ctx context.Context, id string) error {
	return w.do(ctx, call{
		doing: "looking at cluster " + id, method: http.MethodGet, path: "/api/2.1/clusters/get", query: url.Values{"cluster_id": {id}},
	})
}

// Policy asks whether a cluster policy is there; fs.ErrNotExist when it is not.
func (w *Workspace) Policy(ctx context.Context, id string) error {
	return w.do(ctx, call{
		doing: "looking at cluster policy " + id, method: http.MethodGet, path: "/api/2.0/policies/clusters/get", query: url.Values{"policy_id": {id}},
	})
}
