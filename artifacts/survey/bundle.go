package survey

import (
	"cmp"
	"fmt"
	"path"
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
}

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
		return nil, fmt.Errorf("%s, %w", at, err)
	}
	return n, nil
}

func (s *Survey) bundle(file string) (*Bundle, error) {
	root, err := s.document(file)
	if err != nil {
		return nil, err
	}
	b := &Bundle{File: file, Name: written(root.at("bundle", "name")), Targets: []Target{}, Jobs: []Job{}}
	for _, name := range root.at("targets").keys {
		t := root.at("targets", name)
		b.Targets = append(b.Targets, Target{
			Name: name, Mode: written(t.at("mode")),
			Host: strings.TrimRight(cmp.Or(written(t.at("workspace", "host")), written(root.at("workspace", "host"))), "/"),
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

// written is a scalar that says what it is: one that is made of the bundle's variables says nothing here.
func written(n *node) string {
	if strings.Contains(n.text, "${") {
		return ""
	}
	return n.text
}

func (b *Bundle) jobs(file string, root *node) {
	jobs := root.at("resources", "jobs")
	for _, name := range jobs.keys {
		j := jobs.at(name)
		for _, task := range j.at("tasks").items {
			notebook := written(task.at("notebook_task", "notebook_path"))
			if notebook == "" || path.IsAbs(notebook) {
				continue
			}
			at := path.Join(path.Dir(file), notebook)
			if e := path.Ext(at); slices.Contains([]string{".py", ".ipynb", ".sql", ".scala", ".r", ".R"}, e) {
				at = strings.TrimSuffix(at, e)
			}
			b.Jobs = append(b.Jobs, Job{
				Name: name, Notebook: at, File: file, Cluster: clusterOf(j, task), Parameters: parametersOf(j, task),
				Cron: written(j.at("schedule", "quartz_cron_expression")), Timezone: cmp.Or(written(j.at("schedule", "timezone_id")), "UTC"),
			})
		}
	}
}

func parametersOf(job, task *node) map[string]string {
	out := map[string]string{}
	for _, p := range job.at("parameters").items {
		if v := written(p.at("default")); v != "" {
			out[p.at("name").text] = v
		}
	}
	base := task.at("notebook_task", "base_parameters")
	for _, name := range base.keys {
		if v := written(base.at(name)); v != "" {
			out[name] = v
		}
	}
	return out
}

// clusterOf is the task's own new cluster, the job's one that it names, or an existing one; nil where none is told.
func clusterOf(job, task *node) *Cluster {
	if id := written(task.at("existing_cluster_id")); id != "" {
		return &Cluster{Existing: id}
	}
	c := task.at("new_cluster")
	for _, shared := range job.at("job_clusters").items {
		if k := task.at("job_cluster_key").text; k != "" && shared.at("job_cluster_key").text == k {
			c = shared.at("new_cluster")
		}
	}
	out := &Cluster{
		Spark: written(c.at("spark_version")), Node: written(c.at("node_type_id")), Workers: number(c.at("num_workers")),
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
