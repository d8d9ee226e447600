// Package mlflow is the MLflow side of a Databricks twin: one real MLflow server, shared by all twins and kept apart
// by its workspaces, behind a front that speaks Databricks' dialect.
//
// A client never reaches the server itself: it listens on a socket in a private folder, and every call passes the
// front of one twin, which names the workspace. What Databricks has and MLflow lacks (signed URLs, the Files API,
// copies of registered models, model ids, transition requests, Unity Catalog's models) the front keeps itself.
package mlflow

import (
	"context"
	"net/http"
	"net/url"
)

// Backend answers MLflow's own REST API, one workspace of it per twin. *Server is the real one, Light one in memory.
type Backend interface {
	// Do answers one call inside a workspace, which is made when first named. Whatever MLflow answered is an Answer,
	// a refusal too; an error means that no answer was had, and is a *wire.Error when there is a better status than 500.
	Do(ctx context.Context, workspace string, call Call) (Answer, error)
	// Artifacts is the folder that holds a workspace's artifacts as <experiment>/<run>/artifacts and
	// <experiment>/models/<id>/artifacts; empty when the backend keeps none and the front is to find a place.
	Artifacts(workspace string) string
	// Close stops what was started. It is safe to repeat; calls after it fail.
	Close() error
}

// Call is one request to MLflow. Path is what follows /api/, such as "2.0/mlflow/runs/get".
type Call struct {
	Method, Path string
	Query        url.Values
	ContentType  string // empty: JSON
	Body         []byte
}

// Answer is what MLflow said.
type Answer struct {
	Status int
	Body   []byte
}

// OK tells whether the call succeeded.
func (a Answer) OK() bool { return a.Status < http.StatusBadRequest }
