package survey

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// plain turns a document into what a test can be written as.
func (n *node) plain() any {
	switch {
	case n.keys != nil:
		m := map[string]any{}
		for _, k := range n.keys {
			m[k] = n.fields[k].plain()
		}
		return m
	case n.items != nil:
		l := []any{}
		for _, i := range n.items {
			l = append(l, i.plain())
		}
		return l
	}
	return n.text
}

func TestYAML(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	for _, tc := range []struct {
		name, text string
		want       any
	}{
		{"nothing", "# only a comment\n\n", ""},
		{"mappings", "---\na:\n  b: 1 # one\n  c: 'it''s'\nd: \"x # y\"\n", m{"a": m{"b": "1", "c": "it's"}, "d": "x # y"}},
		{"lists at both columns", "a:\n- x\n- y\nb:\n  - z\n", m{"a": []any{"x", "y"}, "b": []any{"z"}}},
		{"lists of mappings", "jobs:\n  - key: a\n    task:\n      path: ../x.py\n  -\n    key: b\n", m{"jobs": []any{m{"key": "a", "task": m{"path": "../x.py"}}, m{"key": "b"}}}},
		{"a list in a list", "- - a\n  - b\n- c\n", []any{[]any{"a", "b"}, "c"}},
		{"flow", "a: {host: \"https://x:443\", tags: [p, 'q, r'], none: {}}\n", m{"a": m{"host": "https://x:443", "tags": []any{"p", "q, r"}, "none": ""}}},
		{"a colon without a space", "at: https://adb-1.1.net\ncron: \"0 0 2 * * ?\"\n", m{"at": "https://adb-1.1.net", "cron": "0 0 2 * * ?"}},
		{"block scalars", "a: |\n  one: 1\n\n  - two\nb: >-\n  x\n", m{"a": "one: 1\n\n- two\n", "b": "x"}},
		{"null and nothing", "a: null\nb:\nc: ~\n", m{"a": "", "b": "", "c": ""}},
		{"quoted keys", "\"a b\": 1\n'c': 2\n", m{"a b": "1", "c": "2"}},
		{"anchors", "a: &x {b: 1, c: 2}\nd: *x\ne:\n  <<: *x\n  c: 3\n", m{"a": m{"b": "1", "c": "2"}, "d": m{"b": "1", "c": "2"}, "e": m{"b": "1", "c": "3"}}},
		{"carriage returns", "a:\r\n  b: c\r\n", m{"a": m{"b": "c"}}},
	} {
		n, err := parseYAML(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if diff := cmp.Diff(tc.want, n.plain()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.name, diff)
		}
	}
}

// What cannot be read is an error with its line, never a wrong value.
func TestYAMLBeyond(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for level := 'b'; level < 'h'; level++ {
		bomb += fmt.Sprintf("%c: &%c [%s*%c]\n", level, level, strings.Repeat(fmt.Sprintf("*%c, ", level-1), 9), level-1)
	}
	for text, want := range map[string]string{
		"a: 1\nb: c\na: 2": `line 3: key "a" stands twice`,
		"a: *x\n":          "unknown anchor 'x'",
		"a: &x [*x]\n":     "line 1: *x stands for what it is in",
		"? [a]\n: b\n":     "line 1: a key is no text",
		"a:\n\tb: 1\n":     "line 2: ",
		"a: [1, 2\n":       "line ",
		"- a\nb: c\n":      "line ",
		"a: b\n  c: d\n":   "line ",
		bomb:               "more than 100000 values",
	} {
		if n, err := parseYAML(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; it should say %q", text, n, err, want)
		}
	}
}

func FuzzYAML(f *testing.F) {
	for _, text := range []string{"a:\n  - b: {c: [d, 'e']}\n", "a: |\n x\n", "- - a\n", "[", "{:,}", "a: \"\\", "\t", "- {a]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := parseYAML(text); err == nil {
			_ = n.plain()
		}
	})
}
