package effects

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/registry"
)

// levels are rights, lowest first; each kind of object knows some of them.
var levels = []string{
	"CAN_READ", "CAN_VIEW", "CAN_RUN", "CAN_MANAGE_RUN", "CAN_EDIT", "CAN_MANAGE_STAGING_VERSIONS", "CAN_MANAGE_PRODUCTION_VERSIONS",
	"CAN_MANAGE", "IS_OWNER",
}

// Grant gives principals rights on a folder of the workspace and all below it. What they have is never taken away.
func (s *Site) Grant(ctx context.Context, folder string, rights map[string]string) error {
	if len(rights) == 0 {
		return nil
	}
	object, err := s.Workspace.Stat(ctx, folder)
	if err == nil {
		err = grant(ctx, s.Workspace, "directories", strconv.FormatInt(object.ID, 10), rights)
	}
	if err != nil {
		return fmt.Errorf("granting rights on %s: %w", folder, err)
	}
	return nil
}

// GrantJob gives operators the right to manage a score's job.
func (s *Site) GrantJob(ctx context.Context, number int64, operators []string) error {
	if err := grant(ctx, s.Workspace, "jobs", strconv.FormatInt(number, 10), every(operators, "CAN_MANAGE")); err != nil {
		return fmt.Errorf("granting operators job %d: %w", number, err)
	}
	return nil
}

// GrantModel gives operators the right to move what says which version of a registered model is live. In Unity Catalog
// that is its owner's, which is not given; an MLflow server knows no rights.
func (s *Site) GrantModel(ctx context.Context, name, model string, operators []string) error {
	r, err := s.Registries(name)
	if err != nil || len(operators) == 0 {
		return err
	}
	switch in := r.Registry.(type) {
	case *registry.Workspace:
		var id string
		if id, err = in.ModelID(ctx, model); err == nil {
			err = grant(ctx, in.In(), "registered-models", id, every(operators, "CAN_MANAGE_PRODUCTION_VERSIONS"))
		}
	case *registry.Unity:
		err = owned(ctx, in, model, operators)
	}
	if err != nil {
		return fmt.Errorf("granting operators model %s: %w", model, err)
	}
	return nil
}

// owned makes sure that the operators own a model of Unity Catalog.
func owned(ctx context.Context, in *registry.Unity, model string, operators []string) error {
	owner, err := in.Owner(ctx, model)
	if err != nil {
		return err
	}
	for _, principal := range operators {
		if _, who, _ := strings.Cut(principal, ":"); who != owner {
			return fmt.Errorf("%s does not own it, and only its owner, %s, can set its aliases; make a group of all who are to, "+
				"let it own the model, and write that group alone as operators: %w", principal, owner, databricks.ErrForbidden)
		}
	}
	return nil
}

func every(principals []string, level string) map[string]string {
	rights := map[string]string{}
	for _, principal := range principals {
		rights[principal] = level
	}
	return rights
}

// grant gives the rights that are missing. A lower right than the one that a principal has would take that away.
func grant(ctx context.Context, w *databricks.Workspace, kind, id string, rights map[string]string) error {
	if len(rights) == 0 {
		return nil
	}
	given, err := w.Permissions(ctx, kind, id)
	if err != nil {
		return err
	}
	var missing []databricks.Grant
	for principal, level := range rights {
		has := slices.ContainsFunc(given, func(g databricks.Grant) bool {
			return g.Principal == principal && slices.Index(levels, g.Level) >= slices.Index(levels, level)
		})
		if !has {
			missing = append(missing, databricks.Grant{Principal: principal, Level: level})
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.SortFunc(missing, func(a, b databricks.Grant) int { return strings.Compare(a.Principal, b.Principal) })
	return w.PatchPermissions(ctx, kind, id, missing)
}

// Provision puts a remote registry's three secrets into the workspace, so that notebooks find it.
func (s *Site) Provision(ctx context.Context, name string) error {
	r, err := s.Registries(name)
	if err != nil || r.Remote == nil {
		return err
	}
	remote, err := r.Secrets(ctx)
	if err != nil {
		return fmt.Errorf("providing registry %s in workspace %s: %w", name, s.Workspace.Name(), err)
	}
	return remote.Provision(ctx, s.Workspace)
}
