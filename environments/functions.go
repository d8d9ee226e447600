package environments

import (
	"reflect"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// Function is a function of barge.hcl, for the docs.
type Function struct {
	Name       string
	Doc        string
	Conditions bool // also to be used in when and that
}

// Functions are all functions, in the order of the docs.
func Functions() []Function {
	all := []Function{
		{"env", "the environment variable of that name, for what is no secret", false},
		{"secret", `a reference to a secret: "env:NAME", "file:PATH" or "keyvault://VAULT/NAME[/VERSION]"`, false},
	}
	for _, f := range pure {
		all = append(all, Function{f.name, f.doc, true})
	}
	return all
}

// pure are the functions whose result depends on their arguments alone.
var pure = []struct {
	name string
	impl function.Function
	doc  string
}{
	{"abs", stdlib.AbsoluteFunc, "the number without its sign"},
	{"ceil", stdlib.CeilFunc, "the next whole number not below"},
	{"floor", stdlib.FloorFunc, "the next whole number not above"},
	{"min", stdlib.MinFunc, "the least of the numbers"},
	{"max", stdlib.MaxFunc, "the greatest of the numbers"},
	{"lower", stdlib.LowerFunc, "the text in lower case"},
	{"upper", stdlib.UpperFunc, "the text in upper case"},
	{"trimspace", stdlib.TrimSpaceFunc, "the text without space at its ends"},
	{"replace", stdlib.ReplaceFunc, "the text with every occurrence of one text replaced by another"},
	{"format", stdlib.FormatFunc, `text by a pattern: format("%s-%d", "m", 3)`},
	{"join", stdlib.JoinFunc, `a list as one text: join(", ", list)`},
	{"split", stdlib.SplitFunc, `a text as a list: split(",", text)`},
	{"length", stdlib.LengthFunc, "how many a list or map has"},
	{"contains", stdlib.ContainsFunc, "whether the list has the value"},
	{"concat", stdlib.ConcatFunc, "the lists one after another"},
	{"distinct", stdlib.DistinctFunc, "the list without repeated values"},
	{"sort", stdlib.SortFunc, "the list of text in order"},
	{"keys", stdlib.KeysFunc, "the keys of the map, in order"},
	{"values", stdlib.ValuesFunc, "the values of the map, in the order of its keys"},
	{"lookup", stdlib.LookupFunc, "the value of a key of the map, or the default"},
	{"merge", stdlib.MergeFunc, "the maps as one, later ones first"},
	{"coalesce", stdlib.CoalesceFunc, "the first value that is not null"},
}

func pureFunctions() map[string]function.Function {
	all := make(map[string]function.Function, len(pure)+2)
	for _, f := range pure {
		all[f.name] = f.impl
	}
	return all
}

// functions are those of barge.hcl outside of conditions.
func functions(getenv func(string) string) map[string]function.Function {
	all := pureFunctions()
	all["env"], all["secret"] = envFunction(getenv), secretFunction
	return all
}

// envFunction gives an unknown text, marked with the name, where the variable is not set.
func envFunction(getenv func(string) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if v := getenv(name); v != "" {
				return cty.StringVal(v), nil
			}
			return cty.UnknownVal(cty.String).Mark(unset{env: true, name: name}), nil
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
