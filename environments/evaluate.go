package environments

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Facts are what a notebook answered, as encoding/json decodes it, with UseNumber or without.
type Facts struct {
	Metrics  map[string]any
	Output   any
	Models   map[string]any
	Release  string // of a champion only
	Champion *Facts // nil: there is none, and `champion` is null
}

// Outcome is what became of one expect.
type Outcome string

// The outcomes of an expect.
const (
	Held    Outcome = "held"
	False   Outcome = "false"
	Skipped Outcome = "skipped" // its When is false
	Errored Outcome = "errored" // could not be told: a fact is missing, null or not finite, or an operation failed
)

// Finding is an expect held against facts.
type Finding struct {
	Name    string
	Outcome Outcome
	Text    string // the condition that decided, with its values, or why it could not be told
}

// Evaluate holds an expect against facts. Every fact that a condition names must be there, on each side of every
// operator: what HCL's ||, && and ?: would swallow makes the outcome Errored. Champion alone may be null, and only in
// When.
func Evaluate(e Expect, f Facts) Finding {
	if e.When != "" {
		if out, text := judge(e.When, f, true); out != Held {
			if out == False {
				out = Skipped
			}
			return Finding{e.Name, out, text}
		}
	}
	out, text := judge(e.That, f, false)
	return Finding{e.Name, out, text}
}

// judge evaluates one condition to Held, False or Errored.
func judge(source string, f Facts, championMayBeNull bool) (Outcome, string) {
	expr, err := parseCondition(source)
	if err != nil {
		return Errored, fmt.Sprintf("%s: %v", source, err)
	}
	if p := checkCondition(expr); p != nil {
		return Errored, fmt.Sprintf("%s: %v", source, p)
	}
	ctx := &hcl.EvalContext{Variables: factValues(f), Functions: pureFunctions(true)}
	var values []string
	for _, t := range expr.Variables() {
		v, err := lookUp(f, t, championMayBeNull)
		if err != nil {
			return Errored, fmt.Sprintf("%s: %v", source, err)
		}
		if !v.IsNull() && !v.Type().IsPrimitiveType() {
			continue
		}
		if shown := written(t) + " as " + showValue(v); !slices.Contains(values, shown) {
			values = append(values, shown)
		}
	}
	text := source
	if len(values) > 0 {
		text += ", with " + listed(values)
	}
	v, problem := weigh(expr, ctx)
	switch {
	case problem != nil:
		return Errored, fmt.Sprintf("%s: %v", text, problem)
	case v.IsNull() || !v.IsKnown() || v.Type() != cty.Bool:
		return Errored, fmt.Sprintf("%s: a condition must be true or false, and this is %s", text, shape(v))
	case v.True():
		return Held, text
	}
	return False, text
}

// lookUp follows a traversal through the facts as they were decoded, so that it can say what is missing where.
func lookUp(f Facts, t hcl.Traversal, championMayBeNull bool) (cty.Value, error) {
	var at any = f.tree()
	path := ""
	for i := range t {
		if i == 1 && t.RootName() == "champion" && f.Champion == nil {
			break
		}
		next, name, err := into(at, t[i])
		if path += name; err != nil {
			return cty.NilVal, fmt.Errorf("%s %w", strings.TrimPrefix(path, "."), err)
		}
		at = next
	}
	if t.RootName() == "champion" && f.Champion == nil {
		if championMayBeNull && len(t) == 1 {
			return cty.NullVal(championType), nil
		}
		return cty.NilVal, fmt.Errorf("there is no champion yet: write when = champion != null")
	}
	if t.RootName() == "champion" && len(t) == 1 {
		return lenient(at), nil // that there is one is all it says; what is null in it matters where it is named
	}
	path = strings.TrimPrefix(path, ".")
	if at == nil {
		return cty.NilVal, fmt.Errorf("%s is null", path)
	}
	v, err := toCty(at, path)
	if err != nil {
		return cty.NilVal, err
	}
	if isMetric(t) && v.Type() != cty.Number {
		return cty.NilVal, fmt.Errorf("%s is %s, not a number", path, shape(v))
	}
	return v, nil
}

func isMetric(t hcl.Traversal) bool {
	return len(t) == 2 && step(t, 0) == "metrics" || len(t) == 3 && step(t, 0) == "champion" && step(t, 1) == "metrics"
}

// into takes one step into decoded JSON, and names the step.
func into(at any, s hcl.Traverser) (next any, name string, err error) {
	switch container := at.(type) {
	case map[string]any:
		key := step(hcl.Traversal{s}, 0)
		name = "." + key
		if !hclsyntax.ValidIdentifier(key) {
			name = fmt.Sprintf("[%q]", key)
		}
		next, ok := container[key]
		if !ok {
			err = fmt.Errorf("is missing")
			if best := nearest(key, sorted(container)); best != "" {
				err = fmt.Errorf("is missing (did you mean %q?)", best)
			}
		}
		return next, name, err
	case []any:
		index, ok := s.(hcl.TraverseIndex)
		if !ok || index.Key.Type() != cty.Number {
			return nil, "", fmt.Errorf("is a list")
		}
		i, accuracy := index.Key.AsBigFloat().Int64()
		name = fmt.Sprintf("[%d]", i)
		if accuracy != big.Exact || i < 0 || i >= int64(len(container)) {
			return nil, name, fmt.Errorf("is missing")
		}
		return container[i], name, nil
	case nil:
		return nil, "", fmt.Errorf("is null")
	}
	return nil, "", fmt.Errorf("has nothing in it")
}

