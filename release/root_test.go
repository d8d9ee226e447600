package release_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/release"
)

// TestALedgerSendsNobodysTokenAway says in a ledger that a registry is somewhere else.
func TestALedgerSendsNobodysTokenAway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		own, registry string
		trusted       bool
	}{
		{"https://adb-3.3.azuredatabricks.net", "https://adb-4.4.azuredatabricks.net", true},
		{"https://adb-3.3.azuredatabricks.net", "https://adb-4.4.databricks.azure.us", true},
		{"https://databricks.acme.example", "https://databricks.acme.example", true},
		{"http://127.0.0.1:4001", "http://127.0.0.1:4002", true},
		{"https://adb-3.3.azuredatabricks.net", "http://adb-4.4.azuredatabricks.net", false},
		{"https://adb-3.3.azuredatabricks.net", "https://evil.example", false},
		{"https://adb-3.3.azuredatabricks.net", "https://evilazuredatabricks.net", false},
		{"https://adb-3.3.azuredatabricks.net", "https://azuredatabricks.net.evil.example", false},
		{"https://adb-3.3.azuredatabricks.net", "https://adb-4.4.azuredatabricks.net@evil.example", false},
		{"https://adb-3.3.azuredatabricks.net", "https://evil.example#.azuredatabricks.net", false},
		{"https://adb-3.3.azuredatabricks.net", "http://127.0.0.1:4002", false},
		{"https://databricks.acme.example", "https://evil.example", false},
		{"https://adb-3.3.azuredatabricks.net", "", false},
	} {
		s := ledger.State{
			Genesis: ledger.Genesis{Project: "p", Environment: "prod"},
			Where:   map[string]ledger.Where{"shared": {Kind: "workspace", Host: c.registry}},
		}
		project, err := release.Rooted(s, c.own, "/Barge/p")
		if trusted := err == nil; trusted != c.trusted {
			t.Errorf("%s by the ledger at %s: %v", c.registry, c.own, err)
		}
		if err != nil {
			continue
		}
		w, diags := project.Workspace(project.Registry("shared").Workspace)
		if diags.HasErrors() || w.Host != c.registry {
			t.Errorf("registry shared is at %v, %v", w, diags)
		}
	}
}

// TestRulesThatNobodyHereKnows are not left out of account: what they judge would be let through.
func TestRulesThatNobodyHereKnows(t *testing.T) {
	t.Parallel()
	s := ledger.State{Genesis: ledger.Genesis{Environment: "prod"}, Rules: ledger.Rules{Text: json.RawMessage(`{"follows": ["test"], "blessings": 2}`)}}
	if _, err := release.Rooted(s, "https://adb-3.3.azuredatabricks.net", "/Barge/p"); err == nil || !strings.Contains(err.Error(), "blessings") {
		t.Errorf("%v", err)
	}
}
