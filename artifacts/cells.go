package artifacts

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// FileChange is a changed file with what changed in it: cells of a notebook, lines of anything else.
type FileChange struct {
	Change
	Cells []CellChange `json:"cells,omitempty"`
	Lines []string     `json:"lines,omitempty"` // a unified diff; of a file that both have
}

// What may become of a cell.
const (
	CellAdded   = "added"
	CellRemoved = "removed"
	CellChanged = "changed"
)

// CellChange is a cell that is not the same in both. Its numbers count from 1; 0 where it is not.
type CellChange struct {
	Change string   `json:"change"`
	Before int      `json:"before,omitempty"`
	After  int      `json:"after,omitempty"`
	Title  string   `json:"title,omitempty"` // its own, or its first line
	Lines  []string `json:"lines"`           // a unified diff
}

// DiffContents compares what ships in two artifacts, and reads the files that are not the same.
func DiffContents(ctx context.Context, a, b *Artifact) (notebooks, config []FileChange, err error) {
	for _, part := range []struct {
		before, after []File
		read          func(*Artifact, []Change) (map[string]Content, error)
		into          *[]FileChange
	}{
		{a.Manifest.Notebooks, b.Manifest.Notebooks, func(x *Artifact, c []Change) (map[string]Content, error) { return contents(x.Notebooks(ctx), c) }, &notebooks},
		{a.Manifest.Config, b.Manifest.Config, func(x *Artifact, c []Change) (map[string]Content, error) { return contents(x.Config(ctx), c) }, &config},
	} {
		*part.into = []FileChange{}
		changes := diffFiles(part.before, part.after)
		before, err := part.read(a, changes)
		if err != nil {
			return nil, nil, fmt.Errorf("comparing %s: %w", a.ID(), err)
		}
		after, err := part.read(b, changes)
		if err != nil {
			return nil, nil, fmt.Errorf("comparing %s: %w", b.ID(), err)
		}
		for _, c := range changes {
			*part.into = append(*part.into, diffContent(c, before[c.Path], after[c.Path]))
		}
	}
	return notebooks, config, nil
}

// contents reads the changed files of an artifact.
func contents(files func(func(Content, error) bool), changes []Change) (map[string]Content, error) {
	out := map[string]Content{}
	if len(changes) == 0 {
		return out, nil
	}
	changed := map[string]bool{}
	for _, c := range changes {
		changed[c.Path] = true
	}
	for c, err := range files {
		if err != nil {
			return nil, err
		}
		if changed[c.Path] {
			out[c.Path] = c
		}
	}
	return out, nil
}

func diffContent(c Change, before, after Content) FileChange {
	f := FileChange{Change: c}
	f.Added, f.Removed = CountLines(before.Body, after.Body)
	if c.Before == "" || c.After == "" || f.Added < 0 {
		return f
	}
	if before.Kind == Notebook && after.Kind == Notebook {
		x, errBefore := Cells(before)
		y, errAfter := Cells(after)
		if errBefore == nil && errAfter == nil {
			f.Cells = diffCells(x, y)
			return f
		}
	}
	f.Lines = unified(string(before.Body), string(after.Body))
	return f
}

// diffCells pairs the cells that are the same in both, in their order. Between two such pairs the cells that are left
// are taken for changed ones, one by one, and what then still is left for added or removed.
func diffCells(x, y []Cell) []CellChange {
	changes := []CellChange{}
	i, j := 0, 0
	upTo := func(m, n int) {
		for ; i < m || j < n; i, j = min(i+1, m), min(j+1, n) {
			c := CellChange{Change: CellChanged, Before: i + 1, After: j + 1}
			var was, is Cell
			switch {
			case i == m:
				c.Change, c.Before, is = CellAdded, 0, y[j]
			case j == n:
				c.Change, c.After, was = CellRemoved, 0, x[i]
			default:
				was, is = x[i], y[j]
			}
			c.Title, c.Lines = cmp.Or(is.called(), was.called()), unified(was.text(), is.text())
			changes = append(changes, c)
		}
	}
	for _, pair := range same(x, y) {
		upTo(pair[0], pair[1])
		i, j = pair[0]+1, pair[1]+1
	}
	upTo(len(x), len(y))
	return changes
}

// called is what people find a cell by: its title, or its first line.
func (c Cell) called() string {
	if c.Title != "" {
		return c.Title
	}
	for line := range strings.Lines(c.Source) {
		line = strings.TrimSpace(line)
		if line == "" || line == "%"+c.Magic {
			continue
		}
		if short := []rune(line); len(short) > 60 {
			line = string(short[:60]) + "…"
		}
		return line
	}
	return ""
}

func (c Cell) text() string {
	if c.Title == "" {
		return c.Source
	}
	return "title: " + c.Title + "\n" + c.Source
}

// same is a longest list of pairs of equal cells in the order of both. Of very long notebooks it takes those alone that
// stand at their beginning and their end.
func same(x, y []Cell) [][2]int {
	var head, tail, middle [][2]int
	lo, endX, endY := 0, len(x), len(y)
	for lo < min(endX, endY) && x[lo] == y[lo] {
		head = append(head, [2]int{lo, lo})
		lo++
	}
	for endX > lo && endY > lo && x[endX-1] == y[endY-1] {
		endX, endY = endX-1, endY-1
		tail = append(tail, [2]int{endX, endY})
	}
	slices.Reverse(tail)
	if n, m := endX-lo, endY-lo; n*m <= 4<<20 {
		middle = commonPairs(x[lo:endX], y[lo:endY])
	}
	for i := range middle {
		middle[i][0], middle[i][1] = middle[i][0]+lo, middle[i][1]+lo
	}
	return slices.Concat(head, middle, tail)
}

// commonPairs is a longest common subsequence.
func commonPairs(x, y []Cell) [][2]int {
	length := make([][]int, len(x)+1)
	for i := range length {
		length[i] = make([]int, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var pairs [][2]int
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i] == y[j]:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// unified is a unified diff without its heading.
func unified(before, after string) []string {
	d := diff.Diff("before", ended(before), "after", ended(after))
	for range 3 {
		_, d, _ = bytes.Cut(d, []byte("\n"))
	}
	return splitLines(d)
}

// ended is a text whose last line ends.
func ended(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(strings.TrimSuffix(text, "\n") + "\n")
}
