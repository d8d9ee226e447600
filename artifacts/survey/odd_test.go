package survey

import (
	"slices"
	"testing"
)

// What a bundle says in a way that barge.hcl cannot is left to the user, and said.
func TestOddBundle(t *testing.T) {
	t.Parallel()
	p, project, text := proposed(t, repository(t, map[string]string{
		"score.py": first + "m = mlflow.pyfunc.load_model('models:/churn/Production')\nm.predict(x).to_csv(p)",
		"databricks.yml": `
bundle: {name: "we ird\nname"}
targets:
  dev: {workspace: {host: "not a host"}}
  "pr od": {workspace: {host: "http://h.example"}}
  pr_od: {}
resources:
  jobs:
    nightly:
      schedule: {quartz_cron_expression: "0 0 3 * * ?", timezone_id: "Nowhere/Land"}
      tasks:
        - notebook_task: {notebook_path: score.py, base_parameters: {a: "x\ny", "b c": 5}}
          new_cluster: {instance_pool_id: abc}
`,
	}), Wishes{})
	if len(p.Places) != 2 || p.Places[0].Host+p.Places[1].Host != "" || p.Places[1].Name != "pr-od" || p.Project != "we-ird-name" {
		t.Errorf("%q: %+v", p.Project, p.Places)
	}
	for _, want := range []string{
		`databricks.yml: the host of target "dev" is no address of a workspace: write https://HOST: write it into barge.hcl`,
		`databricks.yml: target "pr_od" has the name of another, and was left out`,
	} {
		if !slices.Contains(p.ToDo, want) {
			t.Errorf("%q is missing: %q", want, p.ToDo)
		}
	}
	score := project.Environments[1].Scores[0]
	if score.Schedule != nil || score.Parameters["a"] != "x\ny" || score.Parameters["b c"] != "5" {
		t.Errorf("%+v\n%s", score, text)
	}
}
