package jobs

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

var (
	taskKey       = regexp.MustCompile(`^[\w-]{1,100}$`)
	parameterName = regexp.MustCompile(`^[\w.-]+$`)
)

const gitProviders = "github,gitlab,bitbucketcloud,gitlabenterpriseedition,bitbucketserver,azuredevopsservices,githubenterprise,awscodecommit"

// check refuses what the service refuses in a job's settings, with its words where they are known.
func (s *settings) check() error {
	switch {
	case len(s.Name) > 4096:
		return wire.Invalid("The name of a job may have at most 4096 bytes, this one has %d.", len(s.Name))
	case utf8.RuneCountInString(s.Description) > 27700:
		return wire.Invalid("The description of a job may have at most 27700 characters, this one has %d.", utf8.RuneCountInString(s.Description))
	case len(s.Tags) > 25:
		return wire.Invalid("A job may have at most 25 tags, this one has %d.", len(s.Tags))
	case s.TimeoutSeconds < 0:
		return wire.Invalid("timeout_seconds must not be negative, found %d.", s.TimeoutSeconds)
	case s.MaxConcurrentRuns != nil && (*s.MaxConcurrentRuns < 0 || *s.MaxConcurrentRuns > 1000):
		return wire.Invalid("max_concurrent_runs must be between 0 and 1000, found %d.", *s.MaxConcurrentRuns)
	case s.Schedule != nil && s.Continuous != nil:
		return wire.Invalid("Only one of schedule and continuous can be specified.")
	}
	if err := checkRunAs(s.RunAs); err != nil {
		return err
	}
	if s.Schedule != nil {
		if err := s.Schedule.check(); err != nil {
			return err
		}
	}
	if err := checkParameters(s.Parameters); err != nil {
		return err
	}
	return checkTasks(s.Tasks, s.JobClusters, s.Environments, s.GitSource)
}

func checkRunAs(as object) error {
	if len(as) > 1 {
		return wire.Invalid("Only one of user_name, service_principal_name and group_name can be specified in run_as.")
	}
	for kind := range as {
		if !slices.Contains([]string{"user_name", "service_principal_name", "group_name"}, kind) {
			return wire.Invalid("run_as takes user_name, service_principal_name or group_name, found %s.", kind)
		}
	}
	return nil
}

func checkParameters(parameters []parameter) error {
	seen := map[string]bool{}
	for _, p := range parameters {
		if !parameterName.MatchString(p.Name) {
			return wire.Invalid("Invalid job parameter name '%s': only alphanumeric characters, _, - and . are allowed.", p.Name)
		}
		if seen[p.Name] {
			return wire.Invalid("Duplicate job parameter name: %s", p.Name)
		}
		seen[p.Name] = true
	}
	return nil
}

func checkTasks(tasks []task, clusters []jobCluster, environments []environment, git *gitSource) error {
	if len(tasks) > 1000 {
		return wire.Invalid("A job may have at most 1000 tasks, this one has %d.", len(tasks))
	}
	if err := checkGit(git); err != nil {
		return err
	}
	keys, places := map[string]bool{}, map[string]bool{}
	for _, c := range clusters {
		if c.Key == "" || places["cluster "+c.Key] {
			return wire.Invalid("job_cluster_key must be set and unique, found '%s'.", c.Key)
		}
		places["cluster "+c.Key] = true
		if err := checkCluster(c.NewCluster); err != nil {
			return err
		}
	}
	for _, e := range environments {
		if e.Key == "" || places["environment "+e.Key] {
			return wire.Invalid("environment_key must be set and unique, found '%s'.", e.Key)
		}
		places["environment "+e.Key] = true
	}
	for i := range tasks {
		t := &tasks[i]
		if keys[t.TaskKey] {
			return wire.Invalid("Duplicate task_key: %s", t.TaskKey)
		}
		keys[t.TaskKey] = true
		if err := t.check(places, git); err != nil {
			return err
		}
	}
	return checkOrder(tasks, keys)
}

func checkGit(git *gitSource) error {
	if git == nil {
		return nil
	}
	if !slices.Contains(strings.Split(gitProviders, ","), strings.ToLower(git.Provider)) {
		return wire.Invalid("git_source.git_provider must be one of: %s", gitProviders)
	}
	set := 0
	for _, ref := range []string{git.Branch, git.Tag, git.Commit} {
		if ref != "" {
			set++
		}
	}
	if set != 1 {
		return wire.Invalid("Exactly one of git_branch, git_tag and git_commit must be specified in git_source.")
	}
	return nil
}

