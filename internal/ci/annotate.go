package ci

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Annotation is something wrong at a place of a file, as a pull request shows it.
type Annotation struct {
	Warning         bool   // else an error
	File            string // absolute; "": at no place
	Line, Column    int    // from 1
	EndLine, EndCol int
	Text            string
}

// Command is the annotation as the pipeline that this process is part of wants it, on a line of its own of either output;
// "" outside a pipeline. The file is told from the top of the checkout.
func (a Annotation) Command(getenv func(string) string) string {
	level := map[bool]string{false: "error", true: "warning"}[a.Warning]
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		return a.github(level, below(getenv("GITHUB_WORKSPACE"), a.File))
	case strings.EqualFold(getenv("TF_BUILD"), "true"):
		return a.azure(level, below(getenv("BUILD_SOURCESDIRECTORY"), a.File))
	}
	return ""
}

// Escapes of the two; whatever else stands in a text is no command.
var (
	githubText  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubValue = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	azureText   = strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A")
	azureValue  = strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A", ";", "%3B", "]", "%5D")
)

func (a Annotation) github(level, file string) string {
	if file == "" {
		return "::" + level + "::" + githubText.Replace(a.Text)
	}
	place := fmt.Sprintf("file=%s,line=%d,endLine=%d", githubValue.Replace(file), a.Line, a.EndLine)
	if a.Line == a.EndLine { // columns are of one line alone
		place += fmt.Sprintf(",col=%d,endColumn=%d", a.Column, a.EndCol)
	}
	return "::" + level + " " + place + "::" + githubText.Replace(a.Text)
}

func (a Annotation) azure(level, file string) string {
	place := "type=" + level
	if file != "" {
		place += fmt.Sprintf(";sourcepath=%s;linenumber=%d;columnnumber=%d", azureValue.Replace(file), a.Line, a.Column)
	}
	return "##vso[task.logissue " + place + "]" + azureText.Replace(a.Text)
}

// below is a file as it is called from the top of the checkout; as it is, where it is not of it.
func below(top, file string) string {
	if top == "" || file == "" {
		return file
	}
	rel, err := filepath.Rel(top, file)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return file
	}
	return filepath.ToSlash(rel)
}
