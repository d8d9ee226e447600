package environments

import (
	"reflect"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// Function is a function of barge.hcl, for the docs.
type Function struct {
	Name       string
	Doc        string
	Example    string // a call of it
	Result     string // what the call gives, as barge.hcl writes it; empty where that depends on the place
	Conditions bool   // also to be used in when and that
}

// Functions are all functions, in the order of the docs: those that read something first.
func Functions() []Function {
	all := []Function{
		{"env", "the environment variable of that name, for what is no secret", `env("SC_PROD")`, "", false},
		{"secret", "a reference to a secret; it fits only where a secret is wanted", `secret("keyvault://mlkv/registry-token")`, "", false},
		{"file", "the text of a file of the repository, by its path from the folder of barge.hcl", `file("conf/cluster-policy.txt")`, "", false},
	}
	for _, f := range pure {
		all = append(all, Function{f.name, f.doc, f.example, f.result, f.barred == ""})
	}
	return all
}

type pureFunction struct {
	name            string
	impl            function.Function
	doc             string
	example, result string
	barred          string // why it is not for conditions; empty: it is
}

const textOnly = "text is never a number there: let the notebook answer a number"

// pure are the functions whose result depends on their arguments alone.
var pure = []pureFunction{
	{"abs", stdlib.AbsoluteFunc, "the number without its sign", `abs(-2)`, `2`, ""},
	{"ceil", stdlib.CeilFunc, "the next whole number not below", `ceil(1.2)`, `2`, ""},
	{"floor", stdlib.FloorFunc, "the next whole number not above", `floor(1.8)`, `1`, ""},
	{"min", stdlib.MinFunc, "the least of the numbers", `min(3, 1, 2)`, `1`, ""},
	{"max", stdlib.MaxFunc, "the greatest of the numbers", `max(3, 1, 2)`, `3`, ""},

	{"lower", stdlib.LowerFunc, "the text in lower case", `lower("Prod")`, `"prod"`, ""},
	{"upper", stdlib.UpperFunc, "the text in upper case", `upper("Prod")`, `"PROD"`, ""},
	{"trimspace", stdlib.TrimSpaceFunc, "the text without space at its ends", `trimspace(" a ")`, `"a"`, ""},
	{"trimprefix", stdlib.TrimPrefixFunc, "the text without what it begins with", `trimprefix("v1.4.0", "v")`, `"1.4.0"`, ""},
	{"trimsuffix", stdlib.TrimSuffixFunc, "the text without what it ends with", `trimsuffix("score.py", ".py")`, `"score"`, ""},
	{"startswith", startsWithFunction, "whether the text begins with another", `startswith("/Barge/p", "/Barge/")`, `true`, ""},
	{"endswith", endsWithFunction, "whether the text ends with another", `endswith("score.py", ".py")`, `true`, ""},
	{"matches", matchesFunction, "whether an RE2 expression matches somewhere in the text", `matches("^adb-[0-9]+", "adb-1.1")`, `true`, ""},
	{"replace", stdlib.ReplaceFunc, "the text with every occurrence of one text replaced by another", `replace("a-b-c", "-", "_")`, `"a_b_c"`, ""},
	{"substr", stdlib.SubstrFunc, "the part of a text from a position, of a length", `substr("release", 0, 3)`, `"rel"`, ""},
	{"format", stdlib.FormatFunc, "text by a pattern", `format("%s-%d", "m", 3)`, `"m-3"`, ""},
	{"join", stdlib.JoinFunc, "a list as one text", `join(", ", ["a", "b"])`, `"a, b"`, ""},
	{"split", stdlib.SplitFunc, "a text as a list", `split(",", "a,b")`, `["a", "b"]`, ""},

	{"length", stdlib.LengthFunc, "how many a list or map has", `length(["a", "b"])`, `2`, ""},
	{"contains", stdlib.ContainsFunc, "whether the list has the value", `contains(["a", "b"], "a")`, `true`, ""},
	{"concat", stdlib.ConcatFunc, "the lists one after another", `concat(["a"], ["b"])`, `["a", "b"]`, ""},
	{"flatten", stdlib.FlattenFunc, "lists of lists as one list", `flatten([["a"], ["b", "c"]])`, `["a", "b", "c"]`, ""},
	{"distinct", stdlib.DistinctFunc, "the list without repeated values", `distinct(["a", "b", "a"])`, `["a", "b"]`, ""},
	{"compact", stdlib.CompactFunc, "the list of text without the empty ones", `compact(["a", ""])`, `["a"]`, ""},
	{"sort", stdlib.SortFunc, "the list of text in order", `sort(["b", "a"])`, `["a", "b"]`, ""},
	{"reverse", stdlib.ReverseListFunc, "the list from its end", `reverse(["a", "b"])`, `["b", "a"]`, ""},
	{"keys", stdlib.KeysFunc, "the keys of the map, in order", `keys({ b = 1, a = 2 })`, `["a", "b"]`, ""},
	{"values", stdlib.ValuesFunc, "the values of the map, in the order of its keys", `values({ b = 1, a = 2 })`, `[2, 1]`, ""},
	{"lookup", stdlib.LookupFunc, "the value of a key of the map, or the default", `lookup({ a = "x" }, "b", "none")`, `"none"`, "a fact that is missing must not be made up: name it outright"},
	{"merge", stdlib.MergeFunc, "the maps as one; of one key the last map's value stays", `merge({ a = 1 }, { a = 2 })`, `{ a = 2 }`, ""},
	{"coalesce", stdlib.CoalesceFunc, "the first value that is not null", `coalesce(null, "a")`, `"a"`, ""},

	{"tonumber", stdlib.MakeToFunc(cty.Number), "the number that a text writes", `tonumber("8")`, `8`, textOnly},
	{"jsondecode", stdlib.JSONDecodeFunc, "the value that a JSON text writes", `jsondecode("[1, 2]")`, `[1, 2]`, textOnly},
}

// pureFunctions are those without a look at the world; of conditions, or all.
func pureFunctions(conditions bool) map[string]function.Function {
	all := make(map[string]function.Function, len(pure)+3)
	for _, f := range pure {
		if !conditions || f.barred == "" {
			all[f.name] = f.impl
		}
	}
	return all
}

// functions are those of barge.hcl outside of conditions.
func functions(opts Options) map[string]function.Function {
	all := pureFunctions(false)
	all["env"], all["secret"], all["file"] = envFunction(opts.Getenv), secretFunction, fileFunction(opts.ReadFile)
	return all
}

var startsWithFunction = ofTwoTexts("text", "prefix", func(text, prefix string) (bool, error) { return strings.HasPrefix(text, prefix), nil })

var endsWithFunction = ofTwoTexts("text", "suffix", func(text, suffix string) (bool, error) { return strings.HasSuffix(text, suffix), nil })

var matchesFunction = ofTwoTexts("pattern", "text", func(pattern, text string) (bool, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return false, function.NewArgErrorf(0, "%q is no regular expression: %s", pattern, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re.MatchString(text), nil
})

func ofTwoTexts(first, second string, holds func(a, b string) (bool, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: first, Type: cty.String}, {Name: second, Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			held, err := holds(args[0].AsString(), args[1].AsString())
			return cty.BoolVal(held), err
		},
	})
}

// envFunction gives an unknown text, marked with the name, where the variable is not set.
func envFunction(getenv func(string) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if !envName.MatchString(name) {
				return cty.NilVal, function.NewArgErrorf(0, "%q is no name of an environment variable", name)
			}
			if v := getenv(name); v != "" {
				return cty.StringVal(v), nil
			}
			return cty.UnknownVal(cty.String).Mark(unset{env: true, name: name}), nil
		},
	})
}

// fileFunction gives the text that read gives for a path.
func fileFunction(read func(string) ([]byte, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := readText(read, args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.StringVal(text), nil
		},
	})
}

// secretType is opaque, so that a secret fits only where one is wanted and cannot become part of a text.
var secretType = cty.Capsule("secret", reflect.TypeFor[SecretRef]())

var secretFunction = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "reference", Type: cty.String}},
	Type:   function.StaticReturnType(secretType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		ref, err := ParseSecretRef(args[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgError(0, err)
		}
		return cty.CapsuleVal(secretType, &ref), nil
	},
})
