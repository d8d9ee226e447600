package environments

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// evaluate sets the values of a block and of all within it. A value that is unknown is left out and becomes a hole.
func (l *loader) evaluate(n *node) {
	if n.kind.open {
		return
	}
	for _, a := range n.kind.attrs {
		written := n.attrs[a.name]
		if written == nil || a.elsewhere {
			continue
		}
		if v, ok := l.attribute(n, a, written.Expr); ok {
			n.values[a.name] = v
		}
	}
	for _, kind := range n.kind.blocks {
		for _, child := range n.children[kind.name] {
			l.evaluate(child)
		}
	}
}

// attribute is the value of one attribute as the Go type of its kind; not ok when it is unknown, null or wrong.
func (l *loader) attribute(n *node, a attr, expr hclsyntax.Expression) (any, bool) {
	if a.kind == secret {
		defer l.hide(len(l.diags))
	}
	if isNull(expr) && a.kind != condition {
		if a.required {
			l.errorf(n, expr.Range(), "write "+a.name+" = "+example(a), "%q must not be null", a.name)
		}
		return nil, false
	}
	switch a.kind {
	case reference:
		return l.reference(n, a, expr)
	case references:
		return l.references(n, a, expr)
	case condition:
		return l.condition(n, a, expr)
	}
	var also map[string]cty.Value
	if a.kind == bindings {
		also = l.scope.deploy
		if !l.joinable(n, expr) {
			return nil, false
		}
	}
	v, ok := l.value(n, expr, also)
	if !ok || l.hole(n, a, expr, v) {
		return nil, false
	}
	v, _ = v.UnmarkDeep()
	if v.IsNull() {
		if a.required {
			l.errorf(n, expr.Range(), "write "+a.name+" = "+example(a), "%q must not be null", a.name)
		}
		return nil, false
	}
	goValue, err := a.convert(v)
	if err != nil {
		hint := a.form(v, string(expr.Range().SliceBytes(l.sources[expr.Range().Filename])))
		if wrong := (*badValue)(nil); errors.As(err, &wrong) && wrong.allowed != nil {
			hint = didYouMean(wrong.value, "%q", wrong.allowed)
		}
		l.errorf(n, expr.Range(), hint, "%s", err)
		return nil, false
	}
	return goValue, true
}

// hole notes a value that is not known whole, with what has to be set.
func (l *loader) hole(n *node, a attr, expr hclsyntax.Expression, v cty.Value) bool {
	bare, marks := v.UnmarkDeep()
	if bare.IsWhollyKnown() {
		return false
	}
	for _, t := range expr.Variables() { // some functions drop the marks of what they are given
		if given, ok := l.scope.roots[t.RootName()]; ok && step(t, 1) != "" {
			_, dropped := given.GetAttr(step(t, 1)).UnmarkDeep()
			marks = cty.NewValueMarks(marks, dropped)
		}
	}
	var diags Diagnostics
	for mark := range marks {
		if u, ok := mark.(unset); ok {
			diags = append(diags, l.diagnostic(n, expr.Range(), u.hint(), u.summary()))
		}
	}
	if len(diags) == 0 {
		diags = append(diags, l.diagnostic(n, expr.Range(), "", fmt.Sprintf("the value of %q is not known", a.name)))
	}
	for _, d := range tidy(diags) {
		l.holes = append(l.holes, hole{owner: n.owner(), part: a.part, diag: d})
	}
	return true
}

// badValue is a value of the right type that is not allowed.
type badValue struct {
	attr, value string
	err         error
	allowed     []string
}

func (b *badValue) Error() string { return fmt.Sprintf("%s %q %v", b.attr, blank(b.value), b.err) }

// form says how a value of the attribute is written that was written as another kind of value.
func (a attr) form(v cty.Value, source string) string {
	switch {
	case a.kind == secret && v.Type() != secretType:
		return `write secret("env:NAME"), secret("file:PATH") or secret("keyvault://VAULT/NAME")`
	case a.kind == texts && v.Type() == cty.String && !strings.Contains(source, "\n"):
		return "write [" + blank(source) + "]"
	case a.kind == object && a.such != "":
		return "write " + a.such
	case a.kind == boolean && v.Type() != cty.Bool:
		return "write true or false, without quotes"
	case a.kind == number && v.Type() == cty.String:
		return "write it without quotes"
	}
	return ""
}

func (a attr) wrong(v cty.Value) error {
	if a.kind == number && v.Type() == cty.Number {
		return fmt.Errorf("%q must be %s, not %s", a.name, a.expected(), showValue(v))
	}
	return fmt.Errorf("%q must be %s, not %s", a.name, a.expected(), shape(v))
}

// convert turns a known value into the Go type of the attribute's kind.
func (a attr) convert(v cty.Value) (any, error) {
	switch a.kind {
	case text, duration:
		if v.Type() != cty.String {
			return nil, a.wrong(v)
		}
		return a.text(v.AsString())
	case scalar:
		s, ok := scalarText(v)
		if !ok {
			return nil, a.wrong(v)
		}
		return a.text(s)
	case number:
		n, ok := whole(v)
		if !ok {
			return nil, a.wrong(v)
		}
		return n, nil
	case boolean:
		if v.Type() != cty.Bool {
			return nil, a.wrong(v)
		}
		return v.True(), nil
	case texts:
		return a.texts(v)
	case table, bindings:
		return a.table(v)
	case secret:
		if v.Type() != secretType {
			return nil, a.wrong(v)
		}
		ref, _ := v.EncapsulatedValue().(*SecretRef)
		return *ref, nil
	case object:
		return a.object(v)
	}
	return nil, a.wrong(v)
}

