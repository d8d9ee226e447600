package gates

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Figure is a number as people write it: whole, or with at most four decimals that say something.
func Figure(v float64) string {
	decimals := 4
	if size := math.Abs(v); size > 0 && size < 0.1 {
		decimals += int(-math.Floor(math.Log10(size))) - 1
	}
	if v != v || math.IsInf(v, 0) || decimals > 12 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// valued is a fact's value in the text of a condition: "…, with metrics.accuracy as 0.7878787878787878".
var valued = regexp.MustCompile(` as -?[0-9]+\.[0-9]{5,}`)

// Figures shortens the values in a condition's text, for people. One that would then read like a number of the condition
// stays as it is: it decides.
func Figures(text string) string {
	condition := valued.ReplaceAllString(text, "")
	return valued.ReplaceAllStringFunc(text, func(as string) string {
		v, err := strconv.ParseFloat(strings.TrimPrefix(as, " as "), 64)
		short := Figure(v)
		if err != nil || strings.Contains(condition, short) {
			return as
		}
		return " as " + short
	})
}
