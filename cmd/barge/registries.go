package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/registry"
	"github.com/bargeml/barge/internal/sandbox"
)

// registry makes a registry as the workspace of an environment reaches it.
func (h *house) registry(name, from string) (*effects.Registry, error) {
	project, err := h.project()
	if err != nil {
		return nil, err
	}
	r := project.Registry(name)
	if r == nil {
		if h.root != nil {
			return nil, fmt.Errorf("the ledger does not say where registry %q is: go where barge.hcl is, and leave --ledger away", name)
		}
		return nil, fmt.Errorf("registry %q is not in barge.hcl", name)
	}
	if r.Kind == environments.MLflow {
		return h.mlflow(r)
	}
	w, err := h.workspace(r.Workspace)
	if err != nil {
		return nil, err
	}
	out := &effects.Registry{Where: ledger.Where{Kind: r.Kind, Host: w.Host()}}
	switch r.Kind {
	case environments.WorkspaceRegistry:
		out.Registry = registry.NewWorkspace(w)
	case environments.UnityCatalog:
		out.Registry = registry.NewUnity(w)
	default:
		return nil, fmt.Errorf("registry %q is of kind %q, which this barge does not know: use a newer one", name, r.Kind)
	}
	if r.Remote == nil || r.Workspace == from {
		return out, nil
	}
	out.Remote = r.Remote
	out.Secrets = func(ctx context.Context) (registry.Remote, error) { return h.remote(ctx, r, w) }
	return out, nil
}

// mlflow makes the registry of an MLflow server. It has no twin: with --sandbox it must be on this machine.
func (h *house) mlflow(r *environments.Registry) (*effects.Registry, error) {
	if h.root != nil {
		return nil, fmt.Errorf("registry %s is an MLflow server, whose token no ledger has: go where barge.hcl is, and leave --ledger away", r.Name)
	}
	if u, err := url.Parse(r.Host); h.sandbox && (err != nil || net.ParseIP(u.Hostname()) == nil || !net.ParseIP(u.Hostname()).IsLoopback()) {
		return nil, &hintedError{
			fmt.Errorf("registry %s: the sandbox has no twin of an MLflow server, and does not ask the one at %s", r.Name, r.Host),
			"make its host a variable, and give it the address of one on this machine: http://127.0.0.1:5000",
		}
	}
	w := databricks.Open(databricks.Options{
		Name: r.Name, Noun: "MLflow server", Host: r.Host, Transport: h.transport(), Version: version,
		Token: func(ctx context.Context) (string, time.Time, error) {
			if r.Token == "" || h.sandbox { // secrets are not for what stands in for the real one
				return "", time.Time{}, nil
			}
			token, err := h.identities().Secret(ctx, r.Token)
			return token, time.Time{}, err
		},
	})
	return &effects.Registry{Registry: registry.NewMLflow(w), Where: ledger.Where{Kind: r.Kind, Host: w.Host()}}, nil
}

// remote resolves what the three secrets of a remote registry hold.
func (h *house) remote(ctx context.Context, r *environments.Registry, w *databricks.Workspace) (registry.Remote, error) {
	remote := registry.Remote{Scope: r.Remote.Scope, Prefix: r.Remote.Prefix, Host: w.Host()}
	var err error
	if h.sandbox {
		var twin sandbox.TwinStatus
		if twin, err = h.twin(r.Workspace); err == nil {
			remote.Token, _, err = h.twinToken(twin)
		}
	} else {
		remote.Token, err = h.identities().Secret(ctx, r.Remote.Token)
	}
	if err != nil {
		return remote, err
	}
	remote.WorkspaceID, err = w.ID(ctx)
	return remote, err
}
