package databricks

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Compute is what a task runs on: an existing cluster, serverless, or a cluster made for it.
type Compute struct {
	ExistingCluster string
	Serverless      bool
	SparkVersion    string
	NodeType        string
	DriverNodeType  string // empty: as NodeType
	Workers         int    // when MaxWorkers is 0; 0 is a single machine
	MinWorkers      int
	MaxWorkers      int
	Policy          string
	SparkConf       map[string]string
	Env             map[string]string
}

// Task is one notebook run: what is run, with what, on what.
type Task struct {
	Key        string // empty: main
	Notebook   string // its path in the workspace
	Parameters map[string]string
	Compute    Compute
	Libraries  []string // "pypi:mlflow==2.16.2", "maven:…", "cran:…", "whl:/…", "jar:/…", "requirements:/…"
	Timeout    time.Duration
}

// Settings is the part of a job's settings, or of a one-off run, that says what is run: "tasks", and "environments"
// where serverless needs libraries. The caller adds name, tags, schedule and the like.
func (t Task) Settings() (map[string]any, error) {
	key := t.Key
	if key == "" {
		key = "main"
	}
	notebook := map[string]any{"notebook_path": t.Notebook, "source": "WORKSPACE"}
	if len(t.Parameters) > 0 {
		notebook["base_parameters"] = maps.Clone(t.Parameters)
	}
	task := map[string]any{"task_key": key, "notebook_task": notebook}
	if t.Timeout > 0 {
		task["timeout_seconds"] = int64(t.Timeout / time.Second)
	}
	settings := map[string]any{"tasks": []any{task}}
	if t.Compute.Serverless {
		dependencies, err := t.dependencies()
		if err != nil {
			return nil, err
		}
		if len(dependencies) > 0 {
			task["environment_key"] = key
			settings["environments"] = []any{map[string]any{
				"environment_key": key,
				"spec":            map[string]any{"environment_version": "2", "dependencies": dependencies},
			}}
		}
		return settings, nil
	}
	if len(t.Libraries) > 0 {
		libraries := make([]any, 0, len(t.Libraries))
		for _, l := range t.Libraries {
			library, err := library(l)
			if err != nil {
				return nil, err
			}
			libraries = append(libraries, library)
		}
		task["libraries"] = libraries
	}
	if t.Compute.ExistingCluster != "" {
		task["existing_cluster_id"] = t.Compute.ExistingCluster
	} else {
		task["new_cluster"] = t.Compute.cluster()
	}
	return settings, nil
}

func (c Compute) cluster() map[string]any {
	cluster := map[string]any{"spark_version": c.SparkVersion}
	conf, env := maps.Clone(c.SparkConf), maps.Clone(c.Env)
	set := func(key, value string) {
		if value != "" {
			cluster[key] = value
		}
	}
	set("node_type_id", c.NodeType)
	set("driver_node_type_id", c.DriverNodeType)
	set("policy_id", c.Policy)
	switch {
	case c.MaxWorkers > 0:
		cluster["autoscale"] = map[string]any{"min_workers": c.MinWorkers, "max_workers": c.MaxWorkers}
	case c.Workers > 0:
		cluster["num_workers"] = c.Workers
	default: // one machine: the service wants it said three times
		cluster["num_workers"] = 0
		if conf == nil {
			conf = map[string]string{}
		}
		conf["spark.databricks.cluster.profile"] = "singleNode"
		conf["spark.master"] = "local[*]"
		cluster["custom_tags"] = map[string]string{"ResourceClass": "SingleNode"}
	}
	if len(conf) > 0 {
		cluster["spark_conf"] = conf
	}
	if len(env) > 0 {
		cluster["spark_env_vars"] = env
	}
	return cluster
}

var libraryKinds = []string{"cran", "jar", "maven", "pypi", "requirements", "whl"}

func library(line string) (map[string]any, error) {
	kind, what, _ := strings.Cut(line, ":")
	if what == "" || !slices.Contains(libraryKinds, kind) {
		return nil, fmt.Errorf("library %q: write KIND:WHAT, with %s as KIND, such as pypi:mlflow==2.16.2", line, strings.Join(libraryKinds, ", "))
	}
	switch kind {
	case "pypi", "cran":
		return map[string]any{kind: map[string]any{"package": what}}, nil
	case "maven":
		return map[string]any{kind: map[string]any{"coordinates": what}}, nil
	}
	return map[string]any{kind: what}, nil
}

// dependencies are libraries as serverless takes them: lines of pip.
func (t Task) dependencies() ([]string, error) {
	var lines []string
	for _, l := range t.Libraries {
		if _, err := library(l); err != nil {
			return nil, err
		}
		switch kind, what, _ := strings.Cut(l, ":"); kind {
		case "pypi", "whl":
			lines = append(lines, what)
		case "requirements":
			lines = append(lines, "-r "+what)
		default:
			return nil, fmt.Errorf("library %q: serverless compute takes pypi, whl and requirements alone", l)
		}
	}
	return lines, nil
}

// runAs is the settings' form of a principal.
func runAs(principal string) (map[string]any, error) {
	e, err := entry(Grant{Principal: principal})
	if err != nil || e.Group != "" {
		return nil, fmt.Errorf("running as %q: write user:NAME or service-principal:APPLICATION-ID", principal)
	}
	if e.User != "" {
		return map[string]any{"user_name": e.User}, nil
	}
	return map[string]any{"service_principal_name": e.ServicePrincipal}, nil
}

// RunAs adds to settings as whom they run; an empty principal adds nothing.
func RunAs(settings map[string]any, principal string) error {
	if principal == "" {
		return nil
	}
	as, err := runAs(principal)
	if err != nil {
		return err
	}
	settings["run_as"] = as
	return nil
}

// canonical writes JSON with sorted keys, without space, numbers as they were.
func canonical(raw json.RawMessage) (json.RawMessage, error) {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	return marshal(v)
}
