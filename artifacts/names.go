package artifacts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/mod/semver"
)

// names are the release names that the tags on a commit give, the best first: the highest semantic version, then
// whatever is none. Without such a tag it is "g" and twelve digits of the commit. A tag that would give a name that
// no release can have is an error when no other names the commit.
func releaseNames(commit string, tags []string, prefix string) ([]string, error) {
	var names []string
	var refused error
	for _, tag := range tags {
		name, ok := strings.CutPrefix(tag, prefix)
		if !ok || name == "" || endsInLetter(prefix) && unicode.IsLetter([]rune(name)[0]) {
			continue // "vacation" is not version "acation"
		}
		if err := CheckName(name); err != nil {
			refused = errors.Join(refused, fmt.Errorf("tag %s: %w", tag, err))
			continue
		}
		names = append(names, name)
	}
	if len(names) == 0 && refused != nil {
		return nil, refused
	}
	if len(names) == 0 {
		return []string{"g" + commit[:12]}, nil
	}
	slices.SortFunc(names, func(a, b string) int { return -compareNames(a, b) })
	return names, nil
}

func endsInLetter(s string) bool {
	r := []rune(s)
	return len(r) > 0 && unicode.IsLetter(r[len(r)-1])
}

var retrained = whenNeeded(`^(.*?)((?:-m[0-9]+)+)$`)

// compareNames orders names as semantic versions, what is none lower than any, and a retrained release (1.4.0-m18)
// above the one that it was retrained from.
func compareNames(a, b string) int {
	baseA, modelsA := splitName(a)
	baseB, modelsB := splitName(b)
	if c := semver.Compare("v"+baseA, "v"+baseB); c != 0 {
		return c
	}
	if c := cmp.Compare(baseA, baseB); c != 0 {
		return c
	}
	return slices.Compare(modelsA, modelsB)
}

// splitName takes the versions of models off a name.
func splitName(name string) (base string, models []int) {
	m := retrained().FindStringSubmatch(name)
	if m == nil {
		return name, nil
	}
	for version := range strings.SplitSeq(m[2][len("-m"):], "-m") {
		n, err := strconv.Atoi(version)
		if err != nil {
			return name, nil
		}
		models = append(models, n)
	}
	return m[1], models
}

// nameFor settles the name of an artifact made from a commit. A name that already belongs to another artifact of the
// same commit, with another model, gives way to one with the model's version in it: 1.4.0-m18.
func (s *Store) nameFor(ctx context.Context, base, id string, m Manifest, commit string) (string, error) {
	held, err := s.Lookup(ctx, base)
	if errors.Is(err, ErrNoRelease) || err == nil && held == id {
		return base, nil
	}
	if err != nil {
		return "", err
	}
	holder, err := s.Open(ctx, held)
	if err != nil {
		return "", err
	}
	from, err := s.provenanceOf(ctx, held, base)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(from, func(p Provenance) bool { return p.Commit == commit }) {
		return "", s.taken(base, held, id, from)
	}
	if !onlyModelsDiffer(holder.Manifest, m) {
		return "", fmt.Errorf("%w: %s is %s, and the same commit now gives %s: what barge.hcl says depends on a variable or a file that is not in the commit",
			ErrBound, base, held, id)
	}
	for _, name := range []string{base + suffix(m.Models, differing(holder.Manifest, m)), base + suffix(m.Models, m.Models)} {
		other, err := s.Lookup(ctx, name)
		if errors.Is(err, ErrNoRelease) || err == nil && other == id {
			return name, CheckName(name)
		}
		if err != nil {
			return "", err
		}
		held, base = other, name
	}
	return "", s.taken(base, held, id, nil)
}

func (s *Store) taken(name, held, id string, from []Provenance) error {
	made := ""
	if len(from) > 0 {
		made = fmt.Sprintf(" (made from commit %.12s)", from[0].Commit)
	}
	return fmt.Errorf("%w: %s is %s%s and cannot become %s: tag the commit with a new version", ErrBound, name, held, made, id)
}

func onlyModelsDiffer(a, b Manifest) bool {
	a.Models, b.Models = nil, nil
	x, errA := a.ID()
	y, errB := b.ID()
	return errA == nil && errB == nil && x == y
}

// differing are the models of b that a has not or has otherwise.
func differing(a, b Manifest) []ModelPin {
	var out []ModelPin
	for _, p := range b.Models {
		if other, ok := a.Model(p.Label); !ok || other.Digest != p.Digest || other.Version != p.Version || other.Registry != p.Registry || other.Name != p.Name {
			out = append(out, p)
		}
	}
	return out
}

// suffix is "-m" and the version of each of some models, in the order of labels.
func suffix(all, some []ModelPin) string {
	var b strings.Builder
	for _, p := range all {
		if slices.ContainsFunc(some, func(q ModelPin) bool { return q.Label == p.Label }) {
			b.WriteString("-m" + p.Version)
		}
	}
	return b.String()
}
