package environments

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// check holds the blocks against each other, once each has been read.
func (l *loader) check(p *Project) {
	if len(l.root.children["project"]) == 0 && !l.root.meant["project"] {
		at := hcl.Range{Filename: mainFile, Start: hcl.InitialPos, End: hcl.InitialPos}
		l.errorf(nil, at, `begin with: project "NAME" {}`, "there is no project block")
	}
	for _, n := range l.root.children["workspace"] {
		for _, auth := range n.children["auth"] {
			l.checkAuth(auth)
		}
	}
	for _, n := range l.root.children["registry"] {
		l.checkRegistry(n)
	}
	for _, n := range l.root.children["artifact"] {
		for _, model := range n.children["model"] {
			l.checkModel(model)
			l.checkRegistered(p, model)
		}
	}
	for _, n := range l.root.children["compute"] {
		l.checkCompute(n)
	}
	for _, n := range l.root.children["environment"] {
		l.checkEnvironment(p, n)
	}
	l.checkDeployProject(p)
	l.checkLoaded(p)
	l.checkFormerly(p)
	l.checkPlaces()
	l.checkSlots(p)
	l.checkCycles(p)
}

func (l *loader) checkAuth(n *node) {
	settings, ok := authKinds[n.label]
	if !ok {
		l.errorf(n, n.at, didYouMean(n.label, "%q", sorted(authKinds)), "unknown kind of auth %q", n.label)
		return
	}
	var allowed []string
	for _, s := range settings {
		name, needed := strings.CutSuffix(s, "!")
		if allowed = append(allowed, name); needed && n.attrs[name] == nil {
			l.errorf(n, n.at, "write "+name+" = "+example(*n.kind.attr(name)), "%s needs %q", n.called(), name)
		}
	}
	for _, name := range sorted(n.attrs) {
		if !slices.Contains(allowed, name) {
			l.errorf(n, n.place(name), didYouMean(name, "%s", allowed), "%s has no %q", n.called(), name)
		}
	}
}

func (l *loader) checkModel(n *node) {
	train := n.children["train"]
	switch file, registered := n.attrs["path"] != nil, n.attrs["registry"] != nil; {
	case file && registered:
		l.errorf(n, n.place("path"), "leave one of them out", "a model is a file (path) or a registered one (registry), not both")
	case !file && !registered:
		l.errorf(n, n.at, `write registry = registry.NAME and version = "trained", or path = "models/…"`, "%s has neither registry nor path", n.called())
	case file && n.attrs["version"] != nil:
		l.errorf(n, n.place("version"), "leave it out: the commit says which it is", "a model that is a file has no version of its own")
	case file && len(train) > 0:
		l.errorf(train[0], train[0].at, "leave it out, or write registry instead of path", "a model that is a file is not trained by barge")
	case registered && n.attrs["version"] == nil:
		l.errorf(n, n.at, `write version = "trained", a number, "latest", a stage or "@alias"`, "%s needs %q", n.called(), "version")
	case get[string](n, "version") == "trained" && len(train) == 0:
		l.errorf(n, n.place("version"), "write train { … }, or another version", "the version is \"trained\", and there is no train block")
	}
}

func (l *loader) checkCompute(n *node) {
	var ways []string
	for _, name := range []string{"spark_version", "existing_cluster", "serverless"} {
		if n.attrs[name] != nil && n.values[name] != false {
			ways = append(ways, name)
		}
	}
	switch {
	case len(ways) == 0 && n.attrs["policy"] == nil:
		l.errorf(n, n.at, `write spark_version and node_type, existing_cluster, or serverless = true`, "%s says nothing of what it is", n.called())
	case len(ways) > 1:
		l.errorf(n, n.place(ways[1]), "it is one of them: leave out what it is not", "%s has both %s and %s", n.called(), ways[0], ways[1])
	case n.attrs["num_workers"] != nil && n.attrs["autoscale"] != nil:
		l.errorf(n, n.place("autoscale"), "leave one of them out", "%s has both num_workers and autoscale", n.called())
	}
	if len(ways) == 1 {
		l.checkWay(n, ways[0])
	}
	if scale, ok := n.values["autoscale"].(map[string]any); ok {
		lowest, _ := scale["min"].(int)
		if highest, _ := scale["max"].(int); highest < max(lowest, 1) {
			l.errorf(n, n.place("autoscale"), "write the smaller number as min, and one of 1 or more as max", "autoscale goes from %d to %d", lowest, highest)
		}
	}
}

