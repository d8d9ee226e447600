package environments

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Duration is a sum of <integer>(w|d|h|m|s), such as "1d12h", kept as it was written; the empty one is not set.
type Duration string

// ParseDuration checks text and returns it as a Duration.
func ParseDuration(text string) (Duration, error) {
	if _, ok := sum(text); !ok {
		return "", fmt.Errorf("%q is no duration: write a sum of <integer>(w|d|h|m|s), such as \"30m\" or \"1d12h\"", text)
	}
	return Duration(text), nil
}

// Or is the duration, or fallback when it is not set.
func (d Duration) Or(fallback time.Duration) time.Duration {
	if total, ok := sum(string(d)); ok {
		return total
	}
	return fallback
}

// UnmarshalText refuses what is no duration.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// sum adds up the parts of text; not ok when text is empty, malformed, or too long for a time.Duration.
func sum(text string) (total time.Duration, ok bool) {
	units := map[byte]time.Duration{'w': 7 * day, 'd': day, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	for rest := text; rest != ""; {
		digits := 0
		for digits < len(rest) && '0' <= rest[digits] && rest[digits] <= '9' {
			digits++
		}
		if digits == len(rest) {
			return 0, false
		}
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		unit := units[rest[digits]]
		if err != nil || unit == 0 || n > int64((math.MaxInt64-total)/unit) {
			return 0, false
		}
		total += time.Duration(n) * unit
		rest = rest[digits+1:]
	}
	return total, text != ""
}
