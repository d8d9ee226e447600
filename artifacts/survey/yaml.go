package survey

import (
	"errors"
	"fmt"
	"strings"
)

// node is a value of a YAML document: a mapping (keys in their order), a list, or a scalar.
type node struct {
	text   string
	items  []*node
	keys   []string
	fields map[string]*node
}

// at follows keys; what is not there is an empty node.
func (n *node) at(keys ...string) *node {
	for _, key := range keys {
		next := n.fields[key]
		if next == nil {
			return &node{}
		}
		n = next
	}
	return n
}

func (n *node) set(key string, value *node) error {
	if n.fields == nil {
		n.fields = map[string]*node{}
	}
	if n.fields[key] != nil {
		return fmt.Errorf("key %q stands twice", key)
	}
	n.keys, n.fields[key] = append(n.keys, key), value
	return nil
}

// deepest is how far brackets and indents may nest.
const deepest = 100

// parseYAML reads the YAML that bundles and pipelines are written in: block and flow collections, quoted and plain
// scalars on one line, block scalars, comments. Anchors, tags, complex keys and several documents are errors that say
// their line: they are rare here, and a guess needs no more.
func parseYAML(text string) (*node, error) {
	p := &yamlParser{}
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		p.lines = append(p.lines, yamlLine{number: i + 1, raw: line})
	}
	p.skip()
	if p.done() {
		return &node{}, nil
	}
	n, err := p.block(p.indent(), 0)
	if err == nil && !p.done() {
		err = errors.New("it fits nothing above")
	}
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", p.number(), err)
	}
	return n, nil
}

type yamlLine struct {
	number int
	raw    string
}

type yamlParser struct {
	lines []yamlLine
	last  int // number of the last line that was looked at
}

func (p *yamlParser) done() bool { return len(p.lines) == 0 }

func (p *yamlParser) number() int {
	if p.done() {
		return p.last
	}
	return p.lines[0].number
}

// skip leaves out blank lines, comments and the document's start.
func (p *yamlParser) skip() {
	for !p.done() {
		p.last = p.lines[0].number
		bare := strings.TrimSpace(p.lines[0].raw)
		if bare != "" && bare[0] != '#' && p.lines[0].raw != "---" {
			return
		}
		p.lines = p.lines[1:]
	}
}

func (p *yamlParser) indent() int {
	return len(p.lines[0].raw) - len(strings.TrimLeft(p.lines[0].raw, " "))
}

func (p *yamlParser) content() string { return uncommented(strings.TrimLeft(p.lines[0].raw, " ")) }

// block reads a collection whose entries begin in one column.
func (p *yamlParser) block(column, depth int) (*node, error) {
	if depth > deepest {
		return nil, errors.New("it nests too deep")
	}
	out := &node{}
	for !p.done() && p.indent() == column {
		content := p.content()
		if strings.HasPrefix(content, "\t") {
			return nil, errors.New("a tab is no indent")
		}
		if rest, ok := strings.CutPrefix(content, "-"); ok && (rest == "" || rest[0] == ' ') {
			if len(out.keys) > 0 {
				return nil, errors.New("a list begins within a mapping")
			}
			item, err := p.item(column, rest, depth)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, item)
		} else if len(out.items) > 0 {
			return out, nil // the next key of a mapping whose list stands as far left as it
		} else if err := p.entry(out, column, content, depth); err != nil {
			return nil, err
		}
		p.skip()
	}
	return out, nil
}

// item reads what follows a dash: nothing, a scalar, or the first entry of a mapping that goes on below it.
func (p *yamlParser) item(column int, rest string, depth int) (*node, error) {
	bare := strings.TrimLeft(rest, " ")
	if bare == "" {
		p.lines = p.lines[1:]
		return p.below(column+1, depth)
	}
	inner := column + 1 + len(rest) - len(bare)
	if _, _, ok := splitKey(bare); ok || strings.HasPrefix(bare, "- ") {
		p.lines[0].raw = strings.Repeat(" ", inner) + bare
		return p.block(inner, depth+1)
	}
	return p.value(column, bare)
}

// entry reads one key of a mapping with its value.
func (p *yamlParser) entry(into *node, column int, content string, depth int) error {
	key, rest, ok := splitKey(content)
	if !ok {
		return fmt.Errorf("%.40q is beyond what is read here", content)
	}
	var value *node
	var err error
	if rest == "" {
		p.lines = p.lines[1:]
		least := column + 1
		if p.skip(); !p.done() && p.indent() == column && strings.HasPrefix(p.content(), "-") {
			least = column // a list may stand as far left as its key
		}
		value, err = p.below(least, depth)
	} else {
		value, err = p.value(column, rest)
	}
	if err != nil {
		return err
	}
	return into.set(key, value)
}

// below reads the collection or scalar on the lines that follow, if they are indented so far.
func (p *yamlParser) below(least, depth int) (*node, error) {
	p.skip()
	if p.done() || p.indent() < least {
		return &node{}, nil
	}
	content := p.content()
	if _, _, ok := splitKey(content); ok || content == "-" || strings.HasPrefix(content, "- ") {
		return p.block(p.indent(), depth+1)
	}
	return p.value(least-1, content)
}