// tree is the facts as conditions name them.
func (f Facts) tree() map[string]any {
	tree := map[string]any{"metrics": orEmpty(f.Metrics), "output": f.Output, "models": orEmpty(f.Models), "champion": nil}
	if c := f.Champion; c != nil {
		tree["champion"] = map[string]any{"metrics": orEmpty(c.Metrics), "output": c.Output, "models": orEmpty(c.Models), "release": c.Release}
	}
	return tree
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// factValues are the facts for an evaluation, of the types that factTypes promises. What cannot become a value is null:
// a condition that names it has been found errored before.
func factValues(f Facts) map[string]cty.Value {
	values := map[string]cty.Value{
		"metrics": metricValues(f.Metrics), "output": lenient(f.Output), "models": lenient(orEmpty(f.Models)),
		"champion": cty.NullVal(championType),
	}
	if c := f.Champion; c != nil {
		values["champion"] = cty.ObjectVal(map[string]cty.Value{
			"metrics": metricValues(c.Metrics), "output": lenient(c.Output), "models": lenient(orEmpty(c.Models)),
			"release": cty.StringVal(c.Release),
		})
	}
	return values
}

func metricValues(metrics map[string]any) cty.Value {
	values := map[string]cty.Value{}
	for name, m := range metrics {
		values[name] = cty.NullVal(cty.Number)
		if v, err := toCty(m, name); err == nil && v.Type() == cty.Number {
			values[name] = v
		}
	}
	if len(values) == 0 {
		return cty.MapValEmpty(cty.Number)
	}
	return cty.MapVal(values)
}

// lenient is a value of which everything that is not finite or no JSON is null.
func lenient(v any) cty.Value {
	switch v := v.(type) {
	case map[string]any:
		values := map[string]cty.Value{}
		for key, item := range v {
			values[key] = lenient(item)
		}
		return cty.ObjectVal(values)
	case []any:
		values := make([]cty.Value, len(v))
		for i, item := range v {
			values[i] = lenient(item)
		}
		return cty.TupleVal(values)
	}
	value, err := toCty(v, "")
	if err != nil || v == nil {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	return value
}

// toCty turns decoded JSON into a value; an error names the first thing in it that is null or not finite.
func toCty(v any, path string) (cty.Value, error) {
	switch v := v.(type) {
	case nil:
		return cty.NilVal, fmt.Errorf("%s is null", path)
	case string:
		return cty.StringVal(v), nil
	case bool:
		return cty.BoolVal(v), nil
	case map[string]any:
		values := map[string]cty.Value{}
		for _, key := range sorted(v) {
			item, err := toCty(v[key], path+"."+key)
			if err != nil {
				return cty.NilVal, err
			}
			values[key] = item
		}
		return cty.ObjectVal(values), nil
	case []any:
		values := make([]cty.Value, len(v))
		for i := range v {
			item, err := toCty(v[i], fmt.Sprintf("%s[%d]", path, i))
			if err != nil {
				return cty.NilVal, err
			}
			values[i] = item
		}
		return cty.TupleVal(values), nil
	}
	return toNumber(v, path)
}

// toNumber goes by way of decimal text: cty's own conversion of a float64 makes 0.7 another number than the 0.7 of a
// condition, and panics at NaN.
func toNumber(v any, path string) (cty.Value, error) {
	digits := ""
	switch n := reflect.ValueOf(v); {
	case n.Type() == reflect.TypeFor[json.Number]():
		f, err := strconv.ParseFloat(n.String(), 64)
		if digits = n.String(); err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return cty.NilVal, fmt.Errorf("%s is %.40s, not a finite number", path, digits)
		}
	case n.CanFloat():
		f := n.Float()
		if digits = strconv.FormatFloat(f, 'g', -1, n.Type().Bits()); math.IsInf(f, 0) || math.IsNaN(f) {
			return cty.NilVal, fmt.Errorf("%s is %s, not a finite number", path, digits)
		}
	case n.CanInt():
		digits = strconv.FormatInt(n.Int(), 10)
	case n.CanUint():
		digits = strconv.FormatUint(n.Uint(), 10)
	default:
		return cty.NilVal, fmt.Errorf("%s is no JSON value", path)
	}
	return cty.ParseNumberVal(digits)
}

func showValue(v cty.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case v.Type() == cty.String:
		return strconv.Quote(v.AsString())
	}
	if v.Type() != cty.Number {
		return strconv.FormatBool(v.True())
	}
	f := v.AsBigFloat()
	if n, accuracy := f.Int64(); accuracy == big.Exact {
		return strconv.FormatInt(n, 10)
	}
	short, _ := f.Float64()
	return strconv.FormatFloat(short, 'g', -1, 64)
}
