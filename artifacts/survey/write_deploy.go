package survey

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/bargeml/barge/environments"
)

// deployed writes a deploy project: where and rules alone. Those of the project that builds its releases are taken
// over, where it was named.
func (w *writer) deployed() {
	if w.p.code != nil {
		w.registries()
	}
	for i, place := range w.p.Places {
		e := environments.Environment{Workspace: w.workspace(i), Path: w.path(i)}
		if i > 0 {
			e.Follows = []string{w.p.Places[i-1].Name}
		}
		if w.p.code != nil {
			if found := w.p.code.Environment(place.Name); found != nil {
				e = *found
				e.Workspace = w.workspace(i)
			}
		}
		w.line("environment %q {", place.Name)
		if len(e.Follows) > 0 {
			w.line("follows = %s", named("environment", e.Follows))
		}
		w.line("workspace = workspace.%s", e.Workspace)
		if i == 0 {
			w.note("a folder that an admin makes once, and the releasers manage: releases and the ledger stand below it")
		}
		w.line("path = %s", quote(e.Path))
		w.text("title", e.Title)
		w.list("formerly", e.Formerly)
		w.rules(e)
		if w.p.code == nil && i == w.gated() {
			w.note("the gates' notebooks come with the release; their bars are set here, under the same names:")
			w.note("gate \"test\" { expect \"good enough\" { that = metrics.accuracy >= 0.8 } }")
		}
		w.line("}\n")
	}
	if w.p.code == nil {
		w.note("The registries that releases name: where they are, under the same names.")
		w.note("registry \"main\" { kind = \"workspace\", workspace = workspace.%s }", w.p.Places[len(w.p.Places)-1].Name)
	}
}

func named(kind string, labels []string) string {
	text := "["
	for i, l := range labels {
		if i > 0 {
			text += ", "
		}
		text += kind + "." + l
	}
	return text + "]"
}

// registries are those of the code's project; a workspace that is no environment's gets a block of its own.
func (w *writer) registries() {
	code := w.p.code
	for _, r := range code.Registries {
		at := -1
		for i, place := range w.p.Places {
			if e := code.Environment(place.Name); at < 0 && e != nil && e.Workspace == r.Workspace {
				at = i
			}
		}
		name := r.Workspace
		if at >= 0 {
			name = w.workspace(at)
		} else {
			w.apart(name)
		}
		w.line("registry %q {\nkind = %q\nworkspace = workspace.%s", r.Name, r.Kind, name)
		if r.Remote != nil {
			w.line("remote %q {\nscope = %s\nprefix = %s", r.Remote.Label, quote(r.Remote.Scope), quote(r.Remote.Prefix))
			w.note("the code's project says %s", cmp.Or(string(r.Remote.Token), "nothing"))
			w.line("token = secret(\"env:REGISTRY_TOKEN\")\n}")
		}
		w.line("}\n")
	}
}

// apart writes a workspace that only a registry is in.
func (w *writer) apart(name string) {
	host := ""
	if ws, _ := w.p.code.Workspace(name); ws != nil && ws.Host != "" {
		host = quote(ws.Host)
	} else {
		v := variable(Place{Name: name})
		w.line("variable %q {}\n", v)
		host = "var." + v
	}
	w.line("workspace %q {\nhost = %s", name, host)
	w.auth(name)
	w.line("}\n")
}

var fromEnvironment = regexp.MustCompile(`^\s*\w+\s*=\s*env\("\w+"\)\s*$`)

// auth writes how the code's project signs in to a workspace. What is not set here is written as that project has it, where
// it names nothing but the environment, and else told.
func (w *writer) auth(workspace string) {
	ws, unset := w.p.code.Workspace(workspace)
	if ws == nil || ws.Auth == nil {
		return
	}
	w.line("auth %q {", ws.Auth.Kind)
	for _, name := range slices.Sorted(maps.Keys(ws.Auth.Settings)) {
		w.line("%s = %s", name, quote(ws.Auth.Settings[name]))
	}
	if secret := ws.Auth.Token; secret != "" {
		name := "token"
		if ws.Auth.Kind == "client-secret" {
			name = "client_secret"
		}
		w.line("%s = secret(%s)", name, quote(string(secret)))
	}
	for _, d := range unset {
		switch line := append(d.Snippet, "")[0]; {
		case !strings.HasPrefix(d.In, "auth "):
		case fromEnvironment.MatchString(line):
			w.line("%s", line)
		default:
			w.note("the code's project has %s, and %s", line, d.Summary)
		}
	}
	w.line("}")
}

// rules writes what is not brought by a release.
func (w *writer) rules(e environments.Environment) {
	w.list("operators", e.Operators)
	w.text("soak", string(e.Soak))
	for _, g := range e.Gates {
		w.line("gate %q {", g.Name)
		w.text("valid_for", string(g.ValidFor))
		w.text("compare", g.Compare)
		if g.Against != "" {
			w.line("against = environment.%s", g.Against)
		}
		if g.Pinned {
			w.line("pinned = true")
		}
		if g.Models != nil {
			w.line("models = %s", quoteAll(g.Models))
		}
		w.parameters(g.Parameters)
		w.conditions(g.Expects)
		w.line("}")
	}
	for _, s := range e.Scores {
		if len(s.Expects) == 0 && s.FirstRun == "" && s.OnFailure == "" {
			continue
		}
		w.line("score %q {", s.Name)
		w.text("first_run", s.FirstRun)
		w.text("on_failure", s.OnFailure)
		w.conditions(s.Expects)
		w.line("}")
	}
}

func (w *writer) text(name, value string) {
	if value != "" {
		w.line("%s = %s", name, quote(value))
	}
}

func (w *writer) parameters(all map[string]string) {
	if len(all) == 0 {
		return
	}
	w.line("parameters = {")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w.line("%s = %s", argument(name), quote(all[name]))
	}
	w.line("}")
}

func (w *writer) conditions(all []environments.Expect) {
	for _, x := range all {
		w.line("expect %s {", quote(x.Name))
		if x.When != "" {
			w.line("when = %s", x.When)
		}
		fmt.Fprintf(w, "that = %s\n}\n", x.That)
	}
}

// argument is the name of a parameter, in quotes where it is no identifier.
func argument(name string) string {
	if identifier.MatchString(name) {
		return name
	}
	return quote(name)
}
