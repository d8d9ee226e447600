package survey

import (
	"path"
	"regexp"
)

// path of an environment's folder; environments in one workspace have one each.
func (w *writer) path(i int) string {
	for j := range w.p.Places {
		if j != i && w.workspace(j) == w.workspace(i) {
			return path.Join("/Barge", w.p.Project, w.p.Places[i].Name)
		}
	}
	return path.Join("/Barge", w.p.Project)
}

// gated is the environment whose gates are asked: the one before the last.
func (w *writer) gated() int { return max(len(w.p.Places)-2, min(1, len(w.p.Places)-1)) }

func (w *writer) environment(i int) {
	p, last := w.p, len(w.p.Places)-1
	w.line("environment %q {", p.Places[i].Name)
	if i > 0 {
		w.line("follows = [environment.%s]", p.Places[i-1].Name)
	}
	w.line("workspace = workspace.%s", w.workspace(i))
	if i == 0 {
		w.note("a folder that an admin makes once, and the releasers manage: releases and the ledger stand below it")
	}
	w.line("path = %s", quote(w.path(i)))
	w.deploy(i)
	if stage := w.stage(i); stage != "" {
		for _, m := range p.Models {
			w.slot(m, stage)
		}
	}
	if i == w.gated() {
		for _, m := range p.Models {
			w.gate(m, i)
		}
	}
	if i == last {
		for _, m := range p.Models {
			w.score(m)
		}
	}
	w.line("}\n")
}

func (w *writer) stage(i int) string {
	switch last := len(w.p.Places) - 1; {
	case i == last:
		return "Production"
	case i == w.gated():
		return "Staging"
	}
	return ""
}

func (w *writer) slot(m Model, stage string) {
	if m.Path != "" {
		w.line("model %q {}", m.Label)
		return
	}
	w.line("model %q {\nstage = %q\narchive_existing = true\n}", m.Label, stage)
}

func (w *writer) deploy(i int) {
	var only []string
	if i == len(w.p.Places)-1 && i > 0 {
		for _, m := range w.p.Models {
			if m.Score.Notebook != "" {
				only = with(only, w.notebook(m.Score))
			}
		}
	}
	config := w.p.configOf(w.s.Files, w.p.Places[i].Name)
	if len(only) == 0 && config == "" {
		return
	}
	w.line("\ndeploy {")
	if len(only) > 0 {
		w.note("with all that it brings in by %%run")
	}
	w.list("only", only)
	if config != "" {
		w.line("config = %s", quote(config))
	}
	w.line("}")
}

func (w *writer) gate(m Model, i int) {
	if m.Gate.Notebook == "" {
		w.note("no notebook here tests %s: anything goes through. A gate is", m.Label)
		w.note("gate \"test\" { notebook = \"…\", compute = compute.ml, expect \"…\" { that = metrics.accuracy >= 0.8 } }")
		return
	}
	name, last := "test", len(w.p.Places)-1
	if len(w.p.Models) > 1 {
		name += "-" + m.Label
	}
	w.line("gate %q {", name)
	w.run(m.Gate)
	if len(w.p.Models) > 1 {
		w.line("models = [%q]", m.Label)
	}
	if i != last {
		w.note("champion below is that of %s, run by the same notebook", w.p.Places[last].Name)
		w.line("against = environment.%s", w.p.Places[last].Name)
	}
	w.expects(m.Gate)
	w.line("}")
}

// attribute is what may stand behind metrics and a dot.
var attribute = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

func (w *writer) expects(r Run) {
	fact, sign, worse, bar := "metrics."+r.metric(), ">=", "- 0.01", "0.5"
	if !attribute.MatchString(r.metric()) {
		fact = "metrics[" + quote(r.metric()) + "]"
	}
	if lessIsBetter(r.metric()) {
		sign, worse, bar = "<=", "* 1.01", "1000"
	}
	w.line("\nexpect \"good enough\" {")
	if r.Metric == "" {
		w.note("no metric was found in the notebook: name the one that it answers, and the bar that you want")
	} else {
		w.note("the bar is a guess: put yours here")
	}
	w.line("that = %s %s %s\n}", fact, sign, bar)
	w.line("expect \"no worse than what runs\" {\nwhen = champion != null")
	w.line("that = %s %s champion.%s %s\n}", fact, sign, fact, worse)
}

func (w *writer) score(m Model) {
	if m.Score.Notebook == "" {
		w.note("no notebook here scores with %s: a score block with notebook, compute and schedule makes a job of one", m.Label)
		return
	}
	name := "batch"
	if len(w.p.Models) > 1 {
		name += "-" + m.Label
	}
	w.line("score %q {", name)
	w.run(m.Score)
	if m.Score.Cron != "" {
		w.line("schedule = { cron = %s, timezone = %s }", quote(m.Score.Cron), quote(m.Score.Timezone))
	} else {
		w.note("started by hand alone; every night at two it is")
		w.line("# schedule = { cron = \"0 0 2 * * ?\", timezone = \"UTC\" }")
	}
	if m.Score.nb != nil && m.Score.nb.Counts && m.Score.nb.Answers {
		w.line("\nexpect \"every row scored\" {\nthat = output.rows_in > 0 && output.rows_out == output.rows_in\n}")
	} else {
		w.note("the notebook does not answer rows_in and rows_out; when it does, this judges every release's first scoring:")
		w.line("# expect \"every row scored\" {\n#   that = output.rows_in > 0 && output.rows_out == output.rows_in\n# }")
	}
	w.line("}")
}
