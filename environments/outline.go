package environments

import (
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// node is a block as it was written; the root stands for all files.
type node struct {
	kind     *blockType
	label    string
	up       *node // nil for the root
	at       hcl.Range
	attrs    map[string]*hclsyntax.Attribute // the known ones; all, when the block is open
	children map[string][]*node              // by name of the block
	values   map[string]any                  // set by evaluate; what is not set or unknown is not in it
	meant    map[string]bool                 // what was written wrong, and is told already: an attribute, a block
	taken    *hcl.Range                      // not written, but taken over from another environment: where that is said
}

// get is the value of an attribute, zero when it is not set.
func get[T any](n *node, name string) T {
	v, _ := n.values[name].(T)
	return v
}

// called is the block as people speak of it, with the environment that it stands in.
func (n *node) called() string {
	if n.up == nil {
		return ""
	}
	if (n.kind.once || n.kind.several) && n.kind.label == noLabel && n.up.up != nil {
		return n.kind.name + " of " + n.up.called()
	}
	return n.kind.called(n.label)
}

// owner is the block at the top that n stands in: "workspace.prod".
func (n *node) owner() string {
	for n.up != nil && n.up.up != nil {
		n = n.up
	}
	if n.label == "" {
		return n.kind.name
	}
	return n.kind.name + "." + n.label
}

// labels are the labels of the blocks of that name within n, in the order of the files.
func (n *node) labels(name string) []string {
	var labels []string
	for _, child := range n.children[name] {
		labels = append(labels, child.label)
	}
	return labels
}

// place is where an attribute stands, or the head of the block when it does not.
func (n *node) place(attr string) hcl.Range {
	if n.taken != nil {
		return *n.taken
	}
	if a := n.attrs[attr]; a != nil {
		return a.SrcRange
	}
	return n.at
}

func newNode(kind *blockType) *node {
	return &node{kind: kind, attrs: map[string]*hclsyntax.Attribute{}, children: map[string][]*node{}, values: map[string]any{}, meant: map[string]bool{}}
}

// outline reads blocks and attributes into n against the schema; it evaluates nothing.
func (l *loader) outline(n *node, bodies []*hclsyntax.Body) {
	for _, body := range bodies {
		for _, a := range inOrder(body.Attributes) {
			l.outlineAttr(n, a)
		}
		for _, b := range body.Blocks {
			l.outlineBlock(n, b)
		}
	}
}

// complete reports what is required of a block and of those within it, and is not there.
func (l *loader) complete(n *node) {
	for _, a := range n.kind.attrs {
		if a.required && n.attrs[a.name] == nil && n.taken == nil && !n.meant[a.name] {
			hint := "write " + a.name + " = " + example(a)
			if n.attrs["extends"] != nil {
				hint = "extends takes over no place: " + hint
			}
			l.errorf(n, n.at, hint, "%s needs %q", n.kind.called(n.label), a.name)
		}
	}
	for _, kind := range n.kind.blocks {
		for _, child := range n.children[kind.name] {
			l.complete(child)
		}
	}
}

func example(a attr) string {
	switch {
	case a.such != "":
		return a.such
	case a.kind == reference:
		return a.expected()
	case a.kind == condition:
		return "metrics.accuracy >= 0.77"
	case a.kind == secret:
		return `secret("env:NAME")`
	case len(a.oneOf) > 0:
		return `"` + a.oneOf[0] + `"`
	}
	return `"…"`
}

func inOrder[M ~map[string]*hclsyntax.Attribute](attrs M) []*hclsyntax.Attribute {
	var all []*hclsyntax.Attribute
	for _, a := range attrs {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *hclsyntax.Attribute) int { return a.SrcRange.Start.Byte - b.SrcRange.Start.Byte })
	return all
}

func (l *loader) outlineAttr(n *node, a *hclsyntax.Attribute) {
	attrs, blocks := n.kind.names()
	switch known := n.kind.attr(a.Name); {
	case n.kind.open, known != nil && !known.later:
		n.attrs[a.Name] = a
	case known != nil:
		l.errorf(n, a.SrcRange, notYet, "%q is not yet supported", a.Name)
	case n.kind.block(a.Name) != nil && n.kind.block(a.Name).later:
		l.errorf(n, a.SrcRange, notYet, "%q is not yet supported", a.Name)
	case n.kind.block(a.Name) != nil:
		l.errorf(n, a.SrcRange, "write "+n.kind.block(a.Name).formOf(a.Expr), "%q is a block, not an attribute", a.Name)
	case n.up == nil:
		l.errorf(n, a.SrcRange, topHint(a.Name, blocks), "unknown attribute %q: only blocks stand at the top", a.Name)
	default:
		n.meant[nearest(a.Name, attrs)] = true
		l.errorf(n, a.NameRange, n.kind.hint(a.Name, attrs, blocks), "unknown attribute %q", a.Name)
	}
}

