package environments

import (
	"slices"

	"github.com/zclconf/go-cty/cty"
)

// Key is the name that an environment has had from the first: what its ledger, its evidence, the rules, and the tags of
// its models, jobs and artifacts call it. It is the Name until the environment is renamed, and stays when it is.
func (e *Environment) Key() string {
	if len(e.Formerly) == 0 {
		return e.Name
	}
	return e.Formerly[0]
}

// ByKey is the environment of that key or name, nil when there is none. No key is another environment's name.
func (p *Project) ByKey(key string) *Environment {
	if e := p.Environment(key); e != nil {
		return e
	}
	return find(p.Environments, (*Environment).Key, key)
}

// keyOf is the key of the environment of that name.
func (p *Project) keyOf(name string) string {
	if e := p.Environment(name); e != nil {
		return e.Key()
	}
	return name
}

// renamed is the environment that had that name before, nil when none had it.
func (p *Project) renamed(former string) *Environment {
	i := slices.IndexFunc(p.Environments, func(e Environment) bool { return slices.Contains(e.Formerly, former) })
	if i < 0 {
		return nil
	}
	return &p.Environments[i]
}

// carriedFor is what an artifact carries for an environment, maybe under a name that it had when it was built.
func (p *Project) carriedFor(e Environment) Environment {
	for _, name := range append([]string{e.Name}, e.Formerly...) {
		if carried := p.Environment(name); carried != nil {
			return *carried
		}
	}
	return Environment{}
}

// calledNow is the environment that was once called name, "" when none was. It reads what is written: nothing is evaluated yet.
func (l *loader) calledNow(name string) string {
	for _, n := range l.root.children["environment"] {
		a := n.attrs["formerly"]
		if a == nil {
			continue
		}
		if v, diags := a.Expr.Value(nil); !diags.HasErrors() && sequence(v) && v.IsWhollyKnown() {
			for _, item := range v.AsValueSlice() {
				if item.RawEquals(cty.StringVal(name)) {
					return n.label
				}
			}
		}
	}
	return ""
}

// checkFormerly wants each former name to be one environment's.
func (l *loader) checkFormerly(p *Project) {
	had := map[string]*node{}
	for _, n := range l.root.children["environment"] {
		for _, name := range get[[]string](n, "formerly") {
			switch other := had[name]; {
			case name == n.label:
				l.errorf(n, n.place("formerly"), "leave it out: former names are others than its own", "environment %q is still called %q", name, name)
			case p.Environment(name) != nil:
				l.errorf(n, n.place("formerly"), "a former name must be free: rename one of them", "%q is no former name: there is an environment %q", name, name)
			case other != nil:
				l.errorf(n, n.place("formerly"), "a former name is one environment's: take it out of the other", "environments %q and %q were both called %q", other.label, n.label, name)
			default:
				had[name] = n
			}
		}
	}
}
