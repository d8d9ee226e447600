package survey

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bargeml/barge/artifacts"
)

// Notebook is what one notebook seems to do.
type Notebook struct {
	Path     string            `json:"path"`
	Language string            `json:"language"`
	Runs     []string          `json:"runs,omitempty"`    // what it names by %run, as written
	Models   []string          `json:"models,omitempty"`  // registered models that it names
	Metrics  []string          `json:"metrics,omitempty"` // names of metrics that it logs, or of those that it computes
	Widgets  map[string]string `json:"widgets,omitempty"` // that it reads, with their defaults
	Needs    []string          `json:"needs,omitempty"`   // widgets that it reads and gives no default
	Trains   bool              `json:"trains"`
	Loads    bool              `json:"loads"`    // a model
	Measures bool              `json:"measures"` // computes metrics
	Writes   bool              `json:"writes"`   // results
	Answers  bool              `json:"answers"`  // ends with dbutils.notebook.exit
	Counts   bool              `json:"counts"`   // names rows_in and rows_out
	Told     []string          `json:"told,omitempty"`
	Spark    bool              `json:"spark"`

	Requirements []string `json:"requirements,omitempty"` // files that it installs from, as written
	Above        []string `json:"above,omitempty"`        // files and folders above its own that it names, as written

	text string
}

// Object is how a notebook is named where it runs: without its extension.
func (n Notebook) Object() string { return strings.TrimSuffix(n.Path, path.Ext(n.Path)) }

// name is its own name, lower case.
func (n Notebook) name() string { return strings.ToLower(path.Base(n.Object())) }

var (
	pinned     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?==[A-Za-z0-9.+!_-]+$`)
	modelNames = []*regexp.Regexp{
		regexp.MustCompile(`registered_model_name\s*=\s*([A-Za-z_]\w*|"[^"\n]*"|'[^'\n]*')`),
		regexp.MustCompile(`register_model\(\s*(?:model_uri\s*=\s*)?[^,\n]+,\s*(?:name\s*=\s*)?([A-Za-z_]\w*|"[^"\n]*"|'[^'\n]*')`),
		regexp.MustCompile(`create_registered_model\(\s*(?:name\s*=\s*)?([A-Za-z_]\w*|"[^"\n]*"|'[^'\n]*')`),
	}
	modelURI    = regexp.MustCompile(`models:/([^/"'\s{}@]+)[/@]`)
	logMetric   = regexp.MustCompile(`log_metric\(\s*["']([A-Za-z_][\w/-]*)["']`)
	logMetrics  = regexp.MustCompile(`(?s)(?:log_metrics\(\s*|metrics["']?\s*[=:]\s*)\{([^}]*)\}`)
	key         = regexp.MustCompile(`["']([A-Za-z_][\w/-]*)["']\s*:`)
	scoreOf     = regexp.MustCompile(`\b(accuracy|roc_auc|f1|r2)_score\(`)
	widgetText  = regexp.MustCompile(`dbutils\.widgets\.(?:text|dropdown|combobox)\(\s*(?:name\s*=\s*)?["']([^"'\n]+)["']\s*,\s*(?:defaultValue\s*=\s*)?["']([^"'\n]*)["']`)
	widgetGet   = regexp.MustCompile(`dbutils\.widgets\.get\(\s*["']([^"'\n]+)["']`)
	trains      = regexp.MustCompile(`\.fit\(|log_model\(|registered_model_name|register_model\(|\.train\(`)
	loads       = regexp.MustCompile(`load_model\(|spark_udf\(|pickle\.load\(|joblib\.load\(|barge_model_\w+_uri`)
	measures    = regexp.MustCompile(`accuracy_score|roc_auc|f1_score|r2_score|mean_(?:squared|absolute)|log_loss|classification_report|confusion_matrix|Evaluator\(|log_metric`)
	writes      = regexp.MustCompile(`\.to_csv\(|\.to_parquet\(|saveAsTable|\.write\b|\.save\(|to_sql\(|insertInto`)
	sparkUse    = regexp.MustCompile(`\bspark\.|pyspark`)
	assignment  = `(?m)^\s*%s\s*=\s*(?:"([^"\n]*)"|'([^'\n]*)'|dbutils\.widgets\.get\(\s*["']([^"'\n]+)["']\s*\))`
	identifier  = regexp.MustCompile(`^[A-Za-z_]\w*$`)
	ordinary    = []string{"none", "true", "false", "null"}
	bargeWidget = "barge_"
)

