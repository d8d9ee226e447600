package artifacts

import (
	"fmt"

	"github.com/agext/levenshtein"
)

// didYouMean is ": did you mean X?" for the nearest of the names, or nothing when none is near.
func didYouMean(wrong string, names []string) string {
	best, nearest := 3, ""
	for _, name := range names {
		if d := levenshtein.Distance(wrong, name, nil); d < best && d < len(wrong) {
			best, nearest = d, name
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %s?", nearest)
}
