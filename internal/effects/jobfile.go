package effects

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/ledger"
)

// define reads the jobs of a deployment and binds them: every text in them but what names a notebook or a task.
func (f *Folder) define(d Deployment) error {
	f.jobs = map[string]map[string]any{}
	for _, score := range slices.Sorted(maps.Keys(d.Jobs)) {
		var settings map[string]any
		if err := json.Unmarshal(d.Jobs[score], &settings); err != nil {
			return fmt.Errorf("reading the job of score %s: %w", score, err)
		}
		f.bind(settings, d.Bind)
		f.jobs[score] = settings
	}
	return nil
}

// bind replaces the bindings' texts in all that v holds, and counts them.
func (f *Folder) bind(v any, bind map[string]string) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			if key != "notebook_path" && key != "task_key" {
				v[key] = f.bind(v[key], bind)
			}
		}
	case []any:
		for i := range v {
			v[i] = f.bind(v[i], bind)
		}
	case string:
		if len(bind) == 0 {
			return v
		}
		keys := map[string]string{}
		for key := range bind {
			keys[key] = key
		}
		return anyOf(keys).ReplaceAllStringFunc(v, func(key string) string {
			f.Bound[key]++
			return bind[key]
		})
	}
	return v
}

// DefinedJob is the job of a score as a file of its commit defines it, on: its notebooks are those of the folder and are
// told what is given, over what the file tells them, and barge's own settings stand in it.
func (s *Site) DefinedJob(score environments.Score, f *Folder, told map[string]string) (ledger.Value, error) {
	settings := maps.Clone(f.jobs[score.Name])
	if settings == nil {
		return "", fmt.Errorf("score %s: the folder was made without its job", score.Name)
	}
	var tasks []any
	for _, t := range list(settings["tasks"]) {
		task := maps.Clone(t)
		notebook, _ := task["notebook_task"].(map[string]any)
		notebook = maps.Clone(notebook)
		written, _ := notebook["notebook_path"].(string)
		at, err := f.Notebook(written)
		if err != nil {
			return "", fmt.Errorf("task %s: %w", task["task_key"], err)
		}
		parameters, _ := notebook["base_parameters"].(map[string]any)
		parameters = maps.Clone(parameters)
		if parameters == nil {
			parameters = map[string]any{}
		}
		for name, value := range told {
			parameters[name] = value
		}
		notebook["notebook_path"], notebook["source"], notebook["base_parameters"] = at, "WORKSPACE", parameters
		task["notebook_task"] = notebook
		tasks = append(tasks, task)
	}
	settings["tasks"] = tasks
	settings["timeout_seconds"] = int64(score.RunTimeout() / time.Second)
	if tags, ok := settings["tags"].(map[string]any); ok {
		settings["tags"] = maps.Clone(tags)
	}
	return s.owned(score, settings)
}

// list are the objects of a list.
func list(v any) []map[string]any {
	var all []map[string]any
	items, _ := v.([]any)
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}
