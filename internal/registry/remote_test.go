package registry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/registry"
	"github.com/bargeml/barge/internal/sandbox/wire"
)

func TestProvision(t *testing.T) {
	scopes, deny := map[string]map[string]string{}, false
	mux := &wire.Mux{}
	mux.JSON("POST /api/2.0/secrets/scopes/create", func(r *http.Request) (any, error) {
		var in struct{ Scope string }
		if err := wire.Decode(r, &in); err != nil {
			return nil, err
		}
		if scopes[in.Scope] != nil {
			return nil, wire.Errorf(400, "RESOURCE_ALREADY_EXISTS", "Scope %s already exists!", in.Scope)
		}
		scopes[in.Scope] = map[string]string{}
		return nil, nil
	})
	mux.JSON("POST /api/2.0/secrets/put", func(r *http.Request) (any, error) {
		var in struct {
			Scope, Key string
			Value      string `json:"string_value"`
		}
		if err := wire.Decode(r, &in); err != nil {
			return nil, err
		}
		if deny {
			return nil, wire.Errorf(403, "PERMISSION_DENIED", "no write permission on scope %s", in.Scope)
		}
		scopes[in.Scope][in.Key] = in.Value
		return nil, nil
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	w := databricks.Open(databricks.Options{
		Name: "prod", Host: server.URL,
		Token: func(context.Context) (string, time.Time, error) { return token, time.Time{}, nil },
	})
	r := registry.Remote{Scope: "rmr", Prefix: "shared", Host: "https://adb-4.4.azuredatabricks.net", Token: "dapi-of-the-registry", WorkspaceID: 6204}
	for range 2 { // a second time changes nothing
		if err := r.Provision(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		want := map[string]map[string]string{"rmr": {
			"shared-host": "https://adb-4.4.azuredatabricks.net", "shared-token": "dapi-of-the-registry", "shared-workspace-id": "6204",
		}}
		if diff := cmp.Diff(want, scopes); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if r.URI() != "databricks://rmr:shared" {
		t.Error(r.URI())
	}
	deny = true
	err := r.Provision(t.Context(), w)
	if !errors.Is(err, databricks.ErrForbidden) || strings.Contains(err.Error(), r.Token) || !strings.HasPrefix(err.Error(), "providing registry databricks://rmr:shared: writing secret rmr/shared-host in workspace prod") {
		t.Errorf("%v", err)
	}
}
