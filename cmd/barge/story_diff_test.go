//go:build unix

package main

import (
	"slices"
	"testing"

	"github.com/bargeml/barge/release"
)

// modelsApart holds the two releases that were live in prod against each other: metrics and parameters are those of the
// runs that made the models, the signature that of their files.
func (s *tale) modelsApart(t *testing.T) {
	var d release.Difference
	s.barge(t, 0, &d, "diff", "1.0.0", "1.2.0")
	if len(d.Models) != 1 || len(d.Models[0].Unread) > 0 {
		t.Fatalf("the models that differ: %+v", d.Models)
	}
	m := d.Models[0]
	if m.From != [2]string{"the run that made it", "the run that made it"} {
		t.Errorf("metrics are told by %q", m.From)
	}
	measured := slices.IndexFunc(m.Metrics, func(c release.MetricChange) bool { return c.Name == "cv_accuracy" })
	if measured < 0 || m.Metrics[measured].Before == nil || m.Metrics[measured].After == nil || *m.Metrics[measured].Before == *m.Metrics[measured].After {
		t.Errorf("cv_accuracy is not told of both: %+v", m.Metrics)
	}
	if !slices.ContainsFunc(m.Parameters, func(c release.ValueChange) bool { return c.Name == "features" && c.Before == "Glucose,BMI" }) {
		t.Errorf("the features are no parameter that changed: %+v", m.Parameters)
	}
	if !slices.Contains(m.Signature, "+ inputs Age double") || slices.ContainsFunc(m.Signature, func(c string) bool { return c[0] == '-' }) {
		t.Errorf("the signature: %q", m.Signature)
	}
	if len(d.Recorded) == 0 || len(d.Config) != 1 || d.Config[0].Added != 1 {
		t.Errorf("recorded %+v, config %+v", d.Recorded, d.Config)
	}
}
