package artifacts

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/bargeml/barge/environments"
)

// allowSecret on a line says that what looks like a secret there is none.
const allowSecret = "barge:allow-secret" //nolint:gosec // a mark, and no secret

// secretRule knows one kind of secret by its form.
type secretRule struct {
	what  string
	hints []string // one of them is in every line that has such a secret: they are looked for first, for speed
	form  func() *regexp.Regexp
}

// whenNeeded is a regular expression that is compiled when it is first needed, which most commands never do.
func whenNeeded(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// secretRules are the secrets of this trade, each with a form that nothing else has. What has no form of its own (a
// password in a variable) is not found. Where a form has a group, that is the secret in it.
var secretRules = []secretRule{
	{"a Databricks token", []string{"dapi"}, whenNeeded(`\bdapi[0-9a-f]{32}(?:-[0-9]+)?\b`)},
	{"a Databricks OAuth secret", []string{"dose"}, whenNeeded(`\bdose[0-9a-f]{32}\b`)},
	{"the key of an Azure storage account", []string{"=="}, whenNeeded(`(?:\bsha512[-:= ]+|^|[^A-Za-z0-9+/])[A-Za-z0-9+/]{86}==`)},
	{"the key of a Service Bus or an Event Hub", []string{"SharedAccessKey="}, whenNeeded(`\bSharedAccessKey=([A-Za-z0-9+/]{43}=)`)},
	{"the signature of a shared access signature", []string{"sig="}, whenNeeded(`\bsig=[A-Za-z0-9%+/]{43,}(?:=|%3[Dd])`)},
	{"a private key", []string{"PRIVATE KEY"}, whenNeeded(`-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----`)},
	{"a client secret of Microsoft Entra", []string{"Q~"}, whenNeeded(`(?:^|[^A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}(?:[^A-Za-z0-9_~.-]|$)`)},
	{"a GitHub token", []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, whenNeeded(`\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82})\b`)},
	{"a GitLab token", []string{"glpat-"}, whenNeeded(`\bglpat-[A-Za-z0-9_-]{20,}`)},
	{"a token of Azure DevOps", []string{"AZDO"}, whenNeeded(`\b[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}\b`)},
	{"an AWS access key", []string{"AKIA", "ASIA"}, whenNeeded(`\b(?:AKIA|ASIA)[A-Z2-7]{16}\b`)},
	{"a key of OpenAI or Anthropic", []string{"sk-"}, whenNeeded(`\bsk-(?:[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}|ant-[a-z]+[0-9]{2}-[A-Za-z0-9_-]{80,})`)},
	{"a token of Hugging Face", []string{"hf_"}, whenNeeded(`\bhf_[A-Za-z]{34}\b`)},
	{"a key of Google", []string{"AIza"}, whenNeeded(`\bAIza[A-Za-z0-9_-]{35}\b`)},
	{"a token of Slack", []string{"xox", "hooks.slack.com"}, whenNeeded(`\bxox[abeprs]-[0-9A-Za-z-]{20,}|hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{20,}`)},
	{"a token of PyPI", []string{"pypi-AgE"}, whenNeeded(`\bpypi-AgE[A-Za-z0-9_-]{60,}`)},
	{"a signed token (JWT)", []string{"eyJ"}, whenNeeded(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}`)},
	{"the password of a database", []string{"assword=", "wd=", "PASSWORD=", "PWD="}, whenNeeded(`(?i)[;?&]\s*(?:password|pwd)=([^;&"'\s{}$<>]{6,})`)},
	{"a password in an address", []string{"://"}, whenNeeded(`\b[a-z][a-z0-9+.-]*://[^\s:/@"'{}$<>]+:([^\s:/@"'{}$<>]{6,})@[A-Za-z0-9]`)},
}

// hints are those of all rules, in groups that begin with the same two bytes; startsOf says in which group to look, from 1.
var hints, startsOf = func() (groups [][]hint, starts [1 << 16]uint8) {
	for i, r := range secretRules {
		for _, text := range r.hints {
			start := &starts[int(text[0])<<8|int(text[1])]
			if *start == 0 {
				groups = append(groups, nil)
				*start = uint8(len(groups)) //nolint:gosec // there are a few dozen
			}
			groups[*start-1] = append(groups[*start-1], hint{[]byte(text), i})
		}
	}
	return groups, starts
}()

type hint struct {
	text []byte
	rule int // in secretRules
}

// hinted gives the rules that a text has a hint of. It looks at every byte once, however many hints there are.
func hinted(text []byte) []secretRule {
	var found []bool
	for i := 1; i < len(text); i++ {
		start := startsOf[int(text[i-1])<<8|int(text[i])]
		if start == 0 {
			continue
		}
		for _, h := range hints[start-1] {
			if bytes.HasPrefix(text[i-1:], h.text) {
				if found == nil {
					found = make([]bool, len(secretRules))
				}
				found[h.rule] = true
			}
		}
	}
	var rules []secretRule
	for i, is := range found {
		if is {
			rules = append(rules, secretRules[i])
		}
	}
	return rules
}

// secretError says that a file holds a secret, and never which.
type secretError struct {
	what string
	at   string // see reference.at
}

func (e *secretError) Error() string {
	return fmt.Sprintf("it holds %s: revoke it, since git keeps it for ever, and read it with dbutils.secrets.get; where it is none, write # %s in its line",
		e.what, allowSecret)
}

// findSecret gives the first secret of what is to ship; nil when there is none.
func findSecret(c Content) *secretError {
	rules := hinted(c.Body)
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

// noSecrets looks for secrets in the project's own files and those of its jobs, whose words an artifact records.
func (c *Commit) noSecrets(p *environments.Project) error {
	var names []string
	for _, pattern := range []string{"barge.hcl", "*.barge.hcl"} {
		found, err := c.Files(pattern)
		if err != nil {
			return err
		}
		names = append(names, found...)
	}
	for _, e := range p.Environments {
		for _, s := range e.Scores {
			if s.Job != "" && !slices.Contains(names, s.Job) {
				names = append(names, s.Job)
			}
		}
	}
	var problems []error
	for _, name := range names {
		body, err := c.ReadFile(name)
		if err != nil {
			return err
		}
		if secret := findSecret(Content{File: File{Path: name}, Body: body}); secret != nil {
			problems = append(problems, fmt.Errorf("%s%s: %w", path.Join(c.Folder, name), secret.at, secret))
		}
	}
	return listProblems(problems)
}

// secretIn gives what is found first in a text, and in which line, from 1.
func secretIn(text string, rules []secretRule) (what string, line int) {
	for l := range strings.Lines(text) {
		line++
		if strings.Contains(l, allowSecret) {
			continue
		}
		l = strings.TrimRight(l, "\r\n")
		for _, r := range rules {
			if !slices.ContainsFunc(r.hints, func(hint string) bool { return strings.Contains(l, hint) }) {
				continue
			}
			for _, found := range r.form().FindAllStringSubmatch(l, -1) {
				if !placeholder(found) {
					return r.what, line
				}
			}
		}
	}
	return "", 0
}

// placeholder tells what stands for a secret in an example, "dapi0000…", from one: it has few letters over and over, or
// is a password without a digit.
func placeholder(found []string) bool {
	secret := found[len(found)-1]
	switch {
	case strings.HasPrefix(secret, "-----BEGIN"):
		return false
	case strings.HasPrefix(secret, "sha512"), strings.HasSuffix(secret, "EXAMPLE"):
		return true // a sum of as many bytes as a key has; what Amazon's own pages show
	case len(found) > 1 && len(secret) < 20: // chosen by a person
		return !strings.ContainsAny(secret, "0123456789") || strings.Trim(secret, "0123456789*") == ""
	}
	counts := map[rune]bool{}
	for _, c := range secret {
		counts[c] = true
	}
	return len(counts) < 10
}
