package environments

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// scope is what an expression can name.
type scope struct {
	functions map[string]function.Function
	roots     map[string]cty.Value // var and local
	deploy    map[string]cty.Value // in bindings also: workspace and model, as placeholders
}

// unset marks an unknown value with what has to be set for it to be known.
type unset struct {
	env  bool // an environment variable, else a variable of barge.hcl
	name string
}

func (u unset) summary() string {
	if u.env {
		return "environment variable " + u.name + " is not set"
	}
	return `variable "` + u.name + `" is not set`
}

func (u unset) hint() string {
	if u.env {
		return "set " + u.name + " where barge runs"
	}
	return "give it by --var " + u.name + "=VALUE or " + varPrefix + u.name
}

// declare evaluates variables and locals, and what bindings may name.
func (l *loader) declare() {
	l.scope.functions = functions(l.opts)
	l.scope.roots = map[string]cty.Value{"var": l.variables()}
	l.scope.roots["local"] = l.locals()
	l.scope.deploy = placeholders(l.root)
}

// locals evaluates each local after those that it names.
func (l *loader) locals() cty.Value {
	g := &localGraph{loader: l, written: map[string]local{}, values: map[string]cty.Value{}}
	for _, n := range l.root.children["locals"] {
		for _, a := range inOrder(n.attrs) {
			if first, taken := g.written[a.Name]; taken {
				at := first.attr.SrcRange
				l.errorf(n, a.SrcRange, "the first is on "+at.Filename+" line "+line(at), "duplicate local %q", a.Name)
				continue
			}
			g.written[a.Name], g.names = local{n, a}, append(g.names, a.Name)
		}
	}
	for _, name := range g.names {
		g.visit(name, nil)
	}
	return cty.ObjectVal(g.values)
}

// local is one attribute of a locals block.
type local struct {
	in   *node
	attr *hclsyntax.Attribute
}

// localGraph evaluates locals in the order in which they need each other.
type localGraph struct {
	*loader
	names   []string // as they are written
	written map[string]local
	values  map[string]cty.Value
}

// visit evaluates a local; path are those that wait for it.
func (g *localGraph) visit(name string, path []string) {
	at, exists := g.written[name]
	if _, done := g.values[name]; done || !exists {
		return
	}
	if i := slices.Index(path, name); i >= 0 {
		g.errorf(at.in, at.attr.SrcRange, "one of them must not name another", "locals go in a circle: %s", circle(path[i:], name))
		g.values[name] = cty.DynamicVal
		return
	}
	path = append(slices.Clone(path), name)
	named := map[string]cty.Value{}
	for _, t := range at.attr.Expr.Variables() {
		dep := step(t, 1)
		if t.RootName() != "local" {
			continue
		}
		if _, exists := g.written[dep]; !exists && dep != "" {
			g.errorf(at.in, t.SourceRange(), didYouMean(dep, "local.%s", g.names), "unknown local %q", dep)
			g.values[name] = cty.DynamicVal
			return
		}
		g.visit(dep, path)
		named[dep] = g.values[dep]
	}
	if _, done := g.values[name]; done {
		return
	}
	g.scope.roots["local"] = cty.ObjectVal(named)
	v, ok := g.value(at.in, at.attr.Expr, nil)
	if !ok {
		v = cty.DynamicVal
	}
	g.values[name] = v
}

// circle is how a way is written that ends where it begins.
func circle(path []string, name string) string {
	return strings.Join(append(slices.Clone(path), name), " → ")
}

// value evaluates an expression of n; not ok when there was an error, which is then reported. What it names is looked
// up first, since operators swallow errors of the branch that they do not take.
func (l *loader) value(n *node, expr hclsyntax.Expression, also map[string]cty.Value) (cty.Value, bool) {
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: l.scope.functions}
	for _, roots := range []map[string]cty.Value{l.scope.roots, also} {
		for name, v := range roots {
			ctx.Variables[name] = v
		}
	}
	known := true
	for _, t := range expr.Variables() {
		known = l.known(n, t, ctx.Variables) && known
	}
	if !known {
		return cty.DynamicVal, false
	}
	v, diags := expr.Value(ctx)
	if l.report(n, diags) {
		return cty.DynamicVal, false
	}
	if said := unfit(v); said != "" {
		l.errorf(n, expr.Range(), "", "%s", said)
		return cty.DynamicVal, false
	}
	return v, true
}

