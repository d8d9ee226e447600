package jobs

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// told is what a notebook's widgets are set to: base_parameters, over them the run's notebook_params, over them
// the job's parameters; every value with its references resolved. The caller holds mu.
func (s *Service) told(r *run, t *task, a *attempt) widgets {
	all := widgets{}
	maps.Copy(all, t.Notebook.BaseParameters)
	maps.Copy(all, r.Widgets)
	for _, p := range r.Parameters {
		all[p.Name] = *p.Value
	}
	for k, v := range all {
		// A job parameter may hold references of its own, hence twice.
		all[k] = s.resolve(r, t, a, s.resolve(r, t, a, v))
	}
	return all
}

var reference = regexp.MustCompile(`\{\{[^{}\s]+\}\}`)

// resolve replaces every {{reference}} that is known; others stay as they are, as do those with spaces.
func (s *Service) resolve(r *run, t *task, a *attempt, text string) string {
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		name := ref[2 : len(ref)-2]
		if v, ok := s.refer(r, t, a, name); ok {
			return v
		}
		return ref
	})
}

func (s *Service) refer(r *run, t *task, a *attempt, name string) (string, bool) {
	if p, ok := strings.CutPrefix(name, "job.parameters."); ok {
		for _, known := range r.Parameters {
			if known.Name == p {
				return *known.Value, true
			}
		}
		return "", false
	}
	if format, ok := strings.CutPrefix(name, "job.start_time."); ok {
		return moment(r.Start, format)
	}
	if format, ok := strings.CutPrefix(name, "job.trigger.time."); ok {
		return moment(r.Start, format)
	}
	if other, ok := strings.CutPrefix(name, "tasks."); ok {
		key, field, _ := strings.Cut(other, ".")
		return r.referTask(key, field)
	}
	id := func(n int64) (string, bool) { return strconv.FormatInt(n, 10), true }
	switch name {
	case "job.id", "job_id":
		return id(r.JobID)
	case "job.run_id", "run.id", "parent_run_id":
		return id(r.ID)
	case "task.run_id", "run_id":
		return id(a.ID)
	case "job.name":
		return r.Name, true
	case "job.repair_count":
		return id(int64(max(len(r.Repairs)-1, 0)))
	case "job.trigger.type":
		return strings.ToLower(r.Trigger), true
	case "task.name", "task_key":
		return t.TaskKey, true
	case "task.execution_count":
		return id(int64(a.Number + 1))
	case "task_retry_count":
		return id(int64(a.Number))
	case "task.notebook_path":
		return t.Notebook.Path, true
	case "workspace.id":
		return id(s.cfg.WorkspaceID)
	case "workspace.url":
		return s.cfg.URL, true
	case "start_date":
		return moment(r.Start, "iso_date")
	case "start_time":
		return id(r.Start)
	}
	return "", false
}

func (r *run) referTask(key, field string) (string, bool) {
	a := r.last(key)
	if a == nil {
		return "", false
	}
	switch field {
	case "run_id":
		return strconv.FormatInt(a.ID, 10), true
	case "execution_count":
		return strconv.Itoa(a.Number + 1), true
	case "result_state":
		return strings.ToLower(a.State.Result), true
	case "error_code":
		return a.State.Code, a.State.bad()
	}
	return "", false
}

func moment(ms int64, format string) (string, bool) {
	at := time.UnixMilli(ms).UTC()
	layouts := map[string]string{
		"iso_date": "2006-01-02", "iso_datetime": "2006-01-02T15:04:05.000000", "year": "2006", "month": "1", "day": "2",
		"hour": "15", "minute": "4", "second": "5",
	}
	switch layout, ok := layouts[format]; {
	case format == "timestamp_ms":
		return strconv.FormatInt(ms, 10), true
	case format == "iso_weekday":
		return strconv.Itoa((int(at.Weekday())+6)%7 + 1), true
	case format == "is_weekday":
		return strconv.FormatBool(at.Weekday() != time.Saturday && at.Weekday() != time.Sunday), true
	case ok:
		return at.Format(layout), true
	}
	return "", false
}

// pipLines are the requirement lines of a task: its libraries, or its environment's dependencies.
func pipLines(t *task, environments []environment) ([]string, error) {
	var lines []string
	for _, e := range environments {
		if e.Key == t.EnvironmentKey && e.Spec != nil {
			lines = append(lines, e.Spec.Dependencies...)
		}
	}
	for _, library := range t.Libraries {
		for kind, raw := range library {
			of, err := pipLine(kind, raw)
			if err != nil {
				return nil, fmt.Errorf("Library installation failed for task %s: %w", t.TaskKey, err) //nolint:staticcheck // a message of the API
			}
			lines = append(lines, of...)
		}
	}
	return lines, nil
}

// pipLine is a library as a requirements file has it. All libraries of a task are one file: the index of one is
// looked into for all.
func pipLine(kind string, raw json.RawMessage) ([]string, error) {
	var pypi struct{ Package, Repo string }
	var path string
	switch kind {
	case "pypi":
		if err := json.Unmarshal(raw, &pypi); err != nil || pypi.Package == "" {
			return nil, fmt.Errorf("pypi.package is missing")
		}
		if pypi.Repo != "" {
			return []string{pypi.Package, "--extra-index-url " + pypi.Repo}, nil
		}
		return []string{pypi.Package}, nil
	case "whl", "requirements":
		if err := json.Unmarshal(raw, &path); err != nil || path == "" {
			return nil, fmt.Errorf("the path of a %s library is missing", kind)
		}
		if kind == "requirements" {
			path = "-r " + path
		}
		return []string{path}, nil
	}
	return nil, fmt.Errorf("the sandbox installs pypi, whl and requirements libraries, not %s: leave notebooks that need it to a workspace on Databricks", kind)
}

// clip is the first most bytes of text, cut between characters, and whether anything was cut off.
func clip(text string, most int) (string, bool) {
	if len(text) <= most {
		return text, false
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most], true
}

func copied(w widgets) map[string]string { return maps.Clone(map[string]string(w)) }
