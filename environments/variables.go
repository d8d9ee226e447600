package environments

import (
	"errors"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// variables gives the value of each, as var.NAME.
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

// variable is what was given, else the default, else unknown and marked with the variable's name.
func (l *loader) variable(n *node) cty.Value {
	if secretName.MatchString(n.label) {
		defer l.hide(len(l.diags))
	}
	want, ok := l.variableType(n)
	if !ok {
		return cty.DynamicVal
	}
	value, from, at, ok := l.assigned(n, want)
	if !ok {
		return cty.DynamicVal
	}
	for _, check := range n.children["validation"] {
		l.validate(n, check, value, from, at)
	}
	return value
}

// assigned is the value of a variable, from where it comes, and the place to blame for it.
func (l *loader) assigned(n *node, want cty.Type) (v cty.Value, from string, at hcl.Range, ok bool) {
	text, given := l.opts.Vars[n.label]
	from = "--var " + n.label
	if !given {
		from = varPrefix + n.label
		text = l.opts.Getenv(from)
		given = text != ""
	}
	if given {
		v, err := fromText(text, want)
		if err != nil {
			l.errorf(n, n.at, typeForms[want], "%s is not %s", from, typeNames[want])
		}
		return v, "it was given by " + from, n.at, err == nil
	}
	if a := n.attrs["default"]; a != nil {
		v, ok := l.fallback(n, a.Expr, want)
		if !ok || !v.IsNull() {
			return v, "it is the default", a.Expr.Range(), ok
		}
	}
	return cty.UnknownVal(want).Mark(unset{name: n.label}), "", n.at, true
}

// fallback is the default of a variable.
func (l *loader) fallback(n *node, expr hclsyntax.Expression, want cty.Type) (cty.Value, bool) {
	if len(expr.Variables()) > 0 {
		l.errorf(n, expr.Range(), "use a local for that", "the default of a variable can name nothing else")
		return cty.DynamicVal, false
	}
	v, diags := expr.Value(&hcl.EvalContext{Functions: l.scope.functions})
	if l.report(n, diags) {
		return cty.DynamicVal, false
	}
	converted, err := convert.Convert(v, want)
	if err != nil {
		is := ", not " + shape(v)
		if strings.HasPrefix(typeNames[want], shape(v)) {
			is = ", all of it"
		}
		l.errorf(n, expr.Range(), typeForms[want], "the default must be %s%s", typeNames[want], is)
		return cty.DynamicVal, false
	}
	return converted, true
}

// fromText reads what was typed for a variable: text as it is, lists and maps as barge.hcl writes them.
func fromText(text string, want cty.Type) (cty.Value, error) {
	if want.IsPrimitiveType() {
		return convert.Convert(cty.StringVal(text), want)
	}
	if err := readable([]byte(text)); err != nil {
		return cty.NilVal, err
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), "", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	if v.IsNull() {
		return cty.NilVal, errors.New("null")
	}
	return convert.Convert(v, want)
}

var primitives = map[string]cty.Type{"string": cty.String, "number": cty.Number, "bool": cty.Bool}

var typeNames = map[cty.Type]string{
	cty.String: "text", cty.List(cty.String): "a list of text", cty.Map(cty.String): "a map of text",
	cty.Number: "a number", cty.List(cty.Number): "a list of numbers", cty.Map(cty.Number): "a map of numbers",
	cty.Bool: "true or false", cty.List(cty.Bool): "a list of true and false", cty.Map(cty.Bool): "a map of true and false",
}

// typeForms say how a value of a type is typed, where that is not plain.
var typeForms = map[cty.Type]string{
	cty.List(cty.String): `write it as ["a", "b"]`, cty.Map(cty.String): `write it as { a = "b" }`,
	cty.List(cty.Number): "write it as [1, 2]", cty.Map(cty.Number): "write it as { a = 1 }",
	cty.List(cty.Bool): "write it as [true, false]", cty.Map(cty.Bool): "write it as { a = true }",
}

// variableType is the type that a variable was declared with, text when none was.
func (l *loader) variableType(n *node) (cty.Type, bool) {
	a := n.attrs["type"]
	if a == nil {
		return cty.String, true
	}
	if t, ok := primitives[hcl.ExprAsKeyword(a.Expr)]; ok {
		return t, true
	}
	if call, diags := hcl.ExprCall(a.Expr); !diags.HasErrors() && len(call.Arguments) == 1 {
		of, known := primitives[hcl.ExprAsKeyword(call.Arguments[0])]
		switch {
		case known && call.Name == "list":
			return cty.List(of), true
		case known && call.Name == "map":
			return cty.Map(of), true
		}
	}
	hint := "write string, number, bool, list(string) or map(string)"
	if best := nearest(hcl.ExprAsKeyword(a.Expr), sorted(primitives)); best != "" {
		hint = "did you mean " + best + "?"
	}
	if quoted, ok := a.Expr.(*hclsyntax.TemplateExpr); ok && quoted.IsStringLiteral() {
		hint = "write it without quotes: string, number, bool, list(string) or map(string)"
	}
	l.errorf(n, a.Expr.Range(), hint, "this is no type of a variable")
	return cty.DynamicPseudoType, false
}

// validate holds the value of a variable against one of its validation blocks. One that is not known yet is held
// against it as far as its type goes.
func (l *loader) validate(n, check *node, value cty.Value, from string, at hcl.Range) {
	value, _ = value.Unmark()
	roots := map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{n.label: value})}
	ctx := &hcl.EvalContext{Variables: roots, Functions: pureFunctions(false)}
	for _, name := range []string{"condition", "error_message"} {
		a := check.attrs[name]
		if a == nil {
			return // told already
		}
		for _, t := range a.Expr.Variables() {
			if !l.known(check, t, roots) {
				return
			}
		}
	}
	condition := check.attrs["condition"].Expr
	held, p := weigh(condition, ctx)
	if p == nil {
		held, p = truth(condition, held)
	}
	if p != nil {
		l.errorf(check, p.at, p.hint, "%s", p.summary)
		return
	}
	message, diags := check.attrs["error_message"].Expr.Value(ctx)
	if l.report(check, diags) {
		return
	}
	if message.IsNull() || message.IsKnown() && message.Type() != cty.String {
		l.errorf(check, check.attrs["error_message"].Expr.Range(), "", "%q must be text, not %s", "error_message", shape(message))
		return
	}
	if held.IsKnown() && held.False() {
		text := message.AsString()
		if shown, ok := scalarText(value); ok && shown != "" && secretName.MatchString(n.label) {
			text = strings.ReplaceAll(text, shown, "…")
		}
		l.errorf(n, at, from, "variable %q is refused: %s", n.label, blank(text))
	}
}
