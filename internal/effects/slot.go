package effects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/registry"
)

const archived = "Archived"

// environmentTag is the model's tag that says which version is an environment's champion.
func environmentTag(environment string) string { return "barge.env." + environment }

// Place is a stage of the same model that another environment holds.
type Place struct {
	Environment string `json:"environment"`
	Stage       string `json:"stage"`
}

// SlotAddress is a slot of a registered model: a stage, or an alias. A stage has its neighbours on the same model: a
// version stands in one stage only, so what one environment sets another may lose.
type SlotAddress struct {
	Registry string `json:"registry"`
	Model    string `json:"model"`
	Stage    string `json:"stage,omitempty"`
	Alias    string `json:"alias,omitempty"`
	Archive  bool   `json:"archive_existing,omitempty"`
	// Upstream are the slots of the environments followed; Downstream those of the environments that follow.
	Upstream   []Place `json:"upstream,omitempty"`
	Downstream []Place `json:"downstream,omitempty"`
}

// SlotPointer is the address's pointer.
func SlotPointer(a SlotAddress) Address {
	return Address{ID: ledger.SlotPrefix + a.Registry + "/" + a.Model + "/" + a.slot(), Slot: &a}
}

// slot is as registries know it: "Staging", "@champion".
func (a SlotAddress) slot() string {
	if a.Alias != "" {
		return "@" + a.Alias
	}
	return a.Stage
}

func (a SlotAddress) String() string {
	if a.Alias != "" {
		return "alias " + a.Alias + " of model " + a.Model
	}
	return "stage " + a.Stage + " of model " + a.Model
}

// SlotValue is a version in a slot.
func SlotValue(version string) (ledger.Value, error) { return ledger.ValueOf(version) }

// Slot is the pointer of a model whose registry has stages: which version is live for this environment.
type Slot struct {
	id          string
	registry    registry.Registry
	address     SlotAddress
	environment string
	memory      Memory
}

// ID is the pointer's id.
func (s *Slot) ID() string { return s.id }

// Read gives the version that the model's tag names for this environment when that one is held, else the newest that
// stands in the slot, else Off. Whose version it is the tag says: others may stand there too.
func (s *Slot) Read(ctx context.Context) (ledger.Value, error) {
	tags, err := s.registry.ModelTags(ctx, s.address.Model)
	if err != nil {
		return "", s.explain("reading", err)
	}
	if version := tags[environmentTag(s.environment)]; version != "" {
		held, err := s.held(ctx, version)
		if err != nil {
			return "", err
		}
		if held {
			return SlotValue(version)
		}
	}
	standing, err := s.registry.Holders(ctx, s.address.Model, s.address.Stage)
	if err != nil {
		return "", s.explain("reading", err)
	}
	if len(standing) == 0 {
		return ledger.Off, nil
	}
	return SlotValue(standing[0].Number)
}

// Holds tells whether the version stands in the slot, or in the slot of an environment that follows. Off is held
// when nothing that this environment ever put there stands there.
func (s *Slot) Holds(ctx context.Context, want ledger.Value) (bool, error) {
	version, err := versionOf(want)
	if err != nil {
		return false, err
	}
	if version != "" {
		return s.held(ctx, version)
	}
	different, err := s.Differs(ctx, want)
	return err == nil && len(different) == 0, err
}

// versionOf reads a slot's value; "" is off.
func versionOf(v ledger.Value) (string, error) {
	if v == ledger.Off || v == ledger.Absent {
		return "", nil
	}
	var version string
	if err := v.Decode(&version); err != nil {
		return "", fmt.Errorf("reading a slot's recorded value %s: %w", v, err)
	}
	return version, nil
}

// stage is where a version stands; "" when it is gone.
func (s *Slot) stage(ctx context.Context, version string) (string, error) {
	v, err := s.registry.Resolve(ctx, s.address.Model, version)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", s.explain("reading", err)
	}
	return v.Stage, nil
}

func (s *Slot) held(ctx context.Context, version string) (bool, error) {
	stage, err := s.stage(ctx, version)
	return s.counts(stage), err
}

// counts tells whether a version in that stage is held: it stands in the slot, or in that of an environment that follows.
func (s *Slot) counts(stage string) bool {
	return stage == s.address.Stage || slices.ContainsFunc(s.address.Downstream, func(p Place) bool { return p.Stage == stage })
}

