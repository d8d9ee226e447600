package environments

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// settings checks what the types of a job's settings do not say.
func (f jobFile) settings(v *jsonValue) {
	tasks := v.get("tasks")
	switch {
	case tasks == nil || len(tasks.items) == 0:
		f.errorf(v.at, `write "tasks": [{"task_key": "…", "notebook_task": {"notebook_path": "…"}}]`, "the job has no tasks")
		return
	case len(tasks.items) > mostTasks:
		f.errorf(tasks.at, "", "the job has %d tasks: more than %d are not supported", len(tasks.items), mostTasks)
		return
	}
	if tags := v.get("tags"); tags != nil && tags.get("barge") != nil {
		f.errorf(tags.get("barge").at, "leave it out: barge finds its job by it", "the tag %q is barge's own", "barge")
	}
	for _, p := range items(v.get("parameters")) {
		f.parameter(p.get("name"), p.at)
	}
	keys := map[string][]string{}
	for list, key := range keyedLists {
		keys[key] = f.unique(items(v.get(list)), key)
	}
	for _, t := range tasks.items {
		f.task(t, keys)
	}
	f.circles(tasks.items)
}

// items are the elements of a list that may be missing.
func items(v *jsonValue) []*jsonValue {
	if v == nil {
		return nil
	}
	return v.items
}

// unique wants a key of its own in each element, and gives them all.
func (f jobFile) unique(list []*jsonValue, key string) []string {
	var all []string
	for _, v := range list {
		name := v.get(key)
		switch {
		case name.text() == "":
			f.errorf(v.at, fmt.Sprintf(`write "%s": "…"`, key), "%q is missing", key)
			continue
		case slices.Contains(all, name.text()):
			f.errorf(name.at, "", "two have the %s %q", key, name.text())
		}
		all = append(all, name.text())
	}
	return all
}

// task checks one task; keys are the names that it may use.
func (f jobFile) task(t *jsonValue, keys map[string][]string) {
	for _, name := range append(of(items(t.get("depends_on")), "task_key"), of([]*jsonValue{t}, "job_cluster_key", "environment_key")...) {
		if !slices.Contains(keys[name.name], name.value.text()) {
			f.errorf(name.value.at, didYouMean(name.value.text(), "%q", keys[name.name]), "the job has no %s %q", name.name, name.value.text())
		}
	}
	n := t.get("notebook_task")
	if n == nil {
		f.errorf(t.at, `write "notebook_task": {"notebook_path": "…"}`, "this task runs nothing")
		return
	}
	switch at, source := n.get("notebook_path"), n.get("source"); {
	case source != nil && source.text() != "WORKSPACE":
		f.errorf(source.at, "leave it out: what runs is the release's own folder", "a notebook is taken from the release, not from %s", source.text())
	case at.text() == "":
		f.errorf(n.at, `write "notebook_path": "…", as in deploy.only`, "%q is missing", "notebook_path")
	case at.text()[0] == '/':
		f.errorf(at.at, "name a notebook of the release, relative to the folder of the notebooks", "notebook %q would not be what was released", at.text())
	case notebookName(at.text()) != nil:
		f.errorf(at.at, "", "notebook_path %q %s", at.text(), notebookName(at.text()))
	}
	if p := n.get("base_parameters"); p != nil {
		for _, k := range p.keys {
			f.parameter(&jsonValue{plain: k.name, at: k.at}, k.at)
		}
	}
}

// parameter keeps the widgets that barge itself fills.
func (f jobFile) parameter(name *jsonValue, at hcl.Range) {
	if err := parameterName(name.text()); err != nil {
		f.errorf(at, "", "parameter %q %s", name.text(), err)
	}
}

// of are the keys of those names that the elements have.
func of(list []*jsonValue, names ...string) []jsonKey {
	var all []jsonKey
	for _, v := range list {
		for _, k := range v.keys {
			if slices.Contains(names, k.name) {
				all = append(all, k)
			}
		}
	}
	return all
}

// circles finds tasks that wait for themselves.
func (f jobFile) circles(tasks []*jsonValue) {
	done := map[string]bool{}
	var visit func(t *jsonValue, path []string) bool
	visit = func(t *jsonValue, path []string) bool {
		key := t.get("task_key").text()
		if i := slices.Index(path, key); i >= 0 {
			f.errorf(t.at, "take one of them out of depends_on", "tasks wait for each other in a circle: %s", circle(path[i:], key))
			return false
		}
		if done[key] {
			return true
		}
		for _, up := range of(items(t.get("depends_on")), "task_key") {
			i := slices.IndexFunc(tasks, func(t *jsonValue) bool { return t.get("task_key").text() == up.value.text() })
			if i >= 0 && !visit(tasks[i], append(slices.Clone(path), key)) {
				return false
			}
		}
		done[key] = true
		return true
	}
	for _, t := range tasks {
		if !visit(t, nil) {
			return
		}
	}
}

// definedJob is what barge itself reads of a job's definition.
type definedJob struct {
	Tasks []struct {
		Key       string `json:"task_key"`
		DependsOn []struct {
			Key string `json:"task_key"`
		} `json:"depends_on"`
		Notebook struct {
			Path string `json:"notebook_path"`
		} `json:"notebook_task"`
	} `json:"tasks"`
}

func (s Score) defined() definedJob {
	var d definedJob
	_ = json.Unmarshal(s.Definition, &d) // it was checked when it was read; of another there is nothing in it
	return d
}

// Notebooks are those that the score's job runs, each once.
func (s Score) Notebooks() []string {
	if len(s.Definition) == 0 {
		return []string{s.Notebook}
	}
	var all []string
	for _, t := range s.defined().Tasks {
		all = append(all, t.Notebook.Path)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ScoreTask is the key of the one task of a score that is a notebook.
const ScoreTask = "score"

// Last are the tasks of the score's job that no other waits for. Where it is one, its answer is the score's.
func (s Score) Last() []string {
	if len(s.Definition) == 0 {
		return []string{ScoreTask}
	}
	var last []string
	awaited := map[string]bool{}
	for _, t := range s.defined().Tasks {
		last = append(last, t.Key)
		for _, up := range t.DependsOn {
			awaited[up.Key] = true
		}
	}
	return slices.DeleteFunc(last, func(key string) bool { return awaited[key] })
}

// Answers is the task whose answer is the score's; an error where its expects ask for an answer and several are last.
func (s Score) Answers() (string, error) {
	last := s.Last()
	switch {
	case len(last) == 1:
		return last[0], nil
	case len(s.Expects) > 0:
		return "", fmt.Errorf("the tasks %s are all last: whose answer is judged cannot be told", listed(last))
	}
	return "", nil
}
