package effects

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/bargeml/barge/internal/databricks"
)

// Grant gives principals rights on a folder of the workspace and all below it. What they have is never taken away.
func (s *Site) Grant(ctx context.Context, folder string, rights map[string]string) error {
	if len(rights) == 0 {
		return nil
	}
	object, err := s.Workspace.Stat(ctx, folder)
	if err != nil {
		return fmt.Errorf("granting rights on %s: %w", folder, err)
	}
	var grants []databricks.Grant
	for _, principal := range slices.Sorted(maps.Keys(rights)) {
		grants = append(grants, databricks.Grant{Principal: principal, Level: rights[principal]})
	}
	if err := s.Workspace.PatchPermissions(ctx, "directories", strconv.FormatInt(object.ID, 10), grants); err != nil {
		return fmt.Errorf("granting rights on %s: %w", folder, err)
	}
	return nil
}

// GrantJob gives operators the right to manage a score's job.
func (s *Site) GrantJob(ctx context.Context, number int64, operators []string) error {
	if len(operators) == 0 {
		return nil
	}
	var grants []databricks.Grant
	for _, principal := range operators {
		grants = append(grants, databricks.Grant{Principal: principal, Level: "CAN_MANAGE"})
	}
	if err := s.Workspace.PatchPermissions(ctx, "jobs", strconv.FormatInt(number, 10), grants); err != nil {
		return fmt.Errorf("granting operators job %d: %w", number, err)
	}
	return nil
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
