package barge

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// arrows says which of our packages each package may import: the layers of docs/architecture.md. A package stands
// for all below it; what is missing here may import nothing of ours.
var arrows = map[string][]string{
	"cmd":                  {"", "release", "gates", "artifacts", "environments", "internal"},
	"release":              {"gates", "artifacts", "environments", "internal/effects", "internal/ledger", "internal/registry"},
	"gates":                {"artifacts", "environments"},
	"artifacts":            {"environments", "internal/registry"},
	"environments":         {},
	"internal/effects":     {"artifacts", "environments", "internal/databricks", "internal/ledger", "internal/registry", "internal/transport"},
	"internal/ledger":      {"environments", "internal/databricks", "internal/transport"},
	"internal/registry":    {"environments", "internal/databricks", "internal/transport"},
	"internal/databricks":  {"environments", "internal/identity", "internal/transport"},
	"internal/datafactory": {"environments", "internal/identity", "internal/transport"},
	"internal/identity":    {"environments", "internal/transport"},
	"internal/transport":   {},
	"internal/console":     {},
	"internal/ci":          {},
	"internal/sandbox":     {"internal/sandbox"},
}

// importers says who alone may import a foreign module (by prefix).
var importers = map[string][]string{
	"github.com/databricks/databricks-sdk-go": {"internal/databricks"},
	"github.com/hashicorp/hcl":                {"environments"},
	"github.com/zclconf/go-cty":               {"environments"},
	"github.com/urfave/cli":                   {"cmd"},
	"github.com/go-git/go-git":                {"artifacts"},
}

// TestArrows holds the imports of every package against the layers. Test files may also use the sandbox, and the adapters
// that reach its twins.
func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	module := "github.com/bargeml/barge"
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		for _, imported := range p.Imports {
			check(t, from, module, imported, nil)
		}
		for _, imported := range append(p.TestImports, p.XTestImports...) {
			check(t, from, module, imported, []string{"internal/sandbox", "internal/databricks", "internal/transport"})
		}
	}
}

func check(t *testing.T, from, module, imported string, also []string) {
	t.Helper()
	if rest, ours := strings.CutPrefix(imported, module); ours {
		to := strings.TrimPrefix(rest, "/")
		if from == "" || within(from, to) || within(to, from) || allowed(room(from), to) || inAny(to, also) {
			return
		}
		t.Errorf("%s imports %s: that arrow does not exist", from, to)
		return
	}
	for prefix, only := range importers {
		if strings.HasPrefix(imported, prefix) && !inAny(from, only) && len(also) == 0 {
			t.Errorf("%s imports %s: only %s may", from, imported, strings.Join(only, ", "))
		}
	}
}

// room is the entry of arrows that a package belongs to.
func room(pkg string) string {
	best := ""
	for name := range arrows {
		if within(pkg, name) && len(name) > len(best) {
			best = name
		}
	}
	return best
}

func allowed(room, to string) bool {
	for _, target := range arrows[room] {
		if to == target || target != "" && within(to, target) {
			return true
		}
	}
	return false
}

func inAny(pkg string, rooms []string) bool {
	for _, r := range rooms {
		if within(pkg, r) {
			return true
		}
	}
	return false
}

func within(pkg, room string) bool { return pkg == room || strings.HasPrefix(pkg, room+"/") }
