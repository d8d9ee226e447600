package environments

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30m": 30 * time.Minute, "1d12h": 36 * time.Hour, "2w": 14 * 24 * time.Hour, "0s": 0, "90s": 90 * time.Second,
		"1h1h": 2 * time.Hour, "1s1w": 7*24*time.Hour + time.Second, "15250w": 15250 * 7 * 24 * time.Hour,
	} {
		d, err := ParseDuration(text)
		if err != nil || string(d) != text || d.Or(time.Nanosecond) != want {
			t.Errorf("%s: %v, %v, want %v", text, d.Or(time.Nanosecond), err, want)
		}
	}
	for _, text := range []string{
		"", "m", "30", "1.5h", "-1h", "+1h", "1 h", " 1h", "1H", "1ms", "1y", "١h", "15251w", "99999999999999999999s",
		"9223372036s9223372036s", "1h30",
	} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, d.Or(0))
		}
	}
	if got := Duration("").Or(time.Hour); got != time.Hour {
		t.Errorf("not set: %v", got)
	}
}
