package environments

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// quote stands around a name in a placeholder; text that holds it is refused.
const quote = "\x00"

// placeholders are the values that bindings can name and that are known at deploy only.
func placeholders(root *node) map[string]cty.Value {
	named := func(kind, label string, attrs ...string) cty.Value {
		values := map[string]cty.Value{}
		for _, attr := range attrs {
			values[attr] = cty.StringVal(quote + kind + "." + label + "." + attr + quote)
		}
		return cty.ObjectVal(values)
	}
	workspaces, models := map[string]cty.Value{}, map[string]cty.Value{}
	for _, label := range root.labels("workspace") {
		workspaces[label] = named("workspace", label, "host")
	}
	for _, artifact := range root.children["artifact"] {
		for _, label := range artifact.labels("model") {
			models[label] = named("model", label, "uri", "version")
		}
	}
	return map[string]cty.Value{"workspace": cty.ObjectVal(workspaces), "model": cty.ObjectVal(models)}
}

// joinable reports what does more with a placeholder than join it with text: nothing is known of it yet.
func (l *loader) joinable(n *node, expr hclsyntax.Expression) bool {
	ok := true
	_ = hclsyntax.VisitAll(expr, func(part hclsyntax.Node) hcl.Diagnostics {
		worker, works := part.(hclsyntax.Expression)
		switch part.(type) {
		case *hclsyntax.FunctionCallExpr, *hclsyntax.BinaryOpExpr, *hclsyntax.UnaryOpExpr, *hclsyntax.ConditionalExpr,
			*hclsyntax.ForExpr, *hclsyntax.IndexExpr, *hclsyntax.SplatExpr:
		default:
			works = false
		}
		if !works {
			return nil
		}
		for _, t := range worker.Variables() {
			if _, late := l.scope.deploy[t.RootName()]; late && ok {
				ok = false
				l.errorf(n, t.SourceRange(), `write "${`+written(t)+`}"`,
					"%s is known at deploy only: it can be joined with text and no more", written(t))
			}
		}
		return nil
	})
	return ok
}

// template turns evaluated text into a value of Deploy.Bind.
func template(s string) string {
	var b strings.Builder
	for i, piece := range strings.Split(s, quote) {
		if i%2 == 0 {
			b.WriteString(strings.ReplaceAll(piece, "$", "$$"))
		} else {
			b.WriteString("${" + piece + "}")
		}
	}
	return b.String()
}

// Expand fills a value of Deploy.Bind: each ${NAME} by what value gives for NAME, which is workspace.LABEL.host,
// model.LABEL.uri or model.LABEL.version; $$ is a dollar.
func Expand(bound string, value func(name string) (string, error)) (string, error) {
	var b strings.Builder
	for rest := bound; ; {
		text, special, found := strings.Cut(rest, "$")
		b.WriteString(text)
		if !found {
			return b.String(), nil
		}
		if after, ok := strings.CutPrefix(special, "$"); ok {
			b.WriteString("$")
			rest = after
			continue
		}
		name, after, closed := strings.Cut(special, "}")
		name, opened := strings.CutPrefix(name, "{")
		if !opened || !closed {
			return "", fmt.Errorf("binding %q: neither $$ nor ${NAME} follows a $", bound)
		}
		v, err := value(name)
		if err != nil {
			return "", fmt.Errorf("binding %q: %w", bound, err)
		}
		b.WriteString(v)
		rest = after
	}
}
