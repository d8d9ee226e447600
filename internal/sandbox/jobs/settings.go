package jobs

import (
	"encoding/json"
	"slices"
)

// settings define a job. What the sandbox acts upon is typed; the rest is checked to be of the right kind and
// given back. Unknown fields are dropped, as the service does.
type settings struct {
	Name                 string            `json:"name,omitempty"`
	Description          string            `json:"description,omitempty"`
	EmailNotifications   object            `json:"email_notifications,omitzero"`
	WebhookNotifications object            `json:"webhook_notifications,omitzero"`
	NotificationSettings object            `json:"notification_settings,omitzero"`
	TimeoutSeconds       integer           `json:"timeout_seconds"`
	Health               object            `json:"health,omitzero"`
	Schedule             *schedule         `json:"schedule,omitempty"`
	Trigger              object            `json:"trigger,omitzero"`
	Triggers             []object          `json:"triggers,omitempty"`
	Continuous           object            `json:"continuous,omitzero"`
	MaxConcurrentRuns    *integer          `json:"max_concurrent_runs,omitempty"`
	Tasks                []task            `json:"tasks,omitempty"`
	JobClusters          []jobCluster      `json:"job_clusters,omitempty"`
	GitSource            *gitSource        `json:"git_source,omitempty"`
	Tags                 map[string]string `json:"tags,omitempty"`
	Format               string            `json:"format,omitempty"`
	Queue                *queueing         `json:"queue,omitempty"`
	Parameters           []parameter       `json:"parameters,omitempty"`
	RunAs                object            `json:"run_as,omitzero"`
	EditMode             string            `json:"edit_mode,omitempty"`
	Deployment           object            `json:"deployment,omitzero"`
	Environments         []environment     `json:"environments,omitempty"`
	BudgetPolicyID       string            `json:"budget_policy_id,omitempty"`
	UsagePolicyID        string            `json:"usage_policy_id,omitempty"`
	PerformanceTarget    string            `json:"performance_target,omitempty"`
	ParentPath           string            `json:"parent_path,omitempty"`
}

type task struct {
	TaskKey                string        `json:"task_key"`
	DependsOn              []dependency  `json:"depends_on,omitempty"`
	RunIf                  string        `json:"run_if,omitempty"`
	Notebook               *notebookTask `json:"notebook_task,omitempty"`
	foreignTask                          // every other kind: none of them runs here
	ExistingClusterID      string        `json:"existing_cluster_id,omitempty"`
	NewCluster             object        `json:"new_cluster,omitzero"`
	JobClusterKey          string        `json:"job_cluster_key,omitempty"`
	EnvironmentKey         string        `json:"environment_key,omitempty"`
	Compute                object        `json:"compute,omitzero"`
	Libraries              []object      `json:"libraries,omitempty"`
	TimeoutSeconds         integer       `json:"timeout_seconds"`
	MaxRetries             integer       `json:"max_retries,omitempty"`
	MinRetryIntervalMillis integer       `json:"min_retry_interval_millis,omitempty"`
	RetryOnTimeout         bool          `json:"retry_on_timeout,omitempty"`
	Disabled               bool          `json:"disabled,omitempty"`
	Description            string        `json:"description,omitempty"`
	EmailNotifications     object        `json:"email_notifications,omitzero"`
	WebhookNotifications   object        `json:"webhook_notifications,omitzero"`
	NotificationSettings   object        `json:"notification_settings,omitzero"`
	Health                 object        `json:"health,omitzero"`
	DisableAutoOptimize    bool          `json:"disable_auto_optimization,omitempty"`
}

type foreignTask struct {
	AIRuntime      object `json:"ai_runtime_task,omitzero"`
	Alert          object `json:"alert_task,omitzero"`
	CleanRooms     object `json:"clean_rooms_notebook_task,omitzero"`
	Condition      object `json:"condition_task,omitzero"`
	Dashboard      object `json:"dashboard_task,omitzero"`
	DbtCloud       object `json:"dbt_cloud_task,omitzero"`
	DbtPlatform    object `json:"dbt_platform_task,omitzero"`
	Dbt            object `json:"dbt_task,omitzero"`
	ForEach        object `json:"for_each_task,omitzero"`
	GenAI          object `json:"gen_ai_compute_task,omitzero"`
	Pipeline       object `json:"pipeline_task,omitzero"`
	PowerBI        object `json:"power_bi_task,omitzero"`
	PythonOperator object `json:"python_operator_task,omitzero"`
	PythonWheel    object `json:"python_wheel_task,omitzero"`
	RunJob         object `json:"run_job_task,omitzero"`
	SparkJar       object `json:"spark_jar_task,omitzero"`
	SparkPython    object `json:"spark_python_task,omitzero"`
	SparkSubmit    object `json:"spark_submit_task,omitzero"`
	SQL            object `json:"sql_task,omitzero"`
}

