package gates_test

import (
	"math"
	"testing"

	"github.com/bargeml/barge/gates"
)

func TestFigures(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0.7878787878787878: "0.7879", 0.8: "0.8", 12345: "12345", 0: "0", -1.5: "-1.5", 1234.56789: "1234.5679", 0.000123456: "0.0001235",
		0.05: "0.05", 1e-20: "1e-20", math.Inf(1): "+Inf", 0.99999999: "1",
	} {
		if got := gates.Figure(v); got != want {
			t.Errorf("%v: %s, not %s", v, got, want)
		}
	}
	for text, want := range map[string]string{
		"metrics.accuracy >= 0.77, with metrics.accuracy as 0.7878787878787878":    "metrics.accuracy >= 0.77, with metrics.accuracy as 0.7879",
		"metrics.accuracy >= 0.77, with metrics.accuracy as 0.7699999999":          "metrics.accuracy >= 0.77, with metrics.accuracy as 0.7699999999",
		"a >= b - 0.01, with a as 0.686868686 and b as 1.23456789 and c as 12":     "a >= b - 0.01, with a as 0.6869 and b as 1.2346 and c as 12",
		"the table 0.123456789 is not touched, and neither are 0.7878787878787878": "the table 0.123456789 is not touched, and neither are 0.7878787878787878",
	} {
		if got := gates.Figures(text); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
