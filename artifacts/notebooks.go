package artifacts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// maxNotebook is the largest notebook that Databricks imports.
const maxNotebook = 10 << 20

// comments are the line comments of the languages that notebooks are written in, by file extension.
var comments = map[string]struct{ mark, language string }{
	".py":    {"#", "python"},
	".sql":   {"--", "sql"},
	".scala": {"//", "scala"},
	".r":     {"#", "r"},
}

const (
	header    = " Databricks notebook source"
	separator = " COMMAND ----------"
	magic     = " MAGIC"
	title     = " DBTITLE "
)

// prepare turns a file as it is in git into what ships: it finds out whether it is a notebook, strips the outputs of
// one in Jupyter's format, and refuses what Databricks would not take. Errors do not name the file.
func prepare(p string, executable bool, body []byte) (Content, error) {
	c := Content{File: File{Path: p, Executable: executable}, Body: body}
	extension := strings.ToLower(path.Ext(p))
	comment, isSource := comments[extension]
	switch {
	case (isSource || extension == ".ipynb") && !utf8.Valid(body):
		return c, errors.New("it is not UTF-8: convert it (iconv -t utf-8), or exclude it")
	case isSource && bytes.HasPrefix(body, []byte("\ufeff"+comment.mark+header)), extension == ".ipynb" && bytes.HasPrefix(body, []byte("\ufeff")):
		return c, errors.New("a byte order mark stands before its first line, so that it would be no notebook: save it without (UTF-8, no BOM)")
	case extension == ".ipynb":
		stripped, language, err := stripOutputs(body)
		if err != nil {
			return c, err
		}
		c.Body, c.Kind, c.Language = stripped, Notebook, language
	case isSource && firstLine(body) == comment.mark+header:
		c.Kind, c.Language = Notebook, comment.language
	}
	if c.Kind == Notebook && len(c.Body) > maxNotebook {
		return c, fmt.Errorf("it has %d bytes, and Databricks takes notebooks up to %d (10 MiB): move data out of it, or exclude it", len(c.Body), maxNotebook)
	}
	c.Size, c.SHA256 = int64(len(c.Body)), strings.TrimPrefix(digestOf(c.Body), digestPrefix)
	return c, nil
}

func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return string(bytes.TrimRight(line, "\r \t"))
}

// stripOutputs removes from a Jupyter notebook what running it left there, for it can hold data and changes without a
// change of the code: outputs, execution counts and times, the state of widgets. The rest is written with sorted keys
// and an indent of one, as Jupyter does it.
func stripOutputs(body []byte) (stripped []byte, language string, err error) {
	var doc map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, "", fmt.Errorf("it is no Jupyter notebook: %w", err)
	}
	if d.More() {
		return nil, "", errors.New("it is no Jupyter notebook: something follows the JSON")
	}
	if v, ok := doc["nbformat"].(json.Number); !ok || v.String() != "4" {
		return nil, "", fmt.Errorf("its format is nbformat %v: convert it to 4 (jupyter nbconvert --to notebook --inplace)", doc["nbformat"])
	}
	cells, ok := doc["cells"].([]any)
	if !ok {
		return nil, "", errors.New("it is no Jupyter notebook: it has no list of cells")
	}
	for i, cell := range cells {
		c, ok := cell.(map[string]any)
		if !ok {
			return nil, "", fmt.Errorf("it is no Jupyter notebook: cell %d is no object", i+1)
		}
		if c["cell_type"] == "code" {
			c["outputs"], c["execution_count"] = []any{}, nil
		}
		if m, ok := c["metadata"].(map[string]any); ok {
			delete(m, "execution")
			delete(m, "ExecuteTime")
		}
	}
	language = "python"
	if m, ok := doc["metadata"].(map[string]any); ok {
		delete(m, "widgets")
		language = kernelLanguage(m)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(doc); err != nil {
		return nil, "", err
	}
	return out.Bytes(), language, nil
}

// Written is a text as it stands in the file: in Jupyter's format with JSON's escapes.
func (f File) Written(text string) string {
	if !f.Jupyter() {
		return text
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a text always can be
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(out.String()), `"`), `"`)
}

func kernelLanguage(metadata map[string]any) string {
	for _, at := range [][2]string{{"language_info", "name"}, {"kernelspec", "language"}} {
		if m, ok := metadata[at[0]].(map[string]any); ok {
			if name, ok := m[at[1]].(string); ok && name != "" {
				return strings.ToLower(name)
			}
		}
	}
	return "python"
}

// Cell is one cell of a notebook. Magic is what its first line asks for after "%" ("md", "run", "sql"), "" when
// nothing; Source is the text without the marks that a source file puts before it.
type Cell struct {
	Title  string
	Magic  string
	Source string
}

