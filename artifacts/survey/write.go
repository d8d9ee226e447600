package survey

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"unicode"

	"github.com/bargeml/barge/environments"
)

// registered is the registry's own name; a model in Unity Catalog goes by its last part.
func (m Model) registered() string {
	if m.Name == "" || strings.Contains(m.Name, ".") {
		return m.Label
	}
	return m.Name
}

func (m Model) folded() string { return environments.Fold(m.Label) }

// metric is what a gate's bar is set for where the notebook names none.
func (r Run) metric() string {
	if r.Metric == "" {
		return "accuracy"
	}
	return r.Metric
}

// Write is the text of barge.hcl: formatted, and valid. An error is a defect of this package.
func (s *Survey) Write(p *Proposal) ([]byte, error) {
	w := &writer{s: s, p: p}
	w.head()
	w.workspaces()
	if p.Deploy {
		w.deployed()
	} else {
		w.artifact()
		w.registry()
		w.compute()
		for i := range p.Places {
			w.environment(i)
		}
	}
	text, diags := environments.Format([]byte(w.String()), "barge.hcl")
	if !diags.HasErrors() {
		_, diags = environments.LoadFiles(map[string][]byte{"barge.hcl": text}, environments.Options{Getenv: func(string) string { return "" }})
	}
	if diags.HasErrors() {
		return nil, fmt.Errorf("what was written is not valid: %w", diags)
	}
	return text, nil
}

type writer struct {
	strings.Builder
	s *Survey
	p *Proposal
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// note is a comment; whatever was read from files stays on its line.
func (w *writer) note(format string, args ...any) {
	w.line("# %s", oneLine(fmt.Sprintf(format, args...)))
}

// oneLine is a text without line breaks, as barge.hcl wants names.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// quote writes a text as HCL does.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(text, "\ufffd") {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsControl(r):
			b.WriteRune('\ufffd') // barge.hcl has none
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(b.String())
}

