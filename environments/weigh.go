package environments

import (
	"math/big"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// precision is that of a comparison, in bits. Arithmetic is done with 512, so that 0.81 - 0.01 and 0.8, which differ in
// the last of those, are one number.
const precision = 256

// weigh evaluates a condition as every programming language does: from left to right, the branch not taken never, and
// an error is an error. HCL itself evaluates both sides of && and || and drops the errors of either.
func weigh(expr hclsyntax.Expression, ctx *hcl.EvalContext) (cty.Value, *problem) {
	switch e := expr.(type) {
	case *hclsyntax.ParenthesesExpr:
		return weigh(e.Expression, ctx)
	case *hclsyntax.TemplateWrapExpr:
		return weigh(e.Wrapped, ctx)
	case *hclsyntax.BinaryOpExpr:
		return weighBinary(e, ctx)
	case *hclsyntax.ConditionalExpr:
		return weighConditional(e, ctx)
	case *hclsyntax.UnaryOpExpr:
		v, p := weigh(e.Val, ctx)
		switch {
		case p != nil:
		case e.Op == hclsyntax.OpLogicalNot:
			v, p = truth(e.Val, v)
		case v.IsNull() || v.Type() != cty.Number && v.Type() != cty.DynamicPseudoType:
			p = &problem{at: e.Val.Range(), summary: "this must be a number, not " + shape(v)}
		}
		if p != nil {
			return cty.NilVal, p
		}
		return plain(&hclsyntax.UnaryOpExpr{Op: e.Op, Val: known(e.Val, v), SrcRange: e.SrcRange, SymbolRange: e.SymbolRange}, ctx)
	case *hclsyntax.FunctionCallExpr:
		if p := arguments(e, ctx); p != nil {
			return cty.NilVal, p
		}
		return plain(expr, ctx, e.Args...)
	case *hclsyntax.TupleConsExpr:
		return plain(expr, ctx, e.Exprs...)
	case *hclsyntax.TemplateExpr:
		return plain(expr, ctx, e.Parts...)
	}
	return plain(expr, ctx)
}

// plain evaluates by HCL, after each of the parts by weigh.
func plain(expr hclsyntax.Expression, ctx *hcl.EvalContext, parts ...hclsyntax.Expression) (cty.Value, *problem) {
	for _, part := range parts {
		if _, p := weigh(part, ctx); p != nil {
			return cty.NilVal, p
		}
	}
	v, diags := expr.Value(ctx)
	if diags.HasErrors() {
		d := fromHCL(diags[0], nil, "")
		p := &problem{at: expr.Range(), summary: d.Summary, hint: d.Hint}
		if diags[0].Subject != nil {
			p.at = *diags[0].Subject
		}
		return cty.NilVal, p
	}
	if v.Type() == cty.Number && v.IsKnown() && !v.IsNull() && v.AsBigFloat().IsInf() {
		return cty.NilVal, &problem{at: expr.Range(), summary: "the result is not finite"}
	}
	return v, nil
}

func weighBinary(e *hclsyntax.BinaryOpExpr, ctx *hcl.EvalContext) (cty.Value, *problem) {
	left, p := weigh(e.LHS, ctx)
	if p != nil {
		return cty.NilVal, p
	}
	if e.Op == hclsyntax.OpLogicalAnd || e.Op == hclsyntax.OpLogicalOr {
		decided, p := truth(e.LHS, left)
		if p != nil {
			return cty.NilVal, p
		}
		if decided.IsKnown() && decided.True() == (e.Op == hclsyntax.OpLogicalOr) {
			return decided, nil
		}
		right, p := weigh(e.RHS, ctx)
		if p != nil {
			return cty.NilVal, p
		}
		decidedRight, p := truth(e.RHS, right)
		if p != nil || decided.IsKnown() {
			return decidedRight, p
		}
		return cty.UnknownVal(cty.Bool), nil
	}
	right, p := weigh(e.RHS, ctx)
	if p != nil {
		return cty.NilVal, p
	}
	if p := operands(e, left, right); p != nil {
		return cty.NilVal, p
	}
	if divides := e.Op == hclsyntax.OpDivide || e.Op == hclsyntax.OpModulo; divides && right.RawEquals(cty.Zero) {
		return cty.NilVal, &problem{at: e.SrcRange, summary: "the result is not finite"} // HCL takes x % 0 for x
	}
	if compares(e.Op) {
		left, right = round(left), round(right)
	}
	return plain(&hclsyntax.BinaryOpExpr{LHS: known(e.LHS, left), Op: e.Op, RHS: known(e.RHS, right), SrcRange: e.SrcRange}, ctx)
}

func weighConditional(e *hclsyntax.ConditionalExpr, ctx *hcl.EvalContext) (cty.Value, *problem) {
	v, p := weigh(e.Condition, ctx)
	if p != nil {
		return cty.NilVal, p
	}
	which, p := truth(e.Condition, v)
	switch {
	case p != nil:
		return cty.NilVal, p
	case which.IsKnown() && which.True():
		return weigh(e.TrueResult, ctx)
	case which.IsKnown():
		return weigh(e.FalseResult, ctx)
	}
	yes, p := weigh(e.TrueResult, ctx)
	if p != nil {
		return cty.NilVal, p
	}
	no, p := weigh(e.FalseResult, ctx)
	if p != nil {
		return cty.NilVal, p
	}
	return plain(&hclsyntax.ConditionalExpr{
		Condition: known(e.Condition, which), TrueResult: known(e.TrueResult, yes),
		FalseResult: known(e.FalseResult, no), SrcRange: e.SrcRange,
	}, ctx)
}

// truth wants true or false, or what is not known yet.
func truth(expr hclsyntax.Expression, v cty.Value) (cty.Value, *problem) {
	if v.Type() == cty.DynamicPseudoType && !v.IsKnown() {
		return cty.UnknownVal(cty.Bool), nil
	}
	if v.Type() != cty.Bool || v.IsNull() {
		return cty.NilVal, &problem{at: expr.Range(), summary: "this must be true or false, not " + shape(v)}
	}
	return v, nil
}

// known is an expression that has been evaluated already.
func known(expr hclsyntax.Expression, v cty.Value) hclsyntax.Expression {
	return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: expr.Range()}
}

