package survey

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// node is a value of a YAML document: a mapping (keys in their order), a list, or a scalar. Nothing and null are the
// empty node. Aliases stand for what they name.
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

func (n *node) set(key string, value *node) {
	if n.fields == nil {
		n.fields = map[string]*node{}
	}
	if n.fields[key] == nil {
		n.keys = append(n.keys, key)
	}
	n.fields[key] = value
}

// values is how many values a document may have with its aliases filled in: a few lines of aliases can stand for billions.
const values = 100_000

// parseYAML reads the first document of a text.
func parseYAML(text string) (*node, error) {
	var document yaml.Node
	err := yaml.NewDecoder(strings.NewReader(text)).Decode(&document)
	if errors.Is(err, io.EOF) {
		return &node{}, nil
	}
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	left := values
	return (&filling{left: &left}).value(&document)
}

// filling makes nodes of a document, aliases filled in. Within holds the anchors that are being filled.
type filling struct {
	left   *int
	within []*yaml.Node
}

func (f *filling) value(y *yaml.Node) (*node, error) {
	if *f.left--; *f.left < 0 {
		return nil, fmt.Errorf("line %d: with its aliases filled in it has more than %d values", y.Line, values)
	}
	switch y.Kind {
	case yaml.DocumentNode:
		return f.value(y.Content[0])
	case yaml.AliasNode:
		return f.alias(y)
	case yaml.SequenceNode:
		n := &node{items: []*node{}}
		for _, item := range y.Content {
			v, err := f.value(item)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, v)
		}
		return n, nil
	case yaml.MappingNode:
		return f.mapping(y)
	}
	if y.Tag == "!!null" {
		return &node{}, nil
	}
	return &node{text: y.Value}, nil
}

func (f *filling) alias(y *yaml.Node) (*node, error) {
	for _, around := range f.within {
		if around == y.Alias {
			return nil, fmt.Errorf("line %d: *%s stands for what it is in", y.Line, y.Value)
		}
	}
	inner := &filling{left: f.left, within: append(f.within[:len(f.within):len(f.within)], y.Alias)}
	return inner.value(y.Alias)
}

// mapping reads what is merged in ("<<") first: what the mapping itself says goes before it.
func (f *filling) mapping(y *yaml.Node) (*node, error) {
	n := &node{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		if y.Content[i].Tag != "!!merge" {
			continue
		}
		from, err := f.value(y.Content[i+1])
		if err != nil {
			return nil, err
		}
		for _, m := range append(from.items, from) {
			for _, key := range m.keys {
				if n.fields[key] == nil { // of several the first counts
					n.set(key, m.fields[key])
				}
			}
		}
	}
	said := map[string]bool{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		if key.Tag == "!!merge" {
			continue
		}
		if key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: a key is no text", key.Line)
		}
		if said[key.Value] {
			return nil, fmt.Errorf("line %d: key %q stands twice", key.Line, key.Value)
		}
		v, err := f.value(y.Content[i+1])
		if err != nil {
			return nil, err
		}
		said[key.Value] = true
		n.set(key.Value, v)
	}
	return n, nil
}
