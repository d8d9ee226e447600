package survey

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Bundle is what databricks.yml and the files that it includes say, as far as barge has a word for it.
type Bundle struct {
	File    string   `json:"file"`
	Name    string   `json:"name,omitempty"`
	Targets []Target `json:"targets"`
	Jobs    []Job    `json:"jobs"`

	defaults map[string]string // of the bundle's variables
}

var bundleVariable = regexp.MustCompile(`\$\{var\.([^}]+)\}`)

// Target is a place that the bundle deploys to.
type Target struct {
	Name string `json:"name"`
	Mode string `json:"mode,omitempty"` // development, production
	Host string `json:"host,omitempty"`
}

// Job is one task of a job that runs a notebook.
type Job struct {
	Name       string            `json:"name"`
	Notebook   string            `json:"notebook"` // relative to the survey's folder, no extension
	Cron       string            `json:"cron,omitempty"`
	Timezone   string            `json:"timezone,omitempty"`
	Cluster    *Cluster          `json:"cluster,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	File       string            `json:"file"`
}

// Cluster is what a job's task runs on.
type Cluster struct {
	Spark    string `json:"spark_version,omitempty"`
	Node     string `json:"node_type,omitempty"`
	Workers  int    `json:"num_workers,omitempty"`
	Min, Max int    `json:"-"`
	Existing string `json:"existing_cluster,omitempty"`
}

func (s *Survey) readBundle() {
	for _, name := range []string{"databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml"} {
		if !slices.Contains(s.Files, name) {
			continue
		}
		b, err := s.bundle(name)
		if err != nil {
			s.Notes = append(s.Notes, fmt.Sprintf("%v: nothing was taken from it", err))
			return
		}
		s.Bundle = b
		return
	}
}

func (s *Survey) document(at string) (*node, error) {
	body, err := s.read(at)
	if err != nil {
		return nil, err
	}
	n, err := parseYAML(string(body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	return n, nil
}

func (s *Survey) bundle(file string) (*Bundle, error) {
	root, err := s.document(file)
	if err != nil {
		return nil, err
	}
	b := &Bundle{File: file, Targets: []Target{}, Jobs: []Job{}, defaults: map[string]string{}}
	b.Name = b.written(root.at("bundle", "name"))
	for _, name := range root.at("variables").keys {
		b.defaults[name] = root.at("variables", name, "default").text
	}
	for _, name := range root.at("targets").keys {
		t := root.at("targets", name)
		b.Targets = append(b.Targets, Target{
			Name: name, Mode: b.writtenIn(t.at("mode"), t),
			Host: strings.TrimRight(cmp.Or(b.writtenIn(t.at("workspace", "host"), t), b.writtenIn(root.at("workspace", "host"), t)), "/"),
		})
	}
	slices.SortStableFunc(b.Targets, func(x, y Target) int { return cmp.Compare(x.order(), y.order()) })
	b.jobs(file, root)
	for _, include := range root.at("include").items {
		for _, at := range s.Files {
			if ok, _ := doublestar.Match(path.Clean(include.text), at); !ok || at == file {
				continue
			}
			if n, err := s.document(at); err != nil {
				s.Notes = append(s.Notes, fmt.Sprintf("%v: nothing was taken from it", err))
			} else {
				b.jobs(at, n)
			}
		}
	}
	return b, nil
}

// order puts places to develop in before those for production; others keep the bundle's own order between them.
func (t Target) order() int {
	switch {
	case t.Mode == "development" || strings.HasPrefix(t.Name, "dev"):
		return 0
	case strings.HasPrefix(t.Name, "prod") || t.Name == "prd":
		return 3
	case t.Mode == "production":
		return 2
	}
	return 1
}

// written is a scalar with the bundle's variables as their defaults have them; one that is made of anything else says
// nothing here.
func (b *Bundle) written(n *node) string { return b.writtenIn(n, &node{}) }

// writtenIn is written, for a target with variables of its own.
func (b *Bundle) writtenIn(n, target *node) string {
	text := bundleVariable.ReplaceAllStringFunc(n.text, func(ref string) string {
		name := bundleVariable.FindStringSubmatch(ref)[1]
		return cmp.Or(target.at("variables", name).text, target.at("variables", name, "default").text, b.defaults[name], ref)
	})
	if strings.Contains(text, "${") {
		return ""
	}
	return text
}

func (b *Bundle) jobs(file string, root *node) {
	jobs := root.at("resources", "jobs")
	for _, name := range jobs.keys {
		j := jobs.at(name)
		for _, task := range j.at("tasks").items {
			notebook := b.written(task.at("notebook_task", "notebook_path"))
			if notebook == "" || path.IsAbs(notebook) {
				continue
			}
			at := path.Join(path.Dir(file), notebook)
			if e := path.Ext(at); slices.Contains([]string{".py", ".ipynb", ".sql", ".scala", ".r", ".R"}, e) {
				at = strings.TrimSuffix(at, e)
			}
			b.Jobs = append(b.Jobs, Job{
				Name: name, Notebook: at, File: file, Cluster: b.clusterOf(j, task), Parameters: b.parametersOf(j, task),
				Cron: b.written(j.at("schedule", "quartz_cron_expression")), Timezone: cmp.Or(b.written(j.at("schedule", "timezone_id")), "UTC"),
			})
		}
	}
}

func (b *Bundle) parametersOf(job, task *node) map[string]string {
	out := map[string]string{}
	for _, p := range job.at("parameters").items {
		if v := b.written(p.at("default")); v != "" {
			out[p.at("name").text] = v
		}
	}
	base := task.at("notebook_task", "base_parameters")
	for _, name := range base.keys {
		if v := b.written(base.at(name)); v != "" {
			out[name] = v
		}
	}
	return out
}

// clusterOf is the task's own new cluster, the job's one that it names, or an existing one; nil where none is told.
func (b *Bundle) clusterOf(job, task *node) *Cluster {
	if id := b.written(task.at("existing_cluster_id")); id != "" {
		return &Cluster{Existing: id}
	}
	c := task.at("new_cluster")
	for _, shared := range job.at("job_clusters").items {
		if k := task.at("job_cluster_key").text; k != "" && shared.at("job_cluster_key").text == k {
			c = shared.at("new_cluster")
		}
	}
	out := &Cluster{
		Spark: b.written(c.at("spark_version")), Node: b.written(c.at("node_type_id")), Workers: number(c.at("num_workers")),
		Min: number(c.at("autoscale", "min_workers")), Max: number(c.at("autoscale", "max_workers")),
	}
	if out.Spark == "" || out.Node == "" {
		return nil
	}
	return out
}

func number(n *node) int {
	v, err := strconv.Atoi(n.text)
	if err != nil || v < 0 {
		return 0
	}
	return v
}

// job is the bundle's for a notebook, one with a schedule before others; nil when there is none.
func (b *Bundle) job(notebook string) *Job {
	if b == nil {
		return nil
	}
	var found *Job
	for i := range b.Jobs {
		if j := &b.Jobs[i]; j.Notebook == notebook && (found == nil || found.Cron == "" && j.Cron != "") {
			found = j
		}
	}
	return found
}
