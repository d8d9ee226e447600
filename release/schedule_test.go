package release

import "testing"

func TestSchedulesInWords(t *testing.T) {
	t.Parallel()
	for cron, want := range map[string]string{
		"0 0 2 * * ?":        "every day at 02:00 (UTC)",
		"0 30 3 ? * MON-FRI": "every Monday to Friday at 03:30 (UTC)",
		"0 5 4 ? * mon,thu":  "every Monday, Thursday at 04:05 (UTC)",
		"0 0 6 1 * ?":        "on day 1 of every month at 06:00 (UTC)",
		"0 0 6 L * ? *":      "on the last day of every month at 06:00 (UTC)",
		"0 0/15 * * * ?":     "every day every 15 minutes (UTC)",
		"0 7 * * * ?":        "every day at minute 7 of every hour (UTC)",
		"0 0 0/4 * * ?":      "every day at minute 0 of every 4 hours (UTC)",
		"0 0 2 ? * 6#3":      "0 0 2 ? * 6#3 (UTC)",
		"0 0 2 ? 1 MON":      "0 0 2 ? 1 MON (UTC)",
		"30 0 2 * * ?":       "30 0 2 * * ? (UTC)",
		"0 0 2 1 * ? 2027":   "0 0 2 1 * ? 2027 (UTC)",
		"nonsense":           "nonsense (UTC)",
		"":                   " (UTC)",
	} {
		if got := scheduleInWords(cron, "UTC"); got != want {
			t.Errorf("%q: %q, not %q", cron, got, want)
		}
	}
}
