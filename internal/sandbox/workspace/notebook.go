package workspace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
)

var languages = []string{"PYTHON", "SQL", "SCALA", "R"}

// comments begin a line of a notebook in source format, by language.
var comments = map[string]string{"PYTHON": "#", "SQL": "--", "SCALA": "//", "R": "#"}

// extensions of exported notebooks, by language.
var extensions = map[string]string{"PYTHON": ".py", "SQL": ".sql", "SCALA": ".scala", "R": ".r"}

// header is the first line of every notebook in source format.
func header(language string) string { return comments[language] + " Databricks notebook source" }

const cellMark = " COMMAND ----------"

// detect tells a notebook by its extension and first line. An empty format means a plain file.
func detect(name string, head []byte) (language, format string) {
	extension := path.Ext(name)
	if extension == ".ipynb" {
		return "", FormatJupyter
	}
	for language, e := range extensions {
		if strings.EqualFold(extension, e) && firstLine(head) == header(language) {
			return language, FormatSource
		}
	}
	return "", ""
}

func firstLine(content []byte) string {
	line, _, _ := bytes.Cut(content, []byte("\n"))
	return string(bytes.TrimRight(line, "\r"))
}

// jupyter is as much of an .ipynb as converting it takes.
type jupyter struct {
	Cells    []jupyterCell  `json:"cells"`
	Metadata map[string]any `json:"metadata"`
	Format   int            `json:"nbformat"`
	Minor    int            `json:"nbformat_minor"`
}

type jupyterCell struct {
	Type     string         `json:"cell_type"`
	Source   lines          `json:"source"`
	Metadata map[string]any `json:"metadata"`
	Count    *int           `json:"execution_count,omitempty"`
	Outputs  *[]any         `json:"outputs,omitempty"`
}

// lines is text that .ipynb keeps as one string or as a list of lines.
type lines string

// UnmarshalJSON implements json.Unmarshaler.
func (l *lines) UnmarshalJSON(raw []byte) error {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		*l = lines(strings.Join(list, ""))
		return nil
	}
	return json.Unmarshal(raw, (*string)(l))
}

// MarshalJSON implements json.Marshaler.
func (l lines) MarshalJSON() ([]byte, error) {
	list := strings.SplitAfter(string(l), "\n")
	if list[len(list)-1] == "" {
		list = list[:len(list)-1]
	}
	return json.Marshal(list)
}

func parseJupyter(content []byte) (jupyter, error) {
	var book jupyter
	if err := json.Unmarshal(content, &book); err != nil {
		return book, err
	}
	if book.Cells == nil || book.Format == 0 {
		return book, errors.New("it has no cells or no nbformat")
	}
	return book, nil
}

// language is the notebook's own, PYTHON where it says none that is known.
func (j jupyter) language() string {
	for _, at := range [][2]string{
		{"application/vnd.databricks.v1+notebook", "language"},
		{"language_info", "name"},
		{"kernelspec", "language"},
	} {
		group, _ := j.Metadata[at[0]].(map[string]any)
		name, _ := group[at[1]].(string)
		if name = strings.ToUpper(name); comments[name] != "" {
			return name
		}
	}
	return "PYTHON"
}

// source writes the notebook in source format.
func (j jupyter) source(language string) []byte {
	var b bytes.Buffer
	comment := comments[language]
	fmt.Fprintln(&b, header(language))
	for i, cell := range j.Cells {
		if i > 0 {
			fmt.Fprintf(&b, "\n%s%s\n\n", comment, cellMark)
		}
		text := strings.TrimRight(string(cell.Source), "\n")
		if cell.Type == "markdown" {
			text = "%md\n" + text
		}
		if !strings.HasPrefix(text, "%") {
			fmt.Fprintln(&b, text)
			continue
		}
		for line := range strings.Lines(text) {
			fmt.Fprintln(&b, strings.TrimRight(comment+" MAGIC "+line, " \n"))
		}
	}
	return b.Bytes()
}

// toJupyter writes a notebook in source format as .ipynb.
func toJupyter(n Notebook) ([]byte, error) {
	comment := comments[n.Language]
	book := jupyter{Format: 4, Cells: []jupyterCell{}, Metadata: map[string]any{
		"application/vnd.databricks.v1+notebook": map[string]any{
			"language": strings.ToLower(n.Language), "notebookName": path.Base(n.Path),
		},
		"language_info": map[string]any{"name": strings.ToLower(n.Language)},
	}}
	text := strings.ReplaceAll(string(n.Content), "\r\n", "\n")
	text = strings.TrimPrefix(strings.TrimPrefix(text, header(n.Language)), "\n")
	for part := range strings.SplitSeq("\n"+text, "\n"+comment+cellMark) {
		part = strings.Trim(part, "\n")
		cell := jupyterCell{Type: "code", Metadata: map[string]any{}, Outputs: &[]any{}}
		if strings.HasPrefix(part, comment+" MAGIC") {
			part = unMagic(part, comment)
		}
		if md, ok := strings.CutPrefix(part, "%md"); ok {
			cell.Type, cell.Outputs, part = "markdown", nil, strings.TrimLeft(md, " \n")
		}
		cell.Source = lines(part)
		book.Cells = append(book.Cells, cell)
	}
	return json.MarshalIndent(book, "", " ")
}

func unMagic(text, comment string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(line, comment+" MAGIC")
		b.WriteString(strings.TrimPrefix(line, " "))
	}
	return b.String()
}
