package environments

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVariablesHaveTypes(t *testing.T) {
	src := `
project "p" {}
variable "v" {
  type    = TYPE
  default = DEFAULT
}
artifact {
  notebooks {
    from    = "notebooks"
    include = [for x in flatten([VALUE]) : format("%v", x)]
  }
}
`
	for _, c := range []struct {
		kind, fallback, value, given string
		want                         []string
		err                          string
	}{
		{kind: "string", fallback: `"a"`, value: "var.v", want: []string{"a"}},
		{kind: "string", fallback: "5", value: "var.v", want: []string{"5"}},
		{kind: "number", fallback: "1", value: "var.v + 1", given: "7", want: []string{"8"}},
		{kind: "bool", fallback: "false", value: `var.v ? "yes" : "no"`, given: "true", want: []string{"yes"}},
		{kind: "list(string)", fallback: `["a", "b"]`, value: "var.v", want: []string{"a", "b"}},
		{kind: "list(string)", fallback: `[]`, value: "var.v", given: `["c"]`, want: []string{"c"}},
		{kind: "list(number)", fallback: `[]`, value: "[for n in var.v : n * 2]", given: "[1, 2]", want: []string{"2", "4"}},
		{kind: "list(bool)", fallback: "[true]", value: "var.v", want: []string{"true"}},
		{kind: "map(string)", fallback: "{}", value: "values(var.v)", given: `{ a = "x", b = "y" }`, want: []string{"x", "y"}},
		{kind: "map(number)", fallback: "{ a = 1 }", value: "var.v.a", want: []string{"1"}},
		{kind: "map(bool)", fallback: "{ a = true }", value: `var.v["a"]`, want: []string{"true"}},
		{kind: "list(string)", fallback: `[]`, value: "var.v", given: "a,b", err: `barge.hcl:3: --var v is not a list of text (write it as ["a", "b"])`},
		{kind: "list(string)", fallback: `[]`, value: "var.v", given: `[env("HOME")]`, err: `barge.hcl:3: --var v is not a list of text (write it as ["a", "b"])`},
		{kind: "list(string)", fallback: `[]`, value: "var.v", given: `null`, err: `barge.hcl:3: --var v is not a list of text (write it as ["a", "b"])`},
		{kind: "list(string)", fallback: `[]`, value: "var.v", given: strings.Repeat("[", 5000), err: `barge.hcl:3: --var v is not a list of text (write it as ["a", "b"])`},
		{kind: "map(string)", fallback: "{}", value: "values(var.v)", given: `["x"]`, err: `barge.hcl:3: --var v is not a map of text (write it as { a = "b" })`},
		{kind: "bool", fallback: "false", value: "var.v", given: "yes", err: `barge.hcl:3: --var v is not true or false`},
		{kind: "list(string)", fallback: `"a"`, value: "var.v", err: `barge.hcl:5: the default must be a list of text, not text (write it as ["a", "b"])`},
		{kind: "list", fallback: "[]", value: "var.v", err: `barge.hcl:4: this is no type of a variable (write string, number, bool, list(string) or map(string))`},
		{kind: "set(string)", fallback: "[]", value: "var.v", err: `barge.hcl:4: this is no type of a variable (write string, number, bool, list(string) or map(string))`},
		{kind: "list(list(string))", fallback: "[]", value: "var.v", err: `barge.hcl:4: this is no type of a variable (write string, number, bool, list(string) or map(string))`},
	} {
		given := map[string]string{}
		if c.given != "" {
			given["v"] = c.given
		}
		p, diags := one(t, strings.NewReplacer("TYPE", c.kind, "DEFAULT", c.fallback, "VALUE", c.value).Replace(src), Options{Vars: given})
		if c.err != "" {
			if diags.Error() != c.err {
				t.Errorf("%s %s: %v, want %s", c.kind, c.given, diags, c.err)
			}
			continue
		}
		if len(diags) > 0 {
			t.Errorf("%s %s: %v", c.kind, c.given, diags)
			continue
		}
		if diff := cmp.Diff(c.want, p.Artifact.Notebooks.Include); diff != "" {
			t.Errorf("%s %s: %s", c.kind, c.given, diff)
		}
	}
}

