package environments

import (
	"fmt"
	"strings"
)

// didYouMean is a hint that names the candidate nearest to name, in the form that format gives it ("workspace.%s");
// without a near one it lists them, and without any it is empty.
func didYouMean(name, format string, candidates []string) string {
	if len(candidates) == 0 {
		return ""
	}
	if best := nearest(name, candidates); best != "" {
		return fmt.Sprintf("did you mean "+format+"?", best)
	}
	shown := make([]string, len(candidates))
	for i, c := range candidates {
		shown[i] = fmt.Sprintf(format, c)
	}
	if len(shown) == 1 {
		return "there is " + shown[0] + " only"
	}
	return "there are " + listed(shown)
}

// nearest is the first of the candidates with the fewest edits away from name, "" when none is near.
func nearest(name string, candidates []string) string {
	if name == "" {
		return ""
	}
	best, fewest := "", 1+max(1, min(len(name)/3, 4))
	if len(name) > 100 {
		return ""
	}
	for _, c := range candidates {
		if n := edits(strings.ToLower(name), strings.ToLower(c)); n < fewest {
			best, fewest = c, n
		}
	}
	return best
}

// edits counts the insertions, deletions, replacements and swaps of neighbours that make b of a.
func edits(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last := make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := range s {
		row := make([]int, len(t)+1)
		row[0] = i + 1
		for j := range t {
			row[j+1] = min(last[j+1]+1, row[j]+1)
			replaced := last[j]
			if s[i] != t[j] {
				replaced++
			}
			row[j+1] = min(row[j+1], replaced)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(t)]
}

// listed joins words as a sentence does: "a, b and c".
func listed(words []string) string {
	if n := len(words) - 1; n > 0 {
		return strings.Join(words[:n], ", ") + " and " + words[n]
	}
	return strings.Join(words, "")
}