// Cells takes a notebook apart. A plain file is one cell.
func Cells(c Content) ([]Cell, error) {
	placed, err := placedCells(c)
	var cells []Cell
	for _, p := range placed {
		cells = append(cells, p.Cell)
	}
	return cells, err
}

// placedCell is a cell, and where it stands.
type placedCell struct {
	Cell
	number int // from 1
	line   int // of its source in the file, from 1; 0 in Jupyter's format
}

func placedCells(c Content) ([]placedCell, error) {
	if c.Kind != Notebook {
		return []placedCell{{Cell{Source: string(c.Body)}, 1, 1}}, nil
	}
	if c.Jupyter() {
		return jupyterCells(c.Body)
	}
	mark := comments[strings.ToLower(path.Ext(c.Path))].mark
	_, rest, _ := strings.Cut(strings.ReplaceAll(string(c.Body), "\r\n", "\n"), "\n")
	var cells []placedCell
	at := 2 // the line that the cell begins at, after the file's first
	for more := true; more; {
		var text, after string
		text, after, more = cutCell(rest, mark+separator)
		if cell, skipped := sourceCell(mark, text); cell != (Cell{}) {
			cells = append(cells, placedCell{cell, len(cells) + 1, at + skipped})
		}
		at += strings.Count(rest[:len(rest)-len(after)], "\n")
		rest = after
	}
	return cells, nil
}

// cutCell cuts a text at the first line that is between.
func cutCell(text, between string) (cell, rest string, found bool) {
	for from := 0; ; {
		i := strings.Index(text[from:], between)
		if i < 0 {
			return text, "", false
		}
		i += from
		line, after, _ := strings.Cut(text[i:], "\n")
		if (i == 0 || text[i-1] == '\n') && strings.TrimRight(line, " \t") == between {
			return strings.TrimSuffix(text[:i], "\n"), after, true
		}
		from = i + len(between)
	}
}

// sourceCell reads a cell, and says how many lines stand before its source.
func sourceCell(mark, raw string) (c Cell, skipped int) {
	titled, marked := mark+title, mark+magic
	if !strings.Contains(raw, titled) && !strings.Contains(raw, marked) {
		for line, after, more := strings.Cut(raw, "\n"); more && strings.TrimSpace(line) == ""; line, after, more = strings.Cut(raw, "\n") {
			raw, skipped = after, skipped+1
		}
		if strings.TrimSpace(raw) == "" {
			return Cell{}, 0
		}
		c.Source = strings.TrimRight(raw, " \t\n")
		c.Magic = magicOf(c.Source)
		return c, skipped
	}
	lines := strings.Split(raw, "\n")
	text := make([]string, 0, len(lines))
	for i, line := range lines {
		if t, ok := strings.CutPrefix(line, titled); ok && len(text) == 0 && c.Title == "" {
			if _, named, ok := strings.Cut(t, ","); ok { // "1,Title" shows it, "0,Title" hides it
				c.Title = strings.TrimSpace(named)
				continue
			}
		}
		if m, ok := strings.CutPrefix(line, marked); ok && (m == "" || m[0] == ' ') {
			line = strings.TrimPrefix(m, " ")
		}
		if len(text) > 0 || strings.TrimSpace(line) != "" {
			if len(text) == 0 {
				skipped = i
			}
			text = append(text, line)
		}
	}
	c.Source = strings.TrimRight(strings.Join(text, "\n"), " \t\n")
	c.Magic = magicOf(c.Source)
	return c, skipped
}

func magicOf(source string) string {
	first, _, _ := strings.Cut(source, "\n")
	first, ok := strings.CutPrefix(strings.TrimSpace(first), "%")
	if !ok {
		return ""
	}
	word, _, _ := strings.Cut(strings.TrimPrefix(first, "%"), " ")
	return word
}

func jupyterCells(body []byte) ([]placedCell, error) {
	var doc struct {
		Cells []struct {
			Type   string          `json:"cell_type"`
			Source json.RawMessage `json:"source"`
		} `json:"cells"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("it is no Jupyter notebook: %w", err)
	}
	var cells []placedCell
	for i, cell := range doc.Cells {
		var lines []string
		var text string
		if json.Unmarshal(cell.Source, &lines) == nil {
			text = strings.Join(lines, "")
		} else if err := json.Unmarshal(cell.Source, &text); err != nil {
			return nil, fmt.Errorf("it is no Jupyter notebook: the source of cell %d is no text", i+1)
		}
		c := Cell{Source: text, Magic: magicOf(text)}
		if cell.Type != "code" {
			c.Magic = "md"
		}
		cells = append(cells, placedCell{c, i + 1, 0})
	}
	return cells, nil
}
