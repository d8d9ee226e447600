package release

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
)

// ready makes sure, before anything is live, that the release can be switched to and back from: what its runs are to run
// on is there, its registered models are this project's, operators have their rights on models and jobs, and what runs
// now could be returned to.
func (p *place) ready(ctx context.Context, c *candidate, plan *prepared, s ledger.State) error {
	if err := p.machines(ctx, c, plan); err != nil {
		return err
	}
	operators := plan.environment.Operators
	for _, at := range plan.Pointers {
		switch {
		case at.Slot != nil:
			if err := p.site.Claim(ctx, at.Slot.Registry, at.Slot.Model); err != nil {
				return err
			}
			if err := p.site.GrantModel(ctx, at.Slot.Registry, at.Slot.Model, operators); err != nil {
				return err
			}
		case at.Job != nil && s.Job(at.ID) != 0:
			if err := p.site.GrantJob(ctx, s.Job(at.ID), operators); err != nil && !notFound(err) {
				return err
			}
		}
	}
	return p.wayBack(ctx, s)
}

// machines makes sure that the clusters and policies that gates and scores name are there.
func (p *place) machines(ctx context.Context, c *candidate, plan *prepared) error {
	var needs effects.Needs
	for _, g := range plan.environment.Gates {
		on, err := computeOf(c.project, g.Compute)
		if err != nil {
			return fmt.Errorf("gate %s: %w", g.Name, err)
		}
		needs.Compute(on)
	}
	needs.Jobs(plan.Values)
	err := p.site.There(ctx, needs)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return &Stop{
		Why: ErrConflict, Err: err, Next: "name another compute in barge.hcl and build again, or have it made",
		Message: fmt.Sprintf("promoting %s to %s: it could not run", c.Release, p.name),
	}
}

// wayBack makes sure that what runs now can be returned to after the promotion. A folder that was damaged is mended
// where the store still has what was in it.
func (p *place) wayBack(ctx context.Context, s ledger.State) error {
	champion := s.Champion.Release
	if champion.Artifact == "" {
		return nil
	}
	err := p.mendFolder(ctx, s)
	if err == nil {
		err = p.present(ctx, champion.Artifact, s.Champion.Plan)
	}
	if err == nil {
		var needs effects.Needs
		needs.Jobs(s.Champion.Values)
		err = p.site.There(ctx, needs)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return &Stop{
		Why: ErrConflict, Err: err, Next: "put it back, or barge rollback --env " + p.name + " to what can be returned to",
		Message: fmt.Sprintf("from the next release in %s there would be no way back to %s", p.name, champion),
	}
}

// mendFolder sends again what of the champion's folder is not as it was put there: what is in it never changes, and the
// store knows it.
func (p *place) mendFolder(ctx context.Context, s ledger.State) error {
	recorded, err := p.recordedPlan(ctx, s.Champion.Plan)
	if err != nil || recorded == nil {
		return err
	}
	damaged, err := p.site.Damage(ctx, recorded.Folder)
	if err != nil || len(damaged) == 0 {
		return err
	}
	folder, err := p.rendered(ctx, s.Champion.Release.Artifact)
	if err != nil {
		return fmt.Errorf("its folder %s is damaged (%s), and cannot be made again: %w", recorded.Folder, strings.Join(damaged, ", "), err)
	}
	if folder.Path != recorded.Folder {
		return fmt.Errorf("its folder %s is damaged (%s), and would be another one today, since barge.hcl has changed", recorded.Folder, strings.Join(damaged, ", "))
	}
	sent, err := p.site.Deploy(ctx, folder)
	if err == nil {
		p.Note("mended %s: %d files were not as they had been put there", folder.Path, sent)
	}
	return err
}

// rendered is the folder of an artifact of the store as it would be deployed here today.
func (p *place) rendered(ctx context.Context, artifact string) (*effects.Folder, error) {
	c, err := p.open(ctx, artifact)
	if err != nil {
		return nil, err
	}
	e, diags := c.project.Resolve(p.name)
	if diags.HasErrors() {
		return nil, diags
	}
	folder, _, err := p.render(ctx, c, e)
	return folder, err
}

// present makes sure that what the ledger records of a release that was live here is still there: its folder in the
// workspace, and its models in their registries.
func (p *place) present(ctx context.Context, artifact, digest string) error {
	if artifact == "" {
		return nil
	}
	plan, err := p.recordedPlan(ctx, digest)
	if err != nil || plan == nil {
		return err
	}
	there, err := p.site.Deployed(ctx, plan.Folder)
	if err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("its folder %s is gone", plan.Folder)
	}
	manifest, err := p.manifest(ctx, artifact)
	if err != nil {
		return err
	}
	for _, pin := range manifest.Models {
		if !plan.uses(pin) {
			continue
		}
		if err := p.site.Present(ctx, pin); err != nil {
			return err
		}
	}
	return nil
}

// manifest reads the manifest of an artifact that was live here.
func (p *place) manifest(ctx context.Context, artifact string) (artifacts.Manifest, error) {
	document, err := p.site.Recorded(ctx, "artifacts", artifact)
	if err != nil {
		return artifacts.Manifest{}, err
	}
	m, err := artifacts.ReadManifest(document)
	if err != nil {
		return m, err
	}
	if id, err := m.ID(); err != nil || id != artifact {
		return m, fmt.Errorf("the manifest that is kept as artifact %s is that of %s: %w", artifact, id, errors.Join(errTampered, err))
	}
	return m, nil
}

var errTampered = errors.New("it was changed by hand")

// uses tells whether a slot of the plan is the model's.
func (p *Plan) uses(pin artifacts.ModelPin) bool {
	for id := range p.Values {
		if strings.HasPrefix(id, ledger.SlotPrefix+pin.Registry+"/"+pin.Name+"/") {
			return true
		}
	}
	return false
}

// ours refuses a registered model that belongs to another project.
func (p *place) ours(ctx context.Context, pin artifacts.ModelPin) error {
	owner, err := p.site.Claimed(ctx, pin.Registry, pin.Name)
	if err != nil || owner == "" || owner == p.Project.Name {
		return err
	}
	return stop(ErrConflict, "register this project's model under a name of its own",
		"model %s in registry %s belongs to project %q, not to %q", pin.Name, pin.Registry, owner, p.Project.Name)
}
