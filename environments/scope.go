package environments

import (
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
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
	l.scope.functions = functions(l.opts.Getenv)
	l.scope.roots = map[string]cty.Value{"var": l.variables()}
	l.scope.roots["local"] = l.locals()
	l.scope.deploy = placeholders(l.root)
}

func (l *loader) variables() cty.Value {
	values := map[string]cty.Value{}
	for _, n := range l.root.children["variable"] {
		values[n.label] = l.variable(n)
	}
	for _, name := range sorted(l.opts.Vars) {
		if _, declared := values[name]; !declared {
			l.diags = append(l.diags, broken(`--var `+name+`: there is no variable "`+name+`"`,
				didYouMean(name, "%s", l.root.labels("variable")))...)
		}
	}
	return cty.ObjectVal(values)
}

func (l *loader) variable(n *node) cty.Value {
	want := l.variableType(n)
	given, from := l.opts.Vars[n.label], "--var "+n.label
	_, ok := l.opts.Vars[n.label]
	if !ok {
		from = varPrefix + n.label
		given = l.opts.Getenv(from)
		ok = given != ""
	}
	if ok {
		v, err := convert.Convert(cty.StringVal(given), want)
		if err != nil {
			l.errorf(n, n.at, "", "%s is not %s", from, typeNames[want])
			return cty.DynamicVal
		}
		return v
	}
	if a := n.attrs["default"]; a != nil {
		v, diags := a.Expr.Value(&hcl.EvalContext{Functions: l.scope.functions})
		if len(a.Expr.Variables()) > 0 {
			l.errorf(n, a.Expr.Range(), "use a local for that", "the default of a variable can name nothing else")
			return cty.DynamicVal
		}
		if l.report(n, diags) {
			return cty.DynamicVal
		}
		converted, err := convert.Convert(v, want)
		if err != nil {
			l.errorf(n, a.Expr.Range(), "", "the default must be %s, not %s", typeNames[want], shape(v))
			return cty.DynamicVal
		}
		if !v.IsNull() {
			return converted
		}
	}
	return cty.UnknownVal(want).Mark(unset{name: n.label})
}

var typeNames = map[cty.Type]string{cty.String: "text", cty.Number: "a number", cty.Bool: "true or false"}

func (l *loader) variableType(n *node) cty.Type {
	a := n.attrs["type"]
	if a == nil {
		return cty.String
	}
	switch hcl.ExprAsKeyword(a.Expr) {
	case "string":
		return cty.String
	case "number":
		return cty.Number
	case "bool":
		return cty.Bool
	}
	l.errorf(n, a.Expr.Range(), "write string, number or bool", "the type of a variable is string, number or bool")
	return cty.DynamicPseudoType
}

// locals evaluates each local after those that it names.
func (l *loader) locals() cty.Value {
	blocks := l.root.children["locals"]
	exprs, values := map[string]*hclsyntax.Attribute{}, map[string]cty.Value{}
	var names []string
	for _, n := range blocks {
		for _, name := range sorted(n.attrs) {
			if first := exprs[name]; first != nil {
				l.errorf(n, n.attrs[name].SrcRange, "the first is on "+first.SrcRange.Filename+" line "+line(first.SrcRange), "duplicate local %q", name)
				continue
			}
			exprs[name], names = n.attrs[name], append(names, name)
		}
	}
	var visit func(name string, path []string)
	visit = func(name string, path []string) {
		if _, done := values[name]; done || exprs[name] == nil {
			return
		}
		if slices.Contains(path, name) {
			l.errorf(blocks[0], exprs[name].SrcRange, "", "local %q is made of itself", name)
			values[name] = cty.DynamicVal
			return
		}
		for _, t := range exprs[name].Expr.Variables() {
			if dep := step(t, 1); t.RootName() == "local" && dep != "" {
				visit(dep, append(path, name))
			}
		}
		if _, done := values[name]; done {
			return
		}
		l.scope.roots["local"] = cty.ObjectVal(values)
		v, ok := l.value(blocks[0], exprs[name].Expr, nil)
		if !ok {
			v = cty.DynamicVal
		}
		values[name] = v
	}
	for _, name := range names {
		visit(name, nil)
	}
	return cty.ObjectVal(values)
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
	return v, !l.report(n, diags)
}

// known looks up what a traversal names, as deep as the value's type tells.
func (l *loader) known(n *node, t hcl.Traversal, roots map[string]cty.Value) bool {
	name := t.RootName()
	v, ok := roots[name]
	if !ok {
		hint := didYouMean(name, "%s", sorted(roots))
		if root.block(name) != nil {
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
			l.errorf(n, t.SourceRange(), didYouMean(key, path+".%s", sorted(v.Type().AttributeTypes())),
				"unknown %s %q", noun(path), key)
			return false
		}
		if v.IsNull() || !v.IsKnown() {
			return true
		}
		v, path = v.GetAttr(key), path+"."+key
	}
	return true
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
