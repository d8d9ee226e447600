package environments

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// inherit gives every environment that extends another what that one has and it does not say itself. What is recorded,
// and the rules, are of the whole: who reads them cannot tell it from one that was written out.
func (l *loader) inherit() {
	done := map[*node]bool{}
	var settle func(n *node, path []string)
	settle = func(n *node, path []string) {
		written := n.attrs["extends"]
		if done[n] || written == nil || isNull(written.Expr) {
			return
		}
		if i := slices.Index(path, n.label); i >= 0 {
			l.errorf(n, n.place("extends"), "one of them must be written in full", "extends goes in a circle: %s", circle(path[i:], n.label))
			done[n] = true
			return
		}
		name, ok := l.reference(n, *n.kind.attr("extends"), written.Expr)
		if ok {
			base := l.root.children["environment"][slices.Index(l.root.labels("environment"), name.(string))] //nolint:forcetypeassert // a reference is its name
			settle(base, append(slices.Clone(path), n.label))
			if !done[n] {
				l.take(n, base, written.SrcRange)
			}
		}
		done[n] = true
	}
	for _, n := range l.root.children["environment"] {
		settle(n, nil)
	}
}

// take gives n what base has and n does not say: attributes whole, blocks of one name and label together. Where is
// never taken over: each environment has a place of its own. Null takes an attribute away.
func (l *loader) take(n, base *node, at hcl.Range) {
	for _, a := range n.kind.attrs {
		theirs, mine := base.attrs[a.name], n.attrs[a.name]
		switch {
		case a.part == where || theirs == nil:
		case mine == nil:
			n.attrs[a.name] = theirs
		case isNull(mine.Expr) && !a.required:
			delete(n.attrs, a.name)
		}
	}
	for _, kind := range n.kind.blocks {
		l.takeBlocks(n, base, kind.name, at)
	}
}

// takeBlocks puts the blocks of base first, in their order, then those that n has alone.
func (l *loader) takeBlocks(n, base *node, name string, at hcl.Range) {
	own := n.children[name]
	n.children[name] = nil
	for _, theirs := range base.children[name] {
		i := slices.IndexFunc(own, func(mine *node) bool { return mine.label == theirs.label })
		if i < 0 {
			n.children[name] = append(n.children[name], theirs.copied(n, at))
			continue
		}
		l.take(own[i], theirs, at)
		n.children[name] = append(n.children[name], own[i])
		own = slices.Delete(slices.Clone(own), i, i+1)
	}
	for _, mine := range own {
		if !l.collides(n, mine) {
			n.children[name] = append(n.children[name], mine)
		}
	}
}

// copied is the block as one of up, which takes it over.
func (n *node) copied(up *node, at hcl.Range) *node {
	c := newNode(n.kind)
	c.label, c.up, c.at, c.taken, c.attrs = n.label, up, at, &at, maps.Clone(n.attrs)
	for _, kind := range n.kind.blocks {
		for _, child := range n.children[kind.name] {
			c.children[kind.name] = append(c.children[kind.name], child.copied(c, at))
		}
	}
	return c
}

func isNull(expr hclsyntax.Expression) bool {
	literal, ok := expr.(*hclsyntax.LiteralValueExpr)
	return ok && literal.Val.IsNull()
}
