package effects

import (
	"context"
	"fmt"
	"strings"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/ledger"
)

// InWords says what a pointer's value means, for people.
func InWords(v ledger.Value) string {
	var version string
	if v == ledger.Off || v == ledger.Absent {
		return "nothing of a release"
	}
	if v.Decode(&version) == nil {
		return "version " + version
	}
	var job struct {
		Schedule struct {
			Cron   string `json:"quartz_cron_expression"`
			Zone   string `json:"timezone_id"`
			Paused string `json:"pause_status"`
		} `json:"schedule"`
		Tasks []struct {
			Notebook struct {
				Path string            `json:"notebook_path"`
				Told map[string]string `json:"base_parameters"`
			} `json:"notebook_task"`
		} `json:"tasks"`
	}
	if v.Decode(&job) != nil || len(job.Tasks) == 0 {
		return string(v)
	}
	words := "notebook " + job.Tasks[0].Notebook.Path
	if n := len(job.Tasks); n > 1 {
		words = fmt.Sprintf("%d tasks, one of them %s", n, words)
	}
	if release := job.Tasks[0].Notebook.Told["barge_release"]; release != "" {
		words = "release " + release + " (" + words + ")"
	}
	switch {
	case job.Schedule.Cron == "":
		return words + " without a schedule"
	case job.Schedule.Paused == "PAUSED":
		return words + ", paused"
	}
	return words + " at " + job.Schedule.Cron + " " + job.Schedule.Zone
}

// Manual is a pointer that a person can set without barge.
type Manual interface {
	// ByHand are the service's own calls that make it hold want, as the Databricks CLI sends them.
	ByHand(ctx context.Context, want ledger.Value) ([]string, error)
}

// ByHand resets the job to want; Off takes its schedule away.
func (j *Job) ByHand(_ context.Context, want ledger.Value) ([]string, error) {
	if j.number == 0 {
		return nil, nil
	}
	at, body := "/api/2.2/jobs/reset", map[string]any{"job_id": j.number, "new_settings": want}
	if want == ledger.Off || want == ledger.Absent {
		at, body = "/api/2.2/jobs/update", map[string]any{"job_id": j.number, "fields_to_remove": []string{"schedule"}}
	}
	call, err := byHand(j.workspace, "post", at, body)
	return []string{call}, err
}

// ByHand moves the version into the slot; Off archives what this environment ever put there and still stands there.
func (s *Slot) ByHand(ctx context.Context, want ledger.Value) ([]string, error) {
	version, err := versionOf(want)
	if err != nil {
		return nil, err
	}
	if version != "" {
		call, err := s.move(version, s.address.Stage, s.address.Archive)
		return []string{call}, err
	}
	var calls []string
	for _, v := range s.memory.Ever {
		old, err := versionOf(v)
		if err != nil {
			return calls, err
		}
		stage, err := s.stage(ctx, old)
		if err != nil {
			return calls, err
		}
		if stage != s.address.Stage {
			continue
		}
		call, err := s.move(old, archived, false)
		if err != nil {
			return calls, err
		}
		calls = append(calls, call)
	}
	return calls, nil
}

func (s *Slot) move(version, stage string, archive bool) (string, error) {
	var in *databricks.Workspace
	if r, ok := s.registry.(interface{ In() *databricks.Workspace }); ok {
		in = r.In()
	}
	return byHand(in, "post", "/api/2.0/mlflow/databricks/model-versions/transition-stage", map[string]any{
		"name": s.address.Model, "version": version, "stage": stage, "archive_existing_versions": archive,
	})
}

// byHand is a call as it is typed into a shell.
func byHand(in *databricks.Workspace, verb, at string, body any) (string, error) {
	b, err := environments.Canonical(body)
	if err != nil {
		return "", fmt.Errorf("encoding a call of %s: %w", at, err)
	}
	host := ""
	if in != nil {
		host = "DATABRICKS_HOST=" + in.Host() + " "
	}
	return fmt.Sprintf("%sdatabricks api %s %s --json %s", host, verb, at, quoted(string(b))), nil
}

// quoted is one word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