func (a attr) text(s string) (any, error) {
	if slices.Contains(a.notYet, s) {
		return nil, fmt.Errorf("%s %q is not yet supported: this barge knows %q alone", a.name, s, a.oneOf[0])
	}
	if err := a.plain(s); err != nil {
		return nil, err
	}
	if a.oneOf != nil && !slices.Contains(a.oneOf, s) {
		return nil, &badValue{a.name, s, errors.New("is not known"), a.oneOf}
	}
	if a.check != nil {
		if err := a.check(s); err != nil {
			return nil, &badValue{attr: a.name, value: s, err: err}
		}
	}
	if a.kind != duration {
		return s, nil
	}
	d, err := ParseDuration(s)
	if err != nil {
		return nil, fmt.Errorf("%s %w", a.name, err)
	}
	return d, nil
}

// plain wants one line of text, and some text where an empty one would pass for what is not set.
func (a attr) plain(s string) error {
	switch {
	case a.prose:
		return nil
	case s == "" && a.check == nil && a.oneOf == nil && a.kind != duration && !a.empty:
		return fmt.Errorf("%q must not be empty: leave it out, or write null", a.name)
	case strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%q must be one line of text: trimspace() takes away what a file ends with", a.name)
	}
	return nil
}

func (a attr) texts(v cty.Value) (any, error) {
	if !sequence(v) {
		return nil, a.wrong(v)
	}
	list := make([]string, 0, v.LengthInt())
	for _, item := range v.AsValueSlice() {
		if item.IsNull() || item.Type() != cty.String {
			return nil, fmt.Errorf("%q must be %s, and one of it is %s", a.name, a.expected(), shape(item))
		}
		s := item.AsString()
		if err := a.plain(s); err != nil {
			return nil, err
		}
		if a.check != nil {
			if err := a.check(s); err != nil {
				return nil, &badValue{attr: a.name, value: s, err: err}
			}
		}
		if slices.Contains(list, s) {
			return nil, fmt.Errorf("%s names %q twice", a.name, s)
		}
		list = append(list, s)
	}
	return list, nil
}

func (a attr) table(v cty.Value) (any, error) {
	if !mapping(v) {
		return nil, a.wrong(v)
	}
	m := make(map[string]string, v.LengthInt())
	for key, item := range v.AsValueMap() {
		s, ok := scalarText(item)
		if !ok {
			return nil, fmt.Errorf("%q must be %s, and %q in it is %s", a.name, a.expected(), key, shape(item))
		}
		switch {
		case a.check != nil:
			if err := a.check(key); err != nil {
				return nil, &badValue{attr: a.name, value: key, err: err}
			}
		case key == "":
			return nil, fmt.Errorf("a key of %q is empty", a.name)
		}
		if a.kind == bindings {
			s = template(s)
		}
		m[key] = s
	}
	return m, nil
}

func (a attr) object(v cty.Value) (any, error) {
	if !mapping(v) {
		return nil, a.wrong(v)
	}
	given, values := v.AsValueMap(), map[string]any{}
	var names []string
	for _, f := range a.fields {
		names = append(names, f.name)
	}
	for _, key := range sorted(given) {
		f := find(a.fields, func(f *attr) string { return f.name }, key)
		if f == nil {
			return nil, fmt.Errorf("%q has no %q: it has %s", a.name, key, listed(names))
		}
		if given[key].IsNull() {
			continue
		}
		value, err := f.convert(given[key])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		values[key] = value
	}
	for _, f := range a.fields {
		if _, ok := values[f.name]; !ok && f.required {
			return nil, fmt.Errorf("%q needs %q", a.name, f.name)
		}
	}
	return values, nil
}

// shape is the type of a value in the users' words.
func shape(v cty.Value) string {
	switch t := v.Type(); {
	case v.IsNull():
		return "null"
	case t == cty.String:
		return "text"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t == secretType:
		return "a secret"
	case sequence(v):
		return "a list"
	case mapping(v):
		return "a map"
	}
	return "an unknown value"
}

func sequence(v cty.Value) bool {
	t := v.Type()
	return !v.IsNull() && (t.IsTupleType() || t.IsListType() || t.IsSetType())
}

func mapping(v cty.Value) bool {
	t := v.Type()
	return !v.IsNull() && (t.IsObjectType() || t.IsMapType())
}

// scalarText is text, or the text of a number or flag.
func scalarText(v cty.Value) (string, bool) {
	if v.IsNull() || !v.Type().IsPrimitiveType() {
		return "", false
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return "", false
	}
	return s.AsString(), true
}

// whole is a whole number from 0 to a billion.
func whole(v cty.Value) (int, bool) {
	if v.Type() != cty.Number {
		return 0, false
	}
	n, accuracy := v.AsBigFloat().Int64()
	return int(n), accuracy == big.Exact && n >= 0 && n <= 1e9
}
