package environments

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const docs = "../docs/barge-hcl.md"

// generated is a part of the docs that the schema gives: <!-- what: which --> … <!-- end -->.
var generated = regexp.MustCompile(`(?s)<!-- (block|auth|functions|later)(?:: ([a-z_ ]+))? -->\n.*?<!-- end -->`)

// TestDocsAreUpToDate wants docs/barge-hcl.md to say what the schema says; -update writes it.
func TestDocsAreUpToDate(t *testing.T) {
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]int{}
	want := generated.ReplaceAllFunc(text, func(part []byte) []byte {
		found := generated.FindSubmatch(part)
		what, which := string(found[1]), string(found[2])
		said[strings.TrimSpace(what+" "+which)]++
		head, _, _ := bytes.Cut(part, []byte("\n"))
		return []byte(string(head) + "\n" + generate(t, what, which) + "<!-- end -->")
	})
	if *update {
		if err := os.WriteFile(docs, want, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("go test ./environments -run Docs -update writes what the schema says:\n%s", diff)
	}
	for _, what := range []string{"auth", "functions", "later"} {
		if said[what] != 1 {
			t.Errorf("%s stands %d times in the docs", what, said[what])
		}
	}
	seen := map[*blockType]bool{}
	for _, b := range everyBlock(root, "") {
		if !b.kind.open && !seen[b.kind] && said["block "+b.path] != 1 {
			t.Errorf("the table of %q stands %d times in the docs", b.path, said["block "+b.path])
		}
		seen[b.kind] = true
	}
}

// placed is a block of the schema with those around it: "environment gate expect".
type placed struct {
	path string
	kind *blockType
}

func everyBlock(around *blockType, path string) []placed {
	var all []placed
	for _, b := range around.blocks {
		if b.later {
			continue
		}
		at := strings.TrimSpace(path + " " + b.name)
		all = append(append(all, placed{at, b}), everyBlock(b, at)...)
	}
	return all
}

func blockAt(t *testing.T, path string) (around []*blockType, kind *blockType) {
	t.Helper()
	kind = root
	for _, name := range strings.Fields(path) {
		around, kind = append(around, kind), kind.block(name)
		if kind == nil {
			t.Fatalf("there is no block %q", path)
		}
	}
	return around[1:], kind
}

