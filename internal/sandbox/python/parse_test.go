//go:build !windows

package python

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type cell struct {
	Number int    `json:"number"`
	Kind   string `json:"kind"`
	Source string `json:"source"`
	Title  string `json:"title"`
}

var parseCases = []struct {
	name, text, language string
	want                 []cell
	err                  string
}{
	{name: "empty", text: "# Databricks notebook source\n", want: []cell{{1, "python", "", ""}}},
	{name: "without a header", text: "x = 1\n# MAGIC\n", want: []cell{{1, "python", "x = 1", ""}}},
	{
		name: "without a header, with separators",
		text: "x = 1\n# COMMAND ----------\ny = 2",
		want: []cell{{1, "python", "x = 1", ""}, {2, "python", "y = 2", ""}},
	},
	{
		name: "cells, titles, markdown and empty cells are counted",
		text: "# Databricks notebook source\n# MAGIC %md\n# MAGIC # A\n# MAGIC\n# MAGIC text\n\n# COMMAND ----------\n\n# COMMAND ----------\n# DBTITLE 1,Read, then write\nx = 1\n",
		want: []cell{{1, "md", "# A\n\ntext", ""}, {2, "python", "", ""}, {3, "python", "x = 1", "Read, then write"}},
	},
	{
		name: "windows line ends and a byte order mark",
		text: "\ufeff# Databricks notebook source\r\nx = 1\r\n\r\n# COMMAND ----------\r\n\r\n# MAGIC %sh\r\n# MAGIC ls\r\n",
		want: []cell{{1, "python", "x = 1", ""}, {2, "sh", "ls", ""}},
	},
	{
		name: "every magic of a cell",
		text: "# Databricks notebook source\n# MAGIC %run ./a $x=\"1\"\n# COMMAND ----------\n# MAGIC %sql select 1\n# COMMAND ----------\n# MAGIC %md-sandbox\n# MAGIC <b>\n# COMMAND ----------\n# MAGIC %r\n# MAGIC x <- 1\n# COMMAND ----------\n# MAGIC %scala\n# MAGIC val x = 1\n# COMMAND ----------\n# MAGIC %fs ls /\n# COMMAND ----------\n# MAGIC %python\n# MAGIC x",
		want: []cell{
			{1, "run", `./a $x="1"`, ""},
			{2, "sql", "select 1", ""},
			{3, "md", "<b>", ""},
			{4, "r", "x <- 1", ""},
			{5, "scala", "val x = 1", ""},
			{6, "fs", "ls /", ""},
			{7, "python", "x", ""},
		},
	},
	{
		name: "%pip stays in its Python cell",
		text: "# Databricks notebook source\n# MAGIC %pip install a\n# MAGIC %pip install b\n# COMMAND ----------\nimport a\n# MAGIC %pip install c",
		want: []cell{
			{1, "python", "%pip install a\n%pip install b", ""},
			{2, "python", "import a\n%pip install c", ""},
		},
	},
	{
		name: "no magic: names that only begin like one, and a modulo",
		text: "# Databricks notebook source\n%mdx = 1\n# COMMAND ----------\n%run_it\n# COMMAND ----------\n(5\n%r)",
		want: []cell{{1, "python", "%mdx = 1", ""}, {2, "python", "%run_it", ""}, {3, "python", "(5\n%r)", ""}},
	},
	{
		name: "SQL",
		text: "-- Databricks notebook source\nselect 1\n\n-- COMMAND ----------\n\n-- MAGIC %python\n-- MAGIC x = 1",
		want: []cell{{1, "sql", "select 1", ""}, {2, "python", "x = 1", ""}},
	},
	{
		name: "Scala",
		text: "// Databricks notebook source\nval x = 1\n// COMMAND ----------\n// MAGIC %md text",
		want: []cell{{1, "scala", "val x = 1", ""}, {2, "md", "text", ""}},
	},
	{
		name: "R, which only the workspace knows", language: "r",
		text: "# Databricks notebook source\nx <- 1\n# COMMAND ----------\n# MAGIC %python\n# MAGIC y",
		want: []cell{{1, "r", "x <- 1", ""}, {2, "python", "y", ""}},
	},
	{
		name: ".ipynb",
		text: `{"nbformat":4,"metadata":{"kernelspec":{"language":"python"}},"cells":[` +
			`{"cell_type":"markdown","source":"# A","metadata":{}},` +
			`{"cell_type":"raw","source":[]},` +
			`{"cell_type":"code","source":["%run ./x\n"],"metadata":{}},` +
			`{"cell_type":"code","source":"x = 1\ny","metadata":{"application/vnd.databricks.v1+cell":{"title":"T"}}}]}`,
		want: []cell{{1, "md", "# A", ""}, {2, "md", "", ""}, {3, "run", "./x", ""}, {4, "python", "x = 1\ny", "T"}},
	},
	{
		name: ".ipynb in another language",
		text: `{"nbformat":4,"metadata":{"application/vnd.databricks.v1+notebook":{"language":"scala"}},"cells":[{"cell_type":"code","source":"val x = 1"}]}`,
		want: []cell{{1, "scala", "val x = 1", ""}},
	},
	{name: ".ipynb of nbformat 3", text: `{"nbformat":3,"worksheets":[]}`, err: "this .ipynb has no cells: it must be of nbformat 4"},
	{name: ".ipynb cut off", text: `{"nbformat":4,`, err: "this is no valid .ipynb: Expecting property name enclosed in double quotes: line 1 column 15 (char 14)"},
	{name: "Python that begins with a brace", text: "{1: 2}\n", want: []cell{{1, "python", "{1: 2}", ""}}},
}

const parseProgram = `
import dataclasses, json, sys
sys.path.append(sys.argv[1])
from barge_runner import parse
answers = []
for case in json.load(sys.stdin):
    try:
        answers.append({"cells": [dataclasses.asdict(c) for c in parse.parse(case["text"], case["language"])]})
    except parse.NotNotebook as e:
        answers.append({"error": str(e)})
json.dump(answers, sys.stdout)
`

func TestParse(t *testing.T) {
	i := interpreter(t)
	type text struct {
		Text     string `json:"text"`
		Language string `json:"language"`
	}
	var asked []text
	for _, c := range parseCases {
		asked = append(asked, text{c.text, c.language})
	}
	input, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(i.Python, "-I", "-B", "-c", parseProgram, i.runner)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []struct {
		Cells []cell `json:"cells"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	for n, c := range parseCases {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, answers[n].Cells); diff != "" {
				t.Errorf("cells (-want +got):\n%s", diff)
			}
			if answers[n].Error != c.err {
				t.Errorf("error %q, want %q", answers[n].Error, c.err)
			}
		})
	}
}
