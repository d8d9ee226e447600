package environments

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// factTypes are what a condition can name, as far as it is known before there is an answer.
var factTypes = map[string]cty.Type{
	"metrics":  cty.Map(cty.Number),
	"output":   cty.DynamicPseudoType,
	"models":   cty.DynamicPseudoType,
	"champion": championType,
}

var championType = cty.Object(map[string]cty.Type{
	"metrics": cty.Map(cty.Number), "output": cty.DynamicPseudoType, "models": cty.DynamicPseudoType, "release": cty.String,
})

// ParseExpect makes an expect of conditions as they are recorded, checking them as Load does. An empty when always
// applies.
func ParseExpect(name, when, that string) (Expect, error) {
	e := Expect{Name: name}
	for _, c := range []struct {
		word, source string
		to           *string
	}{{"when", when, &e.When}, {"that", that, &e.That}} {
		if c.word == "when" && c.source == "" {
			continue
		}
		expr, err := parseCondition(c.source)
		if err != nil {
			return Expect{}, fmt.Errorf("reading %s of expect %q: %w", c.word, name, err)
		}
		if p := checkCondition(expr); p != nil {
			return Expect{}, fmt.Errorf("reading %s of expect %q: %w", c.word, name, p)
		}
		*c.to = oneLine([]byte(c.source))
	}
	return e, nil
}

func parseCondition(source string) (hclsyntax.Expression, error) {
	if err := readable([]byte(source)); err != nil {
		return nil, err
	}
	expr, diags := hclsyntax.ParseExpression([]byte(source), "condition", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, errors.New(fromHCL(diags[0], nil, "").Summary)
	}
	return expr, nil
}

// condition reads when or that: checked, never evaluated but once with every fact unknown.
func (l *loader) condition(n *node, a attr, expr hclsyntax.Expression) (any, bool) {
	if isNull(expr) && !a.required {
		return nil, false
	}
	if p := checkCondition(expr); p != nil {
		l.errorf(n, p.at, p.hint, "%s", p.summary)
		return nil, false
	}
	r := expr.Range()
	return oneLine(r.SliceBytes(l.sources[r.Filename])), true
}

// problem is what is wrong with a condition, and where.
type problem struct {
	at            hcl.Range
	summary, hint string
}

func (p *problem) Error() string {
	if p.hint == "" {
		return p.summary
	}
	return p.summary + " (" + p.hint + ")"
}

// checkCondition finds the first thing that would keep a condition from being judged: forms whose errors HCL would
// swallow, names that are no facts, and a result that is not true or false.
func checkCondition(expr hclsyntax.Expression) *problem {
	if p := checkForms(expr); p != nil {
		return p
	}
	facts := map[string]cty.Value{}
	for name, t := range factTypes {
		facts[name] = cty.UnknownVal(t)
	}
	for _, t := range expr.Variables() {
		if p := checkFact(t); p != nil {
			return p
		}
	}
	v, err := weigh(expr, &hcl.EvalContext{Variables: facts, Functions: pureFunctions(true)})
	if err != nil {
		return &problem{at: err.at, summary: err.summary, hint: err.hint}
	}
	if v.IsNull() || v.Type() != cty.Bool && v.Type() != cty.DynamicPseudoType {
		return &problem{at: expr.Range(), summary: "a condition must be true or false, and this is " + shape(v), hint: asCondition(expr, v)}
	}
	return nil
}

// asCondition is how what is none was meant, maybe.
func asCondition(expr hclsyntax.Expression, v cty.Value) string {
	switch text := expr.(type) {
	case *hclsyntax.TemplateExpr:
		return "a condition stands without quotes: metrics.accuracy >= 0.8"
	case *hclsyntax.ScopeTraversalExpr:
		if !v.IsNull() && v.Type() == cty.Number {
			return "compare it: " + written(text.Traversal) + " >= 0.8"
		}
	}
	return ""
}

