package gates_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/gates"
)

func TestTold(t *testing.T) {
	t.Parallel()
	task := gates.Task{
		Release: "1.4.0", Environment: "prod", Run: "{{job.run_id}}", Config: "/Barge/x/conf/prod.yml",
		Models: map[string]gates.Model{"Spark-Model": {URI: "models://rmr:rmr@databricks/SparkModel/3", Version: "3"}},
	}
	want := map[string]string{
		"barge_release": "1.4.0", "barge_environment": "prod", "barge_run": "{{job.run_id}}",
		"barge_config":                    "/Barge/x/conf/prod.yml",
		"barge_model_Spark_Model_uri":     "models://rmr:rmr@databricks/SparkModel/3",
		"barge_model_Spark_Model_version": "3",
	}
	if diff := cmp.Diff(want, task.Told()); diff != "" {
		t.Errorf("gate (-want +got):\n%s", diff)
	}
	training := gates.Training{
		Environment: "dev", Run: "abc",
		Models: map[string]gates.Registered{"SparkModel": {Name: "diabetes", Registry: "databricks://rmr:rmr"}},
	}
	want = map[string]string{
		"barge_environment": "dev", "barge_run": "abc",
		"barge_model_SparkModel_name": "diabetes", "barge_model_SparkModel_registry": "databricks://rmr:rmr",
	}
	if diff := cmp.Diff(want, training.Told()); diff != "" {
		t.Errorf("training (-want +got):\n%s", diff)
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]string{"": "", "a_Z9": "a_Z9", "a-b.c": "a_b_c", "é世": "__"} {
		if got := gates.Fold(label); got != want {
			t.Errorf("%q becomes %q, want %q", label, got, want)
		}
	}
}