func generate(t *testing.T, what, which string) string {
	t.Helper()
	var b strings.Builder
	switch what {
	case "block":
		_, kind := blockAt(t, which)
		blockTable(&b, kind, len(kind.attrs) > 0 && !strings.HasPrefix(which, "variable"))
	case "auth":
		b.WriteString("| way | its attributes |\n|---|---|\n")
		for _, name := range sorted(authKinds) {
			var words []string
			for _, setting := range authKinds[name] {
				setting, needed := strings.CutSuffix(setting, "!")
				word := "`" + setting + "`"
				if needed {
					word += " (required)"
				}
				words = append(words, word)
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", name, strings.Join(words, ", "))
		}
	case "functions":
		b.WriteString("| function | | gives | such as |\n|---|---|---|---|\n")
		for _, f := range Functions() {
			mark, example := "", "`"+f.Example+"`"
			if f.Conditions {
				mark = "•"
			}
			if f.Result != "" {
				example += " is `" + f.Result + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, mark, f.Doc, example)
		}
	case "later":
		var words []string
		notYetWords(root, "", &words)
		b.WriteString("- " + strings.Join(words, "\n- ") + "\n")
	}
	return b.String()
}

var inBrackets = regexp.MustCompile(`^(.*) \((.*)\)$`)

func blockTable(b *strings.Builder, kind *blockType, whose bool) {
	if len(kind.attrs) == 0 && len(kind.blocks) == 0 {
		return
	}
	fmt.Fprint(b, "| | value | without it |")
	if whose {
		fmt.Fprint(b, " whose |")
	}
	fmt.Fprint(b, " |\n|---|---|---|---|")
	if whose {
		fmt.Fprint(b, "---|")
	}
	fmt.Fprintln(b)
	row := func(name, value, without, counts, doc string) {
		if whose {
			without += " | " + counts
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, value, without, doc)
	}
	for _, a := range kind.attrs {
		if a.later {
			continue
		}
		doc, without := a.doc, ""
		if parts := inBrackets.FindStringSubmatch(doc); parts != nil {
			doc, without = parts[1], parts[2]
		}
		if a.required {
			without = "*required*"
		}
		row(a.name, a.forDocs(), without, [...]string{rest: "release", where: "where", rule: "rule"}[a.part], doc)
	}
	for _, inner := range kind.blocks {
		if inner.later {
			continue
		}
		doc, without, count := inner.doc, "", "blocks"
		if parts := inBrackets.FindStringSubmatch(doc); parts != nil {
			doc, without = parts[1], parts[2]
		}
		if inner.once {
			count = "a block"
		}
		row(inner.form(), count, without, "", doc)
	}
}

// forDocs is what may be written for the attribute.
func (a attr) forDocs() string {
	switch {
	case len(a.oneOf) > 0:
		var words []string
		for _, word := range a.oneOf {
			words = append(words, `"`+word+`"`)
		}
		return "`" + strings.Join(words, "` or `") + "`"
	case a.kind == reference:
		return "`" + a.ref + ".NAME`"
	case a.kind == references:
		return "list of `" + a.ref + ".NAME`"
	case a.kind == object:
		var words []string
		for _, f := range a.fields {
			words = append(words, "`"+f.name+"`")
		}
		return "map of " + listed(words)
	}
	return map[kind]string{
		text: "text", scalar: "text or number", number: "whole number", boolean: "true or false", duration: "duration",
		texts: "list of text", table: "map of text", bindings: "map of text", secret: "`secret(…)`", condition: "condition",
		typeName: "type", anything: "any value",
	}[a.kind]
}

func notYetWords(kind *blockType, path string, words *[]string) {
	for _, a := range kind.attrs {
		at := path
		if at != "" {
			at = " of `" + strings.TrimSpace(at) + "`"
		}
		for _, word := range a.notYet {
			*words = append(*words, fmt.Sprintf("`%s = %q`%s", a.name, word, at))
		}
		if a.later {
			*words = append(*words, "`"+a.name+"`"+at)
		}
	}
	for _, b := range kind.blocks {
		if b.later {
			at := ""
			if path != "" {
				at = " of `" + strings.TrimSpace(path) + "`"
			}
			*words = append(*words, "`"+b.form()+"`"+at)
			continue
		}
		notYetWords(b, path+" "+b.name, words)
	}
}

// section is what the docs say between two headings.
type section struct {
	path     string // of the block whose table stands in it
	examples []string
	file     string // what the examples read, as JSON
}

// readFile is what the examples of the section read.
func (s section) readFile(string) ([]byte, error) { return []byte(s.file), nil }

var (
	exampleBlock = regexp.MustCompile("(?s)```hcl\n(.*?)```")
	exampleFile  = regexp.MustCompile("(?s)```json\n(.*?)```")
)

func sections(t *testing.T) []section {
	t.Helper()
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	var all []section
	for _, part := range regexp.MustCompile(`(?m)^##+ `).Split(string(text), -1) {
		var s section
		for _, found := range generated.FindAllStringSubmatch(part, -1) {
			if found[1] == "block" {
				s.path = found[2]
			}
		}
		for _, found := range exampleBlock.FindAllStringSubmatch(part, -1) {
			s.examples = append(s.examples, found[1])
		}
		if found := exampleFile.FindStringSubmatch(part); found != nil {
			s.file = found[1]
		}
		all = append(all, s)
	}
	return all
}

// TestDocsExamples: each is formatted, loads, and those of a block have all that may be written in it.
func TestDocsExamples(t *testing.T) {
	for _, s := range sections(t) {
		missing := map[string]bool{}
		var around []*blockType
		if s.path != "" {
			var kind *blockType
			around, kind = blockAt(t, s.path)
			attrs, blocks := kind.names()
			for _, name := range slices.Concat(attrs, blocks) {
				missing[name] = true
			}
		}
		for _, src := range s.examples {
			formatted, diags := Format([]byte(src), mainFile)
			if diags.HasErrors() || string(formatted) != src {
				t.Errorf("%v\n%s", diags, cmp.Diff(string(formatted), src))
				continue
			}
			whole := inContext(src, around)
			if _, diags := one(t, whole, Options{ReadFile: s.readFile}); diags.HasErrors() {
				t.Errorf("%v\n%s", diags, whole)
			}
			for _, b := range body(t, src).Blocks {
				for name := range b.Body.Attributes {
					delete(missing, name)
				}
				for _, inner := range b.Body.Blocks {
					delete(missing, inner.Type)
				}
			}
		}
		for _, name := range sorted(missing) {
			t.Errorf("no example of %s has %s", s.path, name)
		}
	}
}

func body(t *testing.T, src string) *hclsyntax.Body {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(src), mainFile, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return f.Body.(*hclsyntax.Body) //nolint:forcetypeassert // the parser's
}

// world is what examples name.
var world = []struct{ head, body string }{
	{`project "docs"`, ""},
	{"artifact", "model \"SparkModel\" {\n registry = registry.shared\n version = 1\n}\n" +
		"model \"pd\" {\n registry = registry.catalog\n name = \"main.credit.pd\"\n version = 1\n}\n"},
	{`workspace "dev"`, `host = "https://dev.example"`},
	{`workspace "test"`, `host = "https://test.example"`},
	{`workspace "prod"`, `host = "https://prod.example"`},
	{`workspace "prod_us"`, `host = "https://us.example"`},
	{`workspace "registry"`, `host = "https://registry.example"`},
	{`registry "shared"`, "kind = \"workspace\"\nworkspace = workspace.registry"},
	{`registry "catalog"`, "kind = \"unity_catalog\"\nworkspace = workspace.registry"},
	{`compute "ml"`, `spark_version = "15.4"`},
	{`environment "dev"`, "workspace = workspace.dev\npath = \"/Barge/dev\""},
	{`environment "test"`, "workspace = workspace.test\npath = \"/Barge/test\""},
	{`environment "prod"`, "workspace = workspace.prod\npath = \"/Barge/prod\"\nsoak = \"1d\"\n" +
		"gate \"sound\" {\nnotebook = \"g\"\nexpect \"accurate enough\" {\nthat = true\n}\n}\n"},
}

// inContext puts an example into the blocks around it and beside what it names.
func inContext(src string, around []*blockType) string {
	if strings.HasPrefix(src, `project "credit"`) {
		return src
	}
	for _, kind := range slices.Backward(around) {
		required := ""
		for _, a := range kind.attrs {
			needed := a.required || kind.name == "gate" && a.name == "notebook" || kind.name == "registry" && a.name == "workspace"
			if needed && !regexp.MustCompile(`(?m)^`+a.name+` `).MatchString(src) {
				required += a.name + " = " + strings.ReplaceAll(example(a), "NAME", "dev") + "\n"
			}
		}
		label := ""
		if kind.label != noLabel {
			label = ` "NAME"`
		}
		if kind.name == "model" {
			required += "registry = registry.shared\nversion = 1\n"
		}
		if kind.name == "environment" && strings.HasPrefix(src, "gate") {
			required += "model \"SparkModel\" {\nstage = \"Staging\"\n}\n"
		}
		src = kind.name + label + " {\n" + required + src + "}\n"
	}
	ownProject := strings.HasPrefix(src, "project")
	for _, w := range world {
		if !strings.Contains("\n"+src, "\n"+w.head+" {") && (w.head != `project "docs"` || !ownProject) {
			src += w.head + " {\n" + w.body + "\n}\n"
		}
	}
	return src
}

// TestFunctionExamples: each call gives what the docs say.
func TestFunctionExamples(t *testing.T) {
	all := functions(Options{Getenv: nothing, ReadFile: func(string) ([]byte, error) { return []byte("text"), nil }})
	ctx := &hcl.EvalContext{Functions: all}
	value := func(src string) string {
		expr, diags := hclsyntax.ParseExpression([]byte(src), "", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatalf("%s: %v", src, diags)
		}
		v, diags := expr.Value(ctx)
		if diags.HasErrors() {
			t.Errorf("%s: %v", src, diags)
		}
		if v.CanIterateElements() { // a list and a tuple, a map and an object are written alike
			var items []string
			for k, item := range v.Elements() {
				items = append(items, k.GoString()+item.GoString())
			}
			return strings.Join(items, " ")
		}
		return v.GoString()
	}
	for _, f := range Functions() {
		if !strings.HasPrefix(f.Example, f.Name+"(") {
			t.Errorf("the example of %s is %s", f.Name, f.Example)
		}
		got := value(f.Example)
		if f.Result != "" && got != value(f.Result) {
			t.Errorf("%s is %s, not %s", f.Example, got, f.Result)
		}
	}
}