func TestVariablesAreValidated(t *testing.T) {
	src := `
project "p" {
  store = "oci-layout:${var.v}"
}
variable "v" {
  default = "DEFAULT"
  validation {
    condition     = CONDITION
    error_message = MESSAGE
  }
}
`
	for _, c := range []struct{ fallback, given, condition, message, err string }{
		{fallback: "ab", condition: `startswith(var.v, "a")`},
		{
			fallback: "ba", condition: `startswith(var.v, "a")`, message: `"it begins with a, unlike ${var.v}"`,
			err: `barge.hcl:6: variable "v" is refused: it begins with a, unlike ba (it is the default)`,
		},
		{fallback: "ab", given: "b", condition: `startswith(var.v, "a")`, err: `barge.hcl:5: variable "v" is refused: no (it was given by --var v)`},
		{fallback: "ab", condition: `matches("^[a-c]+$", var.v) && length(split("b", var.v)) == 2`},
		{fallback: "ab", condition: `matches("^[a-c+$", var.v)`, err: "barge.hcl:8: matches(): \"^[a-c+$\" is no regular expression: missing closing ]: `[a-c+$`"},
		{fallback: "ab", condition: `contains(["a"], var.v) || var.w == "x"`, err: `barge.hcl:8: unknown variable "w" (did you mean var.v?)`},
		{fallback: "ab", condition: `local.x == var.v`, err: `barge.hcl:8: unknown name "local.x" (a value can name var.NAME only)`},
		{fallback: "ab", condition: `var.v`, err: `barge.hcl:8: this must be true or false, not text`},
		{fallback: "12", condition: `var.v > 5`, err: `barge.hcl:8: this must be a number, not text`},
		{fallback: "12", condition: `tonumber(var.v) > 5`},
		{fallback: "12", condition: `env("HOME") == var.v`, err: `barge.hcl:8: env() is not allowed here`},
		{fallback: "ab", condition: `true`, message: `[1]`, err: `barge.hcl:9: "error_message" must be text, not a list`},
		{fallback: "ab", condition: `true`, message: `null`, err: `barge.hcl:9: "error_message" must be text, not null`},
	} {
		message := c.message
		if message == "" {
			message = `"no"`
		}
		given := map[string]string{}
		if c.given != "" {
			given["v"] = c.given
		}
		_, diags := one(t, strings.NewReplacer("DEFAULT", c.fallback, "CONDITION", c.condition, "MESSAGE", message).Replace(src), Options{Vars: given})
		if diags.Error() != c.err {
			t.Errorf("%s: %v, want %s", c.condition, diags, c.err)
		}
	}
}

// TestAnUnsetVariableIsHeldAgainstItsValidation as far as its type tells, and is no error.
func TestAnUnsetVariableIsHeldAgainstItsValidation(t *testing.T) {
	src := "project \"p\" {}\nvariable \"v\" {\n  type = TYPE\n  validation {\n    condition     = CONDITION\n    error_message = \"no: ${var.v}\"\n  }\n}\n"
	for _, c := range []struct{ kind, condition, err string }{
		{kind: "string", condition: `startswith(var.v, "a") && length(split(",", var.v)) > 1`},
		{kind: "number", condition: `var.v > 5 ? true : false`},
		{kind: "number", condition: `startswith(var.v, "a")`, err: "barge.hcl:5: this must be text, not a number"},
		{kind: "list(string)", condition: `length(var.v) > 0 && !contains(var.v, "x")`},
		{kind: "string", condition: `var.v > 5`, err: "barge.hcl:5: this must be a number, not text"},
		{kind: "bool", condition: `length(var.v) > 5`, err: `barge.hcl:5: length(): collection must be a list, a map or a tuple`},
	} {
		_, diags := one(t, strings.NewReplacer("TYPE", c.kind, "CONDITION", c.condition).Replace(src), Options{})
		if diags.Error() != c.err {
			t.Errorf("%s %s: %v, want %s", c.kind, c.condition, diags, c.err)
		}
	}
}

func TestLocalsComeInAnyOrder(t *testing.T) {
	for _, c := range []struct{ locals, err string }{
		{locals: "a = local.b\nb = upper(local.c)\nc = \"x\"\n"},
		{locals: "c = \"x\"\nb = upper(local.c)\na = local.b\n"},
		{locals: "a = local.b\nb = local.c\nc = local.b\n", err: "barge.hcl:6: locals go in a circle: b → c → b (one of them must not name another)"},
		{locals: "a = local.a\n", err: "barge.hcl:5: locals go in a circle: a → a (one of them must not name another)"},
		{locals: "a = local.bb\nb = \"x\"\n", err: `barge.hcl:5: unknown local "bb" (did you mean local.b?)`},
		{locals: "a = local.b.c\nb = { d = 1 }\n", err: `barge.hcl:5: unknown attribute "c" (did you mean local.b.d?)`},
	} {
		p, diags := one(t, "project \"p\" {\n  store = \"oci-layout:${local.a}\"\n}\nlocals {\n"+c.locals+"}\n", Options{})
		if diags.Error() != c.err || c.err == "" && p.Store != "oci-layout:X" {
			t.Errorf("%s: %v, want %s", c.locals, diags, c.err)
		}
	}
}