// unfit says why a value is none to go on with: a number that is not finite, or text and lists that doubled too often.
func unfit(v cty.Value) string {
	size, infinite := 0, false
	var measure func(v cty.Value)
	measure = func(v cty.Value) {
		v, _ = v.Unmark()
		switch size++; {
		case v.IsNull() || !v.IsKnown() || size > largest:
		case v.Type() == cty.String:
			size += len(v.AsString())
		case v.Type() == cty.Number:
			infinite = infinite || v.AsBigFloat().IsInf()
		case v.CanIterateElements():
			for it := v.ElementIterator(); it.Next() && size <= largest; {
				_, item := it.Element()
				measure(item)
			}
		}
	}
	measure(v)
	switch {
	case infinite:
		return "the result is not finite"
	case size > largest:
		return fmt.Sprintf("this value is larger than %d bytes", largest)
	}
	return ""
}

// known looks up what a traversal names, as deep as the value's type tells.
func (l *loader) known(n *node, t hcl.Traversal, roots map[string]cty.Value) bool {
	name := t.RootName()
	v, ok := roots[name]
	if !ok {
		hint := didYouMean(name, "%s", sorted(roots))
		switch best := nearest(name, sorted(roots)); {
		case len(t) == 1 && best == "":
			hint = l.bareWord(name)
		case best == "" || name == "local":
			hint = "a value can name " + listed(prefixed(sorted(roots), ".NAME")) + " only"
		}
		l.errorf(n, t.SourceRange(), hint, "unknown name %q", written(t))
		return false
	}
	path := name
	for i := range t[1:] {
		key := step(t, i+1)
		v, _ = v.Unmark()
		if key == "" || !v.Type().IsObjectType() {
			return true
		}
		if !v.Type().HasAttribute(key) {
			hint := didYouMean(key, path+".%s", sorted(v.Type().AttributeTypes()))
			if hint == "" {
				hint = declare(path, key)
			}
			l.errorf(n, t.SourceRange(), hint, "unknown %s %q", noun(path), key)
			return false
		}
		if v.IsNull() || !v.IsKnown() {
			return true
		}
		v, path = v.GetAttr(key), path+"."+key
	}
	return true
}

// bareWord is how a word was meant that stands alone where a value is wanted.
func (l *loader) bareWord(word string) string {
	switch plain := strings.ToLower(word); {
	case plain == "true", plain == "yes", plain == "on":
		return "write true"
	case plain == "false", plain == "no", plain == "off":
		return "write false"
	case plain == "none", plain == "nil", plain == "null":
		return "write null, or leave it out"
	case slices.Contains(l.root.labels("variable"), word):
		return "did you mean var." + word + "?"
	}
	return "text stands in quotes: \"" + word + "\""
}

// declare is what to write where there is no name of that kind at all.
func declare(path, key string) string {
	switch path {
	case "var":
		return "declare it: variable \"" + key + "\" {}"
	case "model":
		return "a deploy project has no models: its releases bring their bindings"
	}
	return ""
}

// noun is what the names below a path stand for.
func noun(path string) string {
	switch path {
	case "var":
		return "variable"
	case "local", "workspace", "model":
		return path
	}
	return "attribute"
}

// step is the i-th step of a traversal, "" when it is no name.
func step(t hcl.Traversal, i int) string {
	if i >= len(t) {
		return ""
	}
	switch s := t[i].(type) {
	case hcl.TraverseRoot:
		return s.Name
	case hcl.TraverseAttr:
		return s.Name
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsString()
		}
	}
	return ""
}

// report adds the diagnostics of an evaluation, and says whether there were errors.
func (l *loader) report(n *node, diags hcl.Diagnostics) bool {
	for _, d := range diags {
		l.diags = append(l.diags, fromHCL(d, l.sources, n.called()))
	}
	return diags.HasErrors()
}

func line(r hcl.Range) string { return strconv.Itoa(r.Start.Line) }
