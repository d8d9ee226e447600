package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

var (
	named   = regexp.MustCompile(`\bbarge ([a-z][a-z-]*)((?: \S+)*)`)
	formats = regexp.MustCompile(`%(\.?\d*)[a-z]`)
)

// TestHints holds every command that an error or a hint names against the commands and flags that there are.
func TestHints(t *testing.T) {
	app := newApp(newHouse(strings.NewReader(""), nil, nil))
	checked := 0
	for _, folder := range []string{".", "../../release"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for at, text := range texts(t, file) {
				for _, m := range named.FindAllStringSubmatch(text, -1) {
					command := find(app.Commands, m[1])
					if command == nil {
						if strings.HasPrefix(text, "barge ") && !strings.HasPrefix(text, "barge "+m[1]+" is") {
							t.Errorf("%s: %q begins with a command that there is not", at, text)
						}
						continue
					}
					checked++
					if wrong := misused(command, strings.Fields(m[2])); wrong != "" {
						t.Errorf("%s: %q: barge %s has no %s", at, text, m[1], wrong)
					}
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d commands were found", checked)
	}
}

// misused is the first word that the command does not take; words of a sentence end what is typed.
func misused(c *cli.Command, words []string) string {
	flags, below := c.Flags, c.Subcommands
	for i := 0; i < len(words); i++ {
		word := strings.TrimRight(words[i], ",;:.)`")
		sub := find(below, word)
		switch {
		case sub != nil:
			flags, below = sub.Flags, sub.Subcommands
		case word == "--help", word == "-": // stdin, and nothing after it
			return ""
		case strings.HasPrefix(word, "-") && defined(flags, word) == nil:
			return word
		case strings.HasPrefix(word, "-"):
			if takesValue(flags, word) {
				i++
			}
			if word != words[i] && strings.ContainsAny(words[min(i, len(words)-1)], ",;:") {
				return ""
			}
		case word != strings.ToUpper(word) && !strings.ContainsAny(word, ":="):
			return "" // a sentence goes on
		}
	}
	return ""
}

// texts are a file's strings by where they stand: those that are put together as one, with X for what is not known.
func texts(t *testing.T, file string) map[string]string {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	ast.Inspect(tree, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		text, whole := written(e)
		if whole && strings.Contains(text, "barge ") {
			out[set.Position(e.Pos()).String()] = formats.ReplaceAllString(text, "X")
		}
		return !whole
	})
	return out
}

// written is the text of an expression, when it is one.
func written(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, isText := written(e.X)
		right, alsoText := written(e.Y)
		if e.Op != token.ADD || !isText && !alsoText {
			return "", false
		}
		return orX(left, isText) + orX(right, alsoText), true
	}
	return "", false
}

func orX(text string, known bool) string {
	if known {
		return text
	}
	return "X"
}