// value reads a scalar or a flow collection, and the lines of a block scalar.
func (p *yamlParser) value(column int, text string) (*node, error) {
	n, err := &node{}, error(nil)
	switch text[0] {
	case '|', '>':
		p.lines = p.lines[1:]
		return p.scalarBlock(column), nil
	case '&', '*', '!', '@', '`', '%':
		err = fmt.Errorf("%.40q is beyond what is read here", text)
	case '[', '{':
		f := flow{text: text}
		if n, err = f.value(0); err == nil && strings.TrimSpace(f.text) != "" {
			err = fmt.Errorf("%.40q follows a bracket", f.text)
		}
	default:
		n.text, err = unquoted(text)
	}
	if err == nil {
		p.lines = p.lines[1:] // an error is of this line
	}
	return n, err
}

func (p *yamlParser) scalarBlock(column int) *node {
	var lines []string
	for !p.done() && (strings.TrimSpace(p.lines[0].raw) == "" || p.indent() > column) {
		lines = append(lines, strings.TrimSpace(p.lines[0].raw))
		p.last, p.lines = p.lines[0].number, p.lines[1:]
	}
	return &node{text: strings.TrimRight(strings.Join(lines, "\n"), "\n")}
}

// splitKey parts "key: value"; a colon needs a space or the line's end behind it.
func splitKey(content string) (key, rest string, ok bool) {
	var at int
	switch {
	case content == "":
		return "", "", false
	case content[0] == '"' || content[0] == '\'':
		end := closing(content)
		if end < 0 || !strings.HasPrefix(content[end+1:], ":") {
			return "", "", false
		}
		at = end + 1
	case strings.ContainsRune("[{&*!|>%@`?", rune(content[0])):
		return "", "", false
	default:
		if at = strings.Index(content, ": "); at < 0 && strings.HasSuffix(content, ":") {
			at = len(content) - 1
		}
	}
	if at < 0 || at+1 < len(content) && content[at+1] != ' ' {
		return "", "", false
	}
	key, err := unquoted(content[:at])
	return key, strings.TrimSpace(content[at+1:]), err == nil
}

// closing is where the quotes that text begins with end; -1: nowhere.
func closing(text string) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[0] == '"' && text[i] == '\\':
			i++
		case text[i] == text[0] && text[0] == '\'' && i+1 < len(text) && text[i+1] == '\'':
			i++
		case text[i] == text[0]:
			return i
		}
	}
	return -1
}

func unquoted(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" || text[0] != '"' && text[0] != '\'' {
		if text == "null" || text == "~" {
			return "", nil
		}
		return text, nil
	}
	if end := closing(text); end != len(text)-1 {
		return "", fmt.Errorf("%.40q has quotes that do not end it", text)
	}
	inner := text[1 : len(text)-1]
	if text[0] == '\'' {
		return strings.ReplaceAll(inner, "''", "'"), nil
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n", `\t`, "\t", `\/`, "/").Replace(inner), nil
}

// uncommented is a line without the comment at its end.
func uncommented(line string) string {
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == '"' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && (i == 0 || strings.ContainsRune(" [{,:", rune(line[i-1]))):
			quote = c
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return strings.TrimRight(line[:i], " \t")
		}
	}
	return strings.TrimRight(line, " \t")
}

// flow reads collections in brackets, on one line.
type flow struct{ text string }

func (f *flow) value(depth int) (*node, error) {
	if depth > deepest {
		return nil, errors.New("it nests too deep")
	}
	f.text = strings.TrimLeft(f.text, " ")
	if f.text == "" {
		return nil, errors.New("a bracket is not closed on its line")
	}
	open := f.text[0]
	if open != '[' && open != '{' {
		text, err := unquoted(f.word(",]}"))
		return &node{text: text}, err
	}
	f.text = f.text[1:]
	out, end := &node{}, byte(']')
	if open == '{' {
		end = '}'
	}
	for {
		f.text = strings.TrimLeft(f.text, " ,")
		if f.text == "" {
			return nil, errors.New("a bracket is not closed on its line")
		}
		if f.text[0] == end {
			f.text = f.text[1:]
			return out, nil
		}
		if err := f.member(out, open, depth); err != nil {
			return nil, err
		}
	}
}

func (f *flow) member(into *node, open byte, depth int) error {
	key := ""
	if open == '{' {
		var err error
		if key, err = unquoted(f.word(":,}")); err != nil {
			return err
		}
		f.text = strings.TrimPrefix(f.text, ":")
	}
	v, err := f.value(depth + 1)
	switch {
	case err != nil:
		return err
	case open == '{':
		return into.set(key, v)
	}
	if v.text == "" && v.items == nil && v.keys == nil && f.text != "" && !strings.ContainsRune(",]", rune(f.text[0])) {
		return fmt.Errorf("%.40q is beyond what is read here", f.text)
	}
	into.items = append(into.items, v)
	return nil
}

// word takes a scalar up to one of the ends.
func (f *flow) word(ends string) string {
	stop := 0
	if f.text != "" && (f.text[0] == '"' || f.text[0] == '\'') {
		stop = closing(f.text) + 1
	}
	for stop < len(f.text) && !strings.ContainsRune(ends, rune(f.text[stop])) {
		stop++
	}
	word := f.text[:stop]
	f.text = f.text[stop:]
	return word
}