// hint names what was meant by an unknown word, preferred first: also a word that is not supported yet.
func (t *blockType) hint(name string, preferred, others []string) string {
	known := slices.Concat(preferred, others)
	if nearest(name, known) != "" {
		return didYouMean(name, "%s", known)
	}
	var later []string
	for _, a := range t.attrs {
		later = append(later, a.name)
	}
	for _, b := range t.blocks {
		later = append(later, b.name)
	}
	if best := nearest(name, later); best != "" {
		return "did you mean " + best + "? It is not yet supported"
	}
	return didYouMean(name, "%s", known)
}

const notYet = "take it out: this barge would not act on it"

func topHint(name string, blocks []string) string {
	if best := nearest(name, blocks); best != "" {
		return "write " + root.block(best).form()
	}
	return ""
}

func (l *loader) outlineBlock(n *node, b *hclsyntax.Block) {
	attrs, blocks := n.kind.names()
	kind := n.kind.block(b.Type)
	switch {
	case kind == nil && n.kind.attr(b.Type) != nil:
		l.errorf(n, b.DefRange(), "write "+b.Type+" = …", "%q is an attribute, not a block", b.Type)
		return
	case kind == nil:
		n.meant[nearest(b.Type, blocks)] = true
		l.errorf(n, b.TypeRange, n.kind.hint(b.Type, blocks, attrs), "unknown block %q", b.Type)
		return
	case kind.later:
		l.errorf(n, b.DefRange(), notYet, "%q is not yet supported", b.Type)
		return
	}
	label, ok := l.label(n, kind, b)
	if !ok {
		n.meant[b.Type] = true
		return
	}
	child := newNode(kind)
	child.label, child.up, child.at = label, n, b.DefRange()
	if l.collides(n, child) {
		return
	}
	n.children[kind.name] = append(n.children[kind.name], child)
	l.outline(child, []*hclsyntax.Body{b.Body})
}

// label is the label of a block, checked against what its type wants.
func (l *loader) label(n *node, kind *blockType, b *hclsyntax.Block) (string, bool) {
	want := 1
	if kind.label == noLabel {
		want = 0
	}
	switch {
	case len(b.Labels) != want:
		hint := "write " + kind.form()
		if kind == authBlock {
			hint = didYouMean("", "auth %q", sorted(authKinds))
		}
		l.errorf(n, b.DefRange(), hint, "a block %q takes %s", b.Type, []string{"no label", "one label"}[want])
	case want == 0:
		return "", true
	case kind.label == identifier && !hclsyntax.ValidIdentifier(b.Labels[0]):
		l.errorf(n, b.LabelRanges[0], "it is made of letters, digits, _ and -, and begins with a letter",
			"%q is no name for a block %q", b.Labels[0], b.Type)
	case strings.TrimSpace(b.Labels[0]) == "":
		l.errorf(n, b.LabelRanges[0], "write "+kind.form(), "a block %q has an empty label", b.Type)
	case strings.ContainsFunc(b.Labels[0], unicode.IsControl):
		l.errorf(n, b.LabelRanges[0], "take line breaks and the like out of it", "the label of a block %q is one line of text", b.Type)
	default:
		return b.Labels[0], true
	}
	return "", false
}

// collides reports a block whose name is taken within n, or would be once its label is folded.
func (l *loader) collides(n, child *node) bool {
	for _, other := range n.children[child.kind.name] {
		hint := "the first is on " + other.at.Filename + " line " + line(other.at)
		switch {
		case child.kind.open:
		case child.kind.several:
		case child.kind.once:
			l.errorf(n, child.at, hint, "a second block %q", child.kind.name)
			return true
		case other.label == child.label:
			l.errorf(n, child.at, hint, "duplicate %s", child.kind.called(child.label))
			return true
		case child.kind.label == identifier && Fold(other.label) == Fold(child.label):
			l.errorf(n, child.at, "rename one of them: a notebook is told both under the name "+Fold(child.label),
				"%s and %s fold to one name", other.kind.called(other.label), child.kind.called(child.label))
			return true
		}
	}
	return false
}
