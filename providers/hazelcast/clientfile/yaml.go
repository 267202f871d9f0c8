package clientfile

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// parseYAML makes a tree of a document.
func (r *reader) parseYAML(file string, data []byte) *node {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	if err := d.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		r.yamlProblem(file, err)
		return nil
	}
	switch err := d.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		r.yamlProblem(file, err)
		return nil
	default:
		r.problem(pos{file, second.Line, second.Column}, "", "there is a second document")
		return nil
	}
	doc := &node{pos: pos{file: file}}
	if document.Kind == yaml.DocumentNode && len(document.Content) == 1 {
		content := document.Content[0]
		if content.Kind != yaml.MappingNode {
			r.problem(pos{file, content.Line, content.Column}, "", "the document must be a mapping with the key %s", rootName)
			return nil
		}
		r.fill(doc, content, 0)
	}
	return r.onlyRoot(doc)
}

func (r *reader) yamlProblem(file string, err error) {
	at := pos{file: file}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	var load *yaml.LoadError
	if errors.As(err, &load) {
		at.line, at.col = load.Mark.Line, load.Mark.Column
		text = load.Message
	}
	r.problem(at, "", "%s", text)
}

// fill gives n what y holds.
func (r *reader) fill(n *node, y *yaml.Node, depth int) {
	at := pos{n.file, y.Line, y.Column}
	switch {
	case depth > maxDepth:
		r.problem(at, n.path, "values are nested deeper than %d", maxDepth)
	case y.Kind == yaml.MappingNode:
		seen := make(map[string]bool)
		for i := 0; i+1 < len(y.Content); i += 2 {
			key := y.Content[i]
			at := pos{n.file, key.Line, key.Column}
			switch {
			case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge":
				r.problem(at, n.path, "keys must be plain names")
			case seen[key.Value]:
				r.problem(at, n.path, "%s is given twice", key.Value)
			default:
				seen[key.Value] = true
				c := n.add(key.Value, at)
				if depth == 0 { // c is the root: paths begin below it
					c.path = ""
				}
				r.fill(c, y.Content[i+1], depth+1)
			}
		}
	case y.Kind == yaml.SequenceNode:
		n.list = true
		for _, entry := range y.Content {
			c := n.add("", pos{n.file, entry.Line, entry.Column})
			c.path = n.path
			r.fill(c, entry, depth+1)
		}
	case y.Kind == yaml.ScalarNode:
		if n.kind = kindOf(y); n.kind != noText {
			n.text = y.Value
		}
	default:
		r.problem(at, n.path, "aliases are not supported; write the value out")
	}
}

func kindOf(y *yaml.Node) textKind {
	switch y.ShortTag() {
	case "!!null":
		return noText
	case "!!str":
		return quoted
	case "!!bool":
		return boolean
	case "!!int", "!!float":
		return number
	default:
		return otherText
	}
}
