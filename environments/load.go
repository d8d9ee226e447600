package environments

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

const (
	mainFile  = "barge.hcl"
	moreFiles = ".barge.hcl"
	varPrefix = "BARGE_VAR_"

	largest = 1 << 20 // bytes of one file
	deepest = 200     // brackets within brackets
	longest = 1000    // operators and brackets of one expression
)

// Options are what a project is loaded with; the zero value reads the process's environment.
type Options struct {
	Vars   map[string]string   // --var; before BARGE_VAR_NAME, before the default
	Getenv func(string) string // nil: os.Getenv; an empty value is not set
	// ReadFile reads a file for file(), by its path relative to the folder of barge.hcl, cleaned, with slashes; it may
	// leave that folder, and refuses what is not of the repository. nil: Load reads the working tree, LoadFiles nothing.
	ReadFile func(path string) ([]byte, error)
	Sandbox  bool // the twins say where: hosts, sign-in and registry tokens need not be known
}

// Load reads barge.hcl and the *.barge.hcl files beside it in dir, offline.
//
// What depends on a variable or env() that is not set stays empty in the project, and is an error only of what needs
// it: Resolve, Workspace, Rules, Recorded. The project is nil when the diagnostics have errors.
func Load(dir string, opts Options) (*Project, Diagnostics) {
	sources, diags := read(dir)
	if diags.HasErrors() {
		return nil, diags
	}
	if opts.ReadFile == nil {
		opts.ReadFile = workingTree(dir)
	}
	return load(sources, opts)
}

// LoadFiles is Load for the files of a commit, by name, wherever the project's folder is.
func LoadFiles(files map[string][]byte, opts Options) (*Project, Diagnostics) {
	text, ok := files[mainFile]
	if !ok {
		return nil, broken("there is no "+mainFile, "")
	}
	sources := []source{{mainFile, text}}
	for _, name := range sorted(files) {
		if name != mainFile && IsFile(name) {
			sources = append(sources, source{name, files[name]})
		}
	}
	return load(sources, opts)
}

// source is one file; its name is relative to the folder.
type source struct {
	name string
	text []byte
}

// broken is a diagnostic without a place.
func broken(summary, hint string) Diagnostics {
	return Diagnostics{{Severity: "error", Summary: summary, Hint: hint}}
}

// loader turns sources into a project. It goes on after an error, so that one run names them all.
type loader struct {
	opts    Options
	sources map[string][]byte
	scope   scope
	root    *node
	diags   Diagnostics
	holes   []hole
}

func load(sources []source, opts Options) (*Project, Diagnostics) {
	if opts.Getenv == nil {
		opts.Getenv = os.Getenv
	}
	l := &loader{opts: opts, sources: map[string][]byte{}}
	var bodies []*hclsyntax.Body
	parser := hclparse.NewParser()
	for _, s := range sources {
		l.sources[s.name] = s.text
		if body := l.parse(parser, s); body != nil {
			bodies = append(bodies, body)
		}
	}
	if l.diags.HasErrors() {
		return nil, tidy(l.diags)
	}
	l.root = newNode(root)
	l.outline(l.root, bodies)
	l.inherit()
	l.complete(l.root)
	l.declare()
	l.evaluate(l.root)
	l.defineJobs()
	p := fill(l.root)
	p.holes = slices.DeleteFunc(l.holes, func(h hole) bool { return opts.Sandbox && h.toTwins() })
	l.check(p)
	diags := tidy(l.diags)
	if diags.HasErrors() {
		return nil, diags
	}
	return p, diags
}