type notebookTask struct {
	Path           string            `json:"notebook_path"`
	BaseParameters map[string]string `json:"base_parameters,omitempty"`
	Source         string            `json:"source,omitempty"`
	WarehouseID    string            `json:"warehouse_id,omitempty"`
}

type dependency struct {
	TaskKey string `json:"task_key"`
	Outcome string `json:"outcome,omitempty"`
}

type jobCluster struct {
	Key                 string `json:"job_cluster_key"`
	NewCluster          object `json:"new_cluster,omitzero"`
	ServerlessComputeID string `json:"serverless_compute_id,omitempty"`
}

type environment struct {
	Key  string           `json:"environment_key"`
	Spec *environmentSpec `json:"spec,omitempty"`
}

type environmentSpec struct {
	BaseEnvironment    string   `json:"base_environment,omitempty"`
	Client             string   `json:"client,omitempty"` // the old name of environment_version
	Dependencies       []string `json:"dependencies,omitempty"`
	EnvironmentVersion string   `json:"environment_version,omitempty"`
	JavaDependencies   []string `json:"java_dependencies,omitempty"`
}

type gitSource struct {
	URL       string `json:"git_url"`
	Provider  string `json:"git_provider"`
	Branch    string `json:"git_branch,omitempty"`
	Tag       string `json:"git_tag,omitempty"`
	Commit    string `json:"git_commit,omitempty"`
	Snapshot  object `json:"git_snapshot,omitzero"`
	JobSource object `json:"job_source,omitzero"`
	Sparse    object `json:"sparse_checkout,omitzero"`
}

type queueing struct {
	Enabled bool `json:"enabled"`
}

// parameter is one of a job, and, with its Value, one of a run.
type parameter struct {
	Name    string  `json:"name"`
	Default string  `json:"default"`
	Value   *string `json:"value,omitempty"`
}

// kinds names what the task would run, by the names of the API.
func (t *task) kinds() []string {
	var kinds []string
	if t.Notebook != nil {
		kinds = append(kinds, "notebook_task")
	}
	raw, _ := json.Marshal(t.foreignTask) // of raw messages that came out of a parser
	foreign := object{}
	_ = json.Unmarshal(raw, &foreign)
	for kind := range foreign {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

// source is where the task's notebook comes from: GIT or WORKSPACE.
func (n *notebookTask) source(git *gitSource) string {
	switch {
	case n.Source != "":
		return n.Source
	case git != nil:
		return "GIT"
	default:
		return "WORKSPACE"
	}
}

// withDefaults gives s what the service adds to a job's settings. Since version 2.2 a job is queued unless it says
// otherwise.
func (s settings) withDefaults(api string) settings {
	if s.Name == "" {
		s.Name = "Untitled"
	}
	s.Format = "MULTI_TASK"
	if s.EmailNotifications == nil {
		s.EmailNotifications = object{}
	}
	if s.WebhookNotifications == nil {
		s.WebhookNotifications = object{}
	}
	if s.MaxConcurrentRuns == nil {
		one := integer(1)
		s.MaxConcurrentRuns = &one
	}
	if s.Queue == nil && api == "2.2" {
		s.Queue = &queueing{Enabled: true}
	}
	if s.Schedule != nil && s.Schedule.PauseStatus == "" {
		filled := *s.Schedule
		filled.PauseStatus = "UNPAUSED"
		s.Schedule = &filled
	}
	s.Tasks = taskDefaults(s.Tasks, s.GitSource)
	s.JobClusters = slices.Clone(s.JobClusters)
	for i := range s.JobClusters {
		s.JobClusters[i].NewCluster = clusterDefaults(s.JobClusters[i].NewCluster)
	}
	return s
}

func taskDefaults(tasks []task, git *gitSource) []task {
	tasks = slices.Clone(tasks)
	for i := range tasks {
		t := &tasks[i]
		if t.RunIf == "" {
			t.RunIf = "ALL_SUCCESS"
		}
		if t.EmailNotifications == nil {
			t.EmailNotifications = object{}
		}
		if t.Notebook != nil && t.Notebook.Source == "" {
			filled := *t.Notebook
			filled.Source = t.Notebook.source(git)
			t.Notebook = &filled
		}
		t.NewCluster = clusterDefaults(t.NewCluster)
	}
	return tasks
}

// clusterDefaults adds what the service adds to a cluster of a job: whoever compares what was sent with what is
// there must cope with it.
func clusterDefaults(c object) object {
	if c == nil {
		return nil
	}
	filled := object{"data_security_mode": json.RawMessage(`"SINGLE_USER"`), "enable_elastic_disk": json.RawMessage(`false`)}
	for k, v := range c {
		if k != "apply_policy_default_values" {
			filled[k] = v
		}
	}
	return filled
}
