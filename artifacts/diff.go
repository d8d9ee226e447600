package artifacts

import (
	"bytes"
	"slices"
	"strings"
)

// Change of one file between two artifacts. A file of the first alone has no After, one of the second alone no Before.
// Added and Removed count lines, and are -1 where the contents were not compared or are no text.
type Change struct {
	Path    string `json:"path"`
	Before  string `json:"before,omitempty"` // sha256
	After   string `json:"after,omitempty"`
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
}

// ModelChange is a model that is another, or in another place, by label.
type ModelChange struct {
	Label     string    `json:"label"`
	Before    *ModelPin `json:"before,omitempty"`
	After     *ModelPin `json:"after,omitempty"`
	SameFiles bool      `json:"same_files"` // the files are the same: only the address changed
}

// diffFiles compares files by their digests alone.
func diffFiles(a, b []File) []Change {
	changes := []Change{}
	old := map[string]File{}
	for _, f := range a {
		old[f.Path] = f
	}
	for _, f := range b {
		was, ok := old[f.Path]
		delete(old, f.Path)
		if !ok || was != f {
			changes = append(changes, Change{Path: f.Path, Before: was.SHA256, After: f.SHA256, Added: -1, Removed: -1})
		}
	}
	for _, f := range old {
		changes = append(changes, Change{Path: f.Path, Before: f.SHA256, Added: -1, Removed: -1})
	}
	slices.SortFunc(changes, func(x, y Change) int { return strings.Compare(x.Path, y.Path) })
	return changes
}

// DiffModels are the models that are not the same in two manifests, by label.
func DiffModels(a, b Manifest) []ModelChange {
	changes := []ModelChange{}
	for _, p := range differing(a, b) {
		c := ModelChange{Label: p.Label, After: &p}
		if was, ok := a.Model(p.Label); ok {
			c.Before, c.SameFiles = &was, was.Digest == p.Digest
		}
		changes = append(changes, c)
	}
	for _, p := range a.Models {
		if _, ok := b.Model(p.Label); !ok {
			changes = append(changes, ModelChange{Label: p.Label, Before: &p})
		}
	}
	slices.SortFunc(changes, func(x, y ModelChange) int { return strings.Compare(x.Label, y.Label) })
	return changes
}

// CountLines says how many lines were added and removed, by a longest common subsequence; -1 for what is no text.
func CountLines(a, b []byte) (added, removed int) {
	if bytes.IndexByte(a, 0) >= 0 || bytes.IndexByte(b, 0) >= 0 {
		return -1, -1
	}
	x, y := splitLines(a), splitLines(b)
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	common := commonLines(x, y)
	return len(y) - common, len(x) - common
}

func splitLines(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// commonLines is the length of the longest common subsequence. Beyond what is quickly compared it settles for the lines
// that both have, whatever their order.
func commonLines(x, y []string) int {
	if len(x)*len(y) > 16<<20 {
		count := map[string]int{}
		for _, l := range x {
			count[l]++
		}
		n := 0
		for _, l := range y {
			if count[l] > 0 {
				count[l]--
				n++
			}
		}
		return n
	}
	row := make([]int, len(y)+1)
	for _, l := range x {
		diagonal := 0
		for j := range y {
			above := row[j+1]
			if l == y[j] {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(y)]
}