func quoteAll(texts []string) string {
	var all []string
	for _, t := range texts {
		all = append(all, quote(t))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func (w *writer) head() {
	w.note("Written by `barge init`, which guessed. What it guessed, and from where:")
	for _, g := range w.p.Guesses {
		w.note("- %s: %s (%s)", g.What, g.Is, g.From)
	}
	if len(w.s.Pipelines) > 0 {
		w.note("Pipelines that are here and were not read: %s.", strings.Join(w.s.Pipelines, ", "))
	}
	w.note("`barge validate` checks this file, `barge fmt` keeps its form.")
	if len(w.p.Models) > 1 {
		w.line("#")
		w.note("All models in one project are released together. For releases of their own, give each a folder with its own")
		w.note("barge.hcl: barge init --dir FOLDER.")
	}
	w.line("")
	w.line("project %q {", w.p.Project)
	w.note("where artifacts are kept: a folder, or \"oci://HOST/REPOSITORY\" for a team")
	w.line("store = %s", quote(w.p.Store))
	if w.p.TagPrefix != "" {
		w.note("the tag %s1.0.0 on a commit names its release 1.0.0", w.p.TagPrefix)
		w.line("tag_prefix = %s", quote(w.p.TagPrefix))
	}
	w.line("}\n")
}

// workspaces writes one for each address, and a variable for each that nobody told.
func (w *writer) workspaces() {
	asked := false
	for _, place := range w.p.Places {
		if place.Host == "" {
			if !asked {
				w.note("Addresses that nobody told: write them below, or give --var NAME=https://… or BARGE_VAR_NAME. The sandbox needs none.")
			}
			asked = true
			w.line("variable %q {}", variable(place))
		}
	}
	if asked {
		w.line("")
	}
	for i, place := range w.p.Places {
		if w.workspace(i) != place.Name {
			continue
		}
		w.line("workspace %q {", place.Name)
		if place.Host == "" {
			w.line("host = var.%s", variable(place))
		} else {
			w.line("host = %s", quote(place.Host))
		}
		if w.p.code != nil {
			if e := w.p.code.Environment(place.Name); e != nil {
				w.auth(e.Workspace)
			}
		}
		w.line("}\n")
	}
}

func variable(p Place) string { return strings.ReplaceAll(p.Name, "-", "_") + "_host" }

// workspace is the workspace of an environment: that of the first one with the same address.
func (w *writer) workspace(i int) string {
	host := w.p.Places[i].Host
	for _, earlier := range w.p.Places[:i] {
		if host != "" && earlier.Host == host {
			return earlier.Name
		}
	}
	return w.p.Places[i].Name
}

func (w *writer) artifact() {
	p := w.p
	if p.from == "" && len(p.Models) == 0 {
		return
	}
	w.line("artifact {")
	if p.from != "" {
		w.line("notebooks {")
		w.line("from = %s", quote(p.from))
		w.list("include", p.include)
		w.list("exclude", p.exclude)
		if len(p.external) > 0 {
			w.note("run by an absolute path: what stands there can change behind a release's back")
		}
		w.list("external", p.external)
		w.line("}")
	}
	if p.config != "" {
		w.line("config {\nfrom = %s\n}", quote(p.config))
	}
	for _, m := range p.Models {
		w.model(m)
	}
	w.line("}\n")
}

func (w *writer) list(name string, texts []string) {
	if len(texts) > 0 {
		w.line("%s = %s", name, quoteAll(texts))
	}
}

func (w *writer) model(m Model) {
	w.line("model %q {", m.Label)
	defer w.line("}")
	if m.Path != "" {
		w.line("path = %s", quote(m.Path))
		return
	}
	if m.registered() != m.Label {
		w.line("name = %s", quote(oneLine(m.registered())))
	}
	w.line("registry = registry.main")
	if m.Train.Notebook == "" {
		w.note("no notebook here trains it: the newest version that is registered")
		w.line("version = \"latest\"")
		return
	}
	w.note("what `barge train` registered for this training code")
	w.line("version = \"trained\"")
	w.line("train {\nenvironment = environment.%s", w.p.Places[0].Name)
	w.run(m.Train)
	w.line("}")
}

// run writes what every run has.
func (w *writer) run(r Run) {
	w.line("notebook = %s", quote(w.notebook(r)))
	w.line("compute = compute.ml")
	if len(r.Unset) > 0 {
		w.note("the notebook reads %s, and nothing here says the value", strings.Join(r.Unset, ", "))
	}
	w.parameters(r.Parameters)
}

// notebook is a notebook's name below `from`.
func (w *writer) notebook(r Run) string {
	from := path.Join(w.s.Below, w.p.from)
	at := path.Join(w.s.Below, r.Notebook)
	if from == "." || from == "" {
		return at
	}
	return strings.TrimPrefix(at, from+"/")
}

func (w *writer) registry() {
	last := len(w.p.Places) - 1
	var registered []Model
	apart := false
	for _, m := range w.p.Models {
		if m.Path == "" {
			registered = append(registered, m)
		}
	}
	for i := range w.p.Places {
		apart = apart || w.workspace(i) != w.workspace(last)
	}
	if len(registered) == 0 {
		return
	}
	w.note("One registry for all environments: that of the last one's workspace.")
	w.line("registry \"main\" {\nkind = \"workspace\"\nworkspace = workspace.%s", w.workspace(last))
	if apart {
		w.note("barge keeps these secrets in the other workspaces, so that notebooks find it: databricks://barge:registry")
		w.line("remote \"registry\" {\nscope = \"barge\"\nprefix = \"registry\"")
		w.note("or secret(\"keyvault://VAULT/NAME\"); the sandbox needs none")
		w.line("token = secret(\"env:REGISTRY_TOKEN\")\n}")
	}
	w.line("}\n")
}

func (w *writer) compute() {
	c := w.p.compute
	w.line("compute \"ml\" {")
	if c.Existing != "" {
		w.line("existing_cluster = %s", quote(oneLine(c.Existing)))
	} else {
		if c.Node == "" {
			w.note("nothing here says the nodes: these are the usual ones")
		}
		w.line("spark_version = %s\nnode_type = %s", quote(oneLine(cmp.Or(c.Spark, ordinaryCompute.Spark))), quote(oneLine(cmp.Or(c.Node, ordinaryCompute.Node))))
		switch {
		case c.Max > 0:
			w.line("autoscale = { min = %d, max = %d }", min(c.Min, c.Max), c.Max)
		case c.Workers > 0:
			w.line("num_workers = %d", c.Workers)
		}
	}
	if len(w.p.pins) > 0 {
		var libraries []string
		for _, pin := range w.p.pins {
			libraries = append(libraries, "pypi:"+pin)
		}
		w.note("requirements.txt pins these; take the # away for what the runtime does not bring")
		w.line("# libraries = %s", quoteAll(libraries))
	}
	w.line("}\n")
}
