package release

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	number = regexp.MustCompile(`^[0-9]{1,2}$`)
	step   = regexp.MustCompile(`^(?:\*|0)/([0-9]{1,2})$`)
	days   = map[string]string{
		"1": "Sunday", "2": "Monday", "3": "Tuesday", "4": "Wednesday", "5": "Thursday", "6": "Friday", "7": "Saturday",
		"SUN": "Sunday", "MON": "Monday", "TUE": "Tuesday", "WED": "Wednesday", "THU": "Thursday", "FRI": "Friday", "SAT": "Saturday",
	}
)

// scheduleInWords reads the Quartz expressions that people write, "every Monday at 02:00 (UTC)"; any other is given as it
// is.
func scheduleInWords(cron, zone string) string {
	words := cron
	if f := strings.Fields(strings.ToUpper(cron)); len(f) == 6 || len(f) == 7 && f[6] == "*" {
		on, at := onDays(f[3], f[4], f[5]), atTimes(f[0], f[1], f[2])
		if on != "" && at != "" {
			words = strings.TrimSuffix(on+" "+at, " ")
		}
	}
	return fmt.Sprintf("%s (%s)", words, zone)
}

func free(field string) bool { return field == "*" || field == "?" }

func onDays(day, month, weekday string) string {
	switch {
	case month != "*":
	case free(day) && free(weekday):
		return "every day"
	case free(day) && weekdays(weekday) != "":
		return "every " + weekdays(weekday)
	case free(weekday) && day == "L":
		return "on the last day of every month"
	case free(weekday) && number.MatchString(day):
		return "on day " + day + " of every month"
	}
	return ""
}

// weekdays are the days of a list or a range; "" for what is neither.
func weekdays(field string) string {
	join, parts := " to ", strings.Split(field, "-")
	if len(parts) != 2 {
		join, parts = ", ", strings.Split(field, ",")
	}
	for i, part := range parts {
		if parts[i] = days[part]; parts[i] == "" {
			return ""
		}
	}
	return strings.Join(parts, join)
}

func atTimes(second, minute, hour string) string {
	every := step.FindStringSubmatch(minute)
	switch {
	case second != "0":
	case number.MatchString(minute) && number.MatchString(hour):
		return fmt.Sprintf("at %02d:%02d", atoi(hour), atoi(minute))
	case number.MatchString(minute) && hour == "*":
		return fmt.Sprintf("at minute %d of every hour", atoi(minute))
	case number.MatchString(minute) && step.MatchString(hour):
		return fmt.Sprintf("at minute %d of every %s hours", atoi(minute), step.FindStringSubmatch(hour)[1])
	case every != nil && hour == "*":
		return "every " + every[1] + " minutes"
	}
	return ""
}

func atoi(digits string) int {
	n, _ := strconv.Atoi(digits) // it matched
	return n
}
