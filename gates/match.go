package gates

import (
	"fmt"
	"time"
)

// Wanted is what evidence must be about to count now.
type Wanted struct {
	Artifact    string
	Environment Environment
	Rules       string
	// Champion is the artifact that the gate is to be compared with now: an id, NoChampion or UnknownChampion.
	Champion string
	Now      time.Time
}

// Mismatch is one reason why evidence does not count.
type Mismatch struct {
	// Field is "artifact", "environment", "workspace", "rules", "champion", "expiry" or "outcome".
	Field string
	Text  string
}

// Matches returns every reason why the evidence does not count for what is wanted; none: it does.
func (e Evidence) Matches(w Wanted) []Mismatch {
	var m []Mismatch
	differ := func(field, is, want string) {
		if is != want {
			m = append(m, Mismatch{field, fmt.Sprintf("gate %s: its evidence is for %s %s, and this is %s", e.Gate, field, named(is), named(want))})
		}
	}
	differ("artifact", e.Subject, w.Artifact)
	differ("environment", e.Environment.Name, w.Environment.Name)
	differ("workspace", e.Environment.workspace(), w.Environment.workspace())
	if e.Rules != w.Rules {
		m = append(m, Mismatch{"rules", fmt.Sprintf("gate %s: its evidence was made under rules %s, and those in force are %s", e.Gate, named(e.Rules), named(w.Rules))})
	}
	// Evidence that could not see the champion is believed where there was none to see.
	if c := e.Champion.Artifact; c != w.Champion && (c != UnknownChampion || w.Champion != NoChampion) {
		m = append(m, Mismatch{"champion", fmt.Sprintf("gate %s: its evidence compares with champion %s of %s, which is %s now", e.Gate, named(c), e.Champion.Environment, named(w.Champion))})
	}
	if e.ExpiresAt != nil && !w.Now.Before(*e.ExpiresAt) {
		m = append(m, Mismatch{"expiry", fmt.Sprintf("gate %s: its evidence expired at %s", e.Gate, e.ExpiresAt.UTC().Format(time.RFC3339))})
	}
	if e.Outcome != Passed {
		m = append(m, Mismatch{"outcome", fmt.Sprintf("gate %s: its evidence says %s", e.Gate, e.Outcome)})
	}
	return m
}

func (e Environment) workspace() string {
	if e.Host == "" && e.WorkspaceID == "" {
		return ""
	}
	return fmt.Sprintf("%s (%s)", e.WorkspaceID, e.Host)
}

func named(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}
