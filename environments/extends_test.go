package environments

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const family = `
project "p" {}
artifact {
  notebooks {
    from = "notebooks"
  }
  config {
    from = "conf"
  }
  model "m" {
    registry = registry.shared
    version  = "latest"
  }
}
workspace "w" {
  host = "https://h.example"
}
workspace "v" {
  host = "https://v.example"
}
registry "shared" {
  kind      = "workspace"
  workspace = workspace.w
}
environment "test" {
  workspace = workspace.w
  path      = "/Barge/test"
}
environment "prod" {
  title     = "Production"
  workspace = workspace.w
  path      = "/Barge/prod"
  follows   = [environment.test]
  operators = ["group:on-call"]
  soak      = "24h"
  deploy {
    only   = ["score"]
    config = "conf/prod.yml"
    bind   = { "/mnt/a/" = "/mnt/b/" }
  }
  model "m" {
    stage            = "Production"
    archive_existing = true
  }
  gate "sound" {
    notebook = "gate"
    timeout  = "30m"
    expect "accurate" {
      when = metrics.rows > 10
      that = metrics.accuracy > 0.5
    }
    expect "wide" {
      that = metrics.columns > 3
    }
  }
  score "nightly" {
    notebook = "score"
    run_as   = "service-principal:scoring"
  }
}
`

const shortCousin = `
environment "cousin" {
  extends   = environment.prod
  workspace = workspace.v
  path      = "/Barge/cousin"
  soak      = null
  operators = ["group:others"]
  deploy {
    config = "conf/cousin.yml"
  }
  model "m" {
    stage            = "Staging"
    archive_existing = null
  }
  gate "sound" {
    expect "accurate" {
      when = null
      that = metrics.accuracy > 0.6
    }
    expect "new" {
      that = metrics.new > 0
    }
  }
  gate "second" {
    notebook = "second"
    expect "any" {
      that = metrics.any > 0
    }
  }
}
`

const longCousin = `
environment "cousin" {
  workspace = workspace.v
  path      = "/Barge/cousin"
  follows   = [environment.test]
  operators = ["group:others"]
  deploy {
    only   = ["score"]
    config = "conf/cousin.yml"
    bind   = { "/mnt/a/" = "/mnt/b/" }
  }
  model "m" {
    stage = "Staging"
  }
  gate "sound" {
    notebook = "gate"
    timeout  = "30m"
    expect "accurate" {
      that = metrics.accuracy > 0.6
    }
    expect "wide" {
      that = metrics.columns > 3
    }
    expect "new" {
      that = metrics.new > 0
    }
  }
  gate "second" {
    notebook = "second"
    expect "any" {
      that = metrics.any > 0
    }
  }
  score "nightly" {
    notebook = "score"
    run_as   = "service-principal:scoring"
  }
}
`

// TestExtendsIsAsIfWrittenOut: the project, what is recorded and the rules' digest are the same.
func TestExtendsIsAsIfWrittenOut(t *testing.T) {
	short, diags := one(t, family+shortCousin, Options{})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	long, diags := one(t, family+longCousin, Options{})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if diff := cmp.Diff(long, short, cmpopts.IgnoreUnexported(Project{})); diff != "" {
		t.Error(diff)
	}
	if a, b := mustRecord(t, long), mustRecord(t, short); string(a) != string(b) {
		t.Error(cmp.Diff(string(a), string(b)))
	}
	a, _ := long.Rules("cousin")
	b, _ := short.Rules("cousin")
	if a.Digest() != b.Digest() {
		t.Error(a.Diff(b))
	}
}

// TestExtendsOfExtends: what a parent has taken over is taken over, too, in whatever order they are written.
func TestExtendsOfExtends(t *testing.T) {
	grandchild := `
environment "nephew" {
  extends   = environment.cousin
  workspace = workspace.v
  path      = "/Barge/nephew"
  model "m" {
    stage = "Production"
  }
}
`
	src := strings.Replace(family, `stage            = "Production"`, `stage            = "Staging"`, 1)
	p, diags := one(t, src+grandchild+strings.Replace(shortCousin, `= "Staging"`, `= "Archived"`, 1), Options{})
	if !diags.HasErrors() || p != nil {
		t.Fatal("Archived is a stage of its own")
	}
	only := strings.Replace(shortCousin, `  model "m" {
    stage            = "Staging"
    archive_existing = null
  }
`, "", 1)
	_, diags = one(t, src+grandchild+only, Options{})
	if want := `environments "prod" and "cousin" both name the stage "Staging" of model "m"`; !strings.Contains(diags.Error(), want) {
		t.Errorf("%v, want %s", diags, want)
	}
	src = strings.Replace(strings.Replace(family, `  model "m" {
    stage            = "Production"
    archive_existing = true
  }
`, "", 1), `"24h"`, `"2h"`, 1)
	p, diags = one(t, src+grandchild+strings.Replace(only, "soak      = null", "", 1), Options{})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	e := p.Environment("nephew")
	if e.Soak != "2h" || len(e.Gates) != 2 || e.Gate("sound").Expects[0].That != "metrics.accuracy > 0.6" || e.Title != "" ||
		e.Operators[0] != "group:others" || e.Deploy.Config != "conf/cousin.yml" || e.Workspace != "v" {
		t.Errorf("%+v", e)
	}
}

// TestWhatIsTakenOverIsResolvedHere: a variable that is not set matters to each environment that has it.
func TestWhatIsTakenOverIsResolvedHere(t *testing.T) {
	src := strings.Replace(family, `soak      = "24h"`, "soak      = var.soak", 1) + strings.Replace(shortCousin, "soak      = null", "", 1) + "variable \"soak\" {}\n"
	p, diags := one(t, src, Options{})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if _, diags := p.Resolve("cousin"); !strings.Contains(diags.Error(), `variable "soak" is not set`) {
		t.Error(diags)
	}
	if _, diags := p.Resolve("test"); diags.HasErrors() {
		t.Error(diags)
	}
}