func checkForms(expr hclsyntax.Expression) (found *problem) {
	_ = hclsyntax.VisitAll(expr, func(part hclsyntax.Node) hcl.Diagnostics {
		if found != nil {
			return nil
		}
		if unwieldy(part) {
			found = &problem{at: part.Range(), summary: "this number is too large or too small"}
			return nil
		}
		switch part := part.(type) {
		case *hclsyntax.LiteralValueExpr, *hclsyntax.ScopeTraversalExpr, *hclsyntax.BinaryOpExpr, *hclsyntax.UnaryOpExpr,
			*hclsyntax.ConditionalExpr, *hclsyntax.ParenthesesExpr, *hclsyntax.TemplateExpr, *hclsyntax.TemplateWrapExpr,
			*hclsyntax.TupleConsExpr:
		case *hclsyntax.FunctionCallExpr:
			found = checkFunction(part)
		case hclsyntax.Expression:
			found = &problem{
				at: part.Range(), summary: "this form is not allowed in a condition",
				hint: `name each fact outright, such as metrics.accuracy or metrics["val/auc"]`,
			}
		}
		return nil
	})
	return found
}

func checkFunction(call *hclsyntax.FunctionCallExpr) *problem {
	var names []string
	for _, f := range pure {
		if f.barred == "" {
			names = append(names, f.name)
		}
	}
	if slices.Contains(names, call.Name) {
		return nil
	}
	if f := find(pure, func(f *pureFunction) string { return f.name }, call.Name); f != nil {
		return &problem{at: call.NameRange, summary: fmt.Sprintf("%s() is not allowed in a condition", call.Name), hint: f.barred}
	}
	if call.Name == "env" || call.Name == "secret" || call.Name == "file" {
		return &problem{
			at: call.NameRange, summary: fmt.Sprintf("%s() is not allowed in a condition", call.Name),
			hint: "a condition is a rule: it says the same everywhere",
		}
	}
	return &problem{at: call.NameRange, summary: fmt.Sprintf("unknown function %q", call.Name), hint: otherFunction(call.Name, names)}
}

func checkFact(t hcl.Traversal) *problem {
	name := t.RootName()
	if _, ok := factTypes[name]; !ok {
		p := &problem{at: t.SourceRange(), summary: fmt.Sprintf("unknown name %q in a condition", written(t))}
		p.hint = didYouMean(name, "%s", sorted(factTypes))
		switch word := strings.ToLower(name); {
		case len(t) > 1 || nearest(name, sorted(factTypes)) != "":
		case word == "nan", word == "inf", word == "infinity":
			p.hint = "a metric that is not finite makes the gate errored by itself"
		default:
			p.hint = fmt.Sprintf("a metric is written metrics.%s, or metrics[\"val/auc\"] where its name has other characters", name)
		}
		if name == "var" || name == "local" || root.block(name) != nil {
			p.hint = "a condition is a rule and is recorded as it is written: it can name " + listed(sorted(factTypes)) + " only"
		}
		return p
	}
	if key := step(t, 1); name == "champion" && len(t) > 1 && !championType.HasAttribute(key) {
		p := &problem{at: t.SourceRange(), summary: fmt.Sprintf("a champion has no %q", key)}
		p.hint = didYouMean(key, "champion.%s", sorted(championType.AttributeTypes()))
		return p
	}
	return nil
}

// manyLines finds what may make more than one line of an expression.
var manyLines = regexp.MustCompile(`[\n#]|//|/\*`)

// oneLine is the source of an expression in the spacing of Format and, where it can be, on one line, so that spacing
// and comments change no rule.
func oneLine(source []byte) string {
	asWritten := strings.TrimSpace(string(hclwrite.Format(source)))
	if !manyLines.Match(source) {
		return asWritten
	}
	tokens, _ := hclsyntax.LexExpression(source, "", hcl.InitialPos)
	var b strings.Builder
	for i, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOHeredoc:
			return asWritten
		case hclsyntax.TokenNewline, hclsyntax.TokenComment:
			b.WriteByte(' ')
			continue
		}
		inText := i > 0 && (tokens[i-1].Type == hclsyntax.TokenQuotedLit || tokens[i-1].Type == hclsyntax.TokenStringLit)
		if before := t.Range.Start.Byte; before > 0 && !inText && strings.ContainsRune(" \t", rune(source[before-1])) {
			b.WriteByte(' ')
		}
		b.Write(t.Bytes)
	}
	joined := strings.TrimSpace(string(hclwrite.Format([]byte(b.String()))))
	if _, diags := hclsyntax.ParseExpression([]byte(joined), "", hcl.InitialPos); diags.HasErrors() {
		return asWritten
	}
	return joined
}

// written is a traversal as it stands in a file.
func written(t hcl.Traversal) string {
	return string(hclwrite.TokensForTraversal(t).Bytes())
}
