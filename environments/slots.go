package environments

import (
	"fmt"
	"slices"
	"strings"
)

// registryHas are the attributes and blocks of a registry beside its kind; "!" marks what it needs.
var registryHas = map[string][]string{
	WorkspaceRegistry: {"workspace!", "remote"},
	UnityCatalog:      {"workspace!"},
	MLflow:            {"host!", "token"},
}

func (l *loader) checkRegistry(n *node) {
	kind := get[string](n, "kind")
	if kind == "" {
		return // told, or not known yet
	}
	var has []string
	for _, name := range registryHas[kind] {
		name, needed := strings.CutSuffix(name, "!")
		if has = append(has, name); needed && n.attrs[name] == nil && !n.meant[name] {
			l.errorf(n, n.at, "write "+name+" = "+example(*n.kind.attr(name)), "%s needs %q", n.called(), name)
		}
	}
	for _, name := range sorted(n.attrs) {
		if name != "kind" && !slices.Contains(has, name) {
			l.errorf(n, n.place(name), "leave it out, or write another kind", "a registry of kind %q has no %q", kind, name)
		}
	}
	for _, remote := range n.children["remote"] {
		if !slices.Contains(has, "remote") {
			l.errorf(remote, remote.at, "leave it out: notebooks find it by itself", "a registry of kind %q has no %q", kind, "remote")
		}
	}
}

// aliases tells whether a registry has aliases instead of stages; known is false where its kind is not.
func (p *Project) aliases(registry string) (aliases, known bool) {
	kind := orZero(p.Registry(registry)).Kind
	return kind == UnityCatalog || kind == MLflow, kind != ""
}

// checkRegistered holds a model against the kind of its registry.
func (l *loader) checkRegistered(p *Project, n *node) {
	registry := get[string](n, "registry")
	aliases, known := p.aliases(registry)
	if !known {
		return
	}
	version := get[string](n, "version")
	switch {
	case aliases && slices.Contains([]string{"Staging", "Production", "Archived"}, version):
		l.errorf(n, n.place("version"), `write "@ALIAS"`, "registry %q has aliases, no stages", registry)
	case !aliases && strings.HasPrefix(version, "@"):
		l.errorf(n, n.place("version"), `write "Staging" or "Production"`, "registry %q has stages, no aliases", registry)
	case strings.HasPrefix(version, "@") && CheckAlias(version[1:]) != nil:
		l.errorf(n, n.place("version"), "", "version %q %v", version, CheckAlias(version[1:]))
	}
	if name := get[string](n, "name"); orZero(p.Registry(registry)).Kind == UnityCatalog && !unityName.MatchString(name) {
		hint := `write name = "catalog.schema.` + n.label + `"`
		if n.attrs["name"] == nil {
			l.errorf(n, n.at, hint, "model %q is in Unity Catalog, where a name has three parts", n.label)
		} else if name != "" {
			l.errorf(n, n.place("name"), hint, "name %q is none of a model in Unity Catalog, which has three parts", name)
		}
	}
}

// checkSlot wants of a model's use what its registry has: a stage or an alias.
func (l *loader) checkSlot(p *Project, n *node) {
	model := p.Artifact.Model(n.label)
	stage, alias := n.attrs["stage"] != nil, n.attrs["alias"] != nil
	if model == nil {
		return
	}
	aliases, known := p.aliases(model.Registry)
	switch {
	case model.Path != "":
		if stage || alias {
			l.errorf(n, n.at, "leave "+map[bool]string{true: "stage", false: "alias"}[stage]+" out", "model %q is a file: it has no slot", n.label)
		}
	case aliases && stage:
		l.errorf(n, n.place("stage"), `write alias = "champion"`, "registry %q has aliases, no stages", model.Registry)
	case aliases && n.attrs["archive_existing"] != nil:
		l.errorf(n, n.place("archive_existing"), "leave it out", "an alias archives nothing: it is moved")
	case aliases && !alias:
		l.errorf(n, n.at, `write alias = "champion"`, "%s needs %q", n.called(), "alias")
	case known && !aliases && alias:
		l.errorf(n, n.place("alias"), `write stage = "Staging" or "Production"`, "registry %q has stages, no aliases", model.Registry)
	case !aliases && !stage && !alias:
		l.errorf(n, n.at, `write stage = "Staging" or "Production"`, "%s needs %q", n.called(), "stage")
	}
}

// checkSlots wants each slot of a registered model to be one environment's, and each environment to have one of a model:
// the model's tag says by the environment alone which version is live there.
func (l *loader) checkSlots(p *Project) {
	slots := map[string]*node{}
	for _, env := range l.root.children["environment"] {
		models := map[string]*node{}
		for _, n := range env.children["model"] {
			name, registry := n.label, ""
			if m := p.Artifact.Model(n.label); m != nil {
				name, registry = m.RegisteredName(), m.Registry
			}
			what, is := "stage", get[string](n, "stage")
			if is == "" {
				what, is = "alias", get[string](n, "alias")
			}
			if is == "" {
				continue
			}
			model := fmt.Sprintf("%q %q", registry, name)
			if first := models[model]; first != nil {
				l.errorf(n, n.at, fmt.Sprintf("model %q is on %s line %s; one of them needs a registered model of its own", first.label, first.at.Filename, line(first.at)),
					"models %q and %q of environment %q are one registered model, %q", first.label, n.label, env.label, name)
				continue
			}
			models[model] = n
			slot := model + fmt.Sprintf(" %s %q", what, is)
			if first := slots[slot]; first != nil {
				hint := "the other is on " + first.at.Filename + " line " + line(first.at)
				if n.taken != nil {
					hint = fmt.Sprintf("it is taken over: write model %q { %s = … } in environment %q", n.label, what, env.label)
				}
				l.errorf(n, n.place(what), hint, "environments %q and %q both name the %s %q of model %q", first.up.label, env.label, what, is, name)
				continue
			}
			slots[slot] = n
		}
	}
}
