package environments

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	jobProject = `project "p" {}
artifact {
  notebooks { from = "notebooks" }
}
workspace "w" { host = "https://w.example" }
workspace "v" { host = "https://v.example" }
environment "prod" {
  workspace = workspace.w
  path = "/Barge/p"
  score "nightly" {
    job = "jobs/nightly.json"
    expect "rows" { that = output.rows > 0 }
  }
}
environment "us" {
  extends = environment.prod
  workspace = workspace.v
  path = "/Barge/p"
}
`
	twoTasks = `{"tags": {"team": "x"}, "tasks": [
  {"task_key": "last", "depends_on": [{"task_key": "first"}], "notebook_task": {"notebook_path": "score"}},
  {"notebook_task": {"notebook_path": "sub/prepare.py"}, "task_key": "first"}]}`
)

// reads gives every file the same text.
func reads(text string) func(string) ([]byte, error) {
	return func(string) ([]byte, error) { return []byte(text), nil }
}

// TestAJobWithAByteOrderMark, as editors on Windows leave it, is told so in words.
func TestAJobWithAByteOrderMark(t *testing.T) {
	_, diags := one(t, jobProject, Options{ReadFile: reads("\ufeff" + twoTasks)})
	if want := "a byte order mark stands before the JSON"; !strings.Contains(diags.Error(), want) {
		t.Errorf("got %v, want %s", diags, want)
	}
}

// TestAJobIsRecorded: the artifact has what the file says, in an order of its own, and an environment that extends
// another the same.
func TestAJobIsRecorded(t *testing.T) {
	p, diags := one(t, jobProject, Options{ReadFile: reads(twoTasks)})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	raw := mustRecord(t, p)
	const reordered = `{"tasks": [
  {"notebook_task": {"notebook_path": "sub/prepare.py"}, "task_key": "first"},
  {"notebook_task": {"notebook_path": "score"}, "task_key": "last", "depends_on": [{"task_key": "first"}]}], "tags": {"team": "x"}}`
	again, diags := one(t, jobProject, Options{ReadFile: reads(reordered)})
	if diags.HasErrors() || string(mustRecord(t, again)) != string(raw) {
		t.Errorf("%v\n%s", diags, cmp.Diff(string(raw), string(mustRecord(t, again))))
	}
	back, err := FromRecorded(raw)
	if err != nil {
		t.Fatal(err)
	}
	whole := p.WithArtifact(back)
	for _, name := range []string{"prod", "us"} {
		s := whole.Environment(name).Score("nightly")
		answers, err := s.Answers()
		if diff := cmp.Diff([]string{"score", "sub/prepare.py"}, s.Notebooks()); diff != "" || answers != "last" || err != nil || s.Job != "jobs/nightly.json" {
			t.Errorf("%s: %q, %v\n%s", name, answers, err, diff)
		}
	}
}

// TestWhoAnswers: one task answers for a job; where that cannot be told, nobody may ask.
func TestWhoAnswers(t *testing.T) {
	expects := []Expect{{Name: "e", That: "true"}}
	definition := func(tasks string) json.RawMessage { return json.RawMessage(`{"tasks":[` + tasks + `]}`) }
	wide := definition(`{"task_key":"a"},{"task_key":"b"}`)
	for name, c := range map[string]struct {
		score Score
		want  string
		fails bool
	}{
		"a notebook":          {Score{Notebook: "n", Expects: expects}, ScoreTask, false},
		"one task":            {Score{Definition: definition(`{"task_key":"a"}`), Expects: expects}, "a", false},
		"the last of a chain": {Score{Definition: definition(`{"task_key":"a"},{"task_key":"b","depends_on":[{"task_key":"a"}]}`), Expects: expects}, "b", false},
		"several, and asked":  {Score{Definition: wide, Expects: expects}, "", true},
		"several, not asked":  {Score{Definition: wide}, "", false},
	} {
		got, err := c.score.Answers()
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestAJobHasItsLimits: what the service gives back in one answer, and what a ledger keeps many times over.
func TestAJobHasItsLimits(t *testing.T) {
	tasks := func(n int, description string) string {
		var all []string
		for i := range n {
			up := ""
			if i > 0 {
				up = fmt.Sprintf(`"depends_on": [{"task_key": "t%d"}], `, i-1)
			}
			all = append(all, fmt.Sprintf(`{"task_key": "t%d", %s"description": %q, "notebook_task": {"notebook_path": "n"}}`, i, up, description))
		}
		return `{"tasks": [` + strings.Join(all, ",\n") + `]}`
	}
	for text, want := range map[string]string{
		tasks(100, "d"):                      "",
		tasks(101, "d"):                      "the job has 101 tasks",
		tasks(70, strings.Repeat("d", 1000)): "at most 65536 are supported",
		`{"queue": {"enabled": true}, "health": {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 9007199254740993}]}, "tasks": []}`: "must be a whole number",
	} {
		_, diags := one(t, jobProject, Options{ReadFile: reads(text)})
		if diags.HasErrors() != (want != "") || want != "" && !strings.Contains(diags.Error(), want) {
			t.Errorf("%v, want %q", diags, want)
		}
	}
}

// TestADeployProjectReadsNoJob: releases bring their own.
func TestADeployProjectReadsNoJob(t *testing.T) {
	src := strings.Replace(jobProject, "artifact {\n  notebooks { from = \"notebooks\" }\n}\n", "", 1)
	p, diags := one(t, src, Options{ReadFile: func(string) ([]byte, error) { t.Error("it was read"); return nil, nil }})
	if diags.HasErrors() || p.Environment("prod").Score("nightly").Definition != nil {
		t.Error(diags)
	}
}

// FuzzJobFile: no file breaks the loader, and what it takes is taken again as it was recorded.
func FuzzJobFile(f *testing.F) {
	for _, seed := range []string{twoTasks, "", "null", "[", `{"tasks":[null]}`, `{"tasks":[{"task_key":1}]}`, "{\"a\":\"\x00\"}", strings.Repeat("[", 400), `{"tasks":[]}x`, "{,}", `{"tasks":{}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, diags := one(t, jobProject, Options{ReadFile: reads(text)})
		if diags.HasErrors() {
			return
		}
		definition := p.Environment("prod").Score("nightly").Definition
		again, diags := one(t, jobProject, Options{ReadFile: reads(string(definition))})
		if diags.HasErrors() || string(again.Environment("prod").Score("nightly").Definition) != string(definition) {
			t.Errorf("%v\n%s", diags, definition)
		}
	})
}
