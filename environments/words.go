package environments

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Words for what the parser and an evaluation find. HCL speaks to who wrote the language; a diagnostic of ours speaks to
// who reads it for the first time.

const (
	oneEach  = "write each attribute on a line of its own"
	itsForms = `an attribute is written NAME = VALUE, a block NAME "LABEL" { … }`
	quotes   = `text stands in "double quotes"`
	closing  = "write its closing quote; text of several lines stands between <<EOT and EOT"
	mapForm  = "write { a = 1, b = 2 }"
	bare     = "a value is named without ${ }: var.NAME; ${ } stands within text"
)

// said is a summary and a hint.
type said struct{ summary, hint string }

// mistakes are the frequent ones of who writes HCL for the first time, by what HCL calls them.
var mistakes = map[string]said{
	"Argument or block definition required":           {"an attribute or a block must stand here", itsForms},
	"Invalid block definition":                        {"this is neither an attribute nor a block", itsForms},
	"Invalid argument name":                           {"the name of an attribute stands without quotes", itsForms},
	"Invalid attribute name":                          {"a name must follow the dot", `a name with other characters is written ["val/auc"]`},
	"Invalid expression":                              {"this is no value", quotes + ", a list in [ ], a map in { }"},
	"Missing expression":                              {"a value is missing", quotes + ", a list in [ ], a map in { }"},
	"Missing newline after argument":                  {"the value ends before its line does", quotes + "; " + oneEach},
	"Missing newline after block definition":          {"a block ends its line", "write what follows it on a line of its own"},
	"Unexpected comma after argument":                 {"no comma stands after an attribute", oneEach},
	"Invalid single-argument block definition":        {"a block on one line holds one attribute", oneEach},
	"Missing attribute separator":                     {"a comma is missing in this map", mapForm},
	"Missing attribute value":                         {"a value is missing in this map", mapForm},
	"Missing key/value separator":                     {"an = is missing in this map", mapForm},
	"Missing item separator":                          {"a comma is missing in this list", `write ["a", "b"]`},
	"Missing argument separator":                      {"a comma is missing between two arguments", `write join(", ", local.names)`},
	"Missing false expression in conditional":         {"what holds otherwise is missing", "write CONDITION ? THIS : OTHERWISE"},
	"Unclosed configuration block":                    {"this block is not closed", "its } is missing, or that of a block within it"},
	"Unterminated function call":                      {"this call is not closed", "its ) is missing"},
	"Unterminated tuple constructor expression":       {"this list is not closed", "its ] is missing"},
	"Unterminated object constructor expression":      {"this map is not closed", "its } is missing"},
	"Missing close bracket on index":                  {"a ] is missing", "an element is named as in local.list[0], one at a time"},
	"Unbalanced parentheses":                          {"a ) is missing", ""},
	"Invalid multi-line string":                       {"this text is not closed on its line", closing},
	"Unterminated string literal":                     {"this text is not closed on its line", closing},
	"Unterminated template string":                    {"this text is not closed", "the word after << ends it, on a line of its own"},
	"Unclosed template interpolation sequence":        {"a ${ is not closed", "its } is missing; to write ${ itself, write $${"},
	"Extra characters after interpolation expression": {"a ${ holds one value alone", "its } is missing; to write ${ itself, write $${"},
	"Unexpected end of template":                      {"a %{ if } or %{ for } is not closed", "end it by %{ endif } or %{ endfor }; to write %{ itself, write %%{"},
	"Invalid character encoding":                      {"this is no UTF-8 text", "save the file as UTF-8"},
	"Invalid character":                               {"this character cannot stand here", quotes},
	"Invalid escape sequence":                         {`this \ begins nothing that is known`, `write \\ for a \, \" for a quote, \n for a new line`},
	"Invalid number literal":                          {"this is no number", "write one such as 30 or 0.77"},
	"Incorrect condition type":                        {"what stands before ? must be true or false", ""},
	"Attempt to get attribute from null value":        {"this is null, and has nothing in it", ""},
	"Attempt to index null value":                     {"this is null, and has nothing in it", ""},
}