func compares(op *hclsyntax.Operation) bool {
	switch op {
	case hclsyntax.OpEqual, hclsyntax.OpNotEqual, hclsyntax.OpGreaterThan, hclsyntax.OpGreaterThanOrEqual,
		hclsyntax.OpLessThan, hclsyntax.OpLessThanOrEqual:
		return true
	}
	return false
}

func round(v cty.Value) cty.Value {
	if v.Type() != cty.Number || !v.IsKnown() || v.IsNull() {
		return v
	}
	return cty.NumberVal(new(big.Float).SetPrec(precision).Set(v.AsBigFloat()))
}

// arguments keeps HCL from converting an argument, as operands does; contains compares, too.
func arguments(call *hclsyntax.FunctionCallExpr, ctx *hcl.EvalContext) *problem {
	f, known := ctx.Functions[call.Name]
	if !known {
		return nil
	}
	params := f.Params()
	for i, arg := range call.Args {
		want := cty.DynamicPseudoType
		switch {
		case i < len(params):
			want = params[i].Type
		case f.VarParam() != nil:
			want = f.VarParam().Type
		}
		v, p := weigh(arg, ctx)
		if p != nil {
			return p
		}
		if expands := call.ExpandFinal && i == len(call.Args)-1; expands || !want.IsPrimitiveType() {
			continue
		}
		if is := v.Type(); is != cty.DynamicPseudoType && !is.Equals(want) {
			return &problem{at: arg.Range(), summary: "this must be " + typeNames[want] + ", not " + shape(v)}
		}
	}
	if call.Name == "contains" && len(call.Args) == 2 {
		return findable(call, ctx)
	}
	return nil
}

// findable wants what contains looks for to be of the type of what it looks through.
func findable(call *hclsyntax.FunctionCallExpr, ctx *hcl.EvalContext) *problem {
	list, _ := weigh(call.Args[0], ctx)
	wanted, _ := weigh(call.Args[1], ctx)
	if !list.IsKnown() || !list.CanIterateElements() || !wanted.Type().IsPrimitiveType() {
		return nil
	}
	for _, item := range list.Elements() {
		if is := item.Type(); is.IsPrimitiveType() && !is.Equals(wanted.Type()) {
			return &problem{at: call.Range(), summary: shape(item) + " and " + shape(wanted) + " cannot be equal"}
		}
	}
	return nil
}

// chained says what to write for 0 < a < 1.
func chained(expr hclsyntax.Expression) string {
	if inner, ok := expr.(*hclsyntax.BinaryOpExpr); ok && compares(inner.Op) {
		return "compare twice: 0 <= metrics.a && metrics.a <= 1"
	}
	return ""
}

// operands keeps HCL from converting an operand: text that looks like a number is none, and a number never equals a
// text, so that != between them would always hold.
func operands(e *hclsyntax.BinaryOpExpr, left, right cty.Value) *problem {
	if e.Op != hclsyntax.OpEqual && e.Op != hclsyntax.OpNotEqual {
		for _, side := range []struct {
			expr hclsyntax.Expression
			v    cty.Value
		}{{e.LHS, left}, {e.RHS, right}} {
			if side.v.IsNull() || side.v.Type() != cty.Number && side.v.Type() != cty.DynamicPseudoType {
				return &problem{at: side.expr.Range(), summary: "this must be a number, not " + shape(side.v), hint: chained(side.expr)}
			}
		}
		return nil
	}
	l, r := left.Type(), right.Type()
	if left.IsNull() || right.IsNull() || l == cty.DynamicPseudoType || r == cty.DynamicPseudoType || l.Equals(r) {
		return nil
	}
	if l.IsPrimitiveType() || r.IsPrimitiveType() {
		return &problem{at: e.SrcRange, summary: shape(left) + " and " + shape(right) + " cannot be equal"}
	}
	return nil
}
