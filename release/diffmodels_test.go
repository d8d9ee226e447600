package release

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestColumns(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"as MLflow writes it, folded": {`artifact_path: model
flavors:
  python_function:
    loader_module: mlflow.sklearn
signature:
  inputs: '[{"type": "double", "name": "Glucose", "required": true}, {"type": "double",
    "name": "it''s", "required": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
  params: null
utc_time_created: '2026-01-01'
`, []string{"inputs Glucose double", "inputs it's double", `outputs tensor {"dtype": "int64", "shape": [-1]}`}},
		"none":         {"flavors: {}\nsaved: true\n", nil},
		"none at all":  {"", nil},
		"another form": {"signature:\n  inputs: whatever\n", []string{"inputs whatever"}},
	} {
		if diff := cmp.Diff(tc.want, columns(tc.text)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}
