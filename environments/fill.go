package environments

import "encoding/json"

// fill turns evaluated nodes into the types of this package.
func fill(root *node) *Project {
	p := &Project{}
	for _, n := range root.children["project"] {
		p.Name, p.Store, p.TagPrefix = n.label, get[string](n, "store"), get[string](n, "tag_prefix")
	}
	for _, n := range root.children["artifact"] {
		p.Artifact = fillArtifact(n)
	}
	p.Workspaces = each(root, "workspace", fillWorkspace)
	p.Registries = each(root, "registry", fillRegistry)
	p.Computes = each(root, "compute", fillCompute)
	p.Environments = each(root, "environment", fillEnvironment)
	return p
}

// each fills the blocks of one name within n; nil when there are none.
func each[T any](n *node, name string, fill func(*node) T) []T {
	var all []T
	for _, child := range n.children[name] {
		all = append(all, fill(child))
	}
	return all
}

// only is the block of that name within n of which there is at most one.
func only[T any](n *node, name string, fill func(*node) T) *T {
	for _, child := range n.children[name] {
		v := fill(child)
		return &v
	}
	return nil
}

func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func fillArtifact(n *node) *Artifact {
	return &Artifact{
		Notebooks: orZero(only(n, "notebooks", func(n *node) Notebooks {
			return Notebooks{
				From: get[string](n, "from"), Include: get[[]string](n, "include"), Exclude: get[[]string](n, "exclude"),
				External: get[[]string](n, "external"),
			}
		})),
		Config: orZero(only(n, "config", func(n *node) Config { return Config{From: get[string](n, "from")} })),
		Models: each(n, "model", func(n *node) Model {
			return Model{
				Label: n.label, Name: get[string](n, "name"), Registry: get[string](n, "registry"),
				Version: get[string](n, "version"), Path: get[string](n, "path"), Train: only(n, "train", fillTrain),
			}
		}),
	}
}

func fillTrain(n *node) Train {
	return Train{
		Environment: get[string](n, "environment"), Notebook: get[string](n, "notebook"), Compute: get[string](n, "compute"),
		Parameters: get[map[string]string](n, "parameters"), Timeout: get[Duration](n, "timeout"),
	}
}

func fillWorkspace(n *node) Workspace {
	return Workspace{Name: n.label, Host: trimHost(get[string](n, "host")), Auth: only(n, "auth", fillAuth)}
}

func fillAuth(n *node) Auth {
	a := Auth{Kind: n.label, Token: get[SecretRef](n, "token")}
	if s := get[SecretRef](n, "client_secret"); s != "" {
		a.Token = s
	}
	for name, v := range n.values {
		if s, ok := v.(string); ok {
			if a.Settings == nil {
				a.Settings = map[string]string{}
			}
			a.Settings[name] = s
		}
	}
	return a
}

func fillRegistry(n *node) Registry {
	return Registry{
		Name: n.label, Kind: get[string](n, "kind"), Workspace: get[string](n, "workspace"),
		Host: trimHost(get[string](n, "host")), Token: get[SecretRef](n, "token"),
		Remote: only(n, "remote", func(n *node) Remote {
			return Remote{Label: n.label, Scope: get[string](n, "scope"), Prefix: get[string](n, "prefix"), Token: get[SecretRef](n, "token")}
		}),
	}
}

func fillCompute(n *node) Compute {
	c := Compute{
		Name: n.label, SparkVersion: get[string](n, "spark_version"), NodeType: get[string](n, "node_type"),
		DriverNodeType: get[string](n, "driver_node_type"), Libraries: get[[]string](n, "libraries"),
		ExistingCluster: get[string](n, "existing_cluster"), Policy: get[string](n, "policy"),
		SparkConf: get[map[string]string](n, "spark_conf"), Env: get[map[string]string](n, "env"),
		Serverless: get[bool](n, "serverless"),
	}
	if workers, ok := n.values["num_workers"].(int); ok {
		c.NumWorkers = &workers
	}
	if scale, ok := n.values["autoscale"].(map[string]any); ok {
		c.Autoscale = &Autoscale{}
		c.Autoscale.Min, _ = scale["min"].(int)
		c.Autoscale.Max, _ = scale["max"].(int)
	}
	return c
}

func fillEnvironment(n *node) Environment {
	return Environment{
		Name: n.label, Title: get[string](n, "title"), Formerly: get[[]string](n, "formerly"), Follows: get[[]string](n, "follows"),
		Workspace: get[string](n, "workspace"), Path: get[string](n, "path"),
		Operators: get[[]string](n, "operators"), Soak: get[Duration](n, "soak"),
		Deploy: orZero(only(n, "deploy", func(n *node) Deploy {
			return Deploy{
				Only: get[[]string](n, "only"), Config: get[string](n, "config"),
				Bind: get[map[string]string](n, "bind"), Permissions: get[map[string]string](n, "permissions"),
			}
		})),
		Models: each(n, "model", func(n *node) ModelUse {
			return ModelUse{
				Label: n.label, Stage: get[string](n, "stage"), Alias: get[string](n, "alias"), ArchiveExisting: get[bool](n, "archive_existing"),
			}
		}),
		Gates:  each(n, "gate", fillGate),
		Scores: each(n, "score", fillScore),
	}
}

func fillGate(n *node) Gate {
	return Gate{
		Name: n.label, Notebook: get[string](n, "notebook"), Compute: get[string](n, "compute"),
		Parameters: get[map[string]string](n, "parameters"), Timeout: get[Duration](n, "timeout"),
		ValidFor: get[Duration](n, "valid_for"), Against: get[string](n, "against"), Compare: get[string](n, "compare"),
		Retries: get[int](n, "retries"), Pinned: get[bool](n, "pinned"), Models: get[[]string](n, "models"),
		Expects: each(n, "expect", fillExpect),
	}
}

func fillScore(n *node) Score {
	s := Score{
		Name: n.label, Notebook: get[string](n, "notebook"), Compute: get[string](n, "compute"),
		Parameters: get[map[string]string](n, "parameters"), RunAs: get[string](n, "run_as"),
		Job: get[string](n, "job"), Definition: get[json.RawMessage](n, "definition"),
		FirstRun: get[string](n, "first_run"), OnFailure: get[string](n, "on_failure"),
		Timeout: get[Duration](n, "timeout"), Retries: get[int](n, "retries"), Expects: each(n, "expect", fillExpect),
	}
	if schedule, ok := n.values["schedule"].(map[string]any); ok {
		s.Schedule = &Schedule{}
		s.Schedule.Cron, _ = schedule["cron"].(string)
		s.Schedule.Timezone, _ = schedule["timezone"].(string)
	}
	return s
}

func fillExpect(n *node) Expect {
	return Expect{Name: n.label, When: get[string](n, "when"), That: get[string](n, "that")}
}
