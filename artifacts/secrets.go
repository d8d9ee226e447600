package artifacts

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// allowSecret on a line says that what looks like a secret there is none.
const allowSecret = "barge:allow-secret" //nolint:gosec // a mark, and no secret

// secretRule knows one kind of secret by its form.
type secretRule struct {
	what  string
	hints []string // one of them is in every text that has such a secret: they are looked for first, for speed
	form  *regexp.Regexp
}

// secretRules are the secrets of this trade, each with a form that nothing else has. What has no form of its own (a
// password) is not found.
var secretRules = []secretRule{
	{"a Databricks token", []string{"dapi"}, regexp.MustCompile(`\bdapi[0-9a-f]{32}(?:-[0-9]+)?\b`)},
	{"a Databricks OAuth secret", []string{"dose"}, regexp.MustCompile(`\bdose[0-9a-f]{32}\b`)},
	{"the key of an Azure storage account", []string{"=="}, regexp.MustCompile(`(?:^|[^A-Za-z0-9+/])[A-Za-z0-9+/]{86}==`)},
	{"the signature of a shared access signature", []string{"sig="}, regexp.MustCompile(`\bsig=[A-Za-z0-9%+/]{43,}(?:=|%3[Dd])`)},
	{"a private key", []string{"PRIVATE KEY"}, regexp.MustCompile(`-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----`)},
	{"a client secret of Microsoft Entra", []string{"Q~"}, regexp.MustCompile(`(?:^|[^A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}(?:[^A-Za-z0-9_~.-]|$)`)},
	{"a GitHub token", []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82})\b`)},
	{"a token of Azure DevOps", []string{"AZDO"}, regexp.MustCompile(`\b[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}\b`)},
}

// secretError says that a file holds a secret, and never which.
type secretError struct {
	what string
	at   string // see reference.at
}

func (e *secretError) Error() string {
	return fmt.Sprintf("it holds %s: revoke it, since git keeps it for ever, and read it with dbutils.secrets.get; where it is none, write # %s at the end of the line",
		e.what, allowSecret)
}

// findSecret gives the first secret of what is to ship; nil when there is none.
func findSecret(c Content) *secretError {
	var rules []secretRule
	for _, r := range secretRules {
		for _, hint := range r.hints {
			if bytes.Contains(c.Body, []byte(hint)) {
				rules = append(rules, r)
				break
			}
		}
	}
	if len(rules) == 0 {
		return nil
	}
	if c.Jupyter() {
		cells, err := jupyterCells(c.Body)
		for _, cell := range cells {
			if what, _ := secretIn(cell.Source, rules); what != "" && err == nil {
				return &secretError{what, fmt.Sprintf(", cell %d", cell.number)}
			}
		}
	}
	if what, line := secretIn(string(c.Body), rules); what != "" {
		return &secretError{what, fmt.Sprintf(":%d", line)}
	}
	return nil
}

// secretIn gives what is found first in a text, and in which line, from 1.
func secretIn(text string, rules []secretRule) (what string, line int) {
	for l := range strings.Lines(text) {
		line++
		if strings.Contains(l, allowSecret) {
			continue
		}
		for _, r := range rules {
			if found := r.form.FindString(strings.TrimRight(l, "\r\n")); found != "" && !placeholder(found) {
				return r.what, line
			}
		}
	}
	return "", 0
}

// placeholder tells what stands for a secret in an example, "dapi0000…", from one: it has few letters over and over.
func placeholder(found string) bool {
	if strings.HasPrefix(found, "-----BEGIN") {
		return false
	}
	counts := map[rune]int{}
	for _, c := range found {
		counts[c]++
	}
	return len(counts) < 10
}
