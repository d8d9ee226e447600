package environments

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// reference reads the name of a block, such as workspace.prod, without evaluating it.
func (l *loader) reference(n *node, a attr, expr hcl.Expression) (any, bool) {
	t, diags := hcl.AbsTraversalForExpr(expr)
	names := l.root.labels(a.ref)
	want := a.ref + ".NAME"
	if diags.HasErrors() {
		hint := didYouMean("", a.ref+".%s", names)
		if inner, ok := wrapped(expr); ok {
			hint = "write " + written(inner) + " alone"
		}
		if v, diags := expr.Value(nil); !diags.HasErrors() && v.Type() == cty.String && v.IsKnown() && !v.IsNull() &&
			slices.Contains(names, v.AsString()) {
			hint = "write " + a.ref + "." + v.AsString() + ", without quotes"
		}
		l.errorf(n, expr.Range(), hint, "%q must name a block: write %s", a.name, want)
		return nil, false
	}
	name := step(t, 1)
	switch {
	case len(t) == 1 && slices.Contains(names, t.RootName()):
		l.errorf(n, expr.Range(), "write "+a.ref+"."+t.RootName(), "%q must name a block: write %s", a.name, want)
	case len(names) == 0:
		l.errorf(n, expr.Range(), "write "+root.block(a.ref).form(), "there is no block %q that %q could name", a.ref, a.name)
	case t.RootName() != a.ref && root.block(t.RootName()) == nil:
		l.errorf(n, expr.Range(), didYouMean(name, a.ref+".%s", names), "unknown reference %q: write %s", written(t), want)
	case t.RootName() != a.ref:
		l.errorf(n, expr.Range(), didYouMean(name, a.ref+".%s", names), "%q must name a block %q, not %q", a.name, a.ref, t.RootName())
	case len(t) != 2 || name == "":
		l.errorf(n, expr.Range(), didYouMean(name, a.ref+".%s", names), "%q must name a block: write %s", a.name, want)
	case !slices.Contains(names, name):
		hint := didYouMean(name, a.ref+".%s", names)
		if now := l.calledNow(name); a.ref == "environment" && now != "" {
			hint = "it is called environment." + now + " now"
		}
		l.errorf(n, expr.Range(), hint, "unknown %s %q", a.ref, name)
	default:
		return name, true
	}
	return nil, false
}

func (l *loader) references(n *node, a attr, expr hcl.Expression) (any, bool) {
	items, diags := hcl.ExprList(expr)
	if diags.HasErrors() {
		hint := ""
		if t, diags := hcl.AbsTraversalForExpr(expr); !diags.HasErrors() {
			hint = "write [" + written(t) + "]"
		}
		l.errorf(n, expr.Range(), hint, "%q must be %s", a.name, a.expected())
		return nil, false
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		v, ok := l.reference(n, a, item)
		name, _ := v.(string)
		switch {
		case !ok:
			continue
		case slices.Contains(list, name):
			l.errorf(n, item.Range(), "", "%s names %s.%s twice", a.name, a.ref, name)
		default:
			list = append(list, name)
		}
	}
	return list, true
}

// wrapped is the name that an expression such as "${workspace.prod}" or [workspace.prod] holds alone.
func wrapped(expr hcl.Expression) (hcl.Traversal, bool) {
	switch e := expr.(type) {
	case *hclsyntax.TemplateWrapExpr:
		expr = e.Wrapped
	case *hclsyntax.TupleConsExpr:
		if len(e.Exprs) == 1 {
			expr = e.Exprs[0]
		}
	}
	t, diags := hcl.AbsTraversalForExpr(expr)
	return t, !diags.HasErrors()
}