// checkWay finds what would be left out of account by a compute that is no cluster of its own.
func (l *loader) checkWay(n *node, way string) {
	if way == "spark_version" {
		if n.attrs["node_type"] == nil && n.attrs["policy"] == nil {
			l.warnf(n, n.at, `write node_type = "Standard_DS3_v2", or the policy that says it`, "%s does not say its nodes: Databricks refuses a cluster without", n.called())
		}
		return
	}
	what := map[string]string{"existing_cluster": "a cluster that is there already is as it is", "serverless": "serverless compute is no cluster"}[way]
	for _, name := range []string{"node_type", "driver_node_type", "num_workers", "autoscale", "policy", "spark_conf", "env"} {
		if n.attrs[name] != nil {
			l.errorf(n, n.place(name), "leave it out, or write spark_version instead of "+way, "%s: %s has no %s", what, n.called(), name)
		}
	}
	for _, library := range get[[]string](n, "libraries") {
		if kind, _, _ := strings.Cut(library, ":"); way == "serverless" && !slices.Contains([]string{"pypi", "whl", "requirements"}, kind) {
			l.errorf(n, n.place("libraries"), "write pypi:, whl: or requirements:", "serverless compute takes no %s library", kind)
		}
	}
}

func (l *loader) checkEnvironment(p *Project, n *node) {
	for _, m := range own(n.children["model"]) {
		l.checkModelUse(p, m)
	}
	for _, g := range own(n.children["gate"]) {
		for _, label := range get[[]string](g, "models") {
			if labels := n.labels("model"); p.Artifact != nil && !slices.Contains(labels, label) {
				l.errorf(g, g.place("models"), didYouMean(label, "%q", labels), "environment %q has no model %q", n.label, label)
			}
		}
		if len(g.children["expect"]) == 0 && !g.meant["expect"] {
			l.warnf(g, g.at, `write expect "NAME" { that = … }`, "%s expects nothing: any complete answer passes", g.called())
		}
	}
	l.checkChampions(n)
	for _, g := range own(n.children["gate"]) {
		if p.Artifact != nil && g.attrs["notebook"] == nil {
			l.errorf(g, g.at, `write notebook = "…"`, "%s needs %q", g.called(), "notebook")
		}
	}
	for _, s := range own(n.children["score"]) {
		l.checkScore(p, s)
	}
	for _, d := range own(n.children["deploy"]) {
		levels := []string{"CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"}
		permissions := get[map[string]string](d, "permissions")
		for _, who := range sorted(permissions) {
			if level := permissions[who]; !slices.Contains(levels, level) {
				l.errorf(d, d.place("permissions"), didYouMean(level, "%q", levels), "unknown permission %q", level)
			}
		}
	}
	if path := get[string](n, "path"); (path == "/Shared" || strings.HasPrefix(path, "/Shared/")) && len(n.children["gate"]) > 0 {
		l.warnf(n, n.place("path"), `let an admin make a folder such as "/Barge" that the releasers manage`,
			"every user may change what is in /Shared, and %s has gates", n.called())
	}
}

func (l *loader) checkScore(p *Project, n *node) {
	switch job, notebook := n.attrs["job"] != nil, n.attrs["notebook"] != nil; {
	case p.Artifact != nil && !job && !notebook:
		l.errorf(n, n.at, `write notebook = "…", or job = "jobs/….json"`, "%s needs %q", n.called(), "notebook")
	case job && notebook:
		l.errorf(n, n.place("job"), "leave one of them out", "%s has both notebook and job", n.called())
	case job:
		for _, name := range []string{"compute", "parameters"} {
			if n.attrs[name] != nil {
				l.errorf(n, n.place(name), "leave it out: the file of the job says it", "%s has both job and %s", n.called(), name)
			}
		}
		if _, err := fillScore(n).Answers(); err != nil && n.values["definition"] != nil {
			l.errorf(n, n.place("job"), "let one task depend on the others: it answers for all", "%s", err)
		}
	}
}

func (l *loader) checkModelUse(p *Project, n *node) {
	if p.Artifact != nil && p.Artifact.Model(n.label) == nil {
		var labels []string
		for _, m := range p.Artifact.Models {
			labels = append(labels, m.Label)
		}
		l.errorf(n, n.at, didYouMean(n.label, "%q", labels), "the artifact has no model %q", n.label)
		return
	}
	l.checkSlot(p, n)
}

// checkLoaded finds conditions on a model that the environment has not, which no answer could name.
func (l *loader) checkLoaded(p *Project) {
	if p.Artifact == nil {
		return
	}
	for _, env := range l.root.children["environment"] {
		labels := env.labels("model")
		for _, run := range own(env.children["gate"], env.children["score"]) {
			for _, e := range own(run.children["expect"]) {
				for _, name := range sorted(e.attrs) {
					for _, t := range e.attrs[name].Expr.Variables() {
						if label := step(t, 1); t.RootName() == "models" && label != "" && !slices.Contains(labels, label) {
							hint := didYouMean(label, "models.%s", labels)
							if hint == "" {
								hint = fmt.Sprintf("write model %q { … } in it", label)
							}
							l.errorf(e, t.SourceRange(), hint, "environment %q has no model %q", env.label, label)
						}
					}
				}
			}
		}
	}
}

