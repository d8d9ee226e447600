package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/bargeml/barge/environments"
)

// Aliases is a registry whose slots are aliases, written "@champion". An alias names one version at most; a version may
// have several. Assign moves it from whichever version has it: Archive says nothing there.
type Aliases interface {
	Registry
	// Unassign takes an alias away, whichever version has it. Safe to repeat.
	Unassign(ctx context.Context, model, slot string) error
}

// alias is the name within a slot.
func alias(model, slot string) (string, error) {
	name, ok := strings.CutPrefix(slot, "@")
	if !ok {
		return "", fmt.Errorf("model %s: %q is no slot of a registry with aliases: write @ALIAS", model, slot)
	}
	if err := environments.CheckAlias(name); err != nil {
		return "", fmt.Errorf("model %s: %q %w", model, slot, err)
	}
	return name, nil
}

// aliased are the questions that find answers with, by what a selector says.
type aliased interface {
	get(ctx context.Context, model, number string) (Version, error)
	holder(ctx context.Context, model, alias string) (Version, error)
	newestOf(ctx context.Context, model string) (Version, bool, error)
	tagged(ctx context.Context, model, key, value string) (Version, bool, error)
	title() string
}

// find finds the version that a selector names in a registry with aliases.
func find(ctx context.Context, r aliased, model, selector string) (Version, error) {
	if _, err := strconv.ParseUint(selector, 10, 63); err == nil {
		return r.get(ctx, model, selector)
	}
	if strings.HasPrefix(selector, "@") {
		name, err := alias(model, selector)
		if err != nil {
			return Version{}, err
		}
		return r.holder(ctx, model, name)
	}
	var v Version
	var found bool
	var err error
	key, value, isTag := strings.Cut(strings.TrimPrefix(selector, "tag:"), "=")
	switch {
	case isTag && strings.HasPrefix(selector, "tag:"):
		v, found, err = r.tagged(ctx, model, key, value)
	case selector == "latest":
		v, found, err = r.newestOf(ctx, model)
	default:
		return Version{}, fmt.Errorf("model %s: %q names no version in %s, which has aliases and no stages: write a number, latest, @ALIAS or tag:KEY=VALUE",
			model, selector, r.title())
	}
	if err == nil && !found {
		err = fmt.Errorf("model %s in %s has no version that is %s: %w", model, r.title(), selector, fs.ErrNotExist)
	}
	return v, err
}

// holders are the versions that an alias names: one, or none.
func holders(ctx context.Context, r aliased, model, slot string) ([]Version, error) {
	name, err := alias(model, slot)
	if err != nil {
		return nil, err
	}
	v, err := r.holder(ctx, model, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []Version{v}, nil
}
