package environments

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	mainFile   = "barge.hcl"
	moreFiles  = ".barge.hcl"
	largest    = 1 << 20 // bytes of one file
	deepest    = 200     // brackets within brackets
	varPrefix  = "BARGE_VAR_"
	inSandbox  = "sandbox"
	emptyLabel = "NAME"
)

// Options are what a project is loaded with; the zero value reads the process's environment.
type Options struct {
	Vars    map[string]string   // --var; before BARGE_VAR_NAME, before the default
	Getenv  func(string) string // nil: os.Getenv; an empty value is not set
	Sandbox bool                // the twins say where: hosts, sign-in and registry tokens need not be known
}

// Load reads barge.hcl and the *.barge.hcl files beside it in dir, offline.
//
// What depends on a variable or env() that is not set stays empty in the project, and is an error only of what needs
// it: Resolve, WorkspaceNamed, Rules, Recorded. The project is nil when the diagnostics have errors.
func Load(dir string, opts Options) (*Project, Diagnostics) {
	sources, diags := read(dir)
	if diags.HasErrors() {
		return nil, diags
	}
	return load(sources, opts)
}

// source is one file; its name is relative to the folder.
type source struct {
	name string
	text []byte
}

func read(dir string) ([]source, Diagnostics) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, broken("reading the configuration: "+err.Error(), "")
	}
	var names []string
	for _, e := range entries {
		if e.Name() == mainFile || strings.HasSuffix(e.Name(), moreFiles) && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	i := slices.Index(names, mainFile)
	if i < 0 {
		return nil, broken("there is no "+mainFile+" in "+dir,
			`it says what is released and where it goes, and begins with: project "NAME" {}`)
	}
	names = append([]string{mainFile}, slices.Delete(names, i, i+1)...)
	var sources []source
	for _, name := range names {
		text, err := readFile(filepath.Join(dir, name))
		if err != nil {
			return nil, broken("reading "+name+": "+err.Error(), "")
		}
		sources = append(sources, source{name, text})
	}
	return sources, nil
}

func readFile(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return nil, pathErr.Err
	}
	return text, err
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
	l.root = l.outline(root, bodies)
	l.declare()
	l.evaluate(l.root)
	p := fill(l.root)
	p.holes = l.holes
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
	for _, d := range diags {
		l.diags = append(l.diags, fromHCL(d, l.sources, ""))
	}
	if file == nil {
		return nil
	}
	body, _ := file.Body.(*hclsyntax.Body)
	return body
}

// readable refuses what the parser, which descends by recursion, must not see.
func readable(text []byte) error {
	if len(text) > largest {
		return fmt.Errorf("it is larger than %d bytes", largest)
	}
	depth := 0
	for _, b := range text {
		switch b {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
		if depth > deepest {
			return fmt.Errorf("brackets are nested more than %d deep", deepest)
		}
	}
	return nil
}

// errorf adds an error at a place within a block; n may be nil.
func (l *loader) errorf(n *node, at hcl.Range, hint, format string, args ...any) {
	l.diags = append(l.diags, l.diagnostic(n, at, hint, fmt.Sprintf(format, args...)))
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