// beside are those mistakes that the word at their place tells apart.
var beside = map[string]said{
	"Missing newline after argument =":        {"= stands within a value", "== compares; " + oneEach},
	"Missing newline after argument and":      {"this is not how two conditions are joined", "write && for and"},
	"Missing newline after argument or":       {"this is not how two conditions are joined", "write || for or"},
	"Missing newline after argument is":       {"this is not how values are compared", "write == or !="},
	"Missing newline after argument in":       {"this is not how a list is searched", "write contains(LIST, VALUE)"},
	"Missing newline after argument {":        {"this is neither an attribute nor a block", "a block is written without =: " + `NAME "LABEL" { … }`},
	"Argument or block definition required }": {"this } closes nothing", "take it out, or write the { that is missing before it"},
	"Invalid expression \n":                   {"a value is missing", quotes + ", a list in [ ], a map in { }"},
	"Invalid character $":                     {"$ cannot stand here", bare},
	"Invalid character '":                     {"' cannot stand here", quotes},
	"Invalid character `":                     {"` cannot stand here", quotes},
	"Invalid character ;":                     {"; cannot stand here", oneEach},
}

// whenNeeded is a regular expression that is compiled when it is first needed: what has no mistakes needs none of them.
func whenNeeded(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

var (
	setBefore  = whenNeeded(`^The argument "([^"]*)" was already set at (\S+?):([0-9]+),`)
	noSuch     = whenNeeded(`^There is no function named "([^"]*)"\.`)
	argumentsN = whenNeeded(`^Function "([^"]*)" expects(?: only)? ([0-9]+) argument\(s\)\.(?: Missing value for "([^"]*)"\.)?`)
	operand    = whenNeeded(`^Unsuitable value for (?:left|right|unary) operand: (.+)\.$`)
	noneInIt   = whenNeeded(`^Can't access attributes on a .*\((.+)\)\.`)
	noneNamed  = whenNeeded(`^This object does not have an attribute named "([^"]*)"\.`)
	iteration  = whenNeeded(`^A value of type (.+) cannot be used as the collection in a 'for' expression\.`)
	wanted     = whenNeeded(`^(?:an? )?([a-z ]+?) (?:is )?required(?:, but have (.+))?$`)
	startsLine = whenNeeded(`^(&&|\|\||[=!<>]=|[<>?:+*/%-])`)
)

// inOurWords says what HCL says in words of its own; nil where those will do.
func inOurWords(d *hcl.Diagnostic, source []byte) *said {
	if d.Subject == nil {
		return nil
	}
	at := ""
	if d.Subject.CanSliceBytes(source) {
		at = string(d.Subject.SliceBytes(source))
	}
	if d.Summary == "Argument or block definition required" {
		rest := source[min(d.Subject.Start.Byte, len(source)):]
		if startsLine().Match(rest) {
			return &said{"a line cannot begin with " + string(startsLine().Find(rest)), "put a value of several lines between ( and )"}
		}
		if after := strings.TrimLeft(string(rest[min(len(at), len(rest)):]), " \t"); strings.HasPrefix(after, ":") {
			return &said{"an attribute is written with =", "write " + at + " = VALUE"}
		}
	}
	if before := source[:min(d.Subject.Start.Byte, len(source))]; d.Summary == "Missing newline after argument" && strings.HasSuffix(strings.TrimSpace(string(before)), "= not") {
		return &said{"this is not how a condition is turned round", "write ! for not"}
	}
	if ours, ok := beside[d.Summary+" "+strings.TrimRight(at, "\r")]; ok {
		return &ours
	}
	if d.Summary == "Invalid expression" && strings.TrimSpace(at) == "" {
		ours := mistakes["Missing expression"]
		return &ours
	}
	if ours, ok := mistakes[d.Summary]; ok {
		return &ours
	}
	return ofDetail(d)
}

// ofDetail is inOurWords where a detail has to be read.
func ofDetail(d *hcl.Diagnostic) *said {
	if parts := setBefore().FindStringSubmatch(d.Detail); parts != nil {
		return &said{fmt.Sprintf("%q is set twice", parts[1]), "the first is on " + parts[2] + " line " + parts[3]}
	}
	if parts := noSuch().FindStringSubmatch(d.Detail); parts != nil {
		return noFunction(parts[1])
	}
	if strings.HasSuffix(d.Detail, "string required, but have secret.") {
		return &said{"a secret cannot be part of a text", `it stands alone, where a secret is wanted: token = secret("env:NAME")`}
	}
	if parts := argumentsN().FindStringSubmatch(d.Detail); parts != nil {
		ours := said{summary: fmt.Sprintf("%s() takes %s arguments", parts[1], parts[2])}
		if parts[2] == "1" {
			ours.summary = parts[1] + "() takes one argument"
		}
		if f := find(Functions(), func(f *Function) string { return f.Name }, parts[1]); f != nil {
			ours.hint = "such as " + f.Example
		}
		return &ours
	}
	if parts := operand().FindStringSubmatch(d.Detail); parts != nil {
		return operandWords(parts[1])
	}
	if parts := noneInIt().FindStringSubmatch(d.Detail); parts != nil {
		return &said{"this is " + typeWord(parts[1]) + ", and has nothing in it", ""}
	}
	if parts := noneNamed().FindStringSubmatch(d.Detail); parts != nil {
		return &said{fmt.Sprintf("there is no %q in this map", parts[1]), ""}
	}
	if parts := iteration().FindStringSubmatch(d.Detail); parts != nil {
		return &said{"for goes over a list or a map, not over " + typeWord(parts[1]), ""}
	}
	if d.Detail == "This value does not have any attributes." {
		return &said{"there is nothing of that name in this value", "an element of a list is named as in local.list[0]"}
	}
	if d.Summary == "Invalid index" {
		return &said{"there is no such element", ""}
	}
	return nil
}

func operandWords(what string) *said {
	parts := wanted().FindStringSubmatch(what)
	if parts == nil {
		return &said{"this operand does not fit: " + what, ""}
	}
	ours := said{summary: "this must be " + typeWord(parts[1])}
	if typeWord(parts[1]) == "a number" {
		ours.hint = `text is joined as "${local.a}-${local.b}"`
	}
	return &ours
}

// noFunction is what to say of a function that there is not, or not here.
func noFunction(name string) *said {
	var names []string
	for _, f := range Functions() {
		if f.Name == name {
			return &said{name + "() is not allowed here", ""}
		}
		names = append(names, f.Name)
	}
	return &said{fmt.Sprintf("unknown function %q", name), otherFunction(name, names)}
}

// elsewhere are functions that people know from other tools, and what does it here.
var elsewhere = map[string]string{
	"try":      "there is no try: name what is there",
	"can":      "there is no can: name what is there",
	"tostring": `write "${…}"`,
	"getenv":   "did you mean env?",
	"len":      "did you mean length?",
	"regex":    "did you mean matches?",
	"strip":    "did you mean trimspace?",
	"trim":     "did you mean trimspace, trimprefix or trimsuffix?",
}

func otherFunction(name string, names []string) string {
	if hint, ok := elsewhere[name]; ok {
		return hint
	}
	return didYouMean(name, "%s", names)
}

// ofFunction is what HCL says of a call; what the function itself said comes after.
var ofFunction = whenNeeded(`(?s)^(?:Invalid value for "[^"]*" parameter|Call to function "[^"]*" failed): (.+)$`)

// ofCall is the summary of a call that failed; empty when d is none.
func ofCall(d *hcl.Diagnostic) string {
	parts := ofFunction().FindStringSubmatch(strings.TrimSpace(d.Detail))
	if parts == nil {
		return ""
	}
	call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
	if !ok || call.CalledFunctionName() == "" {
		return parts[1]
	}
	name, what := call.CalledFunctionName(), strings.TrimSuffix(parts[1], ".")
	what = strings.TrimPrefix(what, name+"() ")
	switch types := wanted().FindStringSubmatch(what); {
	case types != nil && types[2] != "":
		what = "this must be " + typeWord(types[1]) + ", not " + typeWord(types[2])
	case types != nil:
		what = "this must be " + typeWord(types[1])
	case name == "jsondecode" && strings.HasSuffix(what, "EOF"):
		what = "the JSON ends too early"
	case name == "jsondecode":
		what = "this is no JSON: " + what
	}
	return name + "(): " + what
}

// typeWord is a type of HCL in the users' words.
func typeWord(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "a "), "an ")
	words := map[string]string{
		"string": "text", "number": "a number", "bool": "true or false", "tuple": "a list", "object": "a map", "dynamic": "a value",
		"list of string": "a list of text", "list of number": "a list of numbers", "list of bool": "a list of true and false",
		"list of dynamic": "a list", "map of string": "a map of text",
	}
	if word, ok := words[name]; ok {
		return word
	}
	return name
}
