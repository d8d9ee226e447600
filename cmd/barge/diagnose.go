package main

import (
	"os"
	"path/filepath"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/ci"
)

// diagnose shows what is wrong with barge.hcl, or looks so: to people, and in a pipeline also beside its line.
func (h *house) diagnose(diags environments.Diagnostics) {
	_ = diags.Render(h.console.Err, environments.Style{Color: h.console.Terminal})
	for _, d := range diags {
		a := ci.Annotation{
			Warning: d.Severity == "warning", Text: d.Summary,
			Line: d.Line, Column: d.Column, EndLine: d.EndLine, EndCol: d.EndColumn,
		}
		if d.File != "" {
			a.File = h.standing(d.File)
		}
		if d.Hint != "" {
			a.Text += "\n" + d.Hint
		}
		if line := a.Command(os.Getenv); line != "" {
			h.console.Note("%s", line)
		}
	}
}

// standing is the absolute path of a file that a diagnostic names: relative to the folder of barge.hcl, or as it was typed;
// "" when it is neither, such as stdin.
func (h *house) standing(name string) string {
	typed, err := h.folder(name)
	for _, file := range []string{filepath.Join(h.dir, name), typed} {
		if _, gone := os.Stat(file); gone == nil && err == nil {
			return file
		}
	}
	return ""
}
