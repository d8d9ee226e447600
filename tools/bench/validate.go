package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// makeProject writes a barge.hcl of three environments and twenty gates.
func makeProject(dir string) error {
	const gates = 20
	var b strings.Builder
	b.WriteString(`project "bench" {
  store = "oci-layout:.barge/store"
}

variable "domain" {
  type    = string
  default = "azuredatabricks.net"
}

artifact {
  notebooks { from = "notebooks" }
  model "churn" {
    registry = registry.shared
    name     = "churn"
    version  = "trained"
    train {
      notebook    = "train"
      environment = environment.dev
      compute     = compute.small
    }
  }
}

registry "shared" {
  kind      = "workspace"
  workspace = workspace.dev
}

compute "small" {
  spark_version = "15.4.x-cpu-ml-scala2.12"
  node_type     = "Standard_DS3_v2"
  num_workers   = 1
}
`)
	names := []string{"dev", "test", "prod"}
	made, before := 0, ""
	for i, name := range names {
		fmt.Fprintf(&b, "\nworkspace %q {\n  host = \"https://adb-%d.1.${var.domain}\"\n}\n\nenvironment %q {\n  workspace = workspace.%s\n  path = \"/Barge/bench-%s\"\n",
			name, 1000+i, name, name, name)
		if before != "" {
			fmt.Fprintf(&b, "  follows = [environment.%s]\n", before)
		}
		before = name
		for ; made < gates*(i+1)/len(names); made++ {
			fmt.Fprintf(&b, gate, made, made)
		}
		b.WriteString("}\n")
	}
	return os.WriteFile(filepath.Join(dir, "barge.hcl"), []byte(b.String()), 0o600)
}

const gate = `
  gate "quality_%d" {
    notebook = "gates/quality_%d"
    compute  = compute.small
    expect "accurate enough" {
      that = metrics.accuracy >= 0.77 && metrics["val/auc"] > 0.8
    }
    expect "no worse than the champion" {
      when = champion != null
      that = metrics.accuracy >= champion.metrics.accuracy - 0.01
    }
  }
`