// notebookOf reads a notebook's cells for what it does. What stands in text and shell cells counts for nothing.
func notebookOf(c artifacts.Content) (Notebook, error) {
	n := Notebook{Path: c.Path, Language: c.Language, Widgets: map[string]string{}}
	cells, err := artifacts.Cells(c)
	if err != nil {
		return n, err
	}
	var code, pip strings.Builder
	for _, cell := range cells {
		switch cell.Magic {
		case "run":
			first, _, _ := strings.Cut(cell.Source, "\n")
			if fields := strings.Fields(first); len(fields) > 1 {
				n.Runs = append(n.Runs, strings.Trim(fields[1], `"'`))
			}
		case "pip":
			pip.WriteString(cell.Source + "\n")
		case "", "python", "scala", "r", "sql":
			code.WriteString(uncommentedCode(cell.Source) + "\n")
		}
	}
	n.text = code.String()
	n.Trains, n.Loads, n.Measures = trains.MatchString(n.text), loads.MatchString(n.text), measures.MatchString(n.text)
	n.Writes, n.Spark = writes.MatchString(n.text), sparkUse.MatchString(n.text)
	n.Answers = strings.Contains(n.text, "dbutils.notebook.exit(")
	n.Counts = strings.Contains(n.text, "rows_in") && strings.Contains(n.text, "rows_out")
	n.readWidgets()
	n.readMetrics()
	n.readModels()
	n.readBeyond(pip.String() + n.text)
	return n, nil
}

func uncommentedCode(source string) string {
	var kept []string
	for line := range strings.Lines(source) {
		if bare := strings.TrimSpace(line); !strings.HasPrefix(bare, "#") && !strings.HasPrefix(bare, "//") && !strings.HasPrefix(bare, "--") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func (n *Notebook) readWidgets() {
	defaults := map[string]string{}
	for _, m := range widgetText.FindAllStringSubmatch(n.text, -1) {
		defaults[m[1]] = m[2]
	}
	for _, m := range widgetGet.FindAllStringSubmatch(n.text, -1) {
		name := m[1]
		value, has := defaults[name]
		switch {
		case strings.HasPrefix(name, bargeWidget):
			n.Told = with(n.Told, name)
		case has:
			n.Widgets[name] = value
		default:
			n.Needs = with(n.Needs, name)
		}
	}
}

func (n *Notebook) readMetrics() {
	for _, m := range logMetric.FindAllStringSubmatch(n.text, -1) {
		n.Metrics = with(n.Metrics, m[1])
	}
	for _, m := range logMetrics.FindAllStringSubmatch(n.text, -1) {
		for _, k := range key.FindAllStringSubmatch(m[1], -1) {
			n.Metrics = with(n.Metrics, k[1])
		}
	}
	if len(n.Metrics) > 0 {
		return
	}
	for _, m := range scoreOf.FindAllStringSubmatch(n.text, -1) {
		n.Metrics = with(n.Metrics, m[1])
	}
}

func (n *Notebook) readModels() {
	for _, pattern := range modelNames {
		for _, m := range pattern.FindAllStringSubmatch(n.text, -1) {
			n.named(m[1])
		}
	}
	for _, m := range modelURI.FindAllStringSubmatch(n.text, -1) {
		n.Models = with(n.Models, m[1])
	}
}

// named adds the model that a text or a variable of the notebook names.
func (n *Notebook) named(written string) {
	if !identifier.MatchString(written) {
		n.Models = with(n.Models, strings.Trim(written, `"'`))
		return
	}
	if slices.Contains(ordinary, strings.ToLower(written)) {
		return
	}
	set := regexp.MustCompile(strings.Replace(assignment, "%s", regexp.QuoteMeta(written), 1))
	if m := set.FindStringSubmatch(n.text); m != nil {
		if value := m[1] + m[2]; value != "" {
			n.Models = with(n.Models, value)
		} else if value := n.Widgets[m[3]]; value != "" {
			n.Models = with(n.Models, value)
		}
	}
}

// with adds what is not there yet.
func with(list []string, text string) []string {
	if text == "" || slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

// role is what a notebook is for in a release.
type role int

const (
	training role = iota
	gating
	scoring
)

var roleNames = map[role][]string{
	training: {"train", "fit"},
	gating:   {"test", "eval", "valid", "gate", "check", "verify"},
	scoring:  {"score", "scoring", "predict", "inference", "batch"},
}

// points say how much a notebook looks like one of that role: three for its name, the rest for what it does. Below four
// it is no candidate.
func (n Notebook) points(r role) int {
	p := 0
	if slices.ContainsFunc(roleNames[r], func(word string) bool { return strings.Contains(n.name(), word) }) {
		p += 3
	}
	switch r {
	case training:
		p += points(n.Trains, 3) - points(n.Loads && !n.Trains, 3) + points(len(n.Models) > 0 && n.Trains, 1)
	case gating:
		p += points(n.Loads && !n.Trains, 2) + points(n.Measures, 2) - points(n.Trains, 3) - points(n.Writes, 1)
	case scoring:
		p += points(n.Loads && !n.Trains, 2) + points(n.Writes, 2) - points(n.Trains, 3) - points(n.Measures, 1)
	}
	return p
}

func points(yes bool, n int) int {
	if yes {
		return n
	}
	return 0
}