// checkChampions finds conditions on a champion that cannot be told: that of a first release, or of a scoring.
func (l *loader) checkChampions(n *node) {
	names := func(expect *node, attr string) bool {
		a := expect.attrs[attr]
		return a != nil && slices.ContainsFunc(a.Expr.Variables(), func(t hcl.Traversal) bool { return t.RootName() == "champion" })
	}
	for _, score := range own(n.children["score"]) {
		for _, e := range score.children["expect"] {
			for _, attr := range []string{"when", "that"} {
				if names(e, attr) {
					l.errorf(e, e.place(attr), "let a gate compare", "a scoring is not compared with a champion")
				}
			}
		}
	}
	for _, gate := range own(n.children["gate"]) {
		for _, e := range own(gate.children["expect"]) {
			if names(e, "that") && !names(e, "when") {
				l.warnf(e, e.place("that"), "write when = champion != null", "the first release has no champion: %s could not be told", e.called())
			}
		}
	}
}

// checkDeployProject warns of the first thing that a project without an artifact block says in vain.
func (l *loader) checkDeployProject(p *Project) {
	if p.Artifact != nil || l.diags.HasErrors() {
		return
	}
	var visit func(n *node) bool
	visit = func(n *node) bool {
		for _, a := range n.kind.attrs {
			if n.attrs[a.name] != nil && a.part == rest {
				l.warnf(n, n.place(a.name), "leave it out, or write an artifact block: without one releases come from the store, and bring it",
					"%s of %s is not read in a deploy project", a.name, n.called())
				return true
			}
		}
		return slices.ContainsFunc(n.kind.blocks, func(kind *blockType) bool {
			return slices.ContainsFunc(own(n.children[kind.name]), visit)
		})
	}
	_ = slices.ContainsFunc(slices.Concat(l.root.children["compute"], l.root.children["environment"]), visit)
	for _, n := range l.root.children["project"] {
		if n.attrs["store"] == nil && len(p.Environments) > 0 {
			l.warnf(n, n.at, `write store = "oci://HOST/REPOSITORY"`, "a deploy project takes its releases from a store, and %s names none", n.called())
		}
	}
}

// own are the blocks that an environment has not taken over from another, where they are checked already.
func own(blocks ...[]*node) []*node {
	return slices.DeleteFunc(slices.Concat(blocks...), func(n *node) bool { return n.taken != nil })
}

// checkPlaces wants a folder, and so a ledger, for each environment.
func (l *loader) checkPlaces() {
	places := map[string]*node{}
	for _, n := range l.root.children["environment"] {
		workspace, path := get[string](n, "workspace"), get[string](n, "path")
		if workspace == "" || path == "" {
			continue
		}
		place := workspace + " " + path
		if first := places[place]; first != nil {
			l.errorf(n, n.place("path"), "give each a folder of its own: releases and ledger stand below it",
				"environments %q and %q have the same path in workspace %q", first.label, n.label, workspace)
			continue
		}
		places[place] = n
	}
}

// checkCycles names each cycle of follows once, from the environment that stands first.
func (l *loader) checkCycles(p *Project) {
	done := map[string]bool{}
	var visit func(name string, path []string)
	visit = func(name string, path []string) {
		if i := slices.Index(path, name); i >= 0 {
			n := l.root.children["environment"][slices.Index(l.root.labels("environment"), name)]
			l.errorf(n, n.place("follows"), "take one of them out of what another follows", "follows goes in a circle: %s", circle(path[i:], name))
			return
		}
		if e := p.Environment(name); e != nil && !done[name] {
			for _, up := range e.Follows {
				visit(up, append(slices.Clone(path), name))
			}
			done[name] = true
		}
	}
	for _, e := range p.Environments {
		visit(e.Name, nil)
	}
}

func (l *loader) warnf(n *node, at hcl.Range, hint, format string, args ...any) {
	l.errorf(n, at, hint, format, args...)
	l.diags[len(l.diags)-1].Severity = "warning"
}

// trimHost is the URL of a workspace as it is recorded everywhere: no slash at its end, scheme and host in lower case.
func trimHost(host string) string {
	u, err := url.Parse(host)
	if err != nil {
		return host
	}
	return strings.TrimSuffix(strings.ToLower(u.String()), "/")
}