func (l *loader) parse(parser *hclparse.Parser, s source) *hclsyntax.Body {
	if err := readable(s.text); err != nil {
		l.diags = append(l.diags, Diagnostic{Severity: "error", Summary: fmt.Sprintf("reading %s: %v", s.name, err)})
		return nil
	}
	file, diags := parser.ParseHCL(s.text, s.name)
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int { return start(a) - start(b) })
	said := map[any]bool{}
	for _, d := range diags { // one open quote makes a trail: of the same, or on the same line
		at := any("")
		if d.Subject != nil {
			at = d.Subject.Start.Line
		}
		if !said[d.Summary] && !said[at] {
			said[d.Summary], said[at] = true, true
			l.diags = append(l.diags, fromHCL(d, l.sources, ""))
		}
	}
	if diags.HasErrors() {
		return nil
	}
	body, _ := file.Body.(*hclsyntax.Body)
	_ = hclsyntax.VisitAll(body, func(part hclsyntax.Node) hcl.Diagnostics {
		if unwieldy(part) {
			l.errorf(nil, part.Range(), "", "this number is too large or too small")
		}
		if reserved(part) {
			l.errorf(nil, part.Range(), "", "text must not hold the character U+0000")
		}
		return nil
	})
	return body
}

func start(d *hcl.Diagnostic) int {
	if d.Subject == nil {
		return 0
	}
	return d.Subject.Start.Byte
}

// readable refuses what the parser and the evaluation, which descend by recursion, must not see: it would end the
// process.
func readable(text []byte) error {
	if len(text) > largest {
		return fmt.Errorf("it is larger than %d bytes", largest)
	}
	tokens, _ := hclsyntax.LexConfig(text, "", hcl.InitialPos)
	depth, steps := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOParen, hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
			steps++
		case hclsyntax.TokenCParen, hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenTemplateSeqEnd:
			depth = max(depth-1, 0)
		case hclsyntax.TokenEqual:
			steps = 0
		case hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent,
			hclsyntax.TokenBang, hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual,
			hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq,
			hclsyntax.TokenQuestion:
			steps++
		}
		if depth > deepest {
			return fmt.Errorf("line %d: brackets are nested more than %d deep", t.Range.Start.Line, deepest)
		}
		if steps > longest {
			return fmt.Errorf("line %d: an expression has more than %d operators", t.Range.Start.Line, longest)
		}
	}
	return nil
}

// unwieldy says whether part is a number that would take megabytes to write down.
func unwieldy(part hclsyntax.Node) bool {
	literal, ok := part.(*hclsyntax.LiteralValueExpr)
	if !ok || literal.Val.IsNull() || literal.Val.Type() != cty.Number {
		return false
	}
	exponent := literal.Val.AsBigFloat().MantExp(nil)
	return exponent > 4096 || exponent < -4096
}

// reserved says whether part is text with the character that placeholders are made of.
func reserved(part hclsyntax.Node) bool {
	literal, ok := part.(*hclsyntax.LiteralValueExpr)
	return ok && !literal.Val.IsNull() && literal.Val.Type() == cty.String && strings.Contains(literal.Val.AsString(), quote)
}

// errorf adds an error at a place within a block; n may be nil.
func (l *loader) errorf(n *node, at hcl.Range, hint, format string, args ...any) {
	l.diags = append(l.diags, l.diagnostic(n, at, hint, fmt.Sprintf(format, args...)))
}

// hide takes the values out of the lines that the diagnostics from one on show: they may be secrets.
func (l *loader) hide(from int) {
	for i := range l.diags[from:] {
		d := &l.diags[from+i]
		if len(d.Snippet) == 0 {
			continue
		}
		name, _, assigned := strings.Cut(d.Snippet[0], "=")
		if d.Snippet = d.Snippet[:1]; assigned {
			d.Snippet = []string{name + "= …"}
		}
	}
}

func (l *loader) diagnostic(n *node, at hcl.Range, hint, summary string) Diagnostic {
	d := Diagnostic{Severity: "error", Summary: summary, Hint: hint}
	if n != nil {
		d.In = n.called()
	}
	if at.Filename == "" {
		return d
	}
	return d.at(l.sources[at.Filename], at)
}