func (t *task) check(places map[string]bool, git *gitSource) error {
	kinds := t.kinds()
	switch {
	case t.TaskKey == "":
		return wire.Invalid("Missing required field: task_key")
	case !taskKey.MatchString(t.TaskKey):
		return wire.Invalid("Invalid task_key '%s': at most 100 alphanumeric characters, - and _ are allowed.", t.TaskKey)
	case len(kinds) == 0:
		return wire.Invalid("Task %s has no task type: one of notebook_task, spark_python_task, … must be specified.", t.TaskKey)
	case len(kinds) > 1:
		return wire.Invalid("Task %s has more than one task type: %s", t.TaskKey, strings.Join(kinds, ", "))
	case t.RunIf != "" && !slices.Contains([]string{"ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED"}, t.RunIf):
		return wire.Invalid("Task %s has an unknown run_if: %s", t.TaskKey, t.RunIf)
	case t.TimeoutSeconds < 0:
		return wire.Invalid("timeout_seconds must not be negative, found %d in task %s.", t.TimeoutSeconds, t.TaskKey)
	case t.MaxRetries < -1:
		return wire.Invalid("max_retries must be -1 or more, found %d in task %s.", t.MaxRetries, t.TaskKey)
	case t.MinRetryIntervalMillis < 0:
		return wire.Invalid("min_retry_interval_millis must not be negative, found %d in task %s.", t.MinRetryIntervalMillis, t.TaskKey)
	}
	if t.Notebook != nil {
		if err := t.Notebook.check(t.TaskKey, git); err != nil {
			return err
		}
	}
	return t.checkCompute(kinds[0], places)
}

func (n *notebookTask) check(key string, git *gitSource) error {
	parameters, _ := json.Marshal(n.BaseParameters) // strings only
	source := n.source(git)
	switch {
	case n.Path == "":
		return wire.Invalid("Missing required field: notebook_task.notebook_path")
	case n.Source != "" && n.Source != "WORKSPACE" && n.Source != "GIT":
		return wire.Invalid("notebook_task.source must be WORKSPACE or GIT, found %s in task %s.", n.Source, key)
	case source == "GIT" && git == nil:
		return wire.Invalid("Task %s takes its notebook from GIT, and no git_source is specified.", key)
	case source == "GIT":
		return wire.Invalid("The sandbox does not check out git_source: import the notebook of task %s into the workspace and set source to WORKSPACE.", key)
	case !strings.HasPrefix(n.Path, "/"):
		return wire.Invalid("Only absolute paths are currently supported. Paths must begin with '/'. Given: %s", n.Path)
	case len(parameters) > 1<<20:
		return wire.Invalid("The base_parameters of task %s have %d bytes as JSON, more than 1 MB.", key, len(parameters))
	}
	return nil
}

// noCluster is the service's answer to a task that cannot run on serverless compute and names no other.
const noCluster = "One of job_cluster_key, new_cluster, or existing_cluster_id must be specified."

func (t *task) checkCompute(kind string, places map[string]bool) error {
	named := 0
	for _, set := range []bool{t.ExistingClusterID != "", t.NewCluster != nil, t.JobClusterKey != ""} {
		if set {
			named++
		}
	}
	switch {
	case named > 1:
		return wire.Invalid("Only one of job_cluster_key, new_cluster, and existing_cluster_id can be specified in task %s.", t.TaskKey)
	case t.JobClusterKey != "" && !places["cluster "+t.JobClusterKey]:
		return wire.Invalid("Job cluster '%s' is not defined in field 'job_clusters'.", t.JobClusterKey)
	case t.EnvironmentKey != "" && !places["environment "+t.EnvironmentKey]:
		return wire.Invalid("Environment '%s' is not defined in field 'environments'.", t.EnvironmentKey)
	case named == 0 && slices.Contains([]string{"spark_jar_task", "spark_submit_task"}, kind):
		return wire.Invalid(noCluster)
	case named == 0 && t.EnvironmentKey == "" && slices.Contains([]string{"spark_python_task", "python_wheel_task", "dbt_task"}, kind):
		return wire.Invalid("Task %s runs on serverless compute and needs an environment_key.", t.TaskKey)
	case named == 0 && len(t.Libraries) > 0:
		return wire.Invalid("Libraries field is not supported for serverless task, please specify libraries in environment.")
	}
	return checkCluster(t.NewCluster)
}

// checkCluster wants a runtime and a size, except where a policy or the single-node form may give them.
func checkCluster(c object) error {
	if c == nil || c["policy_id"] != nil {
		return nil
	}
	if c["spark_version"] == nil {
		return wire.Invalid("Missing required field: settings.cluster_spec.new_cluster.spark_version")
	}
	sized := c["num_workers"] != nil || c["autoscale"] != nil || c["is_single_node"] != nil || strings.Contains(string(c["spark_conf"]), "singleNode")
	if !sized {
		return wire.Invalid("Missing required field: settings.cluster_spec.new_cluster.size")
	}
	return nil
}

// checkOrder refuses dependencies on what is not there and circles.
func checkOrder(tasks []task, keys map[string]bool) error {
	upstream := map[string][]string{}
	for _, t := range tasks {
		for _, d := range t.DependsOn {
			if !keys[d.TaskKey] {
				return wire.Invalid("Task %s depends on the unknown task %s.", t.TaskKey, d.TaskKey)
			}
			upstream[t.TaskKey] = append(upstream[t.TaskKey], d.TaskKey)
		}
	}
	const entered, left = 1, 2
	mark := map[string]int{}
	var circular func(string) bool
	circular = func(key string) bool {
		if mark[key] != 0 {
			return mark[key] == entered
		}
		mark[key] = entered
		if slices.ContainsFunc(upstream[key], circular) {
			return true
		}
		mark[key] = left
		return false
	}
	for _, t := range tasks {
		if circular(t.TaskKey) {
			return wire.Invalid("The dependencies of task %s are circular.", t.TaskKey)
		}
	}
	return nil
}
