package effects

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/registry"
)

// Difference is one thing in which a pointer is not as wanted, in words.
type Difference struct {
	What  string `json:"what"`
	Want  string `json:"want"`
	Holds string `json:"holds"`
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: %s, and the ledger says %s", d.What, d.Holds, d.Want)
}

const nothingThere = "nothing"

// Differs compares key by key with what want says.
func (j *Job) Differs(ctx context.Context, want ledger.Value) ([]Difference, error) {
	settings, err := j.settings(ctx)
	if err != nil {
		return nil, err
	}
	if want == ledger.Off || want == ledger.Absent {
		if resting(settings) || settings["schedule"] == nil {
			return nil, nil
		}
		return []Difference{{What: "schedule", Want: "it is paused", Holds: said(settings["schedule"])}}, nil
	}
	if settings == nil {
		return []Difference{{What: fmt.Sprintf("job %d", j.number), Want: "it runs " + j.address.Score, Holds: "there is no such job"}}, nil
	}
	var wanted map[string]any
	if err := want.Decode(&wanted); err != nil {
		return nil, fmt.Errorf("reading the recorded value of %s: %w", j.id, err)
	}
	if _, named := wanted["schedule"]; !named && settings["schedule"] != nil {
		return []Difference{{What: "schedule", Want: nothingThere, Holds: said(settings["schedule"])}}, nil
	}
	j.compared(settings, wanted)
	return differences("", settings, wanted), nil
}

// differences are the places in which got lacks what want says, whatever else it has.
func differences(at string, got, want any) []Difference {
	var all []Difference
	switch want := want.(type) {
	case map[string]any:
		if m, ok := got.(map[string]any); ok {
			for _, key := range slices.Sorted(maps.Keys(want)) {
				if key != neverRead {
					all = append(all, differences(strings.TrimPrefix(at+"."+key, "."), m[key], want[key])...)
				}
			}
			return all
		}
	case []any:
		if l, ok := got.([]any); ok && len(l) == len(want) {
			for i := range want {
				all = append(all, differences(fmt.Sprintf("%s[%s]", at, called(want[i], i)), counterpart(l, want, i), want[i])...)
			}
			return all
		}
	}
	if covers(got, want) {
		return nil
	}
	return []Difference{{What: at, Want: said(want), Holds: said(got)}}
}

// called is how people know an element of a list: a task by its key.
func called(element any, i int) string {
	if key, ok := KeyOf(element); ok {
		return key
	}
	return fmt.Sprint(i)
}

// said is a value in one line.
func said(v any) string {
	if v == nil {
		return nothingThere
	}
	b, err := environments.Canonical(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// Differs says which version stands in the slot instead of the one wanted, and where that one is; or which other version
// the model's tag names.
func (s *Slot) Differs(ctx context.Context, want ledger.Value) ([]Difference, error) {
	version, err := versionOf(want)
	if err != nil {
		return nil, err
	}
	d := Difference{What: s.address.String(), Want: "nothing of ours stands there"}
	stage := ""
	if version != "" {
		if stage, err = s.stage(ctx, version); err != nil {
			return nil, err
		}
		if s.counts(stage) {
			return misnamed(ctx, s.registry, s.address, s.environment, s.memory, version)
		}
		d.Want = "version " + version + " stands there"
	}
	standing, err := s.registry.Holders(ctx, s.address.Model, s.address.Stage)
	if err != nil {
		return nil, s.explain("reading", err)
	}
	var there []string
	for _, v := range standing {
		if value, err := SlotValue(v.Number); version != "" || err == nil && slices.Contains(s.memory.Ever, value) {
			there = append(there, "version "+v.Number)
		}
	}
	switch {
	case version == "" && len(there) == 0:
		return nil, nil
	case len(there) == 0:
		there = []string{nothingThere}
	}
	d.Holds = strings.Join(there, ", ") + " stands there"
	switch {
	case version == "":
	case stage == "":
		d.Holds += "; version " + version + " is gone"
	default:
		d.Holds += "; version " + version + " is in " + stage
	}
	return []Difference{d}, nil
}

// misnamed says that the model's tag names another version than the one that stands where it should: one that this
// environment had before, as a call leaves it that arrives late. No tag is right, too: a version that was given back as it
// was found has none.
func misnamed(ctx context.Context, r registry.Registry, a SlotAddress, environment string, m Memory, version string) ([]Difference, error) {
	tags, err := r.ModelTags(ctx, a.Model)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", a, err)
	}
	key := environmentTag(environment)
	named := tags[key]
	if value, err := SlotValue(named); err != nil || named == version || !slices.Contains(m.Ever, value) {
		return nil, err
	}
	return []Difference{{What: "tag " + key + " of model " + a.Model, Want: "it names version " + version, Holds: "it names version " + named}}, nil
}