func (s *Slot) explain(doing string, err error) error {
	return fmt.Errorf("%s %s: %w", doing, s.address, err)
}

// Set writes the model's tag, moves the version, and mends what the move pushed out of an upstream slot. A version
// that an environment which follows already holds is not moved: that would take it away there.
func (s *Slot) Set(ctx context.Context, want ledger.Value, right Right) error {
	version, err := versionOf(want)
	if err != nil {
		return err
	}
	if version == "" {
		return s.clear(ctx, right)
	}
	champion := version
	if s.memory.Back {
		champion = "" // what was found here before is nobody's
	}
	if err := s.tag(ctx, champion, right); err != nil {
		return err
	}
	held := false
	if len(s.address.Downstream) > 0 {
		if held, err = s.held(ctx, version); err != nil {
			return err
		}
	}
	if !held {
		if err := s.assign(ctx, version, s.address.Stage, s.address.Archive, right); err != nil {
			return err
		}
	}
	if err := s.sweep(ctx, version, s.memory.Out, right); err != nil {
		return err
	}
	// Last, since it reads again what was swept: of two reads one may be old.
	return s.restoreUpstream(ctx, right)
}

func (s *Slot) tag(ctx context.Context, version string, right Right) error {
	err := s.registry.TagModel(right.under(ctx), s.address.Model, map[string]string{environmentTag(s.environment): version})
	if err != nil {
		return s.explain("setting", err)
	}
	return nil
}

func (s *Slot) assign(ctx context.Context, version, stage string, archive bool, right Right) error {
	a := registry.Assignment{Model: s.address.Model, Version: version, Slot: stage, Archive: archive}
	return s.registry.Assign(right.under(ctx), a)
}

// restoreUpstream puts the versions that upstream environments run back into their slots, where our Set pushed them
// out: archiving in our stage does, when theirs had stood in it.
func (s *Slot) restoreUpstream(ctx context.Context, right Right) error {
	if len(s.address.Upstream) == 0 {
		return nil
	}
	tags, err := s.registry.ModelTags(ctx, s.address.Model)
	if err != nil {
		return s.explain("setting", err)
	}
	for _, up := range s.address.Upstream {
		version := tags[environmentTag(up.Environment)]
		if version == "" {
			continue
		}
		stage, err := s.stage(ctx, version)
		if err != nil {
			return err
		}
		if stage == "" || stage == up.Stage || stage == s.address.Stage {
			continue
		}
		if err := s.assign(ctx, version, up.Stage, false, right); err != nil {
			return err
		}
	}
	return nil
}

// sweep takes the versions of olds that still stand in this slot, but for keep, out of it: into the upstream slot
// whose environment runs them, else to Archived.
func (s *Slot) sweep(ctx context.Context, keep string, olds []ledger.Value, right Right) error {
	seen := map[string]bool{keep: true}
	for _, v := range olds {
		old, err := versionOf(v)
		if err != nil {
			return err
		}
		if old == "" || seen[old] {
			continue
		}
		seen[old] = true
		stage, err := s.stage(ctx, old)
		if err != nil {
			return err
		}
		if stage != s.address.Stage {
			continue
		}
		to, err := s.home(ctx, old)
		if err != nil {
			return err
		}
		if err := s.assign(ctx, old, to, false, right); err != nil {
			return err
		}
	}
	return nil
}

// home is where a version goes that leaves this slot.
func (s *Slot) home(ctx context.Context, version string) (string, error) {
	if len(s.address.Upstream) == 0 {
		return archived, nil
	}
	tags, err := s.registry.ModelTags(ctx, s.address.Model)
	if err != nil {
		return "", s.explain("reading", err)
	}
	for _, up := range s.address.Upstream {
		if tags[environmentTag(up.Environment)] == version {
			return up.Stage, nil
		}
	}
	return archived, nil
}

// clear is Set(Off): the tag says nobody, and all that this environment ever put into the slot leaves it.
func (s *Slot) clear(ctx context.Context, right Right) error {
	if err := s.tag(ctx, "", right); err != nil {
		return err
	}
	return s.sweep(ctx, "", s.memory.Ever, right)
}
