package effects

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/registry"
)

// Alias is the pointer of a model whose registry has aliases. An alias is one environment's alone and names one version
// at most: what another environment does takes nothing out of it, and setting it leaves nobody behind.
type Alias struct {
	id          string
	registry    registry.Aliases
	address     SlotAddress
	environment string
	memory      Memory
}

// ID is the pointer's id.
func (a *Alias) ID() string { return a.id }

// Read gives the version that the alias names, Off where it names none.
func (a *Alias) Read(ctx context.Context) (ledger.Value, error) {
	version, err := a.version(ctx)
	if err != nil || version == "" {
		return ledger.Off, err
	}
	return SlotValue(version)
}

// version is what the alias names; "" is nothing.
func (a *Alias) version(ctx context.Context) (string, error) {
	standing, err := a.registry.Holders(ctx, a.address.Model, a.address.slot())
	if err != nil {
		return "", a.explain("reading", err)
	}
	if len(standing) == 0 {
		return "", nil
	}
	return standing[0].Number, nil
}

func (a *Alias) explain(doing string, err error) error {
	return fmt.Errorf("%s %s: %w", doing, a.address, err)
}

// Holds tells whether the alias names the version. Off is held when it names nothing that this environment ever put there.
func (a *Alias) Holds(ctx context.Context, want ledger.Value) (bool, error) {
	version, err := versionOf(want)
	if err != nil {
		return false, err
	}
	named, err := a.version(ctx)
	if err != nil {
		return false, err
	}
	if version != "" {
		return named == version, nil
	}
	return !a.ours(named), nil
}

// ours tells whether this environment ever put the version there.
func (a *Alias) ours(version string) bool {
	value, err := SlotValue(version)
	return version != "" && err == nil && slices.Contains(a.memory.Ever, value)
}

// Differs says which other version the alias names, or which the model's tag.
func (a *Alias) Differs(ctx context.Context, want ledger.Value) ([]Difference, error) {
	version, err := versionOf(want)
	if err != nil {
		return nil, err
	}
	named, err := a.version(ctx)
	if err != nil {
		return nil, err
	}
	d := Difference{What: a.address.String(), Want: "it names nothing of ours", Holds: "it names nothing"}
	if named != "" {
		d.Holds = "it names version " + named
	}
	switch {
	case version == "" && !a.ours(named):
		return nil, nil
	case version == "":
		return []Difference{d}, nil
	case named == version:
		return misnamed(ctx, a.registry, a.address, a.environment, a.memory, version)
	}
	d.Want = "it names version " + version
	return []Difference{d}, nil
}

// Set writes the model's tag and moves the alias, also where it names the version already. Off takes the alias away if it
// names what this environment put there.
func (a *Alias) Set(ctx context.Context, want ledger.Value, right Right) error {
	version, err := versionOf(want)
	if err != nil {
		return err
	}
	champion := version
	if a.memory.Back {
		champion = "" // what was found here before is nobody's
	}
	tags := map[string]string{environmentTag(a.environment): champion}
	if err := a.registry.TagModel(right.under(ctx), a.address.Model, tags); err != nil {
		return a.explain("setting", err)
	}
	if version != "" {
		return a.registry.Assign(right.under(ctx), registry.Assignment{Model: a.address.Model, Version: version, Slot: a.address.slot()})
	}
	named, err := a.version(ctx)
	if err != nil || !a.ours(named) {
		return err
	}
	return a.registry.Unassign(right.under(ctx), a.address.Model, a.address.slot())
}

// ByHand moves the alias; Off takes it away, if it names what this environment put there.
func (a *Alias) ByHand(ctx context.Context, want ledger.Value) ([]string, error) {
	version, err := versionOf(want)
	if err != nil {
		return nil, err
	}
	if version == "" {
		named, err := a.version(ctx)
		if err != nil || !a.ours(named) {
			return nil, err
		}
	}
	call, err := a.call(version)
	return []string{call}, err
}

// call is the service's own, as it is typed: to the version, or "" to none.
func (a *Alias) call(version string) (string, error) {
	if r, ok := a.registry.(*registry.Unity); ok {
		at := "/api/2.1/unity-catalog/models/" + url.PathEscape(a.address.Model) + "/aliases/" + a.address.Alias
		if version == "" {
			return fmt.Sprintf("DATABRICKS_HOST=%s databricks api delete %s", r.In().Host(), at), nil
		}
		return byHand(r.In(), "put", at, map[string]any{"version_num": json.Number(version)})
	}
	in := map[string]any{"name": a.address.Model, "alias": a.address.Alias}
	method, host := http.MethodDelete, ""
	if version != "" {
		method, in["version"] = http.MethodPost, version
	}
	if r, ok := a.registry.(*registry.MLflow); ok {
		host = r.In().Host()
	}
	body, err := environments.Canonical(in)
	if err != nil {
		return "", fmt.Errorf("encoding a call that moves %s: %w", a.address, err)
	}
	return fmt.Sprintf(`curl -fsS -X %s -H "Authorization: Bearer $MLFLOW_TRACKING_TOKEN" -H 'Content-Type: application/json' -d %s %s/api/2.0/mlflow/registered-models/alias`,
		method, quoted(string(body)), host), nil
}
